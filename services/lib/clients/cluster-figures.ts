// The state of the whole cluster as metrics: what `dolium status` says, in numbers, every quarter
// of a minute. Each keeper shows what it sees: rules believe whoever sees that it can be used, and
// whoever sees the least that may fail. What cannot be asked keeps its last value, but whether it
// can be used (`cluster_write_available`) is then 0.
import { toStoreError } from "../base/errors.ts";
import type { Policy } from "../placement/cluster-map.ts";
import type { Clock, Timer } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { Gauge, Metrics } from "../ports/metrics.ts";
import type { ClusterReport } from "./cluster-report.ts";
import { describeCluster, type NodeView, type StatusView } from "./cluster-status.ts";

const INTERVAL_MS = 15_000;
/** Until the cluster has answered for the first time. */
const FIRST_MS = 1000;

export interface ClusterFiguresDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly gather: () => Promise<ClusterReport>;
  /** The default policy; undefined: not known yet. */
  readonly policy: () => Pick<Policy, "name" | "k" | "m"> | undefined;
  /** A new body could be placed full width now. */
  readonly canPlace: () => boolean;
}

export class ClusterFigures {
  readonly #deps: ClusterFiguresDeps;
  readonly #gauges: ReturnType<typeof gaugesOf>;
  #timer: Timer | undefined;
  #isStarted = false;

  constructor(deps: ClusterFiguresDeps) {
    this.#deps = deps;
    this.#gauges = gaugesOf(deps.metrics);
  }

  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    void this.#again();
  }

  stop(): void {
    this.#isStarted = false;
    this.#timer?.cancel();
  }

  /** Looks once; true when the cluster answered. Never rejects. */
  async look(): Promise<boolean> {
    try {
      const report = await this.#deps.gather();
      this.#show(report, describeCluster(report));
      return report.cluster !== undefined;
    } catch (error) {
      const { message } = toStoreError(error);
      this.#deps.log.warn("the state of the cluster cannot be shown", { reason: message });
      return false;
    }
  }

  async #again(): Promise<void> {
    const isKnown = await this.look();
    if (!this.#isStarted) return;
    this.#timer = this.#deps.clock.after(
      isKnown ? INTERVAL_MS : FIRST_MS,
      () => void this.#again(),
    );
  }

  #show(report: ClusterReport, status: StatusView): void {
    this.#showAvailability(report, status);
    if (report.cluster === undefined) return;
    this.#showNodes(status);
    this.#showCapacity(status);
    this.#showShards(status);
    const { objects, bytes, uploadsOpen, garbageEntries } = status.durability;
    this.#gauges.objects.set(objects);
    this.#gauges.bytes.set(bytes);
    this.#gauges.uploads.set(uploadsOpen);
    this.#gauges.garbage.set(garbageEntries);
  }

  #showAvailability(report: ClusterReport, status: StatusView): void {
    const { writable, readable, tolerance } = this.#gauges;
    const led = status.groups.length > 0 && status.groups.every(({ leader }) => leader !== "");
    const isAsked = report.cluster !== undefined && led;
    const away = storageNodes(status).filter((node) => isAway(node)).length;
    const name = this.#deps.policy()?.name;
    const policy = status.policies.find((one) => one.policy === name);
    const unreadable = Object.entries(status.durability.chunksByMargin).some(
      ([margin, chunks]) => Number(margin) < 0 && chunks > 0,
    );
    writable.set(Number(isAsked && this.#deps.canPlace()));
    readable.set(Number(isAsked && away <= (policy?.nodes ?? 0) && !unreadable));
    const { disks, storageNodes: nodes, campuses, metadataReplicas } = status.mayFail;
    tolerance.set(disks, { domain: "disk" });
    tolerance.set(nodes, { domain: "node" });
    tolerance.set(campuses, { domain: "campus" });
    tolerance.set(metadataReplicas, { domain: "metadata" });
  }

  #showNodes(status: StatusView): void {
    const counts = new Map<string, { campus: string; state: string; count: number }>();
    for (const { campus = "", state, removed, role } of status.nodes) {
      if (role !== "storage" || removed === true) continue;
      const found = counts.get(`${state}/${campus}`) ?? { campus, state, count: 0 };
      found.count += 1;
      counts.set(`${state}/${campus}`, found);
    }
    const { nodes } = this.#gauges;
    nodes.clear();
    for (const { campus, state, count } of counts.values()) nodes.set(count, { campus, state });
  }

  #showCapacity(status: StatusView): void {
    const disks = storageNodes(status).flatMap((node) => node.disks ?? []);
    const size = sum(disks.map(({ sizeBytes }) => sizeBytes));
    const free = sum(disks.map(({ freeBytes }) => freeBytes));
    const { rawSize, rawFree, usableSize, usableFree } = this.#gauges;
    rawSize.set(size);
    rawFree.set(free);
    const policy = this.#deps.policy();
    if (policy === undefined) return;
    const share = policy.k / (policy.k + policy.m);
    usableSize.set(size * share);
    usableFree.set(free * share);
  }

  #showShards(status: StatusView): void {
    const disks = storageNodes(status).flatMap((node) => node.disks ?? []);
    const { shardsOwed, chunksByMargin } = status.durability;
    const stored = sum(disks.map(({ shardCount }) => shardCount));
    const { expected, missing, corrupt, degraded } = this.#gauges;
    expected.set(stored + shardsOwed);
    missing.set(shardsOwed);
    corrupt.set(sum(disks.map(({ corruptShards }) => corruptShards)));
    degraded.clear();
    for (const [tolerance, chunks] of Object.entries(chunksByMargin)) {
      degraded.set(chunks, { tolerance });
    }
  }
}

