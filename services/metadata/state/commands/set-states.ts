// SetStates: changes states, weights and seats of nodes and disks. Unknown ones, and nodes that are
// not in the expected state any more, are passed over; the epoch grows only when something changed.
// A change of the layout keeps what was before it, so that an operator can go back.
import { create } from "@bufbuild/protobuf";
import {
  type ClusterMap,
  type DiskRecord,
  DiskState,
  type FormerLayout,
  FormerLayoutSchema,
  type NodeRecord,
  NodeState,
} from "../../../lib/gen/dolium/record/v1/cluster_pb.ts";
import {
  Outcome,
  type Reply,
  type SetStates,
  type SetStates_Disk,
  type SetStates_Node,
} from "../../../lib/gen/dolium/record/v1/command_pb.ts";
import { putNextMap, readClusterMap } from "../cluster-record.ts";
import type { CommandContext } from "../context.ts";
import { accepted, refused } from "../outcome.ts";
import type { StateWriter } from "../records.ts";

export function setStates(view: StateWriter, command: SetStates, context: CommandContext): Reply {
  const map = readClusterMap(view);
  if (map === undefined) return refused(Outcome.CONFLICT, "the cluster is not initialised yet");
  const { expectedEpoch } = command;
  if (expectedEpoch !== 0n && expectedEpoch !== map.epoch) {
    return refused(Outcome.CONFLICT, `the cluster is at epoch ${map.epoch}, not ${expectedEpoch}`);
  }
  const former = formerLayout(map);
  const change = new MapChange(context.timeMs);
  for (const wanted of command.nodes) {
    const node = map.nodes.find((candidate) => candidate.nodeId === wanted.nodeId);
    if (node !== undefined) change.node(node, wanted);
  }
  const disks = map.nodes.flatMap((node) => node.disks);
  for (const wanted of command.disks) {
    const disk = disks.find((candidate) => candidate.diskId === wanted.diskId);
    if (disk !== undefined) change.disk(disk, wanted);
  }
  if (change.isChanged && command.keepFormer) map.formerLayout = former;
  if (command.startRepair) map.repairPass += 1n;
  if (command.startScrub) map.scrubPass += 1n;
  if (change.isChanged || command.startRepair || command.startScrub) putNextMap(view, map);
  return accepted();
}

class MapChange {
  readonly #nowMs: bigint;
  isChanged = false;

  constructor(nowMs: bigint) {
    this.#nowMs = nowMs;
  }

  node(node: NodeRecord, wanted: SetStates_Node): void {
    const { state, expected, seatNodeId } = wanted;
    if (expected !== NodeState.UNSPECIFIED && expected !== node.state) return;
    if (state !== NodeState.UNSPECIFIED) {
      this.#state(node, state);
      this.#field(node, "removed", state === NodeState.OUT && (wanted.removed || node.removed));
    }
    if (seatNodeId !== undefined) this.#field(node, "seatNodeId", seatNodeId);
  }

  disk(disk: DiskRecord, { state, weightPercent, seatDiskId }: SetStates_Disk): void {
    if (state !== DiskState.UNSPECIFIED) this.#state(disk, state);
    if (weightPercent !== undefined) {
      const isWhole = (disk.weightPercent ?? 100) === weightPercent;
      if (!isWhole) this.#field(disk, "weightPercent", weightPercent);
    }
    if (seatDiskId !== undefined) this.#field(disk, "seatDiskId", seatDiskId);
  }

  #state<S>(record: { state: S; stateSinceMs: bigint }, state: S): void {
    if (record.state === state) return;
    record.state = state;
    record.stateSinceMs = this.#nowMs;
    this.isChanged = true;
  }

  #field<R, N extends keyof R>(record: R, name: N, value: R[N]): void {
    if (record[name] === value) return;
    record[name] = value;
    this.isChanged = true;
  }
}

/** What an operator has decided about the layout: nodes silent for a while count as up. */
function formerLayout(map: ClusterMap): FormerLayout {
  const nodes = map.nodes.map(({ nodeId, state, removed, seatNodeId }) => {
    const isDecided = state === NodeState.DRAINING || state === NodeState.OUT;
    return { nodeId, state: isDecided ? state : NodeState.UP, removed, seatNodeId };
  });
  const disks = map.nodes
    .flatMap((node) => node.disks)
    .map(({ diskId, weightPercent, seatDiskId }) => ({
      diskId,
      seatDiskId,
      ...(weightPercent === undefined ? {} : { weightPercent }),
    }));
  return create(FormerLayoutSchema, { epoch: map.epoch, nodes, disks });
}
