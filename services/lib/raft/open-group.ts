// Brings log and state of one replica together before the core opens it: creates both for a new
// group, finishes a restore that a crash cut short, and refuses what proves that something durable
// was lost.
import { StoreError } from "../base/errors.ts";
import { decodeConfState, encodeConfState, initialMembers, NO_MEMBERS } from "./conf-state.ts";
import type { GroupOptions, RaftId } from "./core.ts";
import type { GroupLogState, RaftLog, StateMachine } from "./types.ts";

export interface OpeningGroup {
  readonly groupId: number;
  readonly log: RaftLog;
  readonly machine: StateMachine;
  /** The first voters, the same list on each, when this replica begins the group; else left out. */
  readonly bootstrap?: readonly RaftId[];
}

/** Where every group begins: a later replica can then only join through a snapshot. */
const FIRST = { index: 1, term: 1 };

/**
 * Makes log and state ready to be opened, durably. Throws "corrupt" when the log or the state has
 * lost what it held: this replica must not vote again under its id.
 */
export async function prepareGroup(opening: OpeningGroup): Promise<void> {
  const { groupId, log, machine } = opening;
  const state = log.state(groupId);
  if (state === undefined) await createGroup(opening);
  else if (restoreWasCut(state, machine, log.term(groupId, machine.appliedIndex))) {
    const { appliedIndex: index, appliedTerm: term } = machine;
    await log.append([{ groupId, start: { index, term } }]);
  } else {
    checkAgreement(opening, state);
    if (state.restoring !== undefined) {
      await log.append([{ groupId, restoring: { index: 0, term: 0 } }]);
    }
  }
}

async function createGroup({ groupId, log, machine, bootstrap }: OpeningGroup): Promise<void> {
  const begun = machine.appliedIndex === FIRST.index && machine.appliedTerm === FIRST.term;
  if (machine.appliedIndex !== 0 && !(begun && bootstrap !== undefined)) {
    throw new StoreError("corrupt", `group ${groupId} has a state but no log`);
  }
  if (bootstrap === undefined) {
    await log.append([{ groupId, start: { index: 0, term: 0 } }]);
    return;
  }
  if (bootstrap.length === 0) throw new StoreError("invalid", "a group begins with a voter");
  const confState = encodeConfState(initialMembers(bootstrap));
  await machine.restore({ ...FIRST, confState }, noChunks());
  const hardState = { term: FIRST.term, vote: 0, commit: FIRST.index };
  await log.append([{ groupId, start: FIRST, hardState }]);
}

/** The state was replaced durably, the log was not yet. */
function restoreWasCut(
  state: GroupLogState,
  machine: StateMachine,
  termInLog: number | undefined,
): boolean {
  const { restoring } = state;
  const reached =
    restoring?.index === machine.appliedIndex && restoring.term === machine.appliedTerm;
  return reached && termInLog !== machine.appliedTerm;
}

function checkAgreement({ groupId, log, machine }: OpeningGroup, state: GroupLogState): void {
  const { appliedIndex, appliedTerm } = machine;
  const what = `group ${groupId}: state at ${appliedIndex}`;
  if (appliedIndex < state.snapshotIndex) {
    throw new StoreError("corrupt", `${what}, log begins after ${state.snapshotIndex}`);
  }
  if (appliedIndex > state.lastIndex) {
    throw new StoreError("corrupt", `${what}, log ends at ${state.lastIndex}`);
  }
  if (state.hardState.commit > state.lastIndex) {
    throw new StoreError(
      "corrupt",
      `group ${groupId}: committed ${state.hardState.commit}, log ends at ${state.lastIndex}`,
    );
  }
  const term = log.term(groupId, appliedIndex);
  if (term !== appliedTerm) {
    throw new StoreError("corrupt", `${what} of term ${appliedTerm}, log says ${term}`);
  }
}

/** What the core needs to open the replica again after `prepareGroup`. */
export function groupOptions(
  { groupId, log, machine }: OpeningGroup,
  timing: Pick<GroupOptions, "nodeId" | "electionTicks" | "heartbeatTicks">,
): GroupOptions {
  const state = log.state(groupId);
  if (state === undefined) throw new StoreError("internal", `group ${groupId} was not prepared`);
  const { hardState, snapshotIndex, snapshotTerm, lastIndex, termRuns, membersIndexes } = state;
  const { appliedIndex } = machine;
  const stored = machine.confState();
  return {
    ...timing,
    groupId,
    hardState: {
      term: Math.max(hardState.term, machine.appliedTerm),
      vote: hardState.term >= machine.appliedTerm ? hardState.vote : 0,
      commit: Math.max(hardState.commit, appliedIndex),
    },
    confState: stored.byteLength === 0 ? NO_MEMBERS : decodeConfState(stored),
    appliedIndex,
    snapshotIndex,
    snapshotTerm,
    lastIndex,
    termRuns,
    membersIndexes: membersIndexes.filter((index) => index > appliedIndex),
  };
}

async function* noChunks(): AsyncIterable<Uint8Array> {
  // An empty state has no chunks.
}
