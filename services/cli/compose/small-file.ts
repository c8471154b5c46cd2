// Small text files that are read again and again while a process runs, such as mounted secrets.
import { open } from "node:fs/promises";
import { StoreError } from "../../lib/base/errors.ts";

const BYTES_MAX = 16 * 1024 * 1024;

/** The text without white space around it. Throws StoreError "invalid" naming the file. */
export async function readSmallFile(path: string): Promise<string> {
  try {
    const file = await open(path, "r");
    try {
      const { size } = await file.stat();
      if (size > BYTES_MAX) throw new StoreError("invalid", `${path} is over ${BYTES_MAX} bytes`);
      return (await file.readFile("utf8")).trim();
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (cause instanceof StoreError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new StoreError("invalid", `${path} cannot be read: ${reason}`, { cause });
  }
}
