// The status sentence says healthy only when everything is known to be well, and what may fail as
// it is now.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import type { ClusterReport } from "../../../services/lib/clients/cluster-report.ts";
import { describeCluster } from "../../../services/lib/clients/cluster-status.ts";
import { ClusterStatusResponseSchema } from "../../../services/lib/gen/dolium/cluster/v1/cluster_pb.ts";
import {
  GroupStatsAnswerSchema,
  ReplicaStatusResponseSchema,
} from "../../../services/lib/gen/dolium/metadata/v1/metadata_pb.ts";
import { DiskState, NodeState } from "../../../services/lib/gen/dolium/record/v1/cluster_pb.ts";

interface Facts {
  readonly down?: readonly number[];
  readonly lostDisk?: number;
  readonly searched?: readonly number[];
  readonly owed?: bigint;
  readonly silentReplica?: boolean;
}

function report(facts: Facts = {}): ClusterReport {
  const voters = [1n, 2n, 3n].map((replicaId) => ({ replicaId, name: `m${replicaId}` }));
  const replicas = [1n, 2n, 3n].map((replicaId) => ({
    address: `m${replicaId}:1`,
    failure: "refused",
    status:
      facts.silentReplica === true && replicaId === 3n
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

test("all is well: any two storage nodes and one replica may fail", () => {
  const view = describeCluster(report());
  assert.equal(view.healthy, true);
  assert.equal(view.durability.fullRedundancy, true);
  assert.match(view.summary, /^healthy: any 2 storage nodes and any 1 metadata replica may fail/);
  assert.equal(view.groups[0]?.leader, "m1");
});

test("a node down: one less may fail, and it says which", () => {
  const view = describeCluster(report({ down: [4] }));
  assert.equal(view.healthy, false);
  assert.equal(view.durability.fullRedundancy, false);
  assert.match(view.summary, /^degraded: storage s4 is down; any 1 storage node /);
});

test("shards owed are not full redundancy", () => {
  const view = describeCluster(report({ owed: 3n }));
  assert.equal(view.durability.fullRedundancy, false);
  assert.match(view.summary, /3 shards are owed/);
});

test("a lost disk counts until its chunks have been searched for", () => {
  const before = describeCluster(report({ lostDisk: 2 }));
  assert.equal(before.durability.lostDisksBeingSearched, 1);
  assert.equal(before.durability.fullRedundancy, false);
  const afterwards = describeCluster(report({ lostDisk: 2, searched: [12] }));
  assert.equal(afterwards.durability.lostDisksBeingSearched, 0);
  assert.equal(afterwards.durability.fullRedundancy, true);
});

test("a silent replica: none may fail any more", () => {
  const view = describeCluster(report({ silentReplica: true }));
  assert.equal(view.mayFail.metadataReplicas, 0);
  assert.match(view.summary, /no metadata replica may fail/);
});

test("no root leader is a problem, never healthy", () => {
  const view = describeCluster({
    ...report(),
    cluster: undefined,
    clusterFailure: "nobody",
    stats: new Map(),
  });
  assert.equal(view.healthy, false);
  assert.equal(view.durability.fullRedundancy, false);
  assert.match(view.summary, /no root leader: nobody/);
});
