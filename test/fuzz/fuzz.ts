// Runs a target on many inputs. An input fails when the target throws anything but the error that
// its parser is to throw, when what it took breaks a rule of the target, or when it takes longer
// than CALL_MS_MAX each of several times.
import { inspect } from "node:util";
import { isS3Error } from "../../services/lib/s3/errors.ts";
import { type Corpus, inputAt } from "./mutator.ts";

export const CALL_MS_MAX = 50;
/** A busy machine makes one call slow; a slow parser all of them. */
const ATTEMPTS = 10;

export interface FuzzOutcome {
  readonly word: string;
  readonly check?: () => void;
}

export interface FuzzTarget extends Corpus {
  readonly name: string;
  /**
   * Says in a word what became of the input, and how to check that it is right; the check's time
   * does not count. Throws S3Error for what is refused.
   */
  readonly run: (input: Uint8Array) => FuzzOutcome;
}

export interface FuzzOptions {
  readonly seed: number;
  readonly inputs: number;
  /** First input; 0 unless one is to be repeated. */
  readonly from?: number;
  readonly onProgress?: (done: number) => void;
}

export interface FuzzReport {
  /** How many inputs came out how, by the target's word or the error's code. */
  readonly outcomes: ReadonlyMap<string, number>;
  readonly slowestMs: number;
}

const PROGRESS_EVERY = 250_000;

/** Throws an error that names the input when one fails. */
export function fuzz(target: FuzzTarget, options: FuzzOptions): FuzzReport {
  const { stackTraceLimit } = Error;
  // Refusals are what most inputs come to: their stacks would be most of the work.
  Error.stackTraceLimit = 0;
  try {
    return runAll(target, options);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

function runAll(target: FuzzTarget, options: FuzzOptions): FuzzReport {
  const { seed, inputs, from = 0, onProgress } = options;
  const outcomes = new Map<string, number>();
  let slowestMs = 0;
  for (let index = from; index < from + inputs; index += 1) {
    const input = inputAt(target, seed, index);
    const { outcome, ms } = runOnce(target, input, `--seed ${seed} --from ${index} --inputs 1`);
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    if (ms > slowestMs) slowestMs = ms;
    if ((index + 1) % PROGRESS_EVERY === 0) onProgress?.(index + 1);
  }
  return { outcomes, slowestMs };
}

function runOnce(
  target: FuzzTarget,
  input: Uint8Array,
  place: string,
): { readonly outcome: string; readonly ms: number } {
  let best = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const startedMs = performance.now();
    const { word, check } = outcomeOf(target, input, place);
    best = Math.min(best, performance.now() - startedMs);
    if (best > CALL_MS_MAX) continue;
    try {
      check?.();
    } catch (error) {
      throw failure(target, input, place, error);
    }
    return { outcome: word, ms: best };
  }
  throw failure(target, input, `${place}: ${best.toFixed(1)} ms`);
}

function outcomeOf(target: FuzzTarget, input: Uint8Array, place: string): FuzzOutcome {
  try {
    return target.run(input);
  } catch (error) {
    if (isS3Error(error) && (error.status === 501 || Math.floor(error.status / 100) === 4)) {
      return { word: error.code };
    }
    throw failure(target, input, place, error);
  }
}

function failure(target: FuzzTarget, input: Uint8Array, place: string, cause?: unknown): Error {
  const shown = inspect(Buffer.from(input).toString("latin1"), { maxStringLength: 2000 });
  return new Error(`--target ${target.name} ${place}\ninput ${shown}`, { cause });
}
