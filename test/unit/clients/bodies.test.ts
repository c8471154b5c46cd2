// Bodies written and read over shard nodes that fail: what is acknowledged has enough shards, what
// is read is right or refused.
import assert from "node:assert/strict";
import { test } from "node:test";
import { present } from "../../../services/lib/base/assert.ts";
import { BodyReader, type ChunkDamage } from "../../../services/lib/clients/body-reader.ts";
import { BodyWriter } from "../../../services/lib/clients/body-writer.ts";
import type { ChunkWriteTimes } from "../../../services/lib/clients/chunk-writer.ts";
import { StripePool } from "../../../services/lib/clients/stripe-pool.ts";
import { createErasureCompute } from "../../../services/lib/erasure/compute.ts";
import { NodeState } from "../../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import type { Manifest } from "../../../services/lib/gen/dolium/record/v1/object_pb.ts";
import { seededBytes, sha256Hex } from "../../support/seeded-bytes.ts";
import { ShardNodes, SILENT_LOG, type TestPolicy } from "../../support/shard-nodes.ts";

const MIB = 1024 * 1024;
const POLICY = { k: 4, m: 2, cellBytes: 16 * 1024 };
const TIMES = { stallMs: 60, graceMs: 40, giveUpMs: 2000 };
/** Of three nodes each must hold a shard while the map counts on all of them. */
const NARROW = { k: 2, m: 1, cellBytes: 16 * 1024 };
const SOON_MS = 300;
const KEY = Buffer.from("key");

interface Bench {
  readonly nodes: ShardNodes;
  readonly pool: StripePool;
  readonly damages: ChunkDamage[];
  write(body: Uint8Array, size?: number): Promise<Manifest>;
  read(manifest: Manifest, first?: number, last?: number): Promise<Buffer>;
  /** The views that the reader yields. */
  pieces(manifest: Manifest, first?: number, last?: number): Promise<Uint8Array[]>;
}

interface BenchOptions {
  readonly policy?: TestPolicy;
  readonly times?: ChunkWriteTimes;
  readonly mapMs?: number;
}

async function bench(nodeCount: number, options: BenchOptions = {}): Promise<Bench> {
  const { policy = POLICY, times = TIMES, mapMs } = options;
  const nodes = new ShardNodes(nodeCount, policy);
  await nodes.listen(nodeCount);
  const erasure = createErasureCompute();
  const pool = new StripePool(4 * MIB);
  const { client: shards, view, clock, random } = nodes;
  const damages: ChunkDamage[] = [];
  const writer = new BodyWriter(
    { view, shards, erasure, pool, clock, random, log: SILENT_LOG },
    times,
    mapMs,
  );
  const onDamage = (damage: ChunkDamage): void => void damages.push(damage);
  const reader = new BodyReader({ view, shards, erasure, clock, onDamage });
  const pieces: Bench["pieces"] = async (manifest, first = 0, last = Number(manifest.size) - 1) => {
    const manifests = [{ manifest, offset: 0 }];
    const request = { bucketId: 1, manifests, firstByte: first, lastByte: last };
    const views: Uint8Array[] = [];
    for await (const view of reader.read(request)) views.push(view);
    return views;
  };
  return {
    nodes,
    pool,
    damages,
    write: (body, size = body.byteLength) =>
      writer.write({ bucketId: 1, key: KEY, policy: "standard", size, source: scraps(body) }),
    pieces,
    read: async (...what) => Buffer.concat(await pieces(...what)),
  };
}

/** Pieces of odd lengths in one buffer that is used again, as a socket would hand them over. */
async function* scraps(body: Uint8Array): AsyncIterable<Uint8Array> {
  const scratch = Buffer.alloc(60_001);
  for (let at = 0; at < body.byteLength; at += scratch.byteLength) {
    const part = body.subarray(at, at + scratch.byteLength);
    scratch.set(part);
    yield scratch.subarray(0, part.byteLength);
  }
}

function diskIdsOf(manifest: Manifest): number[] {
  return manifest.chunks.flatMap((chunk) => chunk.diskIds);
}

