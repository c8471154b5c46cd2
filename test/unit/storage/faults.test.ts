// Disks that fail or fill: a failed sync or write fails the disk for good and is never tried again;
// a full disk refuses writes, goes on reading and deleting, and recovers by itself; unreadable
// sectors cost their shard; a process without permission, and folders that are no disks, are
// refused.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { StoreError } from "../../../services/lib/base/errors.ts";
import { createClock } from "../../../services/lib/host/clock.ts";
import { createKvFactory } from "../../../services/lib/host/level-kv.ts";
import { createDisk } from "../../../services/lib/host/node-disk.ts";
import { createRandom } from "../../../services/lib/host/random.ts";
import type { Disk } from "../../../services/lib/ports/disk.ts";
import { DiskSet } from "../../../services/storage/disk-set.ts";
import { createStorageMetrics } from "../../../services/storage/storage-metrics.ts";
import { SimClock } from "../../sim/clock.ts";
import { SimDisk } from "../../sim/disk.ts";
import { recordingLog, silentMetrics } from "../../sim/observers.ts";
import { createSimRandom } from "../../sim/random.ts";
import { createSimKvFactory } from "./sim-kv.ts";
import {
  codeOf,
  deleteItem,
  makeShard,
  openStore,
  readShard,
  SMALL,
  type TestShard,
  writeShard,
} from "./store-fixture.ts";

test("a failed sync fails everyone waiting and the disk; it is not tried again", async () => {
  const disk = new SimDisk();
  const store = await openStore({ disk });
  const kept = makeShard(0);
  await writeShard(store, kept);
  let syncs = 0;
  disk.fault = ({ kind, path }) => {
    if (kind !== "datasync" || !path.endsWith(".seg")) return undefined;
    syncs += 1;
    return syncs === 1 ? "io" : undefined;
  };
  const writes = [1, 2, 3].map((number) => codeOf(writeShard(store, makeShard(number))));
  assert.deepEqual(await Promise.all(writes), ["io", "io", "io"]);
  assert.equal(store.status.condition, "failed");
  assert.equal(await codeOf(writeShard(store, makeShard(4))), "io");
  assert.equal(await codeOf(store.deleteShards([deleteItem(kept)])), "io");
  await store.maintain();
  assert.equal(store.status.condition, "failed");
  assert.equal(syncs, 1);
  assert.equal(Buffer.from(await readShard(store, kept.name)).equals(kept.body), true);
  for (const number of [1, 2, 3]) {
    assert.equal(await store.stat(makeShard(number).name, false), "missing");
  }
  await store.close();
});

for (const kind of ["write", "datasync", "sync-directory"] as const) {
  test(`every single ${kind} may fail with io: nothing acknowledged is lost`, async () => {
    for (let nth = 1; ; nth += 1) {
      const disk = new SimDisk();
      const store = await openStore({ disk });
      let seen = 0;
      disk.fault = (operation) => {
        if (operation.kind !== kind) return undefined;
        seen += 1;
        return seen === nth ? "io" : undefined;
      };
      const written: TestShard[] = [];
      const doomed = makeShard(50);
      let isDeleted = false;
      for (let number = 0; number < 20; number += 1) {
        const shard = makeShard(number, { bytes: 4000 });
        if ((await codeOf(writeShard(store, shard))) === "no error") written.push(shard);
        if (number === 5) await codeOf(writeShard(store, doomed));
        if (number === 9) {
          isDeleted = (await codeOf(store.deleteShards([deleteItem(doomed)]))) === "no error";
        }
        if (number === 12) await store.checkpoint().catch(() => undefined);
      }
      const ended = seen < nth;
      disk.fault = undefined;
      disk.crash("none");
      const again = await openStore({ disk });
      for (const shard of written) {
        assert.ok(Buffer.from(await readShard(again, shard.name)).equals(shard.body), `nth ${nth}`);
      }
      if (isDeleted && written.length > 5) {
        assert.equal(await again.stat(doomed.name, false), "missing");
      }
      await again.close();
      if (ended) break;
    }
  });
}

