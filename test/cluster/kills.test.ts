// kill -9 of two storage nodes and the metadata leader under load: nothing acknowledged is lost or
// wrong, new writes come back (how soon is printed; five seconds are the goal on a quiet machine);
// the same after all processes are killed at once.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { CreateBucketCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { eventually } from "../support/eventually.ts";
import { LocalCluster } from "../support/local-cluster.ts";
import { maintenanceStatus } from "../support/maintenance.ts";
import { seededBytes } from "../support/seeded-bytes.ts";
import { leaderOf, untilFullRedundancy } from "../support/status.ts";
import { Workload } from "../support/workload.ts";

const BUCKET = "kills";
const SIZES = [1000, 40_000, 1_500_000, 3_000_000];
/** Of each lane after each object: what is broken meanwhile takes seconds. */
const PAUSE_MS = 100;
let cluster: LocalCluster;

function workload(prefix: string): Workload {
  const clients = [cluster.s3(0, 6), cluster.s3(1, 6)];
  const sizes = { lanes: 6, sizes: SIZES, pauseMs: PAUSE_MS };
  return new Workload({ bucket: BUCKET, prefix, clients, ...sizes });
}

async function grown(load: Workload, by: number, timeoutMs: number): Promise<void> {
  const target = load.count + by;
  await eventually("writes go on", timeoutMs, async () =>
    load.count >= target ? true : undefined,
  );
}

before(async () => {
  cluster = await LocalCluster.start({ args: ["dev", "--no-restart"] });
  await cluster.s3().send(new CreateBucketCommand({ Bucket: BUCKET }));
});

after(async () => {
  await cluster?.stop();
});

test("two storage nodes that stay dead: old objects are read, new ones are written", async () => {
  const load = workload("dead/");
  await grown(load, 15, 60_000);
  await load.stop();
  // An acknowledged write may still owe a shard: it bears the loss of one node, not yet of two.
  await untilFullRedundancy(cluster, 90_000);
  for (const name of ["storage-1", "metadata-1", "gateway-1"]) {
    assert.equal(await maintenanceStatus(cluster, "gateway-2", name), 200, name);
  }
  await cluster.kill("storage-1");
  await cluster.kill("storage-4");
  const body = seededBytes("while dead", 20_000_000);
  const startedAt = performance.now();
  await cluster
    .s3(0, 6)
    .send(new PutObjectCommand({ Bucket: BUCKET, Key: "while-dead", Body: body }));
  const tookMs = performance.now() - startedAt;
  // Seconds on a quiet machine; a write that waits for the dead ones takes minutes.
  assert.ok(tookMs < 30_000, `a write took ${Math.round(tookMs)} ms`);
  await load.verify(cluster.s3(0, 6));
  await eventually("no further storage node may be taken down", 60_000, async () =>
    (await maintenanceStatus(cluster, "gateway-1", "storage-2")) === 412 ? true : undefined,
  );
  await eventually("one that is known to be down may be taken down", 60_000, async () =>
    (await maintenanceStatus(cluster, "gateway-1", "storage-1")) === 200 ? true : undefined,
  );
  assert.equal(await maintenanceStatus(cluster, "gateway-1", "metadata-1"), 200);
});

test("all processes killed at once find everything again", async () => {
  const load = workload("all/");
  try {
    await grown(load, 20, 60_000);
    await cluster.killAll();
  } finally {
    await load.stop();
  }
  // From now on processes that die are started again.
  await cluster.restart(["dev"]);
  await load.verify(cluster.s3(0));
  await untilFullRedundancy(cluster, 120_000);
});

test("two storage nodes and the metadata leader die under load", async (t) => {
  const load = workload("two/");
  try {
    await grown(load, 20, 60_000);
    const leader = await leaderOf(cluster, 2);
    const victims = ["storage-2", "storage-5", leader];
    const pids = victims.map((name) => cluster.process(name).pid);
    await Promise.all(victims.map((name) => cluster.kill(name)));
    const killedAt = performance.now();
    await eventually("an acknowledged write after the kill", 30_000, async () =>
      load.acknowledgedAt.some((at) => at > killedAt) ? true : undefined,
    );
    const first = load.acknowledgedAt.find((at) => at > killedAt) ?? Number.POSITIVE_INFINITY;
    t.diagnostic(`first write after ${Math.round(first - killedAt)} ms`);
    await Promise.all(victims.map((name, at) => cluster.restarted(name, pids[at] ?? 0)));
    await grown(load, 20, 60_000);
  } finally {
    await load.stop();
  }
  await load.verify(cluster.s3(1));
  await untilFullRedundancy(cluster, 90_000);
});