test("bodies of all sizes come back, whole and in ranges", async () => {
  const { write, read } = await bench(6);
  for (const size of [1, 3, 4, 65_535, 65_536, 65_537, 40 * MIB + 7]) {
    const body = seededBytes(`body ${size}`, size);
    const manifest = await write(body);
    assert.equal(manifest.size, BigInt(size));
    assert.ok(diskIdsOf(manifest).every((diskId) => diskId !== 0));
    assert.equal(sha256Hex(await read(manifest)), sha256Hex(body), `${size} bytes`);
    const from = Math.floor(size / 3);
    const part = await read(manifest, from, size - 1);
    assert.equal(sha256Hex(part), sha256Hex(body.subarray(from)), `${size} from ${from}`);
  }
});

test("an empty body has no chunk", async () => {
  const { write } = await bench(6);
  assert.deepEqual((await write(new Uint8Array(0))).chunks, []);
});

test("a source that ends early or late is refused, and its memory comes back", async () => {
  const { write, pool } = await bench(6);
  const body = seededBytes("body", 300_000);
  await assert.rejects(write(body, 300_001), { code: "invalid" });
  await assert.rejects(write(body, 299_999), { code: "invalid" });
  const whole = await pool.acquire(4 * MIB);
  whole.release(true);
});

test("one node down: the shard is owed, the write is acknowledged", async () => {
  const { nodes, write, read } = await bench(6);
  nodes.faults.set(3, { refuse: true });
  const body = seededBytes("one down", 200_000);
  const manifest = await write(body);
  assert.equal(diskIdsOf(manifest).filter((diskId) => diskId === 0).length, 1);
  assert.ok(nodes.view.isSuspect(3));
  assert.equal(sha256Hex(await read(manifest)), sha256Hex(body));
});

test("two nodes down: the missing shards are rebuilt elsewhere before the acknowledgement", async () => {
  const { nodes, write, read } = await bench(6);
  nodes.faults.set(2, { failFinish: true });
  nodes.faults.set(5, { refuse: true });
  const body = seededBytes("two down", 2 * MIB + 5);
  const manifest = await write(body);
  const held = diskIdsOf(manifest);
  assert.ok(!held.includes(2) && !held.includes(5));
  for (const lost of new Set(held)) {
    const outside = held.filter((diskId) => diskId !== lost && diskId !== 0);
    assert.ok(outside.length >= POLICY.k, `survives the loss of node ${lost}`);
  }
  assert.equal(sha256Hex(await read(manifest)), sha256Hex(body));
});

test("the next body avoids nodes that just failed and is full width", async () => {
  const { nodes, write } = await bench(6);
  nodes.faults.set(1, { refuse: true });
  nodes.faults.set(4, { refuse: true });
  await write(seededBytes("first", 100_000));
  const manifest = await write(seededBytes("second", 100_000));
  const held = diskIdsOf(manifest);
  assert.ok(held.every((diskId) => diskId !== 0 && diskId !== 1 && diskId !== 4));
  assert.ok(manifest.chunks.every((chunk) => chunk.relaxed));
});

test("three nodes down of six: the write is refused, never acknowledged thin", async () => {
  const { nodes, write } = await bench(6);
  for (const nodeId of [1, 2, 3]) nodes.faults.set(nodeId, { failFinish: true });
  await assert.rejects(write(seededBytes("thin", 100_000)), { code: "unavailable" });
});

test("a node that the map still counts on: the write waits for the next map", async () => {
  const { nodes, write, read } = await bench(3, { policy: NARROW });
  nodes.faults.set(3, { refuse: true });
  const body = seededBytes("late", 100_000);
  // The second is placed when the node is known to be away, and still in the map.
  const first = write(body);
  nodes.clock.after(SOON_MS, () => nodes.commit(3, NodeState.SUSPECT));
  const manifest = await first;
  const second = await write(body);
  for (const { chunks } of [manifest, second]) {
    for (const { diskIds } of chunks) {
      assert.ok(!diskIds.includes(0) && !diskIds.includes(3), diskIds.join(" "));
    }
  }
  assert.equal(sha256Hex(await read(manifest)), sha256Hex(body));
});

