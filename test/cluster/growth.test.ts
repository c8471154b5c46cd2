// A cluster that grows and shrinks while it holds data: nodes added, one emptied, a disk weighed
// anew and back, one node lost for good, a disk replaced. At every step all bytes compare, every
// shard is read from a disk of its own failure domain where the placement table wants it, no more
// was moved than the layout makes due, and status says what a count over all manifests says. It
// starts eight storage nodes three times: `make growth` runs it.
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { after, before, test } from "node:test";
import { CreateBucketCommand } from "@aws-sdk/client-s3";
import { shardBytes } from "../../services/lib/erasure/geometry.ts";
import { StatShardsResponse_State as ShardState } from "../../services/lib/gen/dolium/storage/v1/storage_pb.ts";
import { failureDomainOf } from "../../services/lib/placement/cluster-map.ts";
import { shardMoves } from "../../services/lib/placement/placement-table.ts";
import { failuresSurvived } from "../../services/lib/placement/protection.ts";
import { ChunkCensus, type FoundChunk } from "../support/chunk-census.ts";
import { runDolium } from "../support/dolium-command.ts";
import { eventually } from "../support/eventually.ts";
import { LocalCluster } from "../support/local-cluster.ts";
import { type TemporaryFolder, temporaryFolder } from "../support/temporary-folder.ts";
import { Workload } from "../support/workload.ts";

const skip = process.env.DOLIUM_TEST_GROWTH === undefined ? "make growth runs it" : false;
const BUCKET = "growth";
const OBJECTS = 60;
const PATIENCE_MS = 120_000;
const ENVIRONMENT = {
  DOLIUM_KEEPER__INTERVAL_MS: "200",
  DOLIUM_KEEPER__GARBAGE_DELAY_MS: "0",
  DOLIUM_KEEPER__REBALANCE_DELAY_MS: "500",
  DOLIUM_KEEPER__REBALANCE_INTERVAL_MS: "1000",
  DOLIUM_KEEPER__REPAIR_RETRY_MS: "500",
};

let folder: TemporaryFolder;
let cluster: LocalCluster;
let load: Workload;

interface View {
  readonly healthy: boolean;
  readonly summary: string;
  readonly nodes: readonly { readonly name: string; readonly state: string; drained?: boolean }[];
  readonly durability: { readonly fullRedundancy: boolean };
  readonly mayFail: { readonly storageNodes: number };
  readonly rebalance: { readonly phase: string; readonly movedBytes: number } | null;
}

async function start(storage: number): Promise<void> {
  cluster = await LocalCluster.start({
    args: ["dev", "--no-restart", "--gateways", "1", "--metadata", "1", "--storage", `${storage}`],
    dataDir: folder.path,
    environment: ENVIRONMENT,
  });
}

/** Runs a verb of the command; it must end with 0. */
async function dolium(...args: readonly string[]): Promise<void> {
  const environment = { DOLIUM_DATA: cluster.dataDir };
  const { code, stderr } = await runDolium(args, { folder: folder.path, environment });
  assert.equal(code, 0, `${args.join(" ")}: ${stderr}`);
}

async function status(): Promise<View> {
  // Shape by contract; a missing field fails the assertion that reads it.
  return (await cluster.status()) as unknown as View;
}

async function withCensus<T>(work: (census: ChunkCensus) => Promise<T>): Promise<T> {
  const census = new ChunkCensus(cluster.dataDir);
  try {
    return await work(census);
  } finally {
    await census.close();
  }
}

/** Bytes of shards that lie elsewhere than the present table wants them. */
async function bytesDue(): Promise<number> {
  return withCensus(async (census) => {
    const chunks = await census.chunks();
    return chunks.reduce((sum, found) => sum + misplaced(census, found) * sizeOf(found), 0);
  });
}

function sizeOf({ manifest, chunk }: FoundChunk): number {
  const { dataShards: k, parityShards: m, cellBytes } = manifest;
  return shardBytes(chunk.size, { k, m, cellBytes });
}

function misplaced({ view }: ChunkCensus, { manifest, chunk }: FoundChunk): number {
  const group = view.groupDisks(manifest.policy, chunk.placementGroup) ?? [];
  assert.equal(group.length, chunk.diskIds.length);
  return shardMoves(chunk.diskIds, group).length;
}

/** Every byte, every shard, every place; and what status promises. */
async function checkAll(step: string): Promise<void> {
  await load.verify(cluster.s3(0, 6));
  const least = await withCensus(async (census) => {
    const chunks = await census.chunks();
    assert.ok(chunks.length >= OBJECTS, `${chunks.length} chunks`);
    let tolerance = Number.POSITIVE_INFINITY;
    for (const found of chunks) {
      assert.equal(misplaced(census, found), 0, `${step}: a shard lies elsewhere`);
      tolerance = Math.min(tolerance, await examine(census, found, step));
    }
    return tolerance;
  });
  const { mayFail, durability, healthy, summary } = await status();
  assert.equal(mayFail.storageNodes, least, `${step}: ${summary}`);
  assert.ok(durability.fullRedundancy && healthy, `${step}: ${summary}`);
}

