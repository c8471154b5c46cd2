// Flipped bits in a segment, in a LevelDB table and in a Raft log segment: noticed, never served,
// repaired.
import assert from "node:assert/strict";
import {
  closeSync,
  fstatSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { CreateBucketCommand } from "@aws-sdk/client-s3";
import { eventually } from "../support/eventually.ts";
import { LocalCluster } from "../support/local-cluster.ts";
import { runSeed, seededRandom } from "../support/seeded-bytes.ts";
import { leaderOf, readStatus, untilFullRedundancy } from "../support/status.ts";
import { Workload } from "../support/workload.ts";

const BUCKET = "rot";
const random = seededRandom(runSeed("rot"));
let cluster: LocalCluster;
let load: Workload;

function filesBelow(folder: string, ending: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => statSync(path).size > 0);
}

/** Flips one bit at a random place in the first `share` of the file. */
function flipBit(path: string, share = 1): number {
  const file = openSync(path, "r+");
  try {
    const offset = Math.floor(random() * fstatSync(file).size * share);
    const byte = Buffer.alloc(1);
    readSync(file, byte, 0, 1, offset);
    byte[0] = (byte[0] ?? 0) ^ (1 << Math.floor(random() * 8));
    writeSync(file, byte, 0, 1, offset);
    return offset;
  } finally {
    closeSync(file);
  }
}

/** Until the scrubbers of these nodes began and ended a whole pass from now on. */
async function scrubbed(names: readonly string[]): Promise<void> {
  const passes = async (): Promise<number[]> => {
    const { nodes } = await readStatus(cluster);
    return names.map(
      (name) => nodes.find((node) => node.name === name)?.disks?.[0]?.scrubPasses ?? 0,
    );
  };
  const former = await passes();
  await eventually("a scrub pass", 60_000, async () =>
    (await passes()).every((count, at) => count >= (former[at] ?? 0) + 2) ? true : undefined,
  );
}

before(async () => {
  cluster = await LocalCluster.start({
    environment: { DOLIUM_STORAGE__SCRUB_PASS_MS_MIN: "500" },
  });
  await cluster.s3().send(new CreateBucketCommand({ Bucket: BUCKET }));
  load = new Workload({
    bucket: BUCKET,
    prefix: "objects/",
    clients: [cluster.s3(0, 6), cluster.s3(1, 6)],
    lanes: 4,
    sizes: [500, 200_000, 1_500_000],
  });
  await eventually("objects are written", 60_000, async () =>
    load.count >= 30 ? true : undefined,
  );
  await load.stop();
});

after(async () => {
  await cluster?.stop();
});

test("rot in segments of two storage nodes is read around and repaired", async () => {
  for (const name of ["storage-1", "storage-2"]) {
    const segments = filesBelow(cluster.process(name).dir, ".seg");
    assert.ok(segments.length > 0, `${name} has segments`);
    for (const segment of segments) for (let at = 0; at < 20; at += 1) flipBit(segment);
  }
  await load.verify(cluster.s3(0));
  await scrubbed(["storage-1", "storage-2"]);
  await untilFullRedundancy(cluster, 120_000);
  for (const name of ["storage-3", "storage-4"]) await cluster.kill(name);
  await load.verify(cluster.s3(1));
  await untilFullRedundancy(cluster, 120_000);
});

test("rot in a metadata replica's tables is noticed, never served, and repaired", async () => {
  const leader = await leaderOf(cluster, 2);
  const { dir, pid } = cluster.process(leader);
  const tables = [...filesBelow(dir, ".ldb"), ...filesBelow(dir, ".log")].filter(
    (path) => !path.endsWith(`${leader}.log`),
  );
  assert.ok(tables.length > 0, "there are LevelDB files");
  await cluster.kill(leader);
  for (const table of tables) flipBit(table, 0.9);
  await cluster.restarted(leader, pid);
  await load.verify(cluster.s3(0));
  await servesAllGroups(leader);
});

test("rot in a Raft log segment: the replica rebuilds under a new identity", async () => {
  const leader = await leaderOf(cluster, 2);
  const { dir, pid } = cluster.process(leader);
  const segments = filesBelow(dir, ".raft");
  assert.ok(segments.length > 0, "there are Raft log segments");
  await cluster.kill(leader);
  for (const segment of segments) flipBit(segment, 0.5);
  await cluster.restarted(leader, pid);
  await load.verify(cluster.s3(1));
  await servesAllGroups(leader);
});

async function servesAllGroups(name: string): Promise<void> {
  await eventually(`${name} serves again`, 60_000, async () => {
    const { groups } = await readStatus(cluster);
    const states = groups.map(
      (group) => group.replicas.find((replica) => replica.name === name)?.state,
    );
    return states.length >= 2 && states.every((state) => state === "serving") ? true : undefined;
  });
}
