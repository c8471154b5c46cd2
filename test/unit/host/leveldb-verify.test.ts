// Real LevelDB stores with every kind of damage: what LevelDB would silently lose must be noticed,
// what a crash leaves behind must pass.
import assert from "node:assert/strict";
import { copyFile, mkdtemp, open, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { isStoreError } from "../../../services/lib/base/errors.ts";
import { createClock } from "../../../services/lib/host/clock.ts";
import { createCrc32c } from "../../../services/lib/host/crc32c.ts";
import { createKvFactory } from "../../../services/lib/host/level-kv.ts";
import { verifyFiles } from "../../../services/lib/host/leveldb-verify.ts";
import { createDisk } from "../../../services/lib/host/node-disk.ts";
import { decompressSnappy } from "../../../services/lib/host/snappy.ts";
import type { KvOperation } from "../../../services/lib/ports/kv.ts";

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 32));
console.log(`seed ${seed}: run again with SEED=${seed}`);
let state = seed >>> 0;

/** mulberry32: small, seeded, good enough to pick offsets. */
function below(bound: number): number {
  state = (state + 0x6d2b79f5) >>> 0;
  let mixed = Math.imul(state ^ (state >>> 15), state | 1);
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
  return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
}

/** Of bits at random places of each kind of file. */
const ROUNDS = process.env.DOLIUM_TEST_FULL === "1" ? 250 : 60;
const disk = createDisk();
const factory = createKvFactory({ writeBufferBytes: 512 * 1024, tableBytes: 1024 * 1024 });
const isCorrupt = (error: unknown) => isStoreError(error, "corrupt");
let root = "";
/** A closed store with several tables, a manifest of several edits and a log of several blocks. */
let store = "";

before(async () => {
  root = await mkdtemp(join(tmpdir(), "dolium-verify-"));
  store = join(root, "store");
  const first = await factory.open(store);
  for (let batch = 0; batch < 400; batch += 1) await first.write(operations(batch, 40));
  await first.compact();
  await first.close();
  // Opening again removes what the compaction left over, so that every file below is live.
  const kv = await factory.open(store);
  for (let batch = 400; batch < 440; batch += 1) await kv.write(operations(batch, 20));
  await kv.write(operations(440, 3), { sync: true });
  await kv.close();
});
after(() => rm(root, { recursive: true, force: true }));

/** Half compressible, half not, so that blocks of both kinds come about. */
function operations(batch: number, count: number): KvOperation[] {
  return Array.from({ length: count }, (_, index) => {
    const value = Buffer.alloc(100 + below(400), index);
    if (index % 2 === 0) for (let at = 0; at < value.length; at += 1) value[at] = below(256);
    const key = Buffer.from(`bucket/some/long/prefix/${batch % 390}/${index}`);
    return { type: "put" as const, key, value };
  });
}

async function namesOf(path: string, pattern: RegExp): Promise<string[]> {
  return (await readdir(path)).filter((name) => pattern.test(name)).sort();
}

async function copyStore(name: string): Promise<string> {
  const target = join(root, name);
  await disk.mkdir(target);
  for (const file of await readdir(store)) {
    if (file !== "LOCK") await copyFile(join(store, file), join(target, file));
  }
  return target;
}

/** Flips one bit, checks that it is noticed, flips it back. */
async function assertNoticed(
  path: string,
  name: string,
  offset: number,
  bit: number = 1 << below(8),
): Promise<void> {
  const handle = await open(join(path, name), "r+");
  const byte = Buffer.alloc(1);
  await handle.read(byte, 0, 1, offset);
  const original = byte[0] ?? 0;
  try {
    await handle.write(Buffer.of(original ^ bit), 0, 1, offset);
    await assert.rejects(
      verifyFiles(path),
      (error) => isCorrupt(error) && error instanceof Error && error.message.length > 0,
      `seed ${seed}: bit ${bit} of byte ${offset} in ${name} went unnoticed`,
    );
  } finally {
    await handle.write(Buffer.of(original), 0, 1, offset);
    await handle.close();
  }
}

interface Fragment {
  readonly offset: number;
  readonly end: number;
  readonly type: number;
}

