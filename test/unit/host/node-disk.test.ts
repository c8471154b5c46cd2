// Real files in a temporary folder, plus a handle that answers as a failing disk does.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { type ErrorCode, isStoreError } from "../../../services/lib/base/errors.ts";
import { createDisk, createFile, type RawFile } from "../../../services/lib/host/node-disk.ts";

let root = "";
before(async () => {
  root = await mkdtemp(join(tmpdir(), "dolium-disk-"));
});
after(() => rm(root, { recursive: true, force: true }));

const coded = (code: ErrorCode) => (error: unknown) => isStoreError(error, code);
const bytes = (...values: number[]) => Uint8Array.from(values);

test("writes many pieces in order and reads them back, short only at the end", async () => {
  const disk = createDisk(root);
  const file = await disk.open("pieces", "create");
  const pieces = Array.from({ length: 3000 }, (_, index) => bytes(index & 255, index >> 8));
  await file.write([...pieces, new Uint8Array(0)], 5);
  await file.datasync();
  assert.equal(await file.size(), 6005);
  const into = new Uint8Array(8000);
  assert.equal(await file.read(into, 5), 6000);
  assert.deepEqual(into.subarray(0, 6000), new Uint8Array(Buffer.concat(pieces)));
  assert.equal(await file.read(into, 6005), 0);
  await file.truncate(7);
  assert.equal(await file.size(), 7);
  await file.write([], 0);
  await file.close();
});

test("open modes: create refuses an existing file, read and write a missing one", async () => {
  const disk = createDisk(root);
  await (await disk.open("once", "create")).close();
  await assert.rejects(disk.open("once", "create"), coded("exists"));
  await assert.rejects(disk.open("never", "read"), coded("not-found"));
  await assert.rejects(disk.open("never", "write"), coded("not-found"));
  const reader = await disk.open("once", "read");
  await assert.rejects(reader.write([bytes(1)], 0), coded("io"));
  await reader.close();
  const writer = await disk.open("once", "write");
  await writer.write([bytes(7)], 0);
  await writer.close();
  assert.deepEqual(await readFile(join(root, "once")), Buffer.from([7]));
});

test("folders: create, list sorted, rename, remove, sync", async () => {
  const disk = createDisk(root);
  await disk.mkdir("a/b");
  await disk.mkdir("a/b");
  for (const name of ["z", "b", "10", "9"])
    await (await disk.open(`a/b/${name}`, "create")).close();
  assert.deepEqual(await disk.list("a/b"), ["10", "9", "b", "z"]);
  await disk.rename("a/b/z", "a/b/y");
  await disk.remove("a/b/b");
  await disk.syncDirectory("a/b");
  assert.deepEqual(await disk.list("a/b"), ["10", "9", "y"]);
  assert.equal(await disk.exists("a/b/y"), true);
  assert.equal(await disk.exists("a/b/z"), false);
  await disk.removeTree("a");
  await disk.removeTree("a");
  await assert.rejects(disk.list("a"), coded("not-found"));
  await assert.rejects(disk.remove("a"), coded("not-found"));
  await assert.rejects(disk.rename("a", "b"), coded("not-found"));
  await assert.rejects(disk.syncDirectory("a"), coded("not-found"));
});

test("what is neither missing nor full is io", async () => {
  const disk = createDisk(root);
  await symlink("loop", join(root, "loop"));
  await assert.rejects(disk.open("loop", "read"), coded("io"));
  await assert.rejects(disk.exists("loop/x"), coded("io"));
});

test("usage tells size and free bytes", async () => {
  const usage = await createDisk().usage(root);
  assert.ok(usage.sizeBytes > 0);
  assert.ok(usage.freeBytes > 0 && usage.freeBytes <= usage.sizeBytes);
});

interface Script {
  readonly counts?: number[];
  readonly fail?: string;
}

/** A handle that takes only so many bytes a call, then fails with a system error. */
function scripted({ counts = [], fail }: Script): RawFile & { written: number[]; syncs: number } {
  const refuse = (): never => {
    throw Object.assign(new Error(`${fail}: scripted`), { code: fail });
  };
  const unused = (): never => {
    throw new Error("not scripted");
  };
  const file = {
    written: [] as number[],
    syncs: 0,
    async writev(buffers: readonly NodeJS.ArrayBufferView[]) {
      const all = Buffer.concat(buffers as readonly Uint8Array[]);
      const count = counts.shift();
      if (count === undefined && fail !== undefined) return refuse();
      const taken = all.subarray(0, count ?? all.length);
      file.written.push(...taken);
      return { bytesWritten: taken.length, buffers };
    },
    async datasync() {
      file.syncs += 1;
      if (fail !== undefined && file.syncs === 1) refuse();
    },
    read: unused,
    truncate: unused,
    stat: unused,
    close: unused,
  };
  return file as unknown as RawFile & typeof file;
}

test("follows short counts, across and inside pieces, until every byte is written", async () => {
  const handle = scripted({ counts: [1, 2, 3, 1] });
  await createFile("short", handle).write([bytes(1, 2, 3), bytes(4), bytes(5, 6, 7, 8, 9)], 0);
  assert.deepEqual(handle.written, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test("a short count followed by a full disk is no-space, never success", async () => {
  for (const fail of ["ENOSPC", "EDQUOT"]) {
    const file = createFile("full", scripted({ counts: [2], fail }));
    await assert.rejects(file.write([bytes(1, 2, 3)], 0), coded("no-space"));
  }
  const stuck = createFile("stuck", scripted({ counts: [1, 0] }));
  await assert.rejects(stuck.write([bytes(1, 2, 3)], 0), coded("io"));
  const busy = createFile("busy", scripted({ fail: "EMFILE" }));
  await assert.rejects(busy.write([bytes(1)], 0), coded("exhausted"));
});

test("after one failed sync every later sync is refused without asking the kernel", async () => {
  const handle = scripted({ fail: "EIO" });
  const file = createFile("rotten", handle);
  await assert.rejects(file.datasync(), coded("io"));
  await assert.rejects(file.datasync(), coded("io"));
  assert.equal(handle.syncs, 1);
});

test("a really full filesystem is no-space", async (context) => {
  const run = promisify(execFile);
  const mount = join(root, "small");
  const disk = createDisk();
  await disk.mkdir(mount);
  try {
    await run("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", mount]);
  } catch {
    context.skip("mounting is not allowed here");
    return;
  }
  try {
    const file = await disk.open(join(mount, "big"), "create");
    const half = new Uint8Array(768 * 1024);
    await file.write([half], 0);
    await assert.rejects(file.write([half], half.byteLength), coded("no-space"));
    await file.close();
    assert.equal((await disk.usage(mount)).freeBytes, 0);
  } finally {
    await run("umount", [mount]);
  }
});
