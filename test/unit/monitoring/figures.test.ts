// Figures that a small cluster does not move by itself: what is owed and degraded, buckets beyond
// the cap, calls and stores, the first error of a disk; and the list for Prometheus.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { targetsOf } from "../../../services/gateway/admin/watch/prometheus-targets.ts";
import type { ObservedRequest } from "../../../services/gateway/observer.ts";
import { BucketMetrics } from "../../../services/gateway/plugins/bucket-metrics.ts";
import { RequestMetrics } from "../../../services/gateway/plugins/request-metrics.ts";
import { StoreError } from "../../../services/lib/base/errors.ts";
import { ClusterFigures } from "../../../services/lib/clients/cluster-figures.ts";
import type { ClusterReport } from "../../../services/lib/clients/cluster-report.ts";
import { countedErasure } from "../../../services/lib/clients/counted-erasure.ts";
import { createErasureCompute } from "../../../services/lib/erasure/compute.ts";
import { ClusterStatusResponseSchema } from "../../../services/lib/gen/dolium/cluster/v1/cluster_pb.ts";
import {
  BucketUsageAnswerSchema,
  GroupStatsAnswerSchema,
  ListBucketsAnswerSchema,
  ReplicaStatusResponseSchema,
} from "../../../services/lib/gen/dolium/metadata/v1/metadata_pb.ts";
import { DiskState, NodeState } from "../../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import { RepairEntrySchema } from "../../../services/lib/gen/dolium/record/v1/object_pb.ts";
import { ShardService } from "../../../services/lib/gen/dolium/storage/v1/storage_pb.ts";
import { createKvMeter } from "../../../services/lib/host/kv-meter.ts";
import { createMetrics } from "../../../services/lib/host/metrics.ts";
import type { RawCall } from "../../../services/lib/host/rpc-channel.ts";
import { createRpcMeter } from "../../../services/lib/host/rpc-meter.ts";
import { observedCalls } from "../../../services/lib/host/rpc-observer.ts";
import type { Disk } from "../../../services/lib/ports/disk.ts";
import { RaftMetrics } from "../../../services/lib/raft/group-metrics.ts";
import type { RaftGroupStatus } from "../../../services/lib/raft/types.ts";
import { DiskHealth } from "../../../services/storage/disk-health.ts";
import { DEFAULT_SETTINGS } from "../../../services/storage/settings.ts";
import { createStorageMetrics } from "../../../services/storage/storage-metrics.ts";
import { SimClock } from "../../sim/clock.ts";
import { MemoryLog, MemoryMetrics } from "../gateway/memory-gateway.ts";

const GROUP = 2;

interface Trouble {
  readonly down?: boolean;
  readonly owed?: number;
  readonly isLed?: boolean;
  readonly corrupt?: number;
}

function reportOf({ down, owed = 0, isLed = true, corrupt = 0 }: Trouble = {}): ClusterReport {
  const voter = { replicaId: 1n, name: "m1" };
  const role = isLed ? "leader" : "follower";
  const status = create(ReplicaStatusResponseSchema, {
    name: "m1",
    replicaId: 1n,
    state: "serving",
    opsAddress: "m1:9003",
    campus: "um",
    groups: [{ groupId: GROUP, role, voters: [voter], state: "serving" }],
  });
  const scheme = { dataShards: 2, parityShards: 1, failureDomain: "node", cellBytes: 1024 };
  const ids = [1, 2, 3];
  const cluster = create(ClusterStatusResponseSchema, {
    map: {
      epoch: 1n,
      clusterId: "c",
      defaultPolicy: "standard",
      indexGroups: [GROUP],
      policies: [{ name: "standard", ...scheme }],
      nodes: ids.map((nodeId) => ({
        nodeId,
        name: `s${nodeId}`,
        campus: "um",
        state: down === true && nodeId === 3 ? NodeState.DOWN : NodeState.UP,
        disks: [{ diskId: nodeId, weight: 1000n, state: DiskState.UP }],
      })),
    },
    disks: ids.map((diskId) => ({
      diskId,
      sizeBytes: 900n,
      freeBytes: 300n,
      shardCount: 10n,
      corruptShards: BigInt(diskId === 1 ? corrupt : 0),
    })),
    processes: [
      { role: "keeper", name: "k1", opsAddress: "k1:9003", campus: "um" },
      { role: "storage", name: "s1", opsAddress: "s1:9003", campus: "um" },
      { role: "storage", name: "s2", campus: "um" },
    ],
  });
  const entry = create(RepairEntrySchema, { owed: 1, parityShards: 1 });
  const stats = create(GroupStatsAnswerSchema, {
    versions: 7n,
    uploads: 3n,
    shardsOwed: BigInt(owed),
    repairEntries: BigInt(owed),
  });
  const entries = Array.from({ length: owed }, () => entry);
  const queues = new Map([[GROUP, { entries, isCut: false, chunks: new Map() }]]);
  const replicas = [{ address: "m1:1", failure: "", status }];
  return { replicas, cluster, clusterFailure: "", stats: new Map([[GROUP, stats]]), queues };
}

