// Which act moves which metric (OPERATIONS: metrics). Each act is done once on a cluster of
// processes; afterwards every one of its metrics must differ from before. `dolium_` is left out;
// of histograms the count is looked at.

export type Act =
  | "running"
  | "traffic"
  | "refusal"
  | "disconnect"
  | "upload"
  | "token"
  | "quota"
  | "delete"
  | "rot"
  | "node-lost";

export const METRICS_BY_ACT: Readonly<Record<Act, readonly string[]>> = {
  // What is there without any act.
  running: [
    "build_info",
    "start_time_seconds",
    "peer_up",
    "peer_rtt_seconds",
    "raft_term",
    "raft_is_leader",
    "raft_has_leader",
    "raft_leader_changes_total",
    "raft_log_bytes",
    "kv_size_bytes",
    "disk_size_bytes",
    "disk_free_bytes",
    'disk_state{state="up"}',
    "cluster_nodes",
    "cluster_raw_size_bytes",
    "cluster_raw_free_bytes",
    "cluster_usable_size_bytes",
    "cluster_usable_free_bytes",
    "cluster_write_available",
    "cluster_read_available",
    "cluster_failure_tolerance",
    "rebalance_progress_ratio",
    "scrub_progress_ratio",
    "scrub_last_completed_timestamp_seconds",
  ],
  traffic: [
    "s3_requests_total",
    "s3_request_duration_seconds_count",
    "s3_time_to_first_byte_seconds_count",
    "s3_received_bytes_total",
    "s3_sent_bytes_total",
    "s3_object_size_bytes_count",
    "bucket_usage_bytes",
    "bucket_objects",
    "bucket_versions",
    'bucket_requests_total{class="read"}',
    'bucket_requests_total{class="write"}',
    'bucket_requests_total{class="list"}',
    "bucket_received_bytes_total",
    "bucket_sent_bytes_total",
    "rpc_requests_total",
    "rpc_request_duration_seconds_count",
    'rpc_bytes_total{direction="sent"}',
    'rpc_bytes_total{direction="received"}',
    "raft_commit_index",
    "raft_applied_index",
    "raft_proposals_total",
    "raft_fsync_duration_seconds_count",
    "raft_read_index_duration_seconds_count",
    "kv_get_duration_seconds_count",
    "kv_write_duration_seconds_count",
    "disk_used_bytes",
    'disk_operation_duration_seconds_count{op="commit"}',
    'disk_operation_duration_seconds_count{op="read"}',
    "ec_encode_bytes_total",
    "shards_expected",
    "cluster_objects",
    "cluster_object_bytes",
  ],
  refusal: ["s3_errors_total", "s3_auth_failures_total", "authorization_denied_total"],
  disconnect: ["s3_client_disconnects_total"],
  upload: ["multipart_uploads_open"],
  token: ["tokens_active", "admin_requests_total"],
  quota: ["bucket_quota_bytes"],
  delete: ["gc_pending_entries", "gc_freed_bytes_total", "gc_pending_bytes"],
  rot: [
    "storage_corrupt_shards_total",
    "ec_decode_bytes_total",
    "ec_reconstructed_reads_total",
    "repair_bytes_total",
    "repair_rebuilt_shards_total",
  ],
  "node-lost": ['cluster_nodes{state="down"}', "peer_up"],
};

/** Metrics that no act here moves, and the test that shows that they move. */
export const MOVED_ELSEWHERE: Readonly<Record<string, string>> = {
  s3_requests_in_flight: "test/unit/gateway/http.test.ts",
  s3_throttled_total: "test/unit/monitoring/figures.test.ts",
  raft_proposals_pending: "test/unit/monitoring/figures.test.ts",
  raft_follower_lag_entries: "test/unit/monitoring/figures.test.ts",
  kv_write_stalls_total: "test/unit/monitoring/figures.test.ts",
  kv_compaction_pending: "test/unit/monitoring/figures.test.ts",
  disk_errors_total: "test/unit/monitoring/figures.test.ts",
  shards_missing: "test/unit/monitoring/figures.test.ts",
  shards_corrupt: "test/unit/monitoring/figures.test.ts",
  objects_degraded: "test/unit/monitoring/figures.test.ts",
  repair_queue_length: "test/unit/keeper/repair.test.ts",
  repair_oldest_seconds: "test/unit/keeper/repair.test.ts",
  lifecycle_actions_total: "test/unit/keeper/lifecycle.test.ts",
};
