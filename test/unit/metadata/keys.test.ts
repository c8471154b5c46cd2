// Keys: order is kept for keys with any bytes, encodings come apart again, ranges hold what they
// should.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  headKey,
  keyOfHead,
  nullPointerKey,
  parseUploadKey,
  parseVersionKey,
  prefixEnd,
  uploadKey,
  uploadPrefix,
  uploadsAfterKey,
  versionKey,
  versionPrefix,
} from "../../../services/metadata/state/keys.ts";
import { idOf } from "./harness.ts";

/** Keys in which zero and 0xFF are common. */
const anyKey = fc
  .uint8Array({ minLength: 1, maxLength: 12 })
  .chain((bytes) =>
    fc.array(fc.constantFrom(0, 1, 0xfe, 0xff, ...bytes), { minLength: 1, maxLength: 12 }),
  )
  .map((bytes) => Uint8Array.from(bytes));
const sequence = fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_fffen });
const bucket = fc.integer({ min: 1, max: 0xffff_ffff });

const sign = (value: number): number => Math.sign(value);

test("heads, versions and uploads sort as bucket, then key", () => {
  fc.assert(
    fc.property(bucket, bucket, anyKey, anyKey, sequence, (b1, b2, k1, k2, number) => {
      const order = sign(b1 - b2 || Buffer.compare(k1, k2));
      assert.equal(sign(Buffer.compare(headKey(b1, k1), headKey(b2, k2))), order);
      const nulls = Buffer.compare(nullPointerKey(b1, k1), nullPointerKey(b2, k2));
      assert.equal(sign(nulls), order);
      const versions = Buffer.compare(versionKey(b1, k1, number), versionKey(b2, k2, number));
      assert.equal(sign(versions), order);
      const id = idOf(1);
      assert.equal(sign(Buffer.compare(uploadKey(b1, k1, id), uploadKey(b2, k2, id))), order);
    }),
  );
});

test("versions of a key stand newest first and apart from every other key's", () => {
  fc.assert(
    fc.property(anyKey, anyKey, sequence, sequence, (k1, k2, s1, s2) => {
      const one = versionKey(1, k1, s1);
      const order = sign(Buffer.compare(one, versionKey(1, k1, s2)));
      assert.equal(order, s1 > s2 ? -1 : s1 < s2 ? 1 : 0);
      const isInside = Buffer.compare(
        one.subarray(0, versionPrefix(1, k2).length),
        versionPrefix(1, k2),
      );
      assert.equal(isInside === 0, Buffer.compare(k1, k2) === 0);
    }),
  );
});

test("what went into a key comes out of it", () => {
  fc.assert(
    fc.property(bucket, anyKey, sequence, (bucketId, key, number) => {
      assert.deepEqual(new Uint8Array(keyOfHead(headKey(bucketId, key))), key);
      const version = parseVersionKey(versionKey(bucketId, key, number));
      assert.deepEqual(version, { key, sequence: number });
      const upload = parseUploadKey(uploadKey(bucketId, key, idOf(7)));
      assert.equal(upload.bucketId, bucketId);
      assert.deepEqual(upload.key, key);
      assert.equal(Buffer.compare(upload.uploadId, idOf(7)), 0);
    }),
  );
});

test("uploads of a key end where `uploadsAfterKey` says, before those of the next key", () => {
  fc.assert(
    fc.property(anyKey, anyKey, (k1, k2) => {
      const after = uploadsAfterKey(1, k1);
      const upload = uploadKey(1, k2, Buffer.alloc(16, 0xff));
      assert.equal(Buffer.compare(upload, after) < 0, Buffer.compare(k2, k1) <= 0);
    }),
  );
});

test("a prefix of a key is a prefix of its escaped form, and nothing else is", () => {
  fc.assert(
    fc.property(anyKey, anyKey, (prefix, key) => {
      const from = uploadPrefix(1, prefix);
      const to = prefixEnd(from) ?? assert.fail("no end");
      const stored = uploadKey(1, key, idOf(1));
      const isInside = Buffer.compare(from, stored) <= 0 && Buffer.compare(stored, to) < 0;
      const isPrefix = Buffer.compare(key.subarray(0, prefix.length), prefix) === 0;
      assert.equal(isInside, isPrefix);
    }),
  );
});

test("nothing is greater than a run of 0xFF", () => {
  assert.equal(prefixEnd(Uint8Array.of(0xff, 0xff)), undefined);
  assert.equal(prefixEnd(new Uint8Array(0)), undefined);
  assert.deepEqual([...(prefixEnd(Uint8Array.of(1, 0xff)) ?? [])], [2]);
});

test("keys that no encoder made are corrupt", () => {
  const stored = Buffer.from(versionKey(1, Uint8Array.of(1, 2), 5n));
  assert.throws(() => parseVersionKey(stored.subarray(0, 9)), { code: "corrupt" });
  assert.throws(() => parseUploadKey(Buffer.from([0x75, 0, 0, 0, 1, 65, 0, 7])), {
    code: "corrupt",
  });
  assert.throws(() => uploadKey(1, Uint8Array.of(1), Uint8Array.of(1)), /an id of 1 bytes/);
});
