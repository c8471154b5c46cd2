// WAL-E (by boto 2) archives a running Postgres and a base backup into a bucket, and another
// Postgres starts from them, rows and all. WAL-E calls functions that Postgres 15 no longer has
// around a backup of a running server, so the base backup is its offline one; segments come from
// the running server.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { CreateBucketCommand, ListObjectsV2Command } from "@aws-sdk/client-s3";
import { eventually } from "../support/eventually.ts";
import { runCommand } from "../support/run-command.ts";
import { startServer, type TestServer } from "../support/test-server.ts";
import { awsSdk } from "./aws-sdk.ts";
import { asDatabaseUser, Postgres, postgresPrograms } from "./postgres.ts";
import { type Client, findClient, rowTest } from "./row-test.ts";

const BUCKET = "wal-e";
const WAIT_MS = 30_000;
const programs = postgresPrograms() ?? "";
const postgres: Client =
  programs === ""
    ? { name: "PostgreSQL", version: "", absent: "PostgreSQL is not installed on this machine" }
    : await findClient({
        name: "PostgreSQL",
        program: join(programs, "postgres"),
        args: ["--version"],
      });
// Its Python must be one that the user of the database may run: .ci/run makes it so.
const program = await commandPath("wal-e");
const wale = await findClient({ name: "WAL-E", ...asDatabaseUser(program, ["version"]) });
const isHere = postgres.absent === undefined && wale.absent === undefined;
let server: TestServer;
let folder: string;
let source: Postgres;

before(async () => {
  if (!isHere) return;
  server = await startServer();
  folder = mkdtempSync(join(tmpdir(), "dolium-wale-"));
  await runCommand("chmod", ["711", folder]);
  await awsSdk(server).send(new CreateBucketCommand({ Bucket: BUCKET }));
  source = await create("source");
});

after(async () => {
  await server?.stop();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

async function commandPath(name: string): Promise<string> {
  return (await runCommand("sh", ["-c", `command -v ${name} || echo ${name}`])).trim();
}

async function create(name: string): Promise<Postgres> {
  const place = join(folder, name);
  mkdirSync(place);
  return Postgres.create({ programs, folder: place, environment: environment() });
}

function environment(): Record<string, string> {
  const { hostname, port } = new URL(server.endpoint);
  return {
    AWS_ACCESS_KEY_ID: server.accessKeyId,
    AWS_SECRET_ACCESS_KEY: server.secretAccessKey,
    AWS_REGION: server.region,
    WALE_S3_ENDPOINT: `http+path://${hostname}:${port}`,
    WALE_S3_PREFIX: `s3://${BUCKET}/main`,
    WALE_LOG_DESTINATION: "stderr",
    PATH: `${programs}:${process.env.PATH ?? ""}`,
    PYTHONWARNINGS: "ignore",
  };
}

async function archived(prefix: string): Promise<readonly string[]> {
  const request = { Bucket: BUCKET, Prefix: `main/${prefix}` };
  const page = await awsSdk(server).send(new ListObjectsV2Command(request));
  return (page.Contents ?? []).map((one) => one.Key ?? "");
}

rowTest([wale, postgres], ["A10"], "wal-push while Postgres runs, backup-push", async () => {
  await source.configure([
    "wal_level = 'replica'",
    "archive_mode = 'on'",
    "archive_timeout = '60'",
    `archive_command = '${program} wal-push %p'`,
  ]);
  await source.start();
  await source.query("create table kept as select n from generate_series(1, 5000) n");
  await source.stop();
  await source.run(program, ["backup-push", "--while-offline", source.data]);
  await source.start();
  await source.query("insert into kept select n from generate_series(5001, 6000) n");
  const segment = await source.query("select pg_walfile_name(pg_current_wal_lsn())");
  await source.query("select pg_switch_wal()");
  await eventually(`${segment} is archived`, WAIT_MS, async () => {
    const keys = await archived("wal_005/");
    return keys.some((key) => key.includes(segment)) ? true : undefined;
  }).catch((error: unknown) => {
    throw new Error(source.log(), { cause: error });
  });
  await source.stop();
  assert.ok((await archived("basebackups_005/")).length > 0);
});

rowTest(
  [wale, postgres],
  ["A11"],
  "backup-fetch, wal-fetch, Postgres starts with all rows",
  async () => {
    const restored = await create("restored");
    // WAL-E leaves the files of configuration to the operator.
    const names = ["postgresql.conf", "pg_hba.conf", "pg_ident.conf"];
    const files = names.map((name) => [name, readFileSync(join(restored.data, name))] as const);
    rmSync(restored.data, { recursive: true });
    await restored.run(program, ["backup-fetch", restored.data, "LATEST"]);
    await runCommand("chmod", ["700", restored.data]);
    for (const [name, content] of [...files, ["recovery.signal", ""] as const]) {
      writeFileSync(join(restored.data, name), content);
      await restored.own(join(restored.data, name));
    }
    await restored.configure([
      "archive_mode = 'off'",
      `restore_command = '${program} wal-fetch "%f" "%p"'`,
    ]);
    await restored.start().catch((error: unknown) => {
      throw new Error(restored.log(), { cause: error });
    });
    try {
      const count = await eventually("all rows are there", WAIT_MS, async () => {
        const found = await restored.query("select count(*) from kept").catch(() => "");
        return found === "6000" ? found : undefined;
      });
      assert.equal(count, "6000");
    } finally {
      await restored.stop();
    }
  },
);
