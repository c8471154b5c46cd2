// The root group: cluster map and its epoch, nodes and disks, buckets, leases.
import assert from "node:assert/strict";
import { test } from "node:test";
import { DiskState, NodeState } from "../../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import { Outcome } from "../../../services/lib/gen/dolium/record/v1/command_pb.ts";
import { type CommandKind, idOf, key, Machine } from "./harness.ts";

function init(machine: Machine, clusterId = "one") {
  const policies = [{ name: "standard", dataShards: 4, parityShards: 2, failureDomain: "node" }];
  const value = {
    clusterId,
    policies,
    defaultPolicy: "standard",
    placementGroupCount: 64,
    indexGroups: [2, 3],
  };
  return machine.execute({ case: "initCluster", value });
}

async function map(machine: Machine) {
  const { map: found } = await machine.query({ case: "getClusterMap", value: {} });
  assert.ok(found !== undefined);
  return found;
}

async function register(
  machine: Machine,
  name: string,
  disks: readonly number[],
  more: object = {},
) {
  const value = {
    name,
    address: `${name}:1`,
    host: name,
    disks: disks.map((disk) => ({ diskUuid: idOf(disk), weight: 100n })),
    ...more,
  };
  const reply = await machine.execute({ case: "registerNode", value });
  assert.equal(reply.outcome, Outcome.OK, reply.message);
  assert.ok(reply.kind.case === "registerNode");
  return reply.kind.value;
}

test("a cluster is initialised once; the same again changes nothing, another is refused", async (t) => {
  const machine = await Machine.open(t);
  assert.equal((await init(machine)).outcome, Outcome.OK);
  assert.equal((await init(machine)).outcome, Outcome.OK);
  assert.equal((await init(machine, "two")).outcome, Outcome.EXISTS);
  const { epoch, clusterId, indexGroups } = await map(machine);
  assert.deepEqual([epoch, clusterId, indexGroups], [1n, "one", [2, 3]]);
  const known = await machine.query({ case: "getClusterMap", value: { knownEpoch: 1n } });
  assert.equal(known.map, undefined);
});

test("nothing is registered or created before there is a map", async (t) => {
  const machine = await Machine.open(t);
  const node = { name: "n", address: "n:1", disks: [] };
  const kinds: CommandKind[] = [
    { case: "registerNode", value: node },
    { case: "createBucket", value: { name: "b" } },
    { case: "setStates", value: {} },
  ];
  for (const kind of kinds) {
    assert.equal((await machine.execute(kind)).outcome, Outcome.CONFLICT);
  }
});

test("a node keeps its ids by name and uuid; the epoch grows only when something changed", async (t) => {
  const machine = await Machine.open(t);
  await init(machine);
  const first = await register(machine, "n1", [1, 2]);
  const second = await register(machine, "n2", [3]);
  assert.deepEqual([first.nodeId, first.diskIds, first.mapEpoch], [1, [1, 2], 2n]);
  assert.deepEqual([second.nodeId, second.diskIds, second.mapEpoch], [2, [3], 3n]);
  const again = await register(machine, "n1", [2, 1]);
  assert.deepEqual([again.nodeId, again.diskIds, again.mapEpoch], [1, [2, 1], 3n]);
  const moved = await register(machine, "n1", [1, 2], { address: "elsewhere:2", rack: "r" });
  assert.equal(moved.mapEpoch, 4n);
  const { nodes } = await map(machine);
  assert.deepEqual([nodes[0]?.address, nodes[0]?.rack, nodes.length], ["elsewhere:2", "r", 2]);
});

test("a disk not named any more is out, a new one gets a new id, a known one comes back", async (t) => {
  const machine = await Machine.open(t);
  await init(machine);
  await register(machine, "n1", [1, 2]);
  const replaced = await register(machine, "n1", [1, 9]);
  assert.deepEqual(replaced.diskIds, [1, 3]);
  const states = async () =>
    (await map(machine)).nodes.flatMap(({ disks }) =>
      disks.map(({ diskId, state }) => [diskId, state]),
    );
  assert.deepEqual(await states(), [
    [1, DiskState.UP],
    [2, DiskState.OUT],
    [3, DiskState.UP],
  ]);
  const back = await register(machine, "n1", [1, 2]);
  assert.deepEqual(back.diskIds, [1, 2]);
  assert.deepEqual((await states())[2], [3, DiskState.OUT]);
  const carried = await register(machine, "n2", [1]);
  assert.deepEqual(carried.diskIds, [1]);
  const { nodes } = await map(machine);
  assert.deepEqual(
    nodes.map(({ disks }) => disks.map(({ diskId }) => diskId)),
    [[2, 3], [1]],
  );
});

