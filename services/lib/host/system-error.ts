// Errors of the operating system turned into StoreErrors. Full disks, missing and existing names
// have codes of their own, and so has a process that ran out of handles or memory, because that
// says nothing about the disk; whatever else a file call reports is an "io" failure of the disk.
import { type ErrorCode, StoreError } from "../base/errors.ts";

const CODES: ReadonlyMap<string, ErrorCode> = new Map([
  ["ENOSPC", "no-space"],
  ["EDQUOT", "no-space"],
  ["ENOENT", "not-found"],
  ["EEXIST", "exists"],
  ["EMFILE", "exhausted"],
  ["ENFILE", "exhausted"],
  ["ENOMEM", "exhausted"],
]);

/** The `code` of a Node system error ("EIO"), or undefined. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** `doing`: verb and path, e.g. "read /data/1"; the cause is kept. StoreErrors pass unchanged. */
export function diskError(doing: string, error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const system = systemCode(error);
  const reason = error instanceof Error ? error.message : String(error);
  const code = system === undefined ? "io" : (CODES.get(system) ?? "io");
  return new StoreError(code, `${doing}: ${reason}`, { cause: error });
}
