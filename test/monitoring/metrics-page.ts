// docs/metrics.md out of what a process registers: name, kind, labels and meaning of every metric,
// by area.
import type { MetricDescription } from "../../services/lib/host/metrics.ts";

interface Area {
  readonly title: string;
  readonly names: RegExp;
}

/** The first that fits counts. */
const AREAS: readonly Area[] = [
  { title: "Process", names: /^dolium_(build_info|start_time)/ },
  { title: "S3", names: /^dolium_(s3|user_rate|sign_in|sts|tokens|authorization|keystore)_?/ },
  { title: "Buckets (`/metrics/buckets`)", names: /^dolium_bucket_/ },
  { title: "Admin API, audit, provisioning", names: /^dolium_(admin|audit|provisioning)_/ },
  { title: "Calls between services", names: /^dolium_(rpc|peer|clock|tls)_/ },
  { title: "Raft and metadata", names: /^dolium_(raft|metadata|outbox|reconciled)_/ },
  { title: "LevelDB", names: /^dolium_kv_/ },
  { title: "Disks and storage nodes", names: /^dolium_(disk|storage|scrub)_/ },
  { title: "Durability", names: /^dolium_(shards|objects|repair|verify|gc|stale|ec|keeper)_/ },
  { title: "Cluster", names: /^dolium_(cluster|rebalance|multipart)_/ },
  { title: "Keeper's other tasks", names: /^dolium_/ },
  { title: "Node", names: /^(nodejs|process)_/ },
];

const HEAD = `# Metrics

<!-- Generated: DOLIUM_UPDATE_DOCS=1 node --test test/monitoring/metrics-page.test.ts -->

Every process shows its metrics at \`/metrics\` of its operations port (\`ops.address\`,
\`ops.port\`), gateways those of single buckets at \`/metrics/buckets\`. \`dolium server\` shows
the metrics of all roles together. Where the processes are, a gateway tells Prometheus: \`GET
/api/v1/prometheus/targets\` (HTTP service discovery), with the labels \`cluster\`, \`campus\`,
\`node\` and \`role\`. Scrape with \`honor_labels: true\`: figures about other processes bring
their own \`campus\`.

Ready to use: \`deploy/prometheus\` (configuration, recording rules, alerts), \`deploy/grafana\`
(six dashboards), [runbooks](runbooks/README.md). Traces and the audit log: [audit.md](audit.md),
[tracing.md](tracing.md).

## What may surprise

- **Figures of the whole cluster** (\`cluster_*\`, \`shards_*\`, \`objects_degraded\`,
  \`multipart_uploads_open\`) come from every keeper, as each sees it, not from one leader:
  without a leader they are needed most. Take \`max\` for availability and \`min\` for tolerance,
  as the recording rules do.
- **\`objects_degraded\`** counts chunks of objects (32 MiB at most each): that is what the repair
  queues hold.
- **\`cluster_failure_tolerance\`** has the domains \`disk\`, \`node\`, \`campus\` and
  \`metadata\` (replicas); zones are campuses.
- **\`raft_fsync_duration_seconds\`** has no group: all groups of a process share one log and one
  sync.
- **\`kv_write_stalls_total\`** counts batches that took over a second: LevelDB does not tell of
  its stalls. **\`kv_get_duration_seconds\`** times one read in sixteen, since a read costs little
  more than timing it.
- **\`gc_pending_bytes\`** is what compaction has yet to give back; what the garbage queues hold
  is counted in bodies (\`gc_pending_entries\`), because a freed body's record has no sizes.
- **\`rpc_*\`** are counted by the caller. \`peer_campus\` is \`unknown\` for metadata replicas
  and for callers that do not follow the cluster map (metadata and storage processes).
- **There is no \`config_reload_success\`**: the configuration is read once, at the start. What is
  read again while a process runs are certificates, which
  \`tls_certificate_expiry_timestamp_seconds\` shows, and the provisioning file.
- **Buckets**: at most \`ops.bucketLabels\` (500) have figures of their own, the largest; the
  others are \`_other\`. A bucket's requests count by name from the first one that was answered
  well.
`;

export function metricsPage(descriptions: readonly MetricDescription[]): string {
  const left = new Set(descriptions);
  const sections = AREAS.map(({ title, names }) => {
    const rows = [...left].filter(({ name }) => names.test(name));
    for (const row of rows) left.delete(row);
    return `## ${title}\n\n| metric | kind | labels | meaning |\n| --- | --- | --- | --- |\n${rows
      .map(rowOf)
      .join("")}`;
  });
  if (left.size > 0) throw new Error(`of no area: ${[...left].map(({ name }) => name).join(" ")}`);
  return `${HEAD}\n${sections.join("\n")}`;
}

function rowOf({ name, type, help, labels }: MetricDescription): string {
  const words = help.replaceAll("|", "\\|").replace(/\.$/, "");
  const named = labels.map((label) => `\`${label}\``).join(" ");
  return `| \`${name}\` | ${type} | ${named} | ${words} |\n`;
}
