// Rates of users and failures of strangers, on a clock that stands until it is told.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  FailureLimiter,
  UserRateLimits,
} from "../../../../services/gateway/identity/rate-limits.ts";
import { StoreError } from "../../../../services/lib/base/errors.ts";
import type { Clock } from "../../../../services/lib/ports/clock.ts";
import { MemoryMetrics } from "../memory-gateway.ts";

/** Time passes only while somebody sleeps. */
class SleepingClock implements Clock {
  nowMs = 1_000_000;

  wallMs(): number {
    return this.nowMs;
  }

  monotonicMs(): number {
    return this.nowMs;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) throw new StoreError("aborted", "stopped");
    this.nowMs += ms;
  }

  after(): { cancel(): void } {
    return { cancel: () => undefined };
  }
}

const NO_SIGNAL = new AbortController().signal;
const UNLIMITED = { requestsPerSecond: 0, uploadBytesPerSecond: 0, downloadBytesPerSecond: 0 };

test("as many requests a second as the user may, then SlowDown until some time passed", () => {
  const clock = new SleepingClock();
  const metrics = new MemoryMetrics();
  const limits = new UserRateLimits(clock, metrics);
  const ask = (userId = "alice_umich"): boolean => {
    try {
      limits.admit(userId, { ...UNLIMITED, requestsPerSecond: 5 }, NO_SIGNAL);
      return true;
    } catch (error) {
      assert.equal(error instanceof Error && "code" in error ? error.code : "", "SlowDown");
      return false;
    }
  };
  const served = Array.from({ length: 20 }, () => ask()).filter(Boolean).length;
  assert.equal(served, 5);
  assert.ok(ask("bob_wayne"), "another's limit is his own");
  clock.nowMs += 200;
  assert.ok(ask());
  assert.ok(!ask());
  clock.nowMs += 3_600_000;
  const again = Array.from({ length: 20 }, () => ask()).filter(Boolean).length;
  assert.equal(again, 5, "an hour of silence saves up no more than a second");
  assert.equal(metrics.values.get('user_rate_limited_total{limit="requests"}'), 31);
});

test("who has no limits is not counted", () => {
  const limits = new UserRateLimits(new SleepingClock(), new MemoryMetrics());
  const paces = limits.admit("alice_umich", UNLIMITED, NO_SIGNAL);
  assert.deepEqual(paces, { upload: undefined, download: undefined });
});

test("bytes wait their turn, whichever stream of the user they are in", async () => {
  const clock = new SleepingClock();
  const limits = new UserRateLimits(clock, new MemoryMetrics());
  const rates = { ...UNLIMITED, uploadBytesPerSecond: 1000 };
  const one = limits.admit("alice_umich", rates, NO_SIGNAL);
  const other = limits.admit("alice_umich", rates, NO_SIGNAL);
  assert.equal(one.download, undefined);
  const startMs = clock.nowMs;
  for (let at = 0; at < 5; at += 1) {
    await one.upload?.(1000);
    await other.upload?.(1000);
  }
  // 10,000 bytes at 1,000 a second, of which a second's worth came at once.
  assert.equal(clock.nowMs - startMs, 9000);
});

test("a wait ends when the request does", async () => {
  const limits = new UserRateLimits(new SleepingClock(), new MemoryMetrics());
  const gone = AbortSignal.abort();
  const paces = limits.admit("a_b", { ...UNLIMITED, downloadBytesPerSecond: 1 }, gone);
  await assert.rejects(async () => paces.download?.(1000), { code: "aborted" });
});

test("an address that failed too often waits, its neighbours do not", () => {
  const clock = new SleepingClock();
  const limiter = new FailureLimiter(clock, new MemoryMetrics(), {
    failuresMax: 3,
    windowMs: 60_000,
  });
  for (let at = 0; at < 3; at += 1) {
    assert.equal(limiter.waitMs("192.0.2.1"), 0);
    limiter.failed("192.0.2.1");
    clock.nowMs += 1000;
  }
  assert.equal(limiter.waitMs("192.0.2.1"), 57_000);
  assert.equal(limiter.waitMs("192.0.2.2"), 0);
  clock.nowMs += 57_000;
  assert.equal(limiter.waitMs("192.0.2.1"), 0, "the first failure is forgotten");
  limiter.failed("192.0.2.1");
  assert.ok(limiter.waitMs("192.0.2.1") > 0);
  for (let at = 0; at < 3; at += 1) limiter.failed(`2001:db8::${at}`);
  assert.ok(limiter.waitMs("2001:db8::ffff") > 0, "a /64 is one host's");
  assert.equal(limiter.waitMs("2001:db8:0:1::"), 0);
});
