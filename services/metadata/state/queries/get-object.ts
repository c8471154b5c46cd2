// GetObject: a version, and on demand its part list and the manifests of the wanted bytes. A delete
// marker that is current is answered as such: the caller tells "deleted" from "never there".
import { create } from "@bufbuild/protobuf";
import { StoreError } from "../../../lib/base/errors.ts";
import {
  type GetObjectAnswer,
  GetObjectAnswerSchema,
  type GetObjectQuery,
} from "../../../lib/gen/dolium/metadata/v1/metadata_pb.ts";
import {
  type Manifest,
  ManifestSchema,
  type PartList,
  PartListSchema,
  type Version,
} from "../../../lib/gen/dolium/record/v1/object_pb.ts";
import { ID_BYTES, manifestKey, partListKey } from "../keys.ts";
import { decodeRecord, readRecord, type StateReader } from "../records.ts";
import { findVersion, readBody, readHead } from "../versions.ts";
import { MANIFESTS_PER_ANSWER, MESSAGE_BYTES, refuseSealed } from "./query-limits.ts";

/** Throws StoreError "sealed". */
export function getObject(reader: StateReader, query: GetObjectQuery): GetObjectAnswer {
  const { bucketId, versionId, withBody } = query;
  refuseSealed(reader, bucketId);
  const version =
    versionId.byteLength === 0
      ? readHead(reader, query)
      : findVersion(reader, query, versionId)?.version;
  if (version === undefined) return create(GetObjectAnswerSchema);
  const { body } = version;
  if (!withBody || body.case === undefined) return create(GetObjectAnswerSchema, { version });
  switch (body.case) {
    case "inline": {
      const value = readBody(reader, bucketId, version);
      const whole: Version = { ...version, body: { case: "inline", value } };
      return create(GetObjectAnswerSchema, { version: whole });
    }
    case "manifestId": {
      const manifests = readManifests(reader, bucketId, [body.value]);
      if (manifests.length === 0) throw new StoreError("corrupt", "a manifest is missing");
      return create(GetObjectAnswerSchema, { version, manifests });
    }
    case "partListId": {
      const partList = readRecord(reader, PartListSchema, partListKey(bucketId, body.value));
      if (partList === undefined) throw new StoreError("corrupt", "a part list is missing");
      const wanted = wantedParts(query, version, partList);
      const manifests = readManifests(reader, bucketId, wanted);
      return create(GetObjectAnswerSchema, { version, partList, manifests });
    }
  }
}

/** Those that exist, in order, as many of the first ones as fit an answer. */
export function readManifests(
  reader: StateReader,
  bucketId: number,
  manifestIds: readonly Uint8Array[],
): Manifest[] {
  const found: Manifest[] = [];
  let bytes = 0;
  for (const manifestId of manifestIds.slice(0, MANIFESTS_PER_ANSWER)) {
    if (manifestId.byteLength !== ID_BYTES) continue;
    const payload = reader.get(manifestKey(bucketId, manifestId));
    if (payload === undefined) continue;
    bytes += payload.byteLength;
    if (bytes > MESSAGE_BYTES && found.length > 0) break;
    found.push(decodeRecord(ManifestSchema, payload));
  }
  return found;
}

/** Manifest ids of the parts that overlap the wanted bytes. */
function wantedParts(query: GetObjectQuery, version: Version, list: PartList): Uint8Array[] {
  const { partNumber } = query;
  const { first, last } = wantedBytes(query, version.size);
  const wanted: Uint8Array[] = [];
  let offset = 0n;
  for (const part of list.parts) {
    const end = offset + part.size;
    const isWanted =
      partNumber === undefined ? offset <= last && end > first : part.partNumber === partNumber;
    if (isWanted) wanted.push(part.manifestId);
    offset = end;
  }
  return wanted;
}

function wantedBytes(query: GetObjectQuery, size: bigint): { first: bigint; last: bigint } {
  const { firstByte, lastByte, suffixLength } = query;
  if (suffixLength !== undefined) {
    return { first: suffixLength > size ? 0n : size - suffixLength, last: size - 1n };
  }
  return { first: firstByte ?? 0n, last: lastByte ?? size - 1n };
}
