// Tags by the AWS CLI, curl and boto3: the actions of the Alluxio manual, the limits and the
// setting that lifts them, the empty set in both forms, Complete without ETags, metadata without a
// limit.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { runCommand } from "../support/run-command.ts";
import { startServer, type TestServer } from "../support/test-server.ts";
import { AwsCommands } from "./aws-commands.ts";
import { findClient, findPython, rowTest, runPython } from "./row-test.ts";
import type { RowName } from "./rows.ts";

const boto3 = await findPython("boto3", "boto3", "boto3.__version__");
const commands = await AwsCommands.start();
const cli = commands.client;
const curl = await findClient({ name: "curl", program: "curl", args: ["--version"] });
let server: TestServer;
let alluxio: TestServer;

before(async () => {
  server = await startServer();
  alluxio = await startServer({
    DOLIUM_S3__EMPTY_TAG_SET: "alluxio",
    DOLIUM_S3__TAG_RESTRICTIONS: "false",
    DOLIUM_S3__METADATA_BYTES_MAX: "0",
    DOLIUM_S3__LENIENT__PARTS_WITHOUT_ETAG: "true",
  });
});

after(async () => {
  await commands.stop();
  await alluxio?.stop();
  await server?.stop();
});

function environment(of: TestServer): Record<string, string> {
  return {
    AWS_ENDPOINT_URL: of.endpoint,
    AWS_ACCESS_KEY_ID: of.accessKeyId,
    AWS_SECRET_ACCESS_KEY: of.secretAccessKey,
    AWS_DEFAULT_REGION: of.region,
  };
}

function checks(part: string, rows: readonly RowName[], title: string, of: () => TestServer): void {
  rowTest(boto3, rows, title, async () => {
    await runPython("check_boto3_tags.py", { ...environment(of()), PART: part });
  });
}

const aws = (): TestServer => server;
checks("limits", ["C7"], "10 tags an object, 50 a bucket, 128 and 256 characters", aws);
checks("copies", ["C13"], "tagging-directive and x-amz-tagging on copies", aws);
checks("empty_aws", ["C17"], "an empty set as AWS answers it", aws);
checks("lifted", ["C7"], "restrictions lifted by the setting", () => alluxio);
checks("empty_alluxio", ["C17"], "an empty set as Alluxio answers it", () => alluxio);
checks("bare_complete", ["C15"], "Complete without ETags in lenient mode", () => alluxio);
checks("metadata", ["C8"], "user metadata without a limit", () => alluxio);
checks("acls", ["D12"], "canned ACLs are stored and returned", aws);

async function api(...args: string[]): Promise<string> {
  return commands.run(["s3api", ...args, "--output", "json"], environment(server));
}

rowTest(cli, ["C11"], "tags of buckets and objects", async () => {
  await api("create-bucket", "--bucket", "cli-tags");
  await api("put-object", "--bucket", "cli-tags", "--key", "one");
  const set = "TagSet=[{Key=colour,Value=red}]";
  for (const [level, at] of [
    ["bucket", ["--bucket", "cli-tags"]],
    ["object", ["--bucket", "cli-tags", "--key", "one"]],
  ] as const) {
    await api(`put-${level}-tagging`, ...at, "--tagging", set);
    const got = await api(`get-${level}-tagging`, ...at);
    assert.match(got, /"Key": "colour",\s+"Value": "red"/);
    await api(`delete-${level}-tagging`, ...at);
  }
  await assert.rejects(api("get-bucket-tagging", "--bucket", "cli-tags"), /NoSuchTagSet/);
  const left = await api("get-object-tagging", "--bucket", "cli-tags", "--key", "one");
  assert.deepEqual(JSON.parse(left), { TagSet: [] });
});

rowTest(curl, ["C12"], "?tagging", async () => {
  const { endpoint, accessKeyId, secretAccessKey, region } = server;
  const run = (...args: string[]): Promise<string> =>
    runCommand("curl", [
      ...["-sS", "--aws-sigv4", `aws:amz:${region}:s3`, "-H", "Content-Type: application/xml"],
      ...["--user", `${accessKeyId}:${secretAccessKey}`],
      ...["-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD", "-w", " %{http_code}", ...args],
    ]);
  const at = `${endpoint}/curl-tags`;
  await run("-X", "PUT", at);
  await run("-X", "PUT", "-d", "x", `${at}/key`);
  const set = "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>";
  assert.equal(await run("-X", "PUT", "-d", set, `${at}/key?tagging=`), " 200");
  const got = await run(`${at}/key?tagging=`);
  assert.match(got, /<TagSet><Tag><Key>a<\/Key><Value>b<\/Value><\/Tag><\/TagSet><\/Tagging> 200$/);
  assert.equal(await run("-X", "DELETE", `${at}/key?tagging=`), " 204");
});
