// The archive that the browser writes: read back field by field, and by another program.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { crc32 as crc32Oracle } from "node:zlib";
import fc from "fast-check";
import { crc32 } from "../../../services/console/model/crc32.ts";
import { safeZipName, type ZipEntry, zip } from "../../../services/console/model/zip.ts";

const MODIFIED_MS = Date.UTC(2026, 4, 3, 12, 30, 8);

function entry(name: string, body: Uint8Array): ZipEntry {
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < body.byteLength; at += 1000) yield body.subarray(at, at + 1000);
  }
  return { name, modifiedMs: MODIFIED_MS, open: async () => pieces() };
}

async function archive(entries: readonly ZipEntry[]): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of zip(entries)) pieces.push(piece);
  return Buffer.concat(pieces);
}

interface Found {
  readonly name: string;
  readonly body: Buffer;
}

/** Reads by the central directory, with the 64-bit fields. */
function unpack(bytes: Buffer): Found[] {
  const end = bytes.length - 22;
  assert.equal(bytes.readUInt32LE(end), 0x06054b50);
  const locator = end - 20;
  assert.equal(bytes.readUInt32LE(locator), 0x07064b50);
  const end64 = Number(bytes.readBigUInt64LE(locator + 8));
  assert.equal(bytes.readUInt32LE(end64), 0x06064b50);
  const count = Number(bytes.readBigUInt64LE(end64 + 32));
  const directoryBytes = Number(bytes.readBigUInt64LE(end64 + 40));
  let at = Number(bytes.readBigUInt64LE(end64 + 48));
  assert.equal(at + directoryBytes, end64);
  const found: Found[] = [];
  for (let index = 0; index < count; index += 1) {
    assert.equal(bytes.readUInt32LE(at), 0x02014b50);
    const nameLength = bytes.readUInt16LE(at + 28);
    const extraLength = bytes.readUInt16LE(at + 30);
    const name = bytes.toString("utf8", at + 46, at + 46 + nameLength);
    const extra = at + 46 + nameLength;
    const size = Number(bytes.readBigUInt64LE(extra + 4));
    const local = Number(bytes.readBigUInt64LE(extra + 20));
    assert.equal(bytes.readUInt32LE(local), 0x04034b50);
    const start = local + 30 + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28);
    const body = bytes.subarray(start, start + size);
    assert.equal(crc32Oracle(body), bytes.readUInt32LE(at + 16));
    assert.equal(bytes.readUInt32LE(start + size), 0x08074b50);
    found.push({ name, body });
    at = extra + extraLength;
  }
  return found;
}

test("CRC-32 agrees with zlib, whatever the pieces", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 6 }), (pieces) => {
      const whole = Buffer.concat(pieces);
      const ours = pieces.reduce((crc, piece) => crc32(piece, crc), 0);
      assert.equal(ours, crc32Oracle(whole));
    }),
  );
});

test("an archive gives back every name and byte", async () => {
  const bodies = [Buffer.from(""), Buffer.from("hello"), Buffer.alloc(70_001, 7)];
  const names = ["empty", "folder/hello.txt", "größe/ünï.bin"];
  const bytes = await archive(names.map((name, at) => entry(name, bodies[at] ?? Buffer.alloc(0))));
  const found = unpack(bytes);
  assert.deepEqual(
    found.map(({ name }) => name),
    names,
  );
  found.forEach(({ body }, at) => {
    assert.ok(body.equals(bodies[at] ?? Buffer.alloc(1)));
  });
});

test("an archive of nothing is an archive", async () => {
  assert.deepEqual(unpack(await archive([])), []);
});

test("names that are the same, also but for case, are told apart", async () => {
  const bytes = await archive(
    ["a.txt", "A.txt", "a.txt", "x"].map((n) => entry(n, Buffer.from(n))),
  );
  assert.deepEqual(
    unpack(bytes).map(({ name }) => name),
    ["a.txt", "A (2).txt", "a (3).txt", "x"],
  );
});

test("no key leaves the folder of the archive", () => {
  assert.equal(safeZipName("../../etc/passwd"), "_/_/etc/passwd");
  assert.equal(safeZipName("/etc/passwd"), "_/etc/passwd");
  assert.equal(safeZipName("..\\..\\windows"), ".._.._windows");
  assert.equal(safeZipName("C:/x"), "C_/x");
  assert.equal(safeZipName("a//b/./c"), "a/_/b/_/c");
  fc.assert(
    fc.property(fc.string(), (key) => {
      const parts = safeZipName(key).split("/");
      assert.ok(parts.every((part) => part !== "" && part !== "." && part !== ".."));
    }),
  );
});

test("a body that breaks off breaks the archive off", async () => {
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield Buffer.from("some");
    throw new Error("the connection broke");
  }
  const bad = { name: "bad", modifiedMs: 0, open: async () => broken() };
  await assert.rejects(archive([entry("good", Buffer.from("x")), bad]), /connection broke/);
});

test("another program takes the archive", (context) => {
  const folder = mkdtempSync(join(tmpdir(), "dolium-zip-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  try {
    execFileSync("python3", ["--version"], { stdio: "ignore" });
  } catch {
    context.skip("python3 is not installed");
    return undefined;
  }
  return archive([entry("a/b.txt", Buffer.from("hello")), entry("c", Buffer.alloc(5000, 1))]).then(
    (bytes) => {
      const path = join(folder, "x.zip");
      writeFileSync(path, bytes);
      const script =
        "import sys,zipfile;z=zipfile.ZipFile(sys.argv[1]);assert z.testzip() is None;" +
        "print(z.namelist(), z.read('a/b.txt').decode(), z.infolist()[0].date_time)";
      const shown = execFileSync("python3", ["-c", script, path], { encoding: "utf8" });
      assert.equal(shown.trim(), "['a/b.txt', 'c'] hello (2026, 5, 3, 12, 30, 8)");
    },
  );
});