/** The fragments of an undamaged log, walked independently of the code under test. */
function fragmentsOf(bytes: Buffer): Fragment[] {
  const found: Fragment[] = [];
  let offset = 0;
  while (offset + 7 <= bytes.length) {
    const left = 32768 - (offset % 32768);
    if (left < 7) {
      offset += left;
      continue;
    }
    const end = offset + 7 + bytes.readUInt16LE(offset + 4);
    found.push({ offset, end, type: bytes[offset + 6] ?? 0 });
    offset = end;
  }
  return found;
}

function lastRecordStart(bytes: Buffer): number {
  const starts = fragmentsOf(bytes).filter(({ type }) => type === 1 || type === 2);
  return starts.at(-1)?.offset ?? 0;
}

test("crc32c and snappy give the published results", async () => {
  const crc32c = await createCrc32c();
  // RFC 3720 appendix B.4, and the usual check value; pieces are as one.
  assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa);
  assert.equal(crc32c(new Uint8Array(32).fill(255)), 0x62a8ab43);
  assert.equal(crc32c(Buffer.from("1234"), Buffer.from("56789")), 0xe3069283);
  // Literal "abcd", then a copy that overlaps itself, as format_description.txt describes.
  const packed = Uint8Array.of(10, 3 << 2, 97, 98, 99, 100, ((6 - 4) << 2) | 1, 2);
  assert.equal(Buffer.from(decompressSnappy(packed, 100)).toString(), "abcdcdcdcd");
  assert.throws(() => decompressSnappy(packed, 9), isCorrupt);
  for (const broken of [[5, 0, 1], [1, 4, 1, 2], [4, 1, 0], [], [9, 0, 1, 1, 2], [1, 240]]) {
    assert.throws(() => decompressSnappy(Uint8Array.from(broken), 100), isCorrupt, `${broken}`);
  }
});

test("an undamaged store passes, and so does one that does not exist", async () => {
  const report = await verifyFiles(store);
  assert.ok(report.files >= 6, `${report.files} files`);
  assert.ok(report.bytes > 1_000_000);
  assert.deepEqual(await verifyFiles(join(root, "never")), { files: 0, bytes: 0, unreadBytes: 0 });
});

test("every flipped bit in tables is noticed", async () => {
  const path = await copyStore("tables");
  const tables = await namesOf(path, /\.ldb$/);
  for (let round = 0; round < ROUNDS; round += 1) {
    const name = tables[below(tables.length)] ?? "";
    await assertNoticed(path, name, below((await stat(join(path, name))).size));
  }
  // Every bit of a footer: none of it is under a checksum of its own.
  const [shortest = ""] = tables.slice(-1);
  const { size: end } = await stat(join(path, shortest));
  for (let offset = end - 48; offset < end; offset += 1) {
    for (let bit = 1; bit < 256; bit *= 2) await assertNoticed(path, shortest, offset, bit);
  }
  // The ends of tables: filter, metaindex, index and footer.
  for (let round = 0; round < ROUNDS; round += 1) {
    const name = tables[below(tables.length)] ?? "";
    const { size } = await stat(join(path, name));
    await assertNoticed(path, name, size - 1 - below(Math.min(size, 2000)));
  }
  await verifyFiles(path);
});

test("every flipped bit in the manifest and CURRENT is noticed", async () => {
  const path = await copyStore("manifest");
  const [manifest = ""] = await namesOf(path, /^MANIFEST/);
  const bytes = await readFile(join(path, manifest));
  for (let round = 0; round < ROUNDS; round += 1) {
    await assertNoticed(path, manifest, below(bytes.length));
  }
  const last = lastRecordStart(bytes);
  for (let offset = last; offset < bytes.length; offset += 1) {
    await assertNoticed(path, manifest, offset);
  }
  const { size } = await stat(join(path, "CURRENT"));
  for (let offset = 0; offset < size; offset += 1) await assertNoticed(path, "CURRENT", offset);
  await verifyFiles(path);
});

