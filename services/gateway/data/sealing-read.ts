// Reads sealed objects: checks the key that a client must bring, and opens the bytes of a range out
// of the blocks that hold it. Every byte that leaves was authenticated; the parts of a multipart
// object are sealed each for itself.
import { assert, present } from "../../lib/base/assert.ts";
import { toHex, toSafeNumber } from "../../lib/base/bytes.ts";
import { StoreError } from "../../lib/base/errors.ts";
import {
  type Encryption,
  Encryption_Kind,
  type Manifest,
} from "../../lib/gen/dolium/record/v1/object_pb.ts";
import { parseClientKey } from "../../lib/s3/encryption-headers.ts";
import { S3Error } from "../../lib/s3/errors.ts";
import { type ByteSpan, sealedSpan } from "../../lib/seal/blocks.ts";
import { BODY_NONCE_BYTES, bodyKey } from "../../lib/seal/key-derivation.ts";
import { openBody } from "../../lib/seal/open-body.ts";
import type { ServiceContext } from "../operation.ts";
import type { StoredObject } from "./object-reader.ts";
import { clientDataKey, managedDataKey } from "./sealing.ts";

/**
 * The object, and with it the data key where the client's key opened it. `whose` headers bring the
 * key: those of the object that is read, or of the source of a copy. Throws InvalidArgument,
 * InvalidEncryptionAlgorithmError, InvalidRequest (no key, or one that is not wanted), AccessDenied
 * (another key).
 */
export function withClientKey(
  context: ServiceContext,
  found: StoredObject,
  whose: "source" | "target",
): StoredObject {
  const clientKey = parseClientKey(context.request.headers, whose);
  const { encryption } = found.version;
  if (encryption?.kind !== Encryption_Kind.SSE_C) {
    if (clientKey === undefined) return found;
    throw new S3Error(
      "InvalidRequest",
      "The encryption parameters are not applicable to this object.",
    );
  }
  if (clientKey === undefined) {
    throw new S3Error(
      "InvalidRequest",
      "The object was stored using a form of Server Side Encryption. The correct parameters must " +
        "be provided to retrieve the object.",
    );
  }
  const { bucketId } = found.place.bucket;
  const dataKey = clientDataKey(context, bucketId, { encryption, clientKey });
  if (dataKey === undefined) throw new S3Error("AccessDenied");
  return { ...found, dataKey };
}

/** One body of an object: the whole, or a part. */
interface SealedPiece {
  /** Of its first plain byte in the object. */
  readonly offset: number;
  readonly size: number;
  readonly bodyNonce: Uint8Array;
  /** The sealed bytes `span`, both ends included. */
  readonly read: (span: ByteSpan) => AsyncIterable<Uint8Array>;
}

/** Plain bytes `range` of a sealed object. Throws StoreError, "corrupt" for what does not open. */
export async function* sealedObjectBytes(
  context: ServiceContext,
  found: StoredObject,
  range: ByteSpan,
): AsyncGenerator<Uint8Array, void, undefined> {
  const dataKey = await dataKeyOf(context, found);
  let at = range.first;
  for (const piece of piecesOf(context, found)) {
    const last = Math.min(range.last - piece.offset, piece.size - 1);
    const first = at - piece.offset;
    if (first < 0 || first > last) continue;
    if (piece.bodyNonce.byteLength !== BODY_NONCE_BYTES) {
      throw new StoreError("corrupt", "a sealed body without its nonce");
    }
    const span = { first, last };
    const opening = { key: bodyKey(dataKey, piece.bodyNonce), size: piece.size, span };
    yield* openBody(piece.read(sealedSpan(span, piece.size)), opening);
    at = piece.offset + last + 1;
  }
  assert(at === range.last + 1, "sealedObjectBytes: the parts do not cover the range");
}

async function dataKeyOf(context: ServiceContext, found: StoredObject): Promise<Uint8Array> {
  if (found.dataKey !== undefined) return found.dataKey;
  const encryption: Encryption = present(found.version.encryption, "encryption of the object");
  // Without its client's key nobody gets as far as the bytes.
  assert(encryption.kind !== Encryption_Kind.SSE_C, "dataKeyOf: the client's key was not checked");
  return managedDataKey(context, found.place.bucket.bucketId, encryption);
}

function* piecesOf(context: ServiceContext, found: StoredObject): Generator<SealedPiece> {
  const { version, size, manifests, parts } = found;
  const { body, bodyNonce } = version;
  if (body.case === "inline") {
    const bytes = body.value;
    yield { offset: 0, size, bodyNonce, read: (span) => inlineBytes(bytes, span) };
    return;
  }
  const byId = new Map(manifests.map(({ manifest }) => [toHex(manifest.manifestId), manifest]));
  if (body.case === "manifestId") {
    const manifest = present(byId.get(toHex(body.value)), "manifest of the object");
    yield { offset: 0, size, bodyNonce, read: reading(context, found, manifest) };
    return;
  }
  let offset = 0;
  for (const part of parts) {
    const partSize = toSafeNumber(part.size);
    const manifest = byId.get(toHex(part.manifestId));
    // Those outside the range that was asked for were not fetched.
    if (manifest !== undefined) {
      const read = reading(context, found, manifest);
      yield { offset, size: partSize, bodyNonce: part.bodyNonce, read };
    }
    offset += partSize;
  }
}

async function* inlineBytes(
  bytes: Uint8Array,
  { first, last }: ByteSpan,
): AsyncGenerator<Uint8Array> {
  yield bytes.subarray(first, last + 1);
}

function reading(
  context: ServiceContext,
  found: StoredObject,
  manifest: Manifest,
): (span: ByteSpan) => AsyncIterable<Uint8Array> {
  return ({ first, last }) =>
    context.gateway.dependencies.reader.read({
      bucketId: found.place.bucket.bucketId,
      manifests: [{ manifest, offset: 0 }],
      firstByte: first,
      lastByte: last,
      signal: context.signal,
    });
}
