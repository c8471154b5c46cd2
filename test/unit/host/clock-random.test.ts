// The real clock and randomness behind their ports.
import assert from "node:assert/strict";
import { test } from "node:test";
import { AssertionFailure } from "../../../services/lib/base/assert.ts";
import { isStoreError } from "../../../services/lib/base/errors.ts";
import { createClock } from "../../../services/lib/host/clock.ts";
import { createRandom } from "../../../services/lib/host/random.ts";

test("monotonic time grows and wall time is the machine's", () => {
  const clock = createClock();
  const before = clock.monotonicMs();
  assert.ok(Math.abs(clock.wallMs() - Date.now()) < 1000);
  assert.ok(clock.monotonicMs() >= before);
});

test("sleep waits at least as long as asked", async () => {
  const clock = createClock();
  const before = clock.monotonicMs();
  await clock.sleep(20);
  assert.ok(clock.monotonicMs() - before >= 18);
});

test("sleep rejects with aborted, before and during the wait", async () => {
  const clock = createClock();
  await assert.rejects(clock.sleep(5, AbortSignal.abort()), (e) => isStoreError(e, "aborted"));
  const controller = new AbortController();
  const pending = clock.sleep(60_000, controller.signal);
  controller.abort(new Error("enough"));
  await assert.rejects(pending, (e) => isStoreError(e, "aborted") && e.cause instanceof Error);
});

test("a wait past 2^31 ms does not fire at once, and a cancelled timer never runs", async () => {
  const clock = createClock();
  let fired = 0;
  const long = clock.after(2 ** 40, () => {
    fired += 1;
  });
  const stopped = clock.after(1, () => {
    fired += 1;
  });
  stopped.cancel();
  await clock.sleep(15);
  assert.equal(fired, 0);
  long.cancel();
  await new Promise<void>((resolve) => {
    clock.after(1, resolve);
    // `after` does not hold the process, so something here must.
    void clock.sleep(50);
  });
});

test("random numbers stay below their bound and cover it", () => {
  const random = createRandom();
  const seen = new Set(Array.from({ length: 400 }, () => random.below(4)));
  assert.deepEqual([...seen].sort(), [0, 1, 2, 3]);
  assert.equal(random.below(1), 0);
  const large = Array.from({ length: 64 }, () => random.below(2 ** 48));
  assert.ok(large.every((value) => value >= 0 && value < 2 ** 48));
  assert.ok(large.some((value) => value > 2 ** 40));
});

test("random bytes are all there, each given out once and owned by who asked", () => {
  const random = createRandom();
  const seen = new Set<string>();
  for (let count = 1; count <= 40; count += 1) {
    for (let time = 0; time < 40; time += 1) {
      const bytes = random.bytes(count);
      assert.equal(bytes.byteLength, count);
      assert.equal(bytes.buffer.byteLength, count);
      // Bytes that were never filled in, or were wiped, would be the same each time.
      if (count >= 8) seen.add(Buffer.from(bytes).toString("hex"));
    }
  }
  assert.equal(seen.size, 33 * 40);
});

test("random refuses bounds it cannot serve and hands out fresh bytes", () => {
  const random = createRandom();
  for (const bound of [0, -1, 1.5, 2 ** 48 + 1, Number.NaN]) {
    assert.throws(() => random.below(bound), AssertionFailure, String(bound));
  }
  assert.equal(random.bytes(0).byteLength, 0);
  assert.notDeepEqual(random.bytes(16), random.bytes(16));
  assert.throws(() => random.bytes(-1), AssertionFailure);
});
