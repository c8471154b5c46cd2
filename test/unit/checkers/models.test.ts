// Histories survive being written and read; listings and bodies that are wrong are found, those
// that a correct store may give are not.
import assert from "node:assert/strict";
import { test } from "node:test";
import { bodyOf, wrongBytes } from "../../checkers/bytes.ts";
import { byKey, fromLines, type ListPage, type Operation, toLine } from "../../checkers/history.ts";
import { checkKey } from "../../checkers/linearizable.ts";
import { checkListing, compareKeys, listingReads } from "../../checkers/list-model.ts";
import { sampleHistory } from "../../checkers/sample-history.ts";
import { runSeed, seededRandom } from "../../support/seeded-bytes.ts";

interface Draft {
  readonly kind: "put" | "delete";
  readonly key: string;
  readonly times: readonly [number, number];
}

function op({ kind, key, times }: Draft): Operation {
  const [invokedAt, returnedAt] = times;
  const known = Number.isFinite(returnedAt);
  return {
    client: "c",
    kind,
    bucket: "b",
    key,
    invokedAt,
    returnedAt,
    input: kind === "put" ? { value: `${key}@${invokedAt}` } : {},
    output: known ? { kind: "ok" } : { kind: "unknown", why: "test" },
  };
}

function list(...pages: readonly (readonly string[])[]): Operation {
  const taken = pages.map(
    (keys, at): ListPage => ({ invokedAt: 10 + 2 * at, returnedAt: 11 + 2 * at, keys }),
  );
  return {
    client: "l",
    kind: "list",
    bucket: "b",
    key: "",
    invokedAt: 10,
    returnedAt: taken.at(-1)?.returnedAt ?? 10,
    input: { prefix: "" },
    output: { kind: "ok", pages: taken },
  };
}

const put = (key: string, from: number, to: number): Operation =>
  op({ kind: "put", key, times: [from, to] });
const gone = (key: string, from: number, to: number): Operation =>
  op({ kind: "delete", key, times: [from, to] });

test("a history is read as it was written, open ends too", () => {
  const seed = runSeed("history lines");
  const random = seededRandom(seed);
  const history = sampleHistory(random, { operations: 50, clients: 4, unknownShare: 0.3 });
  assert.deepEqual(fromLines(history.map(toLine).join("")), history);
  assert.throws(() => fromLines('{"client":"c"}\n'), /line 1 is no operation/);
});

test("a history falls apart into keys, without listings", () => {
  const keys = byKey([put("x", 0, 1), put("y", 0, 1), put("x", 2, 3), list(["x", "y"])]);
  assert.deepEqual(
    [...keys].map(([name, operations]) => [name, operations.length]),
    [
      ["b/x", 2],
      ["b/y", 1],
    ],
  );
});

test("a listing shows what was acknowledged before it and not what was deleted", () => {
  const history = [put("x", 0, 1), put("y", 0, 1), gone("y", 2, 3)];
  assert.deepEqual(checkListing(list(["x"]), history), []);
  assert.deepEqual(checkListing(list([]), history), ["x is missing"]);
  assert.deepEqual(checkListing(list(["x", "y"]), history), ["y is shown, but deleted"]);
  assert.deepEqual(checkListing(list(["x", "z"]), history), ["z was never written"]);
});

test("what runs beside a listing may be on it or not", () => {
  const history = [put("x", 9, 12), put("y", 0, 1), gone("y", 9, Number.POSITIVE_INFINITY)];
  for (const keys of [[], ["x"], ["y"], ["x", "y"]]) {
    assert.deepEqual(checkListing(list(keys), history), [], keys.join());
  }
});

test("a write of unknown outcome may appear after a delete, in any order of the record", () => {
  const late = put("x", 0, Number.POSITIVE_INFINITY);
  const history = [gone("x", 2, 3), late];
  assert.deepEqual(checkListing(list(["x"]), history), []);
  assert.deepEqual(checkListing(list([]), history), []);
});

test("each page is judged by its own time and its own range of keys", () => {
  const history = [put("a", 0, 1), put("m", 0, 1), put("b", 11.2, 11.5), put("z", 11.2, 11.5)];
  assert.deepEqual(checkListing(list(["a", "m"], ["z"]), history), []);
  assert.deepEqual(checkListing(list(["a", "m"], []), history), ["z is missing"]);
  assert.deepEqual(checkListing(list(["m"], ["z"]), history), ["a is missing"]);
});

test("order is that of UTF-8 bytes and no key comes twice", () => {
  const history = ["\u{ffff}", "\u{10000}"].map((key) => put(key, 0, 1));
  assert.ok(compareKeys("\u{ffff}", "\u{10000}") < 0);
  assert.deepEqual(checkListing(list(["\u{ffff}", "\u{10000}"]), history), []);
  const wrong = checkListing(list(["\u{10000}", "\u{ffff}"]), history);
  assert.ok(wrong.includes("\u{ffff} comes after \u{10000}"), wrong.join());
  const twice = checkListing(list(["\u{ffff}"], ["\u{ffff}", "\u{10000}"]), history);
  assert.ok(twice.includes("\u{ffff} is shown twice"), twice.join());
});

test("a listing's pages are reads in the check of each key", () => {
  const history = [put("x", 0, 1), put("y", 0, 30)];
  const shown = list(["y"]);
  const reads = listingReads(shown, ["x", "y"]);
  const keys = byKey([...history, ...reads]);
  assert.equal(checkKey(keys.get("b/x") ?? []).kind, "violation");
  assert.equal(checkKey(keys.get("b/y") ?? []).kind, "ok");
});

test("bytes that are wrong, missing or of another value are named", () => {
  const written = { value: "v1", size: 1000 };
  const body = bodyOf(written);
  assert.equal(wrongBytes(written, body), undefined);
  const part = body.subarray(100, 200);
  assert.equal(wrongBytes(written, part, { offset: 100, length: 100 }), undefined);
  assert.match(wrongBytes(written, part, { offset: 101, length: 100 }) ?? "", /bytes differ/);
  assert.match(wrongBytes(written, body.subarray(1)) ?? "", /999 bytes instead of 1000/);
  const mixed = Buffer.concat([
    body.subarray(0, 500),
    bodyOf({ value: "v2", size: 1000 }).subarray(500),
  ]);
  assert.match(wrongBytes(written, mixed) ?? "", /differ, from offset 50\d on/);
});
