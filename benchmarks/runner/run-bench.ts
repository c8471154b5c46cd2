// One whole run: starts what is measured, measures case by case, and leaves nothing behind, after a
// failure or Ctrl-C too.
import process from "node:process";
import { LoadGenerator } from "../load/load-generator.ts";
import { BenchBucket } from "./bench-bucket.ts";
import { casesOf } from "./catalogue.ts";
import { type BenchDocument, caseName, isContractCase, type Mode } from "./contract.ts";
import { Measure, type Measured } from "./measure.ts";
import type { Options } from "./options.ts";
import { machineNow } from "./report.ts";
import { namedEndpoint, startCluster, startFloor, startServer, type Target } from "./targets.ts";

/** --quick ends within two minutes, cleaning up included. */
const QUICK_MS = 95_000;
/** Of it, what the second mode has at least, and what starting one may take. */
const MODE_QUICK_MS = 35_000;
const START_QUICK_MS = 20_000;
const LONGEST_MS = 6 * 3600 * 1000;

export interface Run {
  readonly document: BenchDocument;
  readonly measured: readonly Measured[];
}

type Progress = (text: string) => void;

/** `progress` is told what happens, line by line. Throws BenchError. */
export async function runBench(options: Options, progress: Progress): Promise<Run> {
  const machine = machineNow();
  const endMs = performance.now() + (options.isQuick ? QUICK_MS : LONGEST_MS);
  const load = new LoadGenerator();
  const stop = (): void => void load.close();
  process.once("SIGINT", stop).once("SIGTERM", stop);
  const measured: Measured[] = [];
  const skipped: { name: string; mode: Mode }[] = [];
  try {
    for (const mode of options.modes) {
      const isLast = mode === options.modes.at(-1);
      const modeEndMs = options.isQuick && !isLast ? endMs - MODE_QUICK_MS : endMs;
      const run = new ModeRun({ options, mode, load, endMs: modeEndMs, progress });
      const done = await run.all();
      measured.push(...done.measured);
      skipped.push(...done.skipped);
    }
  } finally {
    process.off("SIGINT", stop).off("SIGTERM", stop);
    await load.close();
  }
  const results = measured.map(({ result }) => result);
  const contract = new Set(casesWanted(options).filter(isContractCase).map(caseName));
  const document = {
    machine,
    results: results.filter(({ name }) => contract.has(name)),
    others: results.filter(({ name }) => !contract.has(name)),
    skipped,
    payload: options.payload,
  };
  return { document, measured };
}

function casesWanted({ only, modes, isQuick }: Options) {
  return only ?? modes.flatMap((mode) => casesOf(mode, isQuick));
}

interface ModeDeps {
  readonly options: Options;
  readonly mode: Mode;
  readonly load: LoadGenerator;
  readonly endMs: number;
  readonly progress: Progress;
}

class ModeRun {
  readonly #deps: ModeDeps;
  readonly #measured: Measured[] = [];
  readonly #skipped: { name: string; mode: Mode }[] = [];

  constructor(deps: ModeDeps) {
    this.#deps = deps;
  }

  async all(): Promise<{
    readonly measured: readonly Measured[];
    readonly skipped: readonly { readonly name: string; readonly mode: Mode }[];
  }> {
    const { options, mode, endMs, progress } = this.#deps;
    const cases = casesWanted({ ...options, modes: [mode] });
    const hasTime = !options.isQuick || performance.now() + START_QUICK_MS < endMs;
    if (hasTime) {
      progress(`${mode}: starting`);
      await this.#withTargets((floor, store) => this.#measure(cases, { floor, store }));
    } else {
      this.#skipped.push(...cases.map((wanted) => ({ name: caseName(wanted), mode })));
    }
    return { measured: this.#measured, skipped: this.#skipped };
  }

  async #withTargets(work: (floor: Target, store: Target) => Promise<void>): Promise<void> {
    const floor = await startFloor(this.#deps.options.folder);
    try {
      const store = await this.#startStore();
      try {
        await work(floor, store);
      } finally {
        await store.stop();
      }
    } finally {
      await floor.stop();
    }
  }

  #startStore(): Promise<Target> | Target {
    const { options, mode } = this.#deps;
    const { folder, directories, endpoint } = options;
    if (endpoint !== undefined) return namedEndpoint(endpoint);
    return mode === "cluster" ? startCluster(folder) : startServer(folder, directories);
  }

  async #measure(
    cases: ReturnType<typeof casesWanted>,
    targets: { readonly floor: Target; readonly store: Target },
  ): Promise<void> {
    const { mode, progress } = this.#deps;
    const bucket = new BenchBucket(targets.store.endpoint);
    await bucket.create();
    try {
      const floorBucket = new BenchBucket(targets.floor.endpoint);
      const measure = new Measure(this.#deps, {
        floor: { target: targets.floor, bucket: floorBucket },
        store: { target: targets.store, bucket },
      });
      for (const [at, wanted] of cases.entries()) {
        const name = caseName(wanted);
        // What time is left is shared by the cases that are left.
        const nowMs = performance.now();
        const untilMs = nowMs + (this.#deps.endMs - nowMs) / (cases.length - at);
        const done = await measure.run(wanted, untilMs);
        if (done === undefined) this.#skipped.push({ name, mode });
        else this.#measured.push(done);
        const share = done === undefined ? "no time" : `${(done.result.ratio * 100).toFixed(1)}%`;
        progress(`${mode}: ${name} ${share}`);
      }
    } finally {
      // The folders of what was started here go as a whole.
      if (mode === "endpoint") await bucket.remove();
      bucket.close();
    }
  }
}
