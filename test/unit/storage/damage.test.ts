// Rot and forgeries: a flipped bit anywhere in a disk's segments or index never lets a wrong byte
// out, is named when it is met, and takes nothing else with it; bytes that look like records are
// only bytes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import {
  blockAligned,
  encodeFooter,
  encodeRecordHeader,
  encodeTable,
  HEADER_FIXED_BYTES,
} from "../../../services/storage/record-format.ts";
import type { ShardStore } from "../../../services/storage/shard-store.ts";
import { SimClock } from "../../sim/clock.ts";
import { SimDisk } from "../../sim/disk.ts";
import { createSimRandom } from "../../sim/random.ts";
import {
  cellsOf,
  codeOf,
  deleteItem,
  makeShard,
  openStore,
  readShard,
  type TestShard,
  writeShard,
} from "./store-fixture.ts";

const SEED = 20_260_101;
/** The random source of the fixture gives the disk's uuid first, then the first segment's nonce. */
const NONCE_OF_SEED_7 = (() => {
  const random = createSimRandom(7);
  random.bytes(16);
  return random.bytes(16);
})();

async function filled(disk: SimDisk, count: number): Promise<[ShardStore, TestShard[]]> {
  const store = await openStore({ disk });
  const shards = Array.from({ length: count }, (_, index) => makeShard(index, { bytes: 3000 }));
  for (const shard of shards) await writeShard(store, shard);
  return [store, shards];
}

/** Shards that are not read right; every failure must be an honest one. */
async function lostShards(store: ShardStore, shards: readonly TestShard[]): Promise<TestShard[]> {
  const lost: TestShard[] = [];
  for (const shard of shards) {
    let bytes: Uint8Array | undefined;
    const code = await codeOf(
      readShard(store, shard.name).then((read) => {
        bytes = read;
      }),
    );
    if (bytes !== undefined) assert.ok(Buffer.from(bytes).equals(shard.body), "wrong bytes served");
    else {
      assert.ok(["corrupt", "not-found"].includes(code), code);
      lost.push(shard);
    }
  }
  return lost;
}

test(`a flipped bit anywhere in the segments costs at most one shard (seed ${SEED})`, async () => {
  const random = createSimRandom(SEED);
  for (let round = 0; round < 150; round += 1) {
    const disk = new SimDisk();
    const [store, shards] = await filled(disk, 12);
    await store.deleteShards([deleteItem(shards[3] as TestShard)]);
    const alive = shards.filter((_, index) => index !== 3);
    const path = random.pick(disk.filePaths("disk0/segments"));
    const offset = random.below(disk.content(path).byteLength);
    const where = `${path} at ${offset}`;
    if (round % 2 === 0) {
      disk.flipBit(path, offset, random.below(8));
      assert.ok((await lostShards(store, alive)).length <= 1, where);
      await store.close();
    } else {
      await store.close();
      disk.flipBit(path, offset, random.below(8));
    }
    const again = await openStore({ disk });
    assert.ok((await lostShards(again, alive)).length <= 1, where);
    await again.close();
    for (const file of disk.filePaths("disk0")) {
      if (file.includes("/index-")) await disk.remove(file);
    }
    const rebuilt = await openStore({ disk });
    assert.ok((await lostShards(rebuilt, alive)).length <= 1, `${where}, rebuilt`);
    await rebuilt.close();
  }
});