test("registering brings a node up, but not one that is being emptied", async (t) => {
  const machine = await Machine.open(t);
  await init(machine);
  await register(machine, "n1", [1]);
  const set = (state: NodeState, expected: NodeState = NodeState.UNSPECIFIED) =>
    machine.execute({ case: "setStates", value: { nodes: [{ nodeId: 1, state, expected }] } });
  const state = async () => (await map(machine)).nodes[0]?.state;
  await set(NodeState.OUT);
  await register(machine, "n1", [1]);
  assert.equal(await state(), NodeState.UP);
  await set(NodeState.DRAINING);
  await register(machine, "n1", [1]);
  assert.equal(await state(), NodeState.DRAINING);
});

test("states change only from the expected one, unknown nodes are passed over", async (t) => {
  const machine = await Machine.open(t);
  await init(machine);
  await register(machine, "n1", [1]);
  const { epoch } = await map(machine);
  const nodes = [
    { nodeId: 1, state: NodeState.DOWN, expected: NodeState.SUSPECT },
    { nodeId: 77, state: NodeState.DOWN },
  ];
  const value = { nodes, disks: [{ diskId: 88, state: DiskState.FAILED }] };
  assert.equal((await machine.execute({ case: "setStates", value })).outcome, Outcome.OK);
  assert.equal((await map(machine)).epoch, epoch);
  const real = {
    nodes: [{ nodeId: 1, state: NodeState.SUSPECT, expected: NodeState.UP }],
    disks: [{ diskId: 1, state: DiskState.READ_ONLY }],
  };
  await machine.execute({ case: "setStates", value: real });
  const after = await map(machine);
  assert.equal(after.epoch, epoch + 1n);
  assert.deepEqual(
    [after.nodes[0]?.state, after.nodes[0]?.disks[0]?.state],
    [NodeState.SUSPECT, DiskState.READ_ONLY],
  );
  assert.equal(after.nodes[0]?.stateSinceMs, BigInt(machine.nowMs));
});

test("bucket ids are never used again, names are", async (t) => {
  const machine = await Machine.open(t);
  await init(machine);
  const make = async (name: string, policy = "") => {
    const value = { name, owner: "ann", region: "here", policy };
    const reply = await machine.execute({ case: "createBucket", value });
    const bucket = reply.kind.case === "createBucket" ? reply.kind.value.bucket : undefined;
    return { outcome: reply.outcome, bucket };
  };
  const first = await make("books");
  assert.deepEqual([first.bucket?.bucketId, first.bucket?.policy], [1, "standard"]);
  const again = await make("books");
  assert.deepEqual([again.outcome, again.bucket?.bucketId], [Outcome.EXISTS, 1]);
  assert.equal((await make("films", "none")).outcome, Outcome.CONFLICT);
  const drop = (bucketId: number) =>
    machine.execute({ case: "removeBucket", value: { name: "books", bucketId } });
  assert.equal((await drop(2)).outcome, Outcome.NO_SUCH_BUCKET);
  assert.equal((await drop(1)).outcome, Outcome.OK);
  assert.equal((await drop(1)).outcome, Outcome.NO_SUCH_BUCKET);
  assert.equal(
    (await machine.query({ case: "getBucket", value: { name: "books" } })).bucket,
    undefined,
  );
  const second = await make("books");
  assert.equal(second.bucket?.bucketId, 2);
  const groups = new Set<number>();
  for (let at = 0; at < 4; at += 1) {
    const { bucket } = await make(`b${at}`);
    assert.deepEqual([bucket?.ranges.length, bucket?.ranges[0]?.end.length], [1, 0]);
    groups.add(bucket?.ranges[0]?.groupId ?? 0);
  }
  assert.deepEqual([...groups].sort(), [2, 3]);
});

