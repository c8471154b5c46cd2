// The policy that a body lies under while its write was acknowledged in one campus only: two whole
// copies, on two storage nodes of that campus. It follows from the map and is not stored in it, so
// every process knows it by its name: "@" and the campus.
import type { ClusterMap, Policy } from "./cluster-map.ts";

const MARK = "@";
const CELL_BYTES = 128 * 1024;
/** Storage nodes that a campus needs: each holds one copy. */
export const CAMPUS_COPIES = 2;

export function campusPolicyName(campus: string): string {
  return `${MARK}${campus}`;
}

/** By the name that the map or `campusPolicyName` gives; undefined when there is none. */
export function policyNamed(map: ClusterMap, name: string): Policy | undefined {
  const stored = map.policies.find((policy) => policy.name === name);
  if (stored !== undefined || !name.startsWith(MARK)) return stored;
  const campus = name.slice(MARK.length);
  return { name, k: 1, m: CAMPUS_COPIES - 1, failureDomain: "node", cellBytes: CELL_BYTES, campus };
}

/**
 * Why writes cannot be acknowledged by one campus first, in words for an operator; undefined when
 * they can.
 */
export function localRefusal(map: ClusterMap): string | undefined {
  const nodes = new Map<string, Set<number>>();
  for (const node of map.nodes) {
    if (node.state === "out" || node.disks.every(({ weight }) => weight === 0)) continue;
    const ofCampus = nodes.get(node.campus) ?? new Set();
    nodes.set(node.campus, ofCampus.add(node.nodeId));
  }
  if (nodes.size < 2) return "all storage nodes stand in one campus: nothing could follow";
  const small = [...nodes].filter(([, ids]) => ids.size < CAMPUS_COPIES).map(([campus]) => campus);
  if (small.length > 0) {
    const names = small.toSorted().join(", ");
    return `every campus must have ${CAMPUS_COPIES} storage nodes for a copy each: not so in ${names}`;
  }
  return undefined;
}
