// What a policy survives on a cluster, in numbers and in a sentence, for `status` and `policy
// check`. Counted from the placement groups themselves, so it is what is so and not what was meant.
import type { ClusterMap, FailureDomain, Policy } from "./cluster-map.ts";
import { computePlacementGroups, survivedBy } from "./placement-table.ts";
import { domainCount } from "./protection.ts";

export interface Survival {
  readonly policy: string;
  /** How many of each may be lost at once, whichever they are, with no data lost. */
  readonly disks: number;
  readonly nodes: number;
  readonly hosts: number;
  readonly racks: number;
  readonly campuses: number;
  /** Losing one failure domain of the policy's kind may lose data. */
  readonly relaxed: boolean;
  /** For an operator, without a full stop. */
  readonly sentence: string;
}

/** Throws StoreError "invalid" when the policy is nonsense or there is no disk at all. */
export function survivesText(policy: Policy, map: ClusterMap): Survival {
  const { groups, places, relaxed } = computePlacementGroups(map, policy, { relaxed: true });
  const survived = (domain: FailureDomain): number =>
    survivedBy(groups, { places, policy, domain });
  const numbers = {
    disks: survived("disk"),
    nodes: survived("node"),
    hosts: survived("host"),
    racks: survived("rack"),
    campuses: survived("campus"),
  };
  const parts = [
    part(numbers.disks, ["disk", "disks"]),
    part(numbers.nodes, ["node", "nodes"]),
    ...(domainCount(places, "campus") > 1 ? [part(numbers.campuses, ["campus", "campuses"])] : []),
  ];
  const { name, k, m, failureDomain } = policy;
  const warning = relaxed
    ? `; losing one ${failureDomain}, which the policy is meant to survive, may lose data`
    : "";
  const losses = parts.join(", or ");
  const sentence = `policy ${name} (${k}+${m}) survives the loss of ${losses}${warning}`;
  return { policy: name, ...numbers, relaxed, sentence };
}

function part(count: number, [one, many]: readonly [string, string]): string {
  if (count === 0) return `no ${one}`;
  return count === 1 ? `any 1 ${one}` : `any ${count} ${many}`;
}
