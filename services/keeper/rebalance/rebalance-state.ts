// Where rebalancing stands, and its form in the note of its lease, so that another keeper goes on
// there. A note that cannot be read (an older or newer release wrote it) begins anew.
import { fromUtf8, utf8 } from "../../lib/base/bytes.ts";

/**
 * "waiting": for the layout to stand still, or for another try. "counting" and "moving" are walks
 * over all manifests. "settled": a whole count found every shard where the layout wants it.
 */
export type RebalancePhase = "waiting" | "counting" | "moving" | "settled";

const PHASES: readonly RebalancePhase[] = ["waiting", "counting", "moving", "settled"];

export interface RebalanceState {
  /** Of the layout this is about. */
  readonly signature: string;
  readonly phase: RebalancePhase;
  /** Milliseconds since 1970, by the root leader's clock, at which the phase began. */
  readonly sinceMs: number;
  /** The same for the last count that was finished; 0: none yet under this layout. */
  readonly countedMs: number;
  /** Walks go through the groups in order; this one is under way, after `cursor` (hexadecimal). */
  readonly groupId: number;
  readonly cursor: string;
  /** Shards elsewhere than they should be, as far as the last or present count found. */
  readonly shards: number;
  readonly bytes: number;
  /** Moved since the layout changed, and by the present walk. */
  readonly movedShards: number;
  readonly movedBytes: number;
  readonly walkShards: number;
  readonly walkBytes: number;
  /** Shards on nodes that are being emptied, by node id, as the last whole count found. */
  readonly leaving: Readonly<Record<string, number>>;
  /** The same, of the count under way. */
  readonly leavingSoFar: Readonly<Record<string, number>>;
  /** Nodes and disks of which any may fail: the least of all whole chunks; empty: none found. */
  readonly survives: Readonly<Record<string, number>>;
  /** The same, of the count under way. */
  readonly survivesSoFar: Readonly<Record<string, number>>;
  /** Counts in a row that found nothing to do. */
  readonly settledCounts: number;
}

export const NO_STATE: RebalanceState = {
  signature: "",
  phase: "waiting",
  sinceMs: 0,
  countedMs: 0,
  groupId: 0,
  cursor: "",
  shards: 0,
  bytes: 0,
  movedShards: 0,
  movedBytes: 0,
  walkShards: 0,
  walkBytes: 0,
  leaving: {},
  leavingSoFar: {},
  survives: {},
  survivesSoFar: {},
  settledCounts: 0,
};

export function encodeState(state: RebalanceState): Uint8Array {
  return utf8(JSON.stringify(state));
}

export function decodeState(note: Uint8Array): RebalanceState {
  if (note.byteLength === 0) return NO_STATE;
  try {
    return stateOf(JSON.parse(fromUtf8(note) ?? "")) ?? NO_STATE;
  } catch (error) {
    if (error instanceof SyntaxError) return NO_STATE;
    throw error;
  }
}

const COUNTS = [
  ...(["sinceMs", "countedMs", "groupId", "shards", "bytes", "movedShards"] as const),
  ...(["movedBytes", "walkShards", "walkBytes", "settledCounts"] as const),
];

function stateOf(fields: unknown): RebalanceState | undefined {
  if (typeof fields !== "object" || fields === null) return undefined;
  const named = new Map<string, unknown>(Object.entries(fields));
  const { signature, cursor } = { signature: named.get("signature"), cursor: named.get("cursor") };
  const phase = PHASES.find((candidate) => candidate === named.get("phase"));
  const [leaving, leavingSoFar, survives, survivesSoFar] = [
    ...["leaving", "leavingSoFar", "survives", "survivesSoFar"],
  ].map((name) => countsOf(named.get(name)));
  if (typeof signature !== "string" || typeof cursor !== "string") return undefined;
  if (phase === undefined || leaving === undefined || leavingSoFar === undefined) return undefined;
  if (!/^([0-9a-f]{2})*$/.test(cursor)) return undefined;
  if (survives === undefined || survivesSoFar === undefined) return undefined;
  const found = { leaving, leavingSoFar, survives, survivesSoFar };
  const state = { ...NO_STATE, signature, cursor, phase, ...found };
  for (const name of COUNTS) {
    const value = named.get(name);
    if (!isCount(value)) return undefined;
    Object.assign(state, { [name]: value });
  }
  return state;
}

function countsOf(value: unknown): Readonly<Record<string, number>> | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const entries = Object.entries(value).flatMap(([node, count]: [string, unknown]) =>
    isCount(count) ? [[node, count] as const] : [],
  );
  return Object.fromEntries(entries);
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
