// Writes the program as the image carries it: the command in a few scripts without types, the
// console, and the one package with machine code. Usage: `node deploy/bundle.ts FOLDER`. Nothing is
// fetched; the console must have been built. The folder is replaced.
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import process from "node:process";
import { build, type Plugin } from "esbuild";

const ROOT = join(import.meta.dirname, "..");
/** Loads machine code that lies beside it, so it stays a package. */
const NATIVE_PACKAGE = "classic-level";
/** As deep as the folders of the sources that look for files beside themselves. */
const CHUNK_FOLDER = "services/cli/code";
/** What a package with machine code brings for other machines, and to be compiled. */
const NOT_CARRIED = /\/(prebuilds\/(?!linux-(x64|arm64)\b)[^/]+|deps|src|test|binding\.gyp)(\/|$)/;

/** Programs that are started by their file: the command, the health check, threads. */
const PROGRAMS = ["services/cli/main", "deploy/health-check", "services/lib/host/hash-thread"];
const THREAD = /new URL\("\.\/([a-z-]+)\.ts", import\.meta\.url\)/g;

/** Chunks lie elsewhere than their sources: what is found beside a source stays found. */
const KEEP_FOLDERS: Plugin = {
  name: "keep-folders",
  setup: ({ onLoad }) => {
    onLoad({ filter: /\/services\/.*\.ts$/ }, ({ path }) => {
      const text = readFileSync(path, "utf8");
      if (!text.includes("import.meta")) return undefined;
      const way = relative(join(ROOT, CHUNK_FOLDER), dirname(path));
      const folder = `(import.meta.dirname + ${JSON.stringify(`/${way}`)})`;
      const contents = text
        .replaceAll("import.meta.dirname", folder)
        .replaceAll(THREAD, (_, name: string) => {
          const program = relative(ROOT, join(dirname(path), name));
          if (!PROGRAMS.includes(program)) throw new Error(`PROGRAMS lacks ${program}`);
          return `new URL("${way}/${name}.js", import.meta.url)`;
        });
      return { contents, loader: "ts" };
    });
  },
};

async function bundleCode(target: string): Promise<void> {
  await build({
    absWorkingDir: ROOT,
    entryPoints: Object.fromEntries(PROGRAMS.map((path) => [path, `${path}.ts`])),
    outdir: target,
    chunkNames: `${CHUNK_FOLDER}/[name]-[hash]`,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node24",
    external: [NATIVE_PACKAGE],
    plugins: [KEEP_FOLDERS],
    // Packages of the older kind ask for Node's modules by `require`.
    banner: {
      js: 'import { createRequire as requireFrom } from "node:module"; const require = requireFrom(import.meta.url);',
    },
    legalComments: "linked",
    logLevel: "warning",
  });
}

/** The package and all that it needs, each once. */
function copyPackages(target: string): void {
  const wanted = [NATIVE_PACKAGE];
  for (const name of wanted) {
    const from = join(ROOT, "node_modules", name);
    const manifest: unknown = JSON.parse(readFileSync(join(from, "package.json"), "utf8"));
    for (const needed of dependenciesOf(manifest)) {
      if (!wanted.includes(needed)) wanted.push(needed);
    }
    cpSync(from, join(target, "node_modules", name), {
      recursive: true,
      filter: (path) => !NOT_CARRIED.test(path.slice(from.length)),
    });
  }
}

function dependenciesOf(manifest: unknown): string[] {
  if (typeof manifest !== "object" || manifest === null || !("dependencies" in manifest)) return [];
  return Object.keys(manifest.dependencies ?? {});
}

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
  await bundleCode(folder);
  copyPackages(folder);
  cpSync(console, join(folder, "services/console/dist"), { recursive: true });
  cpSync(join(ROOT, "LICENSE"), join(folder, "LICENSE"));
  writeManifest(folder);
  writeLauncher(folder);
}

await main(process.argv[2]);
