// The dashboards as a table: which panels, with which queries. `$S` stands for the selector of the
// variables (cluster and campus), `$C` for the cluster alone, where figures are of the whole
// cluster; `$R` for the window of rates. generate.ts makes Grafana's JSON of it.

export interface Query {
  readonly expr: string;
  readonly legend: string;
  /** There is nothing to see as long as nothing goes wrong, so tests expect no data. */
  readonly isRare?: boolean;
}

export interface Panel {
  readonly title: string;
  readonly kind: "graph" | "stat";
  /** Grafana's name of a unit. */
  readonly unit: string;
  readonly queries: readonly Query[];
}

export interface Dashboard {
  readonly file: string;
  readonly title: string;
  readonly description: string;
  /** Offers a choice of buckets. */
  readonly byBucket?: boolean;
  readonly panels: readonly Panel[];
}

const graph = (title: string, unit: string, ...queries: readonly Query[]): Panel => ({
  ...{ title, unit, queries },
  kind: "graph",
});
const stat = (title: string, unit: string, expr: string): Panel => ({
  ...{ title, unit },
  kind: "stat",
  queries: [{ expr, legend: "" }],
});
const query = (legend: string, expr: string): Query => ({ legend, expr });
const rare = (legend: string, expr: string): Query => ({ legend, expr, isRare: true });
/** A percentile of a histogram, by one label. */
const quantile = (q: number, metric: string, by: string, selector = "$S"): Query => ({
  legend: `{{${by}}} p${q * 100}`,
  expr: `histogram_quantile(${q}, sum by (le, ${by}) (rate(${metric}_bucket{${selector}}[$R])))`,
});

const OVERVIEW: Dashboard = {
  file: "overview.json",
  title: "Dolium / Overview",
  description: "Is it well, how much room is there, what do clients see.",
  panels: [
    stat("Writes possible", "bool_yes_no", "max(dolium_cluster_write_available{$C})"),
    stat("Reads possible", "bool_yes_no", "max(dolium_cluster_read_available{$C})"),
    stat("Nodes that may fail", "none", 'min(dolium_cluster_failure_tolerance{$C,domain="node"})'),
    stat("Disks that may fail", "none", 'min(dolium_cluster_failure_tolerance{$C,domain="disk"})'),
    stat("Free for data", "bytes", "min(dolium_cluster_usable_free_bytes{$C})"),
    stat("Objects", "short", "max(dolium_cluster_objects{$C})"),
    graph(
      "Requests",
      "reqps",
      query("{{operation}}", "sum by (operation) (rate(dolium_s3_requests_total{$S}[$R]))"),
    ),
    graph(
      "Share answered 5xx",
      "percentunit",
      query(
        "5xx",
        'sum(rate(dolium_s3_requests_total{$S,code=~"5.."}[$R]) or vector(0)) / ' +
          "sum(rate(dolium_s3_requests_total{$S}[$R]))",
      ),
    ),
    graph(
      "Bodies",
      "Bps",
      query("received", "sum(rate(dolium_s3_received_bytes_total{$S}[$R]))"),
      query("sent", "sum(rate(dolium_s3_sent_bytes_total{$S}[$R]))"),
    ),
    graph(
      "Storage nodes by state",
      "none",
      query("{{campus}} {{state}}", "max by (campus, state) (dolium_cluster_nodes{$S})"),
    ),
    graph(
      "Capacity",
      "bytes",
      query("size of all disks", "max(dolium_cluster_raw_size_bytes{$C})"),
      query("free on all disks", "min(dolium_cluster_raw_free_bytes{$C})"),
      query("size for data", "max(dolium_cluster_usable_size_bytes{$C})"),
      query("bytes of objects", "max(dolium_cluster_object_bytes{$C})"),
    ),
    graph("Processes", "none", query("{{role}}", "count by (role) (dolium_build_info{$S})")),
  ],
};

const S3: Dashboard = {
  file: "s3.json",
  title: "Dolium / S3",
  description: "What gateways are asked, how quickly they answer, what they refuse.",
  panels: [
    stat("Requests per second", "reqps", "sum(rate(dolium_s3_requests_total{$S}[$R]))"),
    stat("In flight", "none", "sum(dolium_s3_requests_in_flight{$S})"),
    stat("Valid access tokens", "none", "max(dolium_tokens_active{$S})"),
    stat("Open multipart uploads", "none", "max(dolium_multipart_uploads_open{$C})"),
    graph(
      "Requests by status",
      "reqps",
      query("{{code}}", "sum by (code) (rate(dolium_s3_requests_total{$S}[$R]))"),
    ),
    graph(
      "Requests by gateway",
      "reqps",
      query("{{node}}", "sum by (node) (rate(dolium_s3_requests_total{$S}[$R]))"),
    ),
    graph(
      "Duration",
      "s",
      quantile(0.5, "dolium_s3_request_duration_seconds", "operation"),
      quantile(0.99, "dolium_s3_request_duration_seconds", "operation"),
    ),
    graph(
      "Time to first byte",
      "s",
      quantile(0.5, "dolium_s3_time_to_first_byte_seconds", "operation"),
      quantile(0.99, "dolium_s3_time_to_first_byte_seconds", "operation"),
    ),
    graph(
      "Errors",
      "reqps",
      query(
        "{{operation}} {{error_code}}",
        "sum by (operation, error_code) (rate(dolium_s3_errors_total{$S}[$R]))",
      ),
    ),
    graph(
      "Refused, because of who asked",
      "reqps",
      query("{{reason}}", "sum by (reason) (rate(dolium_s3_auth_failures_total{$S}[$R]))"),
    ),
    graph(
      "Held up and broken off",
      "reqps",
      rare("slow down: {{reason}}", "sum by (reason) (rate(dolium_s3_throttled_total{$S}[$R]))"),
      query("clients that left", "sum(rate(dolium_s3_client_disconnects_total{$S}[$R]))"),
    ),
    graph("Size of bodies", "bytes", quantile(0.5, "dolium_s3_object_size_bytes", "operation")),
  ],
};

