// Says whether the operations on one key have an order that keeps real time and that a register
// could have answered so. Wing and Gong 1993 with Lowe's memo over (set of operations placed,
// value). Sound and complete within the step limit; beyond it the answer is "unknown", never "ok".
import { describe, type Operation } from "./history.ts";
import { matters, neverChanges, step, type Value, writtenValue } from "./register.ts";

export type Verdict =
  | { readonly kind: "ok"; readonly operations: number }
  | {
      readonly kind: "violation";
      /** Smallest bad beginning: the history up to the first answer that nothing explains. */
      readonly prefix: readonly Operation[];
      /** That answer. */
      readonly last: Operation;
      readonly text: string;
    }
  | { readonly kind: "unknown"; readonly steps: number };

export interface CheckOptions {
  readonly initial?: Value;
  readonly stepsMax?: number;
}

const STEPS_MAX = 2_000_000;
const TEXT_OPERATIONS_MAX = 30;

/** `operations`: all on one key, in any order; fast where each value is written once. */
export function checkKey(operations: readonly Operation[], options: CheckOptions = {}): Verdict {
  const relevant = operations.filter(matters);
  const found = search(relevant, options);
  if (found.kind === "ok") return { kind: "ok", operations: relevant.length };
  if (found.kind === "unknown") return found;
  return smallest(relevant, options);
}

type Found = { readonly kind: "ok" | "bad" } | { readonly kind: "unknown"; readonly steps: number };

/**
 * First without the writes whose outcome is unknown and that nobody saw: they may never have
 * happened, and each doubles the search. Only if that explains nothing, with them.
 */
function search(operations: readonly Operation[], options: CheckOptions): Found {
  const settled = settle(operations);
  const certain = settled.filter(({ returnedAt }) => Number.isFinite(returnedAt));
  const limit = options.stepsMax ?? STEPS_MAX;
  const first = new Search(certain, options.initial ?? null).run(limit);
  if (first.kind === "ok" || certain.length === settled.length) return first;
  return new Search(settled, options.initial ?? null).run(limit);
}

/**
 * A write whose outcome is unknown but whose value was seen took effect before that sight ended.
 * Values are unique, so this loses no order.
 */
function settle(operations: readonly Operation[]): readonly Operation[] {
  const seenBy = new Map<string, number>();
  const see = (value: string | null | undefined, at: number): void => {
    if (typeof value === "string") seenBy.set(value, Math.min(seenBy.get(value) ?? at, at));
  };
  const writers = countWriters(operations);
  for (const operation of operations) {
    const { output, input, returnedAt } = operation;
    if (output.kind !== "ok") continue;
    see(output.value, returnedAt);
    if (input.condition?.kind === "value") see(input.condition.value, returnedAt);
  }
  return operations.map((operation) => {
    const written = writtenValue(operation);
    const at = written === undefined ? undefined : seenBy.get(written);
    if (operation.output.kind !== "unknown") return operation;
    if (written === undefined || at === undefined || writers.get(written) !== 1) {
      return { ...operation, returnedAt: Number.POSITIVE_INFINITY };
    }
    const returnedAt = Math.max(at, operation.invokedAt);
    return { ...operation, returnedAt, output: { kind: "ok" } };
  });
}

function countWriters(operations: readonly Operation[]): Map<string, number> {
  const writers = new Map<string, number>();
  for (const written of operations.map(writtenValue)) {
    if (written !== undefined) writers.set(written, (writers.get(written) ?? 0) + 1);
  }
  return writers;
}

/** The value that an answered operation must have met. */
function wantedValue({ output, input, returnedAt }: Operation): string | undefined {
  if (output.kind !== "ok" || !Number.isFinite(returnedAt)) return undefined;
  if (input.condition?.kind === "value") return input.condition.value;
  return output.value ?? undefined;
}

interface Level {
  readonly candidates: readonly number[];
  next: number;
  /** Operation placed by the candidate in work, and the value before it. */
  placed: number;
  readonly value: Value;
}

/** Depth first over the orders; operations not placed yet form a list that shrinks and grows. */
class Search {
  readonly #operations: readonly Operation[];
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #bits: Uint16Array;
  readonly #seen = new Set<string>();
  readonly #initial: Value;
  readonly #head: number;
  /** Operations not placed yet that must meet a value, by value; only values written once. */
  readonly #wanted = new Map<string, number>();
  #open: number;

  constructor(operations: readonly Operation[], initial: Value) {
    this.#operations = operations.toSorted((a, b) => a.invokedAt - b.invokedAt);
    this.#initial = initial;
    const count = operations.length;
    this.#head = count;
    this.#next = Int32Array.from({ length: count + 1 }, (_, at) => (at === count ? 0 : at + 1));
    this.#previous = Int32Array.from({ length: count + 1 }, (_, at) => (at === 0 ? count : at - 1));
    this.#bits = new Uint16Array(Math.ceil((count + 1) / 16));
    this.#open = operations.filter(({ returnedAt }) => Number.isFinite(returnedAt)).length;
    const writers = countWriters(operations);
    for (const [value, count] of writers) if (count === 1) this.#wanted.set(value, 0);
    for (const operation of operations) this.#want(operation, 1);
  }

