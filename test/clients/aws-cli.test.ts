// The AWS command line against a local cluster: make a bucket, copy a large file, sync a folder of
// small ones in and out, list, remove. DOLIUM_TEST_FULL=1 runs it with 1 GiB and 10,000 files.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  createReadStream,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { LocalCluster } from "../support/local-cluster.ts";
import { missing, runCommand } from "../support/run-command.ts";
import { seededBytes } from "../support/seeded-bytes.ts";

const MIB = 1024 * 1024;
const FULL = process.env.DOLIUM_TEST_FULL === "1";
const LARGE_MIB = FULL ? 1024 : 24;
const SMALL_FILES = FULL ? 10_000 : 120;
const skip = (await missing("aws", ["--version"])) ?? false;

let cluster: LocalCluster;
let folder: string;

async function aws(...args: string[]): Promise<string> {
  const { accessKeyId, secretAccessKey, region, endpoints } = cluster.ready;
  return runCommand("aws", ["--endpoint-url", endpoints[0] ?? "", ...args], {
    environment: {
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      AWS_DEFAULT_REGION: region,
      AWS_CONFIG_FILE: join(folder, "no-config"),
      AWS_SHARED_CREDENTIALS_FILE: join(folder, "no-credentials"),
    },
  });
}

async function hashFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const bytes of createReadStream(path)) hash.update(bytes as Buffer);
  return hash.digest("hex");
}

async function hashTree(root: string): Promise<Map<string, string>> {
  const hashes = new Map<string, string>();
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    hashes.set(path.slice(root.length), await hashFile(path));
  }
  return hashes;
}

before(async () => {
  if (skip !== false) return;
  folder = mkdtempSync(join(tmpdir(), "dolium-aws-"));
  const args = ["dev", "--gateways", "1", "--metadata", "1", "--storage", "3"];
  cluster = await LocalCluster.start({ args });
  await aws("s3", "mb", "s3://files");
});

after(async () => {
  await cluster?.stop();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

test(`a file of ${LARGE_MIB} MiB goes in as multipart and comes out identical`, {
  skip,
}, async () => {
  const source = join(folder, "large.bin");
  for (let at = 0; at < LARGE_MIB; at += 16) {
    writeFileSync(source, seededBytes(`large ${at}`, 16 * MIB), { flag: "a" });
  }
  await aws("s3", "cp", "--no-progress", source, "s3://files/large.bin");
  const copy = join(folder, "large.copy");
  await aws("s3", "cp", "--no-progress", "s3://files/large.bin", copy);
  assert.equal(await hashFile(copy), await hashFile(source));
  const head: unknown = JSON.parse(
    await aws("s3api", "head-object", "--bucket", "files", "--key", "large.bin"),
  );
  assert.match(JSON.stringify(head), /"ETag":"\\"[0-9a-f]{32}-\d+\\""/);
});

test(`${SMALL_FILES} small files are synced in, listed, synced out, removed`, {
  skip,
}, async () => {
  const source = join(folder, "small");
  for (let at = 0; at < SMALL_FILES; at += 1) {
    const parent = join(source, `folder ${at % 17}`);
    mkdirSync(parent, { recursive: true });
    writeFileSync(join(parent, `file ü ${at}.txt`), seededBytes(`small ${at}`, (at * 37) % 20_000));
  }
  await aws("s3", "sync", "--no-progress", source, "s3://files/small/");
  const listing = await aws("s3", "ls", "--recursive", "s3://files/small/");
  assert.equal(listing.trim().split("\n").length, SMALL_FILES);
  const copy = join(folder, "small.copy");
  await aws("s3", "sync", "--no-progress", "s3://files/small/", copy);
  assert.deepEqual(await hashTree(copy), await hashTree(source));
  await aws("s3", "rm", "--recursive", "--quiet", "s3://files/small/");
  const left = await aws("s3api", "list-objects-v2", "--bucket", "files", "--prefix", "small/");
  assert.ok(!left.includes('"Key"'));
});

test("mv, presign, and the errors that scripts rely on", { skip }, async () => {
  const path = join(folder, "one.txt");
  writeFileSync(path, "one");
  await aws("s3", "cp", path, "s3://files/one.txt");
  await aws("s3", "mv", "s3://files/one.txt", "s3://files/two.txt");
  const url = (await aws("s3", "presign", "s3://files/two.txt", "--expires-in", "60")).trim();
  const answer = await fetch(url);
  assert.equal(await answer.text(), "one");
  await assert.rejects(aws("s3", "cp", "s3://files/one.txt", join(folder, "gone")), /404/);
  await assert.rejects(aws("s3", "ls", "s3://nobody-has-this"), /NoSuchBucket/);
  await assert.rejects(aws("s3", "rb", "s3://files"), /BucketNotEmpty/);
});
