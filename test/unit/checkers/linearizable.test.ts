// The checker of one key: correct histories pass, planted wrong answers are found, and on small
// histories every verdict equals that of trying all orders.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Operation } from "../../checkers/history.ts";
import { checkKey } from "../../checkers/linearizable.ts";
import { step, type Value } from "../../checkers/register.ts";
import { sampleHistory, spoil } from "../../checkers/sample-history.ts";
import { runSeed, seededRandom } from "../../support/seeded-bytes.ts";

type Draft = Partial<Operation> & Pick<Operation, "kind">;

function op(invokedAt: number, returnedAt: number, draft: Draft): Operation {
  const unknown = returnedAt === Number.POSITIVE_INFINITY;
  return {
    client: "c",
    bucket: "b",
    key: "k",
    invokedAt,
    returnedAt,
    input: {},
    output: unknown ? { kind: "unknown", why: "test" } : { kind: "ok" },
    ...draft,
  };
}

const put = (from: number, to: number, value: string): Operation =>
  op(from, to, { kind: "put", input: { value } });
const get = (from: number, to: number, value: string | null): Operation =>
  op(from, to, { kind: "get", output: { kind: "ok", value } });

/** Tries every order that keeps real time; operations with open ends may be left out. */
function byAllOrders(operations: readonly Operation[], value: Value): boolean {
  if (operations.every(({ returnedAt }) => returnedAt === Number.POSITIVE_INFINITY)) return true;
  const firstReturn = Math.min(...operations.map(({ returnedAt }) => returnedAt));
  return operations.some((operation) => {
    if (operation.invokedAt > firstReturn) return false;
    const after = step(operation, value);
    if (after === undefined) return false;
    return byAllOrders(
      operations.filter((other) => other !== operation),
      after,
    );
  });
}

test("a write is seen by every read that begins after it", () => {
  assert.equal(checkKey([put(0, 1, "a"), get(2, 3, "a")]).kind, "ok");
  assert.equal(checkKey([put(0, 1, "a"), get(2, 3, null)]).kind, "violation");
  assert.equal(checkKey([put(0, 4, "a"), get(2, 3, null)]).kind, "ok");
});

test("a value once seen does not vanish again", () => {
  const history = [put(0, 100, "a"), get(1, 2, "a"), get(3, 4, null)];
  const verdict = checkKey(history);
  assert.equal(verdict.kind, "violation");
  assert.match(verdict.kind === "violation" ? verdict.text : "", /no order explains: .* absent/);
});

test("a stale read after an overwrite is named with the smallest bad beginning", () => {
  const bad = get(6, 7, "a");
  const later = [put(8, 9, "c"), get(10, 11, "c")];
  const verdict = checkKey([put(0, 1, "a"), put(2, 3, "b"), get(4, 5, "b"), bad, ...later]);
  assert.ok(verdict.kind === "violation");
  assert.equal(verdict.last, bad);
  assert.equal(verdict.prefix.length, 4);
});

test("a deleted object that comes back is found", () => {
  const gone = op(2, 3, { kind: "delete" });
  assert.equal(checkKey([put(0, 1, "a"), gone, get(4, 5, null)]).kind, "ok");
  assert.equal(checkKey([put(0, 1, "a"), gone, get(4, 5, "a")]).kind, "violation");
});

test("a write of unknown outcome may appear late, never, but not twice", () => {
  const lost = put(0, Number.POSITIVE_INFINITY, "u");
  assert.equal(checkKey([lost, get(1, 2, null), get(5, 6, "u")]).kind, "ok");
  assert.equal(checkKey([lost, get(1, 2, null)]).kind, "ok");
  const twice = [lost, get(1, 2, "u"), put(3, 4, "b"), get(5, 6, "b"), get(7, 8, "u")];
  assert.equal(checkKey(twice).kind, "violation");
});

