// The image as one node: MinIO's own container module starts it unchanged, and it keeps to what is
// promised of it: no root, nothing written outside its volume, ready soon, gone soon, data kept.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { after, before, test } from "node:test";
import {
  GetObjectCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { eventually } from "../support/eventually.ts";
import { addressOf, docker, drawName, IMAGE, missingDocker } from "./docker.ts";

const IMAGE_BYTES_MAX = 250_000_000;
const PATIENCE_MS = 120_000;
const KEYS = { user: "container-test", password: "of containers only" };
const skip = (await missingDocker()) ?? false;

/** As a careful operator runs it. */
const HARDENED = [
  ...["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"],
  ...["--env", `DOLIUM_ROOT_USER=${KEYS.user}`, "--env", `DOLIUM_ROOT_PASSWORD=${KEYS.password}`],
];
const container = drawName("single");
const volume = drawName("volume");

function clientOf(endpoint: string): S3Client {
  const credentials = { accessKeyId: KEYS.user, secretAccessKey: KEYS.password };
  return new S3Client({ endpoint, region: "us-east-1", credentials, forcePathStyle: true });
}

async function untilReady(name: string): Promise<string> {
  return eventually(`${name} is ready`, PATIENCE_MS, async () => {
    const endpoint = `http://${await addressOf(name)}:9000`;
    const answer = await fetch(`${endpoint}/minio/health/ready`);
    return answer.status === 200 ? endpoint : undefined;
  });
}

async function roundTrip(client: S3Client, place: { Bucket: string; Key: string }): Promise<void> {
  await client.send(new PutObjectCommand({ ...place, Body: `bytes of ${place.Key}` }));
  const { Body } = await client.send(new GetObjectCommand(place));
  assert.equal(await Body?.transformToString(), `bytes of ${place.Key}`);
}

before(async () => {
  if (skip !== false) return;
  await docker("volume", "create", volume);
});
after(async () => {
  if (skip !== false) return;
  await docker("rm", "--force", "--volumes", container);
  await docker("volume", "rm", "--force", volume);
});

test("MinIO's container module runs the image unchanged", { skip }, async () => {
  const { MinioContainer } = await import("@testcontainers/minio");
  const started = await new MinioContainer(IMAGE)
    .withUsername(KEYS.user)
    .withPassword(KEYS.password)
    .withEnvironment({ MINIO_DEFAULT_BUCKETS: "photos", MINIO_REGION: "eu-central-7" })
    .start();
  try {
    const client = clientOf(started.getConnectionUrl());
    const { Buckets } = await eventually("the bucket is there", PATIENCE_MS, async () => {
      const answer = await client.send(new ListBucketsCommand({}));
      return answer.Buckets?.length === 1 ? answer : undefined;
    });
    assert.equal(Buckets?.[0]?.Name, "photos");
    await roundTrip(client, { Bucket: "photos", Key: "a/b" });
    client.destroy();
    const console = await fetch(`http://${started.getHost()}:${started.getUiPort()}/`);
    assert.equal(console.status, 200);
    const place = `${started.getConnectionUrl()}/minio/health`;
    for (const path of ["live", "ready", "cluster"]) {
      assert.equal((await fetch(`${place}/${path}`)).status, 200, path);
      assert.equal((await fetch(`${place}/${path}`, { method: "HEAD" })).status, 200, path);
      // Anything else is a request for a bucket of that name.
      assert.equal((await fetch(`${place}/${path}`, { method: "PUT" })).status, 404, path);
    }
  } finally {
    await started.stop();
  }
});

test("our own module starts it with keys and buckets", { skip }, async () => {
  const { DoliumContainer } = await import("../../services/cli/testing/dolium-container.ts");
  const started = await new DoliumContainer(IMAGE).withBuckets("mine", "yours").start();
  try {
    const client = new S3Client(started.clientConfig());
    const { Buckets = [] } = await client.send(new ListBucketsCommand({}));
    assert.deepEqual(Buckets.map(({ Name }) => Name).sort(), ["mine", "yours"]);
    await roundTrip(client, { Bucket: "mine", Key: "k" });
    client.destroy();
    assert.equal((await fetch(`${started.adminUrl}/`)).status, 200);
  } finally {
    await started.stop();
  }
});

test("hardened, it runs as nobody special and writes to its volume alone", { skip }, async (t) => {
  const startMs = performance.now();
  const mount = `${volume}:/data`;
  const variables = ["--env", "DOLIUM_BUCKETS=kept,minio"];
  const run = ["run", "--detach", "--name", container, ...HARDENED, ...variables];
  await docker(...run, "--health-interval", "2s", "--volume", mount, IMAGE);
  const endpoint = await untilReady(container);
  t.diagnostic(`S3 answers ${(performance.now() - startMs).toFixed(0)} ms after docker run`);
  assert.match(await docker("exec", container, "id", "-u"), /^[1-9][0-9]*$/);
  assert.equal(await docker("diff", container), "", "nothing is written outside the volume");
  const capabilities = await docker("exec", container, "grep", "CapEff", "/proc/1/status");
  assert.match(capabilities, /\b0+$/);
  const client = clientOf(endpoint);
  await roundTrip(client, { Bucket: "kept", Key: "before" });
  // A bucket of that name is a bucket to whoever signs.
  await roundTrip(client, { Bucket: "minio", Key: "health/live" });
  // Large enough for hashes on other threads, and for several stripes.
  const body = "0123456789abcdef".repeat(200_000);
  await client.send(new PutObjectCommand({ Bucket: "minio", Key: "large", Body: body }));
  const { Body } = await client.send(new GetObjectCommand({ Bucket: "minio", Key: "large" }));
  assert.equal(await Body?.transformToString(), body);
  client.destroy();
  await eventually("the health check passes", PATIENCE_MS, async () => {
    const status = await docker("inspect", "--format", "{{.State.Health.Status}}", container);
    return status === "healthy" ? status : undefined;
  });
});

test("told to end it ends well and soon; started again it has everything", { skip }, async (t) => {
  const startMs = performance.now();
  await docker("stop", "--time", "60", container);
  t.diagnostic(`stopped after ${(performance.now() - startMs).toFixed(0)} ms`);
  assert.equal(await docker("inspect", "--format", "{{.State.ExitCode}}", container), "0");
  await docker("start", container);
  const client = clientOf(await untilReady(container));
  const { Contents } = await client.send(new ListObjectsV2Command({ Bucket: "kept" }));
  assert.deepEqual(
    Contents?.map(({ Key }) => Key),
    ["before"],
  );
  client.destroy();
  const verb = ["exec", container, "dolium", "--version"];
  assert.match(await docker(...verb), /^dolium [0-9]/);
});

test("a volume of somebody else is named in one sentence", { skip }, async () => {
  const foreign = mkdtempSync(join(tmpdir(), "dolium-foreign-"));
  try {
    const run = ["run", "--rm", ...HARDENED, "--volume", `${foreign}:/data`, IMAGE];
    await assert.rejects(docker(...run), (error: unknown) => {
      assert.ok(error instanceof Error && "stderr" in error);
      const lines = String(error.stderr).trim().split("\n");
      assert.equal(lines.length, 1, String(error.stderr));
      assert.match(lines[0] ?? "", /^dolium: \/data cannot be written by user 1000, group 0/);
      assert.match(lines[0] ?? "", /chown -R 1000:0/);
      return true;
    });
  } finally {
    rmSync(foreign, { recursive: true, force: true });
  }
});

test("the image is small", { skip }, async (t) => {
  const size = Number(await docker("image", "inspect", "--format", "{{.Size}}", IMAGE));
  t.diagnostic(`${(size / 1e6).toFixed(0)} MB`);
  assert.ok(size < IMAGE_BYTES_MAX, `${size} bytes`);
});
