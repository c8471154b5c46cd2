// Shards go where the present layout wants them: just those that it moves, whole at every step,
// read back before the commit, and no others. A cut walk is gone on with by whoever comes next.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { KeeperDeps } from "../../../services/keeper/deps.ts";
import type { HeldLease } from "../../../services/keeper/leases.ts";
import { layoutSignature } from "../../../services/keeper/rebalance/layout-signature.ts";
import {
  decodeState,
  encodeState,
  NO_STATE,
} from "../../../services/keeper/rebalance/rebalance-state.ts";
import { RebalanceTask } from "../../../services/keeper/rebalance/rebalance-task.ts";
import { present } from "../../../services/lib/base/assert.ts";
import { StoreError } from "../../../services/lib/base/errors.ts";
import {
  type BucketRecord,
  NodeState,
} from "../../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import type { Chunk } from "../../../services/lib/gen/dolium/record/v1/object_pb.ts";
import { StatShardsResponse_State as ShardState } from "../../../services/lib/gen/dolium/storage/v1/storage_pb.ts";
import { shardMoves } from "../../../services/lib/placement/placement-table.ts";
import { seededBytes } from "../../support/seeded-bytes.ts";
import { NEVER, Rig } from "./rig.ts";

const OBJECTS = 24;
const BODY_BYTES = 6000;
const SHARD_BYTES = 3000;

interface World {
  readonly rig: Rig;
  readonly bucket: BucketRecord;
  readonly deps: KeeperDeps;
  readonly lease: MemoryLease;
}

/** A lease that is always held; what is written is there for the next round. */
class MemoryLease implements HeldLease {
  note: Uint8Array = new Uint8Array(0);
  readonly #rig: Rig;

  constructor(rig: Rig) {
    this.#rig = rig;
  }

  grantedMs = 0;

  /** For the next round. */
  granted(): this {
    this.grantedMs = this.#rig.clock.wallMs();
    return this;
  }

  async write(note: Uint8Array): Promise<void> {
    this.note = note;
  }
}

/** Nodes with objects of three shards each. */
async function open(context: TestContext, nodes: number): Promise<World> {
  const rig = await Rig.open(context, nodes);
  const bucket = await rig.bucket("one");
  for (let number = 0; number < OBJECTS; number += 1) {
    await rig.putBody(bucket, `key-${number}`, bodyOf(number));
  }
  const config = { ...rig.deps.config, rebalanceDelayMs: 0 };
  return { rig, bucket, deps: rig.with({ config }), lease: new MemoryLease(rig) };
}

function bodyOf(number: number): Uint8Array {
  return seededBytes(`body ${number}`, BODY_BYTES);
}

async function chunksOf({ rig, bucket }: World): Promise<Chunk[]> {
  const value = { limit: 1000 };
  const { entries } = await rig.query(rig.groupOf(bucket), { case: "scanManifests", value });
  return entries.flatMap(({ manifest }) => manifest?.chunks ?? []);
}

/** Shards that lie elsewhere than the table of the present map wants them. */
async function misplaced(world: World): Promise<number> {
  const { view } = world.rig;
  const chunks = await chunksOf(world);
  return chunks.reduce((sum, { diskIds, placementGroup }) => {
    const group = present(view.groupDisks("standard", placementGroup), "group");
    return sum + shardMoves(diskIds, group).length;
  }, 0);
}

async function setNode({ rig }: World, nodeId: number, state: NodeState): Promise<void> {
  rig.clock.shiftMs += 10;
  await rig.execute(1, { case: "setStates", value: { nodes: [{ nodeId, state }] } });
  await rig.view.refresh();
}

/** Every body is whole, and each shard of it lies readable on another node. */
async function census(world: World): Promise<void> {
  const { rig, bucket } = world;
  for (let number = 0; number < OBJECTS; number += 1) {
    assert.deepEqual(await rig.get(bucket, `key-${number}`), Buffer.from(bodyOf(number)));
  }
  for (const { chunkId, diskIds } of await chunksOf(world)) {
    const nodes = diskIds.map((diskId) => present(rig.view.addressOf(diskId), "disk").nodeId);
    assert.equal(new Set(nodes).size, diskIds.length);
    for (const [shardIndex, diskId] of diskIds.entries()) {
      const disk = present(rig.view.addressOf(diskId), "disk");
      const [state] = await rig.shards.stat(disk, [{ chunkId, shardIndex }], { verify: true });
      assert.equal(state, ShardState.PRESENT);
    }
  }
}

function stateIn({ lease }: World) {
  return decodeState(lease.note);
}

