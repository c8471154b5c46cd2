// For each alert: figures that must make it fire, and the nearest ones that must not. Values are in
// promtool's notation, one a minute: `0x60` stands for sixty more of the same, `0+2x60` rises by
// two.

/** Series with their values. */
export type Series = Readonly<Record<string, string>>;

export interface AlertCase {
  readonly alert: string;
  readonly severity: "critical" | "warning";
  /** When it is looked at: "10m". */
  readonly at: string;
  readonly fires: Series;
  readonly quiet: Series;
}

const C = 'cluster="c"';
const DISK = `${C},node="s1",disk="d1",instance="i"`;
const DAY = 86_400;

function requests(failing: number): Series {
  return {
    [`dolium_s3_requests_total{${C},code="200"}`]: "0+1000x400",
    [`dolium_s3_requests_total{${C},code="503"}`]: `0+${failing}x400`,
  };
}

function firstBytes(slow: number): Series {
  return {
    [`dolium_s3_time_to_first_byte_seconds_bucket{${C},le="1"}`]: `0+${1000 - slow}x400`,
    [`dolium_s3_time_to_first_byte_seconds_count{${C}}`]: "0+1000x400",
  };
}

function tolerance(nodes: number, disks: number, count = 6): Series {
  return {
    [`dolium_cluster_failure_tolerance{${C},domain="node"}`]: `${nodes}x60`,
    [`dolium_cluster_failure_tolerance{${C},domain="disk"}`]: `${disks}x60`,
    [`dolium_cluster_nodes{${C},campus="um",state="up"}`]: `${count}x60`,
  };
}

function disk(freeShare: number): Series {
  return {
    [`dolium_disk_size_bytes{${DISK}}`]: "1000x60",
    [`dolium_disk_free_bytes{${DISK}}`]: `${1000 * freeShare}x60`,
  };
}

function fsync(slow: boolean): Series {
  const node = `${C},node="m1",instance="i"`;
  const name = "dolium_raft_fsync_duration_seconds_bucket";
  return {
    [`${name}{${node},le="0.25"}`]: slow ? "0x60" : "0+100x60",
    [`${name}{${node},le="1"}`]: "0+100x60",
    [`${name}{${node},le="+Inf"}`]: "0+100x60",
  };
}

function follower(lag: number, leads: number): Series {
  return {
    [`dolium_raft_follower_lag_entries{${C},instance="i",group="1",peer="7"}`]: `${lag}x60`,
    [`dolium_raft_is_leader{${C},instance="i",group="1"}`]: `${leads}x60`,
  };
}

/** promtool's time begins at 0; `ageDays`: how long ago the last pass ended, at the end. */
function scrub(completedSeconds: number, startedSeconds: number): Series {
  return {
    [`dolium_scrub_last_completed_timestamp_seconds{${DISK}}`]: `${completedSeconds}x60`,
    [`dolium_start_time_seconds{${C},node="s1",instance="i"}`]: `${startedSeconds}x60`,
  };
}

function certificate(days: number): Series {
  const series = `dolium_tls_certificate_expiry_timestamp_seconds{${C},instance="i",name="s3"}`;
  return { [series]: `${days * DAY}x60` };
}

const upNode = `dolium_cluster_nodes{${C},campus="um",state="up"}`;
const downNode = `dolium_cluster_nodes{${C},campus="um",state="down"}`;
const build = 'dolium_build_info{job="dolium",instance="i",version="1"}';
const target = 'up{job="dolium",instance="i"}';

