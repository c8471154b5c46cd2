// Writes the program as the image carries it: the command in a few scripts without types, the
// console, and the one package with machine code. Usage: `node deploy/bundle.ts FOLDER`. Nothing is
// fetched; the console must have been built. The folder is replaced.
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import process from "node:process";
import { bundleCode, copyPackages, ROOT } from "./bundle-code.ts";

const PROGRAMS = ["services/cli/main", "deploy/health-check"];

/** What the command of a checkout sets before it starts Node; in the image Node is where it is. */
const LAUNCHER_SETTINGS = "# Compiled code is kept between starts";
const LAUNCHER = `#!/bin/sh
# The dolium command of the image. "minio server ...", as MinIO's own image takes it, is understood.
set -eu
root=/opt/dolium
node=$root/bin/node
[ "\${1:-}" = minio ] && shift
`;

function writeLauncher(target: string): void {
  const text = readFileSync(join(ROOT, "services/cli/bin/dolium"), "utf8");
  const from = text.indexOf(LAUNCHER_SETTINGS);
  if (from === -1) throw new Error("services/cli/bin/dolium has no settings that are known here");
  const settings = text.slice(from).replace("services/cli/main.ts", "services/cli/main.js");
  mkdirSync(join(target, "bin"), { recursive: true });
  writeFileSync(join(target, "bin/dolium"), LAUNCHER + settings, { mode: 0o755 });
}

/** As much of package.json as the program reads. */
function writeManifest(target: string): void {
  const { name, version, license }: Record<string, unknown> = JSON.parse(
    readFileSync(join(ROOT, "package.json"), "utf8"),
  );
  const manifest = { name, version, license, type: "module", private: true };
  writeFileSync(join(target, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
}

async function main(target: string | undefined): Promise<void> {
  if (target === undefined) throw new Error("usage: node deploy/bundle.ts FOLDER");
  const folder = resolve(target);
  const console = join(ROOT, "services/console/dist");
  if (!existsSync(join(console, "index.html"))) {
    throw new Error("there is no console: run `npm run build:console` first");
  }
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await bundleCode(folder, PROGRAMS);
  copyPackages(folder);
  cpSync(console, join(folder, "services/console/dist"), { recursive: true });
  cpSync(join(ROOT, "LICENSE"), join(folder, "LICENSE"));
  writeManifest(folder);
  writeLauncher(folder);
}

await main(process.argv[2]);
