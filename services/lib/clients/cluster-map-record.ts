// The stored cluster map as the placement library's plain data.
import { present } from "../base/assert.ts";
import { toSafeNumber } from "../base/bytes.ts";
import { StoreError } from "../base/errors.ts";
import {
  type DiskRecord,
  DiskState,
  type ClusterMap as MapRecord,
  NodeState,
} from "../gen/dolium/record/v1/cluster_pb.ts";
import {
  type ClusterMap,
  type DiskInfo,
  FAILURE_DOMAINS,
  type FailureDomain,
  type NodeInfo,
} from "../placement/cluster-map.ts";

const NODE_STATES: Readonly<Record<NodeState, NodeInfo["state"]>> = {
  [NodeState.UNSPECIFIED]: "down",
  [NodeState.UP]: "up",
  [NodeState.SUSPECT]: "suspect",
  [NodeState.DOWN]: "down",
  [NodeState.OUT]: "out",
  [NodeState.DRAINING]: "draining",
};

const DISK_STATES: Readonly<Record<DiskState, DiskInfo["state"]>> = {
  [DiskState.UNSPECIFIED]: "failed",
  [DiskState.UP]: "up",
  [DiskState.READ_ONLY]: "readonly",
  [DiskState.FAILED]: "failed",
  [DiskState.OUT]: "out",
};

function failureDomain(text: string): FailureDomain {
  const found = FAILURE_DOMAINS.find((domain) => domain === text);
  if (found === undefined) throw new StoreError("invalid", `unknown failure domain ${text}`);
  return found;
}

/** Its capacity times the share that an operator gave it. */
function effectiveWeight({ weight, weightPercent = 100 }: DiskRecord): number {
  return Math.floor((toSafeNumber(weight) * weightPercent) / 100);
}

/** Throws StoreError "invalid" for a failure domain this release does not know. */
export function clusterMapFromRecord(record: MapRecord): ClusterMap {
  return {
    epoch: toSafeNumber(record.epoch),
    placementGroupCount: record.placementGroupCount,
    nodes: record.nodes.map((node) => ({
      nodeId: node.nodeId,
      name: node.name,
      address: node.address,
      campus: node.campus,
      rack: node.rack,
      host: node.host,
      state: present(NODE_STATES[node.state], "node state"),
      disks: node.disks.map((disk) => ({
        diskId: disk.diskId,
        weight: effectiveWeight(disk),
        state: present(DISK_STATES[disk.state], "disk state"),
        ...(disk.seatDiskId === 0 ? {} : { seat: disk.seatDiskId }),
      })),
      ...(node.seatNodeId === 0 ? {} : { seat: node.seatNodeId }),
    })),
    policies: record.policies.map((policy) => ({
      name: policy.name,
      k: policy.dataShards,
      m: policy.parityShards,
      failureDomain: failureDomain(policy.failureDomain),
      cellBytes: policy.cellBytes,
    })),
  };
}
