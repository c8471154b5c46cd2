// Versions of a key. The current one is the head (a delete marker may be current); older ones stand
// apart, newest first, so that listings of current objects read heads only. Bytes of inline bodies
// stand apart from the records too. A key has at most one null version, wherever it is.
import { create } from "@bufbuild/protobuf";
import { present } from "../../lib/base/assert.ts";
import { equalBytes } from "../../lib/base/bytes.ts";
import { StoreError } from "../../lib/base/errors.ts";
import { NullPointerSchema } from "../../lib/gen/dolium/record/v1/group_pb.ts";
import {
  PartListSchema,
  type Version,
  VersionSchema,
} from "../../lib/gen/dolium/record/v1/object_pb.ts";
import type { CommandContext } from "./context.ts";
import {
  bodyKey,
  headKey,
  ID_BYTES,
  nullPointerKey,
  parseVersionKey,
  partListKey,
  prefixRange,
  versionKey,
  versionPrefix,
} from "./keys.ts";
import { freeManifest } from "./manifests.ts";
import {
  decodeRecord,
  putRecord,
  readRecord,
  type StateReader,
  type StateWriter,
} from "./records.ts";
import { objectCount } from "./usage.ts";

export interface ObjectPlace {
  readonly bucketId: number;
  readonly key: Uint8Array;
}

/** How clients name the null version. */
export const NULL_VERSION_ID: Uint8Array = Buffer.from("null", "utf8");

export function isNullVersionId(versionId: Uint8Array): boolean {
  return equalBytes(versionId, NULL_VERSION_ID);
}

export function sequenceOf(versionId: Uint8Array): bigint {
  return Buffer.from(versionId.buffer, versionId.byteOffset, ID_BYTES).readBigUInt64BE(0);
}

/** The current version, delete markers included; without the bytes of an inline body. */
export function readHead(reader: StateReader, place: ObjectPlace): Version | undefined {
  return readRecord(reader, VersionSchema, headKey(place.bucketId, place.key));
}

export interface FoundVersion {
  readonly version: Version;
  readonly isHead: boolean;
}

/** A version by its id or "null"; undefined when there is none. */
export function findVersion(
  reader: StateReader,
  place: ObjectPlace,
  versionId: Uint8Array,
): FoundVersion | undefined {
  const head = readHead(reader, place);
  if (head === undefined) return undefined;
  const byNull = isNullVersionId(versionId);
  if (byNull ? head.nullVersion : equalBytes(head.versionId, versionId)) {
    return { version: head, isHead: true };
  }
  const sequence = byNull ? nullSequence(reader, place) : sequenceOfId(versionId);
  if (sequence === undefined) return undefined;
  const key = versionKey(place.bucketId, place.key, sequence);
  const version = readRecord(reader, VersionSchema, key);
  if (version === undefined) return undefined;
  if (!byNull && !equalBytes(version.versionId, versionId)) return undefined;
  return { version, isHead: false };
}

function sequenceOfId(versionId: Uint8Array): bigint | undefined {
  return versionId.byteLength === ID_BYTES ? sequenceOf(versionId) : undefined;
}

function nullSequence(reader: StateReader, place: ObjectPlace): bigint | undefined {
  const key = nullPointerKey(place.bucketId, place.key);
  return readRecord(reader, NullPointerSchema, key)?.sequence;
}

/** The bytes of an inline body. */
export function readBody(reader: StateReader, bucketId: number, version: Version): Uint8Array {
  if (version.size === 0n) return new Uint8Array(0);
  const body = reader.get(bodyKey(bucketId, version.versionId));
  if (body === undefined) throw new StoreError("corrupt", "an inline body is missing");
  return body;
}

/** Makes `version` current. A null version takes the place of the one there was. */
export function pushVersion(
  view: StateWriter,
  context: CommandContext,
  { place, version }: { readonly place: ObjectPlace; readonly version: Version },
): void {
  const head = readHead(view, place);
  const replacesHead = version.nullVersion && head?.nullVersion === true;
  if (replacesHead) freeVersion(view, context, { bucketId: place.bucketId, version: head });
  else {
    if (version.nullVersion) dropNoncurrentNull(view, context, place);
    if (head !== undefined) demote(view, context, { place, version: head });
  }
  context.count("versions", 1);
  context.count("bodyBytes", version.size);
  const objects = objectCount(version) - objectCount(head);
  context.usage.add(place.bucketId, { objects, versions: 1, bytes: version.size });
  putHead(view, place, version);
}

/** Writes the head; bytes of an inline body apart from it, under the version's id. */
function putHead(view: StateWriter, { bucketId, key }: ObjectPlace, version: Version): void {
  const { body } = version;
  let record = version;
  if (body.case === "inline" && body.value.byteLength > 0) {
    view.insert(bodyKey(bucketId, version.versionId), body.value);
    record = { ...version, body: { case: "inline", value: new Uint8Array(0) } };
  }
  putRecord(view, VersionSchema, { key: headKey(bucketId, key), record });
}

/**
 * Puts a grown body in the place of the head's: `version` has a new id. The former body is the
 * caller's to carry over or free.
 */
export function growHead(
  view: StateWriter,
  context: CommandContext,
  grown: { readonly place: ObjectPlace; readonly former: Version; readonly version: Version },
): void {
  const { place, former, version } = grown;
  const bytes = version.size - former.size;
  context.count("bodyBytes", bytes);
  context.usage.add(place.bucketId, { bytes });
  putHead(view, place, version);
}

/** Writes a version again where it stands; only what is beside its body may have changed. */
export function rewriteVersion(view: StateWriter, place: ObjectPlace, found: FoundVersion): void {
  const { version, isHead } = found;
  const { bucketId, key: name } = place;
  const key = isHead
    ? headKey(bucketId, name)
    : versionKey(bucketId, name, sequenceOf(version.versionId));
  putRecord(view, VersionSchema, { key, record: version });
}

