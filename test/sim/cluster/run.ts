// One simulated run of a whole cluster: draws everything from the seed, lets clients work while
// faults come and go (safety), then heals all and demands that everything works and nothing is
// missing (liveness), and checks what the clients saw. Throws the first violation.
import { createClients } from "../../../services/cli/compose/clients.ts";
import { isStoreError } from "../../../services/lib/base/errors.ts";
import { ROOT_GROUP } from "../../../services/lib/clients/groups.ts";
import { type ChecksumFactory, loadChecksums } from "../../../services/lib/s3/checksums.ts";
import { settle } from "../clock.ts";
import { type LogLine, recordingLog } from "../observers.ts";
import { createSimRandom, type SimRandom } from "../random.ts";
import { wrongBody } from "./bodies.ts";
import { census } from "./census.ts";
import { checkHistory } from "./check-history.ts";
import { Client, type Workload } from "./client.ts";
import { OBSERVER, SimCluster } from "./cluster.ts";
import { History } from "./history.ts";
import { Life } from "./life.ts";
import { FAULTS, type Fault, Nemesis } from "./nemesis.ts";
import type { Bug } from "./planted/bug.ts";
import { type Plants, plant } from "./planted/plant.ts";
import { Violation } from "./violation.ts";

export interface RunOptions {
  readonly seed: number;
  readonly planted?: Bug | undefined;
  /** Kept when given: what the processes logged. */
  readonly lines?: LogLine[] | undefined;
  /** Kept when given: every event of the trace. */
  readonly events?: string[] | undefined;
}

export interface RunReport {
  readonly seed: number;
  readonly traceHash: string;
  readonly events: number;
  readonly virtualMs: number;
  readonly operations: Readonly<Record<string, number>>;
  readonly faults: Readonly<Record<string, number>>;
  /** Index ranges that buckets have at the end. */
  readonly ranges: number;
}

const READY_MS = 60_000;
const HEAL_MS = 120_000;
const CENSUS_PAUSE_MS = 2000;
/** Gateways ask for the map each second, and leave out for three whom they did not reach. */
const VIEWS_MS = 5000;

let loaded: Promise<ChecksumFactory> | undefined;

/** Throws Violation, or what the code threw where nothing should. */
export async function simulate(options: RunOptions): Promise<RunReport> {
  loaded ??= loadChecksums();
  const run = new Run(options, await loaded);
  const plants = run.plants.install();
  const failed = (error: unknown): void => run.fail(error);
  process.on("unhandledRejection", failed);
  try {
    return await run.run();
  } finally {
    process.off("unhandledRejection", failed);
    plants();
  }
}

class Run {
  readonly plants: Plants;
  readonly #options: RunOptions;
  readonly #random: SimRandom;
  readonly #cluster: SimCluster;
  readonly #history: History;
  readonly #clients: readonly Client[];
  readonly #nemesis: Nemesis;
  readonly #workload: Workload;
  readonly #faultMs: number;
  readonly #faultPauseMs: number;
  #ranges = 0;
  #failure: { readonly error: unknown } | undefined;

