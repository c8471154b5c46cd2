// Conditions of writes, from headers to the record that the state machine evaluates when it applies
// the command: only there is a compare-and-swap one.
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ConditionSchema } from "../../lib/gen/dolium/record/v1/command_pb.ts";
import type {
  DeleteConditions,
  RenameConditions,
  WriteCondition,
} from "../../lib/s3/conditions.ts";

export type ConditionInit = MessageInitShape<typeof ConditionSchema>;

/** The record of a write condition, and the header a failure of it is blamed on. */
export interface CommandCondition {
  readonly condition: ConditionInit;
  readonly header: string;
}

export function commandCondition(condition: WriteCondition): CommandCondition {
  switch (condition.kind) {
    case "none":
      return { condition: {}, header: "If-Match" };
    case "if-absent":
      return { condition: { ifAbsent: true }, header: "If-None-Match" };
    case "if-present":
      return { condition: { ifMatch: ["*"] }, header: "If-Match" };
    case "if-match":
      return { condition: { ifMatch: [condition.etag] }, header: "If-Match" };
  }
}

export function deleteCondition(conditions: DeleteConditions): CommandCondition {
  const { condition, header } = commandCondition(conditions.match);
  const { lastModifiedMs, sizeBytes } = conditions;
  return {
    header,
    condition: {
      ...condition,
      ...(sizeBytes === undefined ? {} : { ifMatchSize: BigInt(sizeBytes) }),
      ...(lastModifiedMs === undefined ? {} : { ifMatchModifiedS: seconds(lastModifiedMs) }),
    },
  };
}

export function renameCondition(conditions: RenameConditions): ConditionInit {
  const { ifMatch, ifNoneMatch, modifiedSinceMs, unmodifiedSinceMs } = conditions;
  return {
    ifMatch: [...ifMatch],
    ifNoneMatch: [...ifNoneMatch],
    ...(modifiedSinceMs === undefined ? {} : { ifModifiedSinceS: seconds(modifiedSinceMs) }),
    ...(unmodifiedSinceMs === undefined ? {} : { ifUnmodifiedSinceS: seconds(unmodifiedSinceMs) }),
  };
}

/** Nothing here is older than 1970. */
function seconds(timeMs: number): bigint {
  return BigInt(Math.max(0, Math.floor(timeMs / 1000)));
}
