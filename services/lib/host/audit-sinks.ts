// Destinations of the audit log: a file that is cut into pieces of a bounded size, standard output,
// a webhook. Lines of a file are on the disk (fdatasync) before they count as written; it is made
// for its owner alone.
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import process from "node:process";
import { StoreError } from "../base/errors.ts";
import type { AuditSink } from "../ports/audit.ts";
import type { HttpClient } from "../ports/http.ts";
import { systemCode } from "./system-error.ts";

const POST_MS = 10_000;
const OWNER_ONLY = 0o600;

export interface AuditFileOptions {
  readonly path: string;
  /** A file that would grow past this is put aside; one batch is never cut. */
  readonly bytesMax: number;
  /** Files kept, the present one among them. */
  readonly filesMax: number;
}

/** Opened at the first write, so that a folder that comes late is found. */
export function auditFile({ path, bytesMax, filesMax }: AuditFileOptions): AuditSink {
  let opened: { readonly file: FileHandle; bytes: number } | undefined;

  async function openFile(): Promise<{ readonly file: FileHandle; bytes: number }> {
    const file = await open(path, "a", OWNER_ONLY);
    return { file, bytes: (await file.stat()).size };
  }
  async function close(): Promise<void> {
    const file = opened?.file;
    opened = undefined;
    await file?.close();
  }
  /** `path` becomes `path.1`, that `path.2`; the oldest goes. */
  async function putAside(): Promise<void> {
    await close();
    const name = (number: number): string => (number === 0 ? path : `${path}.${number}`);
    await rm(name(filesMax - 1), { force: true });
    for (let number = filesMax - 2; number >= 0; number -= 1) {
      await renameIfThere(name(number), name(number + 1));
    }
  }
  return {
    name: "file",
    async write(lines) {
      opened ??= await openFile();
      if (opened.bytes > 0 && opened.bytes + lines.byteLength > bytesMax) {
        await putAside();
        opened = await openFile();
      }
      const { file } = opened;
      try {
        await file.appendFile(lines);
        await file.datasync();
        opened.bytes += lines.byteLength;
      } catch (error) {
        await close();
        throw error;
      }
    },
    close,
  };
}

async function renameIfThere(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
  }
}

export function auditStdout(): AuditSink {
  return {
    name: "stdout",
    write: (lines) =>
      new Promise((resolve, reject) => {
        process.stdout.write(lines, (error) => (error ? reject(error) : resolve()));
      }),
    close: async () => undefined,
  };
}

/** Posts lines as `application/x-ndjson`; whatever is not 2xx is a failure. */
export function auditWebhook(http: HttpClient, url: string, token: string): AuditSink {
  const headers = {
    "Content-Type": "application/x-ndjson",
    ...(token === "" ? {} : { Authorization: `Bearer ${token}` }),
  };
  return {
    name: "webhook",
    async write(lines) {
      const status = await http.post({ url, body: lines, headers, deadlineMs: POST_MS });
      if (status < 200 || status > 299) {
        throw new StoreError("unavailable", `the webhook answered ${status}`);
      }
    },
    close: async () => http.close(),
  };
}
