// `--soak SECONDS`: one process under a mixed load and bodies of 64 MiB at once, for as long as is
// asked for; each second its resident memory and, from its own metrics, how late its event loop
// was. What grows without end, and what holds up everybody, shows here and in no short run.
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import type { Job, JobResult } from "../load/job.ts";
import { LoadGenerator } from "../load/load-generator.ts";
import { BenchBucket } from "./bench-bucket.ts";
import { BenchError } from "./bench-error.ts";
import { Histogram } from "./histogram.ts";
import type { Options } from "./options.ts";
import { median, rounded } from "./statistics.ts";
import { startServer, type Target } from "./targets.ts";

const MIB = 2 ** 20;
const LARGE_BYTES = 64 * MIB;
const SMALL_BYTES = 64 * 1024;
const LARGE_STORED = 4;
const SMALL_STORED = 256;
const SAMPLE_MS = 1000;
/** Samples of the first part are of a process that still fills its caches. */
const PARTS = 4;
const STORING_MS = 600_000;
const OPERATIONS_MAX = 10_000_000;

export interface SoakSample {
  readonly residentBytes: number;
  /** How late the event loop was, at the 99th percentile since the sample before. */
  readonly lagP99Ms: number;
}

export interface SoakFigures {
  readonly seconds: number;
  readonly samples: number;
  /** Medians of the second and of the last quarter of the run, and the highest of all. */
  readonly residentMib: {
    readonly early: number;
    readonly late: number;
    readonly highest: number;
  };
  readonly lagP99Ms: { readonly median: number; readonly highest: number };
  readonly largeReads: { readonly operations: number; readonly p50Ms: number };
  readonly mixed: { readonly operations: number; readonly p50Ms: number; readonly p99Ms: number };
}

/** Throws BenchError, also where the process or a request fails under the load. */
export async function runSoak(
  { folder, directories, payload, soakSeconds = 0 }: Options,
  progress: (text: string) => void,
): Promise<SoakFigures> {
  const target = await startServer(folder, directories);
  const generators = [new LoadGenerator(), new LoadGenerator()] as const;
  const bucket = new BenchBucket(target.endpoint);
  const close = async (): Promise<void> => {
    for (const generator of generators) await generator.close();
  };
  // What runs then fails, and all is cleaned up as after any failure.
  const stop = (): void => void close();
  process.once("SIGINT", stop).once("SIGTERM", stop);
  try {
    await bucket.create();
    const whole = { endpoint: target.endpoint, bucket: bucket.name, payload };
    const [large, mixed] = jobsOf(whole, soakSeconds * 1000);
    progress("soak: storing");
    await generators[0].run(storing(large));
    await generators[0].run(storing(mixed));
    const loads = Promise.all([generators[0].run(large), generators[1].run(mixed)]);
    const endMs = performance.now() + soakSeconds * 1000;
    let hasFailed = false;
    // The failure itself is met below.
    loads.catch(() => {
      hasFailed = true;
    });
    const isOver = (): boolean => hasFailed || performance.now() >= endMs;
    const samples = await sampled(target, isOver, progress);
    const [largeDone, mixedDone] = await loads;
    return figuresOf(samples, { seconds: soakSeconds, large: largeDone, mixed: mixedDone });
  } finally {
    process.off("SIGINT", stop).off("SIGTERM", stop);
    bucket.close();
    await close();
    await target.stop();
  }
}

type Whole = Pick<Job, "endpoint" | "bucket" | "payload">;

function jobsOf(whole: Whole, durationMs: number): readonly [Job, Job] {
  const both = { ...whole, durationMs, operations: OPERATIONS_MAX };
  return [
    {
      ...{ ...both, operation: "get", size: LARGE_BYTES, connections: 2 },
      ...{ prefix: "large/", stored: LARGE_STORED, newPrefix: "" },
    },
    {
      ...{ ...both, operation: "mixed", size: SMALL_BYTES, connections: 8 },
      ...{ prefix: "small/", stored: SMALL_STORED, newPrefix: "new/" },
    },
  ];
}

function storing(job: Job): Job {
  const { prefix, stored } = job;
  const how = { connections: 2, newPrefix: prefix, operations: stored, durationMs: STORING_MS };
  return { ...job, ...how, operation: "put" };
}

async function sampled(
  target: Target,
  isOver: () => boolean,
  progress: (text: string) => void,
): Promise<SoakSample[]> {
  const samples: SoakSample[] = [];
  while (!isOver()) {
    await sleep(SAMPLE_MS);
    const residentBytes = target.residentBytes();
    const lagP99Ms = await target.lagP99Ms();
    if (residentBytes === undefined || lagP99Ms === undefined) {
      throw new BenchError("--soak needs /proc and the metrics of the process");
    }
    samples.push({ residentBytes, lagP99Ms });
    const mib = Math.round(residentBytes / MIB);
    progress(`soak: ${mib} MiB resident, event loop ${lagP99Ms.toFixed(1)} ms late`);
  }
  return samples;
}

/** `samples`: at least one. */
export function figuresOf(
  samples: readonly SoakSample[],
  { seconds, large, mixed }: { seconds: number; large: JobResult; mixed: JobResult },
): SoakFigures {
  const resident = samples.map(({ residentBytes }) => residentBytes / MIB);
  const lags = samples.map(({ lagP99Ms }) => lagP99Ms);
  const quarter = Math.floor(resident.length / PARTS);
  const early = resident.slice(quarter, Math.max(2 * quarter, quarter + 1));
  const mixedLatency = Histogram.from(mixed.latency);
  return {
    seconds,
    samples: samples.length,
    residentMib: {
      early: rounded(median(early)),
      late: rounded(median(resident.slice(-Math.max(1, quarter)))),
      highest: rounded(Math.max(...resident)),
    },
    lagP99Ms: { median: rounded(median(lags)), highest: rounded(Math.max(...lags)) },
    largeReads: {
      operations: large.operations,
      p50Ms: rounded(Histogram.from(large.latency).quantile(0.5)),
    },
    mixed: {
      operations: mixed.operations,
      p50Ms: rounded(mixedLatency.quantile(0.5)),
      p99Ms: rounded(mixedLatency.quantile(0.99)),
    },
  };
}
