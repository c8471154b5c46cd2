// cp, mv and sync as people run them: what goes where, what is kept of a file, what is refused, and
// that the bytes are the same at the other end.
import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { after, before, test } from "node:test";
import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { seededBytes, sha256Hex } from "../../support/seeded-bytes.ts";
import { CommandBench, jsonLines } from "./objects-command.ts";

const MIB = 1024 * 1024;

let bench: CommandBench;
let s3: S3Client;

before(async () => {
  bench = await CommandBench.start();
  const { endpoint, region, accessKeyId, secretAccessKey } = bench.cluster;
  const credentials = { accessKeyId, secretAccessKey };
  s3 = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
});

after(async () => {
  s3.destroy();
  await bench.stop();
});

async function put(bucket: string, key: string, body = key): Promise<void> {
  const ContentLength = Buffer.byteLength(body);
  await s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body, ContentLength }));
}

function write(name: string, body: string | Uint8Array = name): string {
  mkdirSync(dirname(bench.path(name)), { recursive: true });
  writeFileSync(bench.path(name), body);
  return `./${name}`;
}

async function keysOf(path: string): Promise<unknown[]> {
  return (await bench.lines("ls", "-r", path)).map(({ key }) => key);
}

function filesOf(folder: string): string[] {
  return readdirSync(bench.path(folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath.slice(bench.path(folder).length)}/${entry.name}`.slice(1))
    .toSorted();
}

test("one file goes where it was sent, with its time and type, and comes back the same", async () => {
  await bench.ok("mb", "one");
  const body = seededBytes("one file", 13 * MIB);
  write("one/ä b.txt", body);
  utimesSync(bench.path("one/ä b.txt"), 1_600_000_000.25, 1_600_000_000.25);
  const [copied] = await bench.lines("cp", "./one/ä b.txt", "s3://one/in/", "--part-size", "5MiB");
  assert.deepEqual(
    [copied?.target, copied?.bytes, copied?.verifiedBy],
    ["s3://one/in/ä b.txt", 13 * MIB, "CRC64NVME"],
  );
  const [facts] = await bench.lines("stat", "one/in/ä b.txt");
  assert.equal(facts?.contentType, "text/plain");
  assert.equal(facts?.checksum, `CRC64NVME ${String(copied?.checksum)}`);
  const [fetched] = await bench.lines("cp", "one/in/ä b.txt", "./back/");
  assert.equal(fetched?.verifiedBy, "CRC64NVME");
  assert.equal(sha256Hex(readFileSync(bench.path("back/ä b.txt"))), sha256Hex(body));
  assert.equal(statSync(bench.path("back/ä b.txt")).mtimeMs, 1_600_000_000_250);
  for (const checksum of ["SHA256", "CRC32C", "none"]) {
    const key = `one/by-${checksum}`;
    const part = ["--part-size", "5MiB", "--checksum", checksum];
    await bench.ok("cp", "./one/ä b.txt", key, ...part);
    const [got] = await bench.lines("cp", key, `./back/${checksum}`);
    assert.equal(got?.verifiedBy, checksum === "none" ? "MD5 of parts" : checksum);
    assert.equal(sha256Hex(readFileSync(bench.path(`back/${checksum}`))), sha256Hex(body));
  }
});

test("an empty file and an empty stream are objects of no bytes", async () => {
  await bench.ok("mb", "empty");
  await bench.ok("cp", write("nothing", ""), "empty/file");
  const { code, stderr } = await bench.run(["cp", "-", "empty/stream"], {}, new Uint8Array(0));
  assert.deepEqual([code, stderr], [0, ""]);
  await bench.ok("cp", "-r", "s3://empty", "./emptied");
  assert.deepEqual(filesOf("emptied"), ["file", "stream"]);
  assert.equal(statSync(bench.path("emptied/stream")).size, 0);
});

test("a folder goes up and comes down whole, filtered as asked", async () => {
  await bench.ok("mb", "folders");
  for (const name of ["a.txt", "b.bin", "sub/c.txt", "sub.d/e.txt"]) write(`tree/${name}`);
  await bench.ok("cp", "-r", "./tree", "s3://folders/t", "-q");
  assert.deepEqual(await keysOf("folders"), ["t/a.txt", "t/b.bin", "t/sub.d/e.txt", "t/sub/c.txt"]);
  const only = ["--exclude", "*", "--include", "*.txt", "--exclude", "sub.d/*"];
  await bench.ok("cp", "-r", "folders/t", "./texts", ...only);
  assert.deepEqual(filesOf("texts"), ["a.txt", "sub/c.txt"]);
  const would = await bench.lines("cp", "-r", "folders/t", "./dry", "--dry-run");
  assert.equal(would.length, 4);
  assert.equal(existsSync(bench.path("dry")), false);
  await bench.ok("cp", "-r", "folders/t", "s3://folders/u/v");
  assert.deepEqual((await keysOf("folders/u/")).length, 4);
  await bench.ok("cp", "folders/t/a.txt", "folders/t/b.bin", "./both/");
  assert.deepEqual(filesOf("both"), ["a.txt", "b.bin"]);
});

test("what cannot be meant is a usage error, and nothing moves", async () => {
  await bench.ok("mb", "usage");
  write("some/file");
  for (const args of [
    ["cp", "./some", "usage/x"],
    ["cp", "-r", "./some/file", "usage/x"],
    ["cp", "./some/file", "./other"],
    ["cp", "usage/a", "usage/b", "s3://usage/c"],
    ["cp", "-", "usage/"],
    ["cp", "s3://usage", "./x"],
    ["cp", "./some/file"],
    ["cp", "./some/file", "usage/x", "--part-size", "1MiB"],
    ["cp", "./some/file", "usage/x", "--sse", "rot13"],
    ["mv", "usage/a", "usage/b", "--version-id", "v"],
    ["sync", "./some", "./other"],
    ["sync", "usage/a", "usage/a/b"],
    ["sync", "./some", "usage/x", "--delete"],
  ]) {
    const { code, stderr } = await bench.run(args);
    assert.equal(code, 2, `${args.join(" ")}: ${stderr}`);
  }
  assert.deepEqual(await keysOf("s3://usage"), []);
});

test("keys that lead elsewhere are refused, the others arrive, and the exit code says 1", async () => {
  await bench.ok("mb", "evil");
  const refused = ["../up", "a/../../up", "/root", "b//c", "d/./e"];
  for (const key of [...refused, "good", "a/..b"]) await put("evil", key);
  const ended = await bench.run(["cp", "-r", "s3://evil", "./jail/inner", "--json"]);
  assert.equal(ended.code, 1);
  assert.deepEqual(filesOf("jail"), ["inner/a/..b", "inner/good"]);
  const errors = jsonLines(ended.stdout.toString()).filter(({ event }) => event === "error");
  assert.deepEqual(
    errors.map(({ source }) => source).toSorted(),
    refused.map((key) => `s3://evil/${key}`).toSorted(),
  );
  assert.ok(errors.every(({ code }) => code === "refused"));
  assert.match(ended.stderr, /5 things failed, 2 done/);
});

