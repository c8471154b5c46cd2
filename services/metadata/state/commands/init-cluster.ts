// InitCluster: writes the first cluster map. Again with the same cluster id it changes nothing.
import { create } from "@bufbuild/protobuf";
import { ClusterMapSchema } from "../../../lib/gen/dolium/record/v1/cluster_pb.ts";
import {
  type InitCluster,
  Outcome,
  type Reply,
} from "../../../lib/gen/dolium/record/v1/command_pb.ts";
import { putNextMap, readClusterMap } from "../cluster-record.ts";
import { accepted, refused } from "../outcome.ts";
import type { StateWriter } from "../records.ts";

export function initCluster(view: StateWriter, command: InitCluster): Reply {
  const { clusterId, policies, defaultPolicy, placementGroupCount, indexGroups } = command;
  const present = readClusterMap(view);
  if (present !== undefined) {
    if (present.clusterId === clusterId) return accepted();
    return refused(Outcome.EXISTS, `this is cluster ${present.clusterId}`);
  }
  const map = create(ClusterMapSchema, {
    clusterId,
    policies,
    defaultPolicy,
    placementGroupCount,
    indexGroups,
    nextNodeId: 1,
    nextDiskId: 1,
  });
  putNextMap(view, map);
  return accepted();
}
