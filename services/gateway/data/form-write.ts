// Stores the file of a form, whose length nobody knows before its end: a small one at once, a large
// one piece by piece as an upload in parts, which becomes the object in one command, as uploads do.
import { createHash } from "node:crypto";
import { assert, present } from "../../lib/base/assert.ts";
import { StoreError } from "../../lib/base/errors.ts";
import { newManifestId } from "../../lib/clients/body-writer.ts";
import type { Sealing } from "../../lib/clients/data-key.ts";
import type { ObjectContext } from "../operation.ts";
import { callerId } from "./access/caller.ts";
import { algorithmRecord, toRecord, typeRecord } from "./checksum-records.ts";
import { executeAt } from "./name-space.ts";
import { type Committed, commitObject, type NewVersion } from "./object-commit.ts";
import { writeBody } from "./object-writer.ts";
import { commitPart, type NewPart } from "./uploads.ts";
import { versionIdText } from "./version-id.ts";

/** Bytes of a form's file that are held in memory. */
const PIECE_BYTES_MAX = 8 * 1024 * 1024;
const EVENT = "ObjectCreated:Post";

export interface FormFile {
  /** Ends only after its own checks. */
  readonly source: AsyncIterable<Uint8Array>;
  /** The file is not larger, as the form around it is not. */
  readonly bytesMax: number;
  readonly sealing: Sealing | undefined;
  /** What is known before the end of the file. */
  readonly described: Omit<NewVersion, "size" | "etag" | "checksums">;
  /** What is known after it. */
  readonly finish: () => Pick<NewVersion, "etag" | "checksums">;
}

/** Resolves once the object is there. Throws what the source, writing and committing throw. */
export async function storeFormFile(context: ObjectContext, file: FormFile): Promise<Committed> {
  const pieces = piecesOf(file.source, Math.min(PIECE_BYTES_MAX, Math.max(file.bytesMax, 1)));
  const first = await pieces.next();
  const second = first.done === true ? first : await pieces.next();
  if (second.done === true) return storeWhole(context, file, first.value ?? new Uint8Array(0));
  return storeInParts(context, file, joined([present(first.value, "piece"), second.value], pieces));
}

/** Pieces of `pieceBytes`, the last one shorter; each in memory of its own. */
async function* piecesOf(
  source: AsyncIterable<Uint8Array>,
  pieceBytes: number,
): AsyncGenerator<Uint8Array, undefined> {
  let piece = Buffer.allocUnsafe(pieceBytes);
  let filled = 0;
  for await (const view of source) {
    for (let at = 0; at < view.byteLength; ) {
      const taken = view.subarray(at, at + pieceBytes - filled);
      piece.set(taken, filled);
      filled += taken.byteLength;
      at += taken.byteLength;
      if (filled < pieceBytes) continue;
      yield piece;
      piece = Buffer.allocUnsafe(pieceBytes);
      filled = 0;
    }
  }
  if (filled > 0) yield piece.subarray(0, filled);
  return undefined;
}

