// The verbs that look, remove, share and make buckets, as people run them: what is printed, in
// words and JSON, what is asked before anything is destroyed, and every exit code.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { mapBounded } from "../../../services/lib/base/bounded.ts";
import { CommandBench, jsonLines } from "./objects-command.ts";

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
  await s3.send(
    new PutObjectCommand({
      Bucket: bucket,
      Key: key,
      Body: body,
      ContentLength: Buffer.byteLength(body),
    }),
  );
}

async function fails(code: number, ...args: readonly string[]): Promise<string> {
  const ended = await bench.run([...args, "--json"]);
  assert.equal(ended.code, code, `${args.join(" ")}: ${ended.stdout.toString()}${ended.stderr}`);
  assert.match(ended.stderr, /^dolium: /);
  const error = jsonLines(ended.stdout.toString()).find(({ event }) => event === "error");
  assert.ok(typeof error?.message === "string", "the error is JSON too");
  return String(error.code);
}

test("buckets are made, listed and removed", async () => {
  assert.equal(
    await bench.ok("mb", "made-one", "s3://made-two", "--versioning"),
    "made s3://made-one/\nmade s3://made-two/\n",
  );
  const buckets = await bench.lines("ls");
  const names = buckets.map(({ bucket }) => bucket);
  assert.ok(names.includes("made-one") && names.includes("made-two"));
  assert.equal(await fails(1, "mb", "Not_A_Name"), "InvalidBucketName");
  assert.equal(await fails(2, "rb", "made-one"), "usage");
  await bench.ok("rb", "made-one", "--yes");
  assert.equal(await fails(3, "rb", "made-one", "--yes"), "NoSuchBucket");
  await put("made-two", "a");
  await put("made-two", "a");
  await bench.ok("rm", "made-two/a");
  assert.equal(await fails(1, "rb", "made-two", "--yes"), "BucketNotEmpty");
  const removed = await bench.lines("rb", "made-two", "--force", "--yes");
  assert.equal(removed.length, 4, "two versions, a delete marker, the bucket");
});

