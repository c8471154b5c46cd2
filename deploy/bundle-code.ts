// Packs programs of this repository into scripts without types, and the packages with machine code
// that cannot be packed beside them. Nothing is fetched.
import { cpSync, existsSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { build, type Plugin } from "esbuild";

export const ROOT = join(import.meta.dirname, "..");
/** Loads machine code that lies beside it, so it stays a package. */
export const NATIVE_PACKAGE = "classic-level";
/** Programs that others start by their file, as threads. */
export const THREAD_PROGRAMS = ["services/lib/host/hash-thread"];
/** As deep as the folders of the sources that look for files beside themselves. */
const CHUNK_FOLDER = "services/cli/code";
/** What a package with machine code brings for other machines, and to be compiled. */
const NOT_CARRIED = /\/(prebuilds\/(?!linux-(x64|arm64)\b)[^/]+|deps|src|test|binding\.gyp)(\/|$)/;

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
          if (!THREAD_PROGRAMS.includes(program)) throw new Error(`${program} is not packed`);
          return `new URL("${way}/${name}.js", import.meta.url)`;
        });
      return { contents, loader: "ts" };
    });
  },
};

/**
 * `programs`: paths of sources in the repository, without `.ts`; each becomes a script of the same
 * path in `target`. `external`: packages that whoever installs the scripts brings.
 */
export async function bundleCode(
  target: string,
  programs: readonly string[],
  external: readonly string[] = [],
): Promise<void> {
  // An earlier release may lack some of the threads.
  const found = [...programs, ...THREAD_PROGRAMS].filter((path) =>
    existsSync(join(ROOT, `${path}.ts`)),
  );
  await build({
    absWorkingDir: ROOT,
    entryPoints: Object.fromEntries(found.map((path) => [path, `${path}.ts`])),
    outdir: target,
    chunkNames: `${CHUNK_FOLDER}/[name]-[hash]`,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node24",
    external: [NATIVE_PACKAGE, ...external],
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
export function copyPackages(target: string): void {
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
