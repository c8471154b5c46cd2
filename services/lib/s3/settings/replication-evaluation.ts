// By which rule a version goes to a destination. That it goes there was settled by the commit that
// wrote it (BucketState.replication); here is what the rule wants of the replica. Source: Amazon S3
// user guide, "Replication configuration", priorities.
import type { Tag } from "../xml-requests.ts";
import type { ReplicationDestination, ReplicationRule } from "./replication.ts";

export interface ReplicatedVersion {
  readonly key: string;
  readonly tags: readonly Tag[];
}

/** Of the enabled rule of the highest priority; undefined when no rule goes there any more. */
export function destinationOf(
  rules: readonly ReplicationRule[],
  { key, tags }: ReplicatedVersion,
  arn: string,
): ReplicationDestination | undefined {
  const matching = rules.filter(
    ({ isEnabled, filter, destination }) =>
      isEnabled &&
      destination.arn === arn &&
      key.startsWith(filter.prefix ?? "") &&
      filter.tags.every((wanted) =>
        tags.some((tag) => tag.key === wanted.key && tag.value === wanted.value),
      ),
  );
  return matching.toSorted((a, b) => b.priority - a.priority)[0]?.destination;
}
