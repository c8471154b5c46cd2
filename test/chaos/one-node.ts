// `make one-node`: what one storage node that is dead, stalled or a hundred times slower does to
// clients with the SDK's default retries. Healthy and harmed phases take turns, so that whatever
// else the machine does falls on both; the figures are the gateway's answers as clients see them.
// Exit code 1 when a request failed after its retries, or read times are beyond the bound.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import {
  CreateBucketCommand,
  GetObjectCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { eventually } from "../support/eventually.ts";
import { seededBytes, seededRandom } from "../support/seeded-bytes.ts";
import { loopbackCampuses } from "./campuses.ts";
import { ACCESS_KEY, ChaosCluster, SECRET_KEY } from "./chaos-cluster.ts";
import type { ChaosProcess } from "./chaos-process.ts";
import { traced } from "./nemeses/disks.ts";
import type { Nemesis } from "./nemeses/nemesis.ts";
import { quantile } from "./summary.ts";

const BUCKET = "one-node";
const OBJECTS = 40;
const OBJECT_BYTES = 300_000;
const READERS = 4;
/** A write now and then: they must not fail either. */
const READS_PER_WRITE = 10;
const READ_FACTOR_MAX = 3;
const PATIENCE_MS = 400_000;
/** Reads and syncs of a local disk take a tenth of a millisecond here. */
const SLOW_CALL_US = 20_000;
const SLOW_CALLS = "pread64,preadv,preadv2,pwrite64,pwritev,pwritev2,fdatasync,fsync";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "8" },
    seed: { type: "string", default: String(Date.now() % 1_000_000_007) },
  },
});

interface Figures {
  readonly reads: number[];
  readonly writes: number[];
  readonly failures: string[];
}

type Harm = (victim: ChaosProcess) => Nemesis;

const HARMS: Readonly<Record<string, Harm>> = {
  dead: (victim) => ({
    text: `kill -9 ${victim.name}`,
    start: () => victim.kill(),
    stop: async () => {
      victim.start();
      await victim.untilReady(PATIENCE_MS);
    },
  }),
  stalled: (victim) => ({
    text: `pause ${victim.name}`,
    start: async () => victim.signal("SIGSTOP"),
    stop: async () => victim.signal("SIGCONT"),
  }),
  slow: (victim) =>
    traced(victim, { text: "slow disk", inject: `${SLOW_CALLS}:delay_enter=${SLOW_CALL_US}` }),
};

const none = (): Figures => ({ reads: [], writes: [], failures: [] });
const random = seededRandom(Number(values.seed));
const bodies = Array.from({ length: OBJECTS }, (_, number) =>
  seededBytes(`${values.seed}/${number}`, OBJECT_BYTES),
);

function bodyOf(number: number): Buffer {
  const body = bodies[number % OBJECTS];
  if (body === undefined) throw new Error(`no body ${number}`);
  return body;
}

class Clients {
  readonly #s3: S3Client;
  #written = OBJECTS;

