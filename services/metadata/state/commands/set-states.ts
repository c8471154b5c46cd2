// SetStates: changes states of nodes and disks. Unknown ones, and nodes that are not in the
// expected state any more, are passed over; the epoch grows only when something changed.
import { NodeState } from "../../../lib/gen/dolium/record/v1/cluster_pb.ts";
import {
  Outcome,
  type Reply,
  type SetStates,
} from "../../../lib/gen/dolium/record/v1/command_pb.ts";
import { putNextMap, readClusterMap } from "../cluster-record.ts";
import type { CommandContext } from "../context.ts";
import { accepted, refused } from "../outcome.ts";
import type { StateWriter } from "../records.ts";

export function setStates(view: StateWriter, command: SetStates, context: CommandContext): Reply {
  const map = readClusterMap(view);
  if (map === undefined) return refused(Outcome.CONFLICT, "the cluster is not initialised yet");
  let isChanged = false;
  const change = <S>(record: { state: S; stateSinceMs: bigint }, state: S): void => {
    if (record.state === state) return;
    record.state = state;
    record.stateSinceMs = context.timeMs;
    isChanged = true;
  };
  for (const { nodeId, state, expected } of command.nodes) {
    const node = map.nodes.find((candidate) => candidate.nodeId === nodeId);
    if (node === undefined) continue;
    if (expected === NodeState.UNSPECIFIED || expected === node.state) change(node, state);
  }
  const disks = map.nodes.flatMap((node) => node.disks);
  for (const { diskId, state } of command.disks) {
    const disk = disks.find((candidate) => candidate.diskId === diskId);
    if (disk !== undefined) change(disk, state);
  }
  if (isChanged) putNextMap(view, map);
  return accepted();
}
