// restic keeps backups in a bucket (by minio-go): init, backup, check of all data, restore, prune.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { runCommand } from "../support/run-command.ts";
import { seededBytes } from "../support/seeded-bytes.ts";
import { startServer, type TestServer } from "../support/test-server.ts";
import { findClient, rowTest } from "./row-test.ts";

const MIB = 1024 * 1024;
const restic = await findClient({ name: "restic", program: "restic", args: ["version"] });
let server: TestServer;
let folder: string;

before(async () => {
  if (restic.absent !== undefined) return;
  server = await startServer();
  folder = mkdtempSync(join(tmpdir(), "dolium-restic-"));
});

after(async () => {
  await server?.stop();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

rowTest(restic, ["B4"], "init, backup twice, check, restore, forget and prune", async () => {
  const source = join(folder, "source");
  mkdirSync(join(source, "deep"), { recursive: true });
  const large = seededBytes("restic", 20 * MIB);
  writeFileSync(join(source, "large"), large);
  for (let at = 0; at < 20; at += 1) writeFileSync(join(source, "deep", `${at}`), `file ${at}`);
  const run = (...args: string[]): Promise<string> =>
    runCommand("restic", args, {
      cwd: folder,
      environment: {
        AWS_ACCESS_KEY_ID: server.accessKeyId,
        AWS_SECRET_ACCESS_KEY: server.secretAccessKey,
        RESTIC_REPOSITORY: `s3:${server.endpoint}/restic/below`,
        RESTIC_PASSWORD: "only for this test",
        RESTIC_CACHE_DIR: join(folder, "cache"),
      },
    });
  await run("init");
  await run("backup", "source");
  writeFileSync(join(source, "deep/more"), "more");
  await run("backup", "source");
  assert.equal((await run("snapshots", "--json")).match(/"short_id"/g)?.length, 2);
  assert.match(await run("check", "--read-data"), /no errors were found/);
  await run("restore", "latest", "--target", join(folder, "restored"));
  assert.ok(readFileSync(join(folder, "restored/source/large")).equals(large));
  assert.equal(readFileSync(join(folder, "restored/source/deep/more"), "utf8"), "more");
  await run("forget", "--keep-last", "1", "--prune");
  assert.match(await run("check", "--read-data"), /no errors were found/);
});
