// The pool's promise: what is in use and what is kept never exceed the capacity, and those who wait
// are served when room comes back.
import assert from "node:assert/strict";
import { test } from "node:test";
import { StripePool } from "../../../services/lib/clients/stripe-pool.ts";

const KIB = 1024;

test("a buffer that comes back is used again, one that may still be read is not", async () => {
  const pool = new StripePool(256 * KIB);
  const first = await pool.acquire(100 * KIB);
  assert.equal(first.bytes.byteLength, 100 * KIB);
  const { buffer } = first.bytes;
  first.release(true);
  const second = await pool.acquire(70 * KIB);
  assert.equal(second.bytes.buffer, buffer);
  second.release(false);
  const third = await pool.acquire(70 * KIB);
  assert.notEqual(third.bytes.buffer, buffer);
});

test("releasing twice is once", async () => {
  const pool = new StripePool(128 * KIB);
  const one = await pool.acquire(64 * KIB);
  one.release(true);
  one.release(true);
  const [a, b] = [await pool.acquire(64 * KIB), await pool.acquire(64 * KIB)];
  assert.notEqual(a.bytes.buffer, b.bytes.buffer);
});

test("kept buffers of one length make room for another length", async () => {
  const pool = new StripePool(256 * KIB);
  const small = await Promise.all([1, 2, 3, 4].map(() => pool.acquire(64 * KIB)));
  const known = new Set(small.map((one) => one.bytes.buffer));
  for (const one of small) one.release(true);
  const large = await pool.acquire(192 * KIB);
  const left = await pool.acquire(64 * KIB);
  assert.ok(known.has(left.bytes.buffer), "one small buffer still fits beside the large one");
  left.release(true);
  large.release(true);
  const all = await pool.acquire(256 * KIB);
  all.release(true);
  const fresh = await pool.acquire(64 * KIB);
  assert.ok(!known.has(fresh.bytes.buffer), "the whole capacity in use leaves nothing kept");
});

test("who finds no room waits for it, and can give up", async () => {
  const pool = new StripePool(128 * KIB);
  const holder = await pool.acquire(128 * KIB);
  const impatient = new AbortController();
  const given = pool.acquire(64 * KIB, impatient.signal);
  const waiting = pool.acquire(64 * KIB);
  impatient.abort();
  await assert.rejects(given, /gave up/);
  holder.release(true);
  assert.equal((await waiting).bytes.byteLength, 64 * KIB);
});
