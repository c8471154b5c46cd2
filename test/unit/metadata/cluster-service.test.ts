// Heartbeats through a real leader: who is known, who falls silent, what disks say, who may answer.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ClusterService } from "../../../services/lib/gen/dolium/cluster/v1/cluster_pb.ts";
import { DiskState, NodeState } from "../../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import { addressOf, TestCluster, until } from "./cluster.ts";
import { idOf } from "./harness.ts";

async function register(cluster: TestCluster, name: string, disk: number) {
  const disks = [{ diskUuid: idOf(disk), weight: 1000n }];
  const value = { name, address: `${name}:1`, disks };
  const reply = await cluster.client.execute(1, { case: "registerNode", value });
  assert.ok(reply.kind.case === "registerNode", reply.message);
  return reply.kind.value;
}

async function map(cluster: TestCluster) {
  return (await cluster.client.query(1, { case: "getClusterMap", value: {} })).map;
}

async function mapWritten(cluster: TestCluster): Promise<void> {
  await until("the first map", async () => (await map(cluster)) !== undefined);
}

test("nodes fall silent and come back; disks are as their node says", async (t) => {
  const times = { suspectAfterMs: 300, downAfterMs: 600, outAfterMs: 1500 };
  const cluster = await TestCluster.start(t, { names: ["only"], times });
  await cluster.serving();
  await mapWritten(cluster);
  const { nodeId, diskIds } = await register(cluster, "n1", 1);
  const beat = (state: DiskState) => {
    const disks = [{ diskId: diskIds[0] ?? 0, state }];
    return cluster.client.heartbeat({
      role: "storage",
      name: "n1",
      address: "n1:1",
      nodeId,
      disks,
    });
  };
  const state = async () => (await map(cluster))?.nodes[0]?.state;
  const answer = await beat(DiskState.UP);
  assert.deepEqual([answer.registerAgain, answer.mapEpoch], [false, (await map(cluster))?.epoch]);
  const seen: NodeState[] = [];
  await until("the node to be given up", async () => {
    const now = (await state()) ?? NodeState.UNSPECIFIED;
    if (seen.at(-1) !== now) seen.push(now);
    return now === NodeState.OUT;
  });
  assert.deepEqual(seen, [NodeState.UP, NodeState.SUSPECT, NodeState.DOWN, NodeState.OUT]);
  await beat(DiskState.READ_ONLY);
  await until("the node to be up", async () => (await state()) === NodeState.UP);
  await until("the disk to be read-only", async () => {
    await beat(DiskState.READ_ONLY);
    return (await map(cluster))?.nodes[0]?.disks[0]?.state === DiskState.READ_ONLY;
  });
});

test("a storage node that is not in the map is told to register again", async (t) => {
  const cluster = await TestCluster.start(t, { names: ["only"] });
  await cluster.serving();
  await mapWritten(cluster);
  await register(cluster, "n1", 1);
  const beat = (name: string, nodeId: number, role = "storage") =>
    cluster.client.heartbeat({ role, name, address: "x:1", nodeId });
  assert.equal((await beat("n1", 1)).registerAgain, false);
  assert.equal((await beat("n1", 9)).registerAgain, true);
  assert.equal((await beat("n2", 1)).registerAgain, true);
  assert.equal((await beat("g1", 0, "gateway")).registerAgain, false);
  const channel = cluster.transport.channel(addressOf("only"));
  const call = { deadlineMs: 5000 };
  const status = await channel.unary(ClusterService.method.clusterStatus, {}, call);
  const names = status.processes.map(({ role, name }) => `${role}/${name}`);
  assert.deepEqual(names.sort(), ["gateway/g1", "storage/n1", "storage/n2"]);
  assert.equal(status.map?.nodes.length, 1);
});

test("only the root group's leader takes heartbeats, the others name it", async (t) => {
  const cluster = await TestCluster.start(t);
  await cluster.serving();
  const leader = cluster.leader(1) ?? "";
  const follower = cluster.names.find((name) => name !== leader) ?? "";
  const request = { role: "gateway", name: "g", address: "g:1" };
  const channel = cluster.transport.channel(addressOf(follower));
  const { heartbeat, clusterStatus } = ClusterService.method;
  const call = { deadlineMs: 5000 };
  const expected = { code: "not-leader", leaderHint: addressOf(leader) };
  await assert.rejects(channel.unary(heartbeat, request, call), expected);
  await assert.rejects(channel.unary(clusterStatus, {}, call), expected);
  await cluster.client.heartbeat(request);
});
