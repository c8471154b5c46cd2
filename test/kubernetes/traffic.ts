// Reads and writes through the Service while install.test.ts changes things; runs beside the API
// server, where names of Services are known. `traffic.ts COMMAND PREFIX`: `write` goes on until its
// input ends; `verify` reads a list of keys and hashes from its input. Prints one JSON object.
import process from "node:process";
import { text } from "node:stream/consumers";
import {
  CreateBucketCommand,
  GetObjectCommand,
  HeadBucketCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { isMap } from "../helm/chart.ts";
import { sha256Hex } from "../support/seeded-bytes.ts";
import { Workload } from "../support/workload.ts";

const BUCKET = "traffic";
const SIZES = [0, 1000, 100_000, 3_000_000];
const LANES = 3;
const PAUSE_MS = 100;

/** What `write` prints. */
export interface Written {
  readonly acknowledged: Readonly<Record<string, string>>;
  readonly failed: readonly string[];
  readonly failedReads: readonly string[];
  readonly wrongReads: readonly string[];
}

/** With the SDK's own number of retries: what a program has that was told nothing. */
function clientOf(environment: NodeJS.ProcessEnv): S3Client {
  const { TRAFFIC_ENDPOINT = "", TRAFFIC_USER = "", TRAFFIC_PASSWORD = "" } = environment;
  return new S3Client({
    endpoint: TRAFFIC_ENDPOINT,
    region: "us-east-1",
    forcePathStyle: true,
    credentials: { accessKeyId: TRAFFIC_USER, secretAccessKey: TRAFFIC_PASSWORD },
  });
}

async function write(client: S3Client, prefix: string): Promise<Written> {
  const there = await client.send(new HeadBucketCommand({ Bucket: BUCKET })).then(
    () => true,
    () => false,
  );
  if (!there) await client.send(new CreateBucketCommand({ Bucket: BUCKET }));
  const workload = new Workload({
    bucket: BUCKET,
    prefix,
    clients: [client],
    lanes: LANES,
    sizes: SIZES,
    pauseMs: PAUSE_MS,
  });
  process.stdout.write("started\n");
  await text(process.stdin);
  await workload.stop();
  const { acknowledged, failed, failedReads, wrongReads } = workload;
  return { acknowledged: Object.fromEntries(acknowledged), failed, failedReads, wrongReads };
}

/** Keys whose bytes are not what was written. */
async function verify(client: S3Client): Promise<readonly string[]> {
  const wanted: unknown = JSON.parse(await text(process.stdin));
  const wrong: string[] = [];
  for (const [Key, hash] of Object.entries(isMap(wanted) ? wanted : {})) {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: BUCKET, Key }));
    const bytes = (await Body?.transformToByteArray()) ?? new Uint8Array(0);
    if (sha256Hex(bytes) !== hash) wrong.push(Key);
  }
  return wrong;
}

if (import.meta.main) {
  const [command, prefix = ""] = process.argv.slice(2);
  const client = clientOf(process.env);
  const result = command === "verify" ? await verify(client) : await write(client, prefix);
  process.stdout.write(`${JSON.stringify(result)}\n`);
  client.destroy();
}
