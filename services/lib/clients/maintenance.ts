// Whether a machine may be taken down now: whether, without what runs there, every metadata group
// keeps a majority and every object stays readable. What cannot be told counts as no.
import type { Clock } from "../ports/clock.ts";
import type { Transport } from "../ports/transport.ts";
import { type ClusterReport, gatherReport } from "./cluster-report.ts";
import { describeCluster, type NodeView } from "./cluster-status.ts";
import type { MetadataClient } from "./metadata-client.ts";
import { quorumObjections, quorumsOf } from "./quorum.ts";

/** Asked more often, the last report is told again: whoever asks may not be known. */
const REPORT_MS_MAX = 1000;

export interface MaintenanceDeps {
  readonly transport: Transport;
  readonly metadata: Pick<MetadataClient, "clusterStatus" | "query">;
  readonly clock: Clock;
  /** host:port of every metadata replica. */
  readonly replicas: readonly string[];
}

export class Maintenance {
  readonly #deps: MaintenanceDeps;
  #report: Promise<ClusterReport> | undefined;
  #askedMs = 0;

  constructor(deps: MaintenanceDeps) {
    this.#deps = deps;
  }

  /** Why the nodes of these names must stay; empty when they may go. */
  async objections(names: ReadonlySet<string>): Promise<string[]> {
    const { transport, metadata, clock, replicas } = this.#deps;
    const nowMs = clock.monotonicMs();
    if (this.#report === undefined || nowMs - this.#askedMs > REPORT_MS_MAX) {
      this.#askedMs = nowMs;
      this.#report = gatherReport(transport, metadata, replicas);
    }
    return departureObjections(await this.#report, names);
  }
}

/** Why the nodes of these names, of whatever role, must stay; empty when they may go together. */
export function departureObjections(report: ClusterReport, names: ReadonlySet<string>): string[] {
  if (report.cluster === undefined) return [`no root leader: ${report.clusterFailure}`];
  const quorums = quorumsOf(report.replicas);
  const { nodes, mayFail } = describeCluster(report);
  const isKnown =
    nodes.some(({ name }) => names.has(name)) ||
    quorums.some(({ voters }) => voters.some((name) => names.has(name)));
  if (!isKnown) return [`there is no node ${[...names].join(", ")}`];
  const storing = nodes.filter((node) => names.has(node.name) && isNeeded(node)).length;
  const objections = quorumObjections(quorums, names);
  if (storing > mayFail.storageNodes) {
    objections.push(`storage: ${mayFail.storageNodes} more nodes may fail now`);
  }
  return objections;
}

/** Whether it may hold a shard that nobody has counted as away. */
function isNeeded({ role, state, drained, silent }: NodeView): boolean {
  if (role !== "storage" || state === "down" || state === "out") return false;
  return drained !== true && silent !== true;
}
