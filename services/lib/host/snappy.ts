// Decompresses Snappy's raw format (google/snappy, format_description.txt), which LevelDB uses for
// blocks. Only the small index blocks of a table are ever read this way, so plainness beats speed.
import { StoreError } from "../base/errors.ts";
import { ByteReader } from "./byte-reader.ts";

const TAG_LITERAL = 0;
const TAG_COPY_1 = 1;
const TAG_COPY_2 = 2;

/** Throws StoreError "corrupt" on malformed input or output over `bytesMax`. */
export function decompressSnappy(input: Uint8Array, bytesMax: number): Uint8Array {
  const reader = new ByteReader(input);
  const length = reader.varint();
  if (length > bytesMax) throw new StoreError("corrupt", "snappy: block too large");
  const output = new Uint8Array(length);
  let filled = 0;
  while (reader.left > 0) {
    const tag = reader.byte();
    if ((tag & 3) === TAG_LITERAL) {
      const literal = reader.take(literalLength(tag, reader));
      if (filled + literal.byteLength > length) throw overflow();
      output.set(literal, filled);
      filled += literal.byteLength;
    } else {
      const copy = readCopy(tag, reader);
      if (copy.offset === 0 || copy.offset > filled) {
        throw new StoreError("corrupt", "snappy: copy from before the start");
      }
      if (filled + copy.length > length) throw overflow();
      // Source and target may overlap, which repeats the pattern: byte by byte on purpose.
      for (let index = 0; index < copy.length; index += 1, filled += 1) {
        output[filled] = output[filled - copy.offset] ?? 0;
      }
    }
  }
  if (filled !== length) throw new StoreError("corrupt", "snappy: block too short");
  return output;
}

function literalLength(tag: number, reader: ByteReader): number {
  const code = tag >>> 2;
  if (code < 60) return code + 1;
  return littleEndian(reader.take(code - 59)) + 1;
}

function readCopy(tag: number, reader: ByteReader): { offset: number; length: number } {
  if ((tag & 3) === TAG_COPY_1) {
    const offset = ((tag >>> 5) << 8) | reader.byte();
    return { offset, length: ((tag >>> 2) & 7) + 4 };
  }
  const width = (tag & 3) === TAG_COPY_2 ? 2 : 4;
  return { offset: littleEndian(reader.take(width)), length: (tag >>> 2) + 1 };
}

function littleEndian(bytes: Uint8Array): number {
  return bytes.reduceRight((value, byte) => value * 256 + byte, 0);
}

function overflow(): StoreError {
  return new StoreError("corrupt", "snappy: more data than announced");
}
