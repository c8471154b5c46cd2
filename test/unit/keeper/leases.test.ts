// Leases: one holder at a time, renewed while work goes on, given back, with a note for the next.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import {
  type HeldLease,
  type LeaseDeps,
  TaskLease,
  withLease,
} from "../../../services/keeper/leases.ts";
import { deferred } from "../../../services/lib/base/bounded.ts";
import { utf8 } from "../../../services/lib/base/bytes.ts";
import { StoreError } from "../../../services/lib/base/errors.ts";
import { NEVER, Rig } from "./rig.ts";

function holder(rig: Rig, name: string, leaseMs = 10_000): LeaseDeps {
  const { metadata, clock, log } = rig;
  return { metadata, clock, log, holder: name, leaseMs };
}

async function noteOf(rig: Rig, name: string): Promise<string> {
  let note = "";
  await withLease(
    holder(rig, "reader"),
    name,
    async (_signal, lease) => {
      note = Buffer.from(lease.note).toString();
    },
    NEVER,
  );
  return note;
}

/** Runs `work` under a lease that ends when the test says so. */
async function hold(rig: Rig, name: string, leaseMs?: number) {
  const started = deferred<{ signal: AbortSignal; lease: HeldLease }>();
  const end = deferred<void>();
  const done = withLease(
    holder(rig, name, leaseMs),
    "task",
    async (signal, lease) => {
      started.resolve({ signal, lease });
      await end.promise;
    },
    NEVER,
  );
  return { ...(await started.promise), end: end.resolve, done };
}

async function open(context: TestContext): Promise<Rig> {
  return Rig.open(context);
}

test("one holder at a time; the next one may have it at once when it is given back", async (t) => {
  const rig = await open(t);
  const first = await hold(rig, "a");
  const work = async (): Promise<void> => assert.fail("two at once");
  assert.equal(await withLease(holder(rig, "b"), "task", work, NEVER), false);
  first.end();
  assert.equal(await first.done, true);
  const second = await hold(rig, "b");
  second.end();
  assert.equal(await second.done, true);
});

test("a lease is given back when its work fails, and the failure comes through", async (t) => {
  const rig = await open(t);
  const work = async (): Promise<void> => {
    throw new StoreError("io", "broken");
  };
  await assert.rejects(withLease(holder(rig, "a"), "task", work, NEVER), { code: "io" });
  const next = await hold(rig, "b");
  next.end();
  await next.done;
});

test("a lease that goes on is renewed, and one that is lost stops its work", async (t) => {
  const rig = await open(t);
  const { signal, end, done } = await hold(rig, "a", 60);
  const lost = new Promise((resolve) => signal.addEventListener("abort", resolve));
  const renewals = (): number => rig.calls.filter((call) => call === "acquireLease").length;
  while (renewals() < 4) await rig.clock.sleep(5);
  assert.equal(signal.aborted, false);
  // Renewals do not get through until the leaders' clocks say that it ran out, and it is another's.
  rig.fault = () => {
    throw new StoreError("denied", "no answer");
  };
  rig.clock.shiftMs += 1000;
  const value = { name: "task", holder: "thief", ttlMs: 60_000n };
  await rig.execute(1, { case: "acquireLease", value });
  rig.fault = () => undefined;
  await lost;
  end();
  await done;
});

test("silence of the metadata service ends the work when the lease has run out", async (t) => {
  const rig = await open(t);
  const { signal, end, done } = await hold(rig, "a", 60);
  rig.fault = () => {
    throw new StoreError("denied", "no answer");
  };
  await new Promise((resolve) => signal.addEventListener("abort", resolve));
  end();
  await done;
  const messages = rig.log.lines.map(({ message }) => message);
  assert.ok(messages.includes("lease not released"));
});

test("a note stays for whoever holds the lease next", async (t) => {
  const rig = await open(t);
  assert.equal(await noteOf(rig, "walk"), "");
  const write = async (_signal: AbortSignal, lease: HeldLease): Promise<void> => {
    await lease.write(utf8("half way"));
  };
  await withLease(holder(rig, "a"), "walk", write, NEVER);
  assert.equal(await noteOf(rig, "walk"), "half way");
  assert.equal(await noteOf(rig, "another"), "");
});

test("who lost the lease can no longer write its note", async (t) => {
  const rig = await open(t);
  const { lease, end, done } = await hold(rig, "a");
  rig.clock.shiftMs += 20_000;
  const value = { name: "task", holder: "thief", ttlMs: 60_000n };
  await rig.execute(1, { case: "acquireLease", value });
  await assert.rejects(lease.write(utf8("mine")), { code: "conflict" });
  end();
  await done;
});

test("the time of the grant is the leader's", async (t) => {
  const rig = await open(t);
  const { lease, end, done } = await hold(rig, "a");
  assert.ok(Math.abs(lease.grantedMs - rig.clock.wallMs()) < 5000);
  end();
  await done;
});

function asked(rig: Rig): number {
  return rig.calls.filter((call) => /^(acquire|release)Lease$/.test(call)).length;
}

test("a lease that is kept costs nothing from round to round, and is given back once", async (t) => {
  const rig = await open(t);
  const lease = new TaskLease(holder(rig, "a", 60_000), "task");
  const seen: string[] = [];
  for (const note of ["one", "two", "three"]) {
    const work = async (_signal: AbortSignal, held: HeldLease): Promise<void> => {
      seen.push(Buffer.from(held.note).toString());
      if (note === "two") await held.write(utf8("half way"));
    };
    assert.equal(await lease.run(work, NEVER), true);
  }
  assert.deepEqual(seen, ["", "", "half way"]);
  assert.equal(asked(rig), 2, "one grant, one note");
  const other = async (): Promise<void> => assert.fail("two at once");
  assert.equal(await withLease(holder(rig, "b"), "task", other, NEVER), false);
  await lease.release();
  await lease.release();
  const next = await hold(rig, "b");
  next.end();
  await next.done;
});

test("a kept lease is asked for anew when half of it is gone, and given up to who has it", async (t) => {
  const rig = await open(t);
  const lease = new TaskLease(holder(rig, "a", 100), "task");
  const nothing = async (): Promise<void> => undefined;
  assert.equal(await lease.run(nothing, NEVER), true);
  await rig.clock.sleep(60);
  const before = asked(rig);
  assert.equal(await lease.run(nothing, NEVER), true);
  assert.ok(asked(rig) > before);
  rig.clock.shiftMs += 1000;
  const value = { name: "task", holder: "thief", ttlMs: 60_000n };
  await rig.execute(1, { case: "acquireLease", value });
  await rig.clock.sleep(100);
  assert.equal(await lease.run(async () => assert.fail("two at once"), NEVER), false);
});

test("a kept lease is given back when its work fails", async (t) => {
  const rig = await open(t);
  const lease = new TaskLease(holder(rig, "a"), "task");
  const work = async (): Promise<void> => {
    throw new StoreError("io", "broken");
  };
  await assert.rejects(lease.run(work, NEVER), { code: "io" });
  const next = await hold(rig, "b");
  next.end();
  await next.done;
});
