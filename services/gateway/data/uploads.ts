// Multipart uploads: finding one by the id a client sends, and committing a part to it.
import { mapBounded } from "../../lib/base/bounded.ts";
import { fromHex, toHex, toSafeNumber } from "../../lib/base/bytes.ts";
import { StoreError } from "../../lib/base/errors.ts";
import type { Seal } from "../../lib/clients/data-key.ts";
import type { GetUploadAnswer } from "../../lib/gen/dolium/metadata/v1/metadata_pb.ts";
import type { Manifest, Upload } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import type { ChecksumAlgorithm } from "../../lib/s3/checksums.ts";
import type { StoredChecksum } from "../../lib/s3/document-parts.ts";
import { S3Error } from "../../lib/s3/errors.ts";
import type { ObjectContext } from "../operation.ts";
import { algorithmOf, toRecord } from "./checksum-records.ts";
import { executeAt, queryAt } from "./name-space.ts";

/** A part is some 200 bytes of record; an answer stays far below the limit of a message. */
const PARTS_PER_QUERY = 1000;
const QUERY_WIDTH = 4;
const UPLOAD_ID = /^[0-9a-f]{32}$/;

export function uploadIdText(uploadId: Uint8Array): string {
  return toHex(uploadId);
}

/** The id in `text`, or undefined when it cannot be one of ours. */
export function parseUploadId(text: string): Uint8Array | undefined {
  return UPLOAD_ID.test(text) ? fromHex(text) : undefined;
}

export function noSuchUpload(text: string): S3Error {
  return new S3Error("NoSuchUpload", undefined, { details: [["UploadId", text]] });
}

/** The uploadId parameter of the request. Throws NoSuchUpload for what is no id. */
export function requestedUploadId({ request }: ObjectContext): Uint8Array {
  const text = request.target.query.get("uploadId") ?? "";
  const uploadId = parseUploadId(text);
  if (uploadId === undefined) throw noSuchUpload(text);
  return uploadId;
}

/** What is known of an upload, and of the parts that are asked for. */
export async function askUpload(
  context: ObjectContext,
  uploadId: Uint8Array,
  partNumbers: readonly number[] = [],
): Promise<GetUploadAnswer> {
  const { bucket, key } = context;
  const value = { bucketId: bucket.bucketId, key, uploadId, partNumbers: [...partNumbers] };
  return queryAt<"getUpload">(context, context, { case: "getUpload", value });
}

/** Canonical id of who began an upload, in progress or completed; undefined: there is none. */
export async function initiatorOf(
  context: ObjectContext,
  uploadId: Uint8Array,
): Promise<string | undefined> {
  const { upload, completed } = await askUpload(context, uploadId);
  return upload === undefined ? completed?.initiator : uploadInitiator(upload);
}

/** Uploads of older releases tell their owner only. */
export function uploadInitiator({ initiator, owner }: Upload): string {
  return initiator === "" ? owner : initiator;
}

/** As askUpload for up to 10,000 parts, fetched in pages; they come in the order asked. */
export async function askParts(
  context: ObjectContext,
  uploadId: Uint8Array,
  partNumbers: readonly number[],
): Promise<Pick<GetUploadAnswer, "upload" | "parts" | "completed">> {
  const pages: number[][] = [];
  for (let at = 0; at < partNumbers.length; at += PARTS_PER_QUERY) {
    pages.push(partNumbers.slice(at, at + PARTS_PER_QUERY));
  }
  const answers = await mapBounded(pages, QUERY_WIDTH, (page) =>
    askUpload(context, uploadId, page),
  );
  const upload = answers[0]?.upload;
  // Gone from one page on: somebody else completed or aborted it in between.
  const isOpen = answers.every((answer) => answer.upload !== undefined);
  const completed = answers.find((answer) => answer.completed !== undefined)?.completed;
  return {
    ...(isOpen && upload !== undefined ? { upload } : {}),
    ...(completed === undefined ? {} : { completed }),
    parts: answers.flatMap(({ parts }) => parts),
  };
}

/** The upload in progress. Throws NoSuchUpload. */
export async function openUpload(context: ObjectContext, uploadId: Uint8Array): Promise<Upload> {
  const { upload } = await askUpload(context, uploadId);
  if (upload === undefined) throw noSuchUpload(uploadIdText(uploadId));
  return upload;
}

/** The checksum algorithm of an upload's parts: what the upload says, else what the part brings. */
export function partAlgorithm(
  upload: Upload,
  stated: ChecksumAlgorithm | undefined,
): ChecksumAlgorithm | undefined {
  const agreed = algorithmOf(upload.checksumAlgorithm);
  if (agreed === undefined || stated === undefined || agreed === stated) return agreed ?? stated;
  throw new S3Error(
    "InvalidRequest",
    `Checksum Type mismatch occurred, expected checksum Type: ${agreed.toLowerCase()}, ` +
      `actual checksum Type: ${stated.toLowerCase()}`,
  );
}

export interface NewPart {
  readonly uploadId: Uint8Array;
  readonly partNumber: number;
  readonly size: number;
  readonly md5: Uint8Array;
  readonly checksums: readonly StoredChecksum[];
  readonly manifest: Manifest;
  readonly seal: Seal | undefined;
}

/** Commits a part; one of the same number is replaced. Throws NoSuchUpload and StoreError. */
export async function commitPart(
  context: ObjectContext,
  part: NewPart,
): Promise<{ readonly modifiedMs: number }> {
  const { bucket, key } = context;
  const { uploadId, partNumber, size, md5, checksums, manifest, seal } = part;
  const reply = await executeAt(
    context,
    { bucket, key },
    {
      case: "putPart",
      value: {
        bucketId: bucket.bucketId,
        key,
        uploadId,
        part: {
          partNumber,
          size: BigInt(size),
          md5,
          checksums: checksums.map(toRecord),
          manifestId: manifest.manifestId,
          ...(seal === undefined ? {} : { bodyNonce: seal.bodyNonce }),
        },
        manifest,
      },
    },
  );
  if (reply.kind.case !== "putPart") {
    throw new StoreError("internal", "a part was answered by another reply");
  }
  return { modifiedMs: toSafeNumber(reply.kind.value.modifiedMs) };
}
