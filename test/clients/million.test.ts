// A large bucket listed to its end by every client: all keys, in order, none twice. How many is in
// DOLIUM_TEST_KEYS; `make million` takes a million. Listings v1 (libcloud, boto 2, s3cmd, SDK 2 for
// JavaScript, SDK 1 for Java) and v2 (the others), with and without url encoding. Some clients
// alone: `--test-name-pattern`; on a busy machine: DOLIUM_TEST_RECORDED=1.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import {
  CreateBucketCommand,
  type ListObjectsV2CommandOutput,
  paginateListObjectsV2,
} from "@aws-sdk/client-s3";
import S3 from "aws-sdk/clients/s3.js";
import { Client as Minio } from "minio";
import { startServer, type TestServer } from "../support/test-server.ts";
import { awsSdk } from "./aws-sdk.ts";
import { findGoClients, GO_PROGRAM } from "./go-program.ts";
import { findJavaLibrary, type JavaLibrary, javaArguments } from "./java-library.ts";
import { checkListing, KeyCheck, type Listing, loadKeys, makeKeys } from "./key-list.ts";
import { startRecordedServer } from "./recorded-bucket.ts";
import { type Client, findClient, findPython } from "./row-test.ts";

const COUNT = Number(process.env.DOLIUM_TEST_KEYS ?? 2100);
/** The keys are recorded and not put (recorded-bucket.ts): a million of them in minutes. */
const IS_RECORDED = process.env.DOLIUM_TEST_RECORDED === "1";
const BUCKET = "million";
/** The slowest client lists some 1,000 keys a second on a busy machine. */
const TIMEOUT_MS = 240_000 + COUNT * 4;

const s3cmd = await findClient({ name: "s3cmd", program: "s3cmd", args: ["--version"] });
const rclone = await findClient({ name: "rclone", program: "rclone", args: ["version"] });
const cli = await findClient({ name: "AWS CLI", program: "aws", args: ["--version"] });
const boto3 = await findPython("boto3", "boto3", "boto3.__version__");
const boto2 = await findPython("boto 2", "boto", "boto.__version__");
const libcloud = await findPython("Apache libcloud", "libcloud", "libcloud.__version__");
const goSdk = (await findGoClients("aws-keys"))(
  "AWS SDK for Go 2",
  "github.com/aws/aws-sdk-go-v2/service/s3",
);
const goMinio = (await findGoClients("minio-keys"))("minio-go", "github.com/minio/minio-go/v7");

/** Java libraries, and the programs that print what each lists. */
const JAVA: readonly (readonly [JavaLibrary, string])[] = [
  [
    { name: "AWS SDK for Java 1", folder: "java", artifact: "aws-java-sdk-s3" },
    "FirstSdkKeys.java",
  ],
  [{ name: "AWS SDK for Java 2", folder: "java-2", artifact: "s3" }, "SecondSdkKeys.java"],
  [{ name: "Hadoop S3A", folder: "hadoop", artifact: "hadoop-aws" }, "HadoopKeys.java"],
];
// Before the first test: those that wait for one another would not all be known when it starts.
const java = await Promise.all(
  JAVA.map(async ([library, program]) => {
    const client = await findJavaLibrary(library);
    return { client, args: javaArguments(library, program) };
  }),
);

let server: TestServer;
let folder: string;
let keys: readonly string[] = [];

before(
  async () => {
    assert.ok(Number.isSafeInteger(COUNT) && COUNT > 0, "DOLIUM_TEST_KEYS");
    process.env.AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE = "1";
    folder = mkdtempSync(join(tmpdir(), "dolium-million-"));
    const recorded = IS_RECORDED ? await startRecordedServer() : undefined;
    server = recorded ?? (await startServer());
    await awsSdk(server).send(new CreateBucketCommand({ Bucket: BUCKET }));
    keys = makeKeys(COUNT);
    const seconds = await (recorded?.record(BUCKET, keys) ?? loadKeys(server, BUCKET, keys));
    said("loaded", seconds);
  },
  { timeout: TIMEOUT_MS },
);

