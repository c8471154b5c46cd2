// An AWS CLI from before endpoint rules: the last kind that takes `signature_version = s3` from
// ~/.aws/config (newer ones sign with SigV4 all the same). .ci/run installs it apart.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { runCommand } from "../support/run-command.ts";
import { seededBytes } from "../support/seeded-bytes.ts";
import { startServer, type TestServer } from "../support/test-server.ts";
import { findClient, rowTest } from "./row-test.ts";

const MIB = 1024 * 1024;
const PROGRAM = join(import.meta.dirname, "../../.ci/aws-old/bin/aws");
const cli = await findClient({ name: "AWS CLI", program: PROGRAM, args: ["--version"] });
let server: TestServer;
let folder: string;

before(async () => {
  if (cli.absent !== undefined) return;
  server = await startServer();
  folder = mkdtempSync(join(tmpdir(), "dolium-old-cli-"));
  const { accessKeyId, secretAccessKey, region } = server;
  const names = ["default", "profile other", "profile wrong"];
  const signature = "s3 =\n  signature_version = s3\n";
  writeFileSync(
    join(folder, "config"),
    names.map((name) => `[${name}]\nregion = ${region}\n${signature}`).join(""),
  );
  const secrets = { default: secretAccessKey, other: secretAccessKey, wrong: "wrong" };
  writeFileSync(
    join(folder, "credentials"),
    Object.entries(secrets)
      .flatMap(([name, secret]) => [
        `[${name}]\naws_access_key_id = ${accessKeyId}\n`,
        `aws_secret_access_key = ${secret}\n`,
      ])
      .join(""),
  );
});

after(async () => {
  await server?.stop();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

async function aws(...args: string[]): Promise<string> {
  const all = ["--endpoint-url", server.endpoint, "s3", ...args];
  return runCommand("sh", ["-c", 'exec "$0" "$@" 2>&1', PROGRAM, ...all], {
    environment: {
      AWS_CONFIG_FILE: join(folder, "config"),
      AWS_SHARED_CREDENTIALS_FILE: join(folder, "credentials"),
    },
  });
}

rowTest(cli, ["A13"], "signature_version = s3, default and [profile other]", async () => {
  await aws("mb", "s3://old");
  const file = join(folder, "file");
  writeFileSync(file, seededBytes("old", 9 * MIB));
  await aws("cp", "--no-progress", file, "s3://old/a b");
  await aws("cp", "--no-progress", "--profile", "other", "s3://old/a b", `${file}.copy`);
  assert.ok(readFileSync(`${file}.copy`).equals(readFileSync(file)));
  const said = await aws("ls", "--debug", "--profile", "other", "s3://old");
  assert.match(said, /Calculating signature using hmacv1 auth/);
  assert.match(said, /9437184 a b/);
  const url = (await aws("presign", "s3://old/a b")).trim();
  assert.match(url, /[?&]Signature=/);
  assert.equal((await (await fetch(url)).arrayBuffer()).byteLength, 9 * MIB);
  await assert.rejects(aws("ls", "--profile", "wrong"));
  await aws("rb", "--force", "s3://old");
});
