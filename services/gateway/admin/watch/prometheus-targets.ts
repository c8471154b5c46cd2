// What Prometheus should scrape, in the form of its HTTP service discovery: the metrics of every
// process that the cluster heard of, with where it stands and what it is. A process that was not
// heard since the root group's leader changed is not listed; alerts on nodes go by
// `dolium_cluster_nodes`, which counts those too. Source: Prometheus documentation, "HTTP SD".
import { type ClusterReport, gatherReport } from "../../../lib/clients/cluster-report.ts";
import { json } from "../admin-answer.ts";
import type { AdminOperation } from "../admin-operation.ts";

export interface TargetGroup {
  readonly targets: readonly [string];
  readonly labels: {
    readonly campus: string;
    readonly node: string;
    readonly role: string;
    readonly cluster: string;
  };
}

interface Described {
  readonly name: string;
  readonly role: string;
  readonly campus: string;
  readonly opsAddress: string;
}

/** One process that is everything (`dolium server`) shows the metrics of all roles together. */
const ALL_ROLES = "server";

export const PROMETHEUS_OPERATIONS: readonly AdminOperation[] = [
  {
    name: "GetPrometheusTargets",
    method: "GET",
    path: "/prometheus/targets",
    summary: "Where each process shows its metrics, for Prometheus' HTTP service discovery.",
    admission: { action: "dolium:GetCluster" },
    run: async ({ deps }) => {
      const { transport, metadata, replicas } = deps;
      return json(targetsOf(await gatherReport(transport, metadata, replicas)));
    },
  },
];

/** By address, ascending. */
export function targetsOf({ cluster, replicas }: ClusterReport): readonly TargetGroup[] {
  const metadata = replicas.flatMap(({ status }): Described[] =>
    status === undefined ? [] : [{ ...status, role: "metadata" }],
  );
  const byAddress = new Map<string, Described>();
  for (const found of [...metadata, ...(cluster?.processes ?? [])]) {
    const { opsAddress, role } = found;
    if (opsAddress === "") continue;
    const before = byAddress.get(opsAddress);
    const isAll = before !== undefined && before.role !== role;
    byAddress.set(opsAddress, isAll ? { ...found, role: ALL_ROLES, name: ALL_ROLES } : found);
  }
  const clusterId = cluster?.map?.clusterId ?? "";
  return [...byAddress.values()]
    .sort((a, b) => (a.opsAddress < b.opsAddress ? -1 : 1))
    .map(({ opsAddress, campus, name, role }) => ({
      targets: [opsAddress],
      labels: { campus, node: name, role, cluster: clusterId },
    }));
}
