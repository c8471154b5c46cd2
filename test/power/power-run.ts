// Power cuts of a whole store under load: one `dolium server` over directories on loop file
// systems. A cycle loads it, cuts the power of all file systems at a moment drawn from the seed,
// ends the process, mounts again, starts again (now and then with another cut while it starts) and
// compares the store with the ledger. Over one directory nothing hides a lost shard; over six the
// stripes and three metadata replicas are on file systems that lose power a little apart.
import { join } from "node:path";
import { FreePorts } from "../../services/cli/dev/free-ports.ts";
import { Caller, type Target } from "../s3/caller.ts";
import { eventually } from "../support/eventually.ts";
import { seededRandom } from "../support/seeded-bytes.ts";
import { check } from "./check.ts";
import { EmbeddedStore } from "./embedded-store.ts";
import { Ledger } from "./ledger.ts";
import { Load, PLAIN, VERSIONED } from "./load.ts";
import { type FilesystemKind, LoopFilesystems } from "./loop-filesystems.ts";
import { ServerProcess, type Store } from "./server-process.ts";

export interface PowerOptions {
  readonly kind: FilesystemKind;
  readonly directories: 1 | 6;
  readonly seed: number;
  /** Where the images lie. */
  readonly folder: string;
  /** "process": a process each; "embedded": within this one, and so much faster. */
  readonly how: "process" | "embedded";
  /** Cycles until new file systems are made. */
  readonly cyclesPerStore?: number;
}

export interface PowerReport {
  cycles: number;
  /** Cuts, those during a start among them. */
  cuts: number;
  acknowledged: number;
  unknown: number;
  readonly violations: string[];
  /** Lines at level error of processes that had not lost power yet. */
  readonly errors: Map<string, number>;
  startMs: number;
}

const LOAD_MS = [60, 1200] as const;
const CYCLES_PER_STORE = 25;
const SHARE_READ_AGAIN = 0.15;
const FILESYSTEMS_OF_SIX = 3;
/** Cuts of the very first start of a store. */
const FIRST_CUTS_MAX = 2;

export class PowerRun {
  readonly report: PowerReport = {
    cycles: 0,
    cuts: 0,
    acknowledged: 0,
    unknown: 0,
    violations: [],
    errors: new Map(),
    startMs: 0,
  };
  readonly #options: PowerOptions;
  readonly #random: () => number;
  readonly #ports = new FreePorts();
  #systems: LoopFilesystems | undefined;
  #server: Store | undefined;
  #ledger = new Ledger();

