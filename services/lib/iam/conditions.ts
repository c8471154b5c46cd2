// Conditions of policies against what is known of a request. Three answers: true, false, and
// undefined where a value of the request or the policy is not one the operator can compare; whoever
// asks turns that against access. Source: AWS IAM user guide, "IAM JSON policy elements: Condition
// operators", "Single-valued vs. multivalued context keys".
import { equalBytes } from "../base/bytes.ts";
import { isInRange, parseAddress, parseRange } from "../base/ip-address.ts";
import type { PolicyCondition } from "../s3/settings/policy-grammar.ts";
import { matchesPattern } from "../s3/settings/policy-pattern.ts";
import {
  parseArn,
  parseBytes,
  parseNumber,
  parseTime,
  parseTruth,
} from "../s3/settings/policy-values.ts";
import type { ConditionContext } from "./model.ts";
import { expand, plainArn, type VariableValues } from "./wildcard.ts";

/** True, false, or undefined: cannot be told. */
export type Truth = boolean | undefined;

/** Of a value of the request: whether it is what one value of the policy asks for. */
type Comparison = (found: string, values: VariableValues | undefined) => (wanted: string) => Truth;

interface Operator {
  readonly compare: Comparison;
  /** True for `Not...`: met when no value of the policy compares. */
  readonly isNegated: boolean;
}

const OPERATORS: ReadonlyMap<string, Operator> = new Map<string, Operator>([
  ...pair("StringEquals", "StringNotEquals", compareText),
  ...pair("StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", compareTextIgnoringCase),
  ...pair("StringLike", "StringNotLike", compareLike),
  ...pair("ArnEquals", "ArnNotEquals", compareArn),
  ...pair("ArnLike", "ArnNotLike", compareArn),
  ...pair("IpAddress", "NotIpAddress", compareAddress),
  ...pair("Bool", undefined, compareTruth),
  ...pair("BinaryEquals", undefined, compareBytes),
  ...ordered("Numeric", parseNumber),
  ...ordered("Date", parseTime),
]);

function pair(
  name: string,
  negated: string | undefined,
  compare: Comparison,
): readonly (readonly [string, Operator])[] {
  const plain = [name, { compare, isNegated: false }] as const;
  return negated === undefined ? [plain] : [plain, [negated, { compare, isNegated: true }]];
}

function ordered<T extends bigint | number>(
  type: string,
  parse: (text: string) => T | undefined,
): readonly (readonly [string, Operator])[] {
  const by =
    (isMet: (found: T, wanted: T) => boolean): Comparison =>
    (found) => {
      const left = parse(found);
      return (wanted) => {
        const right = left === undefined ? undefined : parse(wanted);
        return left === undefined || right === undefined ? undefined : isMet(left, right);
      };
    };
  const equal = by((found, wanted) => found === wanted);
  return [
    ...pair(`${type}Equals`, `${type}NotEquals`, equal),
    ...pair(
      `${type}LessThan`,
      undefined,
      by((found, wanted) => found < wanted),
    ),
    ...pair(
      `${type}LessThanEquals`,
      undefined,
      by((found, wanted) => found <= wanted),
    ),
    ...pair(
      `${type}GreaterThan`,
      undefined,
      by((found, wanted) => found > wanted),
    ),
    ...pair(
      `${type}GreaterThanEquals`,
      undefined,
      by((found, wanted) => found >= wanted),
    ),
  ];
}

/**
 * Whether `condition` is met. A key without values counts as absent: met for negated operators,
 * `IfExists` and `ForAllValues`, not met otherwise; `ForAnyValue` asks for a value even with
 * `IfExists`. `values` undefined: `${...}` are characters like others.
 */
export function meetsCondition(
  condition: PolicyCondition,
  context: ConditionContext,
  values: VariableValues | undefined,
): Truth {
  const found = context.get(condition.key.toLowerCase()) ?? [];
  if (condition.operator === "Null") return meetsNull(condition, found.length === 0);
  const operator = OPERATORS.get(condition.operator);
  if (operator === undefined) return undefined;
  const { qualifier, ifExists } = condition;
  if (found.length === 0) {
    if (qualifier === "ForAnyValue") return false;
    return ifExists || qualifier === "ForAllValues" || operator.isNegated;
  }
  const isAsked = (value: string): Truth => {
    const compare = operator.compare(value, values);
    return some(condition.values, (wanted) => {
      // What has no value compares with nothing; that is no reason to meet a negated operator.
      if (expand(wanted, values) === undefined) return operator.isNegated ? undefined : false;
      return compare(wanted);
    });
  };
  if (qualifier === undefined) {
    const isOne = some(found, isAsked);
    return operator.isNegated ? not(isOne) : isOne;
  }
  const meets = (value: string): Truth =>
    operator.isNegated ? not(isAsked(value)) : isAsked(value);
  return qualifier === "ForAnyValue"
    ? some(found, meets)
    : not(some(found, (value) => not(meets(value))));
}

function meetsNull({ values }: PolicyCondition, isAbsent: boolean): Truth {
  return some(values, (value) => {
    const wanted = parseTruth(value);
    return wanted === undefined ? undefined : wanted === isAbsent;
  });
}

/** True when one is; otherwise undefined when one cannot be told. */
function some<T>(list: readonly T[], is: (item: T) => Truth): Truth {
  let answer: Truth = false;
  for (const item of list) {
    const each = is(item);
    if (each === true) return true;
    if (each === undefined) answer = undefined;
  }
  return answer;
}

function not(truth: Truth): Truth {
  return truth === undefined ? undefined : !truth;
}

/** A variable without a value compares with nothing. */
function compareText(found: string, values: VariableValues | undefined) {
  return (wanted: string): Truth => expand(wanted, values)?.text === found;
}

function compareTextIgnoringCase(found: string, values: VariableValues | undefined) {
  const lower = found.toLowerCase();
  return (wanted: string): Truth => expand(wanted, values)?.text.toLowerCase() === lower;
}

function compareLike(found: string, values: VariableValues | undefined) {
  return (wanted: string): Truth => {
    const expanded = expand(wanted, values);
    return expanded !== undefined && matchesPattern(expanded.text, found, expanded.options);
  };
}

/** Each of the six parts by itself: no wildcard reaches over a colon before the resource. */
function compareArn(found: string, values: VariableValues | undefined) {
  const parts = parseArn(plainArn(found));
  return (wanted: string): Truth => {
    if (wanted === "*") return true;
    const asked = parseArn(plainArn(wanted));
    if (asked === undefined) return undefined;
    if (parts === undefined) return false;
    return parts.every((part, index) => {
      const expanded = expand(asked[index] ?? "", values);
      return expanded !== undefined && matchesPattern(expanded.text, part, expanded.options);
    });
  };
}

function compareAddress(found: string) {
  const address = parseAddress(found);
  return (wanted: string): Truth => {
    const range = address === undefined ? undefined : parseRange(wanted);
    return address === undefined || range === undefined ? undefined : isInRange(address, range);
  };
}

function compareTruth(found: string, values: VariableValues | undefined) {
  const left = parseTruth(found);
  return (wanted: string): Truth => {
    const right = parseTruth(expand(wanted, values)?.text ?? "");
    return left === undefined || right === undefined ? undefined : left === right;
  };
}

function compareBytes(found: string) {
  const left = parseBytes(found);
  return (wanted: string): Truth => {
    const right = parseBytes(wanted);
    return left === undefined || right === undefined ? undefined : equalBytes(left, right);
  };
}