test("every flipped bit in a log is noticed, except in its last record", async () => {
  const path = await copyStore("log");
  const [log = ""] = await namesOf(path, /\.log$/);
  const bytes = await readFile(join(path, log));
  const end = lastRecordStart(bytes);
  assert.ok(end > 3 * 32768, "the log has several blocks");
  for (let round = 0; round < ROUNDS; round += 1) await assertNoticed(path, log, below(end));
  const headers = fragmentsOf(bytes).filter(({ offset }) => offset < end);
  for (let round = 0; round < ROUNDS; round += 1) {
    const header = headers[below(headers.length)];
    await assertNoticed(path, log, (header?.offset ?? 0) + below(7));
  }
  await verifyFiles(path);
});

test("zeroed and swapped pieces of a log are noticed", async () => {
  const path = await copyStore("pieces");
  const [log = ""] = await namesOf(path, /\.log$/);
  const bytes = await readFile(join(path, log));
  const zeroed = Buffer.from(bytes);
  zeroed.fill(0, 32768, 65536);
  await writeFile(join(path, log), zeroed);
  await assert.rejects(verifyFiles(path), isCorrupt);
  const swapped = Buffer.from(bytes);
  bytes.copy(swapped, 0, 4096, 8192);
  bytes.copy(swapped, 4096, 0, 4096);
  await writeFile(join(path, log), swapped);
  await assert.rejects(verifyFiles(path), isCorrupt);
});

test("a torn tail of the newest log passes, and LevelDB opens it", async () => {
  const path = await copyStore("torn");
  const [log = ""] = await namesOf(path, /\.log$/);
  const bytes = await readFile(join(path, log));
  const last = lastRecordStart(bytes);
  for (const length of [bytes.length - 1, last + 1, last + 7, last, 32768, 9, 3, 0]) {
    await writeFile(join(path, log), bytes.subarray(0, length));
    await verifyFiles(path);
  }
  for (let round = 0; round < 40; round += 1) {
    await writeFile(join(path, log), bytes.subarray(0, below(bytes.length)));
    await verifyFiles(path);
  }
  // The length of the file reached the disk, the bytes did not.
  const zeroTail = Buffer.from(bytes);
  zeroTail.fill(0, last + 20);
  await writeFile(join(path, log), Buffer.concat([zeroTail, Buffer.alloc(5000)]));
  await verifyFiles(path);
  await (await factory.open(path)).close();
});

test("a torn tail of the manifest passes, a missing live file does not", async () => {
  const path = await copyStore("missing");
  const [manifest = ""] = await namesOf(path, /^MANIFEST/);
  const bytes = await readFile(join(path, manifest));
  const start = Buffer.alloc(60, 7);
  start.writeUInt16LE(200, 4);
  start[6] = 1;
  await writeFile(join(path, manifest), Buffer.concat([bytes, start]));
  await verifyFiles(path);
  await writeFile(join(path, manifest), Buffer.concat([bytes, start.subarray(0, 5)]));
  await verifyFiles(path);
  await writeFile(join(path, manifest), bytes);
  for (const pattern of [/\.ldb$/, /\.log$/, /^MANIFEST/, /^CURRENT/]) {
    const [name = ""] = await namesOf(path, pattern);
    const content = await readFile(join(path, name));
    await rm(join(path, name));
    await assert.rejects(verifyFiles(path), isCorrupt, name);
    await writeFile(join(path, name), content);
  }
  const [table = ""] = await namesOf(path, /\.ldb$/);
  const content = await readFile(join(path, table));
  await writeFile(join(path, table), Buffer.concat([content, Buffer.alloc(1)]));
  await assert.rejects(verifyFiles(path), isCorrupt);
  await writeFile(join(path, table), content);
  // What no manifest names is obsolete, whatever it holds.
  await writeFile(join(path, "999999.ldb"), "left over by a crash");
  await writeFile(join(path, "000001.log"), "older than the oldest live log");
  await verifyFiles(path);
});

test("a log that ends early is corrupt when a newer one goes on", async () => {
  const path = join(root, "two-logs");
  const kv = await factory.open(path);
  for (let index = 0; index < 100; index += 1) {
    await kv.write([
      { type: "put", key: Buffer.from(`k${index}`), value: Buffer.alloc(50, index) },
    ]);
  }
  await kv.close();
  const [name = ""] = await namesOf(path, /\.log$/);
  const bytes = await readFile(join(path, name));
  const middle = fragmentsOf(bytes)[50]?.offset ?? 0;
  const next = `${String(Number.parseInt(name, 10) + 50).padStart(6, "0")}.log`;
  await writeFile(join(path, next), bytes.subarray(middle));
  for (const [length, passes] of [
    [middle, true],
    [middle - 1, false],
    [fragmentsOf(bytes)[49]?.offset ?? 0, false],
    [0, true],
  ] as const) {
    await writeFile(join(path, name), bytes.subarray(0, length));
    if (passes) await verifyFiles(path);
    else await assert.rejects(verifyFiles(path), isCorrupt, String(length));
  }
});

