// What a cluster reports of itself, for tests of what is made of it.
import { create } from "@bufbuild/protobuf";
import type { ClusterReport } from "../../../services/lib/clients/cluster-report.ts";
import { ClusterStatusResponseSchema } from "../../../services/lib/gen/dolium/cluster/v1/cluster_pb.ts";
import {
  GroupStatsAnswerSchema,
  ReplicaStatusResponseSchema,
} from "../../../services/lib/gen/dolium/metadata/v1/metadata_pb.ts";
import { DiskState, NodeState } from "../../../services/lib/gen/dolium/record/v1/cluster_pb.ts";

export interface SampleFacts {
  readonly down?: readonly number[];
  readonly lostDisk?: number;
  readonly searched?: readonly number[];
  readonly owed?: bigint;
  /** How many there are, unless three. */
  readonly replicas?: number;
  /** Replicas that do not answer, by number. */
  readonly silentReplicas?: readonly number[];
}

/** Replicas m1, m2, m3, storage nodes s1 to s6 with 4+2, a keeper: all well but for `facts`. */
export function sampleReport(facts: SampleFacts = {}): ClusterReport {
  const ids = Array.from({ length: facts.replicas ?? 3 }, (_, at) => BigInt(at + 1));
  const voters = ids.map((replicaId) => ({ replicaId, name: `m${replicaId}` }));
  const replicas = ids.map((replicaId) => ({
    address: `m${replicaId}:1`,
    failure: "refused",
    status:
      facts.silentReplicas?.includes(Number(replicaId)) === true
        ? undefined
        : create(ReplicaStatusResponseSchema, {
            name: `m${replicaId}`,
            replicaId,
            state: "serving",
            groups: [
              {
                groupId: 2,
                role: replicaId === 1n ? "leader" : "follower",
                term: 2n,
                voters,
                state: "serving",
              },
            ],
          }),
  }));
  const cluster = create(ClusterStatusResponseSchema, {
    map: {
      epoch: 7n,
      clusterId: "c",
      defaultPolicy: "standard",
      indexGroups: [2],
      policies: [
        {
          name: "standard",
          dataShards: 4,
          parityShards: 2,
          failureDomain: "node",
          cellBytes: 1024,
        },
      ],
      nodes: [1, 2, 3, 4, 5, 6].map((nodeId) => ({
        nodeId,
        name: `s${nodeId}`,
        host: `h${nodeId}`,
        state: facts.down?.includes(nodeId) === true ? NodeState.DOWN : NodeState.UP,
        disks: [
          { diskId: nodeId, weight: 1n << 40n, state: DiskState.UP },
          ...(facts.lostDisk === nodeId
            ? [{ diskId: 10 + nodeId, weight: 1n << 40n, state: DiskState.OUT }]
            : []),
        ],
      })),
    },
    processes: [
      {
        role: "keeper",
        name: "keeper",
        details: JSON.stringify({ searchedDisks: { 2: facts.searched ?? [] } }),
      },
    ],
  });
  const stats = create(GroupStatsAnswerSchema, { versions: 5n, shardsOwed: facts.owed ?? 0n });
  return { replicas, cluster, clusterFailure: "", stats: new Map([[2, stats]]) };
}