export const ALERT_CASES: readonly AlertCase[] = [
  {
    ...{ alert: "NoLeader", severity: "critical", at: "10m" },
    fires: {
      [`dolium_raft_is_leader{${C},group="1",instance="a"}`]: "0x60",
      [`dolium_raft_is_leader{${C},group="1",instance="b"}`]: "0x60",
    },
    quiet: {
      [`dolium_raft_is_leader{${C},group="1",instance="a"}`]: "0x60",
      [`dolium_raft_is_leader{${C},group="1",instance="b"}`]: "1x60",
    },
  },
  {
    ...{ alert: "LeaderFlapping", severity: "warning", at: "30m" },
    fires: { [`dolium_raft_leader_changes_total{${C},group="1"}`]: "0+1x60" },
    quiet: { [`dolium_raft_leader_changes_total{${C},group="1"}`]: "0x20 1x8 2x8 3x8" },
  },
  {
    ...{ alert: "RaftFollowerLag", severity: "warning", at: "10m" },
    fires: follower(20_000, 1),
    // A former leader remembers; only the present one knows.
    quiet: follower(20_000, 0),
  },
  {
    ...{ alert: "RaftFsyncSlow", severity: "warning", at: "20m" },
    fires: fsync(true),
    quiet: fsync(false),
  },
  {
    ...{ alert: "CampusDown", severity: "critical", at: "10m" },
    fires: { [downNode]: "3x60", [`${upNode.replace("um", "msu")}`]: "3x60" },
    quiet: { [downNode]: "3x60", [upNode]: "1x60" },
  },
  {
    ...{ alert: "NodeDown", severity: "warning", at: "10m" },
    fires: { [downNode]: "1x60", [upNode]: "5x60" },
    quiet: { [downNode]: "_x6 1x2 _x60", [upNode]: "6x60" },
  },
  {
    ...{ alert: "WriteUnavailable", severity: "critical", at: "10m" },
    fires: { [`dolium_cluster_write_available{${C},instance="a"}`]: "0x60" },
    // One keeper that is cut off sees less than there is.
    quiet: {
      [`dolium_cluster_write_available{${C},instance="a"}`]: "0x60",
      [`dolium_cluster_write_available{${C},instance="b"}`]: "1x60",
    },
  },
  {
    ...{ alert: "FailureToleranceLow", severity: "critical", at: "10m" },
    fires: tolerance(0, 1),
    // A single node over several disks.
    quiet: tolerance(0, 2, 1),
  },
  {
    ...{ alert: "FailureToleranceLow", severity: "warning", at: "30m" },
    fires: tolerance(1, 1),
    quiet: tolerance(2, 2),
  },
  {
    ...{ alert: "RepairStalled", severity: "warning", at: "90m" },
    fires: {
      [`dolium_repair_queue_length{${C}}`]: "4x120",
      [`dolium_repair_rebuilt_shards_total{${C}}`]: "9x120",
    },
    quiet: {
      [`dolium_repair_queue_length{${C}}`]: "4x120",
      [`dolium_repair_rebuilt_shards_total{${C}}`]: "0+1x120",
    },
  },
  {
    ...{ alert: "ScrubOverdue", severity: "warning", at: "61m" },
    fires: scrub(0, -36 * DAY),
    quiet: scrub(0, -34 * DAY),
  },
  {
    ...{ alert: "ShardCorruption", severity: "warning", at: "30m" },
    fires: { [`dolium_storage_corrupt_shards_total{${DISK},by="scrubber"}`]: "0x10 1x60" },
    quiet: { [`dolium_storage_corrupt_shards_total{${DISK},by="scrubber"}`]: "1x60" },
  },
  {
    ...{ alert: "DiskErrors", severity: "warning", at: "15m" },
    fires: { [`dolium_disk_errors_total{${DISK},kind="read"}`]: "0x10 1x60" },
    quiet: {
      [`dolium_disk_errors_total{${DISK},kind="read"}`]: "5x60",
      [`dolium_disk_state{${DISK},state="failed"}`]: "0x60",
    },
  },
  {
    ...{ alert: "DiskErrors", severity: "warning", at: "15m" },
    fires: { [`dolium_disk_state{${DISK},state="failed"}`]: "1x60" },
    quiet: { [`dolium_disk_state{${DISK},state="up"}`]: "1x60" },
  },
  {
    ...{ alert: "DiskNearFull", severity: "critical", at: "10m" },
    fires: disk(0.05),
    quiet: disk(0.15),
  },
  {
    ...{ alert: "DiskNearFull", severity: "warning", at: "30m" },
    fires: disk(0.15),
    quiet: disk(0.25),
  },
  {
    ...{ alert: "FillsIn7Days", severity: "warning", at: "100m" },
    fires: { [`dolium_cluster_usable_free_bytes{${C}}`]: "100000-10x400" },
    quiet: { [`dolium_cluster_usable_free_bytes{${C}}`]: "100000-5x400" },
  },
  {
    ...{ alert: "S3ErrorBudgetBurn", severity: "critical", at: "70m" },
    fires: requests(20),
    quiet: requests(2),
  },
  {
    ...{ alert: "S3ErrorBudgetBurn", severity: "warning", at: "2h" },
    fires: requests(5),
    quiet: requests(0),
  },
  {
    ...{ alert: "S3LatencyHigh", severity: "critical", at: "70m" },
    fires: firstBytes(200),
    quiet: firstBytes(100),
  },
  {
    ...{ alert: "S3LatencyHigh", severity: "warning", at: "60m" },
    fires: firstBytes(100),
    quiet: firstBytes(10),
  },
  {
    ...{ alert: "EventLoopLag", severity: "warning", at: "20m" },
    fires: {
      [build]: "1x60",
      'nodejs_eventloop_lag_p99_seconds{job="dolium",instance="i",node="g1"}': "0.3x60",
    },
    // Other programs in Node are none of ours.
    quiet: {
      [build]: "1x60",
      'nodejs_eventloop_lag_p99_seconds{job="dolium",instance="i",node="g1"}': "0.1x60",
      'nodejs_eventloop_lag_p99_seconds{job="other",instance="o"}': "9x60",
    },
  },
  {
    ...{ alert: "ClockSkew", severity: "warning", at: "10m" },
    fires: { [`dolium_clock_offset_seconds{${C},peer="s1"}`]: "-2x60" },
    quiet: { [`dolium_clock_offset_seconds{${C},peer="s1"}`]: "0.5x60" },
  },
  {
    ...{ alert: "CertificateExpires", severity: "critical", at: "30m" },
    fires: certificate(6),
    quiet: certificate(10),
  },
  {
    ...{ alert: "CertificateExpires", severity: "warning", at: "30m" },
    fires: certificate(10),
    quiet: certificate(30),
  },
  {
    ...{ alert: "QuotaNearFull", severity: "warning", at: "30m" },
    fires: {
      [`dolium_bucket_usage_bytes{${C},bucket="b"}`]: "95x60",
      [`dolium_bucket_quota_bytes{${C},bucket="b"}`]: "100x60",
    },
    // 0 stands for no quota.
    quiet: {
      [`dolium_bucket_usage_bytes{${C},bucket="b"}`]: "95x60",
      [`dolium_bucket_quota_bytes{${C},bucket="b"}`]: "0x60",
    },
  },
  {
    ...{ alert: "TargetMissing", severity: "warning", at: "10m" },
    fires: { [target]: "0x60", [build]: "1x60" },
    quiet: { [target]: "1x60", [build]: "1x60" },
  },
  {
    ...{ alert: "TargetMissing", severity: "warning", at: "10m" },
    fires: { 'up{job="node"}': "1x60" },
    quiet: { [target]: "1x60", [build]: "1x60" },
  },
  {
    ...{ alert: "AuditLinesDropped", severity: "critical", at: "15m" },
    fires: { [`dolium_audit_dropped_lines_total{${C},node="g1",sink="file"}`]: "0x10 3x60" },
    quiet: { [`dolium_audit_dropped_lines_total{${C},node="g1",sink="file"}`]: "3x60" },
  },
];
