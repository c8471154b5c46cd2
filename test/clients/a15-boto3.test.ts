// boto3, row by row: sessions and profiles, both URL forms, odd keys, races, listings, limits. The
// checks are in check_boto3_rows.py, one function for each row.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { startServer, type TestServer } from "../support/test-server.ts";
import { findPython, rowTest, runPython } from "./row-test.ts";
import type { RowName } from "./rows.ts";

const HOST = "s3.dolium.test";
const boto3 = await findPython("boto3", "boto3", "boto3.__version__");
let server: TestServer;
let folder: string;

before(async () => {
  if (boto3.absent !== undefined) return;
  server = await startServer({ DOLIUM_S3__DOMAINS: `${HOST}:8081,${HOST}` });
  folder = mkdtempSync(join(tmpdir(), "dolium-boto3-"));
  const { accessKeyId, secretAccessKey, region } = server;
  const profile = (name: string, secret: string): string => `[${name}]
aws_access_key_id = ${accessKeyId}
aws_secret_access_key = ${secret}
`;
  writeFileSync(
    join(folder, "credentials"),
    ["default", "other"].map((name) => profile(name, secretAccessKey)).join("") +
      profile("wrong", "wrong"),
  );
  const regions = ["default", "profile other", "profile wrong"];
  writeFileSync(
    join(folder, "config"),
    regions.map((name) => `[${name}]\nregion = ${region}\n`).join(""),
  );
});

after(async () => {
  await server?.stop();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

function checks(row: RowName, rows: readonly RowName[], title: string): void {
  rowTest(boto3, rows, title, async () => {
    await runPython("check_boto3_rows.py", {
      ROW: row,
      ENDPOINT: server.endpoint,
      HOST_ENDPOINT: `http://${HOST}:8081`,
      AWS_CONFIG_FILE: join(folder, "config"),
      AWS_SHARED_CREDENTIALS_FILE: join(folder, "credentials"),
      USER_KEY: server.accessKeyId,
      USER_SECRET: server.secretAccessKey,
      USER_REGION: server.region,
    });
  });
}

checks("A15", ["A15", "D12"], "Session with keys and with profiles");
checks("C4", ["C4", "E3", "A4"], "path style and virtual hosts, with a port, both signatures");
checks("C3", ["C3"], "keys of slashes, dots, spaces and signs");
checks("C5", ["C5"], "eight writers of one key");
checks("C6", ["C6"], "markers of folders");
checks("C8", ["C8"], "2 KB of user metadata and one byte more");
checks("C14", ["C14"], "parameters of both listings");
checks("C15", ["C15"], "Complete refuses parts with a wrong ETag or none");
