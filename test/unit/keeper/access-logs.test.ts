// Access logs: every line that a gateway handed over is in exactly one log object, whatever fails
// in between, as long as there is somewhere to write it.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import type { KeeperDeps } from "../../../services/keeper/deps.ts";
import {
  cutBatches,
  type LogEntry,
  uniqueName,
} from "../../../services/keeper/logs/log-batches.ts";
import { StoreError } from "../../../services/lib/base/errors.ts";
import type { BucketRecord } from "../../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import { loggingDocument } from "../../../services/lib/s3/settings/logging.ts";
import { eventually } from "../../support/eventually.ts";
import { startOutbox } from "./outbox-rig.ts";
import { Rig } from "./rig.ts";

const INTERVAL_MS = 300_000;

interface World {
  readonly rig: Rig;
  readonly source: BucketRecord;
  readonly target: BucketRecord;
}

const DOCUMENT = loggingDocument({
  targetBucket: "logs",
  targetPrefix: "web/",
  keyFormat: { kind: "simple" },
});

async function open(context: TestContext, nodes = 0, document = DOCUMENT): Promise<World> {
  const rig = await Rig.open(context, nodes);
  const target = await rig.bucket("logs");
  return { rig, source: await rig.bucket("source", { logging: document }), target };
}

function startSession(context: TestContext, rig: Rig, changes: Partial<KeeperDeps> = {}) {
  const deps = rig.with(changes);
  return startOutbox(context, rig, deps);
}

async function append(rig: Rig, { bucketId, ...bucket }: BucketRecord, lines: string[]) {
  const groupId = rig.groupOf({ bucketId, ...bucket });
  const value = { bucketId, log: { lines } };
  await rig.execute(groupId, { case: "appendAccessLog", value });
}

async function untilEmpty(rig: Rig, bucket: BucketRecord): Promise<void> {
  const kind = { case: "listOutbox", value: { afterSequence: 0n, limit: 10 } } as const;
  await eventually("the outbox is empty", 60_000, async () =>
    (await rig.query(rig.groupOf(bucket), kind)).entries.length === 0 ? true : undefined,
  );
}

/** Lines of all log objects, in the order of their names. */
async function written({ rig, target }: World): Promise<string[]> {
  const lines: string[] = [];
  for (const key of await rig.keys(target)) {
    const text = (await rig.get(target, key))?.toString() ?? "";
    assert.ok(text.endsWith("\n"));
    lines.push(...text.slice(0, -1).split("\n"));
  }
  return lines;
}

test("lines of one interval become one object, named by time", async (t) => {
  const world = await open(t);
  const { rig, source, target } = world;
  // The beginning of an interval, so that all lines fall into it.
  rig.clock.shiftMs += INTERVAL_MS - (rig.clock.wallMs() % INTERVAL_MS);
  const startedMs = rig.clock.wallMs();
  await append(rig, source, ["one", "two"]);
  await append(rig, source, ["three ü"]);
  startSession(t, rig);
  rig.clock.shiftMs += INTERVAL_MS + 2000;
  await untilEmpty(rig, source);
  assert.deepEqual(await written(world), ["one", "two", "three ü"]);
  const [key = ""] = await rig.keys(target);
  const minute = new Date(startedMs).toISOString().slice(0, 16).replace(/[T:]/g, "-");
  assert.match(key, new RegExp(`^web/${minute}-\\d\\d-[0-9A-F]{16}$`));
  assert.equal(rig.metrics.values.get("access_log_lines_total"), 3);
  assert.equal(rig.metrics.values.get("access_log_objects_total"), 1);
});

test("an interval that goes on is not written yet", async (t) => {
  const world = await open(t);
  const { rig, source, target } = world;
  rig.clock.shiftMs += INTERVAL_MS - (rig.clock.wallMs() % INTERVAL_MS);
  await append(rig, source, ["one"]);
  const session = startSession(t, rig);
  const looks = (): number => rig.calls.filter((call) => call === "listOutbox").length;
  await eventually("it was looked at", 60_000, async () => (looks() > 8 ? true : undefined));
  await session.stop();
  assert.deepEqual(await rig.keys(target), []);
});

test("a keeper that dies after writing leaves nothing double", async (t) => {
  const world = await open(t);
  const { rig, source, target } = world;
  rig.clock.shiftMs += INTERVAL_MS - (rig.clock.wallMs() % INTERVAL_MS);
  await append(rig, source, ["one"]);
  await append(rig, source, ["two"]);
  rig.clock.shiftMs += INTERVAL_MS + 2000;
  rig.fault = (call) => {
    if (call === "finishOutbox") throw new StoreError("denied", "dead");
  };
  const first = startSession(t, rig);
  await eventually("it is written", 60_000, async () =>
    (await rig.keys(target)).length === 1 ? true : undefined,
  );
  await first.stop();
  rig.fault = () => undefined;
  startSession(t, rig);
  await untilEmpty(rig, source);
  assert.equal((await rig.keys(target)).length, 1);
  assert.deepEqual(await written(world), ["one", "two"]);
});

test("a lost answer to the write does not double a line", async (t) => {
  const world = await open(t);
  const { rig, source } = world;
  await append(rig, source, ["one"]);
  rig.clock.shiftMs += 2 * INTERVAL_MS + 2000;
  let lost = 0;
  rig.lostAnswer = (call) => {
    if (call !== "putObject" || lost > 0) return;
    lost += 1;
    throw new StoreError("denied", "the answer was lost");
  };
  startSession(t, rig);
  await untilEmpty(rig, source);
  assert.equal(lost, 1);
  assert.deepEqual(await written(world), ["one"]);
});