  constructor(options: PowerOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed);
  }

  /** Runs `count` cycles; the violations stand in `report`. */
  async run(count: number): Promise<PowerReport> {
    const { cyclesPerStore = CYCLES_PER_STORE } = this.#options;
    let target: Target | undefined;
    for (let cycle = 0; cycle < count; cycle += 1) {
      target = cycle % cyclesPerStore === 0 ? await this.#renew() : target;
      if (target === undefined) throw new Error("power: nothing runs");
      target = await this.#cycle(target, cycle);
      const isLast = cycle + 1 === count || (cycle + 1) % cyclesPerStore === 0;
      await this.#check(target, cycle, isLast ? 1 : SHARE_READ_AGAIN);
      this.report.cycles += 1;
      if (this.report.violations.length > 0) break;
    }
    return this.report;
  }

  /** Ends the process and removes the file systems. */
  async close(): Promise<void> {
    await this.#end();
    await this.#ports.close();
  }

  /** What can still be done in an "exit" handler: no mounts and images stay behind. */
  removeNow(): void {
    // The signal is sent at once; nobody is left to wait for it.
    void this.#server?.kill();
    this.#systems?.remove();
    this.#systems = undefined;
  }

  /** Without power first: closing must not take the time to write. */
  async #end(): Promise<void> {
    await this.#systems?.cut(false);
    await this.#server?.kill();
    this.#server = undefined;
    this.#systems?.remove();
    this.#systems = undefined;
  }

  /** A new store on new file systems, with its buckets. */
  async #renew(): Promise<Target> {
    const { kind, folder, directories } = this.#options;
    this.#collectErrors();
    await this.#end();
    this.#ledger = new Ledger();
    const count = directories === 1 ? 1 : FILESYSTEMS_OF_SIX;
    this.#systems = LoopFilesystems.make(kind, { folder, count });
    for (let cuts = 0; this.#random() < 0.5 && cuts < FIRST_CUTS_MAX; cuts += 1) {
      const server = await this.#start();
      if (!server.canStopStarting) await server.ready();
      await pause(this.#between(200, 3000));
      await this.#cutPower();
    }
    const server = await this.#start();
    const target = await server.ready();
    await makeBuckets(target);
    return target;
  }

  async #cycle(target: Target, cycle: number): Promise<Target> {
    const { seed, kind, directories } = this.#options;
    const name = `${kind}-${directories}-${seed}-${cycle}`;
    const load = new Load({ target, ledger: this.#ledger, random: this.#random, name });
    await pause(this.#between(...LOAD_MS));
    await this.#cutPower(() => load.stop());
    this.report.violations.push(...load.violations.map((words) => `cycle ${cycle}: ${words}`));
    const startedAt = performance.now();
    let server = await this.#start();
    if (server.canStopStarting && this.#random() < 0.15) {
      await pause(this.#between(200, 2500));
      await this.#cutPower();
      server = await this.#start();
    }
    const next = await server.ready();
    this.report.startMs += performance.now() - startedAt;
    return next;
  }

  async #check(target: Target, cycle: number, share: number): Promise<void> {
    const { report } = this;
    const random = this.#random;
    const found = await check({ target, ledger: this.#ledger, share, random });
    report.violations.push(...found.map((words) => `cycle ${cycle}: ${words}`));
    report.acknowledged += this.#ledger.acknowledged;
    report.unknown += this.#ledger.unknown;
    this.#ledger.acknowledged = 0;
    this.#ledger.unknown = 0;
  }

  /** All file systems at once, then the process, then power again. */
  async #cutPower(stopLoad?: () => Promise<void>): Promise<void> {
    this.#collectErrors();
    await this.#systems?.cut(this.#random() < 0.2);
    // Time to see failing disks, and to acknowledge what it must not.
    await pause(this.#between(0, 40));
    await stopLoad?.();
    await this.#server?.kill();
    this.#server = undefined;
    await this.#systems?.remount();
    this.report.cuts += 1;
  }

  async #start(): Promise<Store> {
    const { directories, how } = this.#options;
    const targets = this.#systems?.targets ?? [];
    const folders = Array.from({ length: directories }, (_, at) =>
      join(targets[at % targets.length] ?? "", `disk-${at}`),
    );
    const options = { directories: folders, s3Port: await this.#ports.take() };
    this.#server = how === "process" ? new ServerProcess(options) : new EmbeddedStore(options);
    return this.#server;
  }

  #collectErrors(): void {
    for (const [message, count] of this.#server?.errors ?? []) {
      this.report.errors.set(message, (this.report.errors.get(message) ?? 0) + count);
    }
  }

  #between(from: number, to: number): number {
    return from + this.#random() * (to - from);
  }
}

async function makeBuckets(target: Target): Promise<void> {
  const caller = new Caller(target);
  const on = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
  const calls = [
    { method: "PUT", target: `/${PLAIN}` },
    { method: "PUT", target: `/${VERSIONED}` },
    { method: "PUT", target: `/${VERSIONED}?versioning`, body: on },
  ];
  for (const call of calls) {
    await eventually(`${call.method} ${call.target}`, 60_000, async () => {
      const { status, text, code } = await caller.call(call);
      if (status === 200 || code === "BucketAlreadyOwnedByYou") return true;
      throw new Error(`${status} ${text}`);
    });
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