  constructor(endpoint: string) {
    // Three attempts, as the SDK makes them unless told otherwise.
    this.#s3 = new S3Client({
      endpoint,
      region: "us-east-1",
      forcePathStyle: true,
      credentials: { accessKeyId: ACCESS_KEY, secretAccessKey: SECRET_KEY },
    });
  }

  async prepare(): Promise<void> {
    await eventually("the bucket", PATIENCE_MS, () =>
      this.#s3.send(new CreateBucketCommand({ Bucket: BUCKET })),
    );
    for (let number = 0; number < OBJECTS; number += 1) {
      await eventually("an object", PATIENCE_MS, () => this.#put(number));
    }
  }

  /** Reads and writes for so long; the times in milliseconds, and what failed, go to `into`. */
  async run(ms: number, into: Figures): Promise<void> {
    const endsAt = performance.now() + ms;
    const lane = async (): Promise<void> => {
      for (let turn = 1; performance.now() < endsAt; turn += 1) {
        const isWrite = turn % READS_PER_WRITE === 0;
        const from = performance.now();
        try {
          if (isWrite) await this.#putNext();
          else await this.#get(Math.floor(random() * OBJECTS));
        } catch (error) {
          into.failures.push(String(error));
        }
        (isWrite ? into.writes : into.reads).push(performance.now() - from);
      }
    };
    await Promise.all(Array.from({ length: READERS }, lane));
  }

  close(): void {
    this.#s3.destroy();
  }

  #putNext(): Promise<unknown> {
    this.#written += 1;
    return this.#put(this.#written);
  }

  #put(number: number): Promise<unknown> {
    const Body = bodyOf(number);
    return this.#s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: `o${number}`, Body }));
  }

  async #get(number: number): Promise<void> {
    const command = new GetObjectCommand({ Bucket: BUCKET, Key: `o${number}` });
    const { Body } = await this.#s3.send(command);
    const bytes = await Body?.transformToByteArray();
    if (bytes === undefined || !bodyOf(number).equals(bytes)) throw new Error("wrong bytes");
  }
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function times(all: readonly number[]): string {
  return [0.5, 0.99].map((share) => Math.round(quantile(all, share))).join(" / ");
}

async function measure(cluster: ChaosCluster): Promise<boolean> {
  const [endpoint = ""] = cluster.endpoints();
  const clients = new Clients(endpoint);
  const storage = cluster.byRole("storage");
  const phaseMs = Number(values.seconds) * 1000;
  const figures = new Map(Object.keys(HARMS).map((name) => [name, [none(), none()] as const]));
  try {
    await clients.prepare();
    await clients.run(phaseMs, none());
    for (let round = 0; round < Number(values.rounds); round += 1) {
      for (const [name, [healthy, harmed]] of figures) {
        await cluster.untilWhole(PATIENCE_MS);
        await clients.run(phaseMs, healthy);
        const victim = storage[Math.floor(random() * storage.length)];
        const nemesis = victim === undefined ? undefined : HARMS[name]?.(victim);
        if (nemesis === undefined) throw new Error("one-node: nobody to harm");
        say(`round ${round + 1}: ${nemesis.text}`);
        try {
          await nemesis.start();
          await clients.run(phaseMs, harmed);
        } finally {
          await nemesis.stop();
        }
      }
    }
  } finally {
    clients.close();
  }
  let isGood = true;
  for (const [name, [healthy, harmed]] of figures) {
    const factor = quantile(harmed.reads, 0.99) / quantile(healthy.reads, 0.99);
    const failures = [...healthy.failures, ...harmed.failures];
    isGood &&= failures.length === 0 && factor <= READ_FACTOR_MAX;
    say(
      `${name.padEnd(8)} ${harmed.reads.length} reads, ${harmed.writes.length} writes, ` +
        `${failures.length} failed; p50 / p99 of reads ${times(harmed.reads)} ms, healthy ` +
        `${times(healthy.reads)} ms: ${factor.toFixed(2)} times; of writes ` +
        `${times(harmed.writes)} ms, healthy ${times(healthy.writes)} ms`,
    );
    for (const text of failures.slice(0, 5)) say(`  FAILED ${text}`);
  }
  return isGood;
}

const folder = mkdtempSync(join(tmpdir(), "dolium-one-node-"));
let cluster: ChaosCluster | undefined;
try {
  cluster = await ChaosCluster.start({
    dataDir: folder,
    campuses: loopbackCampuses(),
    shape: { metadata: 3, storage: 6, gateways: 1 },
    isScrubSeldom: true,
  });
  say(`one-node: seed ${values.seed}, ${values.rounds} rounds of ${values.seconds} s`);
  process.exitCode = (await measure(cluster)) ? 0 : 1;
} finally {
  await cluster?.close();
  rmSync(folder, { recursive: true, force: true });
}
