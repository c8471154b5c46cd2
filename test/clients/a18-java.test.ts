// The AWS SDK for Java 1 with signer override S3SignerType, and its presigned URLs (SigV2 query)
// fetched by curl. The checks are in java/OldSigner.java; .ci/run brings the libraries.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before } from "node:test";
import { runCommand } from "../support/run-command.ts";
import { startServer, type TestServer } from "../support/test-server.ts";
import { findClient, rowTest } from "./row-test.ts";

const LIBRARIES = join(import.meta.dirname, "../../.ci/java");
const PROGRAM = ["-cp", `${LIBRARIES}/*`, join(import.meta.dirname, "java/OldSigner.java")];
const java = await findClient({
  name: "AWS SDK for Java 1",
  program: "java",
  args: [...PROGRAM, "version"],
});
const curl = await findClient({ name: "curl", program: "curl", args: ["--version"] });
let server: TestServer;
let printed = "";

before(async () => {
  if (java.absent !== undefined) return;
  server = await startServer();
  printed = await runCommand("java", PROGRAM, {
    environment: {
      ENDPOINT: server.endpoint,
      AWS_ACCESS_KEY_ID: server.accessKeyId,
      AWS_SECRET_ACCESS_KEY: server.secretAccessKey,
      AWS_DEFAULT_REGION: server.region,
    },
  }).catch(String);
});

after(async () => {
  await server?.stop();
});

rowTest(
  java,
  ["A18", "B4"],
  "S3SignerType, setEndpoint: bodies, multipart, lists, errors",
  async () => {
    assert.ok(printed.endsWith("ok all\n"), printed);
  },
);

rowTest([java, curl], ["A19"], "generatePresignedUrl by curl; expired is 403", async () => {
  const url = /^url (.*)$/m.exec(printed)?.[1] ?? "";
  assert.match(url, /[?&]Expires=\d+&.*Signature=/);
  assert.equal(await runCommand("curl", ["-sS", "-f", url]), "by url");
  const expired = /^expired (.*)$/m.exec(printed)?.[1] ?? "";
  const answer = await runCommand("curl", ["-sS", "-w", " %{http_code}", expired]);
  assert.match(answer, /<Code>AccessDenied<\/Code>.* 403$/s);
});
