// Clusters to place on: short ways of writing a map down, and counts over a table.
import { present } from "../../../services/lib/base/assert.ts";
import {
  type ClusterMap,
  type FailureDomain,
  failureDomainOf,
  type NodeInfo,
  type Policy,
} from "../../../services/lib/placement/cluster-map.ts";
import type { PlacementTable } from "../../../services/lib/placement/placement-table.ts";

export const TERABYTE = 1e12;

export interface NodeSketch {
  /** Weights of the disks, in terabytes. */
  readonly disks: readonly number[];
  readonly campus?: string;
  readonly rack?: string;
  readonly host?: string;
  readonly state?: NodeInfo["state"];
}

/** Node i (from 1) has disks i*100, i*100+1, ... */
export function nodeOf(nodeId: number, sketch: NodeSketch): NodeInfo {
  return {
    nodeId,
    name: `node-${nodeId}`,
    address: `127.0.0.1:${nodeId}`,
    campus: sketch.campus ?? "campus",
    rack: sketch.rack ?? "rack",
    host: sketch.host ?? `host-${nodeId}`,
    state: sketch.state ?? "up",
    disks: sketch.disks.map((weight, index) => ({
      diskId: nodeId * 100 + index,
      weight: Math.round(weight * TERABYTE),
      state: "up",
    })),
  };
}

export function mapOf(sketches: readonly NodeSketch[], epoch = 1): ClusterMap {
  return {
    epoch,
    nodes: sketches.map((sketch, index) => nodeOf(index + 1, sketch)),
    policies: [],
    placementGroupCount: 256,
  };
}

/** `count` nodes alike. */
export function evenMap(count: number, disks: readonly number[] = [1]): ClusterMap {
  return mapOf(Array.from({ length: count }, () => ({ disks })));
}

/** Three campuses of two nodes with two disks each. */
export function campusMap(): ClusterMap {
  return mapOf(
    ["east", "east", "north", "north", "west", "west"].map((campus) => ({ campus, disks: [1, 1] })),
  );
}

export function policyOf(k: number, m: number, failureDomain: FailureDomain = "node"): Policy {
  return { name: `${k}+${m}`, k, m, failureDomain, cellBytes: 131_072 };
}

/** The domain of every disk of the map. */
export function domainsOf(map: ClusterMap, domain: FailureDomain): ReadonlyMap<number, string> {
  return new Map(
    map.nodes.flatMap((node) =>
      node.disks.map((disk) => [disk.diskId, failureDomainOf({ node, disk }, domain)] as const),
    ),
  );
}

/** How often each value comes. */
export function tally<T>(values: Iterable<T>): Map<T, number> {
  const counts = new Map<T, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}

/** Shards of one group or chunk by domain. */
export function shardsByDomain(
  disks: readonly number[],
  domains: ReadonlyMap<number, string>,
): number[] {
  return [...tally(disks.map((disk) => present(domains.get(disk), "domain"))).values()];
}

/** Shards that must move from one table to the other, whatever order a group lists its disks in. */
export function movedShards(before: PlacementTable, after: PlacementTable): number {
  return before.groups.reduce((sum, disks, group) => {
    const left = tally(present(after.groups[group], "group"));
    return disks.reduce((moved, disk) => {
      const count = left.get(disk) ?? 0;
      if (count === 0) return moved + 1;
      left.set(disk, count - 1);
      return moved;
    }, sum);
  }, 0);
}
