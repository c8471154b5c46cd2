// boto3 against one process over six directories; the checks are in check_boto3.py.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { missing, runCommand } from "../support/run-command.ts";
import { startServer, type TestServer } from "../support/test-server.ts";

const skip = (await missing("python3", ["-c", "import boto3"])) ?? false;
let server: TestServer;

before(async () => {
  if (skip === false) server = await startServer({}, 6);
});

after(async () => {
  await server?.stop();
});

test("buckets, multipart, checksums, conditions, copies and deletes by boto3", {
  skip,
}, async () => {
  const printed = await runCommand("python3", [join(import.meta.dirname, "check_boto3.py")], {
    environment: {
      AWS_ENDPOINT_URL: server.endpoint,
      AWS_ACCESS_KEY_ID: server.accessKeyId,
      AWS_SECRET_ACCESS_KEY: server.secretAccessKey,
      AWS_DEFAULT_REGION: server.region,
    },
  });
  assert.ok(printed.includes("ok bucket is gone"), printed);
});