test("links in the target lead nowhere, and links of the source only with --follow", async () => {
  await bench.ok("mb", "links");
  await put("links", "way/file", "new");
  mkdirSync(bench.path("target"));
  mkdirSync(bench.path("outside"));
  symlinkSync(bench.path("outside"), bench.path("target/way"));
  assert.equal((await bench.run(["cp", "-r", "s3://links", "./target"])).code, 1);
  assert.deepEqual(readdirSync(bench.path("outside")), []);
  await bench.ok("cp", "-r", "s3://links", "./target", "--follow");
  assert.deepEqual(readdirSync(bench.path("outside")), ["file"]);
  symlinkSync("/etc/hostname", bench.path("outside/link"));
  symlinkSync(bench.path("outside"), bench.path("outside/circle"));
  await bench.ok("cp", "-r", "./outside", "links/plain");
  assert.deepEqual(await keysOf("links/plain/"), ["plain/file"]);
  assert.equal((await bench.run(["cp", "./outside/link", "links/x"])).code, 1);
  const followed = await bench.run(["cp", "-r", "./outside", "links/followed", "--follow"]);
  assert.equal(followed.code, 1, "the circle is told");
  assert.deepEqual(await keysOf("links/followed/"), ["followed/file", "followed/link"]);
  write("linked", "old");
  symlinkSync(bench.path("linked"), bench.path("pointer"));
  await bench.ok("cp", "links/way/file", "./pointer");
  assert.equal(readFileSync(bench.path("linked"), "utf8"), "old");
  assert.throws(() => readlinkSync(bench.path("pointer")), "the link is now the file");
});

