// Layout changes as an operator plans them, carried out by the keeper over real nodes: weights,
// a node in the place of another, the way back. What moves is what the plan's tables move; refused
// is what contradicts itself or leaves a policy without enough failure domains.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import {
  changesBack,
  commandOf,
  type LayoutChange,
  mapAfter,
  refuseUnplaceable,
} from "../../../services/gateway/admin/cluster/layout-change.ts";
import type { HeldLease } from "../../../services/keeper/leases.ts";
import { decodeState } from "../../../services/keeper/rebalance/rebalance-state.ts";
import { RebalanceTask } from "../../../services/keeper/rebalance/rebalance-task.ts";
import { present } from "../../../services/lib/base/assert.ts";
import type {
  BucketRecord,
  ClusterMap,
} from "../../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import { NodeState } from "../../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import { seededBytes } from "../../support/seeded-bytes.ts";
import { NEVER, Rig } from "./rig.ts";

const OBJECTS = 24;

class World {
  readonly rig: Rig;
  readonly bucket: BucketRecord;
  #note: Uint8Array = new Uint8Array(0);

  private constructor(rig: Rig, bucket: BucketRecord) {
    this.rig = rig;
    this.bucket = bucket;
  }

  static async open(context: TestContext, nodes: number): Promise<World> {
    const rig = await Rig.open(context, nodes);
    const world = new World(rig, await rig.bucket("one"));
    for (let number = 0; number < OBJECTS; number += 1) {
      await rig.putBody(world.bucket, `key-${number}`, bodyOf(number));
    }
    return world;
  }

  async map(): Promise<ClusterMap> {
    const { map } = await this.rig.query(1, { case: "getClusterMap", value: {} });
    return present(map, "map");
  }

  /** As the admin API does it. */
  async apply(changes: readonly LayoutChange[]): Promise<void> {
    const record = await this.map();
    const command = commandOf(record, changes);
    refuseUnplaceable(record, command);
    const value = { ...command, expectedEpoch: record.epoch, keepFormer: true };
    this.rig.clock.shiftMs += 10;
    await this.rig.execute(1, { case: "setStates", value });
    await this.rig.view.refresh();
    const { epoch: _epoch, ...planned } = mapAfter(record, command);
    const { epoch: _now, ...found } = this.rig.view.map();
    assert.deepEqual(found, planned, "the plan's map is the one that came");
  }

