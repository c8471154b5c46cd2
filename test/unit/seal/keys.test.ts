// Wrapped keys open with their own key and binding only; the cluster key is read or refused.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isStoreError } from "../../../services/lib/base/errors.ts";
import { createRandom } from "../../../services/lib/host/random.ts";
import { parseClusterKey } from "../../../services/lib/seal/cluster-key.ts";
import {
  clientKeyBinding,
  dataKeyBinding,
  namedKeyBinding,
} from "../../../services/lib/seal/key-bindings.ts";
import { unwrapKey, wrapKey } from "../../../services/lib/seal/wrapped-key.ts";
import { run } from "./streams.ts";

const random = createRandom();
const WRAPPING_KEY = run(7, 32);
const KEY = run(99, 32);
const PLACE = { bucketId: 12, keyName: "payroll", keyVersion: 2, context: "eyJhIjoiYiJ9" };

test("a wrapped key opens again, and never looks the same twice", () => {
  const wrapping = { wrappingKey: WRAPPING_KEY, binding: dataKeyBinding(PLACE) };
  const first = wrapKey(wrapping, KEY, random);
  const second = wrapKey(wrapping, KEY, random);
  assert.notDeepEqual(first, second);
  for (const wrapped of [first, second]) {
    assert.deepEqual(new Uint8Array(unwrapKey(wrapping, wrapped) ?? []), KEY);
  }
});

test("another bucket, name, version, context or purpose does not open it", () => {
  const binding = dataKeyBinding(PLACE);
  const wrapped = wrapKey({ wrappingKey: WRAPPING_KEY, binding }, KEY, random);
  const others = [
    dataKeyBinding({ ...PLACE, bucketId: 13 }),
    dataKeyBinding({ ...PLACE, keyName: "payrolls" }),
    dataKeyBinding({ ...PLACE, keyVersion: 3 }),
    dataKeyBinding({ ...PLACE, context: "" }),
    // The same characters, cut at other places.
    dataKeyBinding({ ...PLACE, keyName: "payroll2", keyVersion: Number.NaN, context: "" }),
    { purpose: "named key", fields: binding.fields },
    namedKeyBinding("payroll", 2),
    clientKeyBinding(12),
  ];
  for (const other of others) {
    assert.equal(unwrapKey({ wrappingKey: WRAPPING_KEY, binding: other }, wrapped), undefined);
  }
});

test("another wrapping key does not open it", () => {
  const binding = clientKeyBinding(3);
  const wrapped = wrapKey({ wrappingKey: WRAPPING_KEY, binding }, KEY, random);
  assert.equal(unwrapKey({ wrappingKey: run(8, 32), binding }, wrapped), undefined);
});

test("every flipped bit of a wrapped key is noticed", () => {
  const wrapping = { wrappingKey: WRAPPING_KEY, binding: clientKeyBinding(3) };
  const wrapped = wrapKey(wrapping, KEY, random);
  for (let bit = 8; bit < wrapped.byteLength * 8; bit += 1) {
    const changed = Buffer.from(wrapped);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.equal(unwrapKey(wrapping, changed), undefined);
  }
});

test("the cluster key is read from hex and from either base64", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
      const key = Buffer.from(bytes);
      const texts = [
        key.toString("hex"),
        key.toString("hex").toUpperCase(),
        key.toString("base64"),
        key.toString("base64url"),
        `  ${key.toString("base64")}\n`,
      ];
      for (const text of texts) {
        assert.equal(Buffer.compare(parseClusterKey(text) ?? Buffer.alloc(0), key), 0);
      }
    }),
  );
  assert.equal(parseClusterKey(""), undefined);
  assert.equal(parseClusterKey(" \n"), undefined);
});

test("a cluster key of another length or alphabet is refused, and not repeated", () => {
  const good = Buffer.from(run(3, 32));
  const bad = [
    good.toString("hex").slice(1),
    `${good.toString("hex")}00`,
    good.subarray(1).toString("base64"),
    Buffer.concat([good, good]).toString("base64"),
    `${good.toString("base64").slice(0, 42)}!=`,
    "correct horse battery staple",
  ];
  for (const text of bad) {
    assert.throws(
      () => parseClusterKey(text),
      (error) => isStoreError(error, "invalid") && !error.message.includes(text),
    );
  }
});