test("ls, tree, du and find show what is there, safely", async () => {
  await bench.ok("mb", "shown");
  const keys = ["a.txt", "b/c.txt", "b/d/e.bin", "b/d/\u001b[2J", "/lead", "z//dots/../x"];
  for (const key of keys) await put("shown", key);
  const level = await bench.ok("ls", "s3://shown");
  assert.deepEqual(
    level.split("\n").map((line) => line.slice(38)),
    ["/", "a.txt", "b/", "z/", ""],
  );
  const all = await bench.lines("ls", "-r", "shown");
  assert.deepEqual(all.map(({ key }) => key).toSorted(), keys.toSorted());
  assert.ok(all.every(({ type, bytes, key }) => type === "object" && bytes === String(key).length));
  const below = await bench.ok("ls", "-r", "shown/b/d/");
  assert.ok(below.includes("\\x1b[2J") && !below.includes("\u001b"));
  const begun = await bench.lines("ls", "shown/a.");
  assert.deepEqual(
    begun.map(({ key }) => key),
    ["a.txt"],
  );
  assert.equal(await fails(3, "ls", "shown/absent"), "NotFound");
  assert.match(await bench.ok("tree", "shown/b"), /^s3:\/\/shown\/b\/\n {2}c\.txt {2}7 B\n {2}d\//);
  const [usage] = await bench.lines("du", "shown/b");
  assert.deepEqual([usage?.objects, usage?.bytes], [3, "b/c.txtb/d/e.binb/d/\u001b[2J".length]);
  assert.equal(
    await bench.ok("find", "shown", "--name", "*.txt"),
    "s3://shown/a.txt\ns3://shown/b/c.txt\n",
  );
  assert.equal(await bench.ok("find", "shown", "--larger", "10"), "s3://shown/z//dots/../x\n");
  assert.equal(await bench.ok("find", "shown", "--newer", "1h", "--older", "1h"), "");
  assert.equal(await bench.ok("ls", "-r", "shown", "--include", "*.bin", "-q"), "");
});

test("cat prints bytes and ranges, stat what is known", async () => {
  await bench.ok("mb", "read");
  writeFileSync(bench.path("page.html"), "<p>0123456789</p>");
  await bench.ok(
    ...["cp", "./page.html", "read/p", "--metadata", "colour=blue", "--tags", "a=b"],
    ...["--cache-control", "no-store"],
  );
  assert.equal(await bench.ok("cat", "read/p", "s3://read/p"), "<p>0123456789</p>".repeat(2));
  assert.equal(await bench.ok("cat", "read/p", "--range", "3-5"), "012");
  assert.equal(await bench.ok("cat", "read/p", "--range=-4", "-q"), "</p>");
  const [facts] = await bench.lines("stat", "read/p");
  assert.deepEqual(
    [facts?.contentType, facts?.cacheControl, facts?.tags, facts?.bytes],
    ["text/html", "no-store", 1, 17],
  );
  const metadata: unknown = facts?.metadata;
  assert.ok(typeof metadata === "object" && metadata !== null && "colour" in metadata);
  assert.equal((await bench.lines("stat", "s3://read"))[0]?.type, "bucket");
  assert.equal(await fails(3, "stat", "read/absent"), "NotFound");
  assert.equal(await fails(3, "cat", "absent-bucket/key"), "NotFound");
  assert.equal(await fails(2, "cat", "read/p", "--range", "x"), "usage");
});

test("rm takes one object at once, and more only with --yes", async () => {
  await bench.ok("mb", "gone", "--versioning");
  for (const key of ["a", "b/c", "b/d", "b/\u0001", "bb"]) await put("gone", key);
  await put("gone", "a", "newer");
  assert.equal(
    await bench.ok("rm", "gone/a"),
    "removed s3://gone/a\n".replace("\n", "").concat(await versionNote("gone", "a")),
  );
  assert.equal(await fails(3, "rm", "gone/a"), "NotFound");
  assert.equal(await fails(2, "rm", "-r", "gone/b"), "usage");
  assert.equal(await fails(2, "rm", "gone"), "usage");
  assert.equal(await fails(3, "rm", "-r", "gone/absent", "--yes"), "NotFound");
  const would = await bench.lines("rm", "-r", "gone/b", "--dry-run");
  assert.deepEqual(
    would.map(({ event }) => event),
    ["would-remove", "would-remove", "would-remove"],
  );
  const removed = await bench.lines("rm", "-r", "gone/b", "--yes");
  assert.deepEqual(removed.map(({ key }) => key).toSorted(), ["b/\u0001", "b/c", "b/d"]);
  assert.deepEqual(
    (await bench.lines("ls", "-r", "gone")).map(({ key }) => key),
    ["bb"],
  );
  const versions = await bench.lines("ls", "--versions", "gone/a");
  assert.deepEqual(
    versions.map(({ type }) => type),
    ["delete-marker", "version", "version"],
  );
  const oldest = String(versions[2]?.versionId);
  assert.equal(await bench.ok("cat", "gone/a", "--version-id", oldest), "a");
  await bench.ok("rm", "gone/a", "--version-id", oldest);
  assert.equal((await bench.lines("ls", "--versions", "gone/a")).length, 2);
  assert.equal((await bench.lines("du", "gone/b", "--versions"))[0]?.objects, 3);
  await bench.ok("rm", "-r", "--all-versions", "gone", "--yes", "-q");
  assert.equal(await bench.ok("ls", "--versions", "-r", "gone"), "");
});

/** The rest of the line that names the delete marker which is now the latest. */
async function versionNote(bucket: string, key: string): Promise<string> {
  const [latest] = await bench.lines("ls", "--versions", `${bucket}/${key}`);
  return ` (version ${latest?.versionId})\n`;
}

test("shared links work without keys, and only as they were meant", async () => {
  await bench.ok("mb", "shared");
  await put("shared", "ä b/c", "for you");
  const url = (await bench.ok("share", "shared/ä b/c", "--save-as", "ü.txt")).trim();
  const got = await fetch(url);
  assert.equal(await got.text(), "for you");
  assert.match(got.headers.get("content-disposition") ?? "", /^attachment; filename="_\.txt"/);
  assert.equal((await fetch(url.replace("for", "x"), { method: "PUT" })).status, 403);
  const [form] = await bench.lines("share", "shared/in/", "--upload", "--max-size", "10");
  const upload = async (body: string): Promise<number> => {
    const data = new FormData();
    for (const [name, value] of Object.entries(Object(form?.fields)))
      data.append(name, String(value));
    data.append("file", new Blob([body]), "note.txt");
    return (await fetch(String(form?.url), { method: "POST", body: data })).status;
  };
  assert.equal(await upload("short"), 204);
  assert.equal(await upload("longer than ten"), 400);
  assert.equal(await bench.ok("cat", "shared/in/note.txt"), "short");
  assert.equal(await fails(2, "share", "shared/x", "--expires", "8d"), "usage");
  assert.equal(await fails(2, "share", "shared"), "usage");
  assert.equal(await fails(2, "share", "shared/x", "--no-sign-request"), "usage");
});

test("every way to fail has its exit code", async () => {
  await bench.ok("mb", "codes");
  const wrong = await bench.run(["ls", "codes", "--json"], {
    AWS_SECRET_ACCESS_KEY: "wrong-secret",
  });
  assert.equal(wrong.code, 4);
  const anonymous = await bench.run(["ls", "codes", "--no-sign-request"]);
  assert.equal(anonymous.code, 4, anonymous.stderr);
  const nobody = await bench.run(["ls", "codes"], { AWS_ENDPOINT_URL: "http://127.0.0.1:1" });
  assert.equal(nobody.code, 5);
  const keyless = { AWS_ACCESS_KEY_ID: "", AWS_SECRET_ACCESS_KEY: "" };
  const none = await bench.run(["ls", "codes"], keyless);
  assert.equal(none.code, 2);
  assert.match(none.stderr, /AWS_ACCESS_KEY_ID/);
  mkdirSync(bench.path(".aws"));
  writeFileSync(
    bench.path(".aws/credentials"),
    `[lab]\naws_access_key_id = ${bench.cluster.accessKeyId}\n` +
      `aws_secret_access_key = ${bench.cluster.secretAccessKey}\n`,
  );
  writeFileSync(
    bench.path(".aws/config"),
    `[profile lab]\nendpoint_url = ${bench.cluster.endpoint}\n`,
  );
  const profile = { ...keyless, AWS_ENDPOINT_URL: "", AWS_PROFILE: "lab", AWS_REGION: "" };
  const named = await bench.run(["ls", "codes"], profile);
  assert.equal(named.code, 0, named.stderr);
  assert.equal(await fails(2, "ls", "codes", "--unknown"), "usage");
  assert.equal(await fails(2, "ls", "./here"), "usage");
  assert.equal(await fails(3, "ls", "no-such-bucket"), "NoSuchBucket");
});

test("a long listing arrives in whole, however slowly it is read", async () => {
  await bench.ok("mb", "long");
  const numbers = Array.from({ length: 400 }, (_, at) => at);
  await mapBounded(numbers, 8, (at) => put("long", `${at}-${"k".repeat(900)}`, ""));
  const running = bench.start(["ls", "-r", "long", "--json"]);
  const { stdout } = running.child;
  // Takes one piece a turn, so that the pipe stays full.
  stdout?.on("data", () => {
    stdout.pause();
    setImmediate(() => stdout.resume());
  });
  const ended = await running.ended;
  assert.equal(jsonLines(ended.stdout.toString()).length, 400);
});
