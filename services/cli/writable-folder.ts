// Whether this process may use a folder for its data: found out before anything starts, and told in
// one sentence that names the folder, its owner and what to do, since volumes with a foreign owner
// are what containers fail on first.
import { accessSync, constants, existsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import { UsageError } from "./command-line.ts";
import { makeFolderDurably } from "./durable-file.ts";

const ALL = constants.R_OK | constants.W_OK | constants.X_OK;

/** Makes the folder where it is missing. Throws UsageError when this user may not write there. */
export function prepareFolder(path: string): void {
  try {
    makeFolderDurably(path);
    accessSync(path, ALL);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "EROFS") {
      throw new UsageError(`${path} is read-only: mount a volume there, or name another folder`);
    }
    if (code !== "EACCES" && code !== "EPERM") {
      throw new UsageError(`${path} cannot be used: ${String(error)}`, { cause: error });
    }
    throw new UsageError(refusal(path), { cause: error });
  }
}

function refusal(path: string): string {
  const held = existing(path);
  const { uid, gid, mode } = statSync(held);
  const user = process.getuid?.();
  const me = `user ${user ?? "?"}, group ${process.getgid?.() ?? "?"}`;
  const owner = `${held} belongs to user ${uid}, group ${gid}, mode ${(mode & 0o777).toString(8)}`;
  const wanted = `${user ?? 1000}:${process.getgid?.() ?? 0}`;
  const cure =
    user === uid
      ? `run \`chmod u+rwx ${held}\``
      : `run \`chown -R ${wanted} ${held}\` on the volume's host, or start as its owner`;
  return `${path} cannot be written by ${me}: ${owner}; ${cure}`;
}

/** The folder itself, or the nearest one above it that is there. */
function existing(path: string): string {
  let folder = path;
  while (!existsSync(folder) && folder !== dirname(folder)) folder = dirname(folder);
  return folder;
}
