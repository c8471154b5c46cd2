// What the Raft log is asked to do, as the records that say it.
import { assert, present } from "../lib/base/assert.ts";
import type { HardState, RaftEntry } from "../lib/raft/core.ts";
import type { LogWrite } from "../lib/raft/types.ts";
import { encodeGroupMeta, encodeNumbers, RECORD_TYPES } from "./log-format.ts";
import type { GroupLog } from "./log-group.ts";
import { readEntries } from "./log-read.ts";
import type { NewRecord } from "./log-segment.ts";

const NOTHING = new Uint8Array(0);

export function writeRecords(write: LogWrite): NewRecord[] {
  const { groupId, start, restoring, entries = [], hardState } = write;
  const records: NewRecord[] = [];
  if (start !== undefined) {
    records.push({ type: RECORD_TYPES.start, groupId, ...start, payload: NOTHING });
  }
  if (restoring !== undefined) {
    records.push({ type: RECORD_TYPES.restoring, groupId, ...restoring, payload: NOTHING });
  }
  entries.forEach((entry, at) => {
    const expected = present(entries[0], "entry").index + at;
    assert(entry.index === expected, `log: entry ${entry.index} where ${expected} belongs`);
    records.push(entryRecord(groupId, entry));
  });
  if (hardState !== undefined) records.push(hardStateRecord(groupId, hardState));
  assert(records.length > 0, "log: an empty write");
  return records;
}

function entryRecord(groupId: number, entry: RaftEntry): NewRecord {
  const { index, term, kind, data } = entry;
  const type = kind === "members" ? RECORD_TYPES.membersEntry : RECORD_TYPES.entry;
  return { type, groupId, index, term, payload: data };
}

function hardStateRecord(groupId: number, { term, vote, commit }: HardState): NewRecord {
  const payload = encodeNumbers([vote]);
  return { type: RECORD_TYPES.hardState, groupId, index: commit, term, payload };
}

export function compactRecord(groupId: number, index: number, term: number): NewRecord {
  return { type: RECORD_TYPES.compact, groupId, index, term, payload: NOTHING };
}

export function metaRecord(group: GroupLog): NewRecord {
  const { groupId } = group;
  const payload = encodeGroupMeta(group.meta());
  return { type: RECORD_TYPES.meta, groupId, index: 0, term: 0, payload };
}

/**
 * Fails before anything is written that replay would refuse: a hole in a group's log, a record of a
 * group that has no beginning.
 */
export function assertReplayable(
  records: readonly NewRecord[],
  groups: ReadonlyMap<number, GroupLog>,
): void {
  const lastIndexes = new Map<number, number | undefined>();
  for (const { type, groupId, index } of records) {
    const last = lastIndexes.has(groupId)
      ? lastIndexes.get(groupId)
      : groups.get(groupId)?.lastIndex;
    const begun = last !== undefined || type === RECORD_TYPES.start;
    assert(begun, `log of group ${groupId}: it has no beginning`);
    if (type === RECORD_TYPES.start) {
      lastIndexes.set(groupId, index);
    } else if (type === RECORD_TYPES.remove) {
      lastIndexes.set(groupId, undefined);
    } else if (type === RECORD_TYPES.entry || type === RECORD_TYPES.membersEntry) {
      assert(index <= (last ?? 0) + 1, `log of group ${groupId}: entry ${index} after ${last}`);
      lastIndexes.set(groupId, index);
    }
  }
}

/**
 * A group's whole log once more, to be written as one batch. Throws "corrupt" when it cannot be
 * read.
 */
export async function moveRecords(group: GroupLog): Promise<NewRecord[]> {
  const { groupId } = group;
  const { snapshotIndex, snapshotTerm, lastIndex, hardState, restoring } = group.state();
  const records = writeRecords({
    groupId,
    start: { index: snapshotIndex, term: snapshotTerm },
    hardState,
    ...(restoring === undefined ? {} : { restoring }),
  });
  for (let firstIndex = snapshotIndex + 1; firstIndex <= lastIndex; ) {
    const range = { groupId, firstIndex, lastIndex, bytesMax: 4 * 1024 * 1024 };
    const entries = await readEntries(group, range);
    for (const entry of entries) records.push(entryRecord(groupId, entry));
    firstIndex += entries.length;
  }
  return records;
}
