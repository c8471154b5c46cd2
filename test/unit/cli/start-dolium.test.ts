// A whole store inside the process of a test: answers S3 when it has started, keeps what it is told
// to keep, leaves nothing behind else.
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import process from "node:process";
import { after, test } from "node:test";
import {
  GetObjectCommand,
  ListBucketsCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { knownRootCredentials } from "../../../services/cli/credentials.ts";
import { type Dolium, startDolium } from "../../../services/cli/testing/start-dolium.ts";

const folder = mkdtempSync(join(tmpdir(), "dolium-in-process-"));
// What is kept nowhere else goes there: seen to be empty again, whatever other tests do meanwhile.
process.env.TMPDIR = folder;
after(() => rmSync(folder, { recursive: true, force: true }));

function clientOf(dolium: Dolium): S3Client {
  const { endpoint, region, accessKeyId, secretAccessKey } = dolium;
  const credentials = { accessKeyId, secretAccessKey };
  return new S3Client({ endpoint, region, credentials, forcePathStyle: true });
}

async function bucketsOf(client: S3Client): Promise<(string | undefined)[]> {
  const { Buckets = [] } = await client.send(new ListBucketsCommand({}));
  return Buckets.map(({ Name }) => Name).sort();
}

test("objects go in and come out; the buckets wished for are there", async () => {
  await using dolium = await startDolium({ buckets: ["first-one", "second-one"] });
  const client = clientOf(dolium);
  try {
    assert.deepEqual(await bucketsOf(client), ["first-one", "second-one"]);
    const place = { Bucket: "first-one", Key: "a key" };
    await client.send(new PutObjectCommand({ ...place, Body: "some bytes" }));
    const { Body } = await client.send(new GetObjectCommand(place));
    assert.equal(await Body?.transformToString(), "some bytes");
  } finally {
    client.destroy();
  }
});

test("root keys that it was given are known by its folder while it runs", async () => {
  const dir = join(folder, "given");
  const settings = { DOLIUM_ROOT_USER: "operator", DOLIUM_ROOT_PASSWORD: "eight chars" };
  const dolium = await startDolium({ dir, settings });
  try {
    assert.equal(knownRootCredentials({}, dir)?.secretAccessKey, dolium.secretKey);
  } finally {
    await dolium.stop();
  }
  assert.equal(knownRootCredentials({}, dir), undefined);
});

test("a folder keeps objects and keys; the next start need not name the buckets", async () => {
  const dir = join(folder, "kept");
  const place = { Bucket: "kept", Key: "k" };
  const first = await startDolium({ dir, buckets: ["kept"] });
  const before = clientOf(first);
  await before.send(new PutObjectCommand({ ...place, Body: "kept bytes" }));
  before.destroy();
  await first.stop();
  await first.stop();
  await using second = await startDolium({ dir });
  assert.equal(second.secretKey, first.secretKey);
  const client = clientOf(second);
  const { Body } = await client.send(new GetObjectCommand(place));
  assert.equal(await Body?.transformToString(), "kept bytes");
  client.destroy();
});

test("several at once know nothing of each other, and stop as a whole", async () => {
  const settings = { DOLIUM_ROOT_USER: "tester", DOLIUM_ROOT_PASSWORD: "only for tests" };
  const [one, two] = await Promise.all([
    startDolium({ buckets: ["one"], settings }),
    startDolium({ buckets: ["two"], settings: { ...settings, DOLIUM_S3__REGION: "eu-1" } }),
  ]);
  assert.equal(one.accessKey, "tester");
  assert.equal(two.region, "eu-1");
  for (const [dolium, name] of [[one, "one"] as const, [two, "two"] as const]) {
    const client = clientOf(dolium);
    assert.deepEqual(await bucketsOf(client), [name]);
    client.destroy();
    await dolium.stop();
    await assert.rejects(fetch(dolium.endpoint), "the port is closed");
  }
});

test("mistakes are refused, and nothing is left behind", async () => {
  const before = temporaryFolders();
  await assert.rejects(startDolium({ buckets: ["No"] }), /no bucket may be called/);
  await assert.rejects(
    startDolium({ settings: { DOLIUM_S3__REGIO: "x" } }),
    /there is no such setting/,
  );
  await assert.rejects(
    startDolium({ settings: { DOLIUM_ROOT_USER: "tester" } }),
    /set both DOLIUM_ROOT_USER/,
  );
  await assert.rejects(startDolium({ dir: "/dev/null/x" }), /\/dev\/null\/x cannot be used/);
  assert.deepEqual(temporaryFolders(), before);
});

function temporaryFolders(): string[] {
  return readdirSync(folder).filter((name) => name.startsWith("dolium-"));
}

test("a start takes a fraction of a second", async (t) => {
  const times: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    const startMs = performance.now();
    const dolium = await startDolium();
    times.push(performance.now() - startMs);
    await dolium.stop();
  }
  const best = Math.min(...times);
  t.diagnostic(`ready after ${best.toFixed(0)} ms (best of ${times.length})`);
  // 300 ms where nothing else runs; far more where the machine is busy with other tests.
  assert.ok(best < 10_000, `${best} ms`);
});
