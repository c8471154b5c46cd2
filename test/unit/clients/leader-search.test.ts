// A call to a leader does not wait for a replica that is silent: it asks the next one too, never
// the same one twice at a time, and takes the first answer.
import assert from "node:assert/strict";
import { test } from "node:test";
import { StoreError } from "../../../services/lib/base/errors.ts";
import {
  type Found,
  LeaderSearch,
  type LeaderSearchTimes,
} from "../../../services/lib/clients/leader-search.ts";
import { createClock } from "../../../services/lib/host/clock.ts";
import { createRandom } from "../../../services/lib/host/random.ts";
import type { Clock } from "../../../services/lib/ports/clock.ts";
import { SimClock } from "../../sim/clock.ts";

const TIMES: LeaderSearchTimes = { deadlineMs: 60_000, attemptMs: 60_000, hedgeMs: 20 };
const NEVER = Promise.withResolvers<never>().promise;

interface Run {
  readonly found: Promise<Found<string>>;
  /** Who was asked, in order. */
  readonly asked: string[];
}

function search(
  replicas: Readonly<Record<string, () => Promise<string>>>,
  options: {
    readonly times?: LeaderSearchTimes;
    readonly signal?: AbortSignal;
    readonly clock?: Clock;
  } = {},
): Run {
  const asked: string[] = [];
  const names = Object.keys(replicas);
  const { times = TIMES, clock = createClock(), ...call } = options;
  const found = new LeaderSearch<string>(
    {
      clock,
      random: createRandom(),
      next: (busy) => names.find((name) => !busy.has(name)),
      noteFailure: (_address, error) => error.leaderHint,
    },
    times,
    {
      options: call,
      attempt: async (address) => {
        asked.push(address);
        return replicas[address]?.() ?? NEVER;
      },
    },
  ).run();
  return { found, asked };
}

function notLeader(leaderHint: string): () => Promise<string> {
  return async () => {
    throw new StoreError("not-leader", "another one leads", { leaderHint });
  };
}

test("a silent replica is not waited for", async () => {
  const { found, asked } = search({ a: () => NEVER, b: () => NEVER, c: async () => "c leads" });
  assert.deepEqual(await found, { address: "c", result: "c leads" });
  assert.deepEqual(asked, ["a", "b", "c"]);
});

test("the leader that was only slow is heard, and asked once", async () => {
  const slow = Promise.withResolvers<string>();
  let refusals = 0;
  const { found, asked } = search({
    a: () => slow.promise,
    b: async () => {
      refusals += 1;
      if (refusals === 3) slow.resolve("a leads");
      throw new StoreError("not-leader", "a leads", { leaderHint: "a" });
    },
  });
  assert.deepEqual(await found, { address: "a", result: "a leads" });
  assert.equal(asked.filter((name) => name === "a").length, 1);
});

test("a new leader that a follower names is asked at once", async () => {
  const times = { ...TIMES, hedgeMs: 50 };
  const replicas = { a: () => NEVER, b: notLeader("d"), c: () => NEVER, d: async () => "d leads" };
  const { found, asked } = search(replicas, { times });
  assert.equal((await found).address, "d");
  assert.deepEqual(asked, ["a", "b", "d"]);
});

test("silence to the end: the outcome is unknown", async () => {
  const times = { ...TIMES, deadlineMs: 100 };
  const { found } = search({ a: () => NEVER, b: notLeader("a") }, { times });
  await assert.rejects(found, { code: "timeout" });
});

test("refusals to the end: it did not happen", async () => {
  const times = { ...TIMES, deadlineMs: 100 };
  const away = async (): Promise<never> => {
    throw new StoreError("unavailable", "away");
  };
  const { found } = search({ a: away, b: away }, { times });
  await assert.rejects(found, { code: "unavailable" });
});

test("what no replica would answer better ends the call, others under way or not", async () => {
  const invalid = async (): Promise<never> => {
    throw new StoreError("invalid", "no such command");
  };
  const { found, asked } = search({ a: () => NEVER, b: invalid, c: async () => "late" });
  await assert.rejects(found, { code: "invalid" });
  assert.deepEqual(asked, ["a", "b"]);
});

test("a caller that gives up ends the pause between attempts", async () => {
  const stop = new AbortController();
  const away = async (): Promise<never> => {
    stop.abort();
    throw new StoreError("unavailable", "away");
  };
  const { found, asked } = search({ a: away }, { signal: stop.signal });
  await assert.rejects(found, { code: "aborted" });
  assert.equal(asked.length, 1);
});

test("with two replicas cut off, the third answers within a second of its election", async () => {
  const clock = new SimClock();
  const beganMs = clock.monotonicMs();
  const electedMs = beganMs + 2000;
  const third = async (): Promise<string> => {
    if (clock.monotonicMs() >= electedMs) return "c leads";
    throw new StoreError("not-leader", "nobody leads");
  };
  const times = { deadlineMs: 10_000, attemptMs: 3000, hedgeMs: 500 };
  const replicas = { a: () => NEVER, b: () => NEVER, c: third };
  const { found } = search(replicas, { times, clock });
  let answeredMs = Number.POSITIVE_INFINITY;
  const noted = found.then(({ address }) => {
    answeredMs = clock.monotonicMs();
    assert.equal(address, "c");
  });
  await clock.run(beganMs + 9000);
  await noted;
  assert.ok(answeredMs < electedMs + 1000, `answered ${answeredMs - electedMs} ms after it`);
});