async function* joined(
  known: readonly Uint8Array[],
  rest: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  yield* known;
  yield* rest;
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function storeWhole(
  context: ObjectContext,
  { described, sealing, finish }: FormFile,
  bytes: Uint8Array,
): Promise<Committed> {
  const { bucket, key, gateway } = context;
  const size = bytes.byteLength;
  const { storageClass } = described;
  const { inlineBytes: inlineBytesMax } = gateway.settings;
  const target = { bucket, key, size, storageClass, source: once(bytes), inlineBytesMax, sealing };
  const body = await writeBody(context, target);
  const version = { ...described, ...finish(), size };
  const condition = { condition: {}, header: "" };
  return commitObject(context, { version, body, condition, event: EVENT });
}

async function storeInParts(
  context: ObjectContext,
  file: FormFile,
  pieces: AsyncIterable<Uint8Array>,
): Promise<Committed> {
  const uploadId = await createUpload(context, file);
  try {
    const parts: NewPart[] = [];
    for await (const piece of pieces) {
      const part = await storePart(context, file, { uploadId, number: parts.length + 1, piece });
      parts.push(part);
    }
    return await completeUpload(context, file, parts);
  } catch (error) {
    // What cannot be aborted now is left to the cleaner of stale uploads.
    const { bucket, key } = context;
    const value = { bucketId: bucket.bucketId, key, uploadId };
    await executeAt(context, { bucket, key }, { case: "abortUpload", value }).catch((cause) =>
      context.log.warn("the upload of a form was not aborted", { cause }),
    );
    throw error;
  }
}

async function createUpload(
  context: ObjectContext,
  { described, sealing }: FormFile,
): Promise<Uint8Array> {
  const { bucket, key, gateway } = context;
  const { clock, random } = gateway.dependencies;
  const nowMs = clock.wallMs();
  const uploadId = newManifestId(nowMs, random);
  const upload = {
    uploadId,
    bucketId: bucket.bucketId,
    key,
    createdMs: BigInt(nowMs),
    touchedMs: BigInt(nowMs),
    headers: described.headers,
    storageClass: described.storageClass,
    ...described.beside,
    initiator: callerId(context.identity),
    ...(sealing === undefined ? {} : { encryption: sealing.encryption }),
    checksumAlgorithm: algorithmRecord(undefined),
    checksumType: typeRecord(undefined),
  };
  await executeAt(context, { bucket, key }, { case: "createUpload", value: { upload } });
  return uploadId;
}

async function storePart(
  context: ObjectContext,
  { described, sealing }: FormFile,
  { uploadId, number, piece }: { uploadId: Uint8Array; number: number; piece: Uint8Array },
): Promise<NewPart> {
  const { bucket, key } = context;
  const size = piece.byteLength;
  const { storageClass } = described;
  const source = once(piece);
  const target = { bucket, key, size, storageClass, source, inlineBytesMax: -1, sealing };
  const written = await writeBody(context, target);
  assert(written.kind === "manifest", "storePart: a part is never inline");
  const md5 = createHash("md5").update(piece).digest();
  const { manifest, seal } = written;
  const part = { uploadId, partNumber: number, size, md5, checksums: [], manifest, seal };
  await commitPart(context, part);
  return part;
}

async function completeUpload(
  context: ObjectContext,
  { described, sealing, finish }: FormFile,
  parts: readonly NewPart[],
): Promise<Committed> {
  const { bucket, key, gateway } = context;
  const { uploadId } = present(parts[0], "first part");
  const { etag, checksums } = finish();
  const size = parts.reduce((sum, part) => sum + part.size, 0);
  const reply = await executeAt(
    context,
    { bucket, key },
    {
      case: "completeUpload",
      value: {
        bucketId: bucket.bucketId,
        key,
        uploadId,
        parts: parts.map(({ partNumber, md5, manifest, seal, ...part }) => ({
          partNumber,
          size: BigInt(part.size),
          md5,
          manifestId: manifest.manifestId,
          ...(seal === undefined ? {} : { bodyNonce: seal.bodyNonce }),
        })),
        version: {
          size: BigInt(size),
          etag,
          headers: described.headers,
          checksums: checksums.map(toRecord),
          storageClass: described.storageClass,
          ...described.beside,
          ...(sealing === undefined ? {} : { encryption: sealing.encryption }),
          body: { case: "partListId", value: uploadId },
        },
        condition: {},
        event: EVENT,
        partsDigest: createHash("sha256").update(uploadId).digest(),
      },
    },
  );
  if (reply.kind.case !== "completeUpload") {
    throw new StoreError("internal", "a completion was answered by another reply");
  }
  const { versionId } = reply.kind.value;
  return { modifiedMs: gateway.dependencies.clock.wallMs(), versionId: versionIdText(versionId) };
}
