// What each placement policy survives on the cluster as its map stands, computed from the placement
// groups themselves, and whether buckets may have their writes acknowledged by one campus: in
// numbers, and in sentences for people.
import { StoreError } from "../base/errors.ts";
import { localRefusal } from "./campus-policy.ts";
import { type ClusterMap, disksFor, type Policy, placeable } from "./cluster-map.ts";
import { type Survival, survivesText } from "./survives.ts";

/** Where the shards of a policy may lie. */
export interface Spread {
  readonly campuses: number;
  readonly racks: number;
  readonly hosts: number;
  readonly nodes: number;
  readonly disks: number;
}

export interface PolicyReport extends Survival {
  readonly dataShards: number;
  readonly parityShards: number;
  readonly failureDomain: string;
  readonly over: Spread;
}

export interface PlacementReport {
  readonly epoch: number;
  readonly policies: readonly PolicyReport[];
  /** Nodes that are in the map and not up now. */
  readonly away: readonly string[];
  /** Why no bucket can have `acknowledgement local`; null: any can. */
  readonly localRefusal: string | null;
  /** All that, for people. */
  readonly sentences: readonly string[];
}

/** Throws StoreError "not-found" when the cluster has no policy of that name. */
export function placementReport(map: ClusterMap, name?: string): PlacementReport {
  const policies = map.policies.filter((policy) => name === undefined || policy.name === name);
  if (policies.length === 0) {
    const known = map.policies.map((policy) => policy.name).join(", ");
    throw new StoreError("not-found", `there is no placement policy ${name}; there are ${known}`);
  }
  const report = {
    epoch: map.epoch,
    policies: policies.map((policy) => ({
      ...survivesText(policy, map),
      dataShards: policy.k,
      parityShards: policy.m,
      failureDomain: policy.failureDomain,
      over: spreadOf(map, policy),
    })),
    away: map.nodes.filter(({ state }) => state === "down" || state === "suspect").map(nameOf),
    localRefusal: localRefusal(map) ?? null,
  };
  return { ...report, sentences: sentencesOf(report) };
}

function spreadOf(map: ClusterMap, policy: Policy): Spread {
  const places = disksFor(map, policy).filter(placeable);
  const count = (of: (place: (typeof places)[number]) => unknown): number =>
    new Set(places.map((place) => JSON.stringify(of(place)))).size;
  return {
    campuses: count(({ node }) => node.campus),
    racks: count(({ node }) => [node.campus, node.rack]),
    hosts: count(({ node }) => [node.campus, node.rack, node.host]),
    nodes: count(({ node }) => node.nodeId),
    disks: places.length,
  };
}

function nameOf({ name }: { readonly name: string }): string {
  return name;
}

function sentencesOf(report: Omit<PlacementReport, "sentences">): string[] {
  const { policies, away, localRefusal: refusal } = report;
  const lines = policies.flatMap(({ sentence, hosts, over }) => [
    sentence,
    `  over ${counted(over.campuses, ["campus", "campuses"])}, ` +
      `${counted(over.hosts, ["host", "hosts"])}, ${counted(over.nodes, ["node", "nodes"])} and ` +
      `${counted(over.disks, ["disk", "disks"])}; ` +
      `${hosts === 0 ? "no host" : `any ${counted(hosts, ["host", "hosts"])}`} may be lost`,
  ]);
  if (away.length > 0) lines.push(`away now, which counts against all that: ${away.join(", ")}`);
  lines.push(
    refusal === null
      ? "buckets may have `acknowledgement local`: until a body has followed, its campus alone holds it, on two nodes"
      : `no bucket can have \`acknowledgement local\`: ${refusal}`,
  );
  return lines;
}

function counted(count: number, [one, many]: readonly [string, string]): string {
  return `${count} ${count === 1 ? one : many}`;
}
