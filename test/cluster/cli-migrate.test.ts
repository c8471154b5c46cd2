// `dolium migrate` between two stores: objects with versions in their order, headers, metadata,
// tags, locks and settings arrive; a run that was killed goes on; a second run copies nothing; what
// is other at the target is left alone unless it may be replaced.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetBucketCorsCommand,
  GetBucketLifecycleConfigurationCommand,
  GetBucketPolicyCommand,
  GetBucketTaggingCommand,
  GetBucketVersioningCommand,
  GetObjectCommand,
  GetObjectLockConfigurationCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutBucketCorsCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketPolicyCommand,
  PutBucketTaggingCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  type S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { type Running, startDolium } from "../support/dolium-command.ts";
import { eventually } from "../support/eventually.ts";
import { LocalCluster } from "../support/local-cluster.ts";
import { seededBytes } from "../support/seeded-bytes.ts";
import { type TemporaryFolder, temporaryFolder } from "../support/temporary-folder.ts";

const PATIENCE_MS = 60_000;
const MIB = 1024 * 1024;

let folder: TemporaryFolder;
let source: LocalCluster;
let target: LocalCluster;
let from: S3Client;
let to: S3Client;

before(async () => {
  folder = temporaryFolder("dolium-cli-migrate-");
  const start = (name: string): Promise<LocalCluster> => {
    const dataDir = join(folder.path, name);
    return LocalCluster.start({ args: ["server", dataDir], dataDir });
  };
  source = await start("source");
  target = await start("target");
  from = source.s3();
  to = target.s3();
});

after(async () => {
  from?.destroy();
  to?.destroy();
  await source?.stop();
  await target?.stop();
  folder?.remove();
});

function start(args: readonly string[], dataDir = target.dataDir): Running {
  const { accessKeyId, secretAccessKey, endpoints } = source.ready;
  const command = ["migrate", "from-s3", "--from", endpoints[0] ?? "", "--json"];
  const environment = {
    DOLIUM_DATA: dataDir,
    SOURCE_ACCESS_KEY_ID: accessKeyId,
    SOURCE_SECRET_ACCESS_KEY: secretAccessKey,
  };
  return startDolium([...command, ...args], { folder: folder.path, environment });
}

type Line = Readonly<Record<string, unknown>>;

/** The JSON lines of a run that must end with `code`. */
async function migrate(code: number, ...args: readonly string[]): Promise<readonly Line[]> {
  const ended = await start(args).ended;
  assert.equal(ended.code, code, `${args.join(" ")}: ${ended.stdout}${ended.stderr}`);
  return ended.stdout
    .split("\n")
    .flatMap((line): Line[] => (line === "" ? [] : [JSON.parse(line)]));
}

function about(lines: readonly Line[], bucket: string): Line {
  const found = lines.find((line) => line.event === "migrated" && line.bucket === bucket);
  assert.ok(found !== undefined, JSON.stringify(lines));
  return found;
}

async function put(
  Bucket: string,
  Key: string,
  more: Partial<PutObjectCommandInput> = {},
): Promise<void> {
  await from.send(new PutObjectCommand({ Bucket, Key, Body: `${Key} body`, ...more }));
}

/** Kind, size and tag of every version, newest first. */
async function history(s3: S3Client, Bucket: string, Prefix: string): Promise<string[]> {
  const answer = await s3.send(new ListObjectVersionsCommand({ Bucket, Prefix }));
  const versions = (answer.Versions ?? []).map((one) => ({
    time: one.LastModified?.getTime() ?? 0,
    text: `${one.Key} ${one.Size} ${one.ETag}${one.IsLatest === true ? " latest" : ""}`,
  }));
  const markers = (answer.DeleteMarkers ?? []).map((one) => ({
    time: one.LastModified?.getTime() ?? 0,
    text: `${one.Key} deleted${one.IsLatest === true ? " latest" : ""}`,
  }));
  return [...versions, ...markers].sort((a, b) => b.time - a.time).map(({ text }) => text);
}

const RULES = [
  { ID: "old", Status: "Enabled", Filter: { Prefix: "tmp/" }, Expiration: { Days: 30 } },
] as const;
const CORS = [{ AllowedMethods: ["GET"], AllowedOrigins: ["https://example.org"] }];
const POLICY = JSON.stringify({
  Version: "2012-10-17",
  Statement: [
    {
      Effect: "Deny",
      Principal: "*",
      Action: "s3:DeleteObject",
      Resource: "arn:aws:s3:::kept/never/*",
    },
  ],
});

