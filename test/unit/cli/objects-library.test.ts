// Parts of the object verbs against a gateway, called directly where a command would take too much
// data or too long: copies in parts, keys of the caller's own, proofs of every kind, order of local
// files.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { GetObjectTaggingCommand, ListMultipartUploadsCommand } from "@aws-sdk/client-s3";
import fc from "fast-check";
import {
  type Connection,
  openConnection,
  planConnection,
} from "../../../services/cli/objects/connection.ts";
import { copyWithin } from "../../../services/cli/objects/copy-within.ts";
import { downloadFile } from "../../../services/cli/objects/download.ts";
import { compareKeys, listBelow, listVersions } from "../../../services/cli/objects/listing.ts";
import { walkFolder } from "../../../services/cli/objects/local-tree.ts";
import type { RemoteLocation } from "../../../services/cli/objects/location.ts";
import type { ObjectContext } from "../../../services/cli/objects/object-context.ts";
import { COPY_LIMITS } from "../../../services/cli/objects/part-plan.ts";
import { silentProgress } from "../../../services/cli/objects/progress.ts";
import { type StoreOptions, storeSettings } from "../../../services/cli/objects/store-settings.ts";
import { uploadFile } from "../../../services/cli/objects/upload.ts";
import { loadChecksums } from "../../../services/lib/s3/checksums.ts";
import { startCluster, type TestCluster } from "../../s3/harness.ts";
import { seededBytes } from "../../support/seeded-bytes.ts";
import { type TemporaryFolder, temporaryFolder } from "../../support/temporary-folder.ts";
import { type Relay, Relay as RelayServer } from "./objects-relay.ts";

const MIB = 1024 * 1024;

let cluster: TestCluster;
let folder: TemporaryFolder;
let relay: Relay;
let connection: Connection;
let context: ObjectContext;

before(async () => {
  cluster = await startCluster();
  folder = temporaryFolder("dolium-library-");
  relay = await RelayServer.start(cluster.endpoint);
  const environment = { AWS_ACCESS_KEY_ID: "x", AWS_CONFIG_FILE: "/dev/null" };
  const plan = planConnection({ endpoint: relay.endpoint, region: cluster.region }, environment);
  const { accessKeyId, secretAccessKey } = cluster;
  const keys = { accessKeyId, secretAccessKey };
  connection = await openConnection({ ...plan, keys }, environment);
  context = {
    s3: connection.s3,
    connection,
    checksums: await loadChecksums(),
    stateDir: join(folder.path, "state"),
    signal: new AbortController().signal,
    progress: silentProgress(() => undefined),
    jobs: 4,
    partJobs: 4,
    partBytes: 5 * MIB,
    copyLimits: COPY_LIMITS,
    customerKey: undefined,
  };
});

after(async () => {
  connection.s3.destroy();
  await relay.stop();
  await cluster.stop();
  folder.remove();
});

async function bucketOf(name: string): Promise<(key: string) => RemoteLocation> {
  const { CreateBucketCommand } = await import("@aws-sdk/client-s3");
  await connection.s3.send(new CreateBucketCommand({ Bucket: name }));
  return (key) => ({ kind: "remote", bucket: name, key });
}

async function upload(
  target: RemoteLocation,
  body: Uint8Array,
  options: StoreOptions = {},
): Promise<Awaited<ReturnType<typeof uploadFile>>> {
  const path = join(folder.path, "body");
  writeFileSync(path, body);
  return uploadFile(context, { path, target, settings: storeSettings(options) });
}

test("a copy above the limit goes in parts, with metadata and tags, and is the same", async () => {
  const at = await bucketOf("copy-parts");
  const body = seededBytes("copied in parts", 17 * MIB + 3);
  await upload(at("a b"), body, {
    tags: ["x=y"],
    metadata: ["colour=blue"],
    "content-type": "a/b",
  });
  const small = { ...context, copyLimits: { wholeBytesMax: MIB, partBytes: 5 * MIB } };
  const settings = storeSettings({});
  relay.asked.length = 0;
  await copyWithin(small, { source: at("a b"), target: at("copy"), settings });
  assert.equal(relay.count(/^PUT .*partNumber=/), 4);
  const path = join(folder.path, "copied");
  await downloadFile(context, { source: at("copy"), path, durable: true });
  assert.ok(readFileSync(path).equals(body));
  const tags = await connection.s3.send(
    new GetObjectTaggingCommand({ Bucket: "copy-parts", Key: "copy" }),
  );
  assert.deepEqual(tags.TagSet, [{ Key: "x", Value: "y" }]);
  const own = { ...settings, fields: { ...settings.fields, StorageClass: undefined } };
  const absent = copyWithin(small, { source: at("none"), target: at("c"), settings: own });
  await assert.rejects(absent, /not found/);
});

