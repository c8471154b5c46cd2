// The policy document of a POST form: reads it, and checks the fields against it. Guarantees that
// every field but the documented exceptions is held by a condition, so that nobody who only has a
// signed form can add to it. Source: Amazon S3 API reference, "Creating a POST policy" (version 4),
// "Browser-based uploads using POST" (version 2).
import { fromUtf8 } from "../../base/bytes.ts";
import { decodeBase64 } from "../base64.ts";
import { S3Error } from "../errors.ts";
import { parseIsoDate } from "../http-date.ts";
import type { FormFields } from "./form-fields.ts";

const CONDITIONS_MAX = 256;

export type FormCondition =
  | { readonly kind: "equal"; readonly name: string; readonly value: string }
  | { readonly kind: "starts-with"; readonly name: string; readonly value: string };

export interface FormPolicy {
  readonly expiresMs: number;
  /** Names are lower case, without `$`. */
  readonly conditions: readonly FormCondition[];
  /** Bytes of the file, both included; undefined when the policy sets no range. */
  readonly length: LengthRange | undefined;
}

export interface LengthRange {
  readonly min: number;
  readonly max: number;
}

/** Parses the `policy` field: base64 of JSON. Throws InvalidPolicyDocument. */
export function parseFormPolicy(text: string): FormPolicy {
  // Some libraries wrap the base64 into lines.
  const bytes = decodeBase64(text.replaceAll(/[\r\n]/g, ""));
  const json = bytes === undefined ? undefined : fromUtf8(bytes);
  if (json === undefined) throw invalid("Invalid Policy: Invalid 'policy' encoding.");
  const fields = entriesOf(parseJson(json));
  const unknown = [...fields.keys()].find((name) => !["expiration", "conditions"].includes(name));
  if (unknown !== undefined) throw invalid(`Invalid Policy: Unexpected: '${unknown.slice(0, 64)}'`);
  const expiration = fields.get("expiration");
  const expiresMs = typeof expiration === "string" ? parseIsoDate(expiration) : undefined;
  if (expiration === undefined) throw invalid("Invalid Policy: Policy missing expiration.");
  if (expiresMs === undefined) throw invalid("Invalid Policy: Invalid 'expiration' value.");
  const conditions = fields.get("conditions");
  if (conditions === undefined) throw invalid("Invalid Policy: Policy missing conditions.");
  if (!Array.isArray(conditions) || conditions.length > CONDITIONS_MAX) {
    throw invalid("Invalid Policy: Invalid 'conditions' value: must be a List.");
  }
  return readConditions(conditions, expiresMs);
}

function invalid(message: string): S3Error {
  return new S3Error("InvalidPolicyDocument", message);
}

function parseJson(text: string): unknown {
  try {
    // Checked boundary: the value is examined field by field.
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) throw invalid("Invalid Policy: Invalid JSON.");
    throw error;
  }
}

function entriesOf(value: unknown): ReadonlyMap<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalid("Invalid Policy: Invalid JSON.");
  }
  return new Map(Object.entries(value));
}

function readConditions(list: readonly unknown[], expiresMs: number): FormPolicy {
  const conditions: FormCondition[] = [];
  let length: LengthRange | undefined;
  for (const item of list) {
    if (Array.isArray(item)) {
      const read = readTriple(item);
      if (read.kind === "length") length = narrower(length, read.range);
      else conditions.push(read);
      continue;
    }
    for (const [name, value] of entriesOf(item)) {
      conditions.push({ kind: "equal", name: name.toLowerCase(), value: textOf(value) });
    }
  }
  return { expiresMs, conditions, length };
}

function narrower(first: LengthRange | undefined, second: LengthRange): LengthRange {
  if (first === undefined) return second;
  return { min: Math.max(first.min, second.min), max: Math.min(first.max, second.max) };
}

function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  throw invalid("Invalid Policy: Invalid Simple-Condition: value must be a string.");
}

type Triple = FormCondition | { readonly kind: "length"; readonly range: LengthRange };

