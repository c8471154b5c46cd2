// rclone: copies, checks and mirrors under SigV4 and under the old signature that its region
// `other-v2-signature` turns on.
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
const rclone = await findClient({ name: "rclone", program: "rclone", args: ["version"] });
let server: TestServer;
let folder: string;

before(async () => {
  if (rclone.absent !== undefined) return;
  server = await startServer();
  folder = mkdtempSync(join(tmpdir(), "dolium-rclone-"));
  mkdirSync(join(folder, "tree/deep"), { recursive: true });
  for (let at = 0; at < 12; at += 1) {
    const place = join(folder, "tree", at % 2 === 0 ? "deep" : ".");
    writeFileSync(join(place, `file ü ${at}`), seededBytes(`rclone ${at}`, at * 997));
  }
  writeFileSync(join(folder, "tree/large"), seededBytes("rclone", 17 * MIB));
});

after(async () => {
  await server?.stop();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

function remote(
  region: string,
  secret = server.secretAccessKey,
): (...args: string[]) => Promise<string> {
  const environment = {
    AWS_CA_BUNDLE: "",
    RCLONE_CONFIG: join(folder, "no-config"),
    RCLONE_CONFIG_DOLIUM_TYPE: "s3",
    RCLONE_CONFIG_DOLIUM_PROVIDER: "Other",
    RCLONE_CONFIG_DOLIUM_ENDPOINT: server.endpoint,
    RCLONE_CONFIG_DOLIUM_REGION: region,
    RCLONE_CONFIG_DOLIUM_ACCESS_KEY_ID: server.accessKeyId,
    RCLONE_CONFIG_DOLIUM_SECRET_ACCESS_KEY: secret,
  };
  return (...args) => {
    const common = ["--s3-upload-cutoff", "8M", "--s3-chunk-size", "5M", "--retries", "1"];
    return runCommand("rclone", [...args, ...common], { environment });
  };
}

for (const region of ["us-east-1", "other-v2-signature"]) {
  const bucket = `dolium:rclone-${region}`;
  rowTest(rclone, ["A20"], `copy, check, sync, purge in region ${region}`, async () => {
    const run = remote(region);
    const tree = join(folder, "tree");
    await run("mkdir", bucket);
    await run("copy", tree, `${bucket}/tree`);
    await run("check", "--download", tree, `${bucket}/tree`);
    const listed = await run("lsf", "--recursive", "--files-only", `${bucket}/tree`);
    assert.equal(listed.trim().split("\n").length, 13);
    assert.match(await run("lsd", bucket), /tree/);
    await run("moveto", `${bucket}/tree/large`, `${bucket}/moved`);
    await run("copyto", `${bucket}/moved`, join(folder, `large ${region}`));
    assert.ok(
      readFileSync(join(folder, `large ${region}`)).equals(readFileSync(join(tree, "large"))),
    );
    await run("sync", join(tree, "deep"), `${bucket}/tree`);
    const left = await run("lsf", "--recursive", "--files-only", `${bucket}/tree`);
    assert.equal(left.trim().split("\n").length, 6);
    assert.match(await run("cat", "--count", "4", `${bucket}/moved`), /^.{1,4}/s);
    await run("purge", bucket);
    await assert.rejects(run("lsf", bucket), /directory not found/);
    await assert.rejects(remote(region, "wrong")("lsd", "dolium:"), /SignatureDoesNotMatch/);
  });
}