  constructor(options: RunOptions, checksums: ChecksumFactory) {
    const { seed, planted, lines, events } = options;
    this.#options = options;
    const random = createSimRandom(seed);
    this.#random = random;
    this.plants = plant(planted);
    this.#cluster = new SimCluster({
      random,
      shape: {
        gateways: random.between(1, 2),
        metadata: random.pick([3, 3, 3, 5]),
        storage: random.pick([6, 7]),
        keepers: random.pick([1, 1, 1, 2]),
      },
      plants: this.plants,
      checksums,
      settings: {
        ...drawSettings(random, { ...drawRanges(options), ...this.plants.keeperConfig }),
        ...(planted?.inlineBytes === undefined ? {} : { inlineBytes: planted.inlineBytes }),
      },
      onDamage: (what) => this.fail(new Violation("replicas", what)),
      lines,
      events,
    });
    this.#history = new History(this.#cluster);
    const mix = createSimRandom(seed).fork("mix");
    this.#workload = { ...drawWorkload(random), ...drawMix(mix), ...planted?.workload };
    this.#clients = Array.from({ length: random.between(3, 6) }, (_, at) =>
      this.#client(`c${at + 1}`),
    );
    const swarm = FAULTS.filter(() => random.chance(0.4));
    const drawn: readonly Fault[] = random.chance(0.1) ? [] : swarm;
    const faults = this.plants.faults ?? drawn;
    const clockStepMs = random.pick([100, 1000, 5000]);
    this.#nemesis = new Nemesis(this.#cluster, {
      random: random.fork("nemesis"),
      faults,
      clockStepMs,
    });
    this.#faultMs = random.between(3000, 9000);
    this.#faultPauseMs = random.pick([300, 700, 1500]);
  }

  fail(error: unknown): void {
    this.#failure ??= { error };
  }

  async run(): Promise<RunReport> {
    const cluster = this.#cluster;
    const { clock } = cluster;
    cluster.start();
    await this.#until(READY_MS, "ready", () => this.#client("setup").setUp());
    const working = this.#clients.map((client) =>
      client.run().catch((error: unknown) => this.fail(error)),
    );
    void this.#nemesis.run(this.#faultPauseMs).catch((error: unknown) => this.fail(error));
    await clock.run(clock.monotonicMs() + this.#faultMs, this.#hasFailed);
    for (const client of this.#clients) client.isStopped = true;
    this.#nemesis.heal();
    await this.#until(HEAL_MS, "operations end", async () => {
      await Promise.all(working);
    });
    await this.#until(HEAL_MS, "quiet", () => this.#quiet());
    await this.#until(HEAL_MS, "reads and writes", () => this.#probe());
    checkHistory(this.#history.operations);
    await settle();
    if (this.#failure !== undefined) throw this.#failure.error;
    return this.#report();
  }

  readonly #hasFailed = (): boolean => this.#failure !== undefined;

  #client(name: string): Client {
    const random = this.#random.fork(`client ${name}`);
    return new Client(this.#cluster, this.#history, { name, random, workload: this.#workload });
  }

  /** Runs the clock until `work` is done; throws what it throws, Violation when it takes longer. */
  async #until(limitMs: number, what: string, work: () => Promise<void>): Promise<void> {
    const { clock } = this.#cluster;
    let isDone = false;
    work().then(
      () => {
        isDone = true;
      },
      (error: unknown) => this.fail(error),
    );
    await clock.run(clock.monotonicMs() + limitMs, () => isDone || this.#hasFailed());
    if (this.#failure !== undefined) throw this.#failure.error;
    if (!isDone) throw new Violation("liveness", `${what}: not within ${limitMs} ms`);
  }

  /** Resolves when the census finds nothing; the last thing it found is what is wrong. */
  async #quiet(): Promise<void> {
    const { clock } = this.#cluster;
    const clients = this.#observer();
    const untilMs = clock.monotonicMs() + HEAL_MS - 10 * CENSUS_PAUSE_MS;
    for (;;) {
      try {
        await census(this.#cluster, clients);
        this.#ranges = await countRanges(clients);
        await clock.sleep(VIEWS_MS);
        return;
      } catch (error) {
        if (!(error instanceof Violation) && !isStoreError(error)) throw error;
        this.#cluster.trace(`census ${error.message}`);
        if (clock.monotonicMs() > untilMs) throw asViolation(error);
      }
      await clock.sleep(CENSUS_PAUSE_MS);
    }
  }

  #observer(): ReturnType<typeof createClients> {
    const cluster = this.#cluster;
    const life = new Life(OBSERVER, cluster.clock, () => 0);
    const random = this.#random.fork("observer");
    const log = recordingLog(this.#options.lines, { process: "observer" });
    const transport = cluster.rpc.createTransport(life);
    const addresses = cluster.metadata.map(({ address }) => address);
    return createClients({ transport, clock: life.clock, random, log }, addresses);
  }

  /** Every key can be read, listed and written; every version that was acknowledged is there. */
  async #probe(): Promise<void> {
    const probe = this.#client("probe");
    probe.isStrict = true;
    const { buckets, sources, targets } = this.#workload;
    for (const bucket of buckets) {
      for (const key of [...sources, ...targets]) await probe.get(bucket.name, key);
      await probe.list(bucket);
    }
    for (const { bucket, key, versionId, value } of this.#history.versions) {
      const answer = await probe.read(bucket, key, versionId);
      const body = this.#history.bodies.get(value);
      const what = `${bucket}/${key} version ${versionId} (${value})`;
      if (answer?.status !== 200 || body === undefined) {
        throw new Violation("versions", `${what}: ${answer?.status}`);
      }
      const wrong = wrongBody(body, answer.body);
      if (wrong !== undefined) throw new Violation("bytes", `${what}: ${wrong}`);
    }
    for (const bucket of buckets) await probe.put(bucket, sources[0] ?? "");
  }

  #report(): RunReport {
    return {
      seed: this.#options.seed,
      traceHash: this.#cluster.traceHash(),
      events: this.#cluster.eventCount,
      virtualMs: this.#cluster.clock.monotonicMs(),
      operations: this.#history.counts,
      faults: this.#nemesis.counts,
      ranges: this.#ranges,
    };
  }
}

