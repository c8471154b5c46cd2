// Damages JSON as values, so that what comes out is JSON again and gets past its reader: texts get
// words put in, fields go, come from elsewhere or turn into other things.
import type { SimRandom } from "../sim/random.ts";

type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

const LITERALS: readonly Json[] = [null, true, false, 0, -1, 1e21, "", [], {}, "*", ["*"]];

/** A value of which one place is changed. */
export function changedJson(value: Json, words: readonly string[], random: SimRandom): Json {
  if (random.chance(0.02) || value === null || typeof value !== "object") {
    return replacement(value, words, random);
  }
  if (isList(value)) return changedList(value, words, random);
  const entries = Object.entries(value);
  if (entries.length === 0) return replacement(value, words, random);
  const at = pickBySize(
    entries.map(([, inner]) => inner),
    random,
  );
  const changed = entries.flatMap(([name, inner], index): [string, Json][] => {
    if (index !== at) return [[name, inner]];
    if (random.chance(0.03)) return [];
    if (random.chance(0.05)) return [[changedText(name, words, random), inner]];
    return [[name, changedJson(inner, words, random)]];
  });
  return Object.fromEntries(changed);
}

/** A place in `values`, the larger of which come more often: small ones are soon worn out. */
function pickBySize(values: readonly Json[], random: SimRandom): number {
  const sizes = values.map((each) => JSON.stringify(each).length ** 2);
  let left = random.unit() * sizes.reduce((sum, size) => sum + size, 0);
  const at = sizes.findIndex((size) => {
    left -= size;
    return left < 0;
  });
  return Math.max(0, at);
}

function isList(
  value: readonly Json[] | { readonly [name: string]: Json },
): value is readonly Json[] {
  return Array.isArray(value);
}

function changedList(list: readonly Json[], words: readonly string[], random: SimRandom): Json {
  if (list.length === 0 || random.chance(0.1)) return [...list, random.pick(words)];
  const at = random.between(0, list.length - 1);
  if (random.chance(0.05)) return list.toSpliced(at, 1);
  const changed = changedJson(list[at] ?? null, words, random);
  return random.chance(0.2) ? [...list, changed] : list.with(at, changed);
}

function replacement(value: Json, words: readonly string[], random: SimRandom): Json {
  if (typeof value === "string" && random.chance(0.9)) return changedText(value, words, random);
  if (random.chance(0.3)) return [value];
  return random.chance(0.5) ? random.pick(LITERALS) : random.pick(words);
}

function changedText(text: string, words: readonly string[], random: SimRandom): string {
  const from = random.between(0, text.length);
  const to = random.chance(0.5) ? from : Math.min(text.length, from + random.between(0, 8));
  if (random.chance(0.2)) return random.pick(words);
  if (random.chance(0.02)) return random.pick(words).repeat(random.between(1, 300));
  const word = random.chance(0.3) ? text.slice(to, to + 1) : random.pick(words);
  return `${text.slice(0, from)}${word}${text.slice(to)}`;
}
