// Where the own campus holds enough shards, only those are read, parity among them; another campus
// is asked for what the own one cannot give.
import assert from "node:assert/strict";
import { test } from "node:test";
import { BodyWriter } from "../../../services/lib/clients/body-writer.ts";
import type { DiskAddress } from "../../../services/lib/clients/shard-client.ts";
import { StripePool } from "../../../services/lib/clients/stripe-pool.ts";
import { StripeReader } from "../../../services/lib/clients/stripe-reader.ts";
import { createErasureCompute } from "../../../services/lib/erasure/compute.ts";
import { seededBytes } from "../../support/seeded-bytes.ts";
import { ShardNodes, SILENT_LOG } from "../../support/shard-nodes.ts";

const POLICY = { k: 2, m: 2, cellBytes: 1024 };
const CELLS = 2;
const BODY = seededBytes("near", POLICY.cellBytes * POLICY.k);
const PATIENCE_MS = 60_000;

/** A chunk over four nodes, and a reader to which the nodes with these shards are near. */
async function bench(nearShards: readonly number[], hedgeMs = PATIENCE_MS) {
  const nodes = new ShardNodes(4, POLICY);
  await nodes.listen(4);
  const erasure = createErasureCompute();
  const { client: shards, view, clock, random } = nodes;
  const pool = new StripePool(1 << 20);
  const writer = new BodyWriter({ view, shards, erasure, pool, clock, random, log: SILENT_LOG });
  const manifest = await writer.write({
    ...{ bucketId: 1, key: Buffer.from("k"), policy: "standard", size: BODY.byteLength },
    source: (async function* () {
      yield BODY;
    })(),
  });
  const [chunk] = manifest.chunks;
  const disks = (chunk?.diskIds ?? []).map((diskId) => view.addressOf(diskId));
  const near = new Set(nearShards.map((at) => disks[at]?.nodeId));
  const asked: number[] = [];
  const readCells = shards.readCells.bind(shards);
  shards.readCells = (source, shard, range) => {
    asked.push(shard.shardIndex);
    return readCells(source, shard, range);
  };
  const reader = new StripeReader(
    { shards, erasure, clock, onBadShard: () => undefined },
    {
      ...{ chunkId: chunk?.chunkId ?? Buffer.alloc(0), k: POLICY.k, m: POLICY.m, disks, hedgeMs },
      preferred: () => true,
      isNear: ({ nodeId }: DiskAddress) => near.has(nodeId),
      endStripe: 1,
    },
  );
  const read = async (): Promise<Buffer> => Buffer.concat(await reader.read(0, [0, 1]));
  const refuse = (at: number): void => {
    nodes.faults.set(disks[at]?.nodeId ?? 0, { refuse: true });
  };
  return { read, asked, refuse };
}

test("k shards of the own campus are enough, though they are parity", async () => {
  const { read, asked } = await bench([2, 3]);
  assert.deepEqual(await read(), Buffer.from(BODY));
  assert.deepEqual(asked.sort(), [2, 3]);
});

test("a near shard that fails is made up for by a far one", async () => {
  const { read, asked, refuse } = await bench([2, 3]);
  refuse(3);
  assert.deepEqual(await read(), Buffer.from(BODY));
  assert.equal(asked.length, CELLS + 1);
  assert.ok(asked.includes(2));
});

test("with fewer than k near, the data itself is read, wherever it lies", async () => {
  const { read, asked } = await bench([3]);
  assert.deepEqual(await read(), Buffer.from(BODY));
  assert.deepEqual(asked.sort(), [0, 1]);
});
