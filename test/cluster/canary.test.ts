// A cluster of processes with a canary: a shard is damaged on a real disk, a node notices, repair
// makes it whole, and status and metrics tell of it. Nobody sees the canary's bucket.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { CreateBucketCommand, ListBucketsCommand } from "@aws-sdk/client-s3";
import { CANARY_BUCKET } from "../../services/keeper/verify/canary-task.ts";
import { newestReports } from "../../services/lib/clients/verify/verification-report.ts";
import { eventually } from "../support/eventually.ts";
import { LocalCluster } from "../support/local-cluster.ts";
import { untilFullRedundancy } from "../support/status.ts";

let cluster: LocalCluster;

before(async () => {
  cluster = await LocalCluster.start({
    args: ["dev", "--gateways", "1", "--metadata", "1", "--storage", "3"],
    environment: { DOLIUM_KEEPER__CANARY_INTERVAL_MS: "1000" },
  });
});

after(async () => {
  await cluster?.stop();
});

test("damaged canaries are found and repaired, again and again", async () => {
  const canary = await eventually("two canaries", 180_000, async () => {
    const { verified } = (await cluster.status()) as { verified?: unknown };
    const report = newestReports([JSON.stringify({ verified })]).canary;
    return report !== undefined && report.looked >= 2 ? report : undefined;
  });
  assert.equal(canary.problems, 0);
  await untilFullRedundancy(cluster, 120_000);
});

test("the canary's bucket is not listed, and its name can not be taken", async () => {
  const { Buckets = [] } = await cluster.s3().send(new ListBucketsCommand({}));
  assert.deepEqual(Buckets, []);
  const taking = cluster.s3().send(new CreateBucketCommand({ Bucket: CANARY_BUCKET }));
  await assert.rejects(taking, { name: "InvalidBucketName" });
});
