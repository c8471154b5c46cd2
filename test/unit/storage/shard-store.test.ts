// The store's promises without faults: what was written is read, under its name only; repeated,
// refused and conflicting writes; deletes and their conditions; listings; reopening; compaction.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ShardStore } from "../../../services/storage/shard-store.ts";
import { SimDisk } from "../../sim/disk.ts";
import {
  cellsOf,
  codeOf,
  deleteItem,
  makeShard,
  openStore,
  readShard,
  SMALL,
  type TestShard,
  writeShard,
} from "./store-fixture.ts";

async function requireBytes(store: ShardStore, shard: TestShard): Promise<void> {
  assert.deepEqual(Buffer.from(await readShard(store, shard.name)), Buffer.from(shard.body));
}

test("a written shard is read back, whole and in ranges of cells", async () => {
  const store = await openStore({ disk: new SimDisk() });
  const shard = makeShard(1, { bytes: 200_000, cellBytes: 16_384 });
  await writeShard(store, shard);
  await requireBytes(store, shard);
  const cells = cellsOf(shard);
  for (const [firstCell, cellCount] of [
    [0, 1],
    [3, 4],
    [12, 1],
    [5, 0],
  ] as const) {
    const got: unknown[] = [];
    for await (const cell of store.readCells(shard.name, { firstCell, cellCount })) {
      got.push({ data: Buffer.from(cell.data), checksum: cell.checksums[0] });
    }
    const end = cellCount === 0 ? cells.length : firstCell + cellCount;
    const want = cells
      .slice(firstCell, end)
      .map(({ data, checksum }) => ({ data: Buffer.from(data), checksum }));
    assert.deepEqual(got, want);
  }
  const past = store.readCells(shard.name, { firstCell: 13, cellCount: 1 }).next();
  assert.equal(await codeOf(past), "invalid");
  await store.close();
});

test("shards of every size around cell and block borders survive a restart", async () => {
  const disk = new SimDisk();
  const store = await openStore({ disk });
  const sizes = [1, 2, 511, 512, 513, 1023, 1024, 1025, 5000, 40_000];
  const shards = sizes.map((bytes, index) => makeShard(index, { bytes }));
  for (const shard of shards) await writeShard(store, shard);
  await store.close();
  const again = await openStore({ disk });
  for (const shard of shards) await requireBytes(again, shard);
  assert.equal(again.status.shardCount, shards.length);
  await again.close();
});

test("writing the same shard again is fine and keeps the later begun time; other bytes conflict", async () => {
  const disk = new SimDisk();
  const store = await openStore({ disk });
  const shard = makeShard(1, { begunMs: 500 });
  const first = await writeShard(store, shard);
  assert.equal(await writeShard(store, { ...shard, begunMs: 400 }), first);
  assert.equal((await store.list(undefined, 9))[0]?.shard.begunMs, 500);
  assert.equal(await writeShard(store, { ...shard, begunMs: 900 }), first);
  disk.crash("none");
  const again = await openStore({ disk });
  assert.equal((await again.list(undefined, 9))[0]?.shard.begunMs, 900);
  const other = { ...shard, body: makeShard(2).body };
  assert.equal(await codeOf(writeShard(again, other)), "conflict");
  const foreign = { ...shard, owner: { ...shard.owner, bucketId: 4 } };
  assert.equal(await codeOf(writeShard(again, foreign)), "conflict");
  await requireBytes(again, shard);
  assert.equal(again.status.shardCount, 1);
  await again.close();
});

test("a write that is short, long, torn off or wrong leaves nothing", async () => {
  const store = await openStore({ disk: new SimDisk() });
  const shard = makeShard(1);
  const cells = cellsOf(shard);
  const [one, two] = cells;
  assert.ok(one !== undefined && two !== undefined);

  const short = await store.beginWrite(shard);
  await short.write(one.data, one.checksum);
  assert.equal(await codeOf(short.finish()), "invalid");

  const long = await store.beginWrite(shard);
  for (const { data, checksum } of cells) await long.write(data, checksum);
  assert.equal(await codeOf(long.write(one.data, one.checksum)), "invalid");
  long.abandon();

  const wrong = await store.beginWrite(shard);
  assert.equal(await codeOf(wrong.write(one.data, one.checksum ^ 1)), "corrupt");
  assert.equal(await codeOf(wrong.write(two.data, two.checksum)), "corrupt");
  assert.equal(await codeOf(wrong.write(one.data.subarray(1), one.checksum)), "invalid");
  wrong.abandon();
  wrong.abandon();

  assert.equal(await codeOf(readShard(store, shard.name)), "not-found");
  assert.equal(await store.stat(shard.name, true), "missing");
  await writeShard(store, shard);
  await requireBytes(store, shard);
  await store.close();
});

