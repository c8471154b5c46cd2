// Walks over an encoded protobuf message field by field, without making an object of it: for the
// few places that look at some fields of very many messages. Knows the wire format and no schema.
// Source: protobuf.dev, "Encoding". Everything that is not well formed throws "corrupt".
import { asBuffer } from "./bytes.ts";
import { StoreError } from "./errors.ts";

const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;
const VARINT_BYTES_MAX = 10;
const SEVEN_BITS = 128;

/** Stands on a field after each `next`; its value must be read or skipped before the next one. */
export class WireReader {
  readonly #bytes: Buffer;
  readonly #end: number;
  #at: number;
  #field = 0;
  #type = 0;
  #fieldStart = 0;

  /** Over bytes `start` to `end` of `bytes`. */
  constructor(bytes: Uint8Array, start = 0, end = bytes.byteLength) {
    this.#bytes = asBuffer(bytes);
    this.#at = start;
    this.#end = end;
  }

  /** Where the next byte is taken from; counted from the start of what the reader was given. */
  get at(): number {
    return this.#at;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#end;
  }

  /** Number of the field that it stands on. */
  get field(): number {
    return this.#field;
  }

  /** Where that field began, its tag included. */
  get fieldStart(): number {
    return this.#fieldStart;
  }

  /** Goes to the next field; false at the end. */
  next(): boolean {
    if (this.isAtEnd) return false;
    this.#fieldStart = this.#at;
    const tag = this.varint();
    this.#type = tag % 8;
    this.#field = (tag - this.#type) / 8;
    if (this.#field === 0) throw malformed("a field without a number");
    return true;
  }

  /** A number below 2^53: also the length before a message that stands by itself. */
  varint(): number {
    let value = 0;
    let factor = 1;
    for (let count = 0; count < VARINT_BYTES_MAX; count += 1) {
      if (this.isAtEnd) throw malformed("it ends within a number");
      const byte = this.#bytes[this.#at] ?? 0;
      this.#at += 1;
      value += (byte % SEVEN_BITS) * factor;
      if (byte < SEVEN_BITS) {
        if (Number.isSafeInteger(value)) return value;
        break;
      }
      factor *= SEVEN_BITS;
    }
    throw malformed("a number is too large");
  }

  /** The value of a field that is a number. */
  number(): number {
    this.#expect(WIRE.varint);
    return this.varint();
  }

  /** The value of a field of bytes or of a message: a view. */
  bytes(): Uint8Array {
    const { start, end } = this.#span();
    return this.#bytes.subarray(start, end);
  }

  /** The value of a field that is text. */
  text(): string {
    const { start, end } = this.#span();
    return this.#bytes.toString("utf8", start, end);
  }

  /** A reader of the message that is the field's value. */
  message(): WireReader {
    const { start, end } = this.#span();
    return new WireReader(this.#bytes, start, end);
  }

  /** Goes behind the value. */
  skip(): void {
    switch (this.#type) {
      case WIRE.varint:
        this.#skipVarint();
        break;
      case WIRE.bytes:
        this.#span();
        break;
      case WIRE.fixed64:
        this.#forward(8);
        break;
      case WIRE.fixed32:
        this.#forward(4);
        break;
      default:
        throw malformed("an unknown kind of value");
    }
  }

  /** A reader of the next message, which stands behind its length and is no field. */
  delimited(): WireReader {
    const length = this.varint();
    const start = this.#at;
    this.#forward(length);
    return new WireReader(this.#bytes, start, this.#at);
  }

  #span(): { readonly start: number; readonly end: number } {
    this.#expect(WIRE.bytes);
    const length = this.varint();
    const start = this.#at;
    this.#forward(length);
    return { start, end: this.#at };
  }

  /** Also one of 64 bits, which `varint` refuses. */
  #skipVarint(): void {
    for (let count = 0; count < VARINT_BYTES_MAX; count += 1) {
      this.#forward(1);
      if ((this.#bytes[this.#at - 1] ?? 0) < SEVEN_BITS) return;
    }
    throw malformed("a number is too long");
  }

  #forward(count: number): void {
    if (this.#at + count > this.#end) throw malformed("it ends within a value");
    this.#at += count;
  }

  #expect(type: number): void {
    if (this.#type !== type) throw malformed(`field ${this.#field} is of another kind`);
  }
}

function malformed(what: string): StoreError {
  return new StoreError("corrupt", `an encoded message: ${what}`);
}
