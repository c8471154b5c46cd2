// Where a new chunk goes: along the ring from its key to the first placement group whose disks can
// all be written; and when there is none, a full-width placement over whatever is left, as safe as
// that can be.
import { assert, present } from "../base/assert.ts";
import type { ClusterMap, DiskPlace } from "./cluster-map.ts";
import { pruneTree, spreadShards } from "./failure-tree.ts";
import type { PlacementTable } from "./placement-table.ts";
import { domainCount, protectedDomain } from "./protection.ts";
import { seedOf } from "./rendezvous.ts";

export interface Walk {
  /** The group the disks are of; the key's own group when `relaxed` disks were put together. */
  readonly placementGroup: number;
  /** k+m disk ids, shard by shard. */
  readonly disks: readonly number[];
  /** Spread over fewer failure domains than the policy wants: to be moved when that gets better. */
  readonly relaxed: boolean;
}

/**
 * Disks for a chunk named `key`; `table` was computed from `map`. `usable` says which disks can be
 * written now; it is asked once a disk. Undefined when too little is usable: no disk at all, or
 * more failure domains away than the policy survives and the rest could not survive the loss of a
 * single disk.
 */
export function walkPlacement(
  table: PlacementTable,
  map: ClusterMap,
  key: string,
  usable: (diskId: number) => boolean,
): Walk | undefined {
  assert(table.epoch === map.epoch, "walkPlacement: table and map are of different epochs");
  const isOpen = askedOnce(usable);
  const isHealthy = (group: number): boolean => table.groups[group]?.every(isOpen) === true;
  const placementGroup = firstHealthy(table, key, isHealthy);
  if (placementGroup !== undefined) {
    const disks = present(table.groups[placementGroup], "placement group");
    return { placementGroup, disks, relaxed: table.relaxed };
  }
  const ids = table.places.map(({ disk }) => disk.diskId);
  const disks = relaxedPlacement(table, key, new Set(ids.filter(isOpen)));
  if (disks === undefined) return undefined;
  return { placementGroup: table.ring.memberOf(key), disks, relaxed: true };
}

function askedOnce(usable: (diskId: number) => boolean): (diskId: number) => boolean {
  const known = new Map<number, boolean>();
  return (diskId) => {
    const answer = known.get(diskId) ?? usable(diskId);
    known.set(diskId, answer);
    return answer;
  };
}

/** Looks at the key's own group, then at few more: the cost is not the cluster's. */
function firstHealthy(
  table: PlacementTable,
  key: string,
  isHealthy: (group: number) => boolean,
): number | undefined {
  const own = table.ring.memberOf(key);
  if (isHealthy(own)) return own;
  // Most walks are short; the longer the list the package makes, the more it costs.
  for (let count = 8; ; count *= 8) {
    const found = table.ring.membersFrom(key, count).find(isHealthy);
    if (found !== undefined || count >= table.groups.length) return found;
    if (!table.groups.some((_, group) => isHealthy(group))) return undefined;
  }
}

/** Spread over the open disks by the widest kind of domain of which one may then still be lost. */
function relaxedPlacement(
  table: PlacementTable,
  key: string,
  open: ReadonlySet<number>,
): readonly number[] | undefined {
  const { policy } = table;
  const places = table.places.filter(({ disk }) => open.has(disk.diskId));
  if (places.length === 0) return undefined;
  const protects = protectedDomain(policy, places);
  if (protects === undefined && policy.m > 0 && domainsAway(table, places) > table.survives) {
    return undefined;
  }
  const tree = present(table.trees.get(protects ?? policy.failureDomain), "failure tree");
  const units = pruneTree(tree, (diskId) => open.has(diskId));
  const item = { seed: seedOf(`chunk ${key}`), count: policy.k + policy.m };
  return present(spreadShards([item], units, false)[0], "placement");
}

/** Failure domains that have no open disk at all. */
function domainsAway(table: PlacementTable, places: readonly DiskPlace[]): number {
  const { failureDomain } = table.policy;
  return domainCount(table.places, failureDomain) - domainCount(places, failureDomain);
}
