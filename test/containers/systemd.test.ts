// The units for machines without containers: systemd knows every word of them, and what it says of
// their sandbox.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, test } from "node:test";
import { missing, runCommand } from "../support/run-command.ts";

const UNITS = join(import.meta.dirname, "../../deploy/systemd");
const COMMAND = join(import.meta.dirname, "../../services/cli/bin/dolium");
/** Of 10 (none) to 0 (perfect); systemd calls up to 2 "OK". */
const EXPOSURE_TENTHS_MAX = "20";
const skip = (await missing("systemd-analyze", ["--version"])) ?? false;

let folder: string;
let environment: Record<string, string>;
before(() => {
  folder = mkdtempSync(join(tmpdir(), "dolium-units-"));
  // The units of this folder, then those of the system that they name.
  environment = { SYSTEMD_UNIT_PATH: `${folder}:` };
  for (const unit of ["dolium-server.service", "dolium@.service"]) {
    const text = readFileSync(join(UNITS, unit), "utf8");
    writeFileSync(join(folder, unit), text.replace("/opt/dolium/services/cli/bin/dolium", COMMAND));
    mkdirSync(join(folder, `${unit}.d`));
    cpSync(join(UNITS, "sandbox.conf"), join(folder, `${unit}.d/sandbox.conf`));
  }
});
after(() => rmSync(folder, { recursive: true, force: true }));

for (const unit of ["dolium-server.service", "dolium@storage.service"]) {
  test(`${unit}: systemd takes every word`, { skip }, async () => {
    assert.equal(complaints(unit), "");
  });

  test(`${unit}: little of the system is open to it`, { skip }, async () => {
    const how = ["--offline=true", "--no-pager", `--threshold=${EXPOSURE_TENTHS_MAX}`];
    await runCommand("systemd-analyze", ["security", ...how, unit], { environment });
  });
}

test("a word that systemd does not know is told", { skip }, () => {
  const text = readFileSync(join(folder, "dolium-server.service"), "utf8");
  writeFileSync(join(folder, "wrong.service"), text.replace("Type=exec", "Tipe=exec"));
  assert.match(complaints("wrong.service"), /Tipe/);
});

/** Everything that systemd has to say of a unit; "" when it is content. */
function complaints(unit: string): string {
  const args = ["verify", "--man=no", join(folder, unit)];
  const options = { env: { ...process.env, ...environment }, encoding: "utf8" } as const;
  const { stdout, stderr } = spawnSync("systemd-analyze", args, options);
  return `${stdout}${stderr}`.trim();
}
