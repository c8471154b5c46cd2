// Range headers: whatever is read of one lies in the object, at the very bytes that a reading by
// hand finds; copy ranges name both their ends.
import assert from "node:assert/strict";
import {
  checkCopySourceRange,
  formatContentRange,
  parseCopySourceRange,
  parseRange,
  resolveRange,
} from "../../services/lib/s3/http-range.ts";
import type { FuzzTarget } from "./fuzz.ts";

const SIZES = [0, 1, 2, 100, 5 * 1024 ** 3, Number.MAX_SAFE_INTEGER];
const SEEDS = [
  ..."bytes=0-0 bytes=0- bytes=-1 bytes=5-9 bytes=-0 bytes=99- bytes=0-18446744073709551615".split(
    " ",
  ),
  ...["Bytes = 1-2", "bytes=0-1,3-4", "items=0-1", "bytes=", "bytes=9-5", "bytes=--1"],
].map((text) => Buffer.from(text));
const WORDS = [
  ..."bytes= bytes - , 0 1 99 100 9007199254740991 9007199254740992 18446744073709551616".split(
    " ",
  ),
  ...[" ", "\t", "+1", "-1", "1e3", "0x1", "٣"],
].map((word) => Buffer.from(word));

/** The bytes that a single range means, by the text; undefined: none, or not a single range. */
function byHand(text: string, size: bigint): readonly [bigint, bigint] | undefined {
  const [unit = "", set = "", ...more] = text.split("=");
  const dash = set.indexOf("-");
  if (more.length > 0 || dash < 0 || unit.trim().toLowerCase() !== "bytes") return undefined;
  const [from, to] = [set.slice(0, dash).trim(), set.slice(dash + 1).trim()];
  if (from === "")
    return to === "0" || size === 0n ? undefined : [max(0n, size - BigInt(to)), size - 1n];
  const [first, last] = [BigInt(from), to === "" ? size - 1n : BigInt(to)];
  return first >= size ? undefined : [first, last < size ? last : size - 1n];
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

function checkRange(text: string): string {
  const spec = parseRange(text);
  if (spec === undefined) return "ignored";
  for (const size of SIZES) {
    const range = resolveRange(spec, size);
    const expected = byHand(text, BigInt(size));
    if (range === "unsatisfiable") {
      // A suffix of no bytes, however many zeros it is written with.
      assert.ok(expected === undefined || /-0+[ \t]*$/.test(text), `${text} of ${size}`);
      continue;
    }
    assert.ok(range.first >= 0 && range.first <= range.last && range.last < size, text);
    assert.deepEqual([BigInt(range.first), BigInt(range.last)], expected, `${text} of ${size}`);
    formatContentRange(range, size);
  }
  return spec.kind;
}

export const RANGE_TARGET: FuzzTarget = {
  name: "range",
  seeds: SEEDS,
  words: WORDS,
  bytesMax: 1024,
  run: (input) => {
    const text = Buffer.from(input).toString("latin1");
    const word = checkRange(text);
    if (!text.startsWith("bytes=")) return { word };
    if (word !== "from" && word !== "suffix") return { word };
    const range = parseCopySourceRange(text);
    assert.ok(range.first <= range.last, text);
    checkCopySourceRange(range, 100);
    assert.ok(range.last < 100, text);
    return { word: `${word}, also of a copy` };
  },
};
