// Runs operations side by side until a time or a number is reached, and keeps their figures. A
// failure is counted with its reason and never repeated in silence: what the client repeated by
// itself is told too.
import { performance } from "node:perf_hooks";
import { asCommandError, codeOf } from "../objects/failure.ts";
import { runLanes } from "../objects/lanes.ts";
import { type Figures, Reasons, Tally } from "./figures.ts";
import { perform, type Target, WrongAnswer } from "./operations.ts";
import { drawn, type Mix, type Operation } from "./workload.ts";

export interface RunPlan {
  readonly mix: Mix;
  readonly concurrency: number;
  /** Undefined: until `operations` are done. */
  readonly durationMs: number | undefined;
  readonly operations: number | undefined;
}

export interface RunResult {
  readonly seconds: number;
  readonly total: Figures;
  readonly figures: readonly Figures[];
  readonly reasons: readonly { readonly reason: string; readonly count: number }[];
  /** Answers that were not what was stored. */
  readonly wrong: number;
  /** Nothing was left to read or remove before the end. */
  readonly ranOut: boolean;
}

/** So many failures without a success between them: the endpoint is not there. */
const FAILURES_IN_ROW_MAX = 100;

/** Throws the last failure when everything fails, and when it is interrupted. */
export async function runWorkload(target: Target, plan: RunPlan): Promise<RunResult> {
  const run = new Run(target, plan);
  await runLanes(run.turns(), plan.concurrency, () => run.turn());
  return run.result();
}

class Run {
  readonly #target: Target;
  readonly #plan: RunPlan;
  readonly #tallies = new Map<Operation, Tally>();
  readonly #total = new Tally("total");
  readonly #reasons = new Reasons();
  readonly #startMs = performance.now();
  #endMs = performance.now();
  #wrong = 0;
  #inRow = 0;
  #emptyInRow = 0;
  #ranOut = false;

  constructor(target: Target, plan: RunPlan) {
    this.#target = target;
    this.#plan = plan;
  }

  *turns(): Generator<number> {
    const { durationMs, operations = Number.POSITIVE_INFINITY } = this.#plan;
    const endMs = this.#startMs + (durationMs ?? Number.POSITIVE_INFINITY);
    for (let turn = 0; turn < operations && !this.#ranOut; turn += 1) {
      if (performance.now() >= endMs) return;
      yield turn;
    }
  }

  async turn(): Promise<void> {
    const operation = drawn(this.#plan.mix, Math.random());
    const before = performance.now();
    try {
      const done = await perform(operation, this.#target, Math.random());
      if (done === undefined) {
        this.#nothingToDo();
        return;
      }
      const ms = performance.now() - before;
      const { bytes, attempts } = done;
      for (const tally of [this.#tally(operation), this.#total]) {
        tally.done({ ms, bytes, retries: attempts - 1 });
      }
      this.#inRow = 0;
      this.#emptyInRow = 0;
    } catch (error) {
      this.#failed(operation, error);
    }
    this.#endMs = Math.max(this.#endMs, performance.now());
  }

  /** In a mix the next turn may put; a run that only reads or removes is at its end. */
  #nothingToDo(): void {
    this.#emptyInRow += 1;
    const puts = (this.#plan.mix.get("put") ?? 0) > 0;
    this.#ranOut ||= !puts || this.#emptyInRow > FAILURES_IN_ROW_MAX;
  }

  #failed(operation: Operation, error: unknown): void {
    if (this.#target.context.signal.aborted) throw error;
    for (const tally of [this.#tally(operation), this.#total]) tally.failed();
    if (error instanceof WrongAnswer) this.#wrong += 1;
    const failure = asCommandError(error, operation);
    this.#reasons.add(`${codeOf(failure)}: ${failure.message}`);
    this.#inRow += 1;
    if (this.#inRow >= FAILURES_IN_ROW_MAX) throw failure;
  }

  #tally(operation: Operation): Tally {
    const known = this.#tallies.get(operation) ?? new Tally(operation);
    this.#tallies.set(operation, known);
    return known;
  }

  result(): RunResult {
    const seconds = (this.#endMs - this.#startMs) / 1000;
    const tallies = [...this.#tallies.values()];
    return {
      seconds: Math.round(seconds * 1000) / 1000,
      total: this.#total.figures(seconds),
      figures: tallies.map((tally) => tally.figures(seconds)),
      reasons: this.#reasons.list(),
      wrong: this.#wrong,
      ranOut: this.#ranOut,
    };
  }
}
