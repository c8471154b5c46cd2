// When writes to a bucket are acknowledged: by all campuses that its policy wants, or by one campus
// with the rest following. What is set is refused with a reason where the cluster cannot do it, and
// what has not followed yet is counted, so that everybody sees what a lost campus would cost.
import { mapBounded } from "../../../lib/base/bounded.ts";
import { fromUtf8, toHex, toSafeNumber } from "../../../lib/base/bytes.ts";
import * as Type from "../../../lib/base/settings-schema.ts";
import { clusterMapFromRecord } from "../../../lib/clients/cluster-map-record.ts";
import type { BucketRecord } from "../../../lib/gen/dolium/record/v1/cluster_pb.ts";
import { localRefusal } from "../../../lib/placement/campus-policy.ts";
import { formatIsoDate } from "../../../lib/s3/http-date.ts";
import { settingChange, settingDocument } from "../../data/bucket-settings.ts";
import type { AdminDependencies } from "../admin-dependencies.ts";
import { AdminError } from "../admin-error.ts";
import { mapOf } from "../cluster/cluster-operations.ts";

export const Acknowledgement = Type.Union([Type.Literal("all"), Type.Literal("local")]);
export type Acknowledgement = Type.Static<typeof Acknowledgement>;

const SETTING = "acknowledgement";
const PAGE = 1000;
/** Pages of each group's repair queue that are looked through. */
const PAGES_MAX = 100;
const GROUPS_WIDTH = 8;

export function acknowledgementOf(bucket: BucketRecord): Acknowledgement {
  const document = settingDocument(bucket, SETTING);
  return document !== undefined && fromUtf8(document) === "local" ? "local" : "all";
}

/** Throws AdminError 409 with the reason where one campus cannot acknowledge alone. */
export async function acknowledgementChange(
  deps: AdminDependencies,
  wish: Acknowledgement | undefined,
): Promise<ReturnType<typeof settingChange>> {
  if (wish === undefined) return {};
  if (wish === "all") return settingChange(SETTING, undefined);
  const reason = localRefusal(clusterMapFromRecord(await mapOf(deps)));
  if (reason === undefined) return settingChange(SETTING, wish);
  throw new AdminError(409, "CannotBePlaced", `One campus cannot acknowledge alone: ${reason}.`);
}

export interface Following {
  /** Bodies that are in one campus only, and would be lost with it. */
  readonly bodies: number;
  /** When the one that waits longest was acknowledged; null: none waits. */
  readonly oldestSince: string | null;
  /** Seconds since then. */
  readonly behindSeconds: number;
}

/** Of the bucket, from the queues of its groups. */
export async function followingOf(
  { metadata, gateway }: AdminDependencies,
  { bucketId, ranges }: BucketRecord,
): Promise<Following> {
  const waiting = new Map<string, bigint>();
  const groups = [...new Set(ranges.map(({ groupId }) => groupId))];
  await mapBounded(groups, GROUPS_WIDTH, async (groupId) => {
    let cursor: Uint8Array = new Uint8Array(0);
    for (let page = 0; page < PAGES_MAX; page += 1) {
      const kind = { case: "listRepairs", value: { cursor, limit: PAGE } } as const;
      const answer = await metadata.query<"listRepairs">(groupId, kind);
      for (const entry of answer.entries) {
        if (!entry.following || entry.bucketId !== bucketId) continue;
        waiting.set(toHex(entry.manifestId), entry.sinceMs);
      }
      cursor = answer.nextCursor;
      if (cursor.byteLength === 0) return;
    }
  });
  const [oldest] = [...waiting.values()].sort((a, b) => Number(a - b));
  if (oldest === undefined) return { bodies: 0, oldestSince: null, behindSeconds: 0 };
  const oldestMs = toSafeNumber(oldest);
  const behindMs = Math.max(0, gateway.dependencies.clock.wallMs() - oldestMs);
  return {
    bodies: waiting.size,
    oldestSince: formatIsoDate(oldestMs),
    behindSeconds: Math.round(behindMs / 1000),
  };
}
