// The queue of access-log lines: batches, order, failures, bounds, and what happens at the end.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { AccessLogQueue } from "../../../services/gateway/data/access-log.ts";
import { BucketSettings } from "../../../services/gateway/data/bucket-settings.ts";
import type { Gateway } from "../../../services/gateway/operation.ts";
import { AccessLogging, type ServedRequest } from "../../../services/gateway/plugins/access-log.ts";
import { StoreError } from "../../../services/lib/base/errors.ts";
import type { CommandKind } from "../../../services/lib/clients/metadata-client.ts";
import {
  type BucketRecord,
  BucketRecordSchema,
} from "../../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import { Outcome, ReplySchema } from "../../../services/lib/gen/dolium/record/v1/command_pb.ts";
import type { Clock } from "../../../services/lib/ports/clock.ts";
import { MemoryLog, MemoryMetrics } from "./memory-gateway.ts";

/** Time that passes when a test says so. */
class ManualTimers implements Pick<Clock, "after"> {
  #waiting: (() => void)[] = [];

  after(_ms: number, run: () => void): { cancel(): void } {
    this.#waiting.push(run);
    return {
      cancel: () => {
        this.#waiting = this.#waiting.filter((one) => one !== run);
      },
    };
  }

  fire(): void {
    for (const run of this.#waiting.splice(0)) run();
  }
}

interface Rig {
  readonly queue: AccessLogQueue;
  readonly timers: ManualTimers;
  readonly metrics: MemoryMetrics;
  /** One array a command. */
  readonly batches: string[][];
  failure: StoreError | undefined;
}

function rig(): Rig {
  const timers = new ManualTimers();
  const metrics = new MemoryMetrics();
  const batches: string[][] = [];
  const execute = async (groupId: number, kind: CommandKind) => {
    assert.equal(groupId, 2);
    if (made.failure !== undefined) throw made.failure;
    assert.equal(kind.case, "appendAccessLog");
    if (kind.case === "appendAccessLog") batches.push([...(kind.value.log?.lines ?? [])]);
    return create(ReplySchema, { outcome: Outcome.OK });
  };
  const clock: Clock = {
    wallMs: () => 0,
    monotonicMs: () => 0,
    sleep: async () => undefined,
    after: (ms, run) => timers.after(ms, run),
  };
  const deps = { metadata: { execute }, buckets: { groupsOf: () => [2, 3] }, clock };
  const queue = new AccessLogQueue({ ...deps, log: new MemoryLog(), metrics });
  const made: Rig = { queue, timers, metrics, batches, failure: undefined };
  return made;
}

function bucketOf(bucketId: number): BucketRecord {
  return create(BucketRecordSchema, { bucketId, name: `bucket-${bucketId}` });
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

test("lines wait for the second to be over, and go in order, one command a bucket", async () => {
  const { queue, timers, batches } = rig();
  queue.add(bucketOf(1), "a");
  queue.add(bucketOf(2), "x");
  queue.add(bucketOf(1), "b");
  await settled();
  assert.deepEqual(batches, []);
  timers.fire();
  await settled();
  assert.deepEqual(batches, [["a", "b"], ["x"]]);
});

test("200 lines do not wait", async () => {
  const { queue, batches } = rig();
  for (let index = 0; index < 200; index += 1) queue.add(bucketOf(1), `line ${index}`);
  await settled();
  assert.equal(batches.length, 1);
  assert.equal(batches[0]?.length, 200);
});

test("a command carries no more than 200 lines or 256 KiB, but at least one line", async () => {
  const { queue, timers, batches } = rig();
  for (let index = 0; index < 3; index += 1) queue.add(bucketOf(1), "y".repeat(200_000));
  queue.add(bucketOf(1), "z".repeat(400_000));
  timers.fire();
  await settled();
  assert.deepEqual(
    batches.map((lines) => lines.length),
    [1, 1, 1, 1],
  );
});

test("what fails is sent again, before what came later", async () => {
  const made = rig();
  made.failure = new StoreError("unavailable", "away");
  made.queue.add(bucketOf(1), "first");
  made.timers.fire();
  await settled();
  assert.deepEqual(made.batches, []);
  assert.equal(made.metrics.values.get("s3_access_log_failures_total"), 1);
  made.queue.add(bucketOf(1), "second");
  made.failure = undefined;
  made.timers.fire();
  await settled();
  assert.deepEqual(made.batches, [["first", "second"]]);
  assert.equal(made.metrics.values.get("s3_access_log_lines_total"), 2);
});

test("a batch that fails goes back in front of the rest", async () => {
  const made = rig();
  made.failure = new StoreError("unavailable", "away");
  const lines = Array.from({ length: 250 }, (_, index) => `line ${index}`);
  for (const line of lines) made.queue.add(bucketOf(1), line);
  await settled();
  made.failure = undefined;
  made.timers.fire();
  await settled();
  assert.deepEqual(made.batches.flat(), lines);
});

test("lines of a bucket that is gone are dropped and counted", async () => {
  const made = rig();
  made.failure = new StoreError("sealed", "gone");
  made.queue.add(bucketOf(1), "a");
  made.timers.fire();
  await settled();
  made.failure = undefined;
  await made.queue.close();
  assert.deepEqual(made.batches, []);
  const dropped = 's3_access_log_dropped_lines_total{reason="bucket-gone"}';
  assert.equal(made.metrics.values.get(dropped), 1);
});

test("past 16 MiB lines are dropped and counted, and later ones fit again", async () => {
  const made = rig();
  made.failure = new StoreError("unavailable", "away");
  const line = "l".repeat(1024 * 1024);
  for (let index = 0; index < 17; index += 1) made.queue.add(bucketOf(1), line);
  const dropped = 's3_access_log_dropped_lines_total{reason="queue-full"}';
  assert.equal(made.metrics.values.get(dropped), 1);
  made.failure = undefined;
  made.timers.fire();
  await settled();
  await settled();
  made.queue.add(bucketOf(1), "fits");
  await made.queue.close();
  assert.equal(made.batches.length, 17);
  assert.equal(made.metrics.values.get(dropped), 1);
});

test("closing hands over what waits, and gives up what cannot be handed over", async () => {
  const good = rig();
  good.queue.add(bucketOf(1), "last");
  await good.queue.close();
  assert.deepEqual(good.batches, [["last"]]);
  good.queue.add(bucketOf(1), "too late");
  const bad = rig();
  bad.failure = new StoreError("unavailable", "away");
  bad.queue.add(bucketOf(1), "lost");
  await bad.queue.close();
  const dropped = 's3_access_log_dropped_lines_total{reason="closed"}';
  assert.equal(bad.metrics.values.get(dropped), 1);
  assert.equal(good.metrics.values.get(dropped), 1);
});

test("a request to a known bucket without logging looks nothing up", async () => {
  const { queue, metrics } = rig();
  let lookups = 0;
  const known = new Map([["kept", bucketOf(1)]]);
  const buckets = {
    known: (name: string) => known.get(name),
    get: async (name: string) => {
      lookups += 1;
      return known.get(name);
    },
  };
  const dependencies = { buckets, metrics, log: new MemoryLog() };
  // What a record of the request needs, and no more.
  const gateway = { bucketSettings: new BucketSettings(), dependencies } as unknown as Gateway;
  const logging = new AccessLogging(gateway, queue);
  const served = (bucket: string) =>
    ({ request: { address: { bucket } } }) as unknown as ServedRequest;
  for (let at = 0; at < 10; at += 1) logging.record(served("kept"));
  assert.equal(lookups, 0);
  logging.record(served("another"));
  await settled();
  assert.equal(lookups, 1);
});