function storageNodes(status: StatusView): readonly NodeView[] {
  return status.nodes.filter(({ role, removed }) => role === "storage" && removed !== true);
}

function isAway({ state, silent }: NodeView): boolean {
  return silent === true || state === "down" || state === "suspect";
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function gaugesOf(metrics: Metrics) {
  const gauge = (name: string, help: string, labels: readonly string[] = []): Gauge =>
    metrics.gauge(name, { help, labels });
  return {
    nodes: gauge("cluster_nodes", "Storage nodes by campus and state.", ["campus", "state"]),
    rawSize: gauge("cluster_raw_size_bytes", "Bytes of all disks."),
    rawFree: gauge("cluster_raw_free_bytes", "Free bytes of all disks."),
    usableSize: gauge("cluster_usable_size_bytes", "Of those, for data under the default policy."),
    usableFree: gauge("cluster_usable_free_bytes", "Free bytes for data under the default policy."),
    writable: gauge(
      "cluster_write_available",
      "1 when every group has a leader and a body could be placed full width.",
    ),
    readable: gauge(
      "cluster_read_available",
      "1 when every group has a leader, no more nodes are away than the default policy bears, " +
        "and every chunk in the repair queues can be read.",
    ),
    tolerance: gauge(
      "cluster_failure_tolerance",
      "How many may fail now with every object still readable: disk, node, campus, metadata.",
      ["domain"],
    ),
    expected: gauge("shards_expected", "Shards stored, and those that are owed."),
    missing: gauge("shards_missing", "Shards that are owed to committed objects."),
    corrupt: gauge("shards_corrupt", "Shards found damaged and not yet repaired."),
    degraded: gauge(
      "objects_degraded",
      "Chunks that wait for repair, by how many more shards each may lose; below 0: unreadable.",
      ["tolerance"],
    ),
    objects: gauge("cluster_objects", "Versions of objects."),
    bytes: gauge("cluster_object_bytes", "Bytes of their bodies."),
    uploads: gauge("multipart_uploads_open", "Multipart uploads begun and not ended."),
    garbage: gauge("gc_pending_entries", "Bodies freed by commits whose shards are not deleted."),
  };
}