test("a new node gets just what the table moves to it; a second look moves nothing", async (t) => {
  const world = await open(t, 4);
  await world.rig.startNode("node-5");
  await world.rig.view.refresh();
  const least = await misplaced(world);
  assert.ok(least > 0, "the new node wants something");
  const task = new RebalanceTask(world.deps);
  await task.round(NEVER, world.lease.granted());
  const { phase, shards, movedShards, movedBytes } = stateIn(world);
  assert.deepEqual(
    { phase, shards, movedShards, movedBytes },
    {
      phase: "settled",
      shards: 0,
      movedShards: least,
      movedBytes: least * SHARD_BYTES,
    },
  );
  assert.equal(await misplaced(world), 0);
  await census(world);
  const calls = world.rig.calls.length;
  await task.round(NEVER, world.lease.granted());
  const more = world.rig.calls.slice(calls);
  assert.deepEqual(
    more.filter((call) => call !== "getClusterMap"),
    [],
  );
});

test("a node that is emptied says so, then gives what it has; others move nothing", async (t) => {
  const world = await open(t, 5);
  const { rig } = world;
  const leaving = present(rig.view.map().nodes[1], "node");
  const [disk] = leaving.disks.map(({ diskId }) => diskId);
  const held = (await chunksOf(world)).filter(({ diskIds }) =>
    diskIds.includes(present(disk, "disk")),
  ).length;
  assert.ok(held > 0, "it has something");
  await setNode(world, leaving.nodeId, NodeState.DRAINING);
  assert.equal(await misplaced(world), held, "only its shards are to move");
  const task = new RebalanceTask(world.deps);
  await task.round(NEVER, world.lease.granted());
  const { phase, leaving: left, movedShards, countedMs } = stateIn(world);
  assert.deepEqual({ phase, left, movedShards }, { phase: "settled", left: {}, movedShards: held });
  assert.ok(countedMs > 0);
  for (const { diskIds } of await chunksOf(world)) assert.ok(!diskIds.includes(disk ?? 0));
  await census(world);
});

test("a node that is emptied while it does not answer is rebuilt from the others", async (t) => {
  const world = await open(t, 5);
  const { rig } = world;
  const leaving = present(rig.view.map().nodes[2], "node");
  await setNode(world, leaving.nodeId, NodeState.DRAINING);
  await rig.stopNode(leaving.name);
  await new RebalanceTask(world.deps).round(NEVER, world.lease.granted());
  assert.equal(stateIn(world).phase, "settled");
  await census(world);
});

test("a copy that does not read back whole is not committed", async (t) => {
  const world = await open(t, 4);
  const { rig } = world;
  await rig.startNode("node-5");
  await rig.view.refresh();
  const before = await chunksOf(world);
  const stat = rig.shards.stat.bind(rig.shards);
  const shards = Object.create(rig.shards, {
    stat: {
      value: async (...asked: Parameters<typeof stat>) => {
        const states = await stat(...asked);
        return asked[2].verify ? states.map(() => ShardState.CORRUPT) : states;
      },
    },
  });
  await new RebalanceTask({ ...world.deps, shards }).round(NEVER, world.lease.granted());
  const { phase, movedShards, shards: left } = stateIn(world);
  assert.deepEqual({ phase, movedShards }, { phase: "waiting", movedShards: 0 });
  assert.ok(left > 0);
  assert.deepEqual(
    (await chunksOf(world)).map(({ diskIds }) => diskIds),
    before.map(({ diskIds }) => diskIds),
  );
});

test("a keeper that is cut off is followed by one that goes on", async (t) => {
  const world = await open(t, 4);
  const { rig } = world;
  await rig.startNode("node-5");
  await rig.view.refresh();
  const least = await misplaced(world);
  let commits = 0;
  rig.fault = (call) => {
    if (call !== "relocateShards") return;
    commits += 1;
    if (commits > 3) throw new StoreError("denied", "cut off");
  };
  const stop = new AbortController();
  rig.lostAnswer = () => {
    if (commits >= 3) stop.abort();
  };
  await assert.doesNotReject(
    new RebalanceTask(world.deps).round(stop.signal, world.lease.granted()),
  );
  assert.ok((await misplaced(world)) > 0, "it was cut off half way");
  rig.fault = () => undefined;
  rig.lostAnswer = () => undefined;
  await new RebalanceTask(world.deps).round(NEVER, world.lease.granted());
  rig.clock.shiftMs += 20_000;
  await new RebalanceTask(world.deps).round(NEVER, world.lease.granted());
  assert.equal(stateIn(world).phase, "settled");
  assert.equal(await misplaced(world), 0);
  assert.ok(least > 3);
  await census(world);
});