after(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

function said(what: string, seconds: number): void {
  const rate = Math.round(COUNT / seconds);
  process.stderr.write(`${what}: ${COUNT} keys in ${seconds.toFixed(1)} s, ${rate} a second\n`);
}

function timed(name: string, skip: string | false, body: () => Promise<void>): void {
  test(`${name} lists ${COUNT} keys`, { skip, timeout: TIMEOUT_MS }, async () => {
    const startedAt = performance.now();
    await body();
    said(name, (performance.now() - startedAt) / 1000);
  });
}

function listingTest(client: Client, listing: () => Listing): void {
  timed(client.name, client.absent ?? false, () => checkListing(keys, listing()));
}

function environment(): Record<string, string> {
  const { hostname, port } = new URL(server.endpoint);
  return {
    HOST: hostname,
    PORT: port,
    ENDPOINT: server.endpoint,
    FOLDER: folder,
    BUCKET,
    AWS_ACCESS_KEY_ID: server.accessKeyId,
    AWS_SECRET_ACCESS_KEY: server.secretAccessKey,
    AWS_DEFAULT_REGION: server.region,
    PYTHONUTF8: "1",
    PYTHONIOENCODING: "utf-8",
    LC_ALL: "C.UTF-8",
  };
}

/** What follows the bucket in a line such as `2026-01-01 00:00 1 s3://bucket/key`. */
function afterBucket(line: string): string {
  const mark = `s3://${BUCKET}/`;
  return line.slice(line.indexOf(mark) + mark.length);
}

for (const [client, name] of [
  [boto3, "boto3"],
  [boto2, "boto2"],
  [libcloud, "libcloud"],
] as const) {
  listingTest(client, () => ({
    program: "python3",
    args: ["-W", "ignore", join(import.meta.dirname, "list_keys.py"), name],
    environment: environment(),
    keyOf: (line) => line,
  }));
}

for (const { client, args } of java) {
  listingTest(client, () => ({
    program: "java",
    args,
    environment: environment(),
    keyOf: (line) => line,
  }));
}

for (const [client, command] of [
  [goSdk, "aws-keys"],
  [goMinio, "minio-keys"],
] as const) {
  listingTest(client, () => ({
    program: GO_PROGRAM,
    args: [command],
    environment: environment(),
    keyOf: (line) => line,
  }));
}

listingTest(cli, () => ({
  program: "aws",
  args: ["--endpoint-url", server.endpoint, "s3", "ls", "--recursive", `s3://${BUCKET}`],
  environment: environment(),
  // Date, time and size, then one space.
  keyOf: (line) => /^\S+ +\S+ +\d+ (.*)$/.exec(line)?.[1] ?? line,
}));

listingTest(s3cmd, () => {
  const { host } = new URL(server.endpoint);
  const settings = {
    access_key: server.accessKeyId,
    secret_key: server.secretAccessKey,
    host_base: host,
    host_bucket: host,
    use_https: "False",
  };
  const path = join(folder, "s3cfg");
  const lines = Object.entries(settings).map(([key, value]) => `${key} = ${value}`);
  writeFileSync(path, `[default]\n${lines.join("\n")}\n`);
  return {
    program: "s3cmd",
    args: ["-c", path, "ls", "--recursive", `s3://${BUCKET}`],
    environment: environment(),
    keyOf: afterBucket,
  };
});

listingTest(rclone, () => ({
  program: "rclone",
  args: ["lsf", "--recursive", "--files-only", "--fast-list", `dolium:${BUCKET}`],
  environment: {
    ...environment(),
    AWS_CA_BUNDLE: "",
    RCLONE_CONFIG: join(folder, "no-config"),
    RCLONE_CONFIG_DOLIUM_TYPE: "s3",
    RCLONE_CONFIG_DOLIUM_PROVIDER: "Other",
    RCLONE_CONFIG_DOLIUM_ENDPOINT: server.endpoint,
    RCLONE_CONFIG_DOLIUM_REGION: server.region,
    RCLONE_CONFIG_DOLIUM_ACCESS_KEY_ID: server.accessKeyId,
    RCLONE_CONFIG_DOLIUM_SECRET_ACCESS_KEY: server.secretAccessKey,
  },
  keyOf: (line) => line,
  isUnordered: true,
}));

timed("AWS SDK for JavaScript 3", false, async () => {
  const check = new KeyCheck(keys);
  for await (const page of pages({})) {
    for (const { Key = "" } of page.Contents ?? []) check.take(Key);
  }
  check.end();
});

timed("AWS SDK for JavaScript 3, folder by folder,", false, async () => {
  const folders = new Set(keys.map((key) => key.slice(0, key.indexOf("/") + 1)));
  const check = new KeyCheck([...folders]);
  for await (const page of pages({ Delimiter: "/" })) {
    for (const { Prefix = "" } of page.CommonPrefixes ?? []) check.take(Prefix);
  }
  check.end();
});

timed("AWS SDK for JavaScript 3, from the middle on,", false, async () => {
  const middle = Math.floor(keys.length / 2);
  const check = new KeyCheck(keys.slice(middle + 1));
  for await (const page of pages({ StartAfter: keys[middle] ?? "" })) {
    for (const { Key = "" } of page.Contents ?? []) check.take(Key);
  }
  check.end();
});

function pages(more: Readonly<Record<string, string>>): AsyncIterable<ListObjectsV2CommandOutput> {
  return paginateListObjectsV2({ client: awsSdk(server) }, { Bucket: BUCKET, ...more });
}

timed("AWS SDK for JavaScript 2", false, async () => {
  const { endpoint, accessKeyId, secretAccessKey, region } = server;
  const credentials = { accessKeyId, secretAccessKey };
  const s3 = new S3({ endpoint, region, s3ForcePathStyle: true, ...credentials });
  const check = new KeyCheck(keys);
  for (let Marker: string | undefined = ""; Marker !== undefined; ) {
    const page: S3.ListObjectsOutput = await s3.listObjects({ Bucket: BUCKET, Marker }).promise();
    for (const { Key = "" } of page.Contents ?? []) check.take(Key);
    Marker = page.IsTruncated === true ? page.Contents?.at(-1)?.Key : undefined;
  }
  check.end();
});

timed("minio-js", false, async () => {
  const { hostname, port } = new URL(server.endpoint);
  const client = new Minio({
    endPoint: hostname,
    port: Number(port),
    useSSL: false,
    accessKey: server.accessKeyId,
    secretKey: server.secretAccessKey,
  });
  const check = new KeyCheck(keys);
  for await (const one of client.listObjectsV2(BUCKET, "", true)) check.take(one.name ?? "");
  check.end();
});
