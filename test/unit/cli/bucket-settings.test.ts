// The settings of buckets by the command, through S3 and in a process of its own: set, shown in a
// form that can be fed back, taken away; files with names that S3 does not know are refused before
// anything is sent.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { CommandBench, jsonLines } from "./objects-command.ts";

let bench: CommandBench;

before(async () => {
  bench = await CommandBench.start();
});

after(() => bench?.stop());

async function fails(code: number, ...args: readonly string[]): Promise<string> {
  const ended = await bench.run([...args, "--json"]);
  assert.equal(ended.code, code, `${args.join(" ")}: ${ended.stdout.toString()}${ended.stderr}`);
  const [error = {}] = jsonLines(ended.stdout.toString()).filter(({ event }) => event === "error");
  return `${String(error.code)} ${String(error.message)}`;
}

test("versioning is shown, turned on and off", async () => {
  await bench.ok("bucket", "create", "versioned");
  const state = async (): Promise<unknown> =>
    (await bench.lines("bucket", "versioning", "versioned"))[0]?.versioning;
  assert.equal(await state(), "never");
  await bench.ok("bucket", "versioning", "versioned", "on");
  assert.equal(await state(), "Enabled");
  await bench.ok("bucket", "versioning", "s3://versioned", "off");
  assert.equal(await state(), "Suspended");
  await fails(2, "bucket", "versioning", "versioned", "perhaps");
  await fails(2, "bucket", "versioning");
  assert.match(await fails(3, "bucket", "versioning", "not-there"), /^NoSuchBucket /);
});

test("lifecycle rules from options and from files, which can be fed back", async () => {
  await bench.ok("mb", "aging");
  assert.match(await fails(3, "bucket", "lifecycle", "aging"), /^NoSuchLifecycleConfiguration /);
  await bench.ok("bucket", "lifecycle", "aging", "--expire-days", "30", "--prefix", "tmp/");
  await bench.ok("bucket", "lifecycle", "aging", "--abort-uploads-days", "7", "--id", "uploads");
  const shown = await bench.ok("bucket", "lifecycle", "aging", "--json");
  const [first, second] = JSON.parse(shown).Rules;
  assert.deepEqual([first.ID, first.Expiration.Days, first.Filter.Prefix], ["dolium", 30, "tmp/"]);
  assert.equal(second.AbortIncompleteMultipartUpload.DaysAfterInitiation, 7);
  await bench.ok("bucket", "lifecycle", "aging", "--remove", "--id", "uploads");
  assert.equal(
    JSON.parse(await bench.ok("bucket", "lifecycle", "aging", "--json")).Rules.length,
    1,
  );
  const again = ["bucket", "lifecycle", "aging", "--remove", "--id", "uploads"];
  assert.match(await fails(3, ...again), /no rule/);
  writeFileSync(bench.path("rules.json"), shown);
  await bench.ok("bucket", "lifecycle", "aging", "--file", "rules.json");
  assert.deepEqual(JSON.parse(await bench.ok("bucket", "lifecycle", "aging", "--json")), {
    ...JSON.parse(shown),
  });
  await bench.ok("bucket", "lifecycle", "aging", "--remove");
  assert.match(await fails(3, "bucket", "lifecycle", "aging"), /^NoSuchLifecycleConfiguration /);
  writeFileSync(bench.path("rules.json"), "{");
  assert.match(await fails(2, "bucket", "lifecycle", "aging", "--file", "rules.json"), /no JSON/);
});

