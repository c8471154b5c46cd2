// The object verbs against a real `dolium server`, found by nothing but its data directory: a
// transfer killed in its middle and resumed, a sync there and back, every byte compared.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ListMultipartUploadsCommand, ListPartsCommand, type S3Client } from "@aws-sdk/client-s3";
import { type Running, startDolium } from "../support/dolium-command.ts";
import { eventually } from "../support/eventually.ts";
import { LocalCluster } from "../support/local-cluster.ts";
import { seededBytes, sha256Hex } from "../support/seeded-bytes.ts";
import { type TemporaryFolder, temporaryFolder } from "../support/temporary-folder.ts";

const MIB = 1024 * 1024;
const PATIENCE_MS = 60_000;

let cluster: LocalCluster;
let folder: TemporaryFolder;
let s3: S3Client;

before(async () => {
  folder = temporaryFolder("dolium-cli-objects-");
  const data = join(folder.path, "data");
  cluster = await LocalCluster.start({ args: ["server", data], dataDir: data });
  s3 = cluster.s3();
});

after(async () => {
  s3?.destroy();
  await cluster?.stop();
  folder?.remove();
});

function start(args: readonly string[]): Running {
  return startDolium(args, {
    folder: folder.path,
    environment: { DOLIUM_DATA: cluster.dataDir },
  });
}

async function ok(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await start(args).ended;
  assert.equal(code, 0, `dolium ${args.join(" ")}: ${stdout}${stderr}`);
  return stdout;
}

/** How many parts of the first open upload the server has; undefined while there are too few. */
async function partsThere(bucket: string, atLeast: number): Promise<number | undefined> {
  const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
  const [upload] = Uploads;
  if (upload?.UploadId === undefined) return undefined;
  const { Key, UploadId } = upload;
  const { Parts = [] } = await s3.send(new ListPartsCommand({ Bucket: bucket, Key, UploadId }));
  return Parts.length >= atLeast ? Parts.length : undefined;
}

test("a 64 MiB upload killed in the middle is resumed and whole", async () => {
  await ok("mb", "resumed");
  const body = seededBytes("cli objects", 64 * MIB);
  writeFileSync(join(folder.path, "big.bin"), body);
  const args = ["cp", "./big.bin", "s3://resumed/big", "--part-size", "5MiB", "--part-jobs", "1"];
  const first = start(args);
  await eventually("two parts are there, or all", PATIENCE_MS, async () =>
    first.child.exitCode === null ? partsThere("resumed", 2) : 0,
  );
  first.child.kill("SIGKILL");
  const { code } = await first.ended;
  const output = await ok(...args, "--json");
  // A machine that is quicker than this test has finished before the kill.
  if (code === null) {
    const copied: unknown = JSON.parse(output);
    assert.ok(typeof copied === "object" && copied !== null && "resumedBytes" in copied);
    assert.ok(Number(copied.resumedBytes) >= 10 * MIB, output);
  }
  const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ Bucket: "resumed" }));
  assert.deepEqual(Uploads, []);
  await ok("cp", "s3://resumed/big", "./back.bin", "-q");
  assert.equal(sha256Hex(readFileSync(join(folder.path, "back.bin"))), sha256Hex(body));
});

test("a folder is synchronised there and back", async () => {
  await ok("mb", "synced");
  const names = Array.from({ length: 40 }, (_, at) => `tree/${at % 4}/file ${at}`);
  for (const [at, name] of names.entries()) {
    mkdirSync(join(folder.path, `tree/${at % 4}`), { recursive: true });
    writeFileSync(join(folder.path, name), seededBytes(name, at * 1000));
  }
  await ok("sync", "./tree", "s3://synced/t", "-q");
  assert.match(await ok("sync", "./tree", "s3://synced/t"), /^0 copied, 40 the same, 0 removed\n$/);
  await ok("sync", "synced/t", "./again", "-q");
  for (const name of names) {
    const [sent, got] = [name, name.replace("tree/", "again/")].map((path) =>
      sha256Hex(readFileSync(join(folder.path, path))),
    );
    assert.equal(got, sent, name);
  }
  assert.match(await ok("du", "synced"), /40 objects/);
  await ok("rb", "synced", "--force", "--yes", "-q");
});
