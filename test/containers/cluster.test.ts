// A cluster of containers under a light load: every member replaced in turn, from the last
// release's image to this one, and members of every role back, without a failed request; members
// killed, paused and cut off, and nothing lost that was acknowledged.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { CreateBucketCommand } from "@aws-sdk/client-s3";
import { eventually } from "../support/eventually.ts";
import { Workload } from "../support/workload.ts";
import { ContainerCluster, MEMBERS, type Member } from "./cluster-of-containers.ts";
import { docker, IMAGE, missingDocker } from "./docker.ts";

const BUCKET = "containers";
/** Made by `deploy/build-image.sh dolium:previous REVISION`. */
const PREVIOUS_IMAGE = "dolium:previous";
const PATIENCE_MS = 300_000;
/**
 * Who goes back to the last release: all that stored the records, and of each other role members
 * that then work beside newer ones. All of them with DOLIUM_TEST_FULL=1.
 */
const BACK: ReadonlySet<string> = new Set([
  ...["metadata-1", "metadata-2", "metadata-3", "storage-1"],
  ...["gateway-1", "keeper-1"],
]);
const isFull = process.env.DOLIUM_TEST_FULL === "1";
const skip = (await missingDocker()) ?? false;

const cluster = new ContainerCluster();
let load: Workload;
/** Where there is none a roll is a restart of every member. */
let previous = IMAGE;

before(async () => {
  if (skip !== false) return;
  if ((await docker("image", "ls", "--quiet", PREVIOUS_IMAGE)) !== "") previous = PREVIOUS_IMAGE;
  await cluster.start(previous);
  const clients = Array.from({ length: 3 }, () => cluster.client());
  const [first] = clients;
  assert.ok(first !== undefined);
  await first.send(new CreateBucketCommand({ Bucket: BUCKET }));
  // Kept in the record of the version, in one stripe, in several.
  const sizes = [1000, 60_000, 900_000];
  load = new Workload({ bucket: BUCKET, prefix: "k/", clients, lanes: 3, sizes, pauseMs: 150 });
});
after(async () => {
  if (skip !== false) return;
  await load?.stop();
  await cluster.stop();
});

function member(name: string): Member {
  const found = MEMBERS.find((one) => one.name === name);
  assert.ok(found !== undefined);
  return found;
}

/** Replaces members, one after the other, each once the one before it is ready. */
async function roll(members: readonly Member[], image: string): Promise<void> {
  const known = load.failed.length + load.failedReads.length;
  for (const one of members) await cluster.replace(one, image);
  await moreWrites();
  const failed = [...load.failed, ...load.failedReads].slice(known);
  assert.deepEqual(failed, [], "requests that failed after the SDK's own tries");
}

/** Some are acknowledged that began after this was called. */
async function moreWrites(): Promise<void> {
  const wanted = load.count + 10;
  await eventually("writes go on", PATIENCE_MS, async () => load.count >= wanted || undefined);
}

test("every member goes from the last release to this one, no request fails", {
  skip,
}, async (t) => {
  await moreWrites();
  await roll(MEMBERS, IMAGE);
  t.diagnostic(`${previous} to ${IMAGE}; ${load.count} writes`);
});

test("members are killed, paused and cut off; nothing acknowledged is lost", {
  skip,
}, async (t) => {
  const faults: readonly (readonly [string, readonly string[], readonly string[]])[] = [
    ["storage-2", ["kill"], ["start"]],
    ["metadata-1", ["pause"], ["unpause"]],
    ["gateway-1", ["kill"], ["start"]],
    ...(isFull ? ([["metadata-2", ["kill"], ["start"]]] as const) : []),
  ];
  for (const [name, begin, end] of faults) {
    const container = cluster.containerOf(member(name));
    await docker(...begin, container);
    await moreWrites();
    await docker(...end, container);
    await cluster.untilReady(member(name));
  }
  for (const name of ["storage-5", "metadata-3", ...(isFull ? ["gateway-2"] : [])]) {
    await cluster.disconnect(member(name));
    await moreWrites();
    await cluster.connect(member(name));
    await cluster.untilReady(member(name));
  }
  await moreWrites();
  await load.verify(cluster.client());
  t.diagnostic(`${load.count} writes acknowledged, ${load.failed.length} of unknown outcome`);
});

test("and back to the last release, no request fails", { skip }, async (t) => {
  const back = MEMBERS.filter(({ name }) => isFull || BACK.has(name));
  await roll(back, previous);
  await load.stop();
  await load.verify(cluster.client());
  t.diagnostic(`${IMAGE} to ${previous}; ${load.count} writes`);
});