test("a copy in parts that fails leaves no upload open", async () => {
  const at = await bucketOf("copy-fails");
  await upload(at("a"), seededBytes("fails", 11 * MIB));
  const small = { ...context, copyLimits: { wholeBytesMax: MIB, partBytes: 5 * MIB } };
  relay.judge = (asked) => (/^PUT .*partNumber=2/.test(asked) ? "refuse" : "pass");
  const settings = storeSettings({});
  try {
    await assert.rejects(copyWithin(small, { source: at("a"), target: at("b"), settings }));
  } finally {
    relay.judge = () => "pass";
  }
  const open = await connection.s3.send(new ListMultipartUploadsCommand({ Bucket: "copy-fails" }));
  assert.deepEqual(open.Uploads ?? [], []);
});

test("what is proved, and by what, for every way an object was stored", async () => {
  const at = await bucketOf("proofs");
  const body = seededBytes("proofs", 12 * MIB);
  const cases: readonly (readonly [string, string, number])[] = [
    ["CRC64NVME", "CRC64NVME", 12 * MIB],
    ["CRC32", "CRC32", 12 * MIB],
    ["SHA1", "SHA1", 12 * MIB],
    ["none", "MD5 of parts", 12 * MIB],
    ["SHA256", "SHA256", MIB],
  ];
  const path = join(folder.path, "proved");
  for (const [algorithm, proof, bytes] of cases) {
    await upload(at(algorithm), body.subarray(0, bytes), { algorithm });
    const fetched = await downloadFile(context, { source: at(algorithm), path, durable: false });
    assert.equal(fetched.proof, proof);
    assert.ok(readFileSync(path).equals(body.subarray(0, bytes)));
  }
  relay.judge = (asked) => (asked.startsWith("GET /proofs/SHA1") ? "spoil" : "pass");
  const spoilt = join(folder.path, "spoilt");
  try {
    const fetched = downloadFile(context, { source: at("SHA1"), path: spoilt, durable: false });
    await assert.rejects(fetched, /SHA1 differs/);
  } finally {
    relay.judge = () => "pass";
  }
  assert.throws(() => readFileSync(spoilt), /ENOENT/);
});

test("keys with odd characters are listed as they are, in order", async () => {
  const at = await bucketOf("odd-keys");
  const odd = [
    "a\u0001b",
    "a+b",
    "a b",
    "a%20b",
    "a&<>b",
    "\u00e4",
    "a\u0308",
    "😀",
    "\u{10ffff}",
    "z\uffff",
  ];
  const keys = [...odd, "a/b", "a", "a//", "/"];
  for (const key of keys) await upload(at(key), Buffer.from(key));
  const listed: string[] = [];
  for await (const { key } of listBelow(context, at(""))) listed.push(key);
  assert.deepEqual(listed, keys.toSorted(compareKeys));
  const versions: string[] = [];
  for await (const { key } of listVersions(context, at(""))) versions.push(key);
  assert.deepEqual(versions, listed);
  const below: string[] = [];
  for await (const { key } of listBelow(context, at("a"))) below.push(key);
  assert.deepEqual(below, ["a", "a//", "a/b"]);
});

test("local files come in the order of keys", async () => {
  const name = fc.string({
    unit: fc.constantFrom("a", "-", ".", "!", "b", "é", "😀"),
    minLength: 1,
    maxLength: 3,
  });
  const usable = name.filter((text) => text !== "." && text !== "..");
  let round = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(usable, { minLength: 1, maxLength: 3 })), async (paths) => {
      round += 1;
      const root = join(folder.path, `walk-${round}`);
      mkdirSync(root);
      for (const path of paths) {
        // The suffix keeps a file from standing where another path has a folder.
        const file = join(root, ...path.slice(0, -1).map((part) => `${part}d`), `${path.at(-1)}f`);
        mkdirSync(dirname(file), { recursive: true });
        writeFileSync(file, "");
      }
      const names: string[] = [];
      const options = { follow: false, leaveOut: () => false };
      for await (const found of walkFolder(root, options)) {
        assert.equal(found.kind, "file");
        if (found.kind === "file") names.push(found.name);
      }
      assert.deepEqual(names, names.toSorted(compareKeys));
      assert.equal(new Set(names).size, names.length);
    }),
    { numRuns: 30 },
  );
});
