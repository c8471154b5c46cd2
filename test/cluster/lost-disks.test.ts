// Disks that are gone: a storage node's is rebuilt by the keeper until two other nodes may die; a
// metadata replica's directory is rebuilt from its peers until another replica may die.
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { CreateBucketCommand } from "@aws-sdk/client-s3";
import { eventually } from "../support/eventually.ts";
import { LocalCluster } from "../support/local-cluster.ts";
import { leaderOf, readStatus, untilFullRedundancy } from "../support/status.ts";
import { Workload } from "../support/workload.ts";

const BUCKET = "lost-disks";
let cluster: LocalCluster;

async function filled(prefix: string, count: number): Promise<Workload> {
  const load = new Workload({
    bucket: BUCKET,
    prefix,
    clients: [cluster.s3(0, 6), cluster.s3(1, 6)],
    lanes: 4,
    sizes: [30_000, 700_000, 2_000_000],
  });
  await eventually("objects are written", 60_000, async () =>
    load.count >= count ? true : undefined,
  );
  await load.stop();
  return load;
}

before(async () => {
  cluster = await LocalCluster.start();
  await cluster.s3().send(new CreateBucketCommand({ Bucket: BUCKET }));
});

after(async () => {
  await cluster?.stop();
});

test("a storage node whose disk is deleted is refilled, then two others may die", async () => {
  const load = await filled("storage/", 24);
  const victim = cluster.process("storage-3");
  rmSync(join(victim.dir, "disk-1"), { recursive: true, force: true });
  await cluster.kill("storage-3");
  await cluster.restarted("storage-3", victim.pid);
  await eventually("the loss is noticed", 30_000, async () => {
    const { nodes } = await readStatus(cluster);
    const disks = nodes.find((node) => node.name === "storage-3")?.disks ?? [];
    return disks.some((disk) => disk.state === "out") ? true : undefined;
  });
  await untilFullRedundancy(cluster, 120_000);
  const others = ["storage-1", "storage-6"];
  const pids = others.map((name) => cluster.process(name).pid);
  await Promise.all(others.map((name) => cluster.kill(name)));
  await load.verify(cluster.s3(0));
  await Promise.all(others.map((name, at) => cluster.restarted(name, pids[at] ?? 0)));
});

test("a metadata replica whose directory is deleted comes back and counts again", async () => {
  const load = await filled("metadata/", 15);
  const leader = await leaderOf(cluster, 2);
  const followers = cluster.processes("metadata").filter((running) => running.name !== leader);
  const victim = followers[0];
  assert.ok(victim !== undefined);
  rmSync(victim.dir, { recursive: true, force: true });
  await cluster.kill(victim.name);
  await cluster.restarted(victim.name, victim.pid);
  await eventually("the replica votes again", 60_000, async () => {
    const { groups } = await readStatus(cluster);
    const roles = groups.map((group) =>
      group.replicas.some(({ name, role }) => name === victim.name && role === "voter"),
    );
    return roles.length >= 2 && roles.every(Boolean) ? true : undefined;
  });
  const formerLeader = cluster.process(leader);
  await cluster.kill(leader);
  await load.verify(cluster.s3(1));
  const more = await filled("metadata-after/", 6);
  await more.verify(cluster.s3(0));
  await cluster.restarted(leader, formerLeader.pid);
});
