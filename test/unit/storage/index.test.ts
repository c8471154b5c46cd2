// The index as a cache of the segments: values that rot while the disk serves, a store that cannot
// be written, rebuilds beside running writes; and writers that share syncs.
import assert from "node:assert/strict";
import { test } from "node:test";
import { deferred } from "../../../services/lib/base/bounded.ts";
import { StoreError } from "../../../services/lib/base/errors.ts";
import type { Kv, KvFactory } from "../../../services/lib/ports/kv.ts";
import { GroupCommit } from "../../../services/storage/group-commit.ts";
import { KeyedMutex } from "../../../services/storage/keyed-mutex.ts";
import { SimClock } from "../../sim/clock.ts";
import { SimDisk } from "../../sim/disk.ts";
import { createSimKvFactory } from "./sim-kv.ts";
import {
  codeOf,
  deleteItem,
  makeShard,
  openStore,
  readShard,
  writeShard,
} from "./store-fixture.ts";

interface Spoiler {
  /** Values read from the store are spoilt while this is set. */
  rot: boolean;
  failWrites: number;
  opens: number;
}

/** A factory whose stores rot or refuse on command. */
function spoiltFactory(disk: SimDisk, spoiler: Spoiler): KvFactory {
  const factory = createSimKvFactory(disk);
  return {
    ...factory,
    async open(path) {
      spoiler.opens += 1;
      const kv = await factory.open(path);
      const spoilt: Kv = {
        get: (key) => {
          const value = kv.get(key);
          if (value === undefined || !spoiler.rot) return value;
          const copy = new Uint8Array(value);
          copy[3] = (copy[3] ?? 0) ^ 1;
          return copy;
        },
        getMany: (keys) => kv.getMany(keys),
        iterate: (range) => kv.iterate(range),
        approximateBytes: (from, to) => kv.approximateBytes(from, to),
        snapshot: () => kv.snapshot(),
        compact: () => kv.compact(),
        close: () => kv.close(),
        write: async (operations, options) => {
          if (spoiler.failWrites > 0) {
            spoiler.failWrites -= 1;
            throw new StoreError("no-space", "leveldb: no space left on device");
          }
          await kv.write(operations, options);
        },
      };
      return spoilt;
    },
  };
}

test("a value that rots while serving is no answer, and the index is made anew beside writes", async () => {
  const disk = new SimDisk();
  const spoiler = { rot: false, failWrites: 0, opens: 0 };
  const kvFactory = spoiltFactory(disk, spoiler);
  const store = await openStore({ disk, kvFactory });
  const shards = Array.from({ length: 30 }, (_, number) => makeShard(number));
  for (const shard of shards.slice(0, 20)) await writeShard(store, shard);
  await store.deleteShards(shards.slice(0, 5).map((shard) => deleteItem(shard)));
  await store.checkpoint();
  for (const shard of shards.slice(20, 25)) await writeShard(store, shard);
  await store.deleteShards([deleteItem(makeShard(6))]);
  spoiler.rot = true;
  assert.equal(await codeOf(readShard(store, makeShard(7).name)), "unavailable");
  spoiler.rot = false;
  assert.equal(await codeOf(readShard(store, makeShard(99).name)), "unavailable");
  assert.equal(await codeOf(store.stat(makeShard(99).name, false)), "unavailable");
  const writing = Promise.all(shards.slice(25).map((shard) => writeShard(store, shard)));
  const failed = writing.catch((error: unknown) => error);
  await store.maintain();
  assert.ok((await failed) instanceof StoreError, "writes need a sure answer of the index");
  for (const shard of shards.slice(25)) await writeShard(store, shard);
  const dead = new Set([0, 1, 2, 3, 4, 6]);
  const check = async (opened: typeof store): Promise<void> => {
    for (const [number, shard] of shards.entries()) {
      const want = dead.has(number) ? "missing" : "present";
      assert.equal(await opened.stat(shard.name, true), want, `shard ${number}`);
    }
    assert.equal(opened.status.shardCount, 24);
  };
  await check(store);
  disk.crash("none");
  const again = await openStore({ disk });
  await check(again);
  assert.deepEqual(
    (await disk.list("disk0")).filter((name) => name.startsWith("index-")),
    ["index-2"],
  );
  await again.close();
});

