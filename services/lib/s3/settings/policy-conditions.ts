// Conditions of policies: which operators there are, and that each value is one its operator can
// compare with, so that no statement is kept that could never mean what it says. Source: AWS IAM
// user guide, "IAM JSON policy elements: Condition operators".
import { parseRange } from "../../base/ip-address.ts";
import type { PolicyCondition } from "./policy-grammar.ts";
import { fieldsOf, malformedPolicy } from "./policy-json.ts";
import { parseArn, parseBytes, parseNumber, parseTime, parseTruth } from "./policy-values.ts";

const VALUES_MAX = 1000;
const KEY_LENGTH_MAX = 512;
/** Before the colon a service, or an identity provider; after it a name, which a tag may end. */
const KEY = /^[A-Za-z0-9._/-]+:\S(?:[^\p{Cc}]*\S)?$/u;
const COMPARISONS = ["Equals", "NotEquals", "LessThan", "LessThanEquals"].concat([
  "GreaterThan",
  "GreaterThanEquals",
]);
const STRINGS = ["StringEquals", "StringNotEquals", "StringLike", "StringNotLike"].concat([
  "StringEqualsIgnoreCase",
  "StringNotEqualsIgnoreCase",
]);

type ValueCheck = (value: string) => boolean;

const isTruth: ValueCheck = (value) => value.includes("${") || parseTruth(value) !== undefined;
/** Variables stand in the last part of an ARN only. */
const isArn: ValueCheck = (value) =>
  value === "*" ||
  parseArn(value)
    ?.slice(0, -1)
    .every((part) => !part.includes("$")) === true;

const OPERATORS: ReadonlyMap<string, ValueCheck> = new Map<string, ValueCheck>([
  ...STRINGS.map((name) => [name, () => true] as const),
  ...COMPARISONS.map(
    (name) => [`Numeric${name}`, (value: string) => parseNumber(value) !== undefined] as const,
  ),
  ...COMPARISONS.map(
    (name) => [`Date${name}`, (value: string) => parseTime(value) !== undefined] as const,
  ),
  ["ArnEquals", isArn],
  ["ArnNotEquals", isArn],
  ["ArnLike", isArn],
  ["ArnNotLike", isArn],
  ["IpAddress", (value) => parseRange(value) !== undefined],
  ["NotIpAddress", (value) => parseRange(value) !== undefined],
  ["Bool", isTruth],
  ["Null", (value) => parseTruth(value) !== undefined],
  ["BinaryEquals", (value) => parseBytes(value) !== undefined],
]);

/** Every operator, without qualifiers and `IfExists`. */
export const CONDITION_OPERATORS: readonly string[] = [...OPERATORS.keys()];

/** Value of Condition. Throws MalformedPolicy. */
export function parseConditions(value: unknown): readonly PolicyCondition[] {
  return [...fieldsOf(value)].flatMap(([name, keys]) => {
    const parsed = parseOperator(name);
    return [...fieldsOf(keys)].map(([key, values]) => {
      if (key.length > KEY_LENGTH_MAX || !KEY.test(key)) {
        throw malformedPolicy("Policy has an invalid condition key");
      }
      return { ...parsed, key, values: valuesOf(values, parsed.operator) };
    });
  });
}

function parseOperator(name: string): Pick<PolicyCondition, "operator" | "qualifier" | "ifExists"> {
  const [, qualifier, rest = ""] = /^(?:(ForAllValues|ForAnyValue):)?(.*)$/s.exec(name) ?? [];
  const ifExists = rest.endsWith("IfExists") && rest !== "IfExists";
  const operator = ifExists ? rest.slice(0, -"IfExists".length) : rest;
  if (!OPERATORS.has(operator) || (ifExists && operator === "Null")) {
    throw malformedPolicy(`Invalid Condition type : ${name.slice(0, 100)}`);
  }
  if (qualifier !== undefined && qualifier !== "ForAllValues" && qualifier !== "ForAnyValue") {
    throw malformedPolicy(`Invalid Condition type : ${name.slice(0, 100)}`);
  }
  return { operator, qualifier, ifExists };
}

function valuesOf(value: unknown, operator: string): readonly string[] {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (values.length > VALUES_MAX) throw malformedPolicy("A condition has too many values.");
  const isValid = OPERATORS.get(operator);
  return values.map((each) => {
    const text = textOf(each);
    if (text === undefined) throw malformedPolicy("Invalid policy syntax.");
    if (isValid?.(text) !== true) {
      throw malformedPolicy(`Invalid value for ${operator}: ${text.slice(0, 100)}`);
    }
    return text;
  });
}

function textOf(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  return typeof value === "number" || typeof value === "boolean" ? String(value) : undefined;
}