test("descriptions out of bounds are refused before anything is stored", async () => {
  const disk = new SimDisk();
  const store = await openStore({ disk });
  const shard = makeShard(1);
  const bad = [
    { ...shard, shardBytes: 0 },
    { ...shard, shardBytes: 33 * 1024 * 1024 },
    { ...shard, cellBytes: 0 },
    { ...shard, cellBytes: 256 * 1024 + 1 },
    { ...shard, shardBytes: 1_000_000, cellBytes: 1 },
    { ...shard, begunMs: -1 },
    { ...shard, name: { chunkId: new Uint8Array(15), shardIndex: 0 } },
    { ...shard, owner: { ...shard.owner, key: new Uint8Array(0) } },
    { ...shard, owner: { ...shard.owner, key: new Uint8Array(1025) } },
    { ...shard, owner: { ...shard.owner, manifestId: new Uint8Array(3) } },
  ];
  for (const description of bad) {
    assert.equal(await codeOf(store.beginWrite(description)), "invalid");
  }
  assert.deepEqual(disk.filePaths("disk0/segments"), []);
  await store.close();
});

test("many shards stream into one segment at once and stay apart", async () => {
  const disk = new SimDisk();
  const store = await openStore({ disk }, { segmentBytes: 4 * 1024 * 1024 });
  const shards = Array.from({ length: 40 }, (_, index) => makeShard(index, { bytes: 9000 }));
  await Promise.all(shards.map((shard) => writeShard(store, shard)));
  for (const shard of shards) await requireBytes(store, shard);
  assert.equal(disk.filePaths("disk0/segments").length, 1);
  await store.close();
});

test("writers beyond the bound wait, then are told exhausted", async () => {
  const store = await openStore({ disk: new SimDisk() }, { openWritesMax: 2, waitingMax: 1 });
  const first = await store.beginWrite(makeShard(1));
  const second = await store.beginWrite(makeShard(2));
  const third = store.beginWrite(makeShard(3));
  assert.equal(await codeOf(store.beginWrite(makeShard(4))), "exhausted");
  first.abandon();
  (await third).abandon();
  const given = new AbortController();
  const fourth = await store.beginWrite(makeShard(5));
  const fifth = store.beginWrite(makeShard(6), given.signal);
  given.abort();
  assert.equal(await codeOf(fifth), "aborted");
  fourth.abandon();
  second.abandon();
  await store.close();
});

test("concurrent writers of one shard end with one shard", async () => {
  const store = await openStore({ disk: new SimDisk() });
  const shard = makeShard(1);
  const other = { ...shard, body: makeShard(9).body };
  const results = await Promise.allSettled([
    writeShard(store, shard),
    writeShard(store, shard),
    writeShard(store, other),
  ]);
  assert.equal(results.filter(({ status }) => status === "fulfilled").length, 2);
  await requireBytes(store, shard);
  assert.equal(store.status.shardCount, 1);
  await store.close();
});

test("deletes ask for the manifest and the begun time, and stay after a crash", async () => {
  const disk = new SimDisk();
  const store = await openStore({ disk });
  const shards = Array.from({ length: 6 }, (_, index) => makeShard(index));
  for (const shard of shards) await writeShard(store, shard);
  const [a, b, c, d, e] = shards;
  assert.ok(a && b && c && d && e);
  assert.equal(await store.deleteShards([{ ...deleteItem(a), manifestId: b.owner.manifestId }]), 0);
  assert.equal(await store.deleteShards([deleteItem(b, b.begunMs)]), 0);
  assert.equal(await store.deleteShards([deleteItem(b, b.begunMs + 1)]), 1);
  assert.equal(await store.deleteShards([deleteItem(b)]), 0);
  assert.equal(await store.deleteShards([deleteItem(c), deleteItem(c), deleteItem(d)]), 2);
  assert.equal(await store.deleteShards([]), 0);
  disk.crash("none");
  const again = await openStore({ disk });
  for (const shard of [b, c, d]) assert.equal(await again.stat(shard.name, false), "missing");
  for (const shard of [a, e]) await requireBytes(again, shard);
  await writeShard(again, b);
  disk.crash("none");
  const third = await openStore({ disk });
  await requireBytes(third, b);
  assert.equal(third.status.shardCount, 4);
  await third.close();
});

test("a write that began before a delete and ends after it survives a crash", async () => {
  const disk = new SimDisk();
  const store = await openStore({ disk });
  const shard = makeShard(1);
  const slow = await store.beginWrite(shard);
  await writeShard(store, shard);
  assert.equal(await store.deleteShards([deleteItem(shard)]), 1);
  for (const { data, checksum } of cellsOf(shard)) await slow.write(data, checksum);
  await slow.finish();
  disk.crash("none");
  const again = await openStore({ disk });
  await requireBytes(again, shard);
  await again.close();
});

