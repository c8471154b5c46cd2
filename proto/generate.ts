// Generates services/lib/gen from the proto files with buf and protoc-gen-es. `--check` compares
// instead of writing and fails when the checked-in code is stale.
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const target = join(root, "services/lib/gen");

function generateInto(folder: string): void {
  const template = JSON.stringify({
    version: "v2",
    inputs: [{ directory: "proto" }],
    plugins: [
      {
        local: "node_modules/.bin/protoc-gen-es",
        out: folder,
        opt: ["target=ts", "import_extension=ts", "erasable_syntax=true"],
      },
    ],
  });
  execFileSync(join(root, "node_modules/.bin/buf"), ["generate", "--template", template], {
    cwd: root,
    stdio: "inherit",
  });
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

const scratch = mkdtempSync(join(tmpdir(), "dolium-gen-"));
try {
  generateInto(scratch);
  if (process.argv.includes("--check")) {
    const fresh = filesBelow(scratch);
    const stale =
      JSON.stringify(fresh) !== JSON.stringify(filesBelow(target)) ||
      fresh.some(
        (file) => !readFileSync(join(scratch, file)).equals(readFileSync(join(target, file))),
      );
    if (stale) {
      process.stderr.write("services/lib/gen does not match proto/: run `make gen`\n");
      process.exitCode = 1;
    }
  } else {
    rmSync(target, { recursive: true, force: true });
    cpSync(scratch, target, { recursive: true });
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
