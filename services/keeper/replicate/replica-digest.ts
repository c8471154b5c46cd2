// How a destination knows that a body arrived as it was: by a digest that the version has anyway,
// or, where it has none that speaks of the plain bytes, by a CRC-32 that follows the body as a
// trailer. Source: Amazon S3 user guide, "Checking object integrity"; "Signature calculations for
// trailing headers".
import { crc32 } from "node:zlib";
import { asBuffer } from "../../lib/base/bytes.ts";
import {
  type Checksum,
  ChecksumAlgorithm,
  ChecksumType,
} from "../../lib/gen/dolium/record/v1/object_pb.ts";
import type { HeaderField } from "../../lib/s3/headers.ts";
import { type S3Body, streamedBody } from "./s3-endpoint.ts";

/** Names in headers and documents. */
const NAMES: ReadonlyMap<ChecksumAlgorithm, string> = new Map([
  [ChecksumAlgorithm.CRC32, "CRC32"],
  [ChecksumAlgorithm.CRC32C, "CRC32C"],
  [ChecksumAlgorithm.CRC64NVME, "CRC64NVME"],
  [ChecksumAlgorithm.SHA1, "SHA1"],
  [ChecksumAlgorithm.SHA256, "SHA256"],
]);

const PIECE_BYTES = 64 * 1024;
const TRAILER = "x-amz-checksum-crc32";
const TRAILING = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

/** The algorithm's name; undefined for one that other stores need not know. */
export function algorithmName(algorithm: ChecksumAlgorithm): string | undefined {
  return NAMES.get(algorithm);
}

export function base64Of(bytes: Uint8Array): string {
  return asBuffer(bytes).toString("base64");
}

export interface KnownDigests {
  readonly checksums: readonly Checksum[];
  /** 16 bytes of the plain body; undefined when it is not known. */
  readonly md5: Uint8Array | undefined;
}

export interface DigestedBody {
  readonly body: S3Body;
  /** It is in aws-chunked: its Content-Encoding must say so. */
  readonly isFramed: boolean;
  readonly headers: readonly HeaderField[];
}

/** The body with what vouches for it. */
export function digestedBody(
  size: number,
  source: AsyncIterable<Uint8Array>,
  { checksums, md5 }: KnownDigests,
): DigestedBody {
  const headers: HeaderField[] = md5 === undefined ? [] : [["Content-MD5", base64Of(md5)]];
  // One checksum a request is all that S3 takes.
  const checksum = checksums.find(
    ({ algorithm, type }) => type !== ChecksumType.COMPOSITE && algorithmName(algorithm),
  );
  if (checksum !== undefined) headers.push(checksumHeader(checksum));
  if (headers.length > 0) return { body: streamedBody(size, source), isFramed: false, headers };
  const framed = { size: framedSize(size), source: framedPieces(source), payloadHash: TRAILING };
  return {
    body: framed,
    isFramed: true,
    headers: [
      ["x-amz-decoded-content-length", String(size)],
      ["x-amz-trailer", TRAILER],
    ],
  };
}

/** Of an algorithm that has a name. */
export function checksumHeader({ algorithm, value }: Checksum): HeaderField {
  const name = algorithmName(algorithm) ?? "";
  return [`x-amz-checksum-${name.toLowerCase()}`, base64Of(value)];
}

function frameHead(size: number): string {
  return `${size.toString(16)}\r\n`;
}

/** Bytes of a framed body of `size`: full pieces, the rest, the end and the trailer. */
export function framedSize(size: number): number {
  const rest = size % PIECE_BYTES;
  const pieces = (size - rest) / PIECE_BYTES;
  const piece = frameHead(PIECE_BYTES).length + PIECE_BYTES + 2;
  const last = rest === 0 ? 0 : frameHead(rest).length + rest + 2;
  // A CRC-32 in base64 has eight characters.
  return pieces * piece + last + `0\r\n${TRAILER}:`.length + 8 + 4;
}

async function* framedPieces(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let crc = 0;
  let held: Buffer = Buffer.alloc(0);
  for await (const view of source) {
    crc = crc32(view, crc);
    held = held.byteLength === 0 ? asBuffer(view) : Buffer.concat([held, view]);
    while (held.byteLength >= PIECE_BYTES) {
      yield framed(held.subarray(0, PIECE_BYTES));
      held = held.subarray(PIECE_BYTES);
    }
  }
  if (held.byteLength > 0) yield framed(held);
  const digest = Buffer.alloc(4);
  digest.writeUInt32BE(crc, 0);
  yield Buffer.from(`0\r\n${TRAILER}:${digest.toString("base64")}\r\n\r\n`);
}

function framed(piece: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(frameHead(piece.byteLength)), piece, Buffer.from("\r\n")]);
}
