// ErasureCompute over the WebAssembly kernel: encodes and rebuilds stripes whose cells lie in
// ordinary memory, by copying them through the kernel's memory block by block. Deterministic, no
// I/O. Each instance owns half a MiB that never grows; calls are synchronous, so one instance
// serves a thread.
import { assert, present } from "../base/assert.ts";
import { StoreError } from "../base/errors.ts";
import { DATA_SHARDS_MAX, PARITY_SHARDS_MAX } from "../base/limits.ts";
import type { ErasureCompute } from "../ports/compute.ts";
import { codingMatrix, decodingMatrix, type Matrix, multiplyBytes } from "./matrix.ts";
import { type Multiply, startKernel } from "./wasm/kernel.ts";

/** Bytes of a cell that pass through the kernel at once: 4+2 rows of it stay in a level 2 cache. */
const BLOCK_BYTES = 16 * 1024;
/**
 * Rows are one cache line more than a block apart, so that they do not fall on the same cache sets.
 */
const ROW_STRIDE = BLOCK_BYTES + 64;
const STEP_BYTES = 32;
const TABLE_BYTES = 32;
const ROWS_MAX = DATA_SHARDS_MAX + PARITY_SHARDS_MAX;
/** Coefficient tables of one product: at most m rows wanted of k known. */
const TABLES_BYTES = PARITY_SHARDS_MAX * DATA_SHARDS_MAX * TABLE_BYTES;
const ROWS_OFFSET = TABLES_BYTES;
/** Loss patterns whose tables are kept; a body repeats one pattern over all its stripes. */
const PATTERNS_MAX = 256;

/** Tables of one matrix product, ready to be copied into the kernel. */
interface Tables {
  readonly inputs: number;
  readonly outputs: number;
  readonly bytes: Uint8Array;
}

/**
 * Compiles the kernel (about a millisecond) and returns an encoder.
 * Throws StoreError "internal" when the embedded kernel does not match its checksum.
 */
export function createErasureCompute(): ErasureCompute {
  return new KernelCompute();
}

class KernelCompute implements ErasureCompute {
  readonly #multiply: Multiply;
  readonly #memory: Uint8Array;
  readonly #coding = new Map<string, Matrix>();
  readonly #patterns = new Map<string, Tables>();
  #loaded: Tables | undefined;

  constructor() {
    const { multiply, memory } = startKernel();
    assert(
      ROWS_OFFSET + ROWS_MAX * ROW_STRIDE <= memory.byteLength,
      "the kernel's memory holds the tables and every row",
    );
    this.#multiply = multiply;
    this.#memory = memory;
  }

  encode(data: readonly Uint8Array[], parity: readonly Uint8Array[]): void {
    const k = data.length;
    const m = parity.length;
    assert(k >= 1 && k <= DATA_SHARDS_MAX, `encode: ${k} data cells`);
    assert(m <= PARITY_SHARDS_MAX, `encode: ${m} parity cells`);
    checkLengths([...data, ...parity], "encode");
    if (m === 0) return;
    const first = present(data[0], "data cell");
    if (k === 1) {
      for (const copy of parity) copy.set(first);
      return;
    }
    const tables = this.#patternTables(`${k}+${m}`, () => this.#codingMatrix(k, m).slice(k));
    this.#apply(tables, data, parity);
  }

  reconstruct(
    shards: readonly (Uint8Array | undefined)[],
    scheme: { readonly k: number; readonly m: number },
    wanted: readonly number[],
  ): Uint8Array[] {
    const { k, m } = scheme;
    assert(k >= 1 && k <= DATA_SHARDS_MAX, `reconstruct: k is ${k}`);
    assert(m >= 0 && m <= PARITY_SHARDS_MAX, `reconstruct: m is ${m}`);
    assert(shards.length === k + m, `reconstruct: ${shards.length} entries for ${k}+${m}`);
    assert(
      wanted.every((index) => Number.isInteger(index) && index >= 0 && index < k + m),
      "reconstruct: a wanted shard is out of range",
    );
    const known = [...shards.keys()].filter((index) => shards[index] !== undefined).slice(0, k);
    if (known.length < k) {
      const message = `${known.length} of ${k + m} shards are known, ${k} are needed`;
      throw new StoreError("corrupt", message);
    }
    checkLengths(
      shards.filter((shard) => shard !== undefined),
      "reconstruct",
    );
    const missing = [...new Set(wanted)].filter((index) => shards[index] === undefined);
    const rebuilt = this.#rebuild({ shards, k, m, known, missing });
    return wanted.map((index) => {
      const shard = shards[index];
      if (shard !== undefined) return new Uint8Array(shard);
      return present(rebuilt.get(index), "rebuilt shard");
    });
  }