  run(stepsMax: number): Found {
    const levels: Level[] = [this.#level(this.#initial)];
    let steps = 0;
    while (this.#open > 0) {
      const level = levels.at(-1);
      if (level === undefined) return { kind: "bad" };
      if (level.placed >= 0) this.#unplace(level.placed);
      level.placed = -1;
      const candidate = level.candidates[level.next];
      if (candidate === undefined) {
        levels.pop();
        continue;
      }
      level.next += 1;
      steps += 1;
      if (steps > stepsMax) return { kind: "unknown", steps };
      const value = step(this.#operation(candidate), level.value);
      if (value === undefined) continue;
      this.#place(candidate);
      level.placed = candidate;
      const open = !Number.isFinite(this.#operation(candidate).returnedAt);
      if (this.#isNew(value, open)) levels.push(this.#level(value, open));
    }
    return { kind: "ok" };
  }

  /**
   * Those that may come next: begun before any other that is not placed had ended. One that fits
   * now and changes nothing is placed at once: whatever order works without it works after it. A
   * value that somebody still has to see is not replaced: it never comes again. After one that may
   * never have been (`afterOpen`) only one that depends on the value: before others it makes no
   * difference.
   */
  #level(value: Value, afterOpen = false): Level {
    const certain: number[] = [];
    const open: number[] = [];
    let firstReturn = Number.POSITIVE_INFINITY;
    const wanted = value === null ? 0 : (this.#wanted.get(value) ?? 0);
    for (
      let at = this.#at(this.#next, this.#head);
      at !== this.#head;
      at = this.#at(this.#next, at)
    ) {
      const operation = this.#operation(at);
      const { invokedAt, returnedAt } = operation;
      if (invokedAt > firstReturn) break;
      firstReturn = Math.min(firstReturn, returnedAt);
      if (neverChanges(operation) && step(operation, value) !== undefined) {
        return { candidates: [at], next: 0, placed: -1, value };
      }
      if (wanted > 0 && (wanted > 1 || wantedValue(operation) !== value)) continue;
      if (afterOpen && operation.input.condition === undefined) continue;
      if (Number.isFinite(returnedAt)) certain.push(at);
      else if (step(operation, value) !== value) open.push(at);
    }
    // What must come, first what ended first; what may never have been, last.
    const ends = (at: number): number => this.#operation(at).returnedAt;
    certain.sort((a, b) => ends(a) - ends(b));
    return { candidates: [...certain, ...open], next: 0, placed: -1, value };
  }

  #place(at: number): void {
    const next = this.#at(this.#next, at);
    const previous = this.#at(this.#previous, at);
    this.#next[previous] = next;
    this.#previous[next] = previous;
    this.#flip(at);
    this.#want(this.#operation(at), -1);
    if (Number.isFinite(this.#operation(at).returnedAt)) this.#open -= 1;
  }

  /** In the reverse order of placing: the links of `at` are then as they were. */
  #unplace(at: number): void {
    this.#next[this.#at(this.#previous, at)] = at;
    this.#previous[this.#at(this.#next, at)] = at;
    this.#flip(at);
    this.#want(this.#operation(at), 1);
    if (Number.isFinite(this.#operation(at).returnedAt)) this.#open += 1;
  }

  #want(operation: Operation, by: number): void {
    const value = wantedValue(operation);
    const wanted = value === undefined ? undefined : this.#wanted.get(value);
    if (value !== undefined && wanted !== undefined) this.#wanted.set(value, wanted + by);
  }

  #flip(at: number): void {
    const word = at >> 4;
    this.#bits[word] = (this.#bits[word] ?? 0) ^ (1 << (at & 15));
  }

  #isNew(value: Value, open: boolean): boolean {
    const kind = `${open ? "?" : ""}${value === null ? "-" : `+${value}`}`;
    const name = `${String.fromCharCode(...this.#bits)}${kind}`;
    if (this.#seen.has(name)) return false;
    this.#seen.add(name);
    return true;
  }

  #operation(at: number): Operation {
    const operation = this.#operations[at];
    if (operation === undefined) throw new Error(`no operation ${at}`);
    return operation;
  }

  #at(links: Int32Array, at: number): number {
    return links[at] ?? this.#head;
  }
}

/** A history is bad from some answer on: found by halving over the ends. */
function smallest(operations: readonly Operation[], options: CheckOptions): Verdict {
  const ended = operations
    .filter(({ returnedAt, output }) => Number.isFinite(returnedAt) && output.kind !== "unknown")
    .toSorted((a, b) => a.returnedAt - b.returnedAt);
  let good = 0;
  let bad = ended.length;
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    const found = search(until(operations, ended[middle - 1]), options);
    if (found.kind === "unknown") return found;
    if (found.kind === "ok") good = middle;
    else bad = middle;
  }
  const last = ended[bad - 1];
  if (last === undefined) throw new Error("a history without answers cannot be bad");
  const prefix = until(operations, last).toSorted((a, b) => a.invokedAt - b.invokedAt);
  const shown = prefix.slice(-TEXT_OPERATIONS_MAX).map(describe);
  const text = [`no order explains: ${describe(last)}`, ...shown].join("\n");
  return { kind: "violation", prefix, last, text };
}

/** The history as it was known when `last` returned: what ran on has no outcome yet. */
function until(operations: readonly Operation[], last: Operation | undefined): Operation[] {
  const end = last?.returnedAt ?? 0;
  return operations
    .filter(({ invokedAt }) => invokedAt <= end)
    .map((operation): Operation => {
      if (operation.returnedAt <= end) return operation;
      const output = { kind: "unknown", why: "still running" } as const;
      return { ...operation, returnedAt: Number.POSITIVE_INFINITY, output };
    })
    .filter(matters);
}
