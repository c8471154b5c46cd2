// The console's files out of the folder that its build leaves. Names are checked by whoever serves
// them: no slash, no dot at the beginning.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { ConsoleFiles } from "../../gateway/admin/console-files.ts";

const FOLDER = join(import.meta.dirname, "../../console/dist");

export function consoleFiles(folder = FOLDER): ConsoleFiles {
  return {
    read: async (name) => {
      try {
        return await readFile(join(folder, name));
      } catch (error) {
        // Not built, or no such file; anything else is worth knowing.
        if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
        throw error;
      }
    },
  };
}