async function figuresOf(trouble: Trouble, canPlace = true): Promise<Map<string, number>> {
  const metrics = new MemoryMetrics();
  const figures = new ClusterFigures({
    clock: new SimClock(),
    log: new MemoryLog(),
    metrics,
    gather: async () => reportOf(trouble),
    policy: () => ({ name: "standard", k: 2, m: 1 }),
    canPlace: () => canPlace,
  });
  assert.equal(await figures.look(), true);
  return metrics.values;
}

test("a cluster that is well: capacity, tolerance, nothing owed", async () => {
  const values = await figuresOf({});
  assert.equal(values.get("cluster_raw_size_bytes"), 2700);
  assert.equal(values.get("cluster_usable_free_bytes"), 600);
  assert.equal(values.get('cluster_nodes{campus="um",state="up"}'), 3);
  assert.equal(values.get('cluster_failure_tolerance{domain="node"}'), 1);
  assert.equal(values.get("cluster_write_available"), 1);
  assert.equal(values.get("cluster_read_available"), 1);
  assert.equal(values.get("shards_expected"), 30);
  assert.equal(values.get("multipart_uploads_open"), 3);
  assert.equal(values.get('objects_degraded{tolerance="0"}'), undefined);
});

test("what is owed, damaged or away shows", async () => {
  const owed = await figuresOf({ owed: 2, corrupt: 4 });
  assert.equal(owed.get("shards_missing"), 2);
  assert.equal(owed.get("shards_expected"), 32);
  assert.equal(owed.get("shards_corrupt"), 4);
  assert.equal(owed.get('objects_degraded{tolerance="0"}'), 2);
  const down = await figuresOf({ down: true });
  assert.equal(down.get('cluster_nodes{campus="um",state="down"}'), 1);
  assert.equal(down.get('cluster_failure_tolerance{domain="node"}'), 0);
  assert.equal(down.get("cluster_read_available"), 1);
});

test("without a leader nothing can be read or written; without room nothing written", async () => {
  const leaderless = await figuresOf({ isLed: false });
  assert.equal(leaderless.get("cluster_write_available"), 0);
  assert.equal(leaderless.get("cluster_read_available"), 0);
  const full = await figuresOf({}, false);
  assert.equal(full.get("cluster_write_available"), 0);
  assert.equal(full.get("cluster_read_available"), 1);
});

test("Prometheus is told of every process that says where its metrics are, once each", () => {
  const report = reportOf();
  const labels = { campus: "um", cluster: "c" };
  assert.deepEqual(targetsOf(report), [
    { targets: ["k1:9003"], labels: { ...labels, node: "k1", role: "keeper" } },
    { targets: ["m1:9003"], labels: { ...labels, node: "m1", role: "metadata" } },
    { targets: ["s1:9003"], labels: { ...labels, node: "s1", role: "storage" } },
  ]);
  const one = { role: "gateway", name: "g1", opsAddress: "m1:9003", campus: "um" };
  const cluster = create(ClusterStatusResponseSchema, { processes: [one] });
  assert.deepEqual(
    targetsOf({ ...report, cluster }).map((group) => group.labels.role),
    ["server"],
    "a process that is everything is one target",
  );
});

