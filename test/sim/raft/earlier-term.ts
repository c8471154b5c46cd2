// The core with a mistake in front of it: a leader that counts replicas of entries of earlier terms
// hands them out as committed (paper 5.4.2 forbids it). Whoever drives it sees what a core with
// that mistake inside would show of itself; what it tells its followers stays right.
import type { RaftCore, RaftEntry, RaftId, Ready } from "../../../services/lib/raft/core.ts";

interface Early {
  /** Entries of this life by index. */
  readonly entries: Map<number, RaftEntry>;
  /** Up to here entries were handed out. */
  handedOut: number;
  number: number;
  persisted: number;
}

export function withoutTermCheck(core: RaftCore): RaftCore {
  const groups = new Map<RaftId, Early>();
  const ready = core.ready.bind(core);
  const onPersisted = core.onPersisted.bind(core);
  const onApplied = core.onApplied.bind(core);
  core.ready = (groupId) => {
    const real = ready(groupId);
    const early = groups.get(groupId) ?? newEarly();
    groups.set(groupId, early);
    if (real !== undefined) note(early, real);
    const more = earlyEntries(core, groupId, early);
    if (more.length === 0) return real === undefined ? undefined : withoutKnown(real, early, more);
    return withoutKnown(real ?? nothing(early.number), early, more);
  };
  core.onPersisted = (groupId, number) => {
    const early = groups.get(groupId);
    if (early !== undefined && number <= early.persisted) return;
    if (early !== undefined) early.persisted = number;
    onPersisted(groupId, number);
  };
  core.onApplied = (groupId, index) => {
    const { applied, commit } = core.status(groupId);
    const known = Math.min(index, commit);
    if (known > applied) onApplied(groupId, known);
  };
  return core;
}

function newEarly(): Early {
  return { entries: new Map(), handedOut: 0, number: 0, persisted: 0 };
}

function note(early: Early, ready: Ready): void {
  early.number = ready.number;
  for (const entry of ready.entries) early.entries.set(entry.index, entry);
}

/** What a majority of the voters has beyond the commit index, whatever its term. */
function earlyEntries(core: RaftCore, groupId: RaftId, early: Early): RaftEntry[] {
  const { role, commit, confState, peers, persisted } = core.status(groupId);
  if (role !== "leader") return [];
  const matches = confState.voters.map((voter) => {
    const peer = peers.find(({ nodeId }) => nodeId === voter);
    return peer === undefined ? persisted : peer.match;
  });
  const median = matches.sort((a, b) => b - a)[Math.floor(matches.length / 2)] ?? 0;
  const found: RaftEntry[] = [];
  for (let index = Math.max(commit, early.handedOut) + 1; index <= median; index += 1) {
    const entry = early.entries.get(index);
    if (entry === undefined) break;
    found.push(entry);
  }
  return found;
}

function withoutKnown(ready: Ready, early: Early, more: readonly RaftEntry[]): Ready {
  const fresh = ready.committedEntries.filter(({ index }) => index > early.handedOut);
  const last = fresh.at(-1)?.index ?? early.handedOut;
  const committedEntries = [...fresh, ...more.filter(({ index }) => index > last)];
  early.handedOut = committedEntries.at(-1)?.index ?? early.handedOut;
  return { ...ready, committedEntries };
}

function nothing(number: number): Ready {
  return {
    number,
    entries: [],
    messages: [],
    persistedMessages: [],
    committedEntries: [],
    readStates: [],
    entryFetches: [],
    snapshotRequests: [],
    mustSync: false,
  };
}
