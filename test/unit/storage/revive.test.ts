// A failed disk comes back without a restart of the process: only the same disk, only once it can
// be written, and only with what is power-safe; until then it stays failed. It is tried again by
// itself, more and more rarely, and at once on an operator's word.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { HeartbeatResponseSchema } from "../../../services/lib/gen/dolium/cluster/v1/cluster_pb.ts";
import { Outcome, ReplySchema } from "../../../services/lib/gen/dolium/record/v1/command_pb.ts";
import type { Disk } from "../../../services/lib/ports/disk.ts";
import { DiskSet } from "../../../services/storage/disk-set.ts";
import { createStorageMetrics } from "../../../services/storage/storage-metrics.ts";
import { StorageNode } from "../../../services/storage/storage-node.ts";
import { SimClock, settle } from "../../sim/clock.ts";
import { SimDisk } from "../../sim/disk.ts";
import { recordingLog, silentMetrics } from "../../sim/observers.ts";
import { createSimRandom } from "../../sim/random.ts";
import { createSimKvFactory } from "./sim-kv.ts";
import { codeOf, makeShard, openStore, readShard, SMALL, writeShard } from "./store-fixture.ts";

const PATIENT = new AbortController().signal;

function setDeps(disk: Disk, clock = new SimClock()) {
  return {
    disk,
    clock,
    random: createSimRandom(3),
    log: recordingLog(),
    metrics: createStorageMetrics(silentMetrics()),
    kvFactory: createSimKvFactory(disk),
  };
}

async function openSet(disk: Disk, folders: readonly string[] = ["a", "b"]): Promise<DiskSet> {
  const set = await DiskSet.open(setDeps(disk), folders, SMALL);
  set.assignIds(folders.map((_, index) => index + 1));
  return set;
}

/** Fails the next sync of a segment of disk `folder`. */
async function breakDisk(disk: SimDisk, set: DiskSet, folder: string): Promise<void> {
  disk.fault = ({ kind, path }) =>
    kind === "datasync" && path.startsWith(`${folder}/segments`) ? "io" : undefined;
  const store = set.slots.find((slot) => slot.folder === folder)?.store;
  assert.ok(store !== undefined);
  const writes = [90, 91, 92].map((number) => codeOf(writeShard(store, makeShard(number))));
  assert.deepEqual(await Promise.all(writes), ["io", "io", "io"]);
}

test("a disk that works again serves what it had, and takes writes; the others never notice", async () => {
  const disk = new SimDisk();
  const set = await openSet(disk);
  const kept = [1, 2, 3].map((number) => makeShard(number));
  for (const shard of kept) await writeShard(set.store(1), shard);
  await breakDisk(disk, set, "a");
  assert.equal(set.isFailed(0), true);
  // The folder can be written, but the copies meet the fault: the disk stays failed.
  assert.equal(await codeOf(set.revive(0, PATIENT)), "io");
  assert.equal(set.isFailed(0), true);
  disk.fault = undefined;
  await set.revive(0, PATIENT);
  assert.equal(set.isFailed(0), false);
  for (const shard of kept) {
    assert.ok(Buffer.from(await readShard(set.store(1), shard.name)).equals(shard.body));
  }
  await writeShard(set.store(1), makeShard(4));
  await writeShard(set.store(2), makeShard(5));
  await set.close();
});

test("while it cannot be written, it stays failed and goes on reading", async () => {
  const disk = new SimDisk();
  const set = await openSet(disk);
  const kept = makeShard(1);
  await writeShard(set.store(1), kept);
  await breakDisk(disk, set, "a");
  disk.fault = ({ kind, path }) =>
    (kind === "datasync" || kind === "write") && path.startsWith("a/") ? "io" : undefined;
  assert.equal(await codeOf(set.revive(0, PATIENT)), "io");
  assert.equal(set.isFailed(0), true);
  assert.ok(Buffer.from(await readShard(set.store(1), kept.name)).equals(kept.body));
  assert.equal(await codeOf(writeShard(set.store(1), makeShard(2))), "io");
  await set.close();
});

test("what a failed sync left in memory only is copied: a power cut afterwards takes nothing shown", async () => {
  const disk = new SimDisk();
  const set = await openSet(disk, ["a"]);
  const acked = [1, 2, 3, 4].map((number) => makeShard(number));
  for (const shard of acked) await writeShard(set.store(1), shard);
  await breakDisk(disk, set, "a");
  disk.fault = undefined;
  await set.revive(0, PATIENT);
  const shown = await set.store(1).list(undefined, 100);
  assert.ok(shown.length >= acked.length);
  disk.crash("none");
  const again = await openStore({ disk }, {}, "a");
  for (const shard of acked) {
    assert.ok(Buffer.from(await readShard(again, shard.name)).equals(shard.body));
  }
  for (const { shard } of shown) assert.equal(await again.stat(shard.name, true), "present");
  await again.close();
});

