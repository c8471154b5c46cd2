// The AWS CLI, action by action as the Alluxio and Ozone manuals call it, with profiles, with the
// old signature in ~/.aws/config, and below a base path.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { seededBytes } from "../support/seeded-bytes.ts";
import { startServer, type TestServer } from "../support/test-server.ts";
import { AwsCommands } from "./aws-commands.ts";
import { rowTest } from "./row-test.ts";

const MIB = 1024 * 1024;
const BASE_PATH = "/api/v1/s3";
const commands = await AwsCommands.start();
const cli = commands.client;
let server: TestServer;
let folder: string;

before(async () => {
  if (cli.absent !== undefined) return;
  server = await startServer({ DOLIUM_S3__BASE_PATHS: BASE_PATH });
  folder = mkdtempSync(join(tmpdir(), "dolium-cli-"));
  const { accessKeyId, secretAccessKey, region } = server;
  const keys = `aws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secretAccessKey}\n`;
  writeFileSync(join(folder, "config"), configuration(region));
  writeFileSync(
    join(folder, "credentials"),
    `[default]\n${keys}[other]\n${keys}[wrong]
aws_access_key_id = ${accessKeyId}\naws_secret_access_key = wrong\n`,
  );
  await s3("mb", "s3://cli");
});

after(async () => {
  await commands.stop();
  await server?.stop();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

function configuration(region: string): string {
  return `[default]
region = ${region}
[profile other]
region = ${region}
s3 =
  signature_version = s3
  addressing_style = path
[profile wrong]
region = ${region}
`;
}

function files(): Record<string, string> {
  return {
    AWS_CONFIG_FILE: join(folder, "config"),
    AWS_SHARED_CREDENTIALS_FILE: join(folder, "credentials"),
  };
}

async function aws(endpoint: string, args: readonly string[]): Promise<string> {
  return commands.run(["--endpoint-url", endpoint, ...args], files());
}

async function s3(...args: string[]): Promise<string> {
  return aws(server.endpoint, ["s3", ...args]);
}

type Answer = Readonly<Record<string, unknown>>;

async function api(action: string, ...args: string[]): Promise<Answer> {
  const printed = await aws(server.endpoint, ["s3api", action, "--output", "json", ...args]);
  // One JSON object or nothing, by contract of the client.
  return printed.trim() === "" ? {} : (JSON.parse(printed) as Answer);
}

function path(name: string, content: Uint8Array | string): string {
  const full = join(folder, name);
  writeFileSync(full, content);
  return full;
}

function text(answer: Answer, name: string): string {
  const value = answer[name];
  assert.equal(typeof value, "string", `${name} in ${JSON.stringify(answer)}`);
  return String(value);
}

rowTest(cli, ["A13"], "a profile with signature_version = s3, which this age ignores", async () => {
  const file = path("two.txt", "version two");
  await s3("cp", "--profile", "other", file, "s3://cli/two.txt");
  await s3("cp", "--profile", "other", "s3://cli/two.txt", join(folder, "two.copy"));
  assert.equal(readFileSync(join(folder, "two.copy"), "utf8"), "version two");
  await assert.rejects(s3("ls", "--profile", "wrong"), /SignatureDoesNotMatch/);
});

rowTest(cli, ["A14", "E8"], "create-bucket, ls with and without a profile", async () => {
  await api("create-bucket", "--bucket=bucket1");
  await api("put-object", "--bucket", "bucket1", "--key", "one", "--body", path("one", "1"));
  for (const profile of [[], ["--profile", "other"]]) {
    assert.match(await s3("ls", ...profile), /bucket1/);
    assert.match(await s3("ls", ...profile, "s3://bucket1"), / 1 one\n/);
  }
  await s3("rb", "--force", "s3://bucket1");
  await assert.rejects(s3("ls", "s3://bucket1"), /NoSuchBucket/);
});

rowTest(cli, ["C1"], "a base URI with a trailing slash", async () => {
  const endpoint = `${server.endpoint}${BASE_PATH}/`;
  const file = path("based", seededBytes("based", 9 * MIB));
  await aws(endpoint, ["s3", "cp", "--no-progress", file, "s3://cli/based"]);
  await aws(endpoint, ["s3", "cp", "--no-progress", "s3://cli/based", join(folder, "b.copy")]);
  assert.ok(readFileSync(join(folder, "b.copy")).equals(readFileSync(file)));
  const root = await api("head-object", "--bucket", "cli", "--key", "based");
  const based = await aws(endpoint, ["s3api", "head-object", "--bucket", "cli", "--key", "based"]);
  assert.ok(based.includes(text(root, "ETag").replaceAll('"', '\\"')));
});

rowTest(cli, ["C11", "E5"], "buckets and objects", async () => {
  await api("create-bucket", "--bucket", "walk");
  await api("head-bucket", "--bucket", "walk");
  assert.match(JSON.stringify(await api("list-buckets")), /"Name":"walk"/);
  const body = path("walk", "0123456789");
  const put = await api("put-object", "--bucket", "walk", "--key", "a/b", "--body", body);
  assert.equal(text(put, "ETag"), '"781e5e245d69b566979b86e28d23f2c7"');
  const out = join(folder, "walk.out");
  const got = await api("get-object", "--bucket", "walk", "--key", "a/b", out);
  assert.equal(readFileSync(out, "utf8"), "0123456789");
  assert.equal(got.ContentLength, 10);
  await api("get-object", "--bucket", "walk", "--key", "a/b", "--range", "bytes=2-4", out);
  assert.equal(readFileSync(out, "utf8"), "234");
  const head = await api("head-object", "--bucket", "walk", "--key", "a/b");
  assert.equal(head.ETag, put.ETag);
  await api("delete-object", "--bucket", "walk", "--key", "a/b");
  await assert.rejects(api("head-object", "--bucket", "walk", "--key", "a/b"), /404/);
  for (const key of ["x", "y"]) {
    await api("put-object", "--bucket", "walk", "--key", key, "--body", body);
  }
  const deleted = await api(
    ...["delete-objects", "--bucket", "walk", "--delete", "Objects=[{Key=x},{Key=y},{Key=z}]"],
  );
  assert.equal(Array.isArray(deleted.Deleted) ? deleted.Deleted.length : 0, 3);
  await api("delete-bucket", "--bucket", "walk");
  await assert.rejects(api("head-bucket", "--bucket", "walk"), /404/);
});

rowTest(cli, ["C11", "C16", "E5"], "multipart: parts, copies of parts, lists, abort", async () => {
  const at = ["--bucket", "cli", "--key", "parts"];
  const created = await api("create-multipart-upload", ...at, "--metadata", "who=me");
  const id = text(created, "UploadId");
  const parts = [seededBytes("one", 5 * MIB), seededBytes("three", 1000)];
  const [one, three] = parts.map((part, index) => path(`part ${index}`, part));
  const upload = ["--upload-id", id];
  const source = path("source", seededBytes("source", 6 * MIB));
  await api("put-object", "--bucket", "cli", "--key", "source", "--body", source);
  const etags = [
    await api("upload-part", ...at, ...upload, "--part-number", "1", "--body", one ?? ""),
    await api(
      ...["upload-part-copy", ...at, ...upload, "--part-number", "2"],
      ...["--copy-source", "cli/source", "--copy-source-range", `bytes=0-${5 * MIB - 1}`],
    ),
    await api("upload-part", ...at, ...upload, "--part-number", "3", "--body", three ?? ""),
  ].map((answer) => /"ETag":"\\"([0-9a-f]+)/.exec(JSON.stringify(answer))?.[1] ?? "none");
  assert.match(JSON.stringify(await api("list-multipart-uploads", "--bucket", "cli")), /"parts"/);
  const listed = JSON.stringify(await api("list-parts", ...at, ...upload));
  for (const etag of etags) assert.ok(listed.includes(etag), listed);
  const before = await api("list-objects-v2", "--bucket", "cli", "--prefix", "parts");
  assert.equal(before.Contents, undefined);
  const Parts = etags.map((ETag, index) => ({ ETag, PartNumber: index + 1 }));
  await api(
    ...["complete-multipart-upload", ...at, ...upload],
    ...["--multipart-upload", JSON.stringify({ Parts })],
  );
  const out = join(folder, "parts.out");
  await api("get-object", ...at, out);
  const whole = Buffer.concat([
    readFileSync(one ?? ""),
    readFileSync(source).subarray(0, 5 * MIB),
    readFileSync(three ?? ""),
  ]);
  assert.ok(readFileSync(out).equals(whole));
  const aborted = text(
    await api("create-multipart-upload", "--bucket", "cli", "--key", "no"),
    "UploadId",
  );
  const gone = ["--bucket", "cli", "--key", "no", "--upload-id", aborted];
  await api("upload-part", ...gone, "--part-number", "1", "--body", three ?? "");
  await api("abort-multipart-upload", ...gone);
  await assert.rejects(api("list-parts", ...gone), /NoSuchUpload/);
  await assert.rejects(api("head-object", "--bucket", "cli", "--key", "no"), /404/);
  assert.equal((await api("list-multipart-uploads", "--bucket", "cli")).Uploads, undefined);
});

rowTest(cli, ["C13"], "copies: source with and without /, metadata directive", async () => {
  const body = path("copied", "copied");
  await api(
    ...["put-object", "--bucket", "cli", "--key", "from ü", "--body", body],
    ...["--content-type", "text/one", "--metadata", "who=me"],
  );
  for (const source of ["cli/from ü", "/cli/from ü"]) {
    await api("copy-object", "--bucket", "cli", "--key", "to", "--copy-source", source);
    const head = await api("head-object", "--bucket", "cli", "--key", "to");
    assert.deepEqual([head.ContentType, head.Metadata], ["text/one", { who: "me" }]);
  }
  await api(
    ...["copy-object", "--bucket", "cli", "--key", "to", "--copy-source", "cli/to"],
    ...["--metadata-directive", "REPLACE", "--content-type", "text/two", "--metadata", "now=you"],
  );
  const head = await api("head-object", "--bucket", "cli", "--key", "to");
  assert.deepEqual([head.ContentType, head.Metadata], ["text/two", { now: "you" }]);
  const self = api("copy-object", "--bucket", "cli", "--key", "to", "--copy-source", "cli/to");
  await assert.rejects(self, /InvalidRequest/);
  const none = api("copy-object", "--bucket", "cli", "--key", "to", "--copy-source", "cli/none");
  await assert.rejects(none, /NoSuchKey/);
});
