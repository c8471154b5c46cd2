// Is a command well formed? Asked by the leader before it proposes (the caller gets "invalid") and
// again when a command is applied, so that no malformed one ever reaches a function of commands/.
import { compareBytes, equalBytes } from "../../lib/base/bytes.ts";
import {
  DATA_SHARDS_MAX,
  DELETE_KEYS_MAX,
  INLINE_BYTES_MAX,
  KEY_BYTES_MAX,
  OBJECT_BYTES_MAX,
  PARITY_SHARDS_MAX,
  PART_NUMBER_MAX,
} from "../../lib/base/limits.ts";
import type {
  Command,
  CompleteUpload,
  DeleteObjects,
  PutObject,
  PutPart,
  RegisterNode,
  RelocateShards,
} from "../../lib/gen/dolium/record/v1/command_pb.ts";
import type { Chunk, Manifest } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import { sealedSize } from "../../lib/seal/blocks.ts";
import { ID_BYTES } from "./keys.ts";

const NAME_LENGTH_MAX = 255;
const GARBAGE_AT_ONCE_MAX = 10_000;
const REPAIRS_AT_ONCE_MAX = 100_000;
const LEASE_NOTE_BYTES_MAX = 4096;

/** Why the command can never be applied; undefined when it is well formed. */
export function commandFault({ kind }: Command): string | undefined {
  switch (kind.case) {
    case "putObject":
      return putObjectFault(kind.value);
    case "deleteObjects":
      return deleteObjectsFault(kind.value);
    case "createUpload": {
      const { upload } = kind.value;
      if (upload === undefined) return "no upload";
      return placeFault(upload) ?? idFault(upload.uploadId, "upload id");
    }
    case "putPart":
      return putPartFault(kind.value);
    case "completeUpload":
      return completeUploadFault(kind.value);
    case "abortUpload":
      return placeFault(kind.value) ?? idFault(kind.value.uploadId, "upload id");
    case "relocateShards":
      return relocateFault(kind.value);
    case "finishGarbage":
      return kind.value.done.length > GARBAGE_AT_ONCE_MAX ? "too many records" : undefined;
    case "sealBucket":
      return kind.value.bucketId === 0 ? "no bucket id" : undefined;
    case "configureBucket": {
      const { bucketId, state } = kind.value;
      if (bucketId === 0) return "no bucket id";
      return state === undefined || state.revision === 0n ? "no bucket state" : undefined;
    }
    case "enqueueRepairs":
      if (kind.value.entries.length > REPAIRS_AT_ONCE_MAX) return "too many entries";
      return firstFault(
        kind.value.entries,
        (entry) => idFault(entry.manifestId, "manifest id") ?? idFault(entry.chunkId, "chunk id"),
      );
    case "initCluster": {
      const { clusterId, policies, defaultPolicy } = kind.value;
      if (clusterId === "") return "no cluster id";
      return policies.some(({ name }) => name === defaultPolicy) ? undefined : "no default policy";
    }
    case "registerNode":
      return registerNodeFault(kind.value);
    case "createBucket":
      return nameFault(kind.value.name, "bucket name");
    case "removeBucket":
      return nameFault(kind.value.name, "bucket name");
    case "acquireLease":
      if ((kind.value.note?.byteLength ?? 0) > LEASE_NOTE_BYTES_MAX) return "a note over 4 KiB";
      return nameFault(kind.value.name, "lease name") ?? nameFault(kind.value.holder, "holder");
    case "releaseLease":
      return nameFault(kind.value.name, "lease name") ?? nameFault(kind.value.holder, "holder");
    case "advanceFence":
    case "setStates":
    case "digestMark":
      return undefined;
    default:
      return "a command of no known kind";
  }
}

