// Bugs planted on purpose, in the parts around the host, to prove that the checks can fail. Each is
// one that real systems have had.
import type { RaftCore } from "../../../services/lib/raft/core.ts";
import type { GroupLogState, RaftLog } from "../../../services/lib/raft/types.ts";
import type { SimDisk } from "../disk.ts";
import { withoutTermCheck } from "./earlier-term.ts";

export const PLANTED_BUGS = [
  /** Term and vote are forgotten in a restart: a node may vote twice in a term. */
  "hard-state-forgotten",
  /** Messages that imply durable entries go out before the sync. */
  "ack-before-sync",
  /** A restart drops the end of the log and goes on. */
  "log-tail-lost",
  /** Reads are answered from local state without asking anybody. */
  "stale-read",
  /** Proposals are answered when appended, not when committed. */
  "reply-before-commit",
  /** The state machine says "durable" before it is, and the log is cut. */
  "flush-not-durable",
  /** A node that lost its disk comes back under its old id. */
  "id-reused",
] as const;
/**
 * A leader counts replicas of entries of earlier terms and commits by them (paper 5.4.2 forbids
 * it). It takes a history that faults at random do not make; `figure-eight.ts` does.
 */
export const EARLIER_TERM = "commit-of-earlier-term";
export type PlantedBug = (typeof PLANTED_BUGS)[number] | typeof EARLIER_TERM;

/** The log as the host sees it. */
export function plantInLog(bug: PlantedBug | undefined, log: RaftLog): RaftLog {
  if (bug === "hard-state-forgotten") {
    return { ...bound(log), state: (groupId) => forgetHardState(log.state(groupId)) };
  }
  if (bug === "ack-before-sync") {
    const append: RaftLog["append"] = (writes) => {
      const done = log.append(writes);
      if (writes.some((write) => write.entries === undefined)) return done;
      done.catch(() => undefined);
      return Promise.resolve();
    };
    return { ...bound(log), append };
  }
  return log;
}

function bound(log: RaftLog): RaftLog {
  return {
    groups: () => log.groups(),
    state: (groupId) => log.state(groupId),
    append: (writes) => log.append(writes),
    noteHardState: (groupId, hardState) => log.noteHardState(groupId, hardState),
    entries: (range) => log.entries(range),
    term: (groupId, index) => log.term(groupId, index),
    size: (groupId) => log.size(groupId),
    keepPoint: (groupId, count, bytes) => log.keepPoint(groupId, count, bytes),
    compact: (groupId, index) => log.compact(groupId, index),
    remove: (groupId) => log.remove(groupId),
    close: () => log.close(),
  };
}

function forgetHardState(state: GroupLogState | undefined): GroupLogState | undefined {
  if (state === undefined) return undefined;
  const term = state.termRuns.at(-1)?.term ?? state.snapshotTerm;
  return { ...state, hardState: { term, vote: 0, commit: state.hardState.commit } };
}

/** The core as the host sees it; tells `appended` where each proposal went. */
export function plantInCore(
  bug: PlantedBug | undefined,
  core: RaftCore,
  appended: Map<string, number>,
): RaftCore {
  if (bug === EARLIER_TERM) return withoutTermCheck(core);
  if (bug !== "reply-before-commit") return core;
  return new Proxy(core, {
    get(target, name) {
      if (name !== "propose") {
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      }
      const propose: RaftCore["propose"] = (groupId, datas) => {
        const result = target.propose(groupId, datas);
        if (result.kind === "appended") {
          for (const [at, data] of datas.entries()) {
            appended.set(Buffer.from(data).toString(), result.firstIndex + at);
          }
        }
        return result;
      };
      return propose;
    },
  });
}

/** What a node finds on its disk when it starts. */
export async function plantInDisk(bug: PlantedBug | undefined, disk: SimDisk): Promise<void> {
  if (bug !== "log-tail-lost") return;
  const newest = disk.filePaths("raft").at(-1);
  if (newest === undefined) return;
  const file = await disk.open(newest, "write");
  await file.truncate(Math.max(64, (await file.size()) - 600));
  await file.datasync();
  await file.close();
}