test("a bad cell is found by reader, verifier and scrubber, listed once, and healed by a rewrite", async () => {
  const disk = new SimDisk();
  const clock = new SimClock();
  const store = await openStore({ disk, clock });
  const shards = Array.from({ length: 3 }, (_, index) => {
    return makeShard(index, { bytes: 200_000, cellBytes: 20_000 });
  });
  for (const shard of shards) await writeShard(store, shard);
  const [a, b, c] = shards;
  assert.ok(a && b && c);
  for (const shard of shards) {
    const cell = (cellsOf(shard)[5] as { data: Uint8Array }).data;
    const path = disk.filePaths("disk0/segments").find((file) => {
      return Buffer.from(disk.content(file)).includes(cell);
    });
    assert.ok(path !== undefined);
    disk.flipBit(path, Buffer.from(disk.content(path)).indexOf(cell) + 77, 3);
  }
  const got: Uint8Array[] = [];
  const reading = (async () => {
    for await (const { data } of store.readCells(a.name, { firstCell: 0, cellCount: 0 })) {
      got.push(data);
    }
  })();
  assert.equal(await codeOf(reading), "corrupt");
  assert.equal(got.length, 5);
  assert.equal(await store.stat(a.name, false), "corrupt");
  assert.equal(await store.stat(b.name, false), "present");
  assert.equal(await store.stat(b.name, true), "corrupt");
  let isDone = false;
  const pass = store.scrubOnce(new AbortController().signal).then(() => {
    isDone = true;
  });
  await clock.run(600_000, () => isDone);
  await pass;
  const bad = store.listBad(0, 10);
  assert.deepEqual(
    bad.map(({ entry }) => entry?.shard.owner.key.toString()),
    [a, b, c].map(({ owner }) => owner.key.toString()),
  );
  const cursor = bad[1]?.bad.cursor ?? 0;
  assert.deepEqual(
    store.listBad(cursor, 10).map(({ bad }) => bad.name.shardIndex),
    [c.name.shardIndex],
  );
  await store.checkpoint();
  disk.crash("none");
  const again = await openStore({ disk, clock });
  assert.equal(again.listBad(0, 10).length, 3);
  await writeShard(again, b);
  assert.ok(Buffer.from(await readShard(again, b.name)).equals(b.body));
  await again.deleteShards([deleteItem(c)]);
  assert.deepEqual(
    again.listBad(0, 10).map(({ bad }) => bad.name.shardIndex),
    [a.name.shardIndex],
  );
  assert.equal(again.status.badShards, 1);
  // A bad shard is not copied: its segment stays until the shard is repaired.
  while (await again.compactOnce()) await again.checkpoint();
  assert.equal(await again.stat(a.name, false), "corrupt");
  await writeShard(again, a);
  assert.equal(await again.stat(a.name, true), "present");
  await again.close();
});

test("a rotten header or footer is found by the scrubber and mended by a copy", async () => {
  const disk = new SimDisk();
  const clock = new SimClock();
  const store = await openStore({ disk, clock });
  const shards = [0, 1].map((index) => makeShard(index, { bytes: 3000 }));
  for (const shard of shards) await writeShard(store, shard);
  const path = disk.filePaths("disk0/segments")[0] as string;
  disk.flipBit(path, 8192 + 60, 1);
  let isDone = false;
  const pass = store.scrubOnce(new AbortController().signal).then(() => {
    isDone = true;
  });
  await clock.run(600_000, () => isDone);
  await pass;
  assert.deepEqual(
    store.listBad(0, 9).map(({ bad }) => bad.reason),
    ["the header is damaged"],
  );
  assert.ok(Buffer.from(await readShard(store, (shards[0] as TestShard).name)).byteLength === 3000);
  await store.deleteShards([deleteItem(shards[1] as TestShard)]);
  store.rollSegment();
  await writeShard(store, makeShard(7));
  assert.equal(await store.compactOnce(), true);
  assert.equal(store.listBad(0, 9).length, 0);
  assert.ok(Buffer.from(await readShard(store, (shards[0] as TestShard).name)).byteLength === 3000);
  await store.close();
});

test("a disk that left something out, or lost its index, is in doubt until that is settled", async () => {
  const disk = new SimDisk();
  const [store] = await filled(disk, 3);
  assert.equal(store.doubt.doubtMs, 0);
  await store.close();
  const closed = await openStore({ disk });
  assert.equal(closed.doubt.doubtMs, 0, "closed in order");
  await writeShard(closed, makeShard(20));
  disk.crash("all");
  const whole = await openStore({ disk });
  assert.equal(whole.doubt.doubtMs, 0, "everything was found whole");
  await writeShard(whole, makeShard(21, { bytes: 3000 }));
  // The header of the record rots before a checkpoint knows of it.
  const path = disk.filePaths("disk0/segments").at(-1) as string;
  const chunkId = Buffer.from(makeShard(21).name.chunkId);
  disk.flipBit(path, Buffer.from(disk.content(path)).indexOf(chunkId), 1);
  disk.crash("all");
  const doubting = await openStore({ disk });
  const { doubtMs } = doubting.doubt;
  assert.ok(doubtMs > 0);
  disk.crash("none");
  const again = await openStore({ disk });
  assert.equal(again.doubt.doubtMs, doubtMs, "kept over a restart");
  again.doubt.settleDoubt(doubtMs - 1);
  assert.equal(again.doubt.doubtMs, doubtMs, "another doubt was meant");
  again.doubt.settleDoubt(doubtMs);
  await again.checkpoint();
  disk.crash("none");
  const settled = await openStore({ disk });
  assert.equal(settled.doubt.doubtMs, 0);
  await settled.close();
  for (const file of disk.filePaths("disk0")) {
    if (file.includes("/index-")) await disk.remove(file);
  }
  const rebuilt = await openStore({ disk });
  assert.ok(rebuilt.doubt.doubtMs > 0, "the index was lost");
  await rebuilt.close();
});

