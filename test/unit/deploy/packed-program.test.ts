// The program as the image has it, packed by deploy/bundle-code.ts: its commands for objects start.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { bundleCode, ROOT } from "../../../deploy/bundle-code.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

test("a packed command for objects finds the SDK's client", async (t) => {
  const folder = temporaryFolder("dolium-packed-program-");
  t.after(folder.remove);
  await bundleCode(folder.path, ["services/cli/main"]);
  writeFileSync(join(folder.path, "package.json"), '{"type": "module"}');
  symlinkSync(join(ROOT, "node_modules"), join(folder.path, "node_modules"));
  const environment = { AWS_ACCESS_KEY_ID: "a", AWS_SECRET_ACCESS_KEY: "b" };
  const endpoint = { AWS_ENDPOINT_URL: "http://127.0.0.1:1", HOME: folder.path };
  const program = join(folder.path, "services/cli/main.js");
  const { stderr, status } = spawnSync(process.execPath, [program, "mb", "s3://bucket"], {
    cwd: folder.path,
    encoding: "utf8",
    env: { PATH: process.env.PATH ?? "", ...environment, ...endpoint },
  });
  assert.notEqual(status, 0);
  assert.match(stderr, /ECONNREFUSED|connect/i);
});