function bucketMetrics(bucketLabels: number) {
  const sizes = [10n, 30n, 20n];
  const metadata = {
    query: async (_group: number, kind: { readonly case: string }) =>
      kind.case === "listBuckets"
        ? create(ListBucketsAnswerSchema, {
            buckets: sizes.map((_, at) => ({
              bucketId: at + 1,
              name: `bucket-${at + 1}`,
              ranges: [{ groupId: GROUP }],
              settings: at === 1 ? [{ name: "quota", document: Buffer.from('{"bytes":40}') }] : [],
            })),
          })
        : create(BucketUsageAnswerSchema, {
            entries: sizes.map((bytes, at) => ({ bucketId: at + 1, usage: { bytes } })),
          }),
  };
  const metrics = new MemoryMetrics();
  const clock = new SimClock();
  // Checked boundary: these two queries are all that it asks.
  const asked = metadata as unknown as ConstructorParameters<typeof BucketMetrics>[0]["metadata"];
  return { metrics, buckets: new BucketMetrics({ metadata: asked, clock, metrics, bucketLabels }) };
}

function requestTo(bucket: string, status = 200): ObservedRequest {
  return {
    requestId: "R",
    endedMs: 0,
    operation: "PutObject",
    method: "PUT",
    bucket,
    key: "k",
    status,
    errorCode: undefined,
    seconds: 0,
    receivedBytes: 5,
    sentBytes: 0,
    accessKeyId: undefined,
    userId: undefined,
    remoteAddress: "",
  };
}

test("the largest buckets have figures of their own, the rest one together", async () => {
  const { metrics, buckets } = bucketMetrics(2);
  await buckets.refresh();
  const usage = [...metrics.values].filter(([name]) => name.startsWith("bucket_usage_bytes"));
  assert.deepEqual(usage, [
    ['bucket_usage_bytes{bucket="bucket-2"}', 30],
    ['bucket_usage_bytes{bucket="bucket-3"}', 20],
    ['bucket_usage_bytes{bucket="_other"}', 10],
  ]);
  assert.equal(metrics.values.get('bucket_quota_bytes{bucket="bucket-2"}'), 40);
});

test("names that nobody has, and those past the cap, are counted together", () => {
  const { metrics, buckets } = bucketMetrics(1);
  for (let at = 0; at < 5; at += 1) buckets.observe(requestTo(`made-up-${at}`, 403));
  buckets.observe(requestTo("bucket-1"));
  buckets.observe(requestTo("bucket-2"));
  const requests = (bucket: string) =>
    metrics.values.get(`bucket_requests_total{bucket="${bucket}",class="write"}`);
  assert.equal(requests("bucket-1"), 1);
  assert.equal(requests("_other"), 6);
  assert.equal(metrics.values.get('bucket_received_bytes_total{bucket="bucket-1"}'), 5);
});

test("a request that is held up is counted by reason", () => {
  const metrics = new MemoryMetrics();
  new RequestMetrics(metrics).throttle("exhausted");
  assert.equal(metrics.values.get('s3_throttled_total{reason="exhausted"}'), 1);
});

/** A call that answers `answers` one after another, then ends or throws. */
function callOf(answers: readonly Uint8Array[], error?: StoreError): RawCall {
  const left = [...answers];
  return {
    send: async () => undefined,
    end: () => undefined,
    read: async () => {
      const next = left.shift();
      if (next === undefined && error !== undefined) throw error;
      return next;
    },
    cancel: () => undefined,
  };
}

test("groups show what is pending, and on the leader what followers lack", () => {
  const metrics = new MemoryMetrics();
  const status = {
    ...{ groupId: GROUP, nodeId: 1, role: "leader", leader: 1, term: 3 },
    ...{ commitIndex: 90, appliedIndex: 80, lastIndex: 95, logStartIndex: 0, failure: undefined },
    members: { voters: [1, 2], learners: [], votersOutgoing: [], learnersNext: [] },
    peers: [{ nodeId: 2, lagEntries: 15, active: true, state: "replicate" }],
  };
  // Checked boundary: the fields that are shown.
  new RaftMetrics(metrics).observe(status as unknown as RaftGroupStatus, 5);
  const value = (name: string, more = "") => metrics.values.get(`${name}{group="2"${more}}`);
  assert.equal(value("raft_proposals_pending"), 5);
  assert.equal(value("raft_follower_lag_entries", ',peer="2"'), 15);
  assert.equal(value("raft_commit_index"), 90);
  assert.equal(value("raft_is_leader"), 1);
});

