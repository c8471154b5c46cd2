// Real clients over a cluster in three campuses, each a network namespace, with the names that a
// name server gives them. The checks run in namespaces of their own (inside.ts), so that everything
// they start, mount and connect is gone with them.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { after, before, test } from "node:test";
import { missing } from "../support/run-command.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { CHECKS, type CheckResult } from "./checks.ts";

const TIMEOUT_MS = 900_000;
const TUNNELS = "/dev/net/tun";
const NAMESPACES = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];

const results = new Map<string, CheckResult>();
let absent: string | undefined;
let end = "";

before(async () => {
  absent =
    (existsSync(TUNNELS) ? undefined : `there is no ${TUNNELS} on this machine`) ??
    (await missing("unshare", [...NAMESPACES, "true"])) ??
    (await missing("dnsmasq", ["--version"])) ??
    (await missing("python3", ["-c", "import boto3"])) ??
    (await missing("aws", ["--version"])) ??
    (await missing("s3cmd", ["--version"])) ??
    (await missing("curl", ["--version"]));
  if (absent === undefined) end = await runInside();
});

const folder = temporaryFolder("dolium-campus-clients-");
after(() => folder.remove());

/** How it ended. */
async function runInside(): Promise<string> {
  const script = join(import.meta.dirname, "inside.ts");
  const args = [...NAMESPACES, process.execPath, script, folder.path];
  const child = spawn("unshare", args, { stdio: ["ignore", "pipe", "pipe"], timeout: TIMEOUT_MS });
  const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on("data", (bytes: Buffer) => stdout.push(bytes));
  child.stderr.on("data", (bytes: Buffer) => stderr.push(bytes));
  const { promise, resolve } = Promise.withResolvers<string>();
  child.once("error", (error) => resolve(error.message));
  child.once("close", (code, signal) => resolve(`ended with ${signal ?? code}`));
  const how = await promise;
  for (const line of Buffer.concat(stdout).toString().split("\n")) {
    if (!line.startsWith("{")) continue;
    // Checked boundary: our own lines.
    const result = JSON.parse(line) as CheckResult;
    results.set(result.name, result);
  }
  return `${how}: ${Buffer.concat(stderr).toString().slice(-4000)}`;
}

for (const name of CHECKS) {
  test(name, (t) => {
    if (absent !== undefined) {
      t.skip(absent);
      return;
    }
    const result = results.get(name);
    assert.ok(result !== undefined, `not reached; ${end}`);
    t.diagnostic(`${result.ms} ms`);
    assert.equal(result.problem, "", end);
  });
}
