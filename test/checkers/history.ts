// What clients did and saw, as the checkers read it. One operation is one attempt: a client that
// tries again records another one. Times are of one monotonic clock, in any unit. Kept as NDJSON,
// one operation a line, an open end as null.
import { readFileSync } from "node:fs";

export type Kind = "put" | "complete" | "copy" | "get" | "head" | "delete" | "list";

/** A write that is taken only if ... */
export type Condition =
  | { readonly kind: "absent" }
  /** ... the key holds this value (If-Match with its ETag). */
  | { readonly kind: "value"; readonly value: string };

export interface Input {
  /** put, complete, copy: id of the value written, unique in the history of a key. */
  readonly value?: string;
  readonly condition?: Condition;
  /** list: */
  readonly prefix?: string;
}

/** One page of a listing: one snapshot, taken between the two times. */
export interface ListPage {
  readonly invokedAt: number;
  readonly returnedAt: number;
  readonly keys: readonly string[];
}

export type Output =
  | {
      readonly kind: "ok";
      /** get, head: the value found; null: no such key. Left out: only `present` is known. */
      readonly value?: string | null;
      readonly present?: boolean;
      /** list: every page, to the last. */
      readonly pages?: readonly ListPage[];
    }
  /** The condition did not hold (412, and 404 for If-Match): nothing was changed. */
  | { readonly kind: "refused" }
  /** Certainly without effect: never sent, or refused for a reason that no model knows. */
  | { readonly kind: "failed"; readonly why: string }
  /** Timeout, reset, 5xx: a write may take effect at any time from its start on, or never. */
  | { readonly kind: "unknown"; readonly why: string };

export interface Operation {
  readonly client: string;
  readonly kind: Kind;
  readonly bucket: string;
  /** Empty for list. */
  readonly key: string;
  readonly invokedAt: number;
  /** Infinity when the outcome is unknown. */
  readonly returnedAt: number;
  readonly input: Input;
  readonly output: Output;
}

export function isWrite({ kind }: Operation): boolean {
  return kind === "put" || kind === "complete" || kind === "copy";
}

export function isRead({ kind }: Operation): boolean {
  return kind === "get" || kind === "head";
}

export function toLine(operation: Operation): string {
  const { returnedAt } = operation;
  const line = { ...operation, returnedAt: Number.isFinite(returnedAt) ? returnedAt : null };
  return `${JSON.stringify(line)}\n`;
}

/** Throws with the number of the first line that is no operation. */
export function fromLines(text: string): Operation[] {
  const lines = text.split("\n").filter((line) => line !== "");
  return lines.map((line, index) => {
    // Checked below: what has no times and no outcome is refused.
    const read = JSON.parse(line) as Operation & { readonly returnedAt: number | null };
    if (typeof read.invokedAt !== "number" || typeof read.output?.kind !== "string") {
      throw new Error(`line ${index + 1} is no operation`);
    }
    return { ...read, returnedAt: read.returnedAt ?? Number.POSITIVE_INFINITY };
  });
}

export function readHistory(path: string): Operation[] {
  return fromLines(readFileSync(path, "utf8"));
}

/** The operations on each key, by "bucket/key"; listings are left out. */
export function byKey(history: readonly Operation[]): Map<string, Operation[]> {
  const keys = new Map<string, Operation[]>();
  for (const operation of history) {
    if (operation.kind === "list") continue;
    const name = `${operation.bucket}/${operation.key}`;
    const known = keys.get(name);
    if (known === undefined) keys.set(name, [operation]);
    else known.push(operation);
  }
  return keys;
}

/** One line for people. */
export function describe(operation: Operation): string {
  const { client, kind, bucket, key, invokedAt, returnedAt, input, output } = operation;
  const { condition } = input;
  const asked =
    condition === undefined
      ? ""
      : condition.kind === "absent"
        ? " if absent"
        : ` if ${condition.value}`;
  const found =
    output.kind !== "ok"
      ? output.kind
      : output.value === undefined
        ? output.present === undefined
          ? "ok"
          : `present: ${output.present}`
        : `-> ${output.value ?? "absent"}`;
  const times = `[${invokedAt.toFixed(1)}, ${returnedAt.toFixed(1)}]`;
  return `${times} ${client} ${kind} ${bucket}/${key} ${input.value ?? ""}${asked} ${found}`;
}