test("a full disk refuses writes, reads and deletes on, and takes writes again", async () => {
  const disk = new SimDisk({ capacityBytes: 400_000 });
  const clock = new SimClock();
  const store = await openStore({ disk, clock });
  const written: TestShard[] = [];
  for (let number = 0; number < 100; number += 1) {
    const shard = makeShard(number, { bytes: 6000 });
    const code = await codeOf(writeShard(store, shard));
    if (code === "no error") written.push(shard);
    else assert.equal(code, "no-space");
  }
  assert.ok(written.length > 30, `${written.length} written`);
  assert.equal(store.status.condition, "read-only");
  const { freeBytes } = await disk.usage("");
  assert.ok(freeBytes >= 20_000 * 0.9, `the reserve is kept: ${freeBytes}`);
  // Somebody else eats the reserve, to the last byte.
  const hog = await disk.open("hog", "create");
  await hog.write([new Uint8Array(freeBytes)], 0);
  for (const shard of written) {
    assert.ok(Buffer.from(await readShard(store, shard.name)).equals(shard.body));
  }
  const dead = written.filter((_, index) => index % 3 !== 0);
  assert.equal(await store.deleteShards(dead.map((shard) => deleteItem(shard))), dead.length);
  await hog.truncate(0);
  for (let round = 0; round < 40; round += 1) await store.maintain();
  assert.equal(store.status.condition, "up");
  const late = makeShard(200, { bytes: 6000 });
  await writeShard(store, late);
  disk.crash("none");
  const again = await openStore({ disk, clock });
  for (const shard of dead) assert.equal(await again.stat(shard.name, false), "missing");
  const alive = written.filter((_, index) => index % 3 === 0);
  for (const shard of [...alive, late]) {
    assert.ok(Buffer.from(await readShard(again, shard.name)).equals(shard.body));
  }
  await again.close();
});

test("deletes free whole segments even on a disk without one free byte", async () => {
  const disk = new SimDisk({ capacityBytes: 300_000 });
  const store = await openStore({ disk }, { reserveFraction: 0 });
  const written: TestShard[] = [];
  for (let number = 0; number < 60; number += 1) {
    const shard = makeShard(number, { bytes: 6000 });
    if ((await codeOf(writeShard(store, shard))) === "no error") written.push(shard);
  }
  assert.equal(store.status.condition, "read-only");
  const before = store.status.usedBytes;
  assert.equal(await store.deleteShards(written.map((shard) => deleteItem(shard))), written.length);
  for (let round = 0; round < 40; round += 1) await store.maintain();
  assert.ok(store.status.usedBytes < before / 4, `${store.status.usedBytes} of ${before}`);
  assert.equal(store.status.condition, "up");
  await writeShard(store, makeShard(99));
  await store.close();
});

test("an unreadable sector costs its shard, is listed, and many fail the disk", async () => {
  const disk = new SimDisk();
  const store = await openStore({ disk }, { readErrorsMax: 4 });
  const shards = [0, 1].map((number) => makeShard(number));
  for (const shard of shards) await writeShard(store, shard);
  disk.fault = ({ kind }) => (kind === "read" ? "io" : undefined);
  const [a, b] = shards;
  assert.ok(a && b);
  assert.equal(await codeOf(readShard(store, a.name)), "io");
  disk.fault = undefined;
  assert.equal(await store.stat(a.name, false), "corrupt");
  assert.match(store.listBad(0, 9)[0]?.bad.reason ?? "", /unreadable/);
  assert.equal(await store.stat(b.name, true), "present");
  assert.equal(store.status.condition, "up");
  disk.fault = ({ kind }) => (kind === "read" ? "io" : undefined);
  for (let time = 0; time < 3; time += 1) await codeOf(readShard(store, b.name));
  assert.equal(store.status.condition, "failed");
  disk.fault = undefined;
  await store.close();
});

test("unreadable sectors do not keep a disk from being opened", async () => {
  const disk = new SimDisk();
  const store = await openStore({ disk });
  const shards = Array.from({ length: 5 }, (_, number) => makeShard(number, { bytes: 9000 }));
  for (const shard of shards) await writeShard(store, shard);
  disk.kill();
  let pieces = 0;
  disk.fault = ({ kind, path, bytes }) => {
    // The first big read of the scan fails, and one of its pieces for good.
    if (kind !== "read" || !path.endsWith("00000001.seg")) return undefined;
    if (bytes > 100_000) return "io";
    if (bytes === 4096) pieces += 1;
    return bytes === 4096 && pieces === 4 ? "io" : undefined;
  };
  const again = await openStore({ disk });
  disk.fault = undefined;
  const states = await Promise.all(shards.map((shard) => again.stat(shard.name, false)));
  assert.ok(states.filter((state) => state === "present").length >= 4, states.join());
  await again.close();
});

function setDeps(disk: Disk) {
  return {
    disk,
    clock: new SimClock(),
    random: createSimRandom(3),
    log: recordingLog(),
    metrics: createStorageMetrics(silentMetrics()),
    kvFactory: createSimKvFactory(disk),
  };
}

test("one disk that cannot be opened leaves the others alone and keeps its name", async () => {
  const disk = new SimDisk();
  const first = await DiskSet.open(setDeps(disk), ["a", "b", "c"], SMALL);
  const uuids = first.named.map(({ uuid }) => uuid);
  await first.close();
  disk.fault = ({ path }) => (path.startsWith("b/segments") ? "io" : undefined);
  const again = await DiskSet.open(
    { ...setDeps(disk), random: createSimRandom(4) },
    ["a", "b", "c"],
    SMALL,
  );
  assert.deepEqual(
    again.named.map(({ uuid }) => Buffer.from(uuid)),
    uuids.map((uuid) => Buffer.from(uuid)),
  );
  assert.deepEqual(
    again.slots.map(({ store }) => store !== undefined),
    [true, false, true],
  );
  assert.throws(() => again.store(5), { code: "unavailable" });
  again.assignIds([4, 5, 6]);
  assert.throws(() => again.store(5), { code: "io" });
  assert.throws(() => again.store(7), { code: "unavailable" });
  await writeShard(again.store(4), makeShard(1));
  await again.close();
});

