// pgBackRest, a living successor of WAL-E: a stanza in a bucket over TLS, archived segments, a full
// backup, its verification, and a restore that starts.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { CreateBucketCommand } from "@aws-sdk/client-s3";
import { eventually } from "../support/eventually.ts";
import { runCommand } from "../support/run-command.ts";
import { startServer, type TestServer } from "../support/test-server.ts";
import { awsSdk } from "./aws-sdk.ts";
import { Postgres, type PostgresOptions, postgresPrograms } from "./postgres.ts";
import { findClient, rowTest } from "./row-test.ts";
import { startTlsFront, type TlsFront } from "./tls-front.ts";

const programs = postgresPrograms() ?? "";
const found = await findClient({ name: "pgBackRest", program: "pgbackrest", args: ["version"] });
const pgbackrest =
  programs === "" ? { ...found, absent: "PostgreSQL is not installed on this machine" } : found;
let server: TestServer;
let tls: TlsFront;
let folder: string;

before(async () => {
  if (pgbackrest.absent !== undefined) return;
  server = await startServer();
  tls = await startTlsFront(server.endpoint, ["localhost"]);
  folder = mkdtempSync(join(tmpdir(), "dolium-pgbackrest-"));
  await runCommand("chmod", ["711", folder]);
  await awsSdk(server).send(new CreateBucketCommand({ Bucket: "pgbackrest" }));
});

after(async () => {
  await tls?.stop();
  await server?.stop();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

/** Settings by the environment: the archive command of Postgres has them too. */
function settings(place: string): Record<string, string> {
  const repository = {
    TYPE: "s3",
    PATH: "/repository",
    S3_BUCKET: "pgbackrest",
    S3_ENDPOINT: "localhost",
    STORAGE_PORT: String(tls.port),
    STORAGE_VERIFY_TLS: "n",
    S3_URI_STYLE: "path",
    S3_REGION: server.region,
    S3_KEY: server.accessKeyId,
    S3_KEY_SECRET: server.secretAccessKey,
    // A thousand small files of an empty database as a few objects, read back by ranges.
    BUNDLE: process.env.DOLIUM_TEST_FULL === "1" ? "n" : "y",
  };
  const all = Object.entries(repository).map(([name, value]) => [
    `PGBACKREST_REPO1_${name}`,
    value,
  ]);
  return {
    ...Object.fromEntries(all),
    PGBACKREST_STANZA: "main",
    PGBACKREST_PG1_PATH: join(place, "data"),
    PGBACKREST_PG1_SOCKET_PATH: place,
    PGBACKREST_PG1_DATABASE: "postgres",
    PGBACKREST_LOCK_PATH: join(place, "lock"),
    PGBACKREST_LOG_LEVEL_FILE: "off",
    PGBACKREST_LOG_LEVEL_CONSOLE: "warn",
    PGBACKREST_CONFIG: join(place, "none.conf"),
  };
}

function optionsOf(name: string): PostgresOptions {
  const place = join(folder, name);
  mkdirSync(place);
  writeFileSync(join(place, "none.conf"), "");
  return { programs, folder: place, environment: settings(place) };
}

rowTest(pgbackrest, ["A11"], "stanza-create, archive-push, backup, verify, restore", async () => {
  const source = await Postgres.create(optionsOf("source"));
  await source.configure([
    ...["archive_mode = 'on'", "archive_command = 'pgbackrest archive-push %p'"],
    "fsync = off",
  ]);
  await source.start();
  await source.run("pgbackrest", ["stanza-create"]);
  await source.run("pgbackrest", ["check"]);
  await source.query("create table kept as select n from generate_series(1, 5000) n");
  await source.run("pgbackrest", ["--type=full", "backup"]);
  await source.query("insert into kept select n from generate_series(5001, 6000) n");
  await source.run("pgbackrest", ["check"]);
  await source.stop();
  assert.match(await source.run("pgbackrest", ["info"]), /status: ok/);
  await source.run("pgbackrest", ["verify"]);

  const restored = await Postgres.place(optionsOf("restored"));
  mkdirSync(restored.data, { mode: 0o700 });
  await restored.own(restored.data);
  await restored.run("pgbackrest", ["restore", "--archive-mode=off"]);
  await restored.start();
  try {
    await eventually("all rows are there", 60_000, async () => {
      const count = await restored.query("select count(*) from kept").catch(() => "");
      return count === "6000" ? true : undefined;
    });
  } finally {
    await restored.stop();
  }
});
