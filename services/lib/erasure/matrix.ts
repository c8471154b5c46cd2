// Arithmetic in GF(2^8) (polynomial 0x11d, generator 2) and the coding matrix of a scheme. The
// matrix is the one of Backblaze's JavaReedSolomon and klauspost/reedsolomon: a Vandermonde matrix
// row^column, multiplied by the inverse of its top square, so that data shards are the data itself
// and any k rows can be inverted. Shards on disk depend on it: it never changes.
import { assert, present } from "../base/assert.ts";
import { StoreError } from "../base/errors.ts";
import { DATA_SHARDS_MAX, PARITY_SHARDS_MAX } from "../base/limits.ts";

/** Rows of coefficients, each 0..255. */
export type Matrix = readonly Uint8Array[];

const FIELD_POLYNOMIAL = 0x11d;
const EXPONENTS = new Uint8Array(510);
const LOGARITHMS = new Uint8Array(256);

for (let power = 0, value = 1; power < 255; power += 1) {
  EXPONENTS[power] = value;
  EXPONENTS[power + 255] = value;
  LOGARITHMS[value] = power;
  value <<= 1;
  if (value > 255) value ^= FIELD_POLYNOMIAL;
}

function logarithm(value: number): number {
  return LOGARITHMS[value] ?? 0;
}

/** The product of two field elements. */
export function multiplyBytes(a: number, b: number): number {
  if (a === 0 || b === 0) return 0;
  return EXPONENTS[logarithm(a) + logarithm(b)] ?? 0;
}

function inverseByte(value: number): number {
  assert(value !== 0, "zero has no inverse");
  return EXPONENTS[255 - logarithm(value)] ?? 0;
}

/** `base` to the `exponent`; 0 to the 0 is 1, as the Vandermonde matrix needs it. */
function powerByte(base: number, exponent: number): number {
  if (exponent === 0) return 1;
  if (base === 0) return 0;
  return EXPONENTS[(logarithm(base) * exponent) % 255] ?? 0;
}

function rowOf(matrix: Matrix, index: number): Uint8Array {
  return present(matrix[index], "matrix row");
}

/** `left` (a rows of b) times `right` (b rows of c). */
export function multiplyMatrices(left: Matrix, right: Matrix): Uint8Array[] {
  const columns = rowOf(right, 0).length;
  return left.map((row) => {
    assert(row.length === right.length, "matrices do not fit");
    const product = new Uint8Array(columns);
    row.forEach((factor, index) => {
      addScaled(product, rowOf(right, index), factor);
    });
    return product;
  });
}

/** target += factor * source, in place. */
function addScaled(target: Uint8Array, source: Uint8Array, factor: number): void {
  if (factor === 0) return;
  for (let index = 0; index < target.length; index += 1) {
    target[index] = (target[index] ?? 0) ^ multiplyBytes(factor, source[index] ?? 0);
  }
}

/**
 * The inverse of a square matrix, by Gauss-Jordan. Throws StoreError "internal" when there is none.
 */
export function invertMatrix(matrix: Matrix): Uint8Array[] {
  const size = matrix.length;
  const work: Uint8Array[] = matrix.map((row, index) => {
    assert(row.length === size, "only a square matrix has an inverse");
    const wide = new Uint8Array(2 * size);
    wide.set(row);
    wide[size + index] = 1;
    return wide;
  });
  for (let column = 0; column < size; column += 1) {
    const pivot = work.findIndex((row, index) => index >= column && row[column] !== 0);
    if (pivot < 0) throw new StoreError("internal", "a coding matrix is singular");
    const pivotRow = rowOf(work, pivot);
    work[pivot] = rowOf(work, column);
    work[column] = pivotRow;
    const scale = inverseByte(pivotRow[column] ?? 0);
    for (let at = 0; at < 2 * size; at += 1) {
      pivotRow[at] = multiplyBytes(scale, pivotRow[at] ?? 0);
    }
    work.forEach((row, index) => {
      if (index !== column) addScaled(row, pivotRow, row[column] ?? 0);
    });
  }
  return work.map((row) => row.slice(size));
}

/**
 * The k+m rows of k coefficients: the first k are the identity, row k+i makes parity shard i.
 * With k = 1 every row is 1: replication.
 */
export function codingMatrix(k: number, m: number): Uint8Array[] {
  assert(k >= 1 && k <= DATA_SHARDS_MAX, `codingMatrix: k is ${k}`);
  assert(m >= 0 && m <= PARITY_SHARDS_MAX, `codingMatrix: m is ${m}`);
  const vandermonde = Array.from({ length: k + m }, (_, row) =>
    Uint8Array.from({ length: k }, (_unused, column) => powerByte(row, column)),
  );
  return multiplyMatrices(vandermonde, invertMatrix(vandermonde.slice(0, k)));
}

/**
 * Rows that turn the shards numbered `known` (k of them, in that order) into those numbered
 * `wanted`. `coding`: from codingMatrix.
 */
export function decodingMatrix(
  coding: Matrix,
  known: readonly number[],
  wanted: readonly number[],
): Uint8Array[] {
  assert(known.length === rowOf(coding, 0).length, "decodingMatrix: k shards must be known");
  const dataFromKnown = invertMatrix(known.map((index) => rowOf(coding, index)));
  return multiplyMatrices(
    wanted.map((index) => rowOf(coding, index)),
    dataFromKnown,
  );
}