async function countRanges({ metadata }: ReturnType<typeof createClients>): Promise<number> {
  const value = { owner: "", afterName: "", prefix: "", limit: 1000 };
  const { buckets } = await metadata.query(ROOT_GROUP, { case: "listBuckets", value });
  return buckets.reduce((sum, { ranges }) => sum + ranges.length, 0);
}

/** In half of the runs the keeper cuts ranges of few keys; planted bugs are looked for without. */
function drawRanges({ seed, planted }: RunOptions): Plants["keeperConfig"] {
  const isCutting = planted === undefined && createSimRandom(seed).fork("ranges").chance(0.5);
  return { rangeSplitBytes: isCutting ? 400 : 0, rangeIntervalMs: 1000 };
}

function asViolation(error: Error): Violation {
  return error instanceof Violation ? error : new Violation("liveness", error.message);
}

function drawSettings(
  random: SimRandom,
  keeper: Plants["keeperConfig"],
): ConstructorParameters<typeof SimCluster>[0]["settings"] {
  return {
    dataShards: 4,
    parityShards: 2,
    cellBytes: random.pick([1024, 4096]),
    segmentBytes: random.pick([64, 256]) * 1024,
    inlineBytes: random.pick([0, 256, 2048]),
    indexGroupCount: random.between(1, 2),
    outAfterMs: 60_000,
    keepEntries: random.pick([50, 1000]),
    keeper: {
      leaseMs: 3000,
      intervalMs: 1000,
      garbageDelayMs: 3000,
      orphanGraceMs: 10_000,
      orphanQuarantineMs: 2000,
      sweepIntervalMs: 4000,
      staleUploadMs: 20_000,
      reconcileIntervalMs: 5000,
      repairRetryMs: 1000,
      rebalanceDelayMs: 2000,
      rebalanceIntervalMs: 5000,
      verifyIntervalMs: 86_400_000,
      ...keeper,
    },
  };
}

/** Some runs are about listings, some about very few keys that everybody wants. */
function drawMix(random: SimRandom): Partial<Workload> & Pick<Workload, "listShare"> {
  const listShare = random.pick([0.05, 0.05, 0.25]);
  if (!random.chance(0.25)) return { listShare };
  return { listShare, sources: ["s1"], targets: ["t1"], pauseMs: 30 };
}

function drawWorkload(random: SimRandom): Omit<Workload, "listShare"> {
  const count = random.between(2, 5);
  return {
    buckets: [
      { name: "plain", isVersioned: false },
      { name: "versioned", isVersioned: true },
    ],
    sources: Array.from({ length: count }, (_, at) => `s${at + 1}`),
    targets: Array.from({ length: random.between(1, 3) }, (_, at) => `t${at + 1}`),
    bodyBytesMax: random.pick([2000, 8000, 30_000]),
    pauseMs: random.pick([100, 200, 400]),
  };
}