test("a store that cannot be written costs time, not shards", async () => {
  const disk = new SimDisk();
  const spoiler = { rot: false, failWrites: 0, opens: 0 };
  const store = await openStore({ disk, kvFactory: spoiltFactory(disk, spoiler) });
  const shards = Array.from({ length: 10 }, (_, number) => makeShard(number));
  for (const shard of shards) await writeShard(store, shard);
  spoiler.failWrites = 2;
  const opens = spoiler.opens;
  // The first failure gives up the spare space and opens the store again; the second is reported.
  assert.equal(await codeOf(store.checkpoint()), "no-space");
  assert.equal(spoiler.opens, opens + 1);
  assert.equal(store.status.condition, "read-only");
  for (const shard of shards) assert.equal(await store.stat(shard.name, true), "present");
  await store.checkpoint();
  await store.maintain();
  assert.equal(store.status.condition, "up");
  disk.crash("none");
  const again = await openStore({ disk });
  for (const shard of shards) assert.equal(await again.stat(shard.name, true), "present");
  await again.close();
});

test("writers who finish together share a sync; those who come later get the next", async () => {
  const syncs: ReturnType<typeof deferred<void>>[] = [];
  const failures: StoreError[] = [];
  const group = new GroupCommit(
    () => {
      const sync = deferred<void>();
      syncs.push(sync);
      return sync.promise;
    },
    (error) => failures.push(error),
  );
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const first = Promise.all(Array.from({ length: 10 }, () => group.commit()));
  await turn();
  assert.equal(syncs.length, 1);
  const late = [group.commit(), group.commit()];
  await turn();
  assert.equal(syncs.length, 1);
  syncs[0]?.resolve();
  await first;
  await turn();
  assert.equal(syncs.length, 2);
  const waiting = group.commit();
  const codes = Promise.all([...late, waiting].map(codeOf));
  syncs[1]?.reject(new Error("EIO"));
  assert.deepEqual(await codes, ["io", "io", "io"]);
  assert.equal(await codeOf(group.commit()), "io");
  assert.equal(syncs.length, 2);
  assert.equal(failures.length, 1);
});

test("hundreds of parallel small writes need few syncs when a sync takes its time", async () => {
  const clock = new SimClock();
  let syncs = 0;
  const disk = new SimDisk({
    clock,
    latencyMs: ({ kind, path }) => {
      if (kind !== "datasync" || !path.endsWith(".seg")) return 0;
      syncs += 1;
      return 5;
    },
  });
  const settings = { segmentBytes: 8 << 20, openWritesMax: 50, waitingMax: 1000 };
  const store = await openStore({ disk, clock }, settings);
  const shards = Array.from({ length: 300 }, (_, number) => makeShard(number, { bytes: 200 }));
  let isDone = false;
  const writing = Promise.all(shards.map((shard) => writeShard(store, shard))).then(() => {
    isDone = true;
  });
  await clock.run(60_000, () => isDone);
  await writing;
  assert.ok(syncs <= 15, `${syncs} syncs`);
  assert.equal(store.status.shardCount, 300);
});

test("several locks are taken without two callers waiting for each other", async () => {
  const locks = new KeyedMutex();
  const log: string[] = [];
  const hold = (name: string, keys: string[]): Promise<void> =>
    locks.runAll(keys, async () => {
      log.push(`${name} in`);
      await Promise.resolve();
      log.push(`${name} out`);
    });
  await Promise.all([hold("a", ["x", "y"]), hold("b", ["y", "x", "x"]), hold("c", ["y"])]);
  for (let at = 0; at < log.length; at += 2) {
    assert.equal(log[at]?.slice(0, 1), log[at + 1]?.slice(0, 1));
  }
  assert.equal(locks.heldCount, 0);
});
