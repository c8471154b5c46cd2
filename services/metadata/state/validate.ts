// Is a command well formed? Asked by the leader before it proposes (the caller gets "invalid") and
// again when a command is applied, so that no malformed one ever reaches a function of commands/.
import { equalBytes, toHex } from "../../lib/base/bytes.ts";
import {
  DATA_SHARDS_MAX,
  DELETE_KEYS_MAX,
  PARITY_SHARDS_MAX,
  PART_NUMBER_MAX,
} from "../../lib/base/limits.ts";
import type {
  AppendAccessLog,
  AppendObject,
  ChangeVersion,
  Command,
  CompleteUpload,
  DeleteObjects,
  ImportState,
  PutObject,
  PutPart,
  RelocateShards,
  RenameObject,
  ReplaceBody,
  RewriteManifest,
} from "../../lib/gen/dolium/record/v1/command_pb.ts";
import { ObjectLock_Mode } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import { isChecked } from "./checked-value.ts";
import {
  bodyFault,
  firstFault,
  idFault,
  keyFault,
  manifestFault,
  placeFault,
  storedSize,
} from "./faults.ts";
import { rootCommandFault } from "./validate-root.ts";

const GARBAGE_AT_ONCE_MAX = 10_000;
const REPAIRS_AT_ONCE_MAX = 100_000;
const OUTBOX_AT_ONCE_MAX = 10_000;
/** Two of them fit an answer of ListOutbox. */
const LOG_BYTES_MAX = 512 * 1024;
const IMPORT_ENTRIES_MAX = 100_000;
const MD5_BYTES = 16;
const SWAPS_AT_ONCE_MAX = 1000;
const NO_ID = new Uint8Array(0);

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
    case "changeVersion":
      return changeVersionFault(kind.value);
    case "renameObject":
      return renameFault(kind.value);
    case "appendObject":
      return appendFault(kind.value);
    case "appendAccessLog":
      return accessLogFault(kind.value);
    case "finishOutbox":
      return kind.value.sequences.length > OUTBOX_AT_ONCE_MAX ? "too many entries" : undefined;
    case "replaceBody":
      return replaceBodyFault(kind.value);
    case "rewriteManifest":
      return rewriteManifestFault(kind.value);
    case "enqueueRepairs":
      if (kind.value.entries.length > REPAIRS_AT_ONCE_MAX) return "too many entries";
      return firstFault(
        kind.value.entries,
        (entry) => idFault(entry.manifestId, "manifest id") ?? idFault(entry.chunkId, "chunk id"),
      );
    case "importState":
      return importFault(kind.value);
    case "advanceFence":
    case "digestMark":
      return undefined;
    case undefined:
      return "a command of no known kind";
    default:
      return rootCommandFault(kind);
  }
}

function putObjectFault(command: PutObject): string | undefined {
  const { version, manifest, key } = command;
  return placeFault(command) ?? bodyFault(version, manifest, key);
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

function changeVersionFault(command: ChangeVersion): string | undefined {
  const { change } = command;
  const fault = placeFault(command);
  if (fault !== undefined) return fault;
  if (change.case === undefined) return "no change";
  if (change.case === "replicated") {
    return change.value.bucket === "" ? "a replica nowhere" : undefined;
  }
  if (change.case !== "retention") return undefined;
  const { mode, retainUntilMs } = change.value;
  const isNone = mode === ObjectLock_Mode.MODE_UNSPECIFIED;
  return isNone === (retainUntilMs === 0n) ? undefined : "a retention without mode or end";
}

function replaceBodyFault(command: ReplaceBody): string | undefined {
  const { key, versionId, swaps } = command;
  const fault = placeFault(command) ?? idFault(versionId, "version id");
  if (fault !== undefined) return fault;
  if (swaps.length > SWAPS_AT_ONCE_MAX) return "too many manifests";
  const formers = new Set(swaps.map(({ formerManifestId }) => toHex(formerManifestId)));
  if (formers.size !== swaps.length) return "a manifest replaced twice";
  const brought = new Set(swaps.map(({ manifest }) => toHex(manifest?.manifestId ?? NO_ID)));
  if (brought.size !== swaps.length) return "a manifest brought twice";
  return firstFault(swaps, ({ manifest }) =>
    manifest === undefined ? "no manifest" : manifestFault(manifest, key),
  );
}

function rewriteManifestFault(command: RewriteManifest): string | undefined {
  const { key, manifest } = command;
  const fault = placeFault(command);
  if (fault !== undefined) return fault;
  if (manifest === undefined) return "no manifest";
  if (manifest.followPolicy !== "") return "a manifest that follows on";
  return manifestFault(manifest, key);
}

function renameFault(command: RenameObject): string | undefined {
  const { bucketId, sourceKey, targetKey } = command;
  const fault =
    placeFault({ bucketId, key: sourceKey }) ?? placeFault({ bucketId, key: targetKey });
  if (fault !== undefined) return fault;
  return equalBytes(sourceKey, targetKey) ? "a key renamed to itself" : undefined;
}

function appendFault(command: AppendObject): string | undefined {
  const { version, manifest, key, md5, whole, condition, offset } = command;
  const fault = placeFault(command) ?? bodyFault(version, manifest, key);
  if (fault !== undefined) return fault;
  if (!whole) return md5.byteLength === MD5_BYTES ? undefined : "no MD5 of what is added";
  if (condition === undefined || condition.ifVersionId.byteLength === 0) {
    return "a whole body without the version that was read";
  }
  return version !== undefined && version.size >= offset ? undefined : "a body that shrinks";
}

function importFault({ importId, entries }: ImportState): string | undefined {
  if (entries.length > IMPORT_ENTRIES_MAX) return "too many entries";
  const fault = firstFault(entries, ({ key, stored }) => {
    if (key.byteLength === 0) return "an entry without a key";
    return isChecked(key, stored) ? undefined : "an entry with a wrong checksum";
  });
  return idFault(importId, "import id") ?? fault;
}

function accessLogFault({ bucketId, log }: AppendAccessLog): string | undefined {
  if (bucketId === 0) return "no bucket id";
  if (log === undefined || log.lines.length === 0) return "no lines";
  const bytes = log.lines.reduce((sum, line) => sum + Buffer.byteLength(line), 0);
  return bytes > LOG_BYTES_MAX ? `over ${LOG_BYTES_MAX} bytes of lines` : undefined;
}