/**
 * Gives the head of `from` to `to`, whose own head, if any, is freed. For keys without other
 * versions only: ids stay, and would not be in order among others.
 */
export function moveHead(
  view: StateWriter,
  context: CommandContext,
  { from, to }: { readonly from: ObjectPlace; readonly to: ObjectPlace },
): Version {
  const version = present(readHead(view, from), "the head to move");
  const replaced = readHead(view, to);
  if (replaced !== undefined) {
    freeVersion(view, context, { bucketId: to.bucketId, version: replaced });
    context.usage.add(to.bucketId, { objects: -objectCount(replaced) });
  }
  view.delete(headKey(from.bucketId, from.key));
  putRecord(view, VersionSchema, { key: headKey(to.bucketId, to.key), record: version });
  return version;
}

/** True when the key has any version but a null one that is current: versioning was on. */
export async function hasOtherVersions(
  view: StateReader,
  context: CommandContext,
  place: ObjectPlace,
): Promise<boolean> {
  if (readHead(view, place)?.nullVersion === false) return true;
  if (context.meta.noncurrentVersions === 0n) return false;
  const others = await view.scan(prefixRange(versionPrefix(place.bucketId, place.key)), 1);
  return others.length > 0;
}

/** Removes a version that was found; the newest of the others becomes current. */
export async function removeVersion(
  view: StateWriter,
  context: CommandContext,
  { place, found }: { readonly place: ObjectPlace; readonly found: FoundVersion },
): Promise<void> {
  const { bucketId, key } = place;
  freeVersion(view, context, { bucketId, version: found.version });
  if (found.isHead) {
    view.delete(headKey(bucketId, key));
    context.usage.add(bucketId, { objects: -objectCount(found.version) });
    if (context.meta.noncurrentVersions > 0n) await promote(view, context, place);
    return;
  }
  view.delete(versionKey(bucketId, key, sequenceOf(found.version.versionId)));
  context.count("noncurrentVersions", -1);
  if (found.version.nullVersion) view.delete(nullPointerKey(bucketId, key));
}

/** Frees what a version refers to; its record is the caller's to replace or delete. */
function freeVersion(
  view: StateWriter,
  context: CommandContext,
  { bucketId, version }: { readonly bucketId: number; readonly version: Version },
): void {
  context.count("versions", -1);
  context.count("bodyBytes", -version.size);
  context.usage.add(bucketId, { versions: -1, bytes: -version.size });
  freeBody(view, context, { bucketId, version });
}

/** Frees the bytes of a version, wherever they are. */
export function freeBody(
  view: StateWriter,
  context: CommandContext,
  { bucketId, version }: { readonly bucketId: number; readonly version: Version },
): void {
  const { body } = version;
  switch (body.case) {
    case "inline":
      if (version.size > 0n) view.delete(bodyKey(bucketId, version.versionId));
      return;
    case "manifestId":
      freeManifest(view, context, { bucketId, manifestId: body.value });
      return;
    case "partListId": {
      const key = partListKey(bucketId, body.value);
      const list = readRecord(view, PartListSchema, key);
      if (list === undefined) throw new StoreError("corrupt", "a part list is missing");
      for (const { manifestId } of list.parts) {
        freeManifest(view, context, { bucketId, manifestId });
      }
      view.delete(key);
      return;
    }
    case undefined:
      return;
  }
}

/** Moves a version that was current to the others. */
function demote(
  view: StateWriter,
  context: CommandContext,
  { place, version }: { readonly place: ObjectPlace; readonly version: Version },
): void {
  const { bucketId, key } = place;
  const sequence = sequenceOf(version.versionId);
  putRecord(view, VersionSchema, { key: versionKey(bucketId, key, sequence), record: version });
  context.count("noncurrentVersions", 1);
  if (version.nullVersion) {
    const record = create(NullPointerSchema, { sequence });
    putRecord(view, NullPointerSchema, { key: nullPointerKey(bucketId, key), record });
  }
}

/** Makes the newest of the other versions current, if there is one. */
async function promote(
  view: StateWriter,
  context: CommandContext,
  place: ObjectPlace,
): Promise<void> {
  const { bucketId, key } = place;
  const [newest] = await view.scan(prefixRange(versionPrefix(bucketId, key)), 1);
  if (newest === undefined) return;
  const [storedKey, payload] = newest;
  const version = decodeRecord(VersionSchema, payload);
  if (parseVersionKey(storedKey).sequence !== sequenceOf(version.versionId)) {
    throw new StoreError("corrupt", "a version stands under another's key");
  }
  view.delete(storedKey);
  context.count("noncurrentVersions", -1);
  if (version.nullVersion) view.delete(nullPointerKey(bucketId, key));
  putRecord(view, VersionSchema, { key: headKey(bucketId, key), record: version });
  context.usage.add(bucketId, { objects: objectCount(version) });
}

function dropNoncurrentNull(view: StateWriter, context: CommandContext, place: ObjectPlace): void {
  // Versions that are not current exist only where a bucket has or had versioning.
  if (context.meta.noncurrentVersions === 0n) return;
  const sequence = nullSequence(view, place);
  if (sequence === undefined) return;
  const { bucketId, key } = place;
  const storedKey = versionKey(bucketId, key, sequence);
  const version = readRecord(view, VersionSchema, storedKey);
  if (version === undefined) throw new StoreError("corrupt", "a null version is missing");
  freeVersion(view, context, { bucketId, version });
  view.delete(storedKey);
  view.delete(nullPointerKey(bucketId, key));
  context.count("noncurrentVersions", -1);
}
