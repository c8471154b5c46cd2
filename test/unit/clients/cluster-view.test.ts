// What a process believes of disks: where to read first, where to write, for how long it avoids a
// node that did not answer.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { ClusterView } from "../../../services/lib/clients/cluster-view.ts";
import type { MetadataClient } from "../../../services/lib/clients/metadata-client.ts";
import {
  ClusterMapSchema,
  DiskState,
  NodeState,
} from "../../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import { SimClock } from "../../sim/clock.ts";
import { createRecordingLog } from "../host/recording-log.ts";

test("reads prefer disks of nodes that are up and answered lately", () => {
  const clock = new SimClock();
  const metadata: Pick<MetadataClient, "query"> = {
    query: () => Promise.reject(new Error("not asked")),
  };
  const view = new ClusterView(metadata, clock, createRecordingLog());
  view.adopt(
    create(ClusterMapSchema, {
      epoch: 1n,
      nodes: [NodeState.UP, NodeState.DOWN, NodeState.UP].map((state, index) => ({
        nodeId: index + 1,
        name: `n${index + 1}`,
        address: `h${index + 1}:1`,
        state,
        disks: [{ diskId: 10 + index, state: DiskState.UP, weight: 1n }],
      })),
    }),
  );
  const disk = (diskId: number, nodeId: number) => ({ diskId, nodeId, address: `h${nodeId}:1` });
  assert.equal(view.preferred(disk(10, 1)), true);
  assert.equal(view.preferred(disk(11, 2)), false, "its node is down");
  assert.equal(view.preferred(disk(99, 1)), false, "no such disk");
  view.suspect(3);
  assert.equal(view.preferred(disk(12, 3)), false, "just failed to answer");
  assert.equal(view.writable(12), false);
  assert.equal(view.writable(11), false);
  assert.equal(view.writable(10), true);
});

test("a policy is there, is not there, or is not known of yet", () => {
  const metadata: Pick<MetadataClient, "query"> = {
    query: () => Promise.reject(new Error("not asked")),
  };
  const view = new ClusterView(metadata, new SimClock(), createRecordingLog());
  assert.equal(view.hasPolicy("standard"), undefined);
  view.adopt(create(ClusterMapSchema, { epoch: 1n }));
  assert.equal(view.hasPolicy("standard"), undefined, "a cluster that is not set up yet");
  const shape = { dataShards: 2, parityShards: 1, cellBytes: 1024, failureDomain: "node" };
  view.adopt(create(ClusterMapSchema, { epoch: 2n, policies: [{ name: "standard", ...shape }] }));
  assert.equal(view.hasPolicy("standard"), true);
  assert.equal(view.hasPolicy("fast"), false);
});

test("a cluster that answers before it has a map is not known", async () => {
  // Checked boundary: nothing else is asked for.
  const answer = { map: undefined } as never;
  const metadata: Pick<MetadataClient, "query"> = { query: () => Promise.resolve(answer) };
  const view = new ClusterView(metadata, new SimClock(), createRecordingLog());
  await view.refresh();
  assert.equal(view.isFresh(), false);
  view.adopt(create(ClusterMapSchema, { epoch: 1n }));
  await view.refresh();
  assert.equal(view.isFresh(), true);
});
