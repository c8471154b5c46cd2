// What the runner prints with --json, and how cases are named: OPERATION-SIZE-cCONNECTIONS.
// Scripts depend on both; fields are added, never changed. A test holds a run's document against
// `problems`.
import { isRecord } from "./plain-record.ts";

export const OPERATIONS = ["put", "get", "head", "delete", "list"] as const;
/** Measured too, and told beside the results under `others`. */
export const OTHER_OPERATIONS = ["multipart", "mixed"] as const;
export type Operation = (typeof OPERATIONS)[number] | (typeof OTHER_OPERATIONS)[number];

export const MODES = ["server", "cluster", "endpoint"] as const;
export type Mode = (typeof MODES)[number];

export interface Case {
  readonly operation: Operation;
  /** Bytes of an object. */
  readonly size: number;
  readonly connections: number;
  /**
   * Requests come at a fixed rate, whether or not answers keep up; latency counts from their time.
   */
  readonly isOpenLoop: boolean;
  /** Two storage nodes stand still meanwhile; only the local cluster can be asked for it. */
  readonly isDegraded: boolean;
}

export interface Figures {
  readonly mibPerSecond: number;
  readonly opsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Until the first byte of the answer. */
  readonly firstByteP50Ms: number;
  /** Processor time of the serving processes; null where they run elsewhere. */
  readonly cpuMsPerOperation: number | null;
}

/**
 * Medians over the rounds. `ratio`: rate of the store over that of the floor, pairwise by round.
 */
export interface Result extends Figures {
  readonly name: string;
  readonly mode: Mode;
  readonly rounds: number;
  readonly floor: Figures;
  readonly ratio: number;
}

export interface Machine {
  readonly processor: string;
  readonly processors: number;
  readonly memoryBytes: number;
  readonly platform: string;
  readonly node: string;
  /** Average over the last minute, before the run. */
  readonly load: number;
}

export interface BenchDocument {
  readonly machine: Machine;
  readonly results: readonly Result[];
  readonly others: readonly Result[];
  /** Cases that the time did not suffice for. */
  readonly skipped: readonly { readonly name: string; readonly mode: Mode }[];
  readonly payload: "unsigned" | "signed";
}

const UNITS: readonly (readonly [string, number])[] = [
  ["GiB", 2 ** 30],
  ["MiB", 2 ** 20],
  ["KiB", 2 ** 10],
  ["B", 1],
];
const SIZE_MAX = 2 ** 30;
const CONNECTIONS_MAX = 256;
const OPEN = "-open";
const DEGRADED = "-degraded";

export function sizeName(size: number): string {
  const [name, bytes] = UNITS.find(([, unit]) => size >= unit && size % unit === 0) ?? ["B", 1];
  return `${size / bytes}${name}`;
}

export function caseName({ operation, size, connections, isOpenLoop, isDegraded }: Case): string {
  const suffix = isOpenLoop ? OPEN : isDegraded ? DEGRADED : "";
  return `${operation}-${sizeName(size)}-c${connections}${suffix}`;
}

/** The case of a name; undefined where the name is none. */
export function parseCase(name: string): Case | undefined {
  const pattern = /^([a-z]+)-([1-9]\d*)(B|KiB|MiB|GiB)-c([1-9]\d*)(-open|-degraded)?$/;
  const [, verb, count, unitName, connectionsText, suffix] = pattern.exec(name) ?? [];
  const operation = [...OPERATIONS, ...OTHER_OPERATIONS].find((known) => known === verb);
  const unit = UNITS.find(([known]) => known === unitName)?.[1];
  if (operation === undefined || unit === undefined) return undefined;
  const size = Number(count) * unit;
  const connections = Number(connectionsText);
  if (size > SIZE_MAX || connections > CONNECTIONS_MAX) return undefined;
  const isDegraded = suffix === DEGRADED;
  return { operation, size, connections, isOpenLoop: suffix === OPEN, isDegraded };
}

/** Only these are named as the contract says; the others stand beside the results. */
export function isContractCase({ operation, isOpenLoop, isDegraded }: Case): boolean {
  return !isOpenLoop && !isDegraded && OPERATIONS.some((known) => known === operation);
}

const NAME = /^(?:put|get|head|delete|list)-[1-9]\d*(?:B|KiB|MiB|GiB)-c[1-9]\d*$/;
const FIGURES = ["mibPerSecond", "opsPerSecond", "p50Ms", "p99Ms"] as const;

/** What is wrong with a document, line by line; empty where it keeps the contract. */
export function problems(document: unknown): string[] {
  if (!isRecord(document)) return ["the document is no object"];
  const found: string[] = [];
  if (!isRecord(document.machine)) found.push("machine is no object");
  const { results } = document;
  if (!Array.isArray(results)) return [...found, "results is no array"];
  for (const [at, result] of results.entries()) {
    found.push(...resultProblems(result).map((problem) => `results[${at}]: ${problem}`));
  }
  return found;
}

function resultProblems(result: unknown): string[] {
  if (!isRecord(result)) return ["no object"];
  const found: string[] = [];
  if (typeof result.name !== "string" || !NAME.test(result.name)) found.push("name");
  if (!MODES.some((mode) => mode === result.mode)) found.push("mode");
  if (!isPositive(result.ratio)) found.push("ratio");
  const { floor } = result;
  if (!isRecord(floor)) return [...found, "floor"];
  for (const figure of FIGURES) {
    if (!isPositive(result[figure])) found.push(figure);
    if (!isPositive(floor[figure])) found.push(`floor.${figure}`);
  }
  return found;
}

/** Rates of operations without a body are 0 MiB a second. */
function isPositive(value: unknown): boolean {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}
