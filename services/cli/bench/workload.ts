// What a benchmark does next: kinds of operations by their share, keys that are there and nobody
// removes while they are read, and bodies whose bytes follow from their key, so that what is read
// can be compared without keeping it.
import { createHash } from "node:crypto";
import { UsageError } from "../command-line.ts";

export const OPERATIONS = ["get", "stat", "put", "list", "delete"] as const;
export type Operation = (typeof OPERATIONS)[number];
export type Mix = ReadonlyMap<Operation, number>;

export const MIX_DEFAULT = "get=45,stat=20,put=20,list=5,delete=10";

/** "get=45,put=55": shares, of which only the ratio counts. Throws UsageError. */
export function parseMix(text: string): Mix {
  const mix = new Map<Operation, number>();
  for (const part of text.split(",")) {
    const match = /^([a-z]+)=([0-9]{1,6})$/.exec(part.trim());
    const operation = OPERATIONS.find((name) => name === match?.[1]);
    if (match === null || operation === undefined || mix.has(operation)) {
      throw new UsageError(`--mix wants shares such as ${MIX_DEFAULT}, not "${text}"`);
    }
    mix.set(operation, Number(match[2]));
  }
  if ([...mix.values()].some((share) => share > 0)) return mix;
  throw new UsageError("--mix leaves nothing to do");
}

/** `chance`: from 0 up to 1. */
export function drawn(mix: Mix, chance: number): Operation {
  const sum = [...mix.values()].reduce((total, share) => total + share, 0);
  let left = chance * sum;
  let last: Operation = "get";
  for (const [operation, share] of mix) {
    if (share === 0) continue;
    last = operation;
    left -= share;
    if (left < 0) return operation;
  }
  return last;
}

const OFFSETS = 65_536;

/** Bodies of `bytes` each, all windows of one random buffer. */
export class Bodies {
  readonly bytes: number;
  readonly #source: Uint8Array;

  /** `random`: at least `bytes` + 65,536 long, see sourceBytes; kept. */
  constructor(bytes: number, random: Uint8Array) {
    this.bytes = bytes;
    this.#source = random;
  }

  static sourceBytes(bytes: number): number {
    return bytes + OFFSETS;
  }

  of(key: string): Uint8Array {
    const offset = createHash("sha256").update(key).digest().readUInt32BE(0) % OFFSETS;
    return this.#source.subarray(offset, offset + this.bytes);
  }
}

/**
 * Keys that are stored. A key that is read cannot be taken; one that is taken is gone from here.
 */
export class KeyPool {
  readonly #keys: string[] = [];
  readonly #readers = new Map<string, number>();

  add(key: string): void {
    this.#keys.push(key);
  }

  get size(): number {
    return this.#keys.length;
  }

  /** Any key, to be given back by `release`; undefined when there is none. */
  borrow(chance: number): string | undefined {
    const key = this.#keys[Math.floor(chance * this.#keys.length)];
    if (key !== undefined) this.#readers.set(key, (this.#readers.get(key) ?? 0) + 1);
    return key;
  }

  release(key: string): void {
    const readers = (this.#readers.get(key) ?? 0) - 1;
    if (readers > 0) this.#readers.set(key, readers);
    else this.#readers.delete(key);
  }

  /** A key that nobody reads, gone from the pool; undefined when there is none near. */
  take(chance: number): string | undefined {
    const start = Math.floor(chance * this.#keys.length);
    for (let step = 0; step < this.#keys.length; step += 1) {
      const at = (start + step) % this.#keys.length;
      const key = this.#keys[at];
      if (key === undefined || this.#readers.has(key)) continue;
      // The last one fills the gap: order does not matter here.
      const last = this.#keys.pop();
      if (last !== undefined && at < this.#keys.length) this.#keys[at] = last;
      return key;
    }
    return undefined;
  }
}
