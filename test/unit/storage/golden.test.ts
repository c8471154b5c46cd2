// Stored formats do not change by accident: a segment and index values written today are byte for
// byte those in test/fixtures/storage, and the stored ones are still read. With WRITE_GOLDEN=1 in
// the environment a missing file is written; existing files are never rewritten.
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  CHECKPOINT_KEY,
  decodeBad,
  decodeCheckpoint,
  decodeEntry,
  decodeStats,
  encodeBad,
  encodeCheckpoint,
  encodeEntry,
  encodeStats,
  segmentKey,
  shardKey,
} from "../../../services/storage/index-entry.ts";
import { SimClock } from "../../sim/clock.ts";
import { SimDisk } from "../../sim/disk.ts";
import { deleteItem, makeShard, openStore, readShard, writeShard } from "./store-fixture.ts";

const FIXTURES = join(import.meta.dirname, "../../fixtures/storage");
const SEGMENT = join(FIXTURES, "segment-v1.bin");
const VALUES = join(FIXTURES, "index-values-v1.json");

const live = makeShard(1, { bytes: 1200, cellBytes: 500 });
const dead = makeShard(2, { bytes: 100 });

async function writeSegment(): Promise<{ segment: Uint8Array; identity: Uint8Array }> {
  const disk = new SimDisk();
  const store = await openStore({ disk, clock: new SimClock(), seed: 99 });
  await writeShard(store, live);
  await writeShard(store, dead);
  await store.deleteShards([deleteItem(dead)]);
  await store.close();
  return {
    segment: disk.content("disk0/segments/00000001.seg"),
    identity: disk.content("disk0/disk.json"),
  };
}

function indexValues(): Record<string, string> {
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
  const key = shardKey(live.name);
  const { name, owner, shardBytes, cellBytes, begunMs } = live;
  const shard = { name, owner, shardBytes, cellBytes, begunMs };
  const entry = { shard, segment: 5, offset: 8192, tableCrc: 0xdead_beef, sequence: 77 };
  const stats = { bytes: 9000, liveBytes: 800, liveCount: 3, tombstoneBytes: 512 };
  const checkpoint = {
    position: { segment: 6, offset: 12_288 },
    sequence: 78,
    badCursor: 79,
    scrubbedTo: Uint8Array.of(1, 2, 3),
  };
  return {
    entry: hex(encodeEntry(key, entry)),
    bad: hex(encodeBad(key, { name, cursor: 12, reason: "cell 3 is damaged" })),
    stats: hex(encodeStats(segmentKey(5), stats)),
    checkpoint: hex(encodeCheckpoint(checkpoint)),
  };
}

test("a segment has the bytes it always had", async () => {
  const { segment } = await writeSegment();
  if (!existsSync(SEGMENT)) {
    assert.ok(process.env.WRITE_GOLDEN === "1", `${SEGMENT} is missing`);
    writeFileSync(SEGMENT, segment);
  }
  assert.ok(readFileSync(SEGMENT).equals(segment), "the segment format has changed");
});

test("a stored segment is read by today's code", async () => {
  const disk = new SimDisk();
  const { identity } = await writeSegment();
  await disk.mkdir("disk0/segments");
  for (const [path, bytes] of [
    ["disk0/segments/00000001.seg", readFileSync(SEGMENT)],
    ["disk0/disk.json", identity],
  ] as const) {
    const file = await disk.open(path, "create");
    await file.write([bytes], 0);
    await file.close();
  }
  const store = await openStore({ disk });
  assert.ok(Buffer.from(await readShard(store, live.name)).equals(live.body));
  assert.equal(await store.stat(dead.name, false), "missing");
  assert.equal((await store.list(undefined, 5))[0]?.shard.begunMs, live.begunMs);
  await store.close();
});

test("index values have the bytes they always had, and refuse every flipped bit", () => {
  const values = indexValues();
  if (!existsSync(VALUES)) {
    assert.ok(process.env.WRITE_GOLDEN === "1", `${VALUES} is missing`);
    writeFileSync(VALUES, `${JSON.stringify(values, null, 2)}\n`);
  }
  assert.deepEqual(JSON.parse(readFileSync(VALUES, "utf8")), values);
  const key = shardKey(live.name);
  const decoders: Readonly<Record<string, (value: Uint8Array) => unknown>> = {
    entry: (value) => decodeEntry(key, value),
    bad: (value) => decodeBad(key, value),
    stats: (value) => decodeStats(segmentKey(5), value),
    checkpoint: (value) => decodeCheckpoint(value),
  };
  for (const [name, hex] of Object.entries(values)) {
    const decode = decoders[name];
    assert.ok(decode !== undefined);
    const value = Buffer.from(hex, "hex");
    decode(value);
    for (let bit = 0; bit < value.byteLength * 8; bit += 1) {
      const flipped = Buffer.from(value);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      assert.throws(() => decode(flipped), { code: "corrupt" }, `${name}, bit ${bit}`);
    }
    assert.throws(() => decode(value.subarray(0, 3)), { code: "corrupt" });
  }
  const other = shardKey({ ...live.name, shardIndex: 9 });
  assert.throws(() => decodeEntry(other, Buffer.from(values.entry ?? "", "hex")), {
    code: "corrupt",
  });
  assert.equal(CHECKPOINT_KEY.byteLength, 1);
});
