// What operators see of Raft (OPERATIONS: metrics). Registered once per host, labelled by group.
import type { Counter, Gauge, Histogram, Metrics } from "../ports/metrics.ts";
import type { RaftGroupStatus } from "./types.ts";

const SECONDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5];
const SNAPSHOT_SECONDS = [0.1, 0.5, 1, 5, 10, 30, 60, 300, 1200];

export class RaftMetrics {
  readonly leaderChanges: Counter;
  readonly proposals: Counter;
  readonly readSeconds: Histogram;
  readonly snapshotSeconds: Histogram;
  readonly droppedMessages: Counter;
  readonly #pending: Gauge;
  readonly #term: Gauge;
  readonly #commit: Gauge;
  readonly #applied: Gauge;
  readonly #isLeader: Gauge;
  readonly #hasLeader: Gauge;
  readonly #lag: Gauge;

  constructor(metrics: Metrics) {
    const gauge = (name: string, help: string): Gauge =>
      metrics.gauge(name, { help, labels: ["group"] });
    this.leaderChanges = metrics.counter("raft_leader_changes_total", {
      help: "Times a replica learned of another leader.",
      labels: ["group"],
    });
    this.proposals = metrics.counter("raft_proposals_total", {
      help: "Proposals by outcome.",
      labels: ["group", "result"],
    });
    this.readSeconds = metrics.histogram("raft_read_index_duration_seconds", {
      help: "Time to a linearizable read point.",
      labels: ["group"],
      buckets: SECONDS,
    });
    this.snapshotSeconds = metrics.histogram("raft_snapshot_duration_seconds", {
      help: "Time to send a snapshot.",
      labels: ["group", "result"],
      buckets: SNAPSHOT_SECONDS,
    });
    this.droppedMessages = metrics.counter("raft_ignored_messages_total", {
      help: "Messages from peers that were not taken.",
      labels: ["group"],
    });
    this.#pending = gauge("raft_proposals_pending", "Proposals without an outcome yet.");
    this.#term = gauge("raft_term", "Current term.");
    this.#commit = gauge("raft_commit_index", "Committed index.");
    this.#applied = gauge("raft_applied_index", "Applied index.");
    this.#isLeader = gauge("raft_is_leader", "1 on the leader.");
    this.#hasLeader = gauge("raft_has_leader", "1 where a leader is known.");
    this.#lag = metrics.gauge("raft_follower_lag_entries", {
      help: "Entries a follower is known to lack; on the leader.",
      labels: ["group", "peer"],
    });
  }

  observe(status: RaftGroupStatus, pending: number): void {
    const labels = { group: String(status.groupId) };
    this.#pending.set(pending, labels);
    this.#term.set(status.term, labels);
    this.#commit.set(status.commitIndex, labels);
    this.#applied.set(status.appliedIndex, labels);
    this.#isLeader.set(status.role === "leader" ? 1 : 0, labels);
    this.#hasLeader.set(status.leader === undefined ? 0 : 1, labels);
    for (const peer of status.peers) {
      this.#lag.set(peer.lagEntries, { ...labels, peer: String(peer.nodeId) });
    }
  }
}