test("a bucket is opened for reading and closed, other statements stay", async () => {
  await bench.ok("mb", "opened");
  const policy = async (): Promise<{ Statement: { Sid?: string; Resource: string }[] }> =>
    JSON.parse(await bench.ok("bucket", "policy", "opened", "--json"));
  assert.match(await fails(3, "bucket", "policy", "opened"), /^NoSuchBucketPolicy /);
  const own = {
    Version: "2012-10-17",
    Statement: [
      {
        Sid: "Mine",
        Effect: "Deny",
        Principal: "*",
        Action: "s3:DeleteObject",
        Resource: "arn:aws:s3:::opened/kept/*",
      },
    ],
  };
  await bench.run(
    ["bucket", "policy", "opened", "--file", "-"],
    {},
    Buffer.from(JSON.stringify(own)),
  );
  assert.deepEqual(await policy(), own);
  const open = ["bucket", "policy", "opened", "--public-read"];
  assert.match(await fails(4, ...open), /public access block/);
  await bench.ok(...open, "--prefix", "www/", "--unblock");
  const { Statement } = await policy();
  assert.deepEqual(
    Statement.map(({ Sid, Resource }) => `${Sid} ${Resource}`),
    ["Mine arn:aws:s3:::opened/kept/*", "DoliumPublicRead arn:aws:s3:::opened/www/*"],
  );
  await bench.ok("bucket", "policy", "opened", "--private");
  assert.deepEqual(await policy(), own);
  await bench.ok("bucket", "policy", "opened", "--remove");
  await bench.ok(...open, "--unblock");
  await bench.ok("bucket", "policy", "opened", "--private");
  assert.match(await fails(3, "bucket", "policy", "opened"), /^NoSuchBucketPolicy /);
  writeFileSync(bench.path("bad.json"), '{"Statement":[]}');
  assert.match(await fails(1, "bucket", "policy", "opened", "--file", "bad.json"), /^Malformed/);
  await fails(2, ...open, "--remove");
});

test("a bucket becomes a web site, sends elsewhere, and is none again", async () => {
  await bench.ok("mb", "site");
  assert.match(await fails(3, "bucket", "website", "site"), /^NoSuchWebsiteConfiguration /);
  const pages = ["--index", "index.html", "--error", "404.html"];
  await bench.ok("bucket", "website", "site", ...pages);
  const shown = await bench.ok("bucket", "website", "site", "--json");
  assert.deepEqual(JSON.parse(shown), {
    IndexDocument: { Suffix: "index.html" },
    ErrorDocument: { Key: "404.html" },
  });
  await bench.ok("bucket", "website", "site", "--redirect-to", "https://www.example.org");
  const elsewhere = JSON.parse(await bench.ok("bucket", "website", "site", "--json"));
  assert.deepEqual(elsewhere.RedirectAllRequestsTo, {
    HostName: "www.example.org",
    Protocol: "https",
  });
  writeFileSync(bench.path("site.json"), shown);
  await bench.ok("bucket", "website", "site", "--file", "site.json");
  assert.equal(await bench.ok("bucket", "website", "site", "--json"), shown);
  await bench.ok("bucket", "website", "site", "--remove");
  await fails(3, "bucket", "website", "site");
  await fails(2, "bucket", "website", "site", "--error", "404.html");
});

test("check says what is off, and by its exit code that something is", async () => {
  await bench.ok("mb", "checked");
  const found = async (): Promise<{ code: number | null; off: string[]; all: unknown[] }> => {
    const { code, stdout } = await bench.run(["bucket", "check", "checked", "--json"]);
    const { findings } = JSON.parse(stdout.toString());
    const off = findings.flatMap((one: { verdict: string; check: string }) =>
      one.verdict === "off" || one.verdict === "unknown" ? [one.check] : [],
    );
    return { code, off, all: findings };
  };
  const first = await found();
  assert.deepEqual([first.code, first.off], [1, ["encryption"]], JSON.stringify(first.all));
  await bench.ok("bucket", "policy", "checked", "--public-read", "--unblock");
  await bench.ok("bucket", "lifecycle", "checked", "--noncurrent-days", "3");
  await bench.ok("bucket", "website", "checked", "--index", "index.html");
  const second = await found();
  assert.equal(second.code, 1);
  assert.deepEqual(second.off, ["public policy", "lifecycle", "encryption", "website"]);
  const words = (await bench.run(["bucket", "check", "checked"])).stdout.toString();
  assert.match(words, /off +lifecycle +rule dolium is about old versions/);
  assert.match(await fails(3, "bucket", "check", "not-there"), /not-there/);
});
