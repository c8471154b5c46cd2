// What can be wrong with the parts that commands are made of: keys, ids, names, manifests, bodies.
// A fault is a text for people; undefined when there is none.
import { equalBytes } from "../../lib/base/bytes.ts";
import {
  DATA_SHARDS_MAX,
  INLINE_BYTES_MAX,
  KEY_BYTES_MAX,
  OBJECT_BYTES_MAX,
  PARITY_SHARDS_MAX,
} from "../../lib/base/limits.ts";
import type { Chunk, Manifest, Version } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import { sealedSize } from "../../lib/seal/blocks.ts";
import { ID_BYTES } from "./keys.ts";

const NAME_LENGTH_MAX = 255;

export function firstFault<T>(
  items: readonly T[],
  check: (item: T) => string | undefined,
): string | undefined {
  for (const item of items) {
    const fault = check(item);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

export function placeFault(place: {
  readonly bucketId: number;
  readonly key: Uint8Array;
}): string | undefined {
  if (place.bucketId === 0) return "no bucket id";
  return keyFault(place.key);
}

export function keyFault(key: Uint8Array): string | undefined {
  if (key.byteLength === 0) return "an empty key";
  return key.byteLength > KEY_BYTES_MAX ? `a key over ${KEY_BYTES_MAX} bytes` : undefined;
}

export function idFault(id: Uint8Array, what: string): string | undefined {
  return id.byteLength === ID_BYTES ? undefined : `${what} of ${id.byteLength} bytes`;
}

export function nameFault(name: string, what: string): string | undefined {
  return name.length > 0 && name.length <= NAME_LENGTH_MAX ? undefined : `bad ${what}`;
}

export function manifestFault(manifest: Manifest, key: Uint8Array): string | undefined {
  const { dataShards, parityShards, chunks } = manifest;
  const fault = idFault(manifest.manifestId, "manifest id");
  if (fault !== undefined) return fault;
  if (!equalBytes(manifest.key, key)) return "a manifest of another key";
  if (dataShards < 1 || dataShards > DATA_SHARDS_MAX || parityShards > PARITY_SHARDS_MAX) {
    return `a scheme of ${dataShards}+${parityShards}`;
  }
  let size = 0n;
  const seen = new Set<string>();
  for (const chunk of chunks) {
    const wrong = chunkFault(chunk, dataShards, parityShards);
    if (wrong !== undefined) return wrong;
    seen.add(Buffer.from(chunk.chunkId).toString("latin1"));
    size += BigInt(chunk.size);
  }
  if (seen.size !== chunks.length) return "a chunk id used twice";
  return size === manifest.size ? undefined : "chunks of another size";
}

function chunkFault(chunk: Chunk, dataShards: number, parityShards: number): string | undefined {
  const fault = idFault(chunk.chunkId, "chunk id");
  if (fault !== undefined) return fault;
  if (chunk.size === 0) return "an empty chunk";
  if (chunk.diskIds.length !== dataShards + parityShards) return "a chunk without all its places";
  const durable = chunk.diskIds.filter((diskId) => diskId !== 0).length;
  return durable < dataShards ? "a chunk with fewer durable shards than it needs" : undefined;
}

/** A new version with its body, inline or in the manifest beside it. */
export function bodyFault(
  version: Version | undefined,
  manifest: Manifest | undefined,
  key: Uint8Array,
): string | undefined {
  if (version === undefined) return "no version";
  if (version.deleteMarker) return "a delete marker is laid by DeleteObjects";
  const { body } = version;
  const { bodyNonce } = version;
  const isNonce = bodyNonce.byteLength === 0 || bodyNonce.byteLength === ID_BYTES;
  if (!isNonce) return "a bad body nonce";
  if (body.case === "inline") {
    if (manifest !== undefined) return "an inline body with a manifest";
    if (version.size > BigInt(INLINE_BYTES_MAX)) return "an inline body too large";
    const isWhole = BigInt(body.value.byteLength) === storedSize(version);
    return isWhole ? undefined : "an inline body of another size";
  }
  if (body.case !== "manifestId" || manifest === undefined) return "no body";
  if (!equalBytes(body.value, manifest.manifestId)) return "another manifest";
  if (manifest.size !== storedSize(version)) return "a manifest of another size";
  return manifestFault(manifest, key);
}

/** Bytes that are stored for a body of `size` plain ones: more when it has a nonce: is sealed. */
export function storedSize(body: {
  readonly size: bigint;
  readonly bodyNonce: Uint8Array;
}): bigint {
  const isSealed = body.bodyNonce.byteLength > 0;
  return isSealed && body.size <= OBJECT_BYTES_MAX
    ? BigInt(sealedSize(Number(body.size)))
    : body.size;
}
