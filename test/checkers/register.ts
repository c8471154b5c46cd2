// The sequential model of one key: what each operation does to the value and which answers it may
// give. The value is its id; null: no such key. Amazon S3 User Guide, "Amazon S3 data consistency
// model" and "conditional requests".
import { isRead, isWrite, type Operation } from "./history.ts";

export type Value = string | null;

/**
 * The value after `operation` met `value`; undefined when its answer cannot be of this moment. An
 * operation whose outcome is unknown fits everywhere.
 */
export function step(operation: Operation, value: Value): Value | undefined {
  if (isRead(operation)) return readAnswer(operation, value) ? value : undefined;
  const { input, output } = operation;
  const applies = holds(operation, value);
  if (output.kind === "refused") return applies ? undefined : value;
  if (output.kind === "ok" && !applies) return undefined;
  if (!applies) return value;
  return operation.kind === "delete" ? null : (input.value ?? null);
}

/** Whether it tells anything or may change anything. */
export function matters(operation: Operation): boolean {
  const { kind } = operation.output;
  if (operation.kind === "list" || kind === "failed") return false;
  return !isRead(operation) || kind === "ok";
}

/** Whatever value it meets stays: a read that was answered, a write that was refused. */
export function neverChanges(operation: Operation): boolean {
  return isRead(operation) || operation.output.kind === "refused";
}

/** Writes whose unique value proves, where it is seen, that they took effect. */
export function writtenValue(operation: Operation): string | undefined {
  return isWrite(operation) ? operation.input.value : undefined;
}

function holds({ input: { condition } }: Operation, value: Value): boolean {
  if (condition === undefined) return true;
  return condition.kind === "absent" ? value === null : value === condition.value;
}

function readAnswer({ output }: Operation, value: Value): boolean {
  if (output.kind !== "ok") return true;
  if (output.value !== undefined) return output.value === value;
  return output.present === undefined || output.present === (value !== null);
}
