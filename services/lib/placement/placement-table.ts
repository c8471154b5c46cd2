// The placement table of one policy at one epoch of the cluster map: which disks each placement
// group uses. A pure function of the map, the same on every gateway, balanced by weight, and moving
// little when the map changes. It only proposes: manifests record where shards really are.
import { present } from "../base/assert.ts";
import { StoreError } from "../base/errors.ts";
import {
  type ClusterMap,
  checkClusterMap,
  checkPolicy,
  type DiskPlace,
  disksFor,
  type FailureDomain,
  failureDomainOf,
  groupCountOf,
  type Policy,
  placeable,
} from "./cluster-map.ts";
import { type FailureUnit, failureTree, type SeatedPlace, spreadShards } from "./failure-tree.ts";
import { HashRing } from "./hash-ring.ts";
import {
  domainCount,
  failuresSurvived,
  protectedDomain,
  protectionChain,
  shardsPerDomain,
} from "./protection.ts";
import { seedOf } from "./rendezvous.ts";

export interface PlacementTable {
  readonly epoch: number;
  readonly policy: Policy;
  /** groups[g] lists k+m disk ids; shard i of a chunk goes to the i-th. */
  readonly groups: readonly (readonly number[])[];
  /** Failure domains of the policy's kind that may be lost at once, whichever they are. */
  readonly survives: number;
  /** Losing one failure domain may cost more than m shards (only when asked for). */
  readonly relaxed: boolean;
  /** The disks that groups may use, by node and disk id. */
  readonly places: readonly DiskPlace[];
  /** Those disks as trees, by the kind of domain that is spread over first. */
  readonly trees: ReadonlyMap<FailureDomain, readonly FailureUnit[]>;
  readonly ring: HashRing;
}

export interface PlacementOptions {
  /** Place even where losing one failure domain costs more than m shards. */
  readonly relaxed?: boolean;
  /**
   * The ring of an earlier table; used again when it has as many groups, which saves most of the
   * time.
   */
  readonly ring?: HashRing;
}

/**
 * Groups of k+m disks on different failure domains; with fewer domains than that, spread as evenly
 * as possible over them, then over nodes, then over disks. Shares follow weight as far as the
 * spreading allows. Throws StoreError "invalid", saying why, when the policy or map is nonsense, no
 * disk can be used, or (unless `relaxed`) losing one failure domain would lose data although the
 * policy has parity.
 */
export function computePlacementTable(
  map: ClusterMap,
  policy: Policy,
  options: PlacementOptions = {},
): PlacementTable {
  const table = computePlacementGroups(map, policy, options);
  const count = table.groups.length;
  const ring = options.ring?.memberCount === count ? options.ring : new HashRing(count);
  return { ...table, ring };
}

/** As `computePlacementTable`, for who looks up no keys: the ring takes most of the time. */
export function computePlacementGroups(
  map: ClusterMap,
  policy: Policy,
  options: Pick<PlacementOptions, "relaxed"> = {},
): Omit<PlacementTable, "ring"> {
  checkClusterMap(map);
  checkPolicy(policy);
  const places = disksFor(map, policy).filter(placeable);
  if (places.length === 0) {
    throw new StoreError("invalid", `policy ${policy.name} has no disk to place shards on`);
  }
  const protects = policy.m === 0 ? policy.failureDomain : protectedDomain(policy, places);
  const relaxed = protects !== policy.failureDomain;
  if (relaxed && options.relaxed !== true) throw unplaceable(policy, places);
  const items = Array.from({ length: groupCountOf(map) }, (_, group) => ({
    seed: seedOf(`placement group ${group}`),
    count: policy.k + policy.m,
  }));
  const chain = protectionChain(policy.failureDomain);
  const seated = seatedPlaces(map, places);
  const trees = new Map(
    chain.map((domain) => [domain, failureTree(seated, protectionChain(domain))]),
  );
  const units = present(trees.get(protects ?? policy.failureDomain), "failure tree");
  const groups = spreadShards(items, units, true);
  return {
    epoch: map.epoch,
    policy,
    groups,
    survives: survivedBy(groups, { places, policy, domain: policy.failureDomain }),
    relaxed,
    places,
    trees,
  };
}

/** Each disk with the one whose place it took; a seat that the map does not know is none. */
function seatedPlaces(map: ClusterMap, places: readonly DiskPlace[]): SeatedPlace[] {
  const nodes = new Map(map.nodes.map((node) => [node.nodeId, node]));
  return places.map(({ node, disk }) => {
    const seat = {
      node: (node.seat === undefined ? undefined : nodes.get(node.seat)) ?? node,
      disk: { ...disk, diskId: disk.seat ?? disk.diskId },
    };
    return { node, disk, seat };
  });
}

/** The group a chunk belongs to. `chunkKey`: any text that names it. */
export function placementGroupOf(table: PlacementTable, chunkKey: string): number {
  return table.ring.memberOf(chunkKey);
}

/** How many domains of a kind may be lost at once, whichever, with k shards of every group left. */
export function survivedBy(
  groups: readonly (readonly number[])[],
  by: {
    readonly places: readonly DiskPlace[];
    readonly policy: Policy;
    readonly domain: FailureDomain;
  },
): number {
  const domains = new Map(
    by.places.map((place) => [place.disk.diskId, failureDomainOf(place, by.domain)]),
  );
  const survived = groups.map((disks) => {
    const counts = new Map<string, number>();
    for (const diskId of disks) {
      const domain = present(domains.get(diskId), "domain of a disk");
      counts.set(domain, (counts.get(domain) ?? 0) + 1);
    }
    return failuresSurvived([...counts.values()], by.policy.m);
  });
  return Math.min(...survived);
}

/**
 * Which shards to move so that a chunk lies as its group says: shard numbers with the disks to move
 * them to. `held[i]` is the disk of shard i. Any shard may lie on any disk of the group, so that
 * only shards on disks outside it move (or, where a disk holds more than its part, the later ones).
 */
export function shardMoves(
  held: readonly number[],
  group: readonly number[],
): { readonly shardIndex: number; readonly toDiskId: number }[] {
  const free = [...group];
  const outside = [...held.keys()].filter((shardIndex) => {
    const at = free.indexOf(present(held[shardIndex], "disk"));
    if (at >= 0) free.splice(at, 1);
    return at < 0;
  });
  return outside
    .slice(0, free.length)
    .map((shardIndex, at) => ({ shardIndex, toDiskId: present(free[at], "free place") }));
}

function unplaceable(policy: Policy, places: readonly DiskPlace[]): StoreError {
  const { k, m, failureDomain } = policy;
  const count = domainCount(places, failureDomain);
  const most = shardsPerDomain(policy, count);
  const needed = Math.ceil((k + m) / m);
  const sentence =
    `policy ${policy.name} (${k}+${m}) would put ${most} shards on one ${failureDomain}, ` +
    `of which there ${count === 1 ? "is 1" : `are ${count}`}, and survives the loss of ${m}: ` +
    `it needs ${needed} or more of kind ${failureDomain}`;
  return new StoreError("invalid", sentence);
}