test("a node that comes back before the map loses it gets its shard", async () => {
  const { nodes, write } = await bench(3, { policy: NARROW });
  nodes.faults.set(3, { refuse: true });
  const writes = [write(seededBytes("back", 100_000))];
  while (!nodes.view.isSuspect(3)) await nodes.clock.sleep(1);
  writes.push(write(seededBytes("back", 100_001)));
  nodes.clock.after(SOON_MS, () => nodes.faults.clear());
  for (const { chunks } of await Promise.all(writes)) {
    for (const { diskIds } of chunks) assert.deepEqual(diskIds.toSorted(), [1, 2, 3]);
  }
});

test("a map that does not change: the write is refused in the end", async () => {
  const { nodes, write } = await bench(3, { policy: NARROW, mapMs: SOON_MS });
  nodes.faults.set(3, { refuse: true });
  await assert.rejects(write(seededBytes("thin", 100_000)), { code: "unavailable" });
  await assert.rejects(write(seededBytes("thin", 100_000)), { code: "unavailable" });
});

test("a node that stalls is dropped and the write goes on", async () => {
  const { nodes, write, read } = await bench(6);
  nodes.faults.set(6, { stall: true });
  const body = seededBytes("stall", 3 * MIB);
  const manifest = await write(body);
  assert.ok(!diskIdsOf(manifest).includes(6));
  assert.equal(sha256Hex(await read(manifest)), sha256Hex(body));
});

/** Nobody waits so long: whoever gives up waiting only then never ends here. */
const PATIENT = { ...TIMES, giveUpMs: 3_600_000 };

test("where the shards of a stalled node can be rebuilt, nobody waits for it to be given up", async () => {
  const { nodes, write, read } = await bench(6, { times: PATIENT });
  nodes.moveToCampuses(3);
  nodes.faults.set(6, { stall: true });
  const body = seededBytes("stalled campus", 100_000);
  const manifest = await write(body);
  const held = diskIdsOf(manifest);
  assert.ok(!held.includes(6) && !held.includes(0));
  assert.ok(manifest.chunks.every((chunk) => chunk.relaxed));
  assert.equal(sha256Hex(await read(manifest)), sha256Hex(body));
});

test("while a campus that went stands in the map, a write waits for the map, and no longer", async () => {
  const { nodes, write } = await bench(6, { times: PATIENT });
  nodes.moveToCampuses(3);
  for (const nodeId of [3, 6]) nodes.faults.set(nodeId, { stall: true });
  const writing = write(seededBytes("campus went", 100_000));
  const waits = nodes.clock.sleep(5 * TIMES.stallMs).then(() => "waits");
  const first = await Promise.race([writing, waits]);
  assert.equal(first, "waits", "two campuses of three in the map are not enough");
  nodes.moveToCampuses(3, [3, 6]);
  const held = diskIdsOf(await writing);
  assert.ok(!held.includes(3) && !held.includes(6) && !held.includes(0));
});

test("reads go around any two nodes that are away or rotten", async () => {
  const { nodes, write, read, damages } = await bench(6);
  const body = seededBytes("around", MIB + 333);
  const manifest = await write(body);
  for (let a = 1; a <= 6; a += 1) {
    for (let b = a + 1; b <= 6; b += 1) {
      nodes.faults.clear();
      nodes.faults.set(a, { rot: true });
      nodes.faults.set(b, { refuse: true });
      assert.equal(sha256Hex(await read(manifest)), sha256Hex(body), `without ${a} and ${b}`);
    }
  }
  assert.ok(damages.length > 0);
  assert.ok(damages.every((damage) => damage.reason.code === "corrupt"));
});

test("cells come together, many to an answer, and out of the reader in few pieces", async () => {
  const { nodes, write, pieces: piecesOf } = await bench(6);
  const manifest = await write(seededBytes("runs", 8 * MIB));
  // 2 MiB a shard, 256 KiB an answer.
  assert.equal((await piecesOf(manifest)).length, (8 * MIB) / POLICY.cellBytes);
  assert.equal(nodes.answers, 4 * 8);
});

