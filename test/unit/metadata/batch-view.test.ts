// The view of a batch: reads and scans see what the store holds under what the batch changed.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BatchView } from "../../../services/metadata/state/batch-view.ts";
import { encodeChecked } from "../../../services/metadata/state/checked-value.ts";
import { Digest } from "../../../services/metadata/state/digest.ts";
import { stateDeps, temporaryFolder } from "./harness.ts";

const TABLE = 0x76;
const name = fc.integer({ min: 0, max: 40 });
const change = fc.tuple(name, fc.constantFrom("put", "delete", "settle"), fc.nat(255));

function keyOf(at: number): Uint8Array {
  return Uint8Array.of(TABLE, at);
}

test("reads, scans, operations and digest agree with a map", async (t) => {
  const folder = await temporaryFolder(t);
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(name, fc.nat(255)), { maxLength: 30 }),
      fc.array(change, { maxLength: 40 }),
      fc.tuple(name, name, fc.integer({ min: 1, max: 50 })),
      async (stored, changes, [from, to, limit]) => {
        runs += 1;
        const kv = await stateDeps.kvFactory.open(`${folder}/${runs}`);
        const model = new Map<number, number>(stored);
        const before = new Digest();
        for (const [at, value] of model) {
          const bytes = encodeChecked(keyOf(at), Uint8Array.of(value));
          before.add(keyOf(at), bytes);
          await kv.write([{ type: "put", key: keyOf(at), value: bytes }]);
        }
        const view = new BatchView(kv, before);
        for (const [at, what, value] of changes) {
          if (what === "settle") view.settle();
          else if (what === "delete") view.delete(keyOf(at));
          else view.put(keyOf(at), Uint8Array.of(value));
          if (what === "delete") model.delete(at);
          if (what === "put") model.set(at, value);
        }
        for (let at = 0; at <= 40; at += 1) assert.equal(view.get(keyOf(at))?.[0], model.get(at));
        const expected = [...model]
          .filter(([at]) => at >= from && at < to)
          .sort(([one], [two]) => one - two)
          .slice(0, limit);
        const found = await view.scan({ from: keyOf(from), to: keyOf(to) }, limit);
        assert.deepEqual(
          found.map(([key, payload]) => [key[1], payload[0]]),
          expected,
        );
        const digest = new Digest();
        for (const [at, value] of model) {
          digest.add(keyOf(at), encodeChecked(keyOf(at), Uint8Array.of(value)));
        }
        assert.deepEqual(view.settle().bytes(), digest.bytes());
        await kv.write(view.operations());
        for (let at = 0; at <= 40; at += 1) assert.equal(kv.get(keyOf(at))?.[4], model.get(at));
        await kv.close();
      },
    ),
    { numRuns: 60 },
  );
});

test("inserting what the batch has written already is our mistake", async (t) => {
  const kv = await stateDeps.kvFactory.open(`${await temporaryFolder(t)}/kv`);
  const view = new BatchView(kv, new Digest());
  view.insert(keyOf(1), Uint8Array.of(1));
  assert.throws(() => view.insert(keyOf(1), Uint8Array.of(2)), /insert/);
  await kv.close();
});
