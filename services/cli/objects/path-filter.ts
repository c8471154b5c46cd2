// Which names a verb takes: --include and --exclude patterns in the order they were given. The last
// pattern that matches decides; where none does, a name is taken unless the first pattern was an
// --include. `*` and `?` match any characters, `/` too; `[...]` is a set.
import { UsageError } from "../command-line.ts";
import { shown } from "./shown-text.ts";

export interface PathRule {
  readonly takes: boolean;
  readonly pattern: string;
}

export type PathFilter = (name: string) => boolean;

/** Throws UsageError for a pattern that cannot be read. */
export function pathFilter(rules: readonly PathRule[]): PathFilter {
  const compiled = rules.map(({ takes, pattern }) => ({ takes, matches: globMatcher(pattern) }));
  const otherwise = rules[0]?.takes !== true;
  return (name) => compiled.findLast(({ matches }) => matches(name))?.takes ?? otherwise;
}

/**
 * A matcher of whole names that never backtracks more than once a star, so that no pattern can take
 * exponential time. Throws UsageError.
 */
export function globMatcher(pattern: string): (name: string) => boolean {
  const tokens = tokensOf(pattern);
  return (name) => matchTokens(tokens, [...name]);
}

type Token = { readonly kind: "star" } | { readonly kind: "one"; readonly test: CharacterTest };
type CharacterTest = (character: string) => boolean;

function tokensOf(pattern: string): Token[] {
  const characters = [...pattern];
  const tokens: Token[] = [];
  for (let at = 0; at < characters.length; at += 1) {
    const character = characters[at] ?? "";
    if (character === "*") {
      if (tokens.at(-1)?.kind !== "star") tokens.push({ kind: "star" });
    } else if (character === "?") {
      tokens.push({ kind: "one", test: () => true });
    } else if (character === "[") {
      const end = characters.indexOf("]", at + 2);
      if (end === -1) throw new UsageError(`pattern "${shown(pattern)}": a [ is never closed`);
      tokens.push({ kind: "one", test: setTest(characters.slice(at + 1, end)) });
      at = end;
    } else {
      const isEscape = character === "\\" && at + 1 < characters.length;
      if (isEscape) at += 1;
      const wanted = characters[at];
      tokens.push({ kind: "one", test: (given) => given === wanted });
    }
  }
  return tokens;
}

function setTest(members: readonly string[]): CharacterTest {
  const negated = members[0] === "!" || members[0] === "^";
  const rest = negated ? members.slice(1) : members;
  const ranges: (readonly [string, string])[] = [];
  for (let at = 0; at < rest.length; at += 1) {
    const first = rest[at] ?? "";
    const isRange = rest[at + 1] === "-" && rest[at + 2] !== undefined;
    ranges.push([first, isRange ? (rest[at + 2] ?? "") : first]);
    if (isRange) at += 2;
  }
  return (given) => ranges.some(([low, high]) => given >= low && given <= high) !== negated;
}

function matchTokens(tokens: readonly Token[], name: readonly string[]): boolean {
  let token = 0;
  let at = 0;
  let star = -1;
  let starAt = 0;
  while (at < name.length) {
    const current = tokens[token];
    if (current?.kind === "one" && current.test(name[at] ?? "")) {
      token += 1;
      at += 1;
    } else if (current?.kind === "star") {
      star = token;
      starAt = at;
      token += 1;
    } else if (star >= 0) {
      starAt += 1;
      at = starAt;
      token = star + 1;
    } else {
      return false;
    }
  }
  while (tokens[token]?.kind === "star") token += 1;
  return token === tokens.length;
}