const STORAGE: Dashboard = {
  file: "storage.json",
  title: "Dolium / Storage and repair",
  description: "Disks, shards, what is owed, what is repaired, garbage and scrubbing.",
  panels: [
    stat("Shards owed", "none", "max(dolium_shards_missing{$C})"),
    stat("Damaged shards", "none", "max(dolium_shards_corrupt{$C})"),
    stat("Chunks waiting for repair", "none", "sum(dolium_repair_queue_length{$C})"),
    stat("Oldest of them", "s", "max(dolium_repair_oldest_seconds{$C})"),
    stat("Moved to the new layout", "percentunit", "min(dolium_rebalance_progress_ratio{$C})"),
    stat("Failed disks", "none", 'sum(dolium_disk_state{$S,state="failed"})'),
    graph(
      "Disks: used share",
      "percentunit",
      query("{{node}} {{disk}}", "1 - dolium_disk_free_bytes{$S} / dolium_disk_size_bytes{$S}"),
    ),
    graph(
      "Disks: time of operations (p99)",
      "s",
      quantile(0.99, "dolium_disk_operation_duration_seconds", "op"),
    ),
    graph(
      "Shards",
      "Bps",
      query("written", "sum(rate(dolium_storage_written_bytes_total{$S}[$R]))"),
      query("read", "sum(rate(dolium_storage_read_bytes_total{$S}[$R]))"),
      query("scrubbed", "sum(rate(dolium_storage_scrubbed_bytes_total{$S}[$R]))"),
    ),
    graph(
      "Erasure coding",
      "Bps",
      query("encoded", "sum(rate(dolium_ec_encode_bytes_total{$S}[$R]))"),
      query("decoded", "sum(rate(dolium_ec_decode_bytes_total{$S}[$R]))"),
    ),
    graph("Repair", "Bps", query("rebuilt", "sum(rate(dolium_repair_bytes_total{$C}[$R]))")),
    graph(
      "Waiting chunks by failures that each bears",
      "none",
      rare("{{tolerance}} more", "max by (tolerance) (dolium_objects_degraded{$C})"),
    ),
    graph(
      "Errors of disks, damaged shards",
      "short",
      query(
        "{{node}} {{kind}}",
        "sum by (node, kind) (increase(dolium_disk_errors_total{$S}[$R]))",
      ),
      query(
        "{{node}} found by {{by}}",
        "sum by (node, by) (increase(dolium_storage_corrupt_shards_total{$S}[$R]))",
      ),
    ),
    graph(
      "Garbage",
      "bytes",
      query("until compaction", "sum(dolium_gc_pending_bytes{$S})"),
      query("deleted per second", "sum(rate(dolium_gc_freed_bytes_total{$S}[$R]))"),
    ),
    graph(
      "Scrubbing: days since the last whole pass",
      "d",
      query(
        "{{node}} {{disk}}",
        "(time() - (dolium_scrub_last_completed_timestamp_seconds{$S} > 0)) / 86400",
      ),
    ),
  ],
};