  /** The `missing` shards from the `known` ones (k of them), newly allocated, by number. */
  #rebuild(loss: {
    readonly shards: readonly (Uint8Array | undefined)[];
    readonly k: number;
    readonly m: number;
    readonly known: readonly number[];
    readonly missing: readonly number[];
  }): Map<number, Uint8Array> {
    const { shards, k, m, known, missing } = loss;
    const inputs = known.map((index) => present(shards[index], "known shard"));
    const length = present(inputs[0], "known shard").byteLength;
    const outputs = missing.map(() => new Uint8Array(length));
    assert(missing.length <= m, "no more than m shards are missing");
    if (missing.length > 0) {
      const pattern = `${k}+${m} ${known.join()} ${missing.join()}`;
      const tables = this.#patternTables(pattern, () =>
        decodingMatrix(this.#codingMatrix(k, m), known, missing),
      );
      this.#apply(tables, inputs, outputs);
    }
    return new Map(missing.map((index, at) => [index, present(outputs[at], "output")]));
  }

  /** outputs = matrix * inputs, through the kernel's memory, BLOCK_BYTES of every row at a time. */
  #apply(tables: Tables, inputs: readonly Uint8Array[], outputs: readonly Uint8Array[]): void {
    assert(inputs.length === tables.inputs, "rows in match the tables");
    assert(outputs.length === tables.outputs, "rows out match the tables");
    const memory = this.#memory;
    if (this.#loaded !== tables) {
      memory.set(tables.bytes, 0);
      this.#loaded = tables;
    }
    const outputOffset = ROWS_OFFSET + inputs.length * ROW_STRIDE;
    const total = present(inputs[0], "input").byteLength;
    for (let from = 0; from < total; from += BLOCK_BYTES) {
      const length = Math.min(BLOCK_BYTES, total - from);
      let at = ROWS_OFFSET;
      for (const row of inputs) {
        memory.set(length === total ? row : row.subarray(from, from + length), at);
        at += ROW_STRIDE;
      }
      // Bytes past `length` are whatever lay there before: they give bytes that nobody copies out.
      const steps = Math.ceil(length / STEP_BYTES) * STEP_BYTES;
      this.#multiply(
        0,
        ROWS_OFFSET,
        inputs.length,
        outputOffset,
        outputs.length,
        ROW_STRIDE,
        steps,
      );
      at = outputOffset;
      for (const row of outputs) {
        row.set(memory.subarray(at, at + length), from);
        at += ROW_STRIDE;
      }
    }
  }

  #codingMatrix(k: number, m: number): Matrix {
    const name = `${k}+${m}`;
    const cached = this.#coding.get(name);
    if (cached !== undefined) return cached;
    const matrix = codingMatrix(k, m);
    this.#coding.set(name, matrix);
    return matrix;
  }

  /**
   * Tables of the matrix that `make` gives, kept under `pattern`; the one longest unused is
   * dropped.
   */
  #patternTables(pattern: string, make: () => Matrix): Tables {
    const cached = this.#patterns.get(pattern);
    const tables = cached ?? tablesOf(make());
    if (cached !== undefined) this.#patterns.delete(pattern);
    this.#patterns.set(pattern, tables);
    if (this.#patterns.size > PATTERNS_MAX) {
      const oldest = this.#patterns.keys().next();
      if (oldest.done !== true) this.#patterns.delete(oldest.value);
    }
    return tables;
  }
}

function tablesOf(matrix: Matrix): Tables {
  const inputs = present(matrix[0], "matrix row").length;
  const bytes = new Uint8Array(matrix.length * inputs * TABLE_BYTES);
  assert(bytes.byteLength <= TABLES_BYTES, "the tables fit their place");
  let at = 0;
  for (const row of matrix) {
    for (const factor of row) {
      for (let nibble = 0; nibble < 16; nibble += 1) {
        bytes[at + nibble] = multiplyBytes(factor, nibble);
        bytes[at + 16 + nibble] = multiplyBytes(factor, nibble << 4);
      }
      at += TABLE_BYTES;
    }
  }
  return { inputs, outputs: matrix.length, bytes };
}

function checkLengths(cells: readonly Uint8Array[], what: string): void {
  const length = present(cells[0], "cell").byteLength;
  assert(
    cells.every((cell) => cell.byteLength === length),
    `${what}: the cells of a stripe are equally long`,
  );
}
