// The cluster as placement sees it: nodes with their disks and where they stand, and the policies.
// Plain data; the stored record is mapped onto it elsewhere. Also the two rules that all of
// placement shares: which disks count, and which failure domain a disk belongs to.
import { unreachable } from "../base/assert.ts";
import { StoreError } from "../base/errors.ts";
import { CELL_BYTES_MAX, DATA_SHARDS_MAX, PARITY_SHARDS_MAX } from "../base/limits.ts";
import { RING_MEMBERS_MAX } from "./hash-ring.ts";

export type NodeState = "up" | "suspect" | "down" | "out" | "draining";
export type DiskState = "up" | "readonly" | "failed" | "out";
export type FailureDomain = "disk" | "node" | "host" | "rack" | "campus";

export const FAILURE_DOMAINS: readonly FailureDomain[] = ["disk", "node", "host", "rack", "campus"];

export interface DiskInfo {
  readonly diskId: number;
  /** Capacity in bytes; a disk of weight 0 gets nothing. */
  readonly weight: number;
  readonly state: DiskState;
  /** The disk whose place it took: its share is drawn under that name. */
  readonly seat?: number;
}

export interface NodeInfo {
  readonly nodeId: number;
  readonly name: string;
  readonly address: string;
  /** Names need only be unique within what encloses them; an empty name is a name too. */
  readonly campus: string;
  readonly rack: string;
  readonly host: string;
  readonly state: NodeState;
  readonly disks: readonly DiskInfo[];
  /** The node whose place it took: its share is drawn under that name. */
  readonly seat?: number;
}

export interface Policy {
  readonly name: string;
  readonly k: number;
  readonly m: number;
  readonly failureDomain: FailureDomain;
  readonly cellBytes: number;
  /** Only disks of this campus; all campuses when left out. */
  readonly campus?: string;
}

export interface ClusterMap {
  readonly epoch: number;
  readonly nodes: readonly NodeInfo[];
  readonly policies: readonly Policy[];
  /** 0 stands for DEFAULT_PLACEMENT_GROUP_COUNT. */
  readonly placementGroupCount: number;
}

export const DEFAULT_PLACEMENT_GROUP_COUNT = 256;

/** A disk with the node it is in. */
export interface DiskPlace {
  readonly node: NodeInfo;
  readonly disk: DiskInfo;
}

/**
 * True when placement groups may hold the disk. Nodes that are silent for a while and full disks
 * stay, so that the table does not move with every hiccup; what is leaving or lost does not.
 */
export function placeable({ node, disk }: DiskPlace): boolean {
  if (node.state === "out" || node.state === "draining") return false;
  if (disk.state === "failed" || disk.state === "out") return false;
  return disk.weight > 0;
}

/** True when new shards can be written to the disk now, as far as the map knows. */
export function writable(place: DiskPlace): boolean {
  return place.node.state === "up" && place.disk.state === "up" && place.disk.weight > 0;
}

/** Every disk of the map, by node id and then disk id, whatever order the map lists them in. */
export function disksOf(map: ClusterMap): DiskPlace[] {
  const byNode = map.nodes.toSorted((a, b) => a.nodeId - b.nodeId);
  return byNode.flatMap((node) =>
    node.disks.toSorted((a, b) => a.diskId - b.diskId).map((disk) => ({ node, disk })),
  );
}

/** Those that shards of the policy may lie on. */
export function disksFor(map: ClusterMap, { campus }: Policy): DiskPlace[] {
  const all = disksOf(map);
  return campus === undefined ? all : all.filter(({ node }) => node.campus === campus);
}

/** The name of the failure domain of that kind around a disk, unique over the cluster. */
export function failureDomainOf(place: DiskPlace, domain: FailureDomain): string {
  const { node, disk } = place;
  switch (domain) {
    case "disk":
      return `disk ${disk.diskId}`;
    case "node":
      return `node ${node.nodeId}`;
    case "host":
      return `host ${JSON.stringify([node.campus, node.rack, node.host])}`;
    case "rack":
      return `rack ${JSON.stringify([node.campus, node.rack])}`;
    case "campus":
      return `campus ${JSON.stringify([node.campus])}`;
    default:
      return unreachable(domain);
  }
}

/** The number of placement groups, defaulted. */
export function groupCountOf(map: ClusterMap): number {
  return map.placementGroupCount === 0 ? DEFAULT_PLACEMENT_GROUP_COUNT : map.placementGroupCount;
}

/**
 * Throws StoreError "invalid" with a sentence unless the numbers of `policy` are within the limits.
 */
export function checkPolicy(policy: Policy): void {
  const { k, m, cellBytes } = policy;
  checkRange(`policy ${policy.name}: data shards`, k, [1, DATA_SHARDS_MAX]);
  checkRange(`policy ${policy.name}: parity shards`, m, [0, PARITY_SHARDS_MAX]);
  checkRange(`policy ${policy.name}: cell bytes`, cellBytes, [1, CELL_BYTES_MAX]);
}

function checkRange(what: string, value: number, [min, max]: readonly [number, number]): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new StoreError("invalid", `${what} must be from ${min} to ${max}, not ${value}`);
}

/** Throws StoreError "invalid" with a sentence when the map contradicts itself. */
export function checkClusterMap(map: ClusterMap): void {
  checkRange("the number of placement groups", groupCountOf(map), [1, RING_MEMBERS_MAX]);
  const nodeIds = new Set<number>();
  const diskIds = new Set<number>();
  for (const node of map.nodes) {
    if (nodeIds.has(node.nodeId)) {
      throw new StoreError("invalid", `the cluster map names node ${node.nodeId} twice`);
    }
    nodeIds.add(node.nodeId);
    for (const disk of node.disks) {
      if (diskIds.has(disk.diskId)) {
        throw new StoreError("invalid", `the cluster map names disk ${disk.diskId} twice`);
      }
      diskIds.add(disk.diskId);
      if (!Number.isSafeInteger(disk.weight) || disk.weight < 0) {
        throw new StoreError("invalid", `disk ${disk.diskId} cannot weigh ${disk.weight} bytes`);
      }
    }
  }
}
