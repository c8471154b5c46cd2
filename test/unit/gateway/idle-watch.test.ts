// One timer bounds many waits: each by its own beginning, none by what the time between them takes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { IdleWatch } from "../../../services/gateway/data/idle-watch.ts";
import type { Clock, Timer } from "../../../services/lib/ports/clock.ts";

/** A clock that stands still until it is told to move, and counts the timers it made. */
class HandClock implements Clock {
  nowMs = 0;
  made = 0;
  readonly timers = new Map<object, { readonly dueMs: number; readonly run: () => void }>();

  wallMs(): number {
    return this.nowMs;
  }

  monotonicMs(): number {
    return this.nowMs;
  }

  sleep(): Promise<void> {
    throw new Error("nobody sleeps here");
  }

  after(ms: number, run: () => void): Timer {
    const id = {};
    this.made += 1;
    this.timers.set(id, { dueMs: this.nowMs + ms, run });
    return { cancel: () => this.timers.delete(id) };
  }

  move(ms: number): void {
    this.nowMs += ms;
    for (const [id, { dueMs, run }] of [...this.timers]) {
      if (dueMs <= this.nowMs && this.timers.delete(id)) run();
    }
  }
}

function watched(): { readonly clock: HandClock; readonly watch: IdleWatch } {
  const clock = new HandClock();
  return { clock, watch: new IdleWatch(clock, 1000, () => new Error("late")) };
}

test("quick waits share one timer, and come to what they waited for", async () => {
  const { clock, watch } = watched();
  for (let at = 0; at < 100; at += 1) {
    assert.equal(await watch.over(() => Promise.resolve(at)), at);
    clock.move(5);
  }
  await assert.rejects(
    watch.over(() => Promise.reject(new Error("broken"))),
    /broken/,
  );
  assert.equal(clock.made, 1);
  watch.close();
  assert.equal(clock.timers.size, 0);
});

test("a wait is late by its own beginning", async () => {
  const { clock, watch } = watched();
  await watch.over(() => Promise.resolve());
  clock.move(900);
  const wait = Promise.withResolvers<string>();
  const over = watch.over(() => wait.promise);
  clock.move(999);
  assert.equal(clock.timers.size, 1, "it looked, and waits for the rest");
  wait.resolve("in time");
  assert.equal(await over, "in time");
  const late = watch.over(() => new Promise(() => undefined));
  const refused = assert.rejects(late, /late/);
  clock.move(1000);
  await refused;
});

test("time between waits counts for nothing", async () => {
  const { clock, watch } = watched();
  await watch.over(() => Promise.resolve());
  clock.move(10_000);
  assert.equal(clock.timers.size, 0);
  assert.equal(await watch.over(() => Promise.resolve(1)), 1);
  watch.close();
});

test("work that fails after it was late disturbs nobody", async () => {
  const { clock, watch } = watched();
  const work = Promise.withResolvers<void>();
  const refused = assert.rejects(
    watch.over(() => work.promise),
    /late/,
  );
  clock.move(1000);
  await refused;
  work.reject(new Error("too late to matter"));
  assert.equal(await watch.over(() => Promise.resolve("next")), "next");
  watch.close();
});
