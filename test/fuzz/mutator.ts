// Damages inputs deterministically: the same seed and index give the same bytes. Blind to what the
// bytes mean, but fed with seeds that parsers take and with words that matter to them, so that most
// inputs get past the first check.
import { createSimRandom, type SimRandom } from "../sim/random.ts";
import { changedJson } from "./json-mutator.ts";

export interface Corpus {
  /** Inputs that are taken as they are. */
  readonly seeds: readonly Uint8Array[];
  /** Pieces that mean something to the parser. */
  readonly words: readonly Uint8Array[];
  readonly bytesMax: number;
  /** The seeds are JSON: most changes leave them so. */
  readonly isJson?: true;
}

/** Input number `index` of the run called `seed`. */
export function inputAt(corpus: Corpus, seed: number, index: number): Uint8Array {
  const random = createSimRandom((seed * 0x9e3779b1 + index) >>> 0);
  let bytes: Buffer = Buffer.from(random.pick(corpus.seeds));
  if (corpus.isJson === true && random.chance(0.8)) return jsonOf(bytes, corpus, random);
  const changes = random.chance(0.02) ? 0 : random.between(1, random.chance(0.2) ? 12 : 3);
  for (let count = 0; count < changes; count += 1) bytes = change(bytes, corpus, random);
  return bytes.subarray(0, corpus.bytesMax);
}

function jsonOf(seed: Buffer, { words, bytesMax }: Corpus, random: SimRandom): Uint8Array {
  const texts = words.map((word) => Buffer.from(word).toString());
  let value = JSON.parse(seed.toString());
  const changes = random.between(1, random.chance(0.2) ? 10 : 2);
  for (let count = 0; count < changes; count += 1) value = changedJson(value, texts, random);
  return Buffer.from(JSON.stringify(value)).subarray(0, bytesMax);
}

type Change = (bytes: Buffer, corpus: Corpus, random: SimRandom) => Buffer;

function change(bytes: Buffer, corpus: Corpus, random: SimRandom): Buffer {
  return random.pick(CHANGES)(bytes, corpus, random);
}

function place(bytes: Buffer, random: SimRandom): number {
  return random.between(0, bytes.byteLength);
}

/** A short stretch, mostly: long ones leave nothing of what was meant. */
function stretch(bytes: Buffer, random: SimRandom): readonly [from: number, to: number] {
  const from = place(bytes, random);
  const most = random.chance(0.1) ? bytes.byteLength : 16;
  return [from, Math.min(bytes.byteLength, from + random.between(0, most))];
}

function replaced(bytes: Buffer, [from, to]: readonly [number, number], by: Uint8Array): Buffer {
  return Buffer.concat([bytes.subarray(0, from), by, bytes.subarray(to)]);
}

const NUMBERS = ["-1", "0", "1e3", "0x10", "9007199254740993", "99999999999999999999", "", "007"];
const CHARACTERS = ["\u0000", "\r\n", "\u00e9", "\u202e", "\u{1f600}", "%", "%ff", "\ufeff", "\\"];

const CHANGES: readonly Change[] = [
  // One bit.
  (bytes, _corpus, random) => {
    const at = random.between(0, Math.max(0, bytes.byteLength - 1));
    const copy = Buffer.from(bytes);
    if (at < copy.byteLength) copy[at] = (copy[at] ?? 0) ^ (1 << random.between(0, 7));
    return copy;
  },
  // Any byte in place of another, or more.
  (bytes, _corpus, random) => {
    const at = place(bytes, random);
    const to = at + random.between(0, 1);
    const range = [at, Math.min(to, bytes.byteLength)] as const;
    return replaced(bytes, range, Uint8Array.of(random.between(0, 255)));
  },
  // A stretch cut out.
  (bytes, _corpus, random) => replaced(bytes, stretch(bytes, random), new Uint8Array()),
  // A stretch twice, or often.
  (bytes, _corpus, random) => {
    const [from, to] = stretch(bytes, random);
    const times = random.chance(0.1) ? random.between(2, 300) : 2;
    const piece = bytes.subarray(from, to);
    return replaced(bytes, [from, to], Buffer.concat(Array.from({ length: times }, () => piece)));
  },
  // A word in place of a stretch, or put in.
  (bytes, { words }, random) => {
    const at = place(bytes, random);
    const range = random.chance(0.5) ? ([at, at] as const) : stretch(bytes, random);
    return replaced(bytes, range, random.pick(words));
  },
  // A word in place of another.
  (bytes, { words }, random) => {
    const word = random.pick(words);
    const at = bytes.indexOf(word);
    if (at < 0) return replaced(bytes, [0, 0], new Uint8Array());
    return replaced(bytes, [at, at + word.byteLength], random.pick(words));
  },
  // A piece of another seed.
  (bytes, { seeds }, random) => {
    const other = Buffer.from(random.pick(seeds));
    const [from, to] = stretch(other, random);
    return replaced(bytes, stretch(bytes, random), other.subarray(from, to));
  },
  // The beginning of one and the end of another.
  (bytes, { seeds }, random) => {
    const other = Buffer.from(random.pick(seeds));
    return Buffer.concat([
      bytes.subarray(0, place(bytes, random)),
      other.subarray(place(other, random)),
    ]);
  },
  // Another number where one stands, or a character that is often mistaken.
  (bytes, _corpus, random) => {
    const text = bytes.toString("latin1");
    const digits = /[0-9]+/.exec(text.slice(place(bytes, random)));
    if (digits === null || random.chance(0.5)) {
      const at = place(bytes, random);
      return replaced(bytes, [at, at], Buffer.from(random.pick(CHARACTERS)));
    }
    const from = text.lastIndexOf(digits[0]);
    return replaced(bytes, [from, from + digits[0].length], Buffer.from(random.pick(NUMBERS)));
  },
  // An end too soon.
  (bytes, _corpus, random) => Buffer.from(bytes.subarray(0, place(bytes, random))),
];