test("another disk, an empty folder or a copy in its place is refused, and never formatted", async () => {
  const disk = new SimDisk();
  const set = await openSet(disk);
  await breakDisk(disk, set, "a");
  disk.fault = undefined;
  await disk.rename("a/disk.json", "a/away");
  assert.equal(await codeOf(set.revive(0, PATIENT)), "io");
  assert.equal(await disk.exists("a/disk.json"), false);
  const other = await disk.open("a/disk.json", "create");
  await other.write([disk.content("b/disk.json")], 0);
  await other.close();
  assert.equal(await codeOf(set.revive(0, PATIENT)), "conflict");
  assert.equal(set.isFailed(0), true);
  await disk.remove("a/disk.json");
  await disk.rename("a/away", "a/disk.json");
  await set.revive(0, PATIENT);
  assert.equal(set.isFailed(0), false);
  await set.close();
});

test("a disk that could not be opened at the start is opened later", async () => {
  const disk = new SimDisk();
  await (await openSet(disk)).close();
  disk.fault = ({ path }) => (path.startsWith("b/segments") ? "io" : undefined);
  const set = await openSet(disk);
  assert.equal(await codeOf(set.revive(1, PATIENT)), "io");
  disk.fault = undefined;
  await set.revive(1, PATIENT);
  await writeShard(set.store(2), makeShard(1));
  await set.close();
});

test("running calls end before the disk is opened anew", async () => {
  const disk = new SimDisk();
  const set = await openSet(disk, ["a"]);
  const shard = makeShard(1, { bytes: 4000 });
  const store = set.store(1);
  await writeShard(store, shard);
  await breakDisk(disk, set, "a");
  disk.fault = undefined;
  const reading = store.readCells(shard.name, { firstCell: 0, cellCount: 0 });
  await reading.next();
  const impatient = new AbortController();
  const reviving = codeOf(set.revive(0, impatient.signal));
  for (let turn = 0; turn < 20; turn += 1) await settle();
  assert.throws(() => set.store(1), { code: "io" });
  assert.equal(await codeOf(readShard(store, shard.name)), "unavailable");
  assert.equal(await codeOf(store.stat(shard.name, false)), "unavailable", "never: missing");
  impatient.abort();
  assert.equal(await reviving, "aborted");
  assert.equal(set.isFailed(0), true);
  while ((await reading.next()).done !== true);
  await set.revive(0, PATIENT);
  assert.ok(Buffer.from(await readShard(set.store(1), shard.name)).equals(shard.body));
  await set.close();
});

test("a node tries a failed disk again by itself, more and more rarely, and at once when told", async () => {
  const disk = new SimDisk();
  const clock = new SimClock();
  const value = { nodeId: 7, diskIds: [20, 21], mapEpoch: 1n };
  const node = new StorageNode(
    {
      ...setDeps(disk, clock),
      metrics: silentMetrics(),
      metadata: {
        execute: async () =>
          create(ReplySchema, { outcome: Outcome.OK, kind: { case: "registerNode", value } }),
        heartbeat: async () => create(HeartbeatResponseSchema, {}),
      },
    },
    {
      name: "s1",
      address: "127.0.0.1:7100",
      campus: "",
      rack: "",
      host: "h1",
      folders: ["a", "b"],
      version: "1",
      settings: { ...SMALL, failedRetryMsMin: 5000, failedRetryMsMax: 60_000 },
    },
  );
  await node.start();
  const after = (ms: number): Promise<void> => clock.run(clock.monotonicMs() + ms);
  await after(2000);
  await breakDisk(disk, node.disks, "a");
  let probes = 0;
  disk.fault = ({ kind, path }) => {
    if (kind !== "datasync" || !path.startsWith("a/")) return undefined;
    if (path === "a/write-probe") probes += 1;
    return "io";
  };
  await after(4000);
  assert.equal(probes, 0);
  await after(3000);
  assert.equal(probes, 1);
  await after(300_000);
  assert.ok(probes >= 5 && probes <= 9, `${probes} tries in five minutes`);
  assert.equal(await codeOf(node.retryDisk(0)), "io");
  disk.fault = undefined;
  await node.retryDisk(0);
  assert.equal(node.disks.isFailed(0), false);
  await writeShard(node.disks.store(20), makeShard(3));
  await breakDisk(disk, node.disks, "a");
  disk.fault = undefined;
  await after(70_000);
  assert.equal(node.disks.isFailed(0), false, "by itself");
  await node.stop();
});
