// Writes the package `@dolium/testing` as registries take it: `node deploy/test-kit.ts FOLDER`. Plain
// scripts with types, the same exports as in a checkout; the folder is replaced. The console must
// have been built.
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { bundleCode, NATIVE_PACKAGE, ROOT } from "./bundle-code.ts";

const TESTING = "services/cli/testing";
const EXPORTS = { ".": "start-dolium", "./containers": "dolium-container" };
const PEER = "testcontainers";

/** The two modules name no types of others but those of `PEER`. */
function writeTypes(target: string): void {
  const work = mkdtempSync(join(tmpdir(), "dolium-types-"));
  try {
    const files = Object.values(EXPORTS).map((name) => join(ROOT, TESTING, `${name}.ts`));
    const compilerOptions = {
      ...{ noEmit: false, declaration: true, emitDeclarationOnly: true },
      ...{ outDir: work, rootDir: ROOT, typeRoots: [join(ROOT, "node_modules/@types")] },
    };
    // Declarations of packages that have none of their own.
    const include = [join(ROOT, "services/**/*.d.ts")];
    const project = { extends: join(ROOT, "tsconfig.json"), compilerOptions, files, include };
    writeFileSync(join(work, "tsconfig.json"), JSON.stringify(project));
    execFileSync(join(ROOT, "node_modules/.bin/tsc"), ["-p", work], { stdio: "inherit" });
    for (const name of Object.values(EXPORTS)) {
      cpSync(join(work, TESTING, `${name}.d.ts`), join(target, TESTING, `${name}.d.ts`));
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function writeManifest(target: string): void {
  const { version, license, dependencies, devDependencies, engines }: Manifest = JSON.parse(
    readFileSync(join(ROOT, "package.json"), "utf8"),
  );
  const entries = Object.entries(EXPORTS).map(([path, name]) => {
    const script = `./${TESTING}/${name}`;
    return [path, { types: `${script}.d.ts`, default: `${script}.js` }];
  });
  const native = readFileSync(join(ROOT, "node_modules", NATIVE_PACKAGE, "package.json"), "utf8");
  const nativeVersion: unknown = JSON.parse(native).version;
  const manifest = {
    ...{ name: "@dolium/testing", version, license, type: "module", engines },
    exports: Object.fromEntries(entries),
    dependencies: { [NATIVE_PACKAGE]: String(nativeVersion) },
    peerDependencies: { [PEER]: devDependencies[PEER] ?? dependencies[PEER] ?? "*" },
    peerDependenciesMeta: { [PEER]: { optional: true } },
  };
  writeFileSync(join(target, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
}

interface Manifest {
  readonly version: string;
  readonly license: string;
  readonly engines: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

async function main(target: string | undefined): Promise<void> {
  if (target === undefined) throw new Error("usage: node deploy/test-kit.ts FOLDER");
  const folder = resolve(target);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const programs = Object.values(EXPORTS).map((name) => `${TESTING}/${name}`);
  await bundleCode(folder, programs, [PEER]);
  cpSync(join(ROOT, "services/console/dist"), join(folder, "services/console/dist"), {
    recursive: true,
  });
  cpSync(join(ROOT, TESTING, "README.md"), join(folder, "README.md"));
  cpSync(join(ROOT, "LICENSE"), join(folder, "LICENSE"));
  writeTypes(folder);
  writeManifest(folder);
}

await main(process.argv[2]);