  /** Until settled; returns how many shards moved. */
  async rebalance(): Promise<number> {
    const { rig } = this;
    const config = { ...rig.deps.config, rebalanceDelayMs: 0 };
    const lease: HeldLease = {
      note: this.#note,
      grantedMs: rig.clock.wallMs(),
      write: async (note) => {
        this.#note = note;
      },
    };
    await new RebalanceTask(rig.with({ config })).round(NEVER, lease);
    const { phase, movedShards } = decodeState(this.#note);
    assert.equal(phase, "settled");
    return movedShards;
  }

  /** The disks of every chunk, by chunk. */
  async places(): Promise<number[][]> {
    const kind = { case: "scanManifests", value: { limit: 1000 } } as const;
    const { entries } = await this.rig.query(this.rig.groupOf(this.bucket), kind);
    return entries.flatMap(({ manifest }) =>
      (manifest?.chunks ?? []).map(({ diskIds }) => [...diskIds].sort((a, b) => a - b)),
    );
  }

  async check(): Promise<void> {
    for (let number = 0; number < OBJECTS; number += 1) {
      const read = await this.rig.get(this.bucket, `key-${number}`);
      assert.deepEqual(read, Buffer.from(bodyOf(number)));
    }
    for (const diskIds of await this.places()) assert.equal(new Set(diskIds).size, 3);
  }

  diskOf(name: string): number {
    const node = this.rig.view.map().nodes.find((candidate) => candidate.name === name);
    return present(node?.disks[0], name).diskId;
  }
}

function bodyOf(number: number): Uint8Array {
  return seededBytes(`body ${number}`, 5000);
}

function countOn(places: readonly (readonly number[])[], diskId: number): number {
  return places.filter((diskIds) => diskIds.includes(diskId)).length;
}

test("a weight takes shards away, and the way back brings every one of them home", async (t) => {
  const world = await World.open(t, 5);
  await world.rebalance();
  const before = await world.places();
  const disk = world.diskOf("node-2");
  await world.apply([{ node: "node-2", weightPercent: 20 }]);
  assert.ok((await world.rebalance()) > 0);
  assert.ok(countOn(await world.places(), disk) < countOn(before, disk));
  await world.check();
  const back = changesBack(await world.map());
  assert.deepEqual(back, [{ disk, weightPercent: 100 }]);
  await world.apply(back);
  await world.rebalance();
  assert.deepEqual(await world.places(), before);
  await world.check();
});

test("a node in the place of another gets just what that had, nothing else moves", async (t) => {
  const world = await World.open(t, 5);
  await world.rebalance();
  const before = await world.places();
  await world.rig.startNode("node-6");
  await world.rig.view.refresh();
  await world.apply([{ node: "node-6", replaces: "node-3" }]);
  const [from, to] = [world.diskOf("node-3"), world.diskOf("node-6")];
  assert.equal(await world.rebalance(), countOn(before, from));
  const swapped = before.map((diskIds) =>
    diskIds.map((diskId) => (diskId === from ? to : diskId)).sort((a, b) => a - b),
  );
  assert.deepEqual(await world.places(), swapped);
  await world.check();
  assert.deepEqual(changesBack(await world.map()), [
    { node: "node-6", replaces: "" },
    { node: "node-3", state: "up" },
  ]);
});

test("a node that was given up stays so, though it registers again; up takes it back", async (t) => {
  const world = await World.open(t, 4);
  const { rig } = world;
  await world.apply([{ node: "node-4", state: "draining" }]);
  await world.rebalance();
  await world.apply([{ node: "node-4", state: "out" }]);
  await rig.stopNode("node-4");
  await rig.startNode("node-4");
  const stateOf = async () => (await world.map()).nodes.find(({ name }) => name === "node-4");
  assert.equal((await stateOf())?.state, NodeState.OUT);
  assert.equal((await stateOf())?.removed, true);
  await world.check();
  await world.apply([{ node: "node-4", state: "up" }]);
  assert.equal((await stateOf())?.removed, false);
  await world.rebalance();
  await world.check();
});

test("what contradicts itself, names nobody or cannot be placed is refused", async (t) => {
  const world = await World.open(t, 3);
  const record = await world.map();
  const refused = (changes: readonly LayoutChange[], code: string): void => {
    assert.throws(() => refuseUnplaceable(record, commandOf(record, changes)), { code });
  };
  refused([{ node: "node-1" }], "InvalidArgument");
  refused([{ state: "up" }], "InvalidArgument");
  refused([{ node: "node-1", disk: 1, weightPercent: 5 }], "InvalidArgument");
  refused([{ node: "node-1", state: "up", weightPercent: 5 }], "InvalidArgument");
  refused([{ disk: 1, state: "out" }], "InvalidArgument");
  refused([{ node: "node-1", replaces: "node-1" }], "InvalidArgument");
  const twice = { node: "node-1", state: "up" } as const;
  refused([twice, twice], "InvalidArgument");
  refused([{ node: "node-9", state: "up" }], "NoSuchNode");
  refused([{ disk: 99, weightPercent: 5 }], "NoSuchDisk");
  refused([{ node: "node-1", state: "draining" }], "CannotPlace");
  refused([{ node: "node-1", weightPercent: 0 }], "CannotPlace");
  assert.throws(() => changesBack(record), { code: "NoFormerLayout" });
  await world.apply([{ node: "node-1", weightPercent: 70 }]);
  const value = { disks: [{ diskId: 1, weightPercent: 60 }], expectedEpoch: record.epoch };
  await assert.rejects(world.rig.execute(1, { case: "setStates", value }), /at epoch/);
});
