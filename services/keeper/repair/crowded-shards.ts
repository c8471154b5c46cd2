// Which shards of a chunk stand closer together than the policy allows: more than one in a failure
// domain while there are domains enough for one each, or, with fewer domains, more than the even
// share. Nodes that are away for a while count as domains: what was written without them is spread
// again when they are back.
import type { ClusterView } from "../../lib/clients/cluster-view.ts";
import { disksFor, failureDomainOf, placeable } from "../../lib/placement/cluster-map.ts";

/** Indexes of the shards beyond the even share of their domain; the first ones in a domain stay. */
export function crowdedShards(
  view: ClusterView,
  policyName: string,
  diskIds: readonly number[],
): number[] {
  const policy = view.policy(policyName);
  const domains = new Map<number, string>();
  const usable = new Set<string>();
  for (const place of disksFor(view.map(), policy)) {
    const domain = failureDomainOf(place, policy.failureDomain);
    domains.set(place.disk.diskId, domain);
    if (placeable(place)) usable.add(domain);
  }
  const share = Math.ceil(diskIds.length / Math.max(1, usable.size));
  const counts = new Map<string, number>();
  return diskIds.flatMap((diskId, index) => {
    const domain = domains.get(diskId);
    if (diskId === 0 || domain === undefined) return [];
    const count = (counts.get(domain) ?? 0) + 1;
    counts.set(domain, count);
    return count > share ? [index] : [];
  });
}
