// Variables of policies: `${key}`, `${key, 'default'}`, and `${*}`, `${?}`, `${$}` for the
// characters themselves. What a variable stands for never acts as a pattern: a user agent of `*`
// matches itself alone. Source: AWS IAM user guide, "IAM policy elements: Variables and tags".
import { malformedPolicy } from "./policy-json.ts";
import type { PatternOptions } from "./policy-pattern.ts";

/** One `${...}`; group 1: a character, 2: a key, 3: its default. */
const VARIABLE = /\$\{(?:([*?$])|([A-Za-z0-9._/-]+:[^\s{}',$]+)(?: ?, ?'([^'{}]*)')?)\}/y;

/** Throws MalformedPolicy when `text` has a `${` that begins no variable. */
export function checkVariables(text: string): void {
  if (variablesOf(text) === undefined) throw malformedPolicy("Invalid policy variable.");
}

interface Variable {
  readonly start: number;
  readonly end: number;
  /** In lower case; undefined: `fallback` itself. */
  readonly key: string | undefined;
  readonly fallback: string | undefined;
}

/** In order; undefined when one is malformed. */
function variablesOf(text: string): readonly Variable[] | undefined {
  const found: Variable[] = [];
  let start = text.indexOf("${");
  while (start >= 0) {
    const variable = new RegExp(VARIABLE);
    variable.lastIndex = start;
    const match = variable.exec(text);
    if (match === null) return undefined;
    const end = start + match[0].length;
    const [, character, key, fallback] = match;
    found.push({ start, end, key: key?.toLowerCase(), fallback: character ?? fallback });
    start = text.indexOf("${", end);
  }
  return found;
}

/** Whether some variable of `text` stands for a key that `isWanted`, in lower case. */
export function hasVariable(text: string, isWanted: (key: string) => boolean): boolean {
  if (!text.includes("${")) return false;
  return variablesOf(text)?.some(({ key }) => key !== undefined && isWanted(key)) === true;
}

export interface ExpandedText {
  readonly text: string;
  /** Places of `text` that came out of variables, for matchesPattern. */
  readonly options: PatternOptions;
}

/**
 * `text` with its variables replaced by what `standsFor` says of their keys (in lower case);
 * undefined when one stands for nothing and has no default.
 */
export function expandVariables(
  text: string,
  standsFor: (key: string) => string | undefined,
): ExpandedText | undefined {
  if (!text.includes("${")) return { text, options: {} };
  const variables = variablesOf(text);
  if (variables === undefined) return undefined;
  const literal = new Set<number>();
  let expanded = "";
  let from = 0;
  for (const { start, end, key, fallback } of variables) {
    const value = (key === undefined ? undefined : standsFor(key)) ?? fallback;
    if (value === undefined) return undefined;
    expanded += text.slice(from, start);
    for (let index = 0; index < value.length; index += 1) literal.add(expanded.length + index);
    expanded += value;
    from = end;
  }
  return { text: expanded + text.slice(from), options: { literal } };
}
