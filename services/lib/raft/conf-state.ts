// The membership of a group as bytes, for state machines to store and snapshots to carry. Empty
// bytes stand for no membership at all: a replica that waits to be added.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { toSafeNumber } from "../base/bytes.ts";
import { StoreError } from "../base/errors.ts";
import { MembershipSchema } from "../gen/dolium/raft/v1/raft_pb.ts";
import type { ConfState, RaftId } from "./core.ts";

export const NO_MEMBERS: ConfState = {
  voters: [],
  learners: [],
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
};

/** The membership a group begins with. */
export function initialMembers(voters: readonly RaftId[]): ConfState {
  return { ...NO_MEMBERS, voters: [...voters].sort((a, b) => a - b) };
}

export function encodeConfState(confState: ConfState): Uint8Array {
  return toBinary(
    MembershipSchema,
    create(MembershipSchema, {
      voters: confState.voters.map(BigInt),
      learners: confState.learners.map(BigInt),
      votersOutgoing: confState.votersOutgoing.map(BigInt),
      learnersNext: confState.learnersNext.map(BigInt),
      autoLeave: confState.autoLeave,
    }),
  );
}

/** Throws StoreError "corrupt" for bytes that are no membership. */
export function decodeConfState(bytes: Uint8Array): ConfState {
  try {
    const membership = fromBinary(MembershipSchema, bytes);
    return {
      voters: membership.voters.map(toSafeNumber),
      learners: membership.learners.map(toSafeNumber),
      votersOutgoing: membership.votersOutgoing.map(toSafeNumber),
      learnersNext: membership.learnersNext.map(toSafeNumber),
      autoLeave: membership.autoLeave,
    };
  } catch (error) {
    throw new StoreError("corrupt", "bytes that are no membership", { cause: error });
  }
}

/** Whether nobody but this node votes by the membership that is applied. */
export function isOnlyVoter({
  nodeId,
  machine,
}: {
  readonly nodeId: RaftId;
  readonly machine: { confState(): Uint8Array };
}): boolean {
  const { voters, votersOutgoing } = decodeConfState(machine.confState());
  return voters.length === 1 && voters[0] === nodeId && votersOutgoing.length === 0;
}

/** Everyone who takes part in any way. */
export function membersOf(confState: ConfState): RaftId[] {
  const { voters, learners, votersOutgoing, learnersNext } = confState;
  const all = new Set([...voters, ...learners, ...votersOutgoing, ...learnersNext]);
  return [...all].sort((a, b) => a - b);
}
