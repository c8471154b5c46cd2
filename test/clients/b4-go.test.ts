// The AWS SDK for Go 2 and minio-go: default checksums, every checksum that Go computes, parts with
// a checksum of the whole, streams of unknown length, lists, and URLs that curl gets. minio-go by
// the old signature, too. The checks are in go/.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { runCommand } from "../support/run-command.ts";
import { startServer, type TestServer } from "../support/test-server.ts";
import { findGoClients, runGoProgram } from "./go-program.ts";
import { type Client, findClient, rowTest } from "./row-test.ts";

const clients = await findGoClients();
const sdk = clients("AWS SDK for Go 2", "github.com/aws/aws-sdk-go-v2/service/s3");
const minio = clients("minio-go", "github.com/minio/minio-go/v7");
const curl = await findClient({ name: "curl", program: "curl", args: ["--version"] });
let server: TestServer;

before(async () => {
  if (sdk.absent !== undefined) return;
  server = await startServer();
});

after(async () => {
  await server?.stop();
});

function checks(client: Client, argument: "aws" | "minio", title: string): void {
  rowTest([client, curl], ["B4", "E5"], title, async () => {
    const printed = await runGoProgram(argument, {
      ENDPOINT: server.endpoint,
      AWS_ACCESS_KEY_ID: server.accessKeyId,
      AWS_SECRET_ACCESS_KEY: server.secretAccessKey,
      AWS_DEFAULT_REGION: server.region,
    });
    const url = /^get (.*)$/m.exec(printed)?.[1] ?? "";
    const written = await runCommand("curl", [
      "-sS",
      "-f",
      "-w",
      "%{size_download}",
      url,
      "-o",
      "/dev/null",
    ]);
    assert.equal(written, String(1024 * 1024 + 3));
  });
}

checks(sdk, "aws", "default and chosen checksums, parts, pages");
checks(minio, "minio", "streams, composed objects, checksums, both signatures");
