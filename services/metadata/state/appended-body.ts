// Bodies that grow: what was added becomes the last part of a part list. The entity tag is that of
// a multipart object: the MD5 of the parts' MD5s and their count. Source: Amazon S3 user guide,
// "Checking object integrity" (multipart) and "Appending data to objects".
import { createHash } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { fromHex } from "../../lib/base/bytes.ts";
import { StoreError } from "../../lib/base/errors.ts";
import { PART_NUMBER_MAX } from "../../lib/base/limits.ts";
import type { AppendObject } from "../../lib/gen/dolium/record/v1/command_pb.ts";
import {
  type PartList,
  PartListSchema,
  type PartReference,
  PartReferenceSchema,
  type Version,
} from "../../lib/gen/dolium/record/v1/object_pb.ts";
import { partListKey } from "./keys.ts";
import { putRecord, readRecord, type StateWriter } from "./records.ts";

const MD5_BYTES = 16;

export interface Addition {
  readonly bucketId: number;
  readonly head: Version;
  /** The head under its new id and time; body, size and entity tag are still the former ones. */
  readonly bare: Version;
  readonly brought: Version;
  readonly command: AppendObject;
}

/** The entity tag of inline bytes. */
export function inlineTag(bytes: Uint8Array): string {
  return createHash("md5").update(bytes).digest("hex");
}

/** Adds a part in the part list, which is made where there was none; or says why it cannot. */
export function grownParts(view: StateWriter, addition: Addition): Version | string {
  const { bucketId, head, bare, brought, command } = addition;
  if (brought.body.case !== "manifestId") return "the added bytes must come in a manifest";
  const parts = partsOf(view, bucketId, head);
  if (parts.length >= PART_NUMBER_MAX) return `the object has ${parts.length} parts`;
  const added = create(PartReferenceSchema, {
    partNumber: (parts.at(-1)?.partNumber ?? 0) + 1,
    size: brought.size,
    md5: command.md5,
    checksums: brought.checksums,
    manifestId: brought.body.value,
    bodyNonce: brought.bodyNonce,
  });
  const record: PartList = create(PartListSchema, { parts: [...parts, added] });
  // A list keeps its id as it grows.
  const listId = head.body.case === "partListId" ? head.body.value : bare.versionId;
  putRecord(view, PartListSchema, { key: partListKey(bucketId, listId), record });
  return {
    ...bare,
    size: head.size + brought.size,
    etag: partsTag(record.parts),
    body: { case: "partListId", value: listId },
    bodyNonce: new Uint8Array(0),
  };
}

function partsTag(parts: readonly PartReference[]): string {
  const hash = createHash("md5");
  for (const { md5 } of parts) hash.update(md5);
  return `${hash.digest("hex")}-${parts.length}`;
}

/** The parts of a body that is in manifests; one in a single manifest is its first part. */
function partsOf(view: StateWriter, bucketId: number, head: Version): PartReference[] {
  const { body } = head;
  if (body.case === "partListId") {
    const list = readRecord(view, PartListSchema, partListKey(bucketId, body.value));
    if (list === undefined) throw new StoreError("corrupt", "a part list is missing");
    return list.parts;
  }
  if (body.case !== "manifestId") throw new StoreError("corrupt", "a body that is nowhere");
  const { size, checksums, bodyNonce } = head;
  const md5 = md5OfTag(head.etag);
  const manifestId = body.value;
  const first = { partNumber: 1, size, md5, checksums, manifestId, bodyNonce };
  return [create(PartReferenceSchema, first)];
}

/** The MD5 in a plain entity tag; of a tag that is none, the MD5 of its text stands for it. */
function md5OfTag(etag: string): Uint8Array {
  const bytes = etag.length === 2 * MD5_BYTES ? fromHex(etag) : undefined;
  return bytes ?? createHash("md5").update(etag, "utf8").digest();
}