function readTriple(item: readonly unknown[]): Triple {
  const [operator, first, second] = item;
  const kind = typeof operator === "string" ? operator.toLowerCase() : "";
  if (item.length !== 3) {
    throw invalid("Invalid Policy: Invalid Condition: wrong number of arguments.");
  }
  if (kind === "content-length-range") {
    const [min, max] = [numberOf(first), numberOf(second)];
    if (min > max) throw invalid("Invalid Policy: Invalid content-length-range.");
    return { kind: "length", range: { min, max } };
  }
  if (kind !== "eq" && kind !== "starts-with") {
    const shown = String(operator).slice(0, 64);
    throw invalid(`Invalid Policy: Invalid Condition: unknown operation '${shown}'.`);
  }
  if (typeof first !== "string" || !first.startsWith("$")) {
    throw invalid("Invalid Policy: Invalid Condition: the field must begin with '$'.");
  }
  const name = first.slice(1).toLowerCase();
  return { kind: kind === "eq" ? "equal" : "starts-with", name, value: textOf(second) };
}

function numberOf(value: unknown): number {
  const number = typeof value === "string" && /^[0-9]{1,15}$/.test(value) ? Number(value) : value;
  if (typeof number === "number" && Number.isSafeInteger(number) && number >= 0) return number;
  throw invalid("Invalid Policy: Invalid content-length-range.");
}

/** Fields that need no condition. */
const FREE_FIELDS: ReadonlySet<string> = new Set([
  "awsaccesskeyid",
  "file",
  "policy",
  "signature",
  "x-amz-signature",
]);
const FREE_PREFIX = "x-ignore-";

export interface FormPolicyContext {
  /** The bucket the form is posted to. */
  readonly bucket: string;
  readonly nowMs: number;
}

/**
 * Throws AccessDenied when `policy` has expired, a condition does not hold, or a field has none.
 * `fields` are expanded. The length of the file is checked as it comes (checkFileLength).
 */
export function checkFormPolicy(
  policy: FormPolicy,
  fields: FormFields,
  { bucket, nowMs }: FormPolicyContext,
): void {
  if (nowMs >= policy.expiresMs) throw denied("Policy expired.");
  for (const condition of policy.conditions) {
    // The bucket counts as it is in the address, whatever a field says.
    const value = condition.name === "bucket" ? bucket : (fields.get(condition.name) ?? "");
    if (!holds(condition, value)) {
      const { kind, name } = condition;
      const triple = JSON.stringify([kind === "equal" ? "eq" : kind, `$${name}`, condition.value]);
      throw denied(`Policy Condition failed: ${triple}`);
    }
  }
  const named = new Set(policy.conditions.map(({ name }) => name));
  const extra = fields
    .names()
    .filter((name) => !named.has(name) && !FREE_FIELDS.has(name) && !name.startsWith(FREE_PREFIX));
  if (extra.length > 0) throw denied(`Extra input fields: ${extra.join(", ")}`);
  const given = fields.get("bucket");
  if (given !== undefined && given !== bucket) throw denied("The bucket is another one.");
}

function denied(message: string): S3Error {
  return new S3Error("AccessDenied", `Invalid according to Policy: ${message}`);
}

/** A type may be a list of types: each must begin as the condition says. */
function holds({ kind, name, value: wanted }: FormCondition, value: string): boolean {
  if (kind === "equal") return value === wanted;
  if (value.startsWith(wanted) && (name !== "content-type" || !value.includes(","))) return true;
  return name === "content-type" && value.split(",").every((type) => type.startsWith(wanted));
}

/**
 * Throws EntityTooLarge as soon as `bytes` of the file exceed the range; with `isEnd` also
 * EntityTooSmall when they stay below it.
 */
export function checkFileLength(
  range: LengthRange | undefined,
  bytes: number,
  isEnd: boolean,
): void {
  if (range === undefined) return;
  if (bytes > range.max) throw outOfRange("EntityTooLarge", bytes, "MaxSizeAllowed", range.max);
  if (isEnd && bytes < range.min) {
    throw outOfRange("EntityTooSmall", bytes, "MinSizeAllowed", range.min);
  }
}

function outOfRange(
  code: "EntityTooLarge" | "EntityTooSmall",
  bytes: number,
  ...[name, limit]: readonly [string, number]
): S3Error {
  return new S3Error(code, undefined, {
    details: [
      ["ProposedSize", String(bytes)],
      [name, String(limit)],
    ],
  });
}
