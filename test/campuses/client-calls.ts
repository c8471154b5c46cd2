// What clients do over the campuses: programs as people run them, and requests that go from one
// gateway to the next in the middle of something.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { CAMPUSES, type Campus } from "../chaos/campuses.ts";
import { ACCESS_KEY, SECRET_KEY } from "../chaos/chaos-cluster.ts";
import { AdminCaller, textOf } from "../s3/admin-caller.ts";
import { runCommand } from "../support/run-command.ts";
import { seededBytes } from "../support/seeded-bytes.ts";
import { campusHost } from "./campus-names.ts";

export const PORT = 9000;
/** More attempts than by default, for machines on which an election takes long. */
const KEYS = {
  AWS_ACCESS_KEY_ID: ACCESS_KEY,
  AWS_SECRET_ACCESS_KEY: SECRET_KEY,
  AWS_RETRY_MODE: "standard",
  AWS_MAX_ATTEMPTS: "10",
};
const PART_BYTES = 5 * 1024 * 1024;

export function urlOf(host: string): string {
  return `http://${host}:${PORT}`;
}

export function sdkOf(campus: Campus): S3Client {
  return new S3Client({
    endpoint: urlOf(campusHost(campus)),
    region: "us-east-1",
    forcePathStyle: true,
    credentials: { accessKeyId: ACCESS_KEY, secretAccessKey: SECRET_KEY },
    maxAttempts: 20,
  });
}

export interface Trip {
  /** Where files may be written. */
  readonly folder: string;
  readonly host: string;
  readonly bucket: string;
  readonly key: string;
}

/** Host ids of the gateways that boto3 met. */
export async function byBoto3(trip: Trip, rounds: number): Promise<string[]> {
  const script = join(import.meta.dirname, "round_trip.py");
  const args = [script, urlOf(trip.host), trip.bucket, trip.key, String(rounds)];
  const printed = await runCommand("python3", args, { environment: KEYS });
  return printed.split("\n").filter((line) => line !== "");
}

export async function byAwsCli(trip: Trip): Promise<void> {
  const [from, to] = files(trip);
  const address = `s3://${trip.bucket}/${trip.key}`;
  const aws = (...args: readonly string[]) =>
    runCommand("aws", ["--endpoint-url", urlOf(trip.host), "s3", "cp", ...args], {
      environment: { ...KEYS, AWS_DEFAULT_REGION: "us-east-1" },
    });
  await aws(from, address);
  await aws(address, to);
  assert.deepEqual(readFileSync(to), readFileSync(from));
}

export async function byS3cmd(trip: Trip): Promise<void> {
  const [from, to] = files(trip);
  const address = `s3://${trip.bucket}/${trip.key}`;
  const configuration = join(trip.folder, "s3cfg");
  const host = `${trip.host}:${PORT}`;
  const lines = [
    ...["[default]", `access_key = ${ACCESS_KEY}`, `secret_key = ${SECRET_KEY}`],
    ...[`host_base = ${host}`, `host_bucket = ${host}`, "use_https = False"],
  ];
  writeFileSync(configuration, `${lines.join("\n")}\n`);
  const s3cmd = (...args: readonly string[]) =>
    runCommand("s3cmd", ["--config", configuration, "--no-progress", ...args]);
  await s3cmd("put", from, address);
  await s3cmd("get", "--force", address, to);
  assert.deepEqual(readFileSync(to), readFileSync(from));
}

export async function byCurl(trip: Trip): Promise<void> {
  const [from, to] = files(trip);
  const url = `${urlOf(trip.host)}/${trip.bucket}/${trip.key}`;
  const signed = [
    ...["--silent", "--show-error", "--fail", "--retry", "8", "--retry-all-errors"],
    ...["--aws-sigv4", "aws:amz:us-east-1:s3", "--user", `${ACCESS_KEY}:${SECRET_KEY}`],
  ];
  const hashed = ["--header", "x-amz-content-sha256: UNSIGNED-PAYLOAD"];
  await runCommand("curl", [...signed, ...hashed, "--upload-file", from, url]);
  await runCommand("curl", [...signed, ...hashed, "--output", to, url]);
  assert.deepEqual(readFileSync(to), readFileSync(from));
}

/** A file to send, with bytes of its own, and one to receive. */
function files({ folder, key }: Trip): readonly [string, string] {
  const from = join(folder, `${key}.sent`);
  writeFileSync(from, seededBytes(key, 60_000));
  return [from, join(folder, `${key}.received`)];
}

/** Begun at one gateway, a part through each of two others, completed at a fourth step. */
export async function uploadOverGateways(Bucket: string): Promise<void> {
  const [one, two, three] = [sdkOf(1), sdkOf(2), sdkOf(3)];
  const Key = "in-parts";
  const { UploadId } = await one.send(new CreateMultipartUploadCommand({ Bucket, Key }));
  const upload = { Bucket, Key, UploadId };
  const bodies = [seededBytes("part 1", PART_BYTES), seededBytes("part 2", 70_000)];
  const senders = [two, three];
  for (const [at, Body] of bodies.entries()) {
    await senders[at]?.send(new UploadPartCommand({ ...upload, PartNumber: at + 1, Body }));
  }
  const { Parts = [] } = await one.send(new ListPartsCommand(upload));
  const named = Parts.map(({ ETag, PartNumber }) => ({ ETag, PartNumber }));
  assert.equal(named.length, bodies.length);
  const MultipartUpload = { Parts: named };
  await two.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload }));
  const { Body } = await three.send(new GetObjectCommand({ Bucket, Key }));
  const read = Buffer.from((await Body?.transformToByteArray()) ?? []);
  assert.deepEqual(read, Buffer.concat(bodies));
}

/** Each page of a listing from another gateway. */
export async function listOverGateways(Bucket: string): Promise<void> {
  const keys = Array.from({ length: 7 }, (_, at) => `listed/${at}`);
  for (const [at, Key] of keys.entries()) {
    await sdkOf(CAMPUSES[at % 3] ?? 1).send(new PutObjectCommand({ Bucket, Key, Body: "x" }));
  }
  const found: string[] = [];
  let ContinuationToken: string | undefined;
  for (let page = 0; page === 0 || ContinuationToken !== undefined; page += 1) {
    const question = { Bucket, Prefix: "listed/", MaxKeys: 2, ContinuationToken };
    const answer = await sdkOf(CAMPUSES[page % 3] ?? 1).send(new ListObjectsV2Command(question));
    found.push(...(answer.Contents ?? []).map(({ Key = "" }) => Key));
    ContinuationToken = answer.NextContinuationToken;
  }
  assert.deepEqual(found, keys);
}

/** Signed in at one gateway, known at the others. */
export async function sessionOverGateways(): Promise<void> {
  const at = (campus: Campus) => new AdminCaller(`${urlOf(campusHost(campus))}/_admin`);
  const body = { accessKeyId: ACCESS_KEY, secretAccessKey: SECRET_KEY };
  const answer = await at(1).call("POST", "/session", { body });
  assert.equal(answer.status, 200, answer.text);
  assert.notEqual(textOf(answer.json, "csrf"), "");
  const cookie = (answer.headers.get("set-cookie") ?? "").split(";")[0] ?? "";
  for (const campus of CAMPUSES) {
    const shown = await at(campus).get("/session", { headers: { cookie } });
    assert.equal(shown.status, 200, `campus ${campus}: ${shown.text}`);
  }
}