test("cells that follow one another in memory leave the reader as one piece", async () => {
  const {
    nodes,
    write,
    pieces: piecesOf,
  } = await bench(3, {
    policy: { k: 1, m: 2, cellBytes: 16 * 1024 },
  });
  const manifest = await write(seededBytes("one shard", 8 * MIB));
  assert.deepEqual(
    (await piecesOf(manifest)).map((piece) => piece.byteLength),
    new Array<number>(8).fill(MIB),
  );
  assert.equal(nodes.answers, 8);
});

test("a run with one rotten cell gives those before it; the rest comes from others", async () => {
  const { nodes, write, read, damages } = await bench(6);
  const body = seededBytes("one cell", 2 * MIB);
  const manifest = await write(body);
  const [first = 0] = diskIdsOf(manifest);
  nodes.faults.set(first, { rot: 5 });
  assert.equal(sha256Hex(await read(manifest)), sha256Hex(body));
  assert.deepEqual(
    damages.map(({ shardIndex, reason }) => [shardIndex, reason.code]),
    [[0, "corrupt"]],
  );
  assert.match(damages[0]?.reason.message ?? "", /cell 5 of shard 0/);
  const before = await read(manifest, 0, 5 * 4 * POLICY.cellBytes - 1);
  assert.equal(sha256Hex(before), sha256Hex(body.subarray(0, before.byteLength)));
});

test("with two shards gone, no more answers are awaited than with all", async () => {
  const { nodes, write, read } = await bench(6);
  const body = seededBytes("degraded", 8 * MIB);
  const manifest = await write(body);
  for (const nodeId of diskIdsOf(manifest).slice(0, 2)) nodes.faults.set(nodeId, { refuse: true });
  assert.equal(sha256Hex(await read(manifest)), sha256Hex(body));
  assert.equal(nodes.answers, 4 * 8);
});

test("nodes of earlier releases answer cell by cell, and are read all the same", async () => {
  const { nodes, write, read } = await bench(6);
  const body = seededBytes("older", MIB + 77);
  const manifest = await write(body);
  for (const nodeId of [1, 2, 5]) nodes.faults.set(nodeId, { single: true });
  nodes.faults.set(4, { refuse: true });
  assert.equal(sha256Hex(await read(manifest)), sha256Hex(body));
  assert.equal(sha256Hex(await read(manifest, 70_000)), sha256Hex(body.subarray(70_000)));
});

test("three rotten shards: the read fails and yields nothing wrong", async () => {
  const { nodes, write, read } = await bench(6);
  const manifest = await write(seededBytes("lost", 500_000));
  for (const nodeId of [1, 3, 5]) nodes.faults.set(nodeId, { rot: true });
  await assert.rejects(read(manifest), { code: "corrupt" });
});

test("a node that goes on being slow is soon not waited for any more", async () => {
  const { nodes, write, read } = await bench(6);
  const body = seededBytes("often slow", 64 * 1024);
  const manifest = await write(body);
  for (let time = 0; time < 20; time += 1) await read(manifest);
  const first = present(diskIdsOf(manifest)[0], "disk");
  let asked = 0;
  const readCells = nodes.client.readCells.bind(nodes.client);
  nodes.client.readCells = (disk, shard, range) => {
    if (disk.diskId === first) asked += 1;
    return readCells(disk, shard, range);
  };
  nodes.faults.set(first, { stall: true });
  const READS = 200;
  for (let time = 0; time < READS; time += 1) {
    assert.equal(sha256Hex(await read(manifest)), sha256Hex(body));
  }
  // It is tried again after one second, two, four and so on, and where others are late as well.
  assert.ok(asked >= 1 && asked < READS / 2, `asked ${asked} times in ${READS} reads`);
});

test("a slow node is read around", async () => {
  const { nodes, write, read } = await bench(6);
  const body = seededBytes("slow", MIB);
  const manifest = await write(body);
  const first = manifest.chunks[0]?.diskIds[0] ?? 0;
  nodes.faults.set(first, { stall: true });
  assert.equal(sha256Hex(await read(manifest)), sha256Hex(body));
});
