// Two buckets and more behind a real gateway, and the part of the keeper that replicates: what the
// tests of replication are made with.
import type { TestContext } from "node:test";
import {
  CreateBucketCommand,
  GetObjectCommand,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  ListObjectVersionsCommand,
  PutBucketReplicationCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  type ReplicationRule,
  S3Client,
  type S3ClientConfig,
} from "@aws-sdk/client-s3";
import type { S3Settings } from "../../../services/gateway/config.ts";
import type { KeeperDeps } from "../../../services/keeper/deps.ts";
import type { HttpExchanger } from "../../../services/lib/ports/http-exchange.ts";
import { eventually } from "../../support/eventually.ts";
import { CLUSTER_KEY, ROOT_USER, startGatewayOver } from "../gateway/memory-gateway.ts";
import { startOutbox } from "./outbox-rig.ts";
import { Rig } from "./rig.ts";

export const TIMEOUT_MS = 60_000;
export const HERE = "arn:aws:s3:::";
export const MIB = 1024 * 1024;

export interface Place {
  readonly rig: Rig;
  readonly s3: S3Client;
  readonly endpoint: string;
}

export async function place(t: TestContext, changes: Partial<S3Settings> = {}): Promise<Place> {
  const rig = await Rig.open(t);
  const options = { clusterKey: CLUSTER_KEY, replicationTargets: ["away"] };
  const gateway = await startGatewayOver(rig.metadata, changes, options);
  t.after(() => gateway.stop());
  const endpoint = `http://127.0.0.1:${gateway.running.port}`;
  const s3 = clientOf(endpoint);
  t.after(() => s3.destroy());
  return { rig, s3, endpoint };
}

export function clientOf(endpoint: string, more: S3ClientConfig = {}): S3Client {
  const { accessKeyId, secret: secretAccessKey } = ROOT_USER;
  const credentials = { accessKeyId, secretAccessKey };
  return new S3Client({
    endpoint,
    region: "us-east-1",
    credentials,
    forcePathStyle: true,
    ...more,
  });
}

/** The keeper's part; ends with the test, or by `stop`. */
export function startKeeper(
  t: TestContext,
  { rig, endpoint }: Place,
  more: Partial<KeeperDeps["replication"]> = {},
  exchanger: HttpExchanger = rig.deps.exchanger,
) {
  const { accessKeyId, secret: secretAccessKey } = ROOT_USER;
  const home = { endpoints: [endpoint], region: "us-east-1", accessKeyId, secretAccessKey };
  const away = { endpoint, region: "us-east-1", accessKeyId, secretAccessKey };
  const replication = { ...rig.deps.replication, ...home, targets: { away }, ...more };
  const deps = rig.with({ replication, exchanger });
  return startOutbox(t, rig, deps);
}

export async function makeBucket({ s3 }: Place, Bucket: string): Promise<void> {
  await s3.send(new CreateBucketCommand({ Bucket }));
  const VersioningConfiguration = { Status: "Enabled" } as const;
  await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }));
}

export const ruleTo = (bucket: string, more: Partial<ReplicationRule> = {}): ReplicationRule => ({
  ID: bucket,
  Priority: 1,
  Status: "Enabled",
  Filter: { Prefix: "" },
  DeleteMarkerReplication: { Status: "Disabled" },
  Destination: { Bucket: bucket.startsWith("arn:") ? bucket : `${HERE}${bucket}` },
  ...more,
});

export async function replicate(
  { s3 }: Place,
  Bucket: string,
  ...Rules: ReplicationRule[]
): Promise<void> {
  const ReplicationConfiguration = { Role: "arn:aws:iam:::role/any", Rules };
  await s3.send(new PutBucketReplicationCommand({ Bucket, ReplicationConfiguration }));
}

/** Two buckets with versions, the first replicated to the second. */
export async function pair(t: TestContext, more: Partial<ReplicationRule> = {}): Promise<Place> {
  const made = await place(t);
  for (const bucket of ["source", "copies"]) await makeBucket(made, bucket);
  await replicate(made, "source", ruleTo("copies", more));
  return made;
}

export async function put({ s3 }: Place, Key: string, more: Partial<PutObjectCommandInput> = {}) {
  const input = { Bucket: "source", Key, Body: `body of ${Key}`, ...more };
  return s3.send(new PutObjectCommand(input));
}

export async function head(
  { s3 }: Place,
  Bucket: string,
  Key: string,
): Promise<HeadObjectCommandOutput> {
  return s3.send(new HeadObjectCommand({ Bucket, Key, ChecksumMode: "ENABLED" }));
}

export async function statusOf(
  made: Place,
  Key: string,
  Bucket = "source",
): Promise<string | undefined> {
  return (await head(made, Bucket, Key)).ReplicationStatus;
}

export async function untilStatus(made: Place, Key: string, wanted: string): Promise<void> {
  await eventually(`${Key} is ${wanted}`, TIMEOUT_MS, async () => {
    const status = await statusOf(made, Key);
    if (status === wanted) return true;
    throw new Error(`it is ${status}`);
  });
}

export async function text(
  { s3 }: Place,
  Bucket: string,
  Key: string,
): Promise<string | undefined> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }));
  return Body?.transformToString();
}

export async function versionsOf({ s3 }: Place, Bucket: string) {
  const { Versions = [], DeleteMarkers = [] } = await s3.send(
    new ListObjectVersionsCommand({ Bucket }),
  );
  return { versions: Versions, markers: DeleteMarkers };
}

export async function waiting({ rig }: Place): Promise<number> {
  let count = 0;
  for (const groupId of rig.view.indexGroups()) {
    const kind = { case: "listOutbox", value: { afterSequence: 0n, limit: 1000 } } as const;
    count += (await rig.query(groupId, kind)).entries.length;
  }
  return count;
}

export async function untilQuiet(made: Place): Promise<void> {
  await eventually("the outboxes are empty", TIMEOUT_MS, async () =>
    (await waiting(made)) === 0 ? true : undefined,
  );
}