/** Reads each shard on its disk; how many nodes may fail, counted from where shards are. */
async function examine(census: ChunkCensus, found: FoundChunk, step: string): Promise<number> {
  const { view, shards } = census;
  const { manifest, chunk } = found;
  const { chunkId, diskIds } = chunk;
  const { failureDomain } = view.policy(manifest.policy);
  const places = view.map().nodes.flatMap((node) => node.disks.map((disk) => ({ node, disk })));
  const counts = new Map<string, number>();
  for (const [shardIndex, diskId] of diskIds.entries()) {
    const place = places.find(({ disk }) => disk.diskId === diskId);
    const address = view.addressOf(diskId);
    assert.ok(place !== undefined && address !== undefined, `${step}: disk ${diskId}`);
    const domain = failureDomainOf(place, failureDomain);
    counts.set(domain, (counts.get(domain) ?? 0) + 1);
    const [state] = await shards.stat(address, [{ chunkId, shardIndex }], { verify: true });
    assert.equal(state, ShardState.PRESENT, `${step}: shard ${shardIndex} on disk ${diskId}`);
  }
  assert.equal(counts.size, diskIds.length, `${step}: shards share a failure domain`);
  return failuresSurvived([...counts.values()], manifest.parityShards);
}

async function movedBytes(): Promise<number> {
  return (await status()).rebalance?.movedBytes ?? 0;
}

async function untilSettled(step: string): Promise<void> {
  await eventually(`${step}: all is where it should be`, PATIENCE_MS, async () => {
    const due = await bytesDue();
    const { rebalance, durability, healthy, summary } = await status();
    if (due === 0 && rebalance?.phase === "settled" && durability.fullRedundancy && healthy) {
      return true;
    }
    throw new Error(`${due} bytes elsewhere, ${rebalance?.phase}; ${summary}`);
  });
}

before(async () => {
  if (skip !== false) return;
  folder = temporaryFolder("dolium-growth-");
  await start(6);
  await cluster.s3().send(new CreateBucketCommand({ Bucket: BUCKET }));
  const clients = [cluster.s3(0, 6)];
  const sizes = [30_000, 400_000, 1_500_000];
  load = new Workload({ bucket: BUCKET, prefix: "a/", clients, lanes: 4, sizes });
  await eventually("objects are written", PATIENCE_MS, async () =>
    load.count >= OBJECTS ? true : undefined,
  );
  await load.stop();
});

after(async () => {
  await cluster?.stop();
  folder?.remove();
});

test("two nodes are added: they get their share, and hardly more is moved", { skip }, async () => {
  await cluster.stop();
  await start(8);
  await eventually("eight nodes are up", PATIENCE_MS, async () => {
    const { nodes } = await status();
    const up = nodes.filter(({ name, state }) => name.startsWith("storage") && state === "up");
    return up.length === 8 ? true : undefined;
  });
  await untilSettled("added");
  const moved = await movedBytes();
  // Two of eight equal nodes are due a quarter of all that is stored.
  const stored = await withCensus(async (census) =>
    (await census.chunks()).reduce((sum, found) => sum + 6 * sizeOf(found), 0),
  );
  const share = moved / (stored / 4);
  assert.ok(share > 0.5 && share < 1.6, `${moved} bytes moved of ${stored} stored`);
  await checkAll("added");
});

test("a node is emptied and says so, a weight changes and goes back; moves are the least", {
  skip,
}, async () => {
  const before = await withCensus(async (census) => held(census, "storage-2"));
  assert.ok(before > 0);
  await dolium("node", "drain", "storage-2", "--yes");
  await eventually("it is drained", PATIENCE_MS, async () => {
    const { nodes, rebalance } = await status();
    const isEmpty = nodes.find(({ name }) => name === "storage-2")?.drained === true;
    return isEmpty && rebalance?.phase === "settled" ? true : undefined;
  });
  assert.equal(await withCensus(async (census) => held(census, "storage-2")), 0);
  const moved = await movedBytes();
  assert.ok(moved >= before && moved <= before * 1.3, `${moved} moved, ${before} were there`);
  await checkAll("drained");
  await dolium("layout", "apply", "--change", "storage-5=50%", "--yes");
  await untilSettled("reweighted");
  await checkAll("reweighted");
  await dolium("layout", "revert", "--yes");
  await untilSettled("weighed as before");
  await checkAll("weighed as before");
});

/** Bytes of shards on the disks of a node. */
async function held(census: ChunkCensus, name: string): Promise<number> {
  const chunks = await census.chunks();
  const node = census.view.map().nodes.find((candidate) => candidate.name === name);
  const disks = new Set(node?.disks.map(({ diskId }) => diskId));
  return chunks.reduce((sum, found) => {
    const count = found.chunk.diskIds.filter((diskId) => disks.has(diskId)).length;
    return sum + count * sizeOf(found);
  }, 0);
}

test("a node is lost for good; another one's disk is replaced; all is rebuilt", {
  skip,
}, async () => {
  await cluster.kill("storage-7");
  await eventually("it is missed, and one less may fail", PATIENCE_MS, async () => {
    const { nodes, mayFail } = await status();
    const state = nodes.find(({ name }) => name === "storage-7")?.state;
    return state === "down" && mayFail.storageNodes === 1 ? true : undefined;
  });
  await load.verify(cluster.s3(0, 6));
  await dolium("node", "remove", "storage-7", "--yes");
  await untilSettled("removed");
  await checkAll("removed");
  const { dir } = cluster.process("storage-4");
  await cluster.stop();
  rmSync(join(dir, "disk-1"), { recursive: true, force: true });
  await start(8);
  await untilSettled("replaced");
  await checkAll("replaced");
  // The removed one runs again, and stays out; the emptied one has nothing.
  const { nodes } = await status();
  const stateOf = (name: string) => nodes.find((node) => node.name === name)?.state;
  assert.equal(stateOf("storage-7"), "out");
  assert.equal(stateOf("storage-2"), "draining");
});
