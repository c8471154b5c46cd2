// One access log object: its key, its bytes, and the commit that puts it into the target bucket. All
// of them follow from the entries alone, so that a repeat replaces the object by itself.
import { createHash } from "node:crypto";
import { present } from "../../lib/base/assert.ts";
import { utf8 } from "../../lib/base/bytes.ts";
import { StoreError } from "../../lib/base/errors.ts";
import type { BucketRecord } from "../../lib/gen/dolium/record/v1/cluster_pb.ts";
import { Outcome } from "../../lib/gen/dolium/record/v1/command_pb.ts";
import type { Manifest } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import { type BucketLogging, logObjectKey, parseLogging } from "../../lib/s3/settings/logging.ts";
import type { KeeperDeps } from "../deps.ts";
import { type LogEntry, uniqueName } from "./log-batches.ts";

/** Up to this size the lines live in the version record. */
const INLINE_BYTES = 16 * 1024;
const EVENT = "ObjectCreated:Put";

export interface LogWriting {
  readonly source: {
    readonly groupId: number;
    readonly bucket: BucketRecord;
    /** Its setting "logging". */
    readonly document: Uint8Array;
  };
  /** At least one. */
  readonly entries: readonly LogEntry[];
  readonly signal: AbortSignal;
}

/**
 * Resolves when the object is committed; false when logging is off. Throws StoreError when it cannot
 * be written now ("not-found": no target bucket).
 */
export async function writeLogObject(deps: KeeperDeps, writing: LogWriting): Promise<boolean> {
  const logging = parseLogging(writing.source.document);
  if (logging === undefined) return false;
  const target = await deps.buckets.get(logging.targetBucket);
  if (target === undefined) {
    throw new StoreError("not-found", `no target bucket ${logging.targetBucket}`);
  }
  const key = utf8(keyOf(logging, writing));
  const lines = writing.entries.flatMap((entry) => entry.lines);
  const bytes = utf8(`${lines.join("\n")}\n`);
  const groupId = deps.buckets.groupOf(target, key);
  const manifest = await writeBody(deps, { target, key, bytes, signal: writing.signal });
  const reply = await deps.metadata.execute(groupId, {
    case: "putObject",
    value: {
      bucketId: target.bucketId,
      key,
      version: {
        size: BigInt(bytes.byteLength),
        etag: createHash("md5").update(bytes).digest("hex"),
        headers: { contentType: "text/plain" },
        storageClass: "STANDARD",
        owner: target.owner,
        body:
          manifest === undefined
            ? { case: "inline", value: bytes }
            : { case: "manifestId", value: manifest.manifestId },
      },
      ...(manifest === undefined ? {} : { manifest }),
      event: EVENT,
    },
  });
  if (reply.outcome === Outcome.OK) return true;
  deps.buckets.invalidate(target.name);
  throw new StoreError("conflict", `${target.name}: outcome ${reply.outcome} ${reply.message}`);
}

function keyOf(logging: BucketLogging, { source, entries }: LogWriting): string {
  const { bucket, groupId } = source;
  const first = present(entries[0], "log entry");
  return logObjectKey(logging, {
    sourceOwner: bucket.owner,
    sourceRegion: bucket.region,
    sourceBucket: bucket.name,
    // The same whenever it is written: the name must not depend on the day of a repeat.
    deliveredMs: first.timeMs,
    eventMs: first.timeMs,
    unique: uniqueName(groupId, bucket.bucketId, first.sequence),
  });
}

/** Undefined for what is kept inline. */
async function writeBody(
  deps: KeeperDeps,
  body: {
    readonly target: BucketRecord;
    readonly key: Uint8Array;
    readonly bytes: Uint8Array;
    readonly signal: AbortSignal;
  },
): Promise<Manifest | undefined> {
  const { target, key, bytes, signal } = body;
  if (bytes.byteLength <= INLINE_BYTES) return undefined;
  const policy = target.policy === "" ? deps.view.defaultPolicy() : target.policy;
  const size = bytes.byteLength;
  const source = once(bytes);
  return deps.writer.write({ bucketId: target.bucketId, key, policy, size, source, signal });
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