async function makePlain(): Promise<void> {
  const Bucket = "plain";
  await from.send(new CreateBucketCommand({ Bucket }));
  await put(Bucket, "a b+ü/ö&.txt", {
    ContentType: "text/x-mine",
    CacheControl: "max-age=7",
    ContentDisposition: "attachment",
    ContentLanguage: "de",
    ContentEncoding: "x-none",
    Expires: new Date("2031-02-03T04:05:06Z"),
    Metadata: { colour: "blue", mtime: "12.5" },
    Tagging: "one=1&two=a%20b",
    ChecksumAlgorithm: "SHA256",
  });
  await put(Bucket, "empty", { Body: "" });
  const Key = "in-parts";
  const { UploadId } = await from.send(new CreateMultipartUploadCommand({ Bucket, Key }));
  const Parts: { PartNumber: number; ETag: string | undefined }[] = [];
  for (const [at, bytes] of [5 * MIB, 5 * MIB, 1000].entries()) {
    const PartNumber = at + 1;
    const Body = seededBytes(`migrate ${at}`, bytes);
    const part = { Bucket, Key, UploadId, PartNumber, Body };
    const { ETag } = await from.send(new UploadPartCommand(part));
    Parts.push({ PartNumber, ETag });
  }
  const MultipartUpload = { Parts };
  await from.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload }));
}

async function makeKept(): Promise<void> {
  const Bucket = "kept";
  await from.send(new CreateBucketCommand({ Bucket }));
  const VersioningConfiguration = { Status: "Enabled" } as const;
  await from.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }));
  await put(Bucket, "changed", { Body: "first" });
  await put(Bucket, "changed", { Body: "second one" });
  await from.send(new DeleteObjectCommand({ Bucket, Key: "changed" }));
  await put(Bucket, "changed", { Body: "third, after its deletion" });
  await put(Bucket, "gone");
  await from.send(new DeleteObjectCommand({ Bucket, Key: "gone" }));
  const LifecycleConfiguration = { Rules: RULES.map((rule) => ({ ...rule })) };
  await from.send(new PutBucketLifecycleConfigurationCommand({ Bucket, LifecycleConfiguration }));
  await from.send(new PutBucketCorsCommand({ Bucket, CORSConfiguration: { CORSRules: CORS } }));
  const Tagging = { TagSet: [{ Key: "team", Value: "blue" }] };
  await from.send(new PutBucketTaggingCommand({ Bucket, Tagging }));
  await from.send(new PutBucketPolicyCommand({ Bucket, Policy: POLICY }));
}

const LOCKED_UNTIL = new Date(Date.now() + 3_600_000);

async function makeLocked(): Promise<void> {
  const Bucket = "locked";
  await from.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: true }));
  await put(Bucket, "held", {
    ObjectLockMode: "GOVERNANCE",
    ObjectLockRetainUntilDate: LOCKED_UNTIL,
    ObjectLockLegalHoldStatus: "ON",
  });
}

test("a dry run tells what it would carry and makes nothing", async () => {
  await makePlain();
  await makeKept();
  await makeLocked();
  const lines = await migrate(0, "--dry-run");
  const plain = lines.find(({ bucket }) => bucket === "plain");
  assert.deepEqual([plain?.event, plain?.versions], ["would-migrate", 3]);
  assert.deepEqual((await to.send(new ListBucketsCommand({}))).Buckets ?? [], []);
});

test("objects, versions, headers, tags, locks and settings arrive, compared byte by byte", async () => {
  const lines = await migrate(0, "--verify", "all");
  const { versions, deleteMarkers, verified, verifiedByBytes, failed } = about(lines, "kept");
  assert.deepEqual([versions, deleteMarkers, failed], [4, 2, 0]);
  assert.deepEqual([verified, verifiedByBytes], [6, 4]);
  for (const key of ["changed", "gone"]) {
    const there = await history(to, "kept", key);
    assert.deepEqual(there, await history(from, "kept", key));
  }
  const [first, second] = await Promise.all(
    [from, to].map(async (s3) => s3.send(new ListObjectsV2Command({ Bucket: "plain" }))),
  );
  const shown = (answer: typeof first): unknown =>
    answer?.Contents?.map(({ Key, Size, ETag }) => [Key, Size, ETag]);
  assert.deepEqual(shown(second), shown(first), "the parts are the same, and so are the tags");
  const Key = "a b+ü/ö&.txt";
  const head = await to.send(new HeadObjectCommand({ Bucket: "plain", Key }));
  assert.deepEqual(
    [head.ContentType, head.CacheControl, head.ContentDisposition, head.ContentLanguage],
    ["text/x-mine", "max-age=7", "attachment", "de"],
  );
  assert.deepEqual(head.Metadata, { colour: "blue", mtime: "12.5" });
  assert.equal(head.ExpiresString, "Mon, 03 Feb 2031 04:05:06 GMT");
  assert.equal(head.ContentEncoding, "x-none");
  const { TagSet } = await to.send(new GetObjectTaggingCommand({ Bucket: "plain", Key }));
  assert.deepEqual(TagSet, [
    { Key: "one", Value: "1" },
    { Key: "two", Value: "a b" },
  ]);
});

