// A real `dolium server` sees to its provisioning file: what it names is there and stays as it is
// said, changes of the file and of secrets count, what is wrong stands alone, nothing is deleted.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import {
  GetBucketVersioningCommand,
  GetObjectCommand,
  ListBucketsCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { type Place, runDolium } from "../support/dolium-command.ts";
import { eventually } from "../support/eventually.ts";
import { LocalCluster } from "../support/local-cluster.ts";
import { type TemporaryFolder, temporaryFolder } from "../support/temporary-folder.ts";

const PATIENCE_MS = 120_000;
const TOKEN = `DT${"0123456789abcdef"}${"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"}`;
const READER = {
  Version: "2012-10-17",
  Statement: [
    {
      Effect: "Allow",
      Action: ["s3:GetObject", "s3:ListBucket"],
      Resource: ["arn:aws:s3:::wanted", "arn:aws:s3:::wanted/*"],
    },
  ],
};

let cluster: LocalCluster;
let folder: TemporaryFolder;
let file: string;
let secretFile: string;
let tokenFile: string;

before(async () => {
  folder = temporaryFolder("dolium-provisioning-");
  file = join(folder.path, "provisioning.json");
  secretFile = join(folder.path, "alice-secret");
  tokenFile = join(folder.path, "token");
  writeFileSync(secretFile, "the first secret of alice\n");
  writeFileSync(tokenFile, `${TOKEN}\n`);
  writeFileSync(file, JSON.stringify(wanted()));
  const data = join(folder.path, "data");
  mkdirSync(data);
  cluster = await LocalCluster.start({
    args: ["server", data],
    dataDir: data,
    environment: {
      DOLIUM_ADMIN__ADDRESS: "127.0.0.1:0",
      DOLIUM_PROVISIONING__FILE: file,
      DOLIUM_PROVISIONING__CHECK_MS: "200",
      DOLIUM_IDENTITY__TOKENS: "true",
    },
  });
});

after(async () => {
  await cluster?.stop();
  folder?.remove();
});

function wanted(): Record<string, unknown[]> {
  return {
    policies: [{ name: "reader-of-wanted", document: READER }],
    groups: [{ name: "readers", attachedPolicies: ["reader-of-wanted"] }],
    users: [
      {
        name: "alice_umich",
        displayName: "Alice",
        groups: ["readers"],
        limits: { bucketsMax: 3 },
        keys: [{ accessKeyId: "ALICEKEY", secretAccessKeyFile: secretFile }],
      },
    ],
    buckets: [
      { name: "wanted", versioning: "Enabled", quota: { bytes: 1_000_000 } },
      { name: "open-to-all", access: "download" },
      { name: "of-alice", owner: "alice_umich" },
    ],
    tokens: [{ user: "alice_umich", name: "backup", tokenFile, buckets: ["of-alice"] }],
  };
}

function place(): Place {
  return { folder: folder.path, environment: { DOLIUM_DATA: cluster.dataDir } };
}

async function info(...args: readonly string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await runDolium([...args, "--json"], place());
  assert.equal(code, 0, stderr);
  // One JSON object, by contract.
  return JSON.parse(stdout) as Record<string, unknown>;
}

function alice(secretAccessKey: string): S3Client {
  return new S3Client({
    endpoint: cluster.endpoints[0] ?? "",
    region: "us-east-1",
    credentials: { accessKeyId: "ALICEKEY", secretAccessKey },
    forcePathStyle: true,
  });
}

/** How often the end of the log, which is all that is kept, tells of this. */
function told(text: string, log = cluster.stderr): number {
  return log.split(text).length - 1;
}

async function logged(text: string): Promise<void> {
  await eventually(`the log says: ${text}`, PATIENCE_MS, async () =>
    told(text) > 0 ? true : undefined,
  );
}

