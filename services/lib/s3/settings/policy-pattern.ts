// Patterns of policies: `*` stands for any run of characters, `?` for one. All places a pattern can
// be at are kept as bits and moved together, so that a match never costs more than the text's
// length times a 32nd of the pattern's, whatever they hold; user text never becomes a regular
// expression. Source: AWS IAM user guide, "IAM JSON policy elements: Resource"; Baeza-Yates and
// Gonnet 1992, "A New Approach to Text Searching".

export interface PatternOptions {
  /** Letters A to Z match without regard to case. */
  readonly ignoreCase?: boolean;
  /** Places in `pattern` where `*` and `?` stand for themselves. */
  readonly literal?: ReadonlySet<number>;
}

/** Whether `text` is what `pattern` stands for. `?` takes one code point, `*` any number. */
export function matchesPattern(
  pattern: string,
  text: string,
  { ignoreCase = false, literal }: PatternOptions = {},
): boolean {
  // Half a character is no character, and stands in no text.
  if (!pattern.isWellFormed()) return pattern === text;
  const wanted = ignoreCase ? lowerCase(pattern) : pattern;
  const found = ignoreCase ? lowerCase(text) : text;
  const first = firstWild(wanted, literal);
  if (first === wanted.length) return wanted === found;
  if (!found.startsWith(wanted.slice(0, first))) return false;
  // One star is what most patterns have: what stands behind it is the end of the text.
  if (wanted[first] === "*" && firstWild(wanted, literal, first + 1) === wanted.length) {
    return found.length >= wanted.length - 1 && found.endsWith(wanted.slice(first + 1));
  }
  return walks(tokensOf(wanted, first, literal), Array.from(found.slice(first)));
}

/** ASCII letters only: other letters have no case in actions. */
function lowerCase(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

function isWild(pattern: string, index: number, literal: ReadonlySet<number> | undefined): boolean {
  const character = pattern[index];
  return (character === "*" || character === "?") && literal?.has(index) !== true;
}

function firstWild(pattern: string, literal: ReadonlySet<number> | undefined, start = 0): number {
  for (let index = start; index < pattern.length; index += 1) {
    if (isWild(pattern, index, literal)) return index;
  }
  return pattern.length;
}

interface Tokens {
  /** A code point each, or undefined for any one. */
  readonly steps: readonly (string | undefined)[];
  /** How many steps are done where any number of characters may be passed over. */
  readonly loops: readonly number[];
}

function tokensOf(
  pattern: string,
  start: number,
  literal: ReadonlySet<number> | undefined,
): Tokens {
  const steps: (string | undefined)[] = [];
  const loops: number[] = [];
  let index = start;
  while (index < pattern.length) {
    const character = String.fromCodePoint(pattern.codePointAt(index) ?? 0);
    if (!isWild(pattern, index, literal)) steps.push(character);
    else if (character === "?") steps.push(undefined);
    else loops.push(steps.length);
    index += character.length;
  }
  return { steps, loops };
}

const WORD_BITS = 32;

/** Bit i of `places`: the first i steps are done. */
function walks({ steps, loops }: Tokens, text: readonly string[]): boolean {
  if (steps.length > text.length) return false;
  const words = Math.floor(steps.length / WORD_BITS) + 1;
  const stays = new Uint32Array(words);
  for (const loop of loops) setBit(stays, loop);
  const movesOf = moves(steps, words);
  const none = movesOf.get(undefined) ?? new Uint32Array(words);
  const places = new Uint32Array(words);
  setBit(places, 0);
  for (const character of text) {
    if (!step(places, movesOf.get(character) ?? none, stays)) return false;
  }
  return ((places[words - 1] ?? 0) & (1 << (steps.length % WORD_BITS))) !== 0;
}

/** For each code point of the pattern, the places from which it goes on; undefined: any other. */
function moves(
  steps: readonly (string | undefined)[],
  words: number,
): ReadonlyMap<string | undefined, Uint32Array> {
  const any = new Uint32Array(words);
  for (const [index, wanted] of steps.entries()) if (wanted === undefined) setBit(any, index);
  const table = new Map<string | undefined, Uint32Array>([[undefined, any]]);
  for (const [index, wanted] of steps.entries()) {
    if (wanted === undefined) continue;
    const bits = table.get(wanted) ?? any.slice();
    setBit(bits, index);
    table.set(wanted, bits);
  }
  return table;
}

/** Moves all places by one character; false when none is left. */
function step(places: Uint32Array, moving: Uint32Array, stays: Uint32Array): boolean {
  let carry = 0;
  let left = 0;
  for (let word = 0; word < places.length; word += 1) {
    const before = places[word] ?? 0;
    const moved = before & (moving[word] ?? 0);
    const after = (moved << 1) | carry | (before & (stays[word] ?? 0));
    carry = moved >>> (WORD_BITS - 1);
    places[word] = after;
    left |= after;
  }
  return left !== 0;
}

function setBit(bits: Uint32Array, index: number): void {
  const word = Math.floor(index / WORD_BITS);
  bits[word] = (bits[word] ?? 0) | (1 << (index % WORD_BITS));
}
