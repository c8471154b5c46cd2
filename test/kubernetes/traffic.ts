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

/** One of the SDK's attempts that failed; after it the SDK may have tried again. */
export interface FailedAttempt {
  /** When it began, and how long it took. */
  readonly at: string;
  readonly ms: number;
  readonly command: string;
  /** The code of S3 or of the socket; the status is 0 without an answer. */
  readonly error: string;
  readonly status: number;
  readonly message: string;
}

/** What `write` prints. */
export interface Written {
  /** For whoever looks for the reason of what failed in the end. */
  readonly attempts: readonly FailedAttempt[];
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

/** Attempts that fail from now on. */
function watchAttempts(client: S3Client): readonly FailedAttempt[] {
  const attempts: FailedAttempt[] = [];
  client.middlewareStack.add(
    (next, { commandName = "" }) =>
      async (args) => {
        const [at, begunMs] = [new Date().toISOString(), performance.now()];
        try {
          return await next(args);
        } catch (error) {
          const ms = Math.round(performance.now() - begunMs);
          attempts.push({ at, ms, command: commandName, ...described(error) });
          throw error;
        }
      },
    { step: "finalizeRequest", priority: "low", name: "watchAttempts" },
  );
  return attempts;
}

function described(error: unknown): Pick<FailedAttempt, "error" | "status" | "message"> {
  if (!(error instanceof Error)) return { error: "", status: 0, message: String(error) };
  const code = "code" in error ? String(error.code) : error.name;
  const metadata = "$metadata" in error && isMap(error.$metadata) ? error.$metadata : {};
  const status = Number(metadata.httpStatusCode ?? 0);
  return { error: code, status, message: error.message };
}

async function write(client: S3Client, prefix: string): Promise<Written> {
  const there = await client.send(new HeadBucketCommand({ Bucket: BUCKET })).then(
    () => true,
    () => false,
  );
  if (!there) await client.send(new CreateBucketCommand({ Bucket: BUCKET }));
  const attempts = watchAttempts(client);
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
  const written = Object.fromEntries(acknowledged);
  return { acknowledged: written, failed, failedReads, wrongReads, attempts };
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