test("an open store passes while it writes and compacts", async () => {
  const path = join(root, "busy");
  const kv = await factory.open(path);
  let running = true;
  async function keepWriting(): Promise<void> {
    for (let batch = 0; running; batch += 1) await kv.write(operations(batch, 60));
  }
  const writer = keepWriting();
  try {
    for (let round = 0; round < 40; round += 1) await verifyFiles(path);
  } finally {
    running = false;
    await writer;
    await kv.close();
  }
});

test("keeps to a rate and stops on its signal", async () => {
  const slept: number[] = [];
  let nowMs = 0;
  const clock = {
    ...createClock(),
    monotonicMs: () => nowMs,
    async sleep(ms: number): Promise<void> {
      slept.push(ms);
      nowMs += ms;
    },
  };
  const { bytes } = await verifyFiles(store, { bytesPerSecond: 1_000_000, clock });
  assert.ok(Math.abs(nowMs - bytes / 1000) < bytes / 10_000, `${nowMs} ms for ${bytes} bytes`);
  assert.ok(slept.length > 10);
  await assert.rejects(verifyFiles(store, { signal: AbortSignal.abort() }), (error) =>
    isStoreError(error, "aborted"),
  );
  await assert.rejects(verifyFiles(store, { bytesPerSecond: 5 }), (error) =>
    isStoreError(error, "invalid"),
  );
});

test("bits in the unused end of a log's block are noticed", async () => {
  const path = join(root, "block-end");
  const kv = await factory.open(path);
  // Header 7, sequence and count 12, type 1, key 1+1, value 3+32740: three bytes short of a block.
  await kv.write([{ type: "put", key: Buffer.from("k"), value: Buffer.alloc(32_740, 1) }]);
  await kv.write([{ type: "put", key: Buffer.from("l"), value: Buffer.alloc(10) }]);
  await kv.close();
  const [log = ""] = await namesOf(path, /\.log$/);
  const [first, second] = fragmentsOf(await readFile(join(path, log)));
  assert.deepEqual([first?.end, second?.offset], [32_765, 32_768]);
  for (let offset = 32_765; offset < 32_768; offset += 1) await assertNoticed(path, log, offset);
  await verifyFiles(path);
});

test("a large store opens with its tables unread; logs and manifests are read all the same", async () => {
  const lazy = createKvFactory({ verifyOnOpenBytesMax: 1024 });
  const path = await copyStore("large");
  const { unreadBytes } = await verifyFiles(path, { tableBytesMax: 1024 });
  assert.ok(unreadBytes > 1024);
  assert.equal((await verifyFiles(path, { tableBytesMax: unreadBytes })).unreadBytes, 0);
  const flip = async (name: string, at: number): Promise<void> => {
    const file = join(path, name);
    const bytes = await readFile(file);
    bytes[at] = (bytes[at] ?? 0) ^ 4;
    await writeFile(file, bytes);
  };
  const [table = ""] = await namesOf(path, /\.ldb$/);
  await flip(table, 5000);
  const kv = await lazy.open(path);
  await assert.rejects(lazy.verify(path), isCorrupt, "found afterwards, while it is open");
  await kv.close();
  await assert.rejects(factory.open(path), isCorrupt);
  for (const pattern of [/\.log$/, /^MANIFEST/]) {
    const other = await copyStore(`large-${pattern.source.replace(/\W/g, "")}`);
    const [name = ""] = await namesOf(other, pattern);
    const bytes = await readFile(join(other, name));
    bytes[20] = (bytes[20] ?? 0) ^ 4;
    await writeFile(join(other, name), bytes);
    await assert.rejects(lazy.open(other), isCorrupt, name);
  }
});