test("a copy inside the server keeps what the source says of itself, or what is given", async () => {
  await bench.ok("mb", "within");
  const given = ["--metadata", "colour=blue", "--content-type", "text/x-own", "--tags", "a=b"];
  await bench.ok("cp", write("copied.txt"), "within/a", ...given);
  const [plain] = await bench.lines("cp", "within/a", "within/b");
  assert.equal(plain?.verifiedBy, "MD5");
  const [kept] = await bench.lines("stat", "within/b");
  assert.deepEqual([kept?.contentType, kept?.tags], ["text/x-own", 1]);
  assert.equal(Object(kept?.metadata).colour, "blue");
  await bench.ok("cp", "within/a", "within/c", "--metadata", "shape=round");
  const [changed] = await bench.lines("stat", "within/c");
  assert.equal(changed?.contentType, "text/x-own");
  assert.deepEqual(Object.keys(Object(changed?.metadata)).toSorted(), ["mtime", "shape"]);
});

test("mv leaves nothing behind but what failed", async () => {
  await bench.ok("mb", "moves");
  write("going/a");
  write("going/b/c");
  await bench.ok("mv", "-r", "./going", "moves/g");
  assert.deepEqual(filesOf("going"), []);
  const moved = await bench.lines("mv", "moves/g/a", "moves/h");
  assert.equal(moved[0]?.event, "moved");
  assert.deepEqual(await keysOf("moves"), ["g/b/c", "h"]);
  await bench.ok("mv", "-r", "s3://moves", "./home");
  assert.deepEqual(filesOf("home"), ["g/b/c", "h"]);
  assert.deepEqual(await keysOf("s3://moves"), []);
  assert.equal((await bench.run(["mv", "moves/absent", "./x"])).code, 3);
  await put("moves", "same");
  assert.equal((await bench.run(["mv", "moves/same", "moves/same"])).code, 2);
  assert.deepEqual(await keysOf("moves"), ["same"]);
});

test("sync moves what is missing or other, both ways, and removes only with --delete", async () => {
  await bench.ok("mb", "synced");
  for (const name of ["a", "b/c", "b-d"]) write(`here/${name}`);
  const first = await bench.lines("sync", "./here", "synced/x");
  assert.deepEqual(summaryOf(first), { copied: 3, same: 0, removed: 0 });
  assert.deepEqual(summaryOf(await bench.lines("sync", "./here", "synced/x")), {
    copied: 0,
    same: 3,
    removed: 0,
  });
  write("here/a", "A");
  rmSync(bench.path("here/b-d"));
  assert.deepEqual(summaryOf(await bench.lines("sync", "./here", "synced/x")), {
    copied: 1,
    same: 1,
    removed: 0,
  });
  const would = await bench.lines("sync", "./here", "synced/x", "--delete", "--dry-run");
  assert.equal(would[0]?.event, "would-remove");
  const removed = await bench.lines("sync", "./here", "synced/x", "--delete", "--yes");
  assert.deepEqual(summaryOf(removed), { copied: 0, same: 2, removed: 1 });
  assert.deepEqual(await keysOf("synced"), ["x/a", "x/b/c"]);
  write("there/extra");
  const down = await bench.lines("sync", "synced/x", "./there", "--delete", "--yes");
  assert.deepEqual(summaryOf(down), { copied: 2, same: 0, removed: 1 });
  assert.deepEqual(filesOf("there"), ["a", "b/c"]);
  assert.deepEqual(summaryOf(await bench.lines("sync", "synced/x", "./there")), {
    copied: 0,
    same: 2,
    removed: 0,
  });
});

test("sync by checksum sees bytes that times hide, and buckets are synced in the server", async () => {
  await bench.ok("mb", "left", "right");
  write("hidden/f", "one");
  await bench.ok("sync", "./hidden", "left");
  const { mtimeMs } = statSync(bench.path("hidden/f"));
  write("hidden/f", "two");
  utimesSync(bench.path("hidden/f"), mtimeMs / 1000, mtimeMs / 1000);
  assert.equal(summaryOf(await bench.lines("sync", "./hidden", "left")).copied, 0);
  const seen = await bench.lines("sync", "./hidden", "left", "--checksum");
  assert.equal(summaryOf(seen).copied, 1);
  assert.equal(await bench.ok("cat", "left/f"), "two");
  await put("right", "extra");
  const across = await bench.lines("sync", "s3://left", "s3://right", "--delete", "--yes");
  assert.deepEqual(summaryOf(across), { copied: 1, same: 0, removed: 1 });
  const again = await bench.lines("sync", "s3://left", "s3://right");
  assert.deepEqual(summaryOf(again), { copied: 0, same: 1, removed: 0 });
  assert.equal((await bench.run(["sync", "./absent", "left"])).code, 3);
  assert.equal((await bench.run(["sync", "absent-bucket", "./x"])).code, 3);
});

function summaryOf(lines: readonly Readonly<Record<string, unknown>>[]): Record<string, unknown> {
  const { event, ...counts } = lines.at(-1) ?? {};
  assert.equal(event, "summary");
  return counts;
}
