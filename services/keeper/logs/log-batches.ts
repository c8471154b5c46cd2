// Cuts the waiting log lines of one bucket into log objects. Where the cuts lie depends only on the
// entries, never on when one looks: entries of one interval of time belong together, and so many of
// them as reach the size of an object. So a keeper that dies between writing an object and
// finishing its entries is followed by one that cuts at the same place, or adds to the same object.
import { createHash } from "node:crypto";

export interface LogEntry {
  readonly sequence: bigint;
  readonly timeMs: number;
  readonly lines: readonly string[];
  readonly bytes: number;
}

export interface LogBatch {
  readonly entries: readonly LogEntry[];
  /** Nothing that comes later belongs to it. */
  readonly closed: boolean;
}

export interface LogCuts {
  readonly intervalMs: number;
  readonly objectBytes: number;
  /** Entries in one object, at most. */
  readonly entriesMax: number;
}

/** How long after its end an interval may still get entries. */
const SLACK_MS = 1000;

/** `entries` in the order of their sequences; every one of them is in a batch. */
export function cutBatches(
  entries: readonly LogEntry[],
  cuts: LogCuts,
  nowMs: number,
): readonly LogBatch[] {
  const batches: LogBatch[] = [];
  let open: LogEntry[] = [];
  let bytes = 0;
  const close = (): void => {
    if (open.length > 0) batches.push({ entries: open, closed: true });
    [open, bytes] = [[], 0];
  };
  for (const entry of entries) {
    const [first] = open;
    if (first !== undefined && intervalOf(first, cuts) !== intervalOf(entry, cuts)) close();
    open.push(entry);
    bytes += entry.bytes;
    if (bytes >= cuts.objectBytes || open.length >= cuts.entriesMax) close();
  }
  const [first] = open;
  if (first === undefined) return batches;
  const endsMs = (intervalOf(first, cuts) + 1) * cuts.intervalMs + SLACK_MS;
  return [...batches, { entries: open, closed: endsMs <= nowMs }];
}

function intervalOf({ timeMs }: LogEntry, { intervalMs }: LogCuts): number {
  return Math.floor(timeMs / intervalMs);
}

/** 16 hex digits that only these lines have: the same for the same first entry, always. */
export function uniqueName(groupId: number, bucketId: number, firstSequence: bigint): string {
  const hash = createHash("sha256").update(`${groupId}/${bucketId}/${firstSequence}`);
  return hash.digest("hex").slice(0, 16).toUpperCase();
}