test("an object ends at its size; large ones lie on the storage nodes", async (t) => {
  const world = await open(t, 3);
  const { rig, source, target } = world;
  const lines = Array.from({ length: 40 }, (_, at) => `${at} ${"x".repeat(2000)}`);
  for (const line of lines) await append(rig, source, [line]);
  startSession(t, rig, { accessLogs: { ...rig.deps.accessLogs, objectBytes: 40_000 } });
  rig.clock.shiftMs += 2 * INTERVAL_MS;
  await untilEmpty(rig, source);
  const found = await written(world);
  assert.deepEqual(found.toSorted(), lines.toSorted());
  assert.ok((await rig.keys(target)).length >= 2);
  assert.ok((await rig.shardCount()) >= 6);
});

test("two buckets with one prefix do not write over each other", async (t) => {
  const world = await open(t);
  const { rig, source } = world;
  const other = await rig.bucket("other", { logging: DOCUMENT });
  await append(rig, source, ["from source"]);
  await append(rig, other, ["from other"]);
  rig.clock.shiftMs += 2 * INTERVAL_MS;
  startSession(t, rig);
  await untilEmpty(rig, source);
  await untilEmpty(rig, other);
  assert.deepEqual((await written(world)).toSorted(), ["from other", "from source"]);
});

test("partitioned names carry owner, region, bucket and day", async (t) => {
  const keyFormat = { kind: "partitioned", dateSource: "EventTime" } as const;
  const logging = { targetBucket: "logs", targetPrefix: "p/", keyFormat };
  const { rig, source, target } = await open(t, 0, loggingDocument(logging));
  await append(rig, source, ["one"]);
  const day = new Date(rig.clock.wallMs()).toISOString().slice(0, 10);
  rig.clock.shiftMs += 2 * INTERVAL_MS;
  startSession(t, rig);
  await untilEmpty(rig, source);
  const [key = ""] = await rig.keys(target);
  const folder = `p/root/us-east-1/source/${day.replaceAll("-", "/")}/${day}-00-00-00-`;
  assert.ok(key.startsWith(folder), key);
});

test("without a target bucket lines wait, then are written, or are given up", async (t) => {
  const rig = await Rig.open(t);
  const source = await rig.bucket("source", { logging: DOCUMENT });
  await append(rig, source, ["one"]);
  rig.clock.shiftMs += 2 * INTERVAL_MS;
  const accessLogs = { ...rig.deps.accessLogs, giveUpAfterMs: 3_600_000 };
  startSession(t, rig, { accessLogs });
  await eventually("it fails", 60_000, async () =>
    (rig.metrics.values.get("access_log_failures_total") ?? 0) > 1 ? true : undefined,
  );
  const target = await rig.bucket("logs");
  await untilEmpty(rig, source);
  assert.deepEqual(await written({ rig, source, target }), ["one"]);
  await rig.change(source, { settings: { logging: DOCUMENT.replace(">logs<", ">gone<") } });
  await append(rig, source, ["two"]);
  rig.clock.shiftMs += 3_700_000;
  await untilEmpty(rig, source);
  assert.equal(rig.metrics.values.get("access_log_dropped_lines_total"), 1);
});

test("lines of a bucket that keeps no log any more are dropped and counted", async (t) => {
  const { rig, source, target } = await open(t);
  await append(rig, source, ["one", "two"]);
  await rig.change(source, { settings: { logging: "" } });
  rig.clock.shiftMs += 2 * INTERVAL_MS;
  startSession(t, rig);
  await untilEmpty(rig, source);
  assert.deepEqual(await rig.keys(target), []);
  assert.equal(rig.metrics.values.get("access_log_dropped_lines_total"), 2);
});

const entries = fc
  .array(fc.record({ gapMs: fc.integer({ min: -50, max: 400 }), bytes: fc.nat(60) }), {
    maxLength: 40,
  })
  .map((steps): LogEntry[] => {
    let timeMs = 10_000;
    return steps.map(({ gapMs, bytes }, at) => {
      timeMs += gapMs;
      return { sequence: BigInt(at + 1), timeMs, lines: [`${at}`], bytes };
    });
  });
const cuts = { intervalMs: 500, objectBytes: 100, entriesMax: 5 };

test("cuts do not depend on when one looks, and every entry is in one batch", () => {
  fc.assert(
    fc.property(entries, fc.nat(40), fc.nat(20_000), (all, seen, laterMs) => {
      const whole = cutBatches(all, cuts, Number.MAX_SAFE_INTEGER);
      assert.deepEqual(
        whole.flatMap((batch) => batch.entries),
        all,
      );
      const early = cutBatches(all.slice(0, seen), cuts, 10_000 + laterMs);
      for (const [at, batch] of early.entries()) {
        const last = at === early.length - 1;
        const same = whole[at]?.entries ?? [];
        // What was cut early begins where the whole does, and only the last one may go on.
        assert.deepEqual(same.slice(0, batch.entries.length), batch.entries);
        if (!last) assert.equal(same.length, batch.entries.length);
      }
    }),
  );
});

test("names differ by group, bucket and first entry, and by nothing else", () => {
  const names = [uniqueName(2, 3, 4n), uniqueName(3, 3, 4n), uniqueName(2, 4, 4n)];
  names.push(uniqueName(2, 3, 5n));
  assert.equal(new Set(names).size, 4);
  assert.equal(uniqueName(2, 3, 4n), names[0]);
});
