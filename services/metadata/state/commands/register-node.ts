// RegisterNode: a storage node says who it is and which disks it has. Nodes are known by name,
// disks by the uuid they were formatted with; both keep their id for ever. A disk that the node
// does not name any more is OUT; when it comes back it is taken back under its own id, because its
// shards never change.
import { create } from "@bufbuild/protobuf";
import { equalBytes } from "../../../lib/base/bytes.ts";
import {
  type ClusterMap,
  type DiskRecord,
  DiskRecordSchema,
  DiskState,
  type NodeRecord,
  NodeRecordSchema,
  NodeState,
} from "../../../lib/gen/dolium/record/v1/cluster_pb.ts";
import {
  Outcome,
  type RegisterNode,
  type RegisterNode_Disk,
  RegisterNodeReplySchema,
  type Reply,
} from "../../../lib/gen/dolium/record/v1/command_pb.ts";
import { putNextMap, readClusterMap } from "../cluster-record.ts";
import type { CommandContext } from "../context.ts";
import { accepted, refused } from "../outcome.ts";
import type { StateWriter } from "../records.ts";

export function registerNode(
  view: StateWriter,
  command: RegisterNode,
  context: CommandContext,
): Reply {
  const map = readClusterMap(view);
  if (map === undefined) return refused(Outcome.CONFLICT, "the cluster is not initialised yet");
  const registration = new Registration(map, context.timeMs);
  const node = registration.node(command);
  const disks = command.disks.map((disk) => registration.disk(node, disk));
  registration.dropOthers(node, disks);
  if (registration.isChanged) putNextMap(view, map);
  const value = create(RegisterNodeReplySchema, {
    nodeId: node.nodeId,
    diskIds: disks.map(({ diskId }) => diskId),
    mapEpoch: map.epoch,
  });
  return accepted({ case: "registerNode", value });
}

class Registration {
  readonly #map: ClusterMap;
  readonly #nowMs: bigint;
  isChanged = false;

  constructor(map: ClusterMap, nowMs: bigint) {
    this.#map = map;
    this.#nowMs = nowMs;
  }

  /** The node of that name; up, unless an operator empties it or has given it up. */
  node(command: RegisterNode): NodeRecord {
    const { name, address, campus, rack, host } = command;
    const known = this.#map.nodes.find((node) => node.name === name);
    const place = { address, campus, rack, host };
    if (known === undefined) {
      const node = create(NodeRecordSchema, { nodeId: this.#map.nextNodeId, name, ...place });
      this.#setNodeState(node, NodeState.UP);
      this.#map.nextNodeId += 1;
      this.#map.nodes.push(node);
      return node;
    }
    const isMoved =
      known.address !== address ||
      known.campus !== campus ||
      known.rack !== rack ||
      known.host !== host;
    if (isMoved) {
      Object.assign(known, place);
      this.isChanged = true;
    }
    const isDecided = known.state === NodeState.DRAINING || known.removed;
    if (!isDecided) this.#setNodeState(known, NodeState.UP);
    return known;
  }

  disk(node: NodeRecord, { diskUuid, weight }: RegisterNode_Disk): DiskRecord {
    const disk = this.#take(node, diskUuid) ?? this.#newDisk(node, diskUuid);
    if (disk.weight !== weight) {
      disk.weight = weight;
      this.isChanged = true;
    }
    const isBack = disk.state === DiskState.OUT || disk.state === DiskState.UNSPECIFIED;
    if (isBack) this.#setDiskState(disk, DiskState.UP);
    return disk;
  }

  /** Disks of the node that were not named are out. */
  dropOthers(node: NodeRecord, named: readonly DiskRecord[]): void {
    for (const disk of node.disks) {
      if (!named.includes(disk)) this.#setDiskState(disk, DiskState.OUT);
    }
  }

  /** A known disk; one that was carried over from another node changes hands. */
  #take(node: NodeRecord, diskUuid: Uint8Array): DiskRecord | undefined {
    for (const owner of this.#map.nodes) {
      const disk = owner.disks.find((candidate) => equalBytes(candidate.diskUuid, diskUuid));
      if (disk === undefined) continue;
      if (owner === node) return disk;
      owner.disks = owner.disks.filter((candidate) => candidate !== disk);
      node.disks.push(disk);
      this.isChanged = true;
      return disk;
    }
    return undefined;
  }

  #newDisk(node: NodeRecord, diskUuid: Uint8Array): DiskRecord {
    const disk = create(DiskRecordSchema, { diskId: this.#map.nextDiskId, diskUuid });
    this.#map.nextDiskId += 1;
    node.disks.push(disk);
    return disk;
  }

  #setNodeState(node: NodeRecord, state: NodeState): void {
    if (node.state === state) return;
    node.state = state;
    node.stateSinceMs = this.#nowMs;
    this.isChanged = true;
  }

  #setDiskState(disk: DiskRecord, state: DiskState): void {
    if (disk.state === state) return;
    disk.state = state;
    disk.stateSinceMs = this.#nowMs;
    this.isChanged = true;
  }
}
