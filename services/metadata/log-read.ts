// Reads entries back from the segments, for followers that lag behind and for replay after a start.
// Every record is checked again, and that it is the very entry asked for.
import { assert, present } from "../lib/base/assert.ts";
import { StoreError } from "../lib/base/errors.ts";
import type { RaftEntry } from "../lib/raft/core.ts";
import type { DecodedRecord } from "./log-format.ts";
import { RECORD_HEADER_BYTES, RECORD_TYPES } from "./log-format.ts";
import type { EntryPosition, GroupLog } from "./log-group.ts";

/** Records of other groups that are read over rather than seeked over. */
const GAP_BYTES_MAX = 64 * 1024;
/** One read of the file. */
const READ_BYTES_MAX = 4 * 1024 * 1024;

interface EntryRange {
  readonly groupId: number;
  readonly firstIndex: number;
  readonly lastIndex: number;
  readonly bytesMax: number;
}

/** See RaftLog.entries. */
export async function readEntries(
  group: GroupLog | undefined,
  range: EntryRange,
): Promise<RaftEntry[]> {
  assert(range.firstIndex <= range.lastIndex, "log: an empty range");
  const positions = choose(group, range);
  const entries: RaftEntry[] = [];
  for (let at = 0; at < positions.length; ) {
    const run = nextRun(positions, at);
    const segment = present(run[0], "position").segment;
    const records = await segment.read(
      run.map(({ offset, payloadBytes }) => ({
        offset,
        bytes: RECORD_HEADER_BYTES + payloadBytes,
      })),
    );
    for (const [step, found] of records.entries()) {
      const index = range.firstIndex + at + step;
      entries.push(toEntry(found, index, { groupId: range.groupId, position: run[step] }));
    }
    at += run.length;
  }
  return entries;
}

/** Positions are taken before the first wait: what is cut meanwhile stays readable in its file. */
function choose(group: GroupLog | undefined, range: EntryRange): EntryPosition[] {
  const positions: EntryPosition[] = [];
  let bytes = 0;
  for (let index = range.firstIndex; index <= range.lastIndex; index += 1) {
    const position = group?.position(index);
    if (position === undefined) {
      throw new StoreError("not-found", `log of group ${range.groupId}: no entry ${index}`);
    }
    bytes += position.payloadBytes;
    if (positions.length > 0 && bytes > range.bytesMax) break;
    positions.push(position);
  }
  return positions;
}

/** Positions from `at` on that lie close together in one segment. */
function nextRun(positions: readonly EntryPosition[], at: number): EntryPosition[] {
  const first = present(positions[at], "position");
  const run = [first];
  let end = first.offset + RECORD_HEADER_BYTES + first.payloadBytes;
  for (const next of positions.slice(at + 1)) {
    const nextEnd = next.offset + RECORD_HEADER_BYTES + next.payloadBytes;
    const near = next.offset >= end && next.offset - end <= GAP_BYTES_MAX;
    if (next.segment !== first.segment || !near || nextEnd - first.offset > READ_BYTES_MAX) break;
    run.push(next);
    end = nextEnd;
  }
  return run;
}

function toEntry(
  { record }: DecodedRecord,
  index: number,
  wanted: { readonly groupId: number; readonly position: EntryPosition | undefined },
): RaftEntry {
  const { term, kind } = present(wanted.position, "position");
  const type = kind === "members" ? RECORD_TYPES.membersEntry : RECORD_TYPES.entry;
  const right = record.groupId === wanted.groupId && record.index === index;
  if (!right || record.term !== term || record.type !== type) {
    throw new StoreError("corrupt", `log of group ${wanted.groupId}: not the entry ${index}`);
  }
  return { index, term, kind, data: record.payload };
}