test("listings walk all names in order, over memory and store alike", async () => {
  const disk = new SimDisk();
  const store = await openStore({ disk });
  const shards = Array.from({ length: 30 }, (_, index) => makeShard(index, { bytes: 100 }));
  for (const shard of shards.slice(0, 15)) await writeShard(store, shard);
  await store.checkpoint();
  for (const shard of shards.slice(15)) await writeShard(store, shard);
  await store.deleteShards(shards.slice(5, 10).map((shard) => deleteItem(shard)));
  const want = [...shards.slice(0, 5), ...shards.slice(10)]
    .map(({ name }) => `${Buffer.from(name.chunkId).toString("hex")}/${name.shardIndex}`)
    .sort();
  const got: string[] = [];
  let after: TestShard["name"] | undefined;
  for (;;) {
    const page = await store.list(after, 4);
    got.push(
      ...page.map(({ shard: { name } }) => {
        return `${Buffer.from(name.chunkId).toString("hex")}/${name.shardIndex}`;
      }),
    );
    after = page.at(-1)?.shard.name;
    if (page.length < 4) break;
  }
  assert.deepEqual(got, want);
  await store.close();
});

test("compaction frees dead segments, keeps the living and the dead dead", async () => {
  const disk = new SimDisk();
  const store = await openStore({ disk });
  const shards = Array.from({ length: 60 }, (_, index) => makeShard(index, { bytes: 2000 }));
  for (const shard of shards) await writeShard(store, shard);
  const before = store.status.usedBytes;
  const dead = shards.filter((_, index) => index % 4 !== 0);
  const live = shards.filter((_, index) => index % 4 === 0);
  await store.deleteShards(dead.map((shard) => deleteItem(shard)));
  let count = 0;
  while (await store.compactOnce()) count += 1;
  assert.ok(count >= 4, `${count} segments were compacted`);
  assert.ok(store.status.usedBytes < before / 2, `${store.status.usedBytes} of ${before}`);
  for (const shard of live) await requireBytes(store, shard);
  await store.close();
  for (const path of disk.filePaths("disk0")) {
    if (path.includes("/index-")) await disk.remove(path);
  }
  const rebuilt = await openStore({ disk });
  for (const shard of live) await requireBytes(rebuilt, shard);
  for (const shard of dead) assert.equal(await rebuilt.stat(shard.name, false), "missing");
  assert.equal(rebuilt.status.shardCount, live.length);
  assert.equal(rebuilt.status.usedBytes > 0, true);
  await rebuilt.close();
});

test("a reader in the middle of a shard goes on while its segment is compacted away", async () => {
  const disk = new SimDisk();
  const store = await openStore({ disk });
  const shard = makeShard(0, { bytes: 200_000, cellBytes: 20_000 });
  await writeShard(store, shard);
  const filler = Array.from({ length: 20 }, (_, index) => makeShard(index + 1, { bytes: 9000 }));
  for (const other of filler) await writeShard(store, other);
  const cells = store.readCells(shard.name, { firstCell: 0, cellCount: 0 });
  const first = await cells.next();
  assert.ok(first.done !== true);
  await store.deleteShards([deleteItem(shard), ...filler.map((other) => deleteItem(other))]);
  let isCompacted = false;
  const compaction = (async () => {
    while (await store.compactOnce()) await Promise.resolve();
    isCompacted = true;
  })();
  const pieces = [first.value.data];
  for await (const { data } of cells) {
    pieces.push(data);
    assert.equal(isCompacted, false);
  }
  assert.deepEqual(Buffer.concat(pieces), Buffer.from(shard.body));
  await compaction;
  assert.equal(await codeOf(readShard(store, shard.name)), "not-found");
  assert.ok(disk.filePaths("disk0/segments").length <= 2);
  await store.close();
});

test("segment files in use are bounded and reopened when needed", async () => {
  const disk = new SimDisk();
  let open = 0;
  let most = 0;
  disk.fault = ({ kind, path }) => {
    if (!path.endsWith(".seg")) return undefined;
    if (kind === "open") open += 1;
    if (kind === "close") open -= 1;
    most = Math.max(most, open);
    return undefined;
  };
  const store = await openStore({ disk }, { openFilesMax: 3, segmentBytes: SMALL.segmentBytes });
  const shards = Array.from({ length: 40 }, (_, index) => makeShard(index, { bytes: 9000 }));
  for (const shard of shards) await writeShard(store, shard);
  for (const shard of [...shards, ...shards]) await requireBytes(store, shard);
  assert.ok(most <= 5, `${most} files were open`);
  await store.close();
  assert.equal(open, 0);
});

test("readers are bounded, and a reader that leaves early makes room", async () => {
  const store = await openStore({ disk: new SimDisk() }, { openReadsMax: 2, waitingMax: 1 });
  const shard = makeShard(1, { bytes: 300_000, cellBytes: 20_000 });
  await writeShard(store, shard);
  const open = () => store.readCells(shard.name, { firstCell: 0, cellCount: 0 });
  const [a, b, c] = [open(), open(), open()];
  await a.next();
  await b.next();
  const waiting = c.next();
  assert.equal(await codeOf(open().next()), "exhausted");
  await a.return();
  assert.equal((await waiting).done, false);
  await b.return();
  await c.return();
  await requireBytes(store, shard);
  await store.close();
});
