// The plan of a local cluster: chosen once, found again, grown, never shrunk below what holds data.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { replicasFor, startPolicy } from "../../../services/cli/compose/default-policy.ts";
import { type ClusterShape, preparePlan } from "../../../services/cli/dev/cluster-file.ts";

const SHAPE: ClusterShape = {
  gateways: undefined,
  metadata: undefined,
  storage: undefined,
  disksPerNode: undefined,
  s3Port: 9000,
};
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "dolium-plan-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("the default is two gateways, three replicas, six storage nodes, a keeper", async () => {
  const { processes } = await preparePlan(folder, SHAPE);
  const count = (role: string): number => processes.filter((other) => other.role === role).length;
  assert.deepEqual(
    [count("gateway"), count("metadata"), count("storage"), count("keeper")],
    [2, 3, 6, 1],
  );
  assert.equal(processes.find((planned) => planned.name === "gateway-1")?.s3Port, 9000);
  const ports = processes.flatMap(({ rpcPort, opsPort, s3Port }) => [rpcPort, opsPort, s3Port]);
  const used = ports.filter((port) => port !== 0);
  assert.equal(new Set(used).size, used.length);
});

test("a second start finds the same processes and ports; nodes can be added", async () => {
  const first = await preparePlan(folder, SHAPE);
  assert.deepEqual(await preparePlan(folder, SHAPE), first);
  const grown = await preparePlan(folder, { ...SHAPE, storage: 8 });
  assert.equal(grown.processes.filter((planned) => planned.role === "storage").length, 8);
  assert.equal(grown.clusterId, first.clusterId);
});

test("refuses to lose storage nodes, replicas or disks", async () => {
  await preparePlan(folder, SHAPE);
  for (const change of [{ storage: 5 }, { metadata: 5 }, { disksPerNode: 2 }]) {
    await assert.rejects(preparePlan(folder, { ...SHAPE, ...change }), { name: "UsageError" });
  }
});

test("policies and replicas by size bear the same number of losses", () => {
  for (let domains = 1; domains <= 12; domains += 1) {
    const { dataShards, parityShards } = startPolicy(domains, "disk");
    assert.ok(dataShards + parityShards <= domains, `${domains} domains`);
    const replicas = replicasFor(domains);
    assert.ok(replicas <= domains);
    assert.equal(replicas % 2, 1);
  }
  assert.deepEqual([1, 2, 3, 6].map(replicasFor), [1, 1, 3, 5]);
});
