// Checksums of multipart objects without reading them again: the CRC of a whole from the CRCs and
// sizes of its parts, the composite checksum, and the entity tag. Combining multiplies polynomials
// over GF(2): crc(A B) = crc(A) * x^(8 * |B|) mod P, plus crc(B). Source: Mark Adler's
// crc32_combine method in zlib (as an idea); Amazon S3 user guide, "Checking object integrity",
// checksum types.
import { createHash } from "node:crypto";
import { assert, unreachable } from "../base/assert.ts";
import { toHex } from "../base/bytes.ts";
import { encodeBase64 } from "./base64.ts";
import { type ChecksumAlgorithm, type ChecksumFactory, digestBytes } from "./checksums.ts";

export type CrcAlgorithm = "CRC32" | "CRC32C" | "CRC64NVME";

interface Field {
  /** Reflected polynomial without its highest term. */
  readonly polynomial: bigint;
  /** The highest bit, which stands for x^0 in reflected form. */
  readonly one: bigint;
}

function fieldOf(algorithm: CrcAlgorithm): Field {
  switch (algorithm) {
    case "CRC32":
      return { polynomial: 0xedb88320n, one: 1n << 31n };
    case "CRC32C":
      return { polynomial: 0x82f63b78n, one: 1n << 31n };
    case "CRC64NVME":
      return { polynomial: 0x9a6c9329ac4bc9b5n, one: 1n << 63n };
    default:
      return unreachable(algorithm);
  }
}

/** a * b mod P, both in reflected form. */
function multiply(field: Field, a: bigint, b: bigint): bigint {
  let product = 0n;
  let factor = b;
  for (let bit = field.one; bit !== 0n; bit >>= 1n) {
    if ((a & bit) !== 0n) product ^= factor;
    factor = (factor & 1n) === 0n ? factor >> 1n : (factor >> 1n) ^ field.polynomial;
  }
  return product;
}

/** x^(8 * bytes) mod P by repeated squaring. */
function shiftOperator(field: Field, bytes: number): bigint {
  let result = field.one;
  // x^8 in reflected form.
  let power = field.one >> 8n;
  for (let rest = BigInt(bytes); rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) result = multiply(field, result, power);
    power = multiply(field, power, power);
  }
  return result;
}

function toBigint(digest: Uint8Array): bigint {
  return BigInt(`0x${toHex(digest)}`);
}

function toDigest(value: bigint, bytes: number): Uint8Array {
  return Buffer.from(value.toString(16).padStart(bytes * 2, "0"), "hex");
}

export function isCrcAlgorithm(algorithm: ChecksumAlgorithm): algorithm is CrcAlgorithm {
  return algorithm === "CRC32" || algorithm === "CRC32C" || algorithm === "CRC64NVME";
}

/** A part: its digest and its length. */
export interface PartDigest {
  readonly digest: Uint8Array;
  readonly bytes: number;
}

/**
 * The CRC of the concatenation of `parts` (at least one). Cost: one multiplication a part, and one
 * exponentiation for each distinct part size.
 */
export function fullObjectOfParts(
  algorithm: CrcAlgorithm,
  parts: readonly PartDigest[],
): Uint8Array {
  assert(parts.length > 0, "fullObjectOfParts: no parts");
  const width = digestBytes(algorithm);
  const field = fieldOf(algorithm);
  const operators = new Map<number, bigint>();
  let whole = 0n;
  for (const { digest, bytes } of parts) {
    assert(digest.byteLength === width, "fullObjectOfParts: digest of the wrong size");
    let operator = operators.get(bytes);
    if (operator === undefined) {
      operator = shiftOperator(field, bytes);
      operators.set(bytes, operator);
    }
    whole = multiply(field, operator, whole) ^ toBigint(digest);
  }
  return toDigest(whole, width);
}

/** The digest of the digests of all parts in order, without its `-N`. */
export function compositeOfParts(
  factory: ChecksumFactory,
  algorithm: ChecksumAlgorithm,
  digests: readonly Uint8Array[],
): Uint8Array {
  const hasher = factory.create(algorithm);
  for (const digest of digests) hasher.update(digest);
  return hasher.digest();
}

/** A checksum as headers and documents carry it: base64, with `-N` for a composite of N parts. */
export function checksumText(digest: Uint8Array, partCount: number | undefined): string {
  const text = encodeBase64(digest);
  return partCount === undefined ? text : `${text}-${partCount}`;
}

/** Entity tag of a multipart object, unquoted: hex MD5 of the MD5s of its parts, and `-N`. */
export function multipartEtag(md5s: readonly Uint8Array[]): string {
  assert(md5s.length > 0, "multipartEtag: no parts");
  const hash = createHash("md5");
  for (const md5 of md5s) hash.update(md5);
  return `${hash.digest("hex")}-${md5s.length}`;
}
