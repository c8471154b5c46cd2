// An operator has the log of a group cut: the state is on disk first, so that replicas that were
// cut off without warning come back with everything; one that was away takes the state instead.
import assert from "node:assert/strict";
import { test } from "node:test";
import { StoreError } from "../../../services/lib/base/errors.ts";
import { MetadataService } from "../../../services/lib/gen/dolium/metadata/v1/metadata_pb.ts";
import { addressOf, TestCluster, until } from "./cluster.ts";

const ROOT = 1;
const DEADLINE_MS = 60_000;
const COUNT = 25;

async function nodeCount(cluster: TestCluster): Promise<number> {
  const { map } = await cluster.client.query<"getClusterMap">(ROOT, {
    case: "getClusterMap",
    value: {},
  });
  return map?.nodes.length ?? 0;
}

test("the log is cut behind what is on disk, and nothing is lost by it", async (t) => {
  const cluster = await TestCluster.start(t);
  await cluster.serving();
  const cut = (name: string, groupId: number, upToIndex: bigint) =>
    cluster.transport
      .channel(addressOf(name))
      .unary(MetadataService.method.cutLog, { groupId, upToIndex }, { deadlineMs: DEADLINE_MS });
  const hasCode = (code: string) => (error: unknown) =>
    error instanceof StoreError && error.code === code;

  await until("a leader", () => cluster.leader(ROOT) !== undefined);
  const away = cluster.names.find((name) => name !== cluster.leader(ROOT)) ?? "";
  await cluster.stop(away, "cut");
  for (let at = 0; at < COUNT; at += 1) {
    const value = { name: `node-${at}`, address: `node-${at}:1`, disks: [] };
    await cluster.client.execute(ROOT, { case: "registerNode", value });
  }
  const present = cluster.names.filter((name) => name !== away);
  await cluster.level(ROOT, present);

  // The lead may move on a slow machine; who leads is asked again, and again until it cut.
  let start = 0n;
  await until("the leader to cut", async () => {
    const done = await cut(cluster.leader(ROOT) ?? "", ROOT, 0n);
    start = done.logStartIndex;
    assert.ok(done.flushedIndex >= start);
    return start >= BigInt(COUNT);
  });
  const follower = present.find((name) => name !== cluster.leader(ROOT)) ?? "";
  await until("the follower to refuse", async () => {
    const refused = await cut(follower, ROOT, 0n).catch((error: unknown) => error);
    return hasCode("not-leader")(refused);
  });
  const second = await cut(follower, ROOT, start);
  assert.equal(second.logStartIndex, start);
  assert.ok(second.freedEntries >= BigInt(COUNT) && second.freedBytes > 0n);
  await assert.rejects(cut(follower, 99, 0n), hasCode("not-found"));

  for (const name of present) await cluster.stop(name, "cut");
  for (const name of cluster.names) await cluster.start(name);
  await cluster.serving();
  await cluster.level(ROOT);
  assert.equal(await nodeCount(cluster), COUNT);
});
