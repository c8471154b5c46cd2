// Measures cases on one target: floor and store by turns, a few rounds each, so that what else the
// machine does meets both. What a case reads is stored before, through the same door.
import type { Job } from "../load/job.ts";
import type { LoadGenerator } from "../load/load-generator.ts";
import type { BenchBucket } from "./bench-bucket.ts";
import { type Case, caseName, type Mode, type Result, sizeName } from "./contract.ts";
import type { Histogram } from "./histogram.ts";
import type { Options } from "./options.ts";
import { figuresOf, latenciesOf, median, type Round, rateOf, rounded } from "./statistics.ts";
import type { Target } from "./targets.ts";

/** What is stored to be read, at most. */
const STORED_BYTES_MAX = 256 * 2 ** 20;
const STORED_MIN = 4;
const STORED_MAX = 256;
const LISTED_MAX = 1000;
/** What a round writes or deletes, at most. */
const ROUND_BYTES_MAX = 2 ** 30;
const ROUND_OPERATIONS_MAX = 200_000;
const DELETED_MAX = 400;
const STORING_CONNECTIONS = 8;
const STORING_MS = 600_000;
const WARM_UP_MS = 300;
/** Of the rate that a closed loop reached. */
const OPEN_LOOP_PART = 0.7;

export interface Side {
  readonly target: Target;
  readonly bucket: BenchBucket;
}

export interface Sides {
  readonly floor: Side;
  readonly store: Side;
}

export interface Measured {
  readonly result: Result;
  readonly latency: Histogram;
  readonly floorLatency: Histogram;
}

export interface MeasureDeps {
  readonly load: LoadGenerator;
  readonly options: Options;
  readonly mode: Mode;
  /** No further round begins after this, of `performance.now()`. */
  readonly endMs: number;
}

export class Measure {
  readonly #deps: MeasureDeps;
  readonly #sides: Sides;
  readonly #stored = new Set<string>();
  #made = 0;

  constructor(deps: MeasureDeps, sides: Sides) {
    this.#deps = deps;
    this.#sides = sides;
  }

  /**
   * One round where the run has time for any, further ones until `untilMs`. Undefined where there
   * was no time for one.
   */
  async run(wanted: Case, untilMs: number): Promise<Measured | undefined> {
    const { mode } = this.#deps;
    const floors: Round[] = [];
    const stores: Round[] = [];
    const jobs = await this.#prepare(wanted);
    const { target } = this.#sides.store;
    if (wanted.isDegraded && target.degrade === undefined) return undefined;
    const restore = wanted.isDegraded ? await target.degrade?.() : undefined;
    try {
      await this.#rounds(jobs, { floors, stores, untilMs });
    } finally {
      await restore?.();
    }
    if (stores.length === 0) return undefined;
    const ratios = stores.map((store, at) => rateOf(store) / rateOf(floors[at] ?? store));
    const result = {
      name: caseName(wanted),
      mode,
      rounds: stores.length,
      ...figuresOf(stores),
      floor: figuresOf(floors),
      ratio: rounded(median(ratios)),
    };
    const floorLatency = latenciesOf(floors);
    return { result, latency: latenciesOf(stores), floorLatency };
  }

  async #rounds(
    jobs: { readonly floor: Job; readonly store: Job },
    { floors, stores, untilMs }: { floors: Round[]; stores: Round[]; readonly untilMs: number },
  ): Promise<void> {
    const { options, endMs } = this.#deps;
    for (let round = 0; round < options.rounds; round += 1) {
      if (performance.now() > (round === 0 ? endMs : Math.min(endMs, untilMs))) break;
      floors.push(await this.#round(this.#sides.floor, jobs.floor));
      stores.push(await this.#round(this.#sides.store, jobs.store));
    }
  }

  /** What each side does in a round, after a first taste of it. */
  async #prepare(wanted: Case): Promise<{ readonly floor: Job; readonly store: Job }> {
    const { floor, store } = this.#sides;
    const jobs = { floor: this.#job(floor, wanted), store: this.#job(store, wanted) };
    if (performance.now() > this.#deps.endMs) return jobs;
    for (const side of [floor, store]) {
      await this.#store(side, wanted);
      const job = side === floor ? jobs.floor : jobs.store;
      if (wanted.operation !== "delete") await this.#load(job, WARM_UP_MS);
    }
    if (!wanted.isOpenLoop) return jobs;
    const closed = await this.#load(jobs.store, this.#deps.options.roundMs);
    const requestsPerSecond = (OPEN_LOOP_PART * closed.operations) / closed.seconds;
    return {
      floor: { ...jobs.floor, requestsPerSecond },
      store: { ...jobs.store, requestsPerSecond },
    };
  }

  async #round(side: Side, job: Job): Promise<Round> {
    if (job.operation === "delete") await this.#storeKeys(side, job, job.stored);
    const before = side.target.cpuMs();
    const result = await this.#load(job, job.durationMs);
    const after = side.target.cpuMs();
    const cpuMs = before === undefined || after === undefined ? undefined : after - before;
    return { result, cpuMs };
  }

  /** Keys that are written are new in each round. */
  #load(job: Job, durationMs: number) {
    this.#made += 1;
    return this.#deps.load.run({ ...job, newPrefix: `new-${this.#made}/`, durationMs });
  }

  #job({ target, bucket }: Side, { operation, size, connections }: Case): Job {
    const { payload, roundMs } = this.#deps.options;
    const isDelete = operation === "delete";
    const byBytes = Math.max(STORED_MIN, Math.floor(ROUND_BYTES_MAX / Math.max(1, size)));
    const moves = operation !== "head" && operation !== "list" && !isDelete;
    const stored = storedCount({ operation, size });
    return {
      endpoint: target.endpoint,
      bucket: bucket.name,
      operation,
      size,
      connections,
      prefix: prefixOf({ operation, size }),
      stored,
      newPrefix: "",
      durationMs: isDelete ? STORING_MS : roundMs,
      operations: isDelete ? stored : moves ? byBytes : ROUND_OPERATIONS_MAX,
      payload,
    };
  }

  /** Once for each target, operation and size. */
  async #store(side: Side, { operation, size }: Case): Promise<void> {
    if (operation === "put" || operation === "multipart" || operation === "delete") return;
    const prefix = prefixOf({ operation, size });
    const name = `${side.bucket.name}/${prefix}`;
    if (this.#stored.has(name)) return;
    this.#stored.add(name);
    const how = { connections: 1, isOpenLoop: false, isDegraded: false };
    const job = this.#job(side, { operation, size, ...how });
    await this.#storeKeys(side, job, job.stored);
  }

  async #storeKeys({ bucket }: Side, job: Job, count: number): Promise<void> {
    await this.#deps.load.run({
      ...job,
      bucket: bucket.name,
      operation: "put",
      connections: STORING_CONNECTIONS,
      newPrefix: job.prefix,
      operations: count,
      durationMs: STORING_MS,
    });
  }
}

interface Kind {
  readonly operation: Case["operation"];
  readonly size: number;
}

function storedCount({ operation, size }: Kind): number {
  const fitting = Math.floor(STORED_BYTES_MAX / Math.max(1, size));
  const most =
    operation === "list" ? LISTED_MAX : operation === "delete" ? DELETED_MAX : STORED_MAX;
  return Math.min(most, Math.max(STORED_MIN, fitting));
}

function prefixOf({ operation, size }: Kind): string {
  const kind = operation === "list" || operation === "delete" ? operation : "stored";
  return `${kind}-${sizeName(size)}/`;
}