test("an unknown write that nobody saw may explain a refused condition", () => {
  const absent = { value: "w", condition: { kind: "absent" } } as const;
  const refused = op(3, 4, { kind: "put", input: absent, output: { kind: "refused" } });
  assert.equal(checkKey([put(0, Number.POSITIVE_INFINITY, "u"), refused]).kind, "ok");
  assert.equal(checkKey([refused]).kind, "violation");
});

test("an unknown delete may explain an absence, but not one before it began", () => {
  const lost = op(4, Number.POSITIVE_INFINITY, { kind: "delete" });
  assert.equal(checkKey([put(0, 1, "a"), lost, get(6, 7, null)]).kind, "ok");
  assert.equal(checkKey([put(0, 1, "a"), get(2, 3, null), lost]).kind, "violation");
});

test("of two conditional writes against one value only one wins", () => {
  const swap = (from: number, to: number, value: string): Operation =>
    op(from, to, {
      kind: "put",
      input: { value, condition: { kind: "value", value: "a" } },
    });
  assert.equal(checkKey([put(0, 1, "a"), swap(2, 5, "b"), get(6, 7, "b")]).kind, "ok");
  assert.equal(checkKey([put(0, 1, "a"), swap(2, 5, "b"), swap(3, 6, "c")]).kind, "violation");
});

test("of two writes that want the key absent only one wins", () => {
  const make = (client: string): Operation =>
    op(0, 5, {
      kind: "complete",
      client,
      input: { value: client, condition: { kind: "absent" } },
    });
  assert.equal(checkKey([make("a")]).kind, "ok");
  assert.equal(checkKey([make("a"), make("b")]).kind, "violation");
});

test("a failed operation has no effect and a listing's presence is a read", () => {
  const failed = op(0, 1, {
    kind: "put",
    input: { value: "f" },
    output: { kind: "failed", why: "refused" },
  });
  const shown = op(2, 3, { kind: "head", output: { kind: "ok", present: true } });
  assert.equal(checkKey([failed, shown]).kind, "violation");
  assert.equal(checkKey([put(0, 1, "f"), shown]).kind, "ok");
});

test("what exceeds the limit of steps is unknown, never ok", () => {
  const writes = Array.from({ length: 12 }, (_, at) => put(0, 100, `v${at}`));
  const history = [...writes, get(200, 201, "v3"), get(300, 301, "v4")];
  assert.equal(checkKey(history, { stepsMax: 50 }).kind, "unknown");
});

test("correct random histories are never flagged, spoiled ones as trying all orders says", () => {
  const random = seededRandom(runSeed("linearizable"));
  let flagged = 0;
  for (let round = 0; round < 1500; round += 1) {
    const operations = 2 + Math.floor(random() * 5);
    const clients = 1 + Math.floor(random() * 4);
    const good = sampleHistory(random, { operations, clients, unknownShare: 0.15 });
    assert.equal(checkKey(good).kind, "ok", JSON.stringify(good));
    const bad = spoil(random, good);
    const expected = byAllOrders(bad, null) ? "ok" : "violation";
    assert.equal(checkKey(bad).kind, expected, JSON.stringify(bad));
    if (expected === "violation") flagged += 1;
  }
  assert.ok(flagged > 300, `${flagged} of 1500 spoiled histories were bad`);
});

test("200 operations of ten clients with unknown outcomes are decided, good and spoiled", () => {
  const random = seededRandom(runSeed("linearizable, long"));
  let flagged = 0;
  for (let round = 0; round < 40; round += 1) {
    const good = sampleHistory(random, { operations: 200, clients: 10, unknownShare: 0.02 });
    assert.equal(checkKey(good).kind, "ok");
    const verdict = checkKey(spoil(random, good));
    assert.notEqual(verdict.kind, "unknown");
    if (verdict.kind === "violation") flagged += 1;
  }
  assert.ok(flagged >= 8, `${flagged} of 40`);
});
