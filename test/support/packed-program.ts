// The program as the image carries it, packed once for a run of many tests: a process of it starts
// with a third less work than one of the sources, and tests start thousands. Kept under the hash of
// what it was made of.
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { runCommand } from "./run-command.ts";

const ROOT = join(import.meta.dirname, "../..");
const LAUNCHER = "services/cli/bin/dolium";
const MADE_OF = ["services", "deploy", "proto"];
const SOURCE = /\.(ts|tsx|css|html|wasm)$|bin\/dolium$/;
/** What a source says of where it is, and what it starts. */
const OWN_FOLDER = /^root=.*$/m;
const OWN_MAIN = '"$root/services/cli/main.ts"';

/** Folder of the packed program; its command is bin/dolium. Throws where it cannot be packed. */
export async function packProgram(cache: string): Promise<string> {
  const folder = join(cache, `dolium-program-${sourcesHash()}`);
  if (existsSync(folder)) return folder;
  const part = `${folder}.${process.pid}.part`;
  mkdirSync(cache, { recursive: true });
  try {
    await runCommand(process.execPath, [join(ROOT, "deploy/bundle.ts"), part]);
    writeLauncher(part, folder);
    // Another run may have been first; what it made is the same.
    if (!existsSync(folder)) renameSync(part, folder);
  } finally {
    rmSync(part, { recursive: true, force: true });
  }
  return folder;
}

function sourcesHash(): string {
  const hash = createHash("sha256").update(readFileSync(join(ROOT, "package-lock.json")));
  for (const path of MADE_OF) {
    const names = readdirSync(join(ROOT, path), { recursive: true, encoding: "utf8" });
    for (const name of names.filter((one) => SOURCE.test(one)).sort()) {
      hash.update(`${path}/${name}\n`).update(readFileSync(join(ROOT, path, name)));
    }
  }
  return hash.digest("hex").slice(0, 16);
}

/** The command of a checkout, with its Node, over the packed program. */
function writeLauncher(part: string, folder: string): void {
  const text = readFileSync(join(ROOT, LAUNCHER), "utf8");
  if (!OWN_FOLDER.test(text) || !text.includes(OWN_MAIN)) {
    throw new Error(`${LAUNCHER} does not say where it is, or what it starts`);
  }
  const packed = text
    .replace(OWN_FOLDER, () => `root='${ROOT}'`)
    .replace(OWN_MAIN, () => `'${join(folder, "services/cli/main.js")}'`);
  writeFileSync(join(part, "bin/dolium"), packed, { mode: 0o755 });
}
