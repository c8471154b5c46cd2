// Builds the console: one page, one style sheet and a few scripts, minified and named by their
// content, so that everything but the page may be cached for ever. The folder is replaced in one
// step; a build that fails leaves the former one as it was.
import { chmodSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { build, type Metafile } from "esbuild";

const FOLDER = import.meta.dirname;

interface FirstFiles {
  readonly scripts: readonly string[];
  readonly style: string;
  readonly icon: string;
}

/** Paths in `metafile`, relative to `outdir`, of what the page loads before anything is clicked. */
function firstFiles(metafile: Metafile, outdir: string): FirstFiles {
  const scripts: string[] = [];
  let style = "";
  let icon = "";
  const nameOf = (path: string): string => relative(outdir, path);
  const add = (path: string): void => {
    const name = nameOf(path);
    if (scripts.includes(name)) return;
    scripts.push(name);
    for (const imported of metafile.outputs[path]?.imports ?? []) {
      if (imported.kind === "import-statement") add(imported.path);
    }
  };
  for (const [path, output] of Object.entries(metafile.outputs)) {
    if (output.entryPoint?.endsWith("main.tsx") === true) add(path);
    if (path.endsWith(".svg")) icon = nameOf(path);
    if (output.entryPoint?.endsWith("style.css") === true) style = nameOf(path);
  }
  if (scripts.length === 0 || style === "" || icon === "")
    throw new Error("the build gave no page");
  return { scripts, style, icon };
}

function page(template: string, files: FirstFiles): string {
  const [main = "", ...others] = files.scripts;
  const preloads = others.map((name) => `<link rel="modulepreload" href="${name}">`);
  return template
    .replace("icon.svg", () => files.icon)
    .replace("<!-- style -->", () => `<link rel="stylesheet" href="${files.style}">`)
    .replace("<!-- scripts -->", () =>
      [...preloads, `<script type="module" src="${main}"></script>`].join(""),
    );
}

/** Builds into `target`, a folder beside this file. Throws what esbuild finds. */
export async function buildConsole(target: string): Promise<void> {
  const outdir = mkdtempSync(join(FOLDER, ".dist-"));
  try {
    const { metafile } = await build({
      entryPoints: [join(FOLDER, "app/main.tsx"), join(FOLDER, "app/style.css")],
      absWorkingDir: FOLDER,
      outdir,
      bundle: true,
      splitting: true,
      format: "esm",
      target: "es2022",
      minify: true,
      metafile: true,
      legalComments: "none",
      jsx: "automatic",
      jsxImportSource: "preact",
      entryNames: "[name]-[hash]",
      chunkNames: "[name]-[hash]",
      assetNames: "[name]-[hash]",
      loader: { ".svg": "file" },
      logLevel: "warning",
    });
    const template = readFileSync(join(FOLDER, "app/index.html"), "utf8");
    const outputs: Metafile["outputs"] = {};
    for (const [path, output] of Object.entries(metafile.outputs)) {
      const absolute = join(FOLDER, path);
      outputs[absolute] = {
        ...output,
        imports: output.imports.map((one) => ({ ...one, path: join(FOLDER, one.path) })),
      };
    }
    writeFileSync(
      join(outdir, "index.html"),
      page(template, firstFiles({ ...metafile, outputs }, outdir)),
    );
    chmodSync(outdir, 0o755);
    rmSync(target, { recursive: true, force: true });
    renameSync(outdir, target);
  } finally {
    rmSync(outdir, { recursive: true, force: true });
  }
}
