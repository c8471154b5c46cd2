// A local cluster that cannot start says which process ended and why, and ends; it does not wait.
// Buckets that whoever starts it names are there when it is ready.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import {
  GetBucketPolicyCommand,
  GetObjectCommand,
  ListBucketsCommand,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import { runDolium } from "../support/dolium-command.ts";
import { LocalCluster } from "../support/local-cluster.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const SMALL = ["dev", "--gateways", "1", "--metadata", "1", "--storage", "1", "--no-restart"];

test("a taken port ends the start, naming the process", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve());
  });
  const bound = server.address();
  assert.ok(typeof bound === "object" && bound !== null);
  try {
    await assert.rejects(LocalCluster.start({ args: SMALL, s3Port: bound.port }), (error) => {
      assert.ok(error instanceof Error);
      assert.match(error.message, /gateway-1 ended/);
      assert.match(error.message, /-- gateway-1 is not ready; its log ends:\n.*EADDRINUSE/s);
      return true;
    });
  } finally {
    server.close();
  }
});

test("buckets that were named are there at once, and stay as they are when it starts anew", async () => {
  const folder = temporaryFolder("dolium-buckets-");
  const dataDir = join(folder.path, "data");
  let cluster: LocalCluster | undefined;
  try {
    const environment = { DOLIUM_BUCKETS: "photos, logs" };
    cluster = await LocalCluster.start({ args: SMALL, dataDir, environment });
    let s3 = cluster.s3();
    const { Buckets = [] } = await s3.send(new ListBucketsCommand({}));
    assert.deepEqual(
      Buckets.map(({ Name }) => Name),
      ["logs", "photos"],
    );
    await s3.send(new PutObjectCommand({ Bucket: "photos", Key: "one", Body: "kept" }));
    s3.destroy();
    await cluster.stop();

    const others = { MINIO_DEFAULT_BUCKETS: "photos:public;open:download" };
    cluster = await LocalCluster.start({ args: SMALL, dataDir, environment: others });
    s3 = cluster.s3();
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: "photos", Key: "one" }));
    assert.equal(await Body?.transformToString(), "kept");
    await assert.rejects(
      s3.send(new GetBucketPolicyCommand({ Bucket: "photos" })),
      { name: "NoSuchBucketPolicy" },
      "a bucket that was there is not opened",
    );
    await s3.send(new PutObjectCommand({ Bucket: "open", Key: "two", Body: "for all" }));
    s3.destroy();
    const [endpoint = ""] = cluster.endpoints;
    assert.equal(await (await fetch(`${endpoint}/open/two`)).text(), "for all");
    assert.equal((await fetch(`${endpoint}/photos/one`)).status, 403);
  } finally {
    await cluster?.stop();
    folder.remove();
  }
});

test("a name that no bucket may have is refused before anything starts", async () => {
  const folder = temporaryFolder("dolium-buckets-");
  try {
    const data = join(folder.path, "data");
    const environment = { DOLIUM_BUCKETS: "photos,No_Bucket" };
    for (const args of [
      ["dev", "--data", data],
      ["server", data],
    ]) {
      const { code, stderr } = await runDolium(args, { folder: folder.path, environment });
      assert.equal(code, 2);
      assert.match(stderr, /DOLIUM_BUCKETS names "No_Bucket"/);
    }
    assert.equal(existsSync(data), false);
  } finally {
    folder.remove();
  }
});
