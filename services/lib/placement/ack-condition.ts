// When a write may be acknowledged: once the shards that are power-safe survive the loss of any one
// failure domain of the policy. While the map has too few such domains up for that, any one node,
// or else any one disk, may be lost; failing that, every shard must be durable. Only the committed
// map lowers the bar, never what one process believes.
import { assert, present } from "../base/assert.ts";
import {
  type ClusterMap,
  checkPolicy,
  disksFor,
  failureDomainOf,
  type Policy,
  writable,
} from "./cluster-map.ts";
import { protectedDomain } from "./protection.ts";

/**
 * True when enough is durable. `durableDisks`: the disk of every durable shard, one entry a shard;
 * disks the map does not know do not count. With k+m shards on different nodes and domain "node",
 * k+1 are enough.
 */
export function ackCondition(
  durableDisks: readonly number[],
  map: ClusterMap,
  policy: Policy,
): boolean {
  return ackChecker(map, policy)(durableDisks);
}

/** `ackCondition` prepared for one map and policy: the map is gone through once. */
export function ackChecker(
  map: ClusterMap,
  policy: Policy,
): (durableDisks: readonly number[]) => boolean {
  checkPolicy(policy);
  const places = disksFor(map, policy);
  const protects = protectedDomain(policy, places.filter(writable));
  const width = policy.k + policy.m;
  const level = protects ?? "disk";
  const domains = new Map(
    places.map((place) => [place.disk.diskId, failureDomainOf(place, level)]),
  );
  return (durableDisks) => {
    assert(durableDisks.length <= width, "more shards durable than there are");
    const known = durableDisks.filter((diskId) => domains.has(diskId));
    if (protects === undefined) return known.length === width;
    const counts = new Map<string, number>();
    for (const diskId of known) {
      const domain = present(domains.get(diskId), "domain of a disk");
      counts.set(domain, (counts.get(domain) ?? 0) + 1);
    }
    return known.length - Math.max(0, ...counts.values()) >= policy.k;
  };
}