const RAFT: Dashboard = {
  file: "raft.json",
  title: "Dolium / Raft and metadata",
  description:
    "Who leads, how far followers are, how long log and store take, calls between services.",
  panels: [
    graph("Leaders", "none", query("group {{group}}: {{node}}", "dolium_raft_is_leader{$S} == 1")),
    graph(
      "Changes of leader",
      "short",
      query(
        "group {{group}}",
        "sum by (group) (increase(dolium_raft_leader_changes_total{$S}[$R]))",
      ),
    ),
    graph(
      "Proposals",
      "ops",
      query(
        "group {{group}} {{result}}",
        "sum by (group, result) (rate(dolium_raft_proposals_total{$S}[$R]))",
      ),
    ),
    graph(
      "Proposals without an outcome yet",
      "none",
      query("group {{group}}", "sum by (group) (dolium_raft_proposals_pending{$S})"),
    ),
    graph("Sync of the log", "s", quantile(0.99, "dolium_raft_fsync_duration_seconds", "node")),
    graph(
      "Linearizable read points",
      "s",
      quantile(0.99, "dolium_raft_read_index_duration_seconds", "group"),
    ),
    graph(
      "Entries that followers lack",
      "none",
      query(
        "group {{group}} {{peer}}",
        "dolium_raft_follower_lag_entries{$S} and on (instance, group) dolium_raft_is_leader == 1",
      ),
    ),
    graph(
      "Committed, not applied",
      "none",
      query(
        "group {{group}} {{node}}",
        "dolium_raft_commit_index{$S} - dolium_raft_applied_index{$S}",
      ),
    ),
    graph("Size of the log", "bytes", query("{{node}}", "dolium_raft_log_bytes{$S}")),
    graph("Size of LevelDB", "bytes", query("{{node}} {{store}}", "dolium_kv_size_bytes{$S}")),
    graph(
      "LevelDB",
      "s",
      quantile(0.99, "dolium_kv_write_duration_seconds", "store"),
      quantile(0.99, "dolium_kv_get_duration_seconds", "store"),
    ),
    graph(
      "LevelDB behind with compaction",
      "none",
      query("{{node}} stores", "dolium_kv_compaction_pending{$S}"),
      query("{{node}} stalls", "increase(dolium_kv_write_stalls_total{$S}[$R])"),
    ),
    graph(
      "Calls between services",
      "reqps",
      query(
        "{{method}} {{code}}",
        "sum by (method, code) (rate(dolium_rpc_requests_total{$S}[$R]))",
      ),
    ),
    graph(
      "Time of calls (p99)",
      "s",
      quantile(0.99, "dolium_rpc_request_duration_seconds", "method"),
    ),
    graph(
      "Bytes between services",
      "Bps",
      query(
        "{{direction}} {{peer_campus}}",
        "sum by (direction, peer_campus) (rate(dolium_rpc_bytes_total{$S}[$R]))",
      ),
    ),
    graph(
      "Way to storage nodes",
      "s",
      query("{{node}} to {{peer}}", "dolium_peer_rtt_seconds{$S}"),
      query("{{node}}: {{peer}} up", "dolium_peer_up{$S}"),
    ),
  ],
};

const RUNTIME: Dashboard = {
  file: "runtime.json",
  title: "Dolium / Node runtime",
  description: "Processor, memory, event loop, garbage collection and files of every process.",
  panels: [
    graph(
      "Processor",
      "percentunit",
      query("{{role}} {{node}}", "rate(process_cpu_seconds_total{$S}[$R])"),
    ),
    graph("Memory", "bytes", query("{{role}} {{node}}", "process_resident_memory_bytes{$S}")),
    graph(
      "Event loop lag (p99)",
      "s",
      query("{{role}} {{node}}", "nodejs_eventloop_lag_p99_seconds{$S}"),
    ),
    graph("Heap in use", "bytes", query("{{role}} {{node}}", "nodejs_heap_size_used_bytes{$S}")),
    graph(
      "Garbage collection: share of time",
      "percentunit",
      query(
        "{{role}} {{node}}",
        "sum by (role, node) (rate(nodejs_gc_duration_seconds_sum{$S}[$R]))",
      ),
    ),
    graph("Open files", "none", query("{{role}} {{node}}", "process_open_fds{$S}")),
    graph(
      "Up since",
      "dateTimeFromNow",
      query("{{role}} {{node}}", "dolium_start_time_seconds{$S} * 1000"),
    ),
    graph(
      "Releases",
      "none",
      query(
        "{{version}} {{node_version}}",
        "count by (version, node_version) (dolium_build_info{$S})",
      ),
    ),
  ],
};

const BUCKET: Dashboard = {
  file: "bucket.json",
  title: "Dolium / Bucket",
  description: "What buckets hold and what is asked of them. Beyond ops.bucketLabels: `_other`.",
  byBucket: true,
  panels: [
    graph("Bytes", "bytes", query("{{bucket}}", "max by (bucket) (dolium_bucket_usage_bytes{$B})")),
    graph("Objects", "short", query("{{bucket}}", "max by (bucket) (dolium_bucket_objects{$B})")),
    graph(
      "Versions and delete markers",
      "short",
      query("{{bucket}}", "max by (bucket) (dolium_bucket_versions{$B})"),
    ),
    graph(
      "Share of the quota",
      "percentunit",
      query(
        "{{bucket}}",
        "max by (bucket) (dolium_bucket_usage_bytes{$B} / (dolium_bucket_quota_bytes{$B} > 0))",
      ),
    ),
    graph(
      "Requests",
      "reqps",
      query(
        "{{bucket}} {{class}}",
        "sum by (bucket, class) (rate(dolium_bucket_requests_total{$B}[$R]))",
      ),
    ),
    graph(
      "Bodies",
      "Bps",
      query(
        "{{bucket}} received",
        "sum by (bucket) (rate(dolium_bucket_received_bytes_total{$B}[$R]))",
      ),
      query("{{bucket}} sent", "sum by (bucket) (rate(dolium_bucket_sent_bytes_total{$B}[$R]))"),
    ),
  ],
};

export const DASHBOARDS: readonly Dashboard[] = [OVERVIEW, S3, STORAGE, RAFT, RUNTIME, BUCKET];
