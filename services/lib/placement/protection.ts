// What a spread of shards protects against. When fewer failure domains are there than a policy
// wants, writes go on with less: its domain if losing any one can be survived, else any one node,
// else any one disk, else nothing but all shards on disk. Writers place and acknowledge by the same
// rule.
import { type DiskPlace, type FailureDomain, failureDomainOf, type Policy } from "./cluster-map.ts";

/** Kinds of domain a policy falls back on, the wanted one first. */
export function protectionChain(domain: FailureDomain): readonly FailureDomain[] {
  if (domain === "disk") return ["disk"];
  if (domain === "node") return ["node", "disk"];
  return [domain, "node", "disk"];
}

/** Different domains of that kind among `places`. */
export function domainCount(places: readonly DiskPlace[], domain: FailureDomain): number {
  return new Set(places.map((place) => failureDomainOf(place, domain))).size;
}

/** Most shards in one domain when k+m are spread evenly over `domains`. */
export function shardsPerDomain(policy: Policy, domains: number): number {
  return Math.ceil((policy.k + policy.m) / domains);
}

/**
 * The first kind of domain of which any one may be lost when k+m shards are spread evenly over
 * `places`; undefined when there is none (always so with m = 0).
 */
export function protectedDomain(
  policy: Policy,
  places: readonly DiskPlace[],
): FailureDomain | undefined {
  if (places.length === 0) return undefined;
  return protectionChain(policy.failureDomain).find(
    (domain) => shardsPerDomain(policy, domainCount(places, domain)) <= policy.m,
  );
}

/**
 * Domains that may fail at once when their shards number `shardsByDomain` and m shards may be lost.
 */
export function failuresSurvived(shardsByDomain: readonly number[], m: number): number {
  let lost = 0;
  let failures = 0;
  for (const shards of shardsByDomain.toSorted((a, b) => b - a)) {
    lost += shards;
    if (lost > m) break;
    failures += 1;
  }
  return failures;
}
