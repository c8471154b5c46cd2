// Replaces one node by another in every group, as an operator or the metadata service would: remove
// the old id, add the new one as learner, make it a voter once it has caught up, or both at once in
// a joint change. Keeps trying whatever fails, as leaders come and go.
import { isStoreError } from "../../../services/lib/base/errors.ts";
import { membersOf } from "../../../services/lib/raft/conf-state.ts";
import type { MemberChange, RaftId } from "../../../services/lib/raft/core.ts";
import type { RaftGroup } from "../../../services/lib/raft/types.ts";
import type { World } from "./node.ts";

export interface Replacement {
  readonly oldId: RaftId;
  readonly newId: RaftId;
  /** Old out and new in by one joint change; else one step at a time. */
  readonly joint: boolean;
}

/** Resolves when every group has the new node as voter and not the old one. */
export async function replaceNode(world: World, replacement: Replacement): Promise<void> {
  for (const groupId of world.groupIds) {
    while (!(await step(world, groupId, replacement))) await world.clock.sleep(60);
  }
}

export function leaderOf(world: World, groupId: number): RaftGroup | undefined {
  const groups = [...world.nodes.values()].flatMap((node) => node.group(groupId) ?? []);
  const leaders = groups.filter((group) => group.isLeader());
  return leaders.sort((a, b) => b.status().term - a.status().term)[0];
}

/**
 * Until most of the new voters have applied the change, the old membership may still be asked for
 * votes: only then does the old node no longer count, and another one may be lost.
 */
function majorityKnows(world: World, groupId: number, { oldId, newId }: Replacement): boolean {
  const knowing = [...world.nodes.values()].filter((node) => {
    const members = node.group(groupId)?.status().members;
    if (members === undefined || !members.voters.includes(node.id)) return false;
    return members.voters.includes(newId) && !membersOf(members).includes(oldId);
  });
  const voters = leaderOf(world, groupId)?.status().members.voters ?? [];
  return knowing.length > voters.length / 2;
}

async function step(world: World, groupId: number, wanted: Replacement): Promise<boolean> {
  const leader = leaderOf(world, groupId);
  if (leader === undefined) return false;
  const { members, peers } = leader.status();
  if (members.votersOutgoing.length > 0) return false;
  const { oldId, newId, joint } = wanted;
  const changes: MemberChange[] = [];
  if (!membersOf(members).includes(newId)) {
    changes.push({ kind: "add-learner", nodeId: newId });
  } else if (members.learners.includes(newId)) {
    const peer = peers.find((one) => one.nodeId === newId);
    if (peer === undefined || peer.lagEntries > 5) return false;
    changes.push({ kind: "add-voter", nodeId: newId });
    if (joint) changes.push({ kind: "remove", nodeId: oldId });
  } else if (members.voters.includes(oldId)) {
    changes.push({ kind: "remove", nodeId: oldId });
  } else {
    return majorityKnows(world, groupId, wanted);
  }
  const changed = leader.changeMembers(changes, { deadlineMs: 1000 }).catch((error: unknown) => {
    if (!isStoreError(error)) world.violated(error);
  });
  await Promise.race([changed, world.clock.sleep(2000)]);
  return false;
}
