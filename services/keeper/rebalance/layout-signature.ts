// What placement depends on, as a short text: two maps with the same signature have the same
// placement tables. Nodes that are silent for a while do not change it.
import { createHash } from "node:crypto";
import {
  type ClusterMap,
  disksOf,
  groupCountOf,
  placeable,
} from "../../lib/placement/cluster-map.ts";

const HEX_DIGITS = 24;

export function layoutSignature(map: ClusterMap): string {
  const disks = disksOf(map)
    .filter(placeable)
    .map(({ node, disk }) => [
      ...[node.nodeId, node.seat ?? 0, node.campus, node.rack, node.host],
      ...[disk.diskId, disk.seat ?? 0, disk.weight],
    ]);
  const policies = map.policies.map(({ name, k, m, failureDomain }) => [name, k, m, failureDomain]);
  const text = JSON.stringify([groupCountOf(map), policies, disks]);
  return createHash("sha256").update(text).digest("hex").slice(0, HEX_DIGITS);
}
