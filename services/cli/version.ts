// The version of this release, from package.json.
import { readFileSync } from "node:fs";
import { join } from "node:path";

function readVersion(): string {
  const path = join(import.meta.dirname, "../../package.json");
  const parsed: unknown = JSON.parse(readFileSync(path, "utf8"));
  if (typeof parsed !== "object" || parsed === null || !("version" in parsed)) return "unknown";
  return String(parsed.version);
}

export const VERSION = readVersion();