test("what the file names is there, with its settings and its secrets", async () => {
  const root = cluster.s3();
  const anonymous = `${cluster.endpoints[0]}/open-to-all/hello`;
  await logged("user alice_umich got the token backup");
  const names = (await root.send(new ListBucketsCommand({}))).Buckets?.map(({ Name }) => Name);
  assert.deepEqual(names, ["open-to-all", "wanted"]);
  const versioning = await root.send(new GetBucketVersioningCommand({ Bucket: "wanted" }));
  assert.equal(versioning.Status, "Enabled");
  const wantedBucket = await info("bucket", "info", "wanted");
  assert.deepEqual(wantedBucket.quota, { bytes: 1_000_000, objects: 0 });
  assert.equal((await info("bucket", "info", "of-alice")).owner, "alice_umich");
  await root.send(new PutObjectCommand({ Bucket: "open-to-all", Key: "hello", Body: "all" }));
  await root.send(new PutObjectCommand({ Bucket: "wanted", Key: "k", Body: "v" }));
  assert.equal(await (await fetch(anonymous)).text(), "all");
  assert.equal((await fetch(anonymous, { method: "DELETE" })).status, 403);
  const own = alice("the first secret of alice");
  const read = await own.send(new GetObjectCommand({ Bucket: "wanted", Key: "k" }));
  assert.equal(await read.Body?.transformToString(), "v");
  const write = own.send(new PutObjectCommand({ Bucket: "wanted", Key: "k", Body: "w" }));
  await assert.rejects(write, { name: "AccessDenied" });
  const user = await info("user", "info", "alice_umich");
  assert.ok(JSON.stringify(user.tokens).includes("0123456789abcdef"));
  assert.equal(user.displayName, "Alice");
  assert.equal(new Map(Object.entries(user.limits ?? {})).get("bucketsMax"), 3);
});

test("a start over the same file changes nothing", async () => {
  await cluster.stop();
  await cluster.restart();
  await eventually("the file was seen to", PATIENCE_MS, async () =>
    told("is as the file wants it", sinceStart()) > 0 ? true : undefined,
  );
  assert.equal(told('"change"', sinceStart()), 0);
  const groups = [...(wanted().groups ?? []), { name: "later" }];
  writeFileSync(file, JSON.stringify({ ...wanted(), groups }));
  await logged("group later was made");
  assert.equal(told('"change"', sinceStart()), 1);
});

function sinceStart(): string {
  return cluster.stderr.slice(cluster.stderr.lastIndexOf('"stopped"'));
}

test("another secret in the file counts, the former one does not", async () => {
  writeFileSync(secretFile, "the second secret of alice");
  await eventually("the new secret counts", PATIENCE_MS, async () => {
    await alice("the second secret of alice").send(new ListBucketsCommand({}));
    return true;
  });
  const former = alice("the first secret of alice").send(new ListBucketsCommand({}));
  await assert.rejects(former, { name: "SignatureDoesNotMatch" });
});

test("what is wrong stands alone and is told once; what is taken out stays", async () => {
  const wrong = {
    users: [{ name: "bob_wayne", attachedPolicies: ["no-such-policy"] }],
    buckets: [{ name: "Not A Bucket" }, { name: "after-the-wrong-one" }],
  };
  writeFileSync(file, JSON.stringify(wrong));
  await logged("bucket after-the-wrong-one was made");
  await logged('"item":"user bob_wayne"');
  await logged('"item":"bucket Not A Bucket"');
  // Neither user nor bucket is gone for not being in the file any more.
  assert.equal((await info("user", "info", "alice_umich")).name, "alice_umich");
  assert.equal((await info("bucket", "info", "wanted")).name, "wanted");
  writeFileSync(file, JSON.stringify({ ...wrong, buckets: [], users: [], extra: [] }));
  await logged('must NOT have additional properties \\"extra\\"');
  assert.equal(told('"item":"user bob_wayne"'), 1);
});

test("a policy that somebody else wrote is not replaced by a word", async () => {
  const file2 = { buckets: [{ name: "wanted", policy: { ...READER, Statement: [ROOTS] } }] };
  writeFileSync(file, JSON.stringify(file2));
  await logged("bucket wanted: its policy was put");
  writeFileSync(file, JSON.stringify({ buckets: [{ name: "wanted", access: "public" }] }));
  await logged("PolicyOfSomebodyElse");
  writeFileSync(file, JSON.stringify({ buckets: [{ name: "open-to-all", access: "none" }] }));
  await eventually("the other is closed", PATIENCE_MS, async () => {
    const { status } = await fetch(`${cluster.endpoints[0]}/open-to-all/hello`);
    return status === 403 ? true : undefined;
  });
});

const ROOTS = {
  Effect: "Allow",
  Principal: { AWS: ["arn:aws:iam:::user/alice_umich"] },
  Action: ["s3:GetObject"],
  Resource: ["arn:aws:s3:::wanted/*"],
};
