// The keeper of a cluster of processes cuts a bucket's index range again and again while clients
// write: no write fails for it, and everything that was acknowledged is listed and whole.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { CreateBucketCommand } from "@aws-sdk/client-s3";
import { eventually } from "../support/eventually.ts";
import { LocalCluster } from "../support/local-cluster.ts";
import { Workload } from "../support/workload.ts";

const BUCKET = "ranges";
const CUTS = 3;
const PATIENCE_MS = 240_000;
let cluster: LocalCluster;

before(async () => {
  cluster = await LocalCluster.start({
    args: ["dev", "--storage", "3", "--gateways", "1"],
    environment: {
      DOLIUM_KEEPER__RANGE_SPLIT_BYTES: "1000",
      DOLIUM_KEEPER__RANGE_INTERVAL_MS: "500",
    },
  });
  await cluster.s3().send(new CreateBucketCommand({ Bucket: BUCKET }));
});
after(async () => {
  await cluster?.stop();
});

function workload(prefix: string): Workload {
  // A busy machine refuses now and then; a client repeats that, as they all do.
  const clients = [cluster.s3(0, 10)];
  return new Workload({ bucket: BUCKET, prefix, clients, lanes: 4, sizes: [100, 2000] });
}

function grown(load: Workload, count: number): Promise<true> {
  return eventually(`${count} writes`, PATIENCE_MS, async () =>
    load.count >= count ? true : undefined,
  );
}

/** As the keeper logged them. */
function cuts(): number {
  const { dir, name } = cluster.process("keeper");
  const log = readFileSync(join(dir, `${name}.log`), "utf8");
  return log.split("\n").filter((line) => line.includes("a range was cut in two")).length;
}

test("ranges are cut under load, and nothing is lost or refused", async () => {
  const first = workload("first/");
  await grown(first, 60);
  await first.stop();
  // What LevelDB still has in its log does not count yet; it becomes a table when a store opens.
  await cluster.killAll();
  await cluster.restart();
  const second = workload("second/");
  try {
    await eventually(`${CUTS} cuts`, PATIENCE_MS, async () => (cuts() >= CUTS ? true : undefined));
    await grown(second, second.count + 20);
  } finally {
    await second.stop();
  }
  assert.deepEqual([first.failed, second.failed, second.failedReads], [[], [], []]);
  await first.verify(cluster.s3());
  await second.verify(cluster.s3());
});