test("a target that is away is waited for; what stands still must stand for a while", async (t) => {
  const world = await open(t, 4);
  const { rig, lease } = world;
  await rig.startNode("node-5");
  await rig.view.refresh();
  const patient = { ...world.deps, config: { ...world.deps.config, rebalanceDelayMs: 60_000 } };
  const task = new RebalanceTask(patient);
  await task.round(NEVER, lease.granted());
  assert.equal(stateIn(world).phase, "waiting");
  assert.equal(stateIn(world).countedMs, 0);
  const newcomer = present(rig.view.map().nodes.at(-1), "node");
  await setNode(world, newcomer.nodeId, NodeState.DOWN);
  rig.clock.shiftMs += 60_000;
  await task.round(NEVER, lease.granted());
  assert.equal(stateIn(world).phase, "waiting");
  assert.ok(stateIn(world).shards > 0);
  const [disk] = newcomer.disks;
  for (const { diskIds } of await chunksOf(world)) assert.ok(!diskIds.includes(disk?.diskId ?? 0));
  await setNode(world, newcomer.nodeId, NodeState.UP);
  rig.clock.shiftMs += 20_000;
  await task.round(NEVER, lease.granted());
  assert.equal(stateIn(world).phase, "settled");
  await census(world);
});

test("a moved shard leaves the repair queue alone", async (t) => {
  const world = await open(t, 4);
  const { rig, bucket } = world;
  const groupId = rig.groupOf(bucket);
  const { entries } = await rig.query(groupId, { case: "scanManifests", value: { limit: 1000 } });
  const damaged = entries.flatMap(({ bucketId, manifest }) =>
    (manifest?.chunks ?? []).map(({ chunkId }) => ({
      ...{ bucketId, chunkId, owed: 1, sinceMs: 1n },
      key: manifest?.key ?? new Uint8Array(0),
      manifestId: manifest?.manifestId ?? new Uint8Array(0),
    })),
  );
  await rig.execute(groupId, { case: "enqueueRepairs", value: { entries: damaged } });
  await rig.startNode("node-5");
  await rig.view.refresh();
  rig.clock.shiftMs += 10;
  await new RebalanceTask(world.deps).round(NEVER, world.lease.granted());
  assert.equal(await misplaced(world), 0);
  const { repairEntries } = await rig.query(groupId, { case: "groupStats", value: {} });
  assert.equal(repairEntries, BigInt(OBJECTS));
});

test("the signature of a layout changes with what places shards, and with nothing else", async (t) => {
  const { rig, ...world } = await open(t, 3);
  const map = rig.view.map();
  const signature = layoutSignature(map);
  const first = present(map.nodes[0], "node");
  await setNode({ rig, ...world }, first.nodeId, NodeState.DOWN);
  assert.equal(layoutSignature(rig.view.map()), signature, "silence moves nothing");
  await setNode({ rig, ...world }, first.nodeId, NodeState.DRAINING);
  assert.notEqual(layoutSignature(rig.view.map()), signature);
  await setNode({ rig, ...world }, first.nodeId, NodeState.UP);
  assert.equal(layoutSignature(rig.view.map()), signature);
  const [disk] = first.disks;
  const disks = [{ diskId: disk?.diskId ?? 0, weightPercent: 50 }];
  await rig.execute(1, { case: "setStates", value: { disks } });
  await rig.view.refresh();
  assert.notEqual(layoutSignature(rig.view.map()), signature);
});

test("notes are read back; those that are none begin anew", () => {
  const state = {
    ...NO_STATE,
    signature: "ab",
    phase: "moving",
    cursor: "00ff",
    leaving: { 3: 4 },
  };
  assert.deepEqual(decodeState(encodeState({ ...state, phase: "moving" })), state);
  const wrong = [
    "",
    "{",
    "[]",
    "null",
    '{"signature":1}',
    JSON.stringify({ ...state, cursor: "x" }),
  ];
  for (const text of [...wrong, JSON.stringify({ ...state, shards: -1 })]) {
    assert.deepEqual(decodeState(Buffer.from(text)), NO_STATE, text);
  }
});

test("the longer a count took that found all in place, the longer the next one waits", async (t) => {
  const world = await open(t, 3);
  const { rig, lease } = world;
  const config = { ...world.deps.config, rebalanceIntervalMs: 1000 };
  const task = new RebalanceTask({ ...world.deps, config });
  await task.round(NEVER, lease.granted());
  assert.equal(stateIn(world).phase, "settled");
  const counted = stateIn(world);
  const sinceMs = rig.clock.wallMs();
  const after = async (countMs: number, restMs: number): Promise<boolean> => {
    const state = { ...counted, settledCounts: 5, sinceMs, countedMs: sinceMs - countMs };
    lease.note = encodeState(state);
    rig.clock.shiftMs = restMs;
    await new RebalanceTask({ ...world.deps, config }).round(NEVER, lease.granted());
    return stateIn(world).settledCounts > 5;
  };
  // Ten seconds of counting want two hundred of rest.
  assert.equal(await after(10_000, 60_000), false);
  assert.equal(await after(10_000, 210_000), true);
  assert.equal(await after(10, 60_000), true);
});
