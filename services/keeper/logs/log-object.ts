// One access log object: its key, its bytes, and the commit that puts it into the target bucket.
// All of them follow from the entries alone, so that a repeat replaces the object by itself.
import { createHash } from "node:crypto";
import { present } from "../../lib/base/assert.ts";
import { toHex, utf8 } from "../../lib/base/bytes.ts";
import { StoreError } from "../../lib/base/errors.ts";
import { type Seal, sealedBytes } from "../../lib/clients/data-key.ts";
import type { BucketRecord } from "../../lib/gen/dolium/record/v1/cluster_pb.ts";
import { Outcome } from "../../lib/gen/dolium/record/v1/command_pb.ts";
import { Encryption_Kind, type Manifest } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import { type BucketLogging, logObjectKey, parseLogging } from "../../lib/s3/settings/logging.ts";
import type { KeeperDeps } from "../deps.ts";
import { type LogEntry, uniqueName } from "./log-batches.ts";
import { sealingOfTarget } from "./log-sealing.ts";

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
 * Resolves when the object is committed; false when logging is off. Throws StoreError when it
 * cannot be written now ("not-found": no target bucket).
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
  const written = await writeBody(deps, { target, key, bytes, signal: writing.signal });
  const { manifest, seal } = written;
  const reply = await deps.metadata.execute(groupId, {
    case: "putObject",
    value: {
      bucketId: target.bucketId,
      key,
      version: {
        size: BigInt(bytes.byteLength),
        etag: toHex(tagOf(deps, bytes, seal)),
        headers: { contentType: "text/plain" },
        storageClass: "STANDARD",
        owner: target.owner,
        body:
          manifest === undefined
            ? { case: "inline", value: written.inline }
            : { case: "manifestId", value: manifest.manifestId },
        ...seal,
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

/** The entity tag: the MD5 of the lines, but where a named key hides them. */
function tagOf({ random }: KeeperDeps, bytes: Uint8Array, seal: Seal | undefined): Uint8Array {
  const md5 = createHash("md5").update(bytes).digest();
  const isHidden = seal?.encryption.kind === Encryption_Kind.SSE_KMS;
  return isHidden ? random.bytes(md5.byteLength) : md5;
}

interface WrittenLines {
  /** What is kept inline, when there is no manifest. */
  readonly inline: Uint8Array;
  readonly manifest: Manifest | undefined;
  readonly seal: Seal | undefined;
}

async function writeBody(
  deps: KeeperDeps,
  body: {
    readonly target: BucketRecord;
    readonly key: Uint8Array;
    readonly bytes: Uint8Array;
    readonly signal: AbortSignal;
  },
): Promise<WrittenLines> {
  const { target, key, bytes, signal } = body;
  const sealing = await sealingOfTarget(deps, target);
  const plain = { source: once(bytes), size: bytes.byteLength };
  const stored =
    sealing === undefined
      ? { ...plain, seal: undefined }
      : sealedBytes(plain, sealing, deps.random);
  const { source, size, seal } = stored;
  if (bytes.byteLength <= INLINE_BYTES) {
    return { inline: await gathered(source), manifest: undefined, seal };
  }
  const policy = target.policy === "" ? deps.view.defaultPolicy() : target.policy;
  const { bucketId } = target;
  const manifest = await deps.writer.write({ bucketId, key, policy, size, source, signal });
  return { inline: NO_BYTES, manifest, seal };
}

const NO_BYTES = new Uint8Array(0);

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** At most INLINE_BYTES and a tag. */
async function gathered(source: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const view of source) pieces.push(view);
  return Buffer.concat(pieces);
}
