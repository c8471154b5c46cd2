// Whatever fails while a store is opened or closed, no file of it stays open: Node ends a process
// that leaves a file to its collector, and a failing disk is opened again and again.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isStoreError } from "../../services/lib/base/errors.ts";
import { type DiskOperation, SimDisk } from "../sim/disk.ts";
import { createSimKvFactory } from "../sim/kv.ts";
import { entries, openLog } from "../unit/metadata/log-rig.ts";
import { makeShard, openStore, writeShard } from "../unit/storage/store-fixture.ts";
import { WatchedDisk } from "./watched-disk.ts";

/** Every operation of `work` fails once, each in a run of its own; returns how many there are. */
async function failEach(
  prepare: () => Promise<SimDisk>,
  work: (disk: WatchedDisk) => Promise<void>,
): Promise<number> {
  for (let failing = 1; ; failing += 1) {
    const disk = await prepare();
    const first = disk.operationCount;
    let isReached = false;
    disk.fault = ({ number, kind }: DiskOperation) => {
      if (number !== first + failing || kind === "close") return undefined;
      isReached = true;
      return "io";
    };
    const watched = new WatchedDisk(disk);
    await work(watched).catch((error: unknown) => {
      if (!isStoreError(error)) throw error;
    });
    assert.deepEqual(watched.openPaths, [], `operation ${failing} fails`);
    if (!isReached && disk.operationCount < first + failing) return failing;
  }
}

const start = { index: 1, term: 1, confState: new Uint8Array(0) };

test("the Raft log, opened, written and closed", async () => {
  const prepare = async (): Promise<SimDisk> => {
    const disk = new SimDisk();
    const log = await openLog(disk, { segmentBytes: 900 });
    await log.append([{ groupId: 1, start }]);
    for (let index = 1; index < 20; index += 1) {
      await log.append([{ groupId: 1, entries: entries(index + 1, index + 1, 1, 60) }]);
    }
    disk.kill();
    return disk;
  };
  const count = await failEach(prepare, async (disk) => {
    const log = await openLog(disk, { segmentBytes: 900 });
    try {
      await log.append([{ groupId: 1, entries: entries(21, 24, 1, 60) }]);
    } finally {
      await log.close();
    }
  });
  assert.ok(count > 20, `${count} operations`);
});

test("a shard store, opened", async () => {
  const prepare = async (): Promise<SimDisk> => {
    const disk = new SimDisk();
    const store = await openStore({ disk });
    for (let number = 0; number < 12; number += 1) {
      await writeShard(store, makeShard(number, { bytes: 6000, cellBytes: 2048 }));
    }
    disk.kill();
    return disk;
  };
  const count = await failEach(prepare, async (disk) => {
    const store = await openStore({ disk, kvFactory: createSimKvFactory(disk) });
    await store.close();
  });
  assert.ok(count > 40, `${count} operations`);
});
