// A local cluster whose root keys came by the environment: commands in a shell without them find
// them by the data directory while it runs, and nothing else shows or keeps them.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type Ended, jsonOfDolium, runDolium } from "../support/dolium-command.ts";
import { LocalCluster } from "../support/local-cluster.ts";
import { type TemporaryFolder, temporaryFolder } from "../support/temporary-folder.ts";

const SECRET = "a password that nobody else has";
const KEYS = { DOLIUM_ROOT_USER: "operator", DOLIUM_ROOT_PASSWORD: SECRET };
const ARGS = ["dev", "--gateways", "1", "--metadata", "1", "--storage", "1"];

let cluster: LocalCluster;
let folder: TemporaryFolder;
let dataDir: string;

before(async () => {
  folder = temporaryFolder("dolium-running-keys-");
  dataDir = join(folder.path, "data");
  cluster = await LocalCluster.start({ args: ARGS, dataDir, environment: KEYS });
});

after(async () => {
  await cluster?.stop();
  folder?.remove();
});

function place() {
  return { folder: folder.path, environment: { DOLIUM_DATA: dataDir } };
}

async function done(...args: string[]): Promise<Ended> {
  const ended = await runDolium(args, place());
  assert.equal(ended.code, 0, `${args.join(" ")}: ${ended.stdout}${ended.stderr}`);
  return ended;
}

/** Files under the folder whose bytes contain the secret, by their names. */
function holders(): string[] {
  const files = readdirSync(folder.path, { recursive: true, withFileTypes: true });
  const found = files.filter((entry) => {
    if (!entry.isFile()) return false;
    return readFileSync(join(entry.parentPath, entry.name)).includes(SECRET);
  });
  return found.map(({ name }) => name);
}

test("another shell manages the cluster and its objects by the data directory alone", async () => {
  await jsonOfDolium(["user", "create", "alice_umich"], place());
  assert.match((await done("user", "list")).stdout, /alice_umich/);
  await done("mb", "s3://found");
  assert.match((await done("ls")).stdout, /found/);
});

test("the keys are in one file of the owner, in no log, bundle or backup", async () => {
  const bundle = await done("support", "bundle", "-");
  assert.ok(bundle.stdout.split("\n").length > 5);
  const backup = join(folder.path, "backup.dolium");
  const exported = await done("backup", "export", backup);
  assert.ok(statSync(backup).size > 0);
  for (const text of [bundle.stdout, bundle.stderr, exported.stdout, exported.stderr]) {
    assert.equal(text.includes(SECRET), false);
  }
  assert.deepEqual(holders(), ["running-root-credentials.json"]);
  const kept = statSync(join(dataDir, "running-root-credentials.json"));
  assert.equal(kept.mode & 0o777, 0o600);
});

test("a stopped cluster leaves no keys behind", async () => {
  await cluster.stop();
  assert.deepEqual(holders(), []);
  assert.equal(existsSync(join(dataDir, "root-credentials.json")), false);
});
