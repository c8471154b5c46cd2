// Opens Raft logs on simulated disks and writes entries that can be recognised again.

import type { Disk } from "../../../services/lib/ports/disk.ts";
import type { RaftEntry } from "../../../services/lib/raft/core.ts";
import { LogStore, type LogStoreOptions } from "../../../services/metadata/log-store.ts";
import { SimClock } from "../../sim/clock.ts";
import { recordingLog, silentMetrics } from "../../sim/observers.ts";
import { createSimRandom } from "../../sim/random.ts";

export function openLog(disk: Disk, options: Partial<LogStoreOptions> = {}): Promise<LogStore> {
  return LogStore.open({
    disk,
    path: "raft",
    random: createSimRandom(7),
    clock: new SimClock(),
    log: recordingLog(),
    metrics: silentMetrics(),
    ...options,
  });
}

export function entry(index: number, term = 1, bytes = 16): RaftEntry {
  const data = Buffer.alloc(bytes, `${index}@${term};`);
  return { index, term, kind: "normal", data };
}

export function entries(from: number, to: number, term = 1, bytes = 16): RaftEntry[] {
  return Array.from({ length: to - from + 1 }, (_, at) => entry(from + at, term, bytes));
}

export async function readAll(log: LogStore, groupId: number): Promise<RaftEntry[]> {
  const state = log.state(groupId);
  const all: RaftEntry[] = [];
  if (state === undefined) return all;
  while (state.snapshotIndex + all.length < state.lastIndex) {
    const firstIndex = state.snapshotIndex + all.length + 1;
    all.push(
      ...(await log.entries({ groupId, firstIndex, lastIndex: state.lastIndex, bytesMax: 1000 })),
    );
  }
  return all;
}

/** What a test compares: index, term and bytes as text. */
export function plain(list: readonly RaftEntry[]): string[] {
  return list.map(
    (one) => `${one.index}/${one.term}/${one.kind}/${Buffer.from(one.data).toString()}`,
  );
}
