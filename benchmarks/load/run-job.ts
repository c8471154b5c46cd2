// Runs one job: as many connections as it names, each a loop. Closed loop: the next request follows
// the answer. Open loop: requests have times of their own, and a latency counts from that time, so
// that a server that stalls is seen to stall. The first failure ends the job.
import { setTimeout as sleep } from "node:timers/promises";
import { Histogram } from "../runner/histogram.ts";
import type { Job, JobResult } from "./job.ts";
import { RequestSigner } from "./request-signer.ts";
import { type Done, S3Requests } from "./s3-requests.ts";

export async function runJob(job: Job): Promise<JobResult> {
  const run = new JobRun(job);
  const signer = new RequestSigner(job.endpoint);
  const all = Array.from({ length: job.connections }, () => new S3Requests(job, signer));
  try {
    await Promise.all(all.map((requests) => run.loop(requests)));
  } finally {
    for (const requests of all) requests.close();
  }
  return run.result();
}

class JobRun {
  readonly #job: Job;
  readonly #latency = new Histogram();
  readonly #firstByte = new Histogram();
  readonly #startMs = performance.now();
  #next = 0;
  #bytes = 0;
  #lastMs = this.#startMs;

  constructor(job: Job) {
    this.#job = job;
  }

  async loop(requests: S3Requests): Promise<void> {
    const { operation, durationMs, operations } = this.#job;
    for (;;) {
      const number = this.#next;
      if (number >= operations) return;
      const dueMs = this.#dueMs(number);
      if (Math.max(dueMs, performance.now()) - this.#startMs >= durationMs) return;
      this.#next += 1;
      const waitMs = dueMs - performance.now();
      if (waitMs > 0) await sleep(waitMs);
      const beganMs = Math.max(dueMs, 0) || performance.now();
      this.#note(beganMs, await requests[operation](number));
    }
  }

  result(): JobResult {
    return {
      operations: this.#latency.count,
      bytes: this.#bytes,
      seconds: (this.#lastMs - this.#startMs) / 1000,
      latency: this.#latency.toRecord(),
      firstByte: this.#firstByte.toRecord(),
    };
  }

  /** When the request is to be sent; 0: as soon as the connection is free. */
  #dueMs(number: number): number {
    const { requestsPerSecond } = this.#job;
    return requestsPerSecond === undefined
      ? 0
      : this.#startMs + (number * 1000) / requestsPerSecond;
  }

  #note(beganMs: number, { bytes, firstByteMs }: Done): void {
    const nowMs = performance.now();
    this.#bytes += bytes;
    this.#lastMs = nowMs;
    this.#latency.add(Math.max(0, nowMs - beganMs));
    this.#firstByte.add(Math.max(0, firstByteMs - beganMs));
  }
}