test("records inside user data are only bytes, whatever happens to the index", async () => {
  const disk = new SimDisk();
  const store = await openStore({ disk });
  const victim = makeShard(1, { bytes: 3000 });
  await writeShard(store, victim);
  await store.deleteShards([deleteItem(victim)]);
  const segment = Buffer.from(disk.content("disk0/segments/00000001.seg"));
  // A user who knows everything on the disk stores it, at every alignment of blocks.
  for (let shift = 0; shift < 512; shift += 64) {
    const body = Buffer.concat([Buffer.alloc(shift), segment]);
    const forged = { ...makeShard(10 + shift), shardBytes: body.byteLength, body };
    await writeShard(store, { ...forged, cellBytes: 16_384 });
  }
  for (const file of disk.filePaths("disk0")) {
    if (file.includes("/index-")) await disk.remove(file);
  }
  disk.crash("none");
  const again = await openStore({ disk });
  assert.equal(await again.stat(victim.name, false), "missing");
  assert.equal(again.status.shardCount, 8);
  await again.close();
});

test("a record made for its very place is none without the segment's nonce", async () => {
  const carrier = makeShard(3, { bytes: 6000 });
  const forged = makeShard(4, { bytes: 100, cellBytes: 512 });
  const carrierHeader = 8192 + HEADER_FIXED_BYTES + carrier.owner.key.byteLength + 4;
  const offset = blockAligned(carrierHeader);
  const seen: string[] = [];
  for (const knowsNonce of [false, true]) {
    const disk = new SimDisk();
    const nonce = knowsNonce ? NONCE_OF_SEED_7 : new Uint8Array(16);
    const header = encodeRecordHeader(
      { kind: "shard", shard: forged, writtenMs: 5 },
      { nonce, offset },
    );
    const checksums = Uint32Array.from(cellsOf(forged).map(({ checksum }) => checksum));
    const table = encodeTable(checksums);
    const headerCrc = Buffer.from(header).readUInt32LE(header.byteLength - 4);
    const footer = { headerCrc, tableCrc: crc32(table), sequence: 9 };
    const record = [header, forged.body, table, encodeFooter(footer, { nonce, offset })];
    const body = Buffer.alloc(6000);
    Buffer.concat(record).copy(body, offset - carrierHeader);
    const store = await openStore({ disk });
    await writeShard(store, { ...carrier, body });
    assert.deepEqual(
      Buffer.from(disk.content("disk0/segments/00000001.seg")).subarray(32, 48),
      Buffer.from(NONCE_OF_SEED_7),
    );
    await store.close();
    // The carrier's own header rots, so that a scan looks inside its body.
    disk.flipBit("disk0/segments/00000001.seg", 8192 + 50, 1);
    for (const file of disk.filePaths("disk0")) {
      if (file.includes("/index-")) await disk.remove(file);
    }
    const again = await openStore({ disk });
    seen.push(await again.stat(forged.name, true));
    await again.close();
  }
  // The second case shows that the forgery is otherwise perfect.
  assert.deepEqual(seen, ["missing", "present"]);
});

test("both copies of a segment's header gone: its shards are still read through the index", async () => {
  const disk = new SimDisk();
  const [store, shards] = await filled(disk, 4);
  await store.close();
  const path = disk.filePaths("disk0/segments")[0] as string;
  disk.flipBit(path, 20, 1);
  const one = await openStore({ disk });
  assert.deepEqual(await lostShards(one, shards), []);
  await one.close();
  disk.flipBit(path, 4096 + 20, 1);
  const two = await openStore({ disk });
  assert.deepEqual(await lostShards(two, shards), []);
  await two.deleteShards(shards.slice(0, 3).map((shard) => deleteItem(shard)));
  await writeShard(two, makeShard(9));
  while (await two.compactOnce()) await two.checkpoint();
  assert.deepEqual(await lostShards(two, shards.slice(3)), []);
  assert.equal(await two.stat((shards[0] as TestShard).name, false), "missing");
  await two.close();
});

test(`a flipped bit in the index is noticed and the index made anew (seed ${SEED})`, async () => {
  const random = createSimRandom(SEED);
  for (let round = 0; round < 60; round += 1) {
    const disk = new SimDisk();
    const [store, shards] = await filled(disk, 10);
    await store.deleteShards(shards.slice(0, 2).map((shard) => deleteItem(shard)));
    await store.close();
    const path = disk.filePaths("disk0").find((file) => file.includes("/index-")) as string;
    disk.flipBit(path, random.below(disk.content(path).byteLength), random.below(8));
    const again = await openStore({ disk });
    assert.deepEqual(await lostShards(again, shards.slice(2)), []);
    for (const shard of shards.slice(0, 2)) {
      assert.equal(await again.stat(shard.name, false), "missing");
    }
    assert.equal(again.status.shardCount, 8);
    await again.close();
  }
});
