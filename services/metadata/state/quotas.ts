// The quota of a bucket, asked when a write is applied: exact within the group, whoever writes at
// the same time. Only what a write adds counts: one that makes the bucket smaller, or leaves it as
// large as it is, passes even where the bucket holds more than it may.
import { Versioning } from "../../lib/gen/dolium/record/v1/cluster_pb.ts";
import { Outcome, type Reply } from "../../lib/gen/dolium/record/v1/command_pb.ts";
import type { BucketState } from "../../lib/gen/dolium/record/v1/group_pb.ts";
import type { CommandContext } from "./context.ts";
import { refused } from "./outcome.ts";
import type { StateReader } from "./records.ts";
import { findVersion, NULL_VERSION_ID, type ObjectPlace } from "./versions.ts";

/** What a write adds to a bucket, what it replaces taken off. */
export interface Growth {
  readonly bytes: bigint;
  readonly versions: number;
}

/** The refusal when the bucket would hold more than it may. */
export function refusedByQuota(
  context: CommandContext,
  { bucketId, state }: { readonly bucketId: number; readonly state: BucketState },
  growth: Growth,
): Reply | undefined {
  const { quotaBytes, quotaObjects } = state;
  if (quotaBytes === 0n && quotaObjects === 0n) return undefined;
  const { bytes, uploadBytes, versions } = context.usage.of(bucketId);
  const isOverBytes =
    quotaBytes > 0n && growth.bytes > 0n && bytes + uploadBytes + growth.bytes > quotaBytes;
  const isOverObjects =
    quotaObjects > 0n && growth.versions > 0 && versions + BigInt(growth.versions) > quotaObjects;
  if (isOverBytes) return refused(Outcome.QUOTA_EXCEEDED, `the quota is ${quotaBytes} bytes`);
  if (isOverObjects) return refused(Outcome.QUOTA_EXCEEDED, `the quota is ${quotaObjects} objects`);
  return undefined;
}

/** What a new version of `bytes` adds: a null version takes the place of the one there is. */
export function growthByVersion(
  reader: StateReader,
  { place, state }: { readonly place: ObjectPlace; readonly state: BucketState },
  bytes: bigint,
): Growth {
  // Without a quota nobody asks; the look-up is spared.
  const isAsked = state.quotaBytes > 0n || state.quotaObjects > 0n;
  if (!isAsked || state.versioning === Versioning.ENABLED) return { bytes, versions: 1 };
  const replaced = findVersion(reader, place, NULL_VERSION_ID)?.version;
  if (replaced === undefined) return { bytes, versions: 1 };
  return { bytes: bytes - replaced.size, versions: 0 };
}