function firstFault<T>(
  items: readonly T[],
  check: (item: T) => string | undefined,
): string | undefined {
  for (const item of items) {
    const fault = check(item);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function placeFault(place: {
  readonly bucketId: number;
  readonly key: Uint8Array;
}): string | undefined {
  if (place.bucketId === 0) return "no bucket id";
  return keyFault(place.key);
}

function keyFault(key: Uint8Array): string | undefined {
  if (key.byteLength === 0) return "an empty key";
  return key.byteLength > KEY_BYTES_MAX ? `a key over ${KEY_BYTES_MAX} bytes` : undefined;
}

function idFault(id: Uint8Array, what: string): string | undefined {
  return id.byteLength === ID_BYTES ? undefined : `${what} of ${id.byteLength} bytes`;
}

function nameFault(name: string, what: string): string | undefined {
  return name.length > 0 && name.length <= NAME_LENGTH_MAX ? undefined : `bad ${what}`;
}

function putObjectFault(command: PutObject): string | undefined {
  const { version, manifest, bucketId, key } = command;
  const fault = placeFault(command);
  if (fault !== undefined) return fault;
  if (version === undefined) return "no version";
  if (version.deleteMarker) return "a delete marker is laid by DeleteObjects";
  const { body } = version;
  if (body.case === "inline") {
    if (manifest !== undefined) return "an inline body with a manifest";
    if (BigInt(body.value.byteLength) !== storedSize(version)) {
      return "an inline body of another size";
    }
    return version.size > BigInt(INLINE_BYTES_MAX) ? "an inline body too large" : undefined;
  }
  if (body.case !== "manifestId" || manifest === undefined) return "no body";
  if (!equalBytes(body.value, manifest.manifestId)) return "another manifest";
  if (manifest.size !== storedSize(version)) return "a manifest of another size";
  return bucketId === 0 ? "no bucket id" : manifestFault(manifest, key);
}

function manifestFault(manifest: Manifest, key: Uint8Array): string | undefined {
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

function deleteObjectsFault(command: DeleteObjects): string | undefined {
  const { bucketId, targets } = command;
  if (bucketId === 0) return "no bucket id";
  if (targets.length > DELETE_KEYS_MAX) return `over ${DELETE_KEYS_MAX} keys`;
  return firstFault(targets, ({ key }) => keyFault(key));
}

function putPartFault(command: PutPart): string | undefined {
  const { part, manifest, key } = command;
  const fault = placeFault(command) ?? idFault(command.uploadId, "upload id");
  if (fault !== undefined) return fault;
  if (part === undefined || manifest === undefined) return "no part";
  if (part.partNumber < 1 || part.partNumber > PART_NUMBER_MAX) return "a bad part number";
  if (!equalBytes(part.manifestId, manifest.manifestId)) return "another manifest";
  if (manifest.size !== storedSize(part)) return "a manifest of another size";
  return manifestFault(manifest, key);
}

/** Bytes that are stored for a body of `size` plain ones: more, when it has a nonce and is sealed. */
function storedSize(body: { readonly size: bigint; readonly bodyNonce: Uint8Array }): bigint {
  const isSealed = body.bodyNonce.byteLength > 0;
  return isSealed && body.size <= OBJECT_BYTES_MAX
    ? BigInt(sealedSize(Number(body.size)))
    : body.size;
}

function completeUploadFault(command: CompleteUpload): string | undefined {
  const { parts, version } = command;
  const fault = placeFault(command) ?? idFault(command.uploadId, "upload id");
  if (fault !== undefined) return fault;
  if (version === undefined) return "no version";
  if (parts.length === 0 || parts.length > PART_NUMBER_MAX) return "no or too many parts";
  let size = 0n;
  let last = 0;
  for (const part of parts) {
    if (part.partNumber <= last) return "parts out of order";
    last = part.partNumber;
    size += part.size;
  }
  return size === version.size ? undefined : "parts of another size";
}

function relocateFault(command: RelocateShards): string | undefined {
  const { changes } = command;
  const fault = idFault(command.manifestId, "manifest id") ?? idFault(command.chunkId, "chunk id");
  if (fault !== undefined) return fault;
  if (changes.length > DATA_SHARDS_MAX + PARITY_SHARDS_MAX) return "too many changes";
  if (new Set(changes.map(({ shardIndex }) => shardIndex)).size !== changes.length) {
    return "a shard moved twice";
  }
  return changes.some(({ toDiskId }) => toDiskId === 0) ? "a shard moved nowhere" : undefined;
}

function registerNodeFault(command: RegisterNode): string | undefined {
  const fault = nameFault(command.name, "node name") ?? nameFault(command.address, "address");
  if (fault !== undefined) return fault;
  const uuids = command.disks.map(({ diskUuid }) => diskUuid).toSorted(compareBytes);
  return firstFault(uuids, (uuid) => {
    const at = uuids.indexOf(uuid);
    const before = uuids[at - 1];
    if (before !== undefined && equalBytes(before, uuid)) return "a disk named twice";
    return idFault(uuid, "disk uuid");
  });
}
