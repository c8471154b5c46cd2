// Reads the little-endian fields and varints of LevelDB's files and of Snappy. Every read past the
// end or out of range throws StoreError "corrupt": the bytes come from a disk.
import { toSafeNumber } from "../base/bytes.ts";
import { StoreError } from "../base/errors.ts";

const VARINT_BYTES_MAX = 10;

export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #position = 0;

  /** `bytes` is borrowed; results of `take` are views of it. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get position(): number {
    return this.#position;
  }

  get left(): number {
    return this.#bytes.byteLength - this.#position;
  }

  take(count: number): Uint8Array {
    const start = this.#advance(count);
    return this.#bytes.subarray(start, start + count);
  }

  byte(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  uint32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  uint64(): bigint {
    return this.#view.getBigUint64(this.#advance(8), true);
  }

  /** A varint of up to 64 bits that fits a safe integer. */
  varint(): number {
    let value = 0n;
    for (let index = 0; index < VARINT_BYTES_MAX; index += 1) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << BigInt(7 * index);
      if (byte >= 0x80) continue;
      // Writers use the shortest form; a longer one is a flipped bit that left the value alone.
      if (byte === 0 && index > 0) throw new StoreError("corrupt", "a number is too long");
      return this.#safe(value);
    }
    throw new StoreError("corrupt", "a variable-length number does not end");
  }

  /** Bytes behind a varint of their count. */
  prefixed(): Uint8Array {
    return this.take(this.varint());
  }

  #safe(value: bigint): number {
    try {
      return toSafeNumber(value);
    } catch (error) {
      throw new StoreError("corrupt", "a number is out of range", { cause: error });
    }
  }

  #advance(count: number): number {
    const start = this.#position;
    if (count > this.#bytes.byteLength - start) {
      throw new StoreError("corrupt", "a field reaches past its end");
    }
    this.#position = start + count;
    return start;
  }
}