test("settings of buckets arrive, and what cannot be carried is told", async () => {
  const Bucket = "kept";
  assert.equal((await to.send(new GetBucketVersioningCommand({ Bucket }))).Status, "Enabled");
  const { Rules } = await to.send(new GetBucketLifecycleConfigurationCommand({ Bucket }));
  assert.deepEqual(Rules, RULES);
  const { CORSRules } = await to.send(new GetBucketCorsCommand({ Bucket }));
  assert.deepEqual(CORSRules, CORS);
  const { TagSet } = await to.send(new GetBucketTaggingCommand({ Bucket }));
  assert.deepEqual(TagSet, [{ Key: "team", Value: "blue" }]);
  const { Policy = "" } = await to.send(new GetBucketPolicyCommand({ Bucket }));
  assert.deepEqual(JSON.parse(Policy), JSON.parse(POLICY));
  const locked = { Bucket: "locked" };
  const lock = await to.send(new GetObjectLockConfigurationCommand(locked));
  assert.equal(lock.ObjectLockConfiguration?.ObjectLockEnabled, "Enabled");
  const head = await to.send(new HeadObjectCommand({ ...locked, Key: "held" }));
  assert.deepEqual([head.ObjectLockMode, head.ObjectLockLegalHoldStatus], ["GOVERNANCE", "ON"]);
  assert.equal(head.ObjectLockRetainUntilDate?.getTime(), LOCKED_UNTIL.getTime());
});

test("a second run copies nothing but what came since; what is other is left alone", async () => {
  await put("kept", "changed", { Body: "fourth" });
  await to.send(new PutObjectCommand({ Bucket: "plain", Key: "empty", Body: "mine now" }));
  const lines = await migrate(1, "--verify", "none");
  const kept = about(lines, "kept");
  assert.deepEqual([kept.versions, kept.already], [1, 6]);
  const plain = about(lines, "plain");
  assert.deepEqual([plain.versions, plain.already, plain.failed], [0, 2, 1]);
  assert.match(JSON.stringify(lines), /empty: the target has something else under this key/);
  const notCarried = lines.filter(({ event }) => event === "not-carried");
  assert.ok(notCarried.some(({ what }) => what === "ids of versions"));
  assert.ok(
    notCarried.some(({ bucket, what }) => bucket === "plain" && /^settings/.test(String(what))),
  );
  const mine = await to.send(new GetObjectCommand({ Bucket: "plain", Key: "empty" }));
  assert.equal(await mine.Body?.transformToString(), "mine now");
  const again = await migrate(0, "s3://plain", "--overwrite");
  assert.equal(about(again, "plain").versions, 1);
  const theirs = await to.send(new GetObjectCommand({ Bucket: "plain", Key: "empty" }));
  assert.equal(await theirs.Body?.transformToString(), "");
});

test("a run that is killed is gone on with, and no version comes twice", async () => {
  const Bucket = "many";
  await from.send(new CreateBucketCommand({ Bucket }));
  const VersioningConfiguration = { Status: "Enabled" } as const;
  await from.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }));
  const keys = Array.from({ length: 24 }, (_, at) => `key ${String(at).padStart(3, "0")}`);
  for (const Body of ["once", "and again"]) {
    await Promise.all(keys.map((key) => put(Bucket, key, { Body: `${key} ${Body}` })));
  }
  const first = start(["s3://many", "--jobs", "2"]);
  const countThere = async (): Promise<number> => {
    const { Versions = [] } = await to.send(new ListObjectVersionsCommand({ Bucket }));
    return Versions.length;
  };
  await eventually("some versions are there, or all", PATIENCE_MS, async () => {
    if (first.child.exitCode !== null) return true;
    const { Buckets = [] } = await to.send(new ListBucketsCommand({}));
    const isMade = Buckets.some(({ Name }) => Name === Bucket);
    return isMade && (await countThere()) >= 6 ? true : undefined;
  });
  first.child.kill("SIGKILL");
  await first.ended;
  const done = about(await migrate(0, "s3://many", "--verify", "all"), "many");
  assert.equal(Number(done.versions) + Number(done.already), 48);
  assert.equal(await countThere(), 48);
  assert.deepEqual([done.verified, done.failed], [48, 0]);
  assert.deepEqual(await history(to, Bucket, "key 007"), await history(from, Bucket, "key 007"));
});

test("calls that make no sense are refused", async () => {
  await migrate(2, "--verify", "perhaps");
  const same = await start([], source.dataDir).ended;
  assert.equal(same.code, 2);
  assert.match(same.stdout, /the same store/);
  const missing = await migrate(1, "s3://not-there");
  assert.match(JSON.stringify(missing), /NoSuchBucket/);
});
