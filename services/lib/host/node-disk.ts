// Real files behind the disk port. A write either put every byte into the file or throws: Node
// answers a full disk with a short count, so counts are followed until all is written or the system
// names the error. A file whose sync failed once refuses every later sync, because the kernel drops
// the dirty pages and would report success.
import { constants } from "node:fs";
import {
  access,
  type FileHandle,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  statfs,
  unlink,
} from "node:fs/promises";
import { resolve } from "node:path";
import { assert } from "../base/assert.ts";
import { StoreError } from "../base/errors.ts";
import type { Disk, DiskFile, DiskUsage, OpenMode } from "../ports/disk.ts";
import { diskError, systemCode } from "./system-error.ts";

const FLAGS: Readonly<Record<OpenMode, number>> = {
  read: constants.O_RDONLY,
  write: constants.O_RDWR,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
};
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

/** The part of Node's FileHandle that files are made of; a test may hand in a failing one. */
export type RawFile = Pick<
  FileHandle,
  "read" | "writev" | "datasync" | "truncate" | "stat" | "close"
>;

/** `root`: folder that relative paths start from; the working directory when left out. */
export function createDisk(root = "."): Disk {
  const at = (path: string): string => resolve(root, path);
  return {
    open: (path, mode) =>
      attempt("open", at(path), async (full) =>
        createFile(full, await open(full, FLAGS[mode], FILE_MODE)),
      ),
    list: (path) => attempt("list", at(path), async (full) => (await readdir(full)).sort()),
    exists: (path) => attempt("look for", at(path), existsAt),
    mkdir: (path) => attempt("create folder", at(path), makeFolder),
    remove: (path) => attempt("remove", at(path), unlink),
    removeTree: (path) =>
      attempt("remove tree", at(path), (full) => rm(full, { recursive: true, force: true })),
    rename: (from, to) => attempt("rename", at(from), (full) => rename(full, at(to))),
    syncDirectory: (path) => attempt("sync folder", at(path), syncFolder),
    usage: (path) => attempt("measure", at(path), measure),
  };
}

/** Wraps an open handle; `path` is for messages. The file owns the handle. */
export function createFile(path: string, handle: RawFile): DiskFile {
  let syncFailure: StoreError | undefined;
  async function datasync(): Promise<void> {
    if (syncFailure !== undefined) {
      const cause = syncFailure;
      throw new StoreError("io", `sync ${path}: an earlier sync failed`, { cause });
    }
    try {
      await handle.datasync();
    } catch (error) {
      syncFailure = diskError(`sync ${path}`, error);
      throw syncFailure;
    }
  }
  return {
    path,
    size: () => attempt("stat", path, async () => (await handle.stat()).size),
    read: (into, offset) => attempt("read", path, () => readFully(handle, into, offset)),
    write: (pieces, offset) => attempt("write", path, () => writeFully(handle, pieces, offset)),
    datasync,
    truncate: (length) => attempt("truncate", path, () => handle.truncate(length)),
    close: () => attempt("close", path, () => handle.close()),
  };
}

async function attempt<T>(
  verb: string,
  path: string,
  work: (path: string) => Promise<T>,
): Promise<T> {
  try {
    return await work(path);
  } catch (error) {
    throw diskError(`${verb} ${path}`, error);
  }
}

async function readFully(handle: RawFile, into: Uint8Array, offset: number): Promise<number> {
  assert(Number.isSafeInteger(offset) && offset >= 0, "read: bad offset");
  let done = 0;
  while (done < into.byteLength) {
    const { bytesRead } = await handle.read(into, done, into.byteLength - done, offset + done);
    if (bytesRead === 0) return done;
    done += bytesRead;
  }
  return done;
}

async function writeFully(
  handle: RawFile,
  pieces: readonly Uint8Array[],
  offset: number,
): Promise<void> {
  assert(Number.isSafeInteger(offset) && offset >= 0, "write: bad offset");
  let left = pieces.filter((piece) => piece.byteLength > 0);
  let position = offset;
  while (left.length > 0) {
    const { bytesWritten } = await handle.writev(left, position);
    if (bytesWritten === 0)
      throw new StoreError("io", "the system wrote nothing and gave no reason");
    position += bytesWritten;
    left = skipBytes(left, bytesWritten);
  }
}

/** What remains of `pieces` after their first `count` bytes; views, no copies. */
function skipBytes(pieces: readonly Uint8Array[], count: number): Uint8Array[] {
  let skip = count;
  for (const [index, piece] of pieces.entries()) {
    if (skip < piece.byteLength) {
      return [piece.subarray(skip), ...pieces.slice(index + 1)];
    }
    skip -= piece.byteLength;
  }
  assert(skip === 0, "write: the system claims more bytes than it was given");
  return [];
}

async function existsAt(path: string): Promise<boolean> {
  try {
    await access(path, constants.F_OK);
    return true;
  } catch (error) {
    if (systemCode(error) === "ENOENT") return false;
    throw error;
  }
}

async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: FOLDER_MODE });
}

async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Free bytes are those an unprivileged process may use. */
async function measure(path: string): Promise<DiskUsage> {
  const { bsize, blocks, bavail } = await statfs(path);
  return { sizeBytes: blocks * bsize, freeBytes: bavail * bsize };
}