test("a segment file that cannot be closed does not leave the index locked", async () => {
  const folder = await mkdtemp(join(tmpdir(), "dolium-unclosed-"));
  const real = createDisk(folder);
  let isBroken = false;
  const open: Disk["open"] = async (path, mode) => {
    const file = await real.open(path, mode);
    const close = async (): Promise<void> => {
      await file.close();
      if (isBroken && path.includes("/segments/")) throw new StoreError("io", `close ${path}`);
    };
    return { ...file, close };
  };
  // LevelDB itself: only it locks its folder.
  const factory = createKvFactory();
  const kvFactory = { ...factory, open: (path: string) => factory.open(join(folder, path)) };
  try {
    const disk = { ...real, open };
    const store = await openStore({ disk, kvFactory });
    await writeShard(store, makeShard(1));
    isBroken = true;
    assert.equal(await codeOf(store.close()), "io");
    isBroken = false;
    const again = await openStore({ disk, kvFactory });
    assert.deepEqual(await readShard(again, makeShard(1).name), Buffer.from(makeShard(1).body));
    await again.close();
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("folders with other things, damaged or copied identities are refused", async () => {
  const disk = new SimDisk();
  await disk.mkdir("full");
  const note = await disk.open("full/notes.txt", "create");
  await note.close();
  assert.equal(await codeOf(openStore({ disk }, {}, "full")), "invalid");
  await (await openStore({ disk }, {}, "good")).close();
  const identity = disk.content("good/disk.json");
  await disk.mkdir("copy");
  const copy = await disk.open("copy/disk.json", "create");
  await copy.write([identity], 0);
  await copy.close();
  assert.equal(await codeOf(DiskSet.open(setDeps(disk), ["good", "copy"], SMALL)), "invalid");
  assert.equal(await codeOf(DiskSet.open(setDeps(disk), ["good", "good"], SMALL)), "invalid");
  disk.flipBit("good/disk.json", 0, 0);
  assert.equal(await codeOf(openStore({ disk }, {}, "good")), "corrupt");
});

test("a service user without permission is told which folder, and does not start", async () => {
  const disk = new SimDisk();
  const cause = Object.assign(new Error("EACCES: permission denied"), { code: "EACCES" });
  const denied: Disk = new Proxy(disk, {
    get(target, property) {
      if (property === "open") {
        return () => Promise.reject(new StoreError("io", "open: EACCES", { cause }));
      }
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const opening = DiskSet.open(setDeps(denied), ["srv/disk1"], SMALL);
  await assert.rejects(opening, { code: "denied", message: /srv\/disk1/ });
});

test("on a real disk with LevelDB: write, kill, reopen, delete, compact, lose the index", async () => {
  const root = await mkdtemp(join(tmpdir(), "dolium-storage-"));
  try {
    const folder = join(root, "d");
    const disk = createDisk();
    const deps = {
      disk,
      clock: createClock(),
      random: createRandom(),
      log: recordingLog(),
      metrics: createStorageMetrics(silentMetrics()),
      kvFactory: createKvFactory(),
    };
    const settings = { ...SMALL, reserveFraction: 0.0001 };
    const open = async () => (await DiskSet.open(deps, [folder], settings)).stores[0];
    const store = await open();
    assert.ok(store !== undefined);
    const shards = Array.from({ length: 30 }, (_, number) => makeShard(number, { bytes: 3000 }));
    await Promise.all(shards.map((shard) => writeShard(store, shard)));
    await store.deleteShards(shards.slice(0, 20).map((shard) => deleteItem(shard)));
    while (await store.compactOnce()) await store.checkpoint();
    await assert.rejects(
      DiskSet.open(deps, [folder], settings).then((set) => set.store(1)),
      { code: "unavailable" },
    );
    await store.close();
    for (const name of await disk.list(folder)) {
      if (name.startsWith("index-")) await disk.removeTree(join(folder, name));
    }
    const again = await open();
    assert.ok(again !== undefined);
    for (const shard of shards.slice(20)) {
      assert.ok(Buffer.from(await readShard(again, shard.name)).equals(shard.body));
    }
    for (const shard of shards.slice(0, 20)) {
      assert.equal(await again.stat(shard.name, false), "missing");
    }
    await again.close();
  } finally {
    await rm(root, { recursive: true, force: true });
  }
});
