// The audit log of a real server: changes of users, refused and written requests are in it, and no
// secret is, whichever way it was sent.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import {
  CreateBucketCommand,
  GetObjectCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { jsonOfDolium } from "../support/dolium-command.ts";
import { eventually } from "../support/eventually.ts";
import { LocalCluster } from "../support/local-cluster.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

type Line = Readonly<Record<string, string>>;

const CANARY = "CANARYsecret0123456789CANARYsecret0123456";
const folder = temporaryFolder("dolium-audit-");
const file = join(folder.path, "audit.jsonl");
let server: LocalCluster;
let place: { readonly folder: string; readonly environment: Record<string, string> };

before(async () => {
  const data = join(folder.path, "data");
  server = await LocalCluster.start({
    args: ["server", data],
    dataDir: data,
    environment: {
      DOLIUM_AUDIT__FILE: file,
      DOLIUM_AUDIT__REQUESTS: "writes",
      DOLIUM_IDENTITY__TOKENS: "true",
    },
  });
  place = { folder: folder.path, environment: { DOLIUM_DATA: data } };
});

after(async () => {
  await server?.stop();
  folder.remove();
});

function lines(): Line[] {
  return readFileSync(file, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Line);
}

/** The line of the action, once it is written. */
function lineOf(action: string, isIt: (line: Line) => boolean = () => true): Promise<Line> {
  return eventually(`${action} is in the audit log`, 60_000, async () =>
    lines().find((line) => line.action === action && isIt(line)),
  );
}

test("changes of users say who, from where and what of", async () => {
  const args = ["user", "create", "bob_umich", "--access-key", "BOBSACCESSKEY0000001"];
  await jsonOfDolium([...args, "--secret-key", CANARY], place);
  const line = await lineOf("CreateUser");
  assert.equal(line.kind, "admin");
  assert.equal(line.accessKeyId, server.ready.accessKeyId);
  assert.equal(line.source, "127.0.0.1");
  assert.equal(line.result, "ok");
  assert.equal(line.node, "gateway-1");
  assert.match(line.time ?? "", /^\d{4}-\d\d-\d\dT.*Z$/);
  assert.match(line.requestId ?? "", /^[0-9A-F]{16}$/);
});

test("writes and refusals are there, with user, resource and error code", async () => {
  const root = server.s3();
  await root.send(new CreateBucketCommand({ Bucket: "audited" }));
  await root.send(new PutObjectCommand({ Bucket: "audited", Key: "a/b", Body: "x" }));
  const put = await lineOf("PutObject");
  assert.equal(put.resource, "audited/a/b");
  assert.equal((await lineOf("CreateBucket")).resource, "audited");
  const bob = new S3Client({
    endpoint: server.endpoints[0] ?? "",
    region: server.ready.region,
    credentials: { accessKeyId: "BOBSACCESSKEY0000001", secretAccessKey: CANARY },
    forcePathStyle: true,
  });
  await assert.rejects(bob.send(new GetObjectCommand({ Bucket: "audited", Key: "a/b" })));
  const denied = await lineOf("GetObject");
  assert.equal(denied.result, "AccessDenied");
  assert.equal(denied.who, "bob_umich");
  root.destroy();
  bob.destroy();
});

test("no secret is in it: keys, tokens, signatures, customers' keys", async () => {
  const { token } = await jsonOfDolium(["token", "create", "bob_umich"], place);
  assert.equal((await lineOf("CreateToken")).resource, "bob_umich");
  const endpoint = server.endpoints[0] ?? "";
  const headers = { authorization: `AWS ${String(token)}:${CANARY}` };
  await (await fetch(`${endpoint}/audited/with-token`, { headers })).arrayBuffer();
  const query = `AWSAccessKeyId=${String(token)}&Signature=${CANARY}&Expires=9999999999`;
  const presigned = await fetch(`${endpoint}/audited/presigned?${query}`, { method: "PUT" });
  await presigned.arrayBuffer();
  const sealed = await fetch(`${endpoint}/audited/sealed`, {
    method: "PUT",
    body: "x",
    headers: { "x-amz-server-side-encryption-customer-key": CANARY },
  });
  await sealed.arrayBuffer();
  await lineOf("PutObject", ({ resource }) => resource === "audited/sealed");
  const text = readFileSync(file, "utf8");
  assert.ok(!text.includes(CANARY), "a secret is in the audit log");
  assert.ok(!text.includes(String(token)), "a token is in the audit log");
});
