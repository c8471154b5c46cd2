// Encryption seen by reading the bytes on disk: a text that is put without it is found there, one
// that is put with any kind of it is not; neither is any key. Named keys are made and rotated by
// command.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  PutObjectCommand,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { runDolium } from "../support/dolium-command.ts";
import { LocalCluster } from "../support/local-cluster.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const BUCKET = "sealed";
const CLIENT_KEY = randomBytes(32);
const CLIENT = {
  SSECustomerAlgorithm: "AES256",
  SSECustomerKey: CLIENT_KEY.toString("base64"),
  SSECustomerKeyMD5: createHash("md5").update(CLIENT_KEY).digest("base64"),
};
const KINDS = [
  { name: "plain", write: {}, read: {} },
  { name: "store", write: { ServerSideEncryption: "AES256" as const }, read: {} },
  {
    name: "named",
    write: { ServerSideEncryption: "aws:kms" as const, SSEKMSKeyId: "payroll" },
    read: {},
  },
  { name: "client", write: CLIENT, read: CLIENT },
];
const SIZES = { inline: 1, shards: 5000, parts: 110_000 } as const;

const folder = temporaryFolder("dolium-encryption-");
let cluster: LocalCluster;
/** A text of 64 characters that is in the world only once, by kind and size. */
const texts = new Map<string, string>();

async function kms(
  ...args: readonly string[]
): Promise<{ code: number | null; out: string; err: string }> {
  const command = ["kms", ...args, "--data", folder.path, "--json"];
  const { code, stdout, stderr } = await runDolium(command, { folder: folder.path });
  return { code, out: stdout, err: stderr };
}

/** Every file under the server's directory, but for those that hold its own secrets. */
function storedFiles(): Buffer[] {
  return readdirSync(folder.path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== "cluster-key")
    .map((entry) => readFileSync(join(entry.parentPath, entry.name)));
}

function textOf(name: string, size: string): string {
  const known = texts.get(`${name} ${size}`) ?? randomBytes(32).toString("hex");
  texts.set(`${name} ${size}`, known);
  return known;
}

async function putAll(): Promise<void> {
  const s3 = cluster.s3();
  for (const { name, write, read } of KINDS) {
    for (const size of ["inline", "shards"] as const) {
      const Body = textOf(name, size).repeat(SIZES[size]);
      const place = { Bucket: BUCKET, Key: `${name} ${size}` };
      await s3.send(new PutObjectCommand({ ...place, Body, ...write }));
    }
    const place = { Bucket: BUCKET, Key: `${name} parts` };
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ ...place, ...write }));
    const Body = textOf(name, "parts").repeat(SIZES.parts);
    const part = { ...place, UploadId, PartNumber: 1 };
    const { ETag } = await s3.send(new UploadPartCommand({ ...part, Body, ...read }));
    const MultipartUpload = { Parts: [{ ETag, PartNumber: 1 }] };
    await s3.send(new CompleteMultipartUploadCommand({ ...place, UploadId, MultipartUpload }));
  }
}

async function checkAll(): Promise<void> {
  const s3 = cluster.s3();
  for (const { name, read } of KINDS) {
    for (const [size, count] of Object.entries(SIZES)) {
      const place = { Bucket: BUCKET, Key: `${name} ${size}` };
      const { Body } = await s3.send(new GetObjectCommand({ ...place, ...read }));
      const text = (await Body?.transformToString()) ?? "";
      assert.ok(text === textOf(name, size).repeat(count), `${name} ${size} came back otherwise`);
    }
  }
}

before(async () => {
  cluster = await LocalCluster.start({ args: ["server", folder.path], dataDir: folder.path });
  await cluster.s3().send(new CreateBucketCommand({ Bucket: BUCKET }));
});
after(async () => {
  await cluster.stop();
  folder.remove();
});

test("keys are made, rotated and listed by command", async () => {
  assert.equal((await kms("create", "payroll")).code, 0);
  const again = await kms("create", "payroll");
  assert.equal(again.code, 1);
  assert.match(again.err, /payroll exists already/);
  assert.equal((await kms("rotate", "payroll")).code, 0);
  assert.equal((await kms("rotate", "nobody")).code, 1);
  assert.equal((await kms("create", "dolium/s3")).code, 1);
  assert.equal((await kms("destroy", "payroll")).code, 2);
  const listed: unknown = JSON.parse((await kms("list")).out);
  const { keys } = listed as { keys: { name: string; versions: { version: number }[] }[] };
  const payroll = keys.find((key) => key.name === "payroll");
  assert.deepEqual(
    payroll?.versions.map((one) => one.version),
    [1, 2],
  );
});

test("(33) what was put sealed is not found on disk, what was put plain is", async () => {
  await putAll();
  await checkAll();
  await cluster.stop();
  const files = storedFiles();
  for (const { name } of KINDS) {
    for (const size of Object.keys(SIZES)) {
      const found = files.some((bytes) => bytes.includes(textOf(name, size)));
      assert.equal(found, name === "plain", `${name} ${size}`);
    }
  }
});

test("(33) no key is found on disk but the cluster key, in its own file", () => {
  const path = join(folder.path, "cluster-key");
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const clusterKey = Buffer.from(readFileSync(path, "utf8").trim(), "base64");
  assert.equal(clusterKey.byteLength, 32);
  const files = storedFiles();
  for (const key of [clusterKey, CLIENT_KEY]) {
    for (const form of [key, key.toString("hex"), key.toString("base64")]) {
      assert.ok(!files.some((bytes) => bytes.includes(form)));
    }
  }
});

test("after a restart everything opens again", async () => {
  await cluster.restart();
  await checkAll();
});
