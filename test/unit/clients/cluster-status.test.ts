// The status sentence says healthy only when everything is known to be well, and what may fail as
// it is now.
import assert from "node:assert/strict";
import { test } from "node:test";
import { describeCluster } from "../../../services/lib/clients/cluster-status.ts";
import { sampleReport } from "./sample-report.ts";

test("all is well: any two storage nodes and one replica may fail", () => {
  const view = describeCluster(sampleReport());
  assert.equal(view.healthy, true);
  assert.equal(view.durability.fullRedundancy, true);
  assert.match(view.summary, /^healthy: any 2 storage nodes and any 1 metadata replica may fail/);
  assert.equal(view.groups[0]?.leader, "m1");
});

test("a node down: one less may fail, and it says which", () => {
  const view = describeCluster(sampleReport({ down: [4] }));
  assert.equal(view.healthy, false);
  assert.equal(view.durability.fullRedundancy, false);
  assert.match(view.summary, /^degraded: storage s4 is down; any 1 storage node /);
});

test("shards owed are not full redundancy", () => {
  const view = describeCluster(sampleReport({ owed: 3n }));
  assert.equal(view.durability.fullRedundancy, false);
  assert.match(view.summary, /3 shards are owed/);
});

test("a lost disk counts until its chunks have been searched for", () => {
  const before = describeCluster(sampleReport({ lostDisk: 2 }));
  assert.equal(before.durability.lostDisksBeingSearched, 1);
  assert.equal(before.durability.fullRedundancy, false);
  const afterwards = describeCluster(sampleReport({ lostDisk: 2, searched: [12] }));
  assert.equal(afterwards.durability.lostDisksBeingSearched, 0);
  assert.equal(afterwards.durability.fullRedundancy, true);
});

test("a silent replica: none may fail any more", () => {
  const view = describeCluster(sampleReport({ silentReplicas: [3] }));
  assert.equal(view.mayFail.metadataReplicas, 0);
  assert.match(view.summary, /no metadata replica may fail/);
});

test("silent replicas are voters all the same", () => {
  const five = (silentReplicas: readonly number[]): number =>
    describeCluster(sampleReport({ replicas: 5, silentReplicas })).mayFail.metadataReplicas;
  assert.deepEqual([five([]), five([4]), five([4, 5])], [2, 1, 0]);
});

test("no root leader is a problem, never healthy", () => {
  const view = describeCluster({
    ...sampleReport(),
    cluster: undefined,
    clusterFailure: "nobody",
    stats: new Map(),
  });
  assert.equal(view.healthy, false);
  assert.equal(view.durability.fullRedundancy, false);
  assert.match(view.summary, /no root leader: nobody/);
});