test("a disk counts its errors from nothing on, and shows the state it is in", () => {
  const metrics = new MemoryMetrics();
  const health = new DiskHealth(
    {
      // Checked boundary: noting errors touches no disk.
      disk: undefined as unknown as Disk,
      clock: new SimClock(),
      log: new MemoryLog(),
      metrics: createStorageMetrics(metrics),
    },
    { folder: "", sparePath: "", label: "d1", settings: DEFAULT_SETTINGS },
  );
  const errors = (kind: string) =>
    metrics.values.get(`disk_errors_total{disk="d1",kind="${kind}"}`);
  const state = (name: string) => metrics.values.get(`disk_state{disk="d1",state="${name}"}`);
  health.showCondition();
  assert.deepEqual([errors("read"), errors("write"), state("up")], [0, 0, 1]);
  health.noteReadError(new StoreError("io", "unreadable"));
  health.noteWriteError(new StoreError("io", "broken"));
  assert.deepEqual([errors("read"), errors("write")], [1, 1]);
  assert.deepEqual([state("up"), state("read-only"), state("failed")], [0, 0, 1]);
});

test("calls are counted once, by method, outcome, bytes and campus", async () => {
  const metrics = new MemoryMetrics();
  const meter = createRpcMeter(metrics, new SimClock());
  meter.follow(() => ({ nodes: [{ address: "s1:1", campus: "um" }] }));
  const method = ShardService.method.statShards;
  const begin = (address: string, call: RawCall) =>
    observedCalls(address, [meter], () => call)(method, { deadlineMs: 1 });
  const good = begin("s1:1", callOf([new Uint8Array(7)]));
  await good.send(new Uint8Array(5));
  while ((await good.read()) !== undefined);
  good.cancel();
  const bad = begin("s9:1", callOf([], new StoreError("timeout", "late")));
  await assert.rejects(bad.read());
  begin("s1:1", callOf([])).cancel();
  const count = (code: string) =>
    metrics.values.get(`rpc_requests_total{method="ShardService/StatShards",code="${code}"}`);
  assert.deepEqual([count("ok"), count("timeout"), count("cancelled")], [1, 1, 1]);
  const bytes = (direction: string) =>
    metrics.values.get(`rpc_bytes_total{direction="${direction}",peer_campus="um"}`);
  assert.deepEqual([bytes("sent"), bytes("received")], [5, 7]);
});

test("stores: reads are sampled, slow writes are stalls, sizes asked for when shown", async () => {
  const metrics = createMetrics({ nodeMetrics: false });
  const meter = createKvMeter(metrics, new SimClock(), "shards");
  assert.equal(Array.from({ length: 32 }, () => meter.samples()).filter(Boolean).length, 2);
  meter.wrote(20);
  meter.wrote(1500);
  const forget = meter.opened(async () => ({ level0Tables: 6, sizeBytes: 4000 }));
  meter.opened(async () => {
    throw new Error("a store that closes meanwhile");
  });
  const page = await metrics.expose();
  assert.match(page, /dolium_kv_write_stalls_total\{store="shards"\} 1\n/);
  assert.match(page, /dolium_kv_compaction_pending\{store="shards"\} 1\n/);
  assert.match(page, /dolium_kv_size_bytes\{store="shards"\} 4000\n/);
  forget();
  assert.match(await metrics.expose(), /dolium_kv_size_bytes\{store="shards"\} 0\n/);
});

test("bytes that are coded and computed from others are counted", () => {
  const metrics = new MemoryMetrics();
  const erasure = countedErasure(createErasureCompute(), metrics);
  const data = [new Uint8Array(64).fill(1), new Uint8Array(64).fill(2)];
  const parity = [new Uint8Array(64)];
  erasure.encode(data, parity);
  const shards = [undefined, data[1], parity[0]];
  assert.deepEqual(erasure.reconstruct(shards, { k: 2, m: 1 }, [0]), [data[0]]);
  assert.equal(metrics.values.get("ec_encode_bytes_total"), 128);
  assert.equal(metrics.values.get("ec_decode_bytes_total"), 64);
});