test("buckets are listed by name, of all owners or of one", async (t) => {
  const machine = await Machine.open(t);
  await init(machine);
  for (const [name, owner] of [
    ["c", "ann"],
    ["a", "ann"],
    ["b", "bob"],
    ["ab", "ann"],
    ["z", "an"],
  ]) {
    await machine.execute({
      case: "createBucket",
      value: { name: name ?? "", owner: owner ?? "" },
    });
  }
  const list = async (query: object) => {
    const value = { limit: 10, ...query };
    const { buckets, truncated } = await machine.query({ case: "listBuckets", value });
    return [buckets.map(({ name }) => name).join(","), truncated];
  };
  assert.deepEqual(await list({}), ["a,ab,b,c,z", false]);
  assert.deepEqual(await list({ owner: "ann" }), ["a,ab,c", false]);
  assert.deepEqual(await list({ owner: "nobody" }), ["", false]);
  assert.deepEqual(await list({ owner: "ann", limit: 2 }), ["a,ab", true]);
  assert.deepEqual(await list({ owner: "ann", afterName: "ab" }), ["c", false]);
  assert.deepEqual(await list({ afterName: "ab", limit: 2 }), ["b,c", true]);
  assert.deepEqual(await list({ prefix: "a" }), ["a,ab", false]);
  assert.deepEqual(await list({ prefix: "a", afterName: "a" }), ["ab", false]);
  assert.deepEqual(await list({ prefix: "a", afterName: "b" }), ["", false]);
  assert.deepEqual(await list({ prefix: "b", afterName: "a" }), ["b", false]);
  assert.deepEqual(await list({ limit: 0 }), ["", false]);
});

test("the note of a lease stays until it is replaced, whoever holds the lease", async (t) => {
  const machine = await Machine.open(t);
  const acquire = async (holder: string, note?: Uint8Array) => {
    const value = { name: "walk", holder, ttlMs: 1000n, ...(note === undefined ? {} : { note }) };
    const reply = await machine.execute({ case: "acquireLease", value });
    const lease = reply.kind.case === "lease" ? reply.kind.value.lease : undefined;
    return Buffer.from(lease?.note ?? []).toString();
  };
  assert.equal(await acquire("a"), "");
  assert.equal(await acquire("a", key("one")), "one");
  assert.equal(await acquire("b", key("stranger")), "one");
  const value = { name: "walk", holder: "a", token: 1n };
  await machine.execute({ case: "releaseLease", value });
  assert.equal(await acquire("b"), "one");
  assert.equal(await acquire("b", key("two")), "two");
  assert.equal(await acquire("b", key("")), "");
  const long = { name: "walk", holder: "b", ttlMs: 1n, note: new Uint8Array(4097) };
  const reply = await machine.execute({ case: "acquireLease", value: long });
  assert.notEqual(reply.outcome, Outcome.OK);
});

test("a lease has one holder at a time, and every new one a larger token", async (t) => {
  const machine = await Machine.open(t);
  const acquire = async (holder: string) => {
    const value = { name: "scrub", holder, ttlMs: 1000n };
    const reply = await machine.execute({ case: "acquireLease", value });
    const lease = reply.kind.case === "lease" ? reply.kind.value.lease : undefined;
    return { outcome: reply.outcome, token: lease?.token, holder: lease?.holder };
  };
  const release = async (holder: string, token: bigint) => {
    const value = { name: "scrub", holder, token };
    return (await machine.execute({ case: "releaseLease", value })).outcome;
  };
  assert.deepEqual(await acquire("a"), { outcome: Outcome.OK, token: 1n, holder: "a" });
  assert.deepEqual(await acquire("a"), { outcome: Outcome.OK, token: 1n, holder: "a" });
  assert.deepEqual(await acquire("b"), { outcome: Outcome.HELD, token: 1n, holder: "a" });
  machine.nowMs += 2000;
  assert.deepEqual(await acquire("b"), { outcome: Outcome.OK, token: 2n, holder: "b" });
  assert.equal(await release("a", 1n), Outcome.CONFLICT);
  assert.equal(await release("b", 1n), Outcome.CONFLICT);
  assert.equal(await release("b", 2n), Outcome.OK);
  assert.deepEqual((await machine.query({ case: "listLeases", value: {} })).leases, []);
  assert.deepEqual(await acquire("a"), { outcome: Outcome.OK, token: 3n, holder: "a" });
  assert.equal((await machine.query({ case: "listLeases", value: {} })).leases.length, 1);
});
