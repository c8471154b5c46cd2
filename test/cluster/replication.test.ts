// Replication in a running cluster whose keeper and gateway are killed -9 again and again: every
// acknowledged version has its replica in the end, whole and in order, and says so.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectVersionsCommand,
  PutBucketReplicationCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import { eventually } from "../support/eventually.ts";
import { LocalCluster } from "../support/local-cluster.ts";
import { seededBytes, sha256Hex } from "../support/seeded-bytes.ts";

const TIMEOUT_MS = 180_000;
const KEYS = 3;
const SIZES = [0, 800, 50_000, 1_200_000];
const PAUSE_MS = 50;
let cluster: LocalCluster;

/** Acknowledged versions, in order. */
const written: { readonly Key: string; readonly VersionId: string; readonly hash: string }[] = [];

before(async () => {
  cluster = await LocalCluster.start({
    args: ["dev", "--gateways", "2", "--metadata", "1", "--storage", "3"],
    environment: {
      DOLIUM_KEEPER__LEASE_MS: "1000",
      DOLIUM_NOTIFY__POLL_MS: "100",
      DOLIUM_REPLICATION__BACKOFF_MS_MAX: "1000",
      // Failures are the test's doing: none of them is the version's.
      DOLIUM_REPLICATION__ATTEMPTS_MAX: "1000",
    },
  });
});

after(async () => {
  await cluster?.stop();
});

async function writeUntil(stop: Promise<void>): Promise<void> {
  const s3 = cluster.s3(1, 6);
  let isOver = false;
  const over = stop.finally(() => {
    isOver = true;
  });
  for (let number = 0; !isOver; number += 1) {
    const Key = `key-${number % KEYS}`;
    const Body = seededBytes(`${Key}/${number}`, SIZES[number % SIZES.length] ?? 0);
    const put = new PutObjectCommand({ Bucket: "source", Key, Body, Metadata: { n: `${number}` } });
    const { VersionId = "" } = await s3.send(put);
    written.push({ Key, VersionId, hash: sha256Hex(Body) });
    await setTimeout(PAUSE_MS);
  }
  await over;
}

async function kill(name: string): Promise<void> {
  const { pid } = cluster.process(name);
  await cluster.kill(name);
  await cluster.restarted(name, pid, TIMEOUT_MS);
}

/** Hashes of the versions of a key, oldest first. */
async function copiesOf(Key: string): Promise<string[]> {
  const s3 = cluster.s3(1, 6);
  const { Versions = [] } = await s3.send(
    new ListObjectVersionsCommand({ Bucket: "copies", Prefix: Key }),
  );
  const hashes: string[] = [];
  for (const { VersionId } of Versions.toReversed()) {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: "copies", Key, VersionId }));
    hashes.push(sha256Hex((await Body?.transformToByteArray()) ?? new Uint8Array(0)));
  }
  return hashes;
}

test("every acknowledged version has its replica, whatever happens to keeper and gateway", async () => {
  const s3 = cluster.s3(1, 6);
  for (const Bucket of ["source", "copies"]) {
    await s3.send(new CreateBucketCommand({ Bucket }));
    const VersioningConfiguration = { Status: "Enabled" } as const;
    await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }));
  }
  const rule = (bucket: string) => ({
    ID: "all",
    Priority: 1,
    Status: "Enabled" as const,
    Filter: { Prefix: "" },
    DeleteMarkerReplication: { Status: "Enabled" as const },
    Destination: { Bucket: `arn:aws:s3:::${bucket}` },
  });
  for (const [Bucket, other] of [
    ["source", "copies"],
    ["copies", "source"],
  ] as const) {
    const ReplicationConfiguration = { Role: "", Rules: [rule(other)] };
    await s3.send(new PutBucketReplicationCommand({ Bucket, ReplicationConfiguration }));
  }
  const kills = (async () => {
    // The keeper asks both gateways; the writers use the one that stays.
    for (const name of ["keeper", "gateway-1", "keeper", "keeper"]) await kill(name);
  })();
  await writeUntil(kills);
  await s3.send(new DeleteObjectCommand({ Bucket: "source", Key: "key-0" }));
  await eventually("every version says that it is replicated", TIMEOUT_MS, async () => {
    for (const { Key, VersionId } of written) {
      const head = new HeadObjectCommand({ Bucket: "source", Key, VersionId });
      const { ReplicationStatus } = await s3.send(head);
      if (`${ReplicationStatus}` !== "COMPLETED") throw new Error(`${Key}: ${ReplicationStatus}`);
    }
    return true;
  });
  await eventually("the delete marker has arrived", TIMEOUT_MS, async () => {
    const list = new ListObjectVersionsCommand({ Bucket: "copies", Prefix: "key-0" });
    const { DeleteMarkers = [] } = await s3.send(list);
    return DeleteMarkers.length > 0 && DeleteMarkers[0]?.IsLatest === true ? true : undefined;
  });
  assert.ok(written.length > KEYS);
  for (let number = 0; number < KEYS; number += 1) {
    const Key = `key-${number}`;
    const wanted = written.filter((one) => one.Key === Key).map(({ hash }) => hash);
    // A copy whose end was not noted before a kill is made again: only the first of each counts.
    assert.deepEqual([...new Set(await copiesOf(Key))], [...new Set(wanted)], Key);
  }
  const { Versions = [] } = await s3.send(new ListObjectVersionsCommand({ Bucket: "source" }));
  const known = new Set(written.map(({ VersionId }) => VersionId));
  const others = Versions.filter(({ VersionId = "" }) => !known.has(VersionId));
  // A put that was tried again by the client may have left one more; no replica came back.
  for (const { Key, VersionId } of others) {
    const head = await s3.send(new HeadObjectCommand({ Bucket: "source", Key, VersionId }));
    assert.notEqual(`${head.ReplicationStatus}`, "REPLICA", `${Key} went round in a circle`);
  }
});
