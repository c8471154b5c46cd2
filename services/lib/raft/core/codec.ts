// Arguments and results of the WebAssembly core: the counterpart of src/codec.rs. Little endian,
// lists with a 32-bit count, byte strings with a 32-bit length, ids and indexes as 64-bit floats
// that hold integers below 2^53. Both sides are of one build, so nothing is versioned.
import { assert } from "../../base/assert.ts";
import type { ConfState, RaftEntry } from "../core.ts";

const START_BYTES = 4096;
/** A larger buffer is given back after its call. */
const KEPT_BYTES = 1024 * 1024;
const COUNT_MAX = 0xffff_ffff;

export class ArgumentWriter {
  #bytes = new Uint8Array(START_BYTES);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Starts over; returns itself. */
  begin(): this {
    if (this.#bytes.byteLength > KEPT_BYTES) this.#replace(new Uint8Array(START_BYTES));
    this.#length = 0;
    return this;
  }

  copyTo(target: Uint8Array): void {
    target.set(this.#bytes.subarray(0, this.#length));
  }

  #replace(bytes: Uint8Array<ArrayBuffer>): void {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }

  /**
   * Makes room for `count` bytes and returns where they start. This may replace buffer and view:
   * call it in a statement of its own, before either is looked at.
   */
  #advance(count: number): number {
    const at = this.#length;
    const needed = at + count;
    if (needed > this.#bytes.byteLength) {
      const larger = new Uint8Array(Math.max(needed, 2 * this.#bytes.byteLength));
      larger.set(this.#bytes.subarray(0, at));
      this.#replace(larger);
    }
    this.#length = needed;
    return at;
  }

  byte(value: number): void {
    const at = this.#advance(1);
    this.#view.setUint8(at, value);
  }

  flag(value: boolean): void {
    this.byte(value ? 1 : 0);
  }

  count(value: number): void {
    assert(Number.isInteger(value) && value >= 0 && value <= COUNT_MAX, `not a count: ${value}`);
    const at = this.#advance(4);
    this.#view.setUint32(at, value, true);
  }

  /** Any safe integer; `integer` is for what must not be negative. */
  signed(value: number): void {
    assert(Number.isSafeInteger(value), `not an integer: ${value}`);
    const at = this.#advance(8);
    this.#view.setFloat64(at, value, true);
  }

  integer(value: number): void {
    assert(value >= 0, `not an id, index or term: ${value}`);
    this.signed(value);
  }

  integers(values: readonly number[]): void {
    this.count(values.length);
    for (const value of values) this.integer(value);
  }

  blob(value: Uint8Array): void {
    this.count(value.byteLength);
    const at = this.#advance(value.byteLength);
    this.#bytes.set(value, at);
  }

  confState(state: ConfState): void {
    this.integers(state.voters);
    this.integers(state.learners);
    this.integers(state.votersOutgoing);
    this.integers(state.learnersNext);
    this.flag(state.autoLeave);
  }

  entries(entries: readonly RaftEntry[]): void {
    this.count(entries.length);
    for (const entry of entries) {
      this.integer(entry.index);
      this.integer(entry.term);
      this.flag(entry.kind === "members");
      this.blob(entry.data);
    }
  }
}

export class ResultReader {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  #at = 0;

  /** `bytes` is taken over: blobs are views of it. */
  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get empty(): boolean {
    return this.#bytes.byteLength === 0;
  }

  /** Asserts that everything was read. */
  end(): void {
    assert(this.#at === this.#bytes.byteLength, "a result of the core was not read to its end");
  }

  #skip(count: number): number {
    const at = this.#at;
    this.#at += count;
    return at;
  }

  byte(): number {
    return this.#view.getUint8(this.#skip(1));
  }

  flag(): boolean {
    return this.byte() !== 0;
  }

  count(): number {
    return this.#view.getUint32(this.#skip(4), true);
  }

  integer(): number {
    return this.#view.getFloat64(this.#skip(8), true);
  }

  integers(): number[] {
    return this.list(() => this.integer());
  }

  list<T>(item: () => T): T[] {
    const count = this.count();
    const result: T[] = [];
    for (let index = 0; index < count; index += 1) result.push(item());
    return result;
  }

  blob(): Uint8Array {
    const length = this.count();
    const at = this.#skip(length);
    return this.#bytes.subarray(at, at + length);
  }

  text(): string {
    return Buffer.from(this.blob()).toString("utf8");
  }

  /** The member of `names` whose position the next byte names. */
  oneOf<T>(names: readonly T[]): T {
    const name = names[this.byte()];
    assert(name !== undefined, "a tag of the core is unknown");
    return name;
  }

  confState(): ConfState {
    return {
      voters: this.integers(),
      learners: this.integers(),
      votersOutgoing: this.integers(),
      learnersNext: this.integers(),
      autoLeave: this.flag(),
    };
  }

  entries(): RaftEntry[] {
    return this.list(() => ({
      index: this.integer(),
      term: this.integer(),
      kind: this.flag() ? "members" : "normal",
      data: this.blob(),
    }));
  }
}
