// Which destinations the replication rules of a bucket have for one version. The gateway asks when
// it writes (the version is PENDING from its first moment), the keeper when it carries out. Source:
// Amazon S3 user guide, "What does Amazon S3 replicate?" and "Replication configuration".
import type { Tag } from "../xml-requests.ts";
import type { ReplicationDestination, ReplicationFilter, ReplicationRule } from "./replication.ts";

export interface ReplicationCandidate {
  readonly key: string;
  readonly tags: readonly Tag[];
  readonly isDeleteMarker: boolean;
  /** Keys of clients are not there when the keeper copies. */
  readonly sealing: "none" | "own-key" | "named-key" | "client-key";
}

/** One for each destination bucket, by the matching rule of the highest priority. */
export function replicationDestinations(
  rules: readonly ReplicationRule[],
  candidate: ReplicationCandidate,
): readonly ReplicationDestination[] {
  const chosen = new Map<string, ReplicationRule>();
  for (const rule of rules) {
    if (!rule.isEnabled || !isWanted(rule, candidate)) continue;
    const known = chosen.get(rule.destination.arn);
    if (known === undefined || known.priority < rule.priority) {
      chosen.set(rule.destination.arn, rule);
    }
  }
  return [...chosen.values()].map(({ destination }) => destination);
}

function isWanted(rule: ReplicationRule, candidate: ReplicationCandidate): boolean {
  const { isDeleteMarker, sealing } = candidate;
  if (!matches(rule.filter, candidate)) return false;
  if (isDeleteMarker) return rule.deleteMarkers;
  if (sealing === "client-key") return false;
  return sealing !== "named-key" || rule.kmsObjects === true;
}

function matches({ prefix, tags }: ReplicationFilter, candidate: ReplicationCandidate): boolean {
  if (!candidate.key.startsWith(prefix ?? "")) return false;
  return tags.every(({ key, value }) =>
    candidate.tags.some((tag) => tag.key === key && tag.value === value),
  );
}

/** Destinations that any rule might have for the key, whatever its tags and sealing. */
export function possibleDestinations(
  rules: readonly ReplicationRule[],
  { key, isDeleteMarker }: Pick<ReplicationCandidate, "key" | "isDeleteMarker">,
): readonly string[] {
  const possible = rules.filter(
    ({ isEnabled, filter, deleteMarkers }) =>
      isEnabled && key.startsWith(filter.prefix ?? "") && (!isDeleteMarker || deleteMarkers),
  );
  return [...new Set(possible.map(({ destination }) => destination.arn))];
}
