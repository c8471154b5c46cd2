// Weighted rendezvous hashing with balance: chooses, for each of many items, some of a few
// candidates, in proportion to weight, and changes little when a candidate comes, goes or changes
// weight. Only +, -, *, / on doubles and 32-bit integers are used, which every machine computes
// alike. Source: Thaler and Ravishankar 1998 (rendezvous hashing); Ceph's straw2 for the weighted
// scores.
import { hash } from "node:crypto";
import { assert, present } from "../base/assert.ts";

/** 64 bits of a hash of a name, in two halves. */
export interface Seed {
  readonly high: number;
  readonly low: number;
}

export interface Item {
  readonly seed: Seed;
  /** How many shares to hand out. */
  readonly count: number;
}

export interface Candidate {
  readonly seed: Seed;
  /** Above 0. */
  readonly weight: number;
}

/** Rounds of adjusting the weights; the best round counts. */
const ROUNDS_MAX = 100;
/** Adjusting ends when every candidate is this near to its due, or within one share of it. */
const TOLERANCE = 0.03;
/**
 * The weight of a candidate that is due a share of every item: no other cost divided comes near.
 */
const ALWAYS = 1e200;
const TIE_SALT = 0x5bd1e995;

export function seedOf(name: string): Seed {
  const digest = hash("sha256", name, "buffer");
  return { high: digest.readUInt32BE(0), low: digest.readUInt32BE(4) };
}

/** Finalizer of MurmurHash3 (public domain): every input bit changes every output bit. */
function mix(value: number): number {
  let mixed = value;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/** A number in (0, 1) from two seeds, evenly spread. */
function unitOf(a: Seed, b: Seed): number {
  const first = mix(mix(a.high ^ b.low) + b.high);
  const second = mix(mix(a.low ^ b.high ^ first) + b.low);
  return (first * 2 ** 20 + (second >>> 12) + 0.5) / 2 ** 52;
}

/** A rank for ordering the choices of an item, independent of which were chosen. */
export function orderOf(item: Seed, candidate: Seed): number {
  return unitOf({ high: item.high ^ TIE_SALT, low: item.low }, candidate);
}

/** Natural logarithm of x in (0, 1), by halving and a series: the same bits on every machine. */
function logarithm(x: number): number {
  assert(x > 0 && x < 1, "logarithm: out of range");
  let mantissa = x;
  let halvings = 0;
  while (mantissa < 0.75) {
    mantissa *= 2;
    halvings += 1;
  }
  const t = (mantissa - 1) / (mantissa + 1);
  const square = t * t;
  let power = t;
  let sum = 0;
  for (let odd = 1; odd <= 25; odd += 2) {
    sum += power / odd;
    power *= square;
  }
  return 2 * sum - halvings * Math.LN2;
}

/**
 * How many shares of each item every candidate gets: result[item][candidate]. Each item's shares
 * are spread evenly: every candidate gets floor or ceil of count / candidates. Who gets the odd
 * ones is decided by weight. With `balanced`, totals are brought near what weight makes due;
 * without, each item stands alone.
 */
export function shareOut(
  items: readonly Item[],
  candidates: readonly Candidate[],
  balanced: boolean,
): Uint32Array[] {
  assert(candidates.length >= 1, "shareOut: no candidates");
  assert(
    candidates.every((candidate) => candidate.weight > 0),
    "shareOut: a candidate without weight",
  );
  const width = candidates.length;
  const odd = items.map((item) => item.count % width);
  const chosen = balanced
    ? balancedChoice(items, candidates, odd)
    : choose(scoresOf(items, candidates), weightsOf(candidates), odd);
  return items.map((item, index) => {
    const shares = new Uint32Array(width).fill(Math.floor(item.count / width));
    for (const winner of present(chosen[index], "choice"))
      shares[winner] = (shares[winner] ?? 0) + 1;
    return shares;
  });
}

function weightsOf(candidates: readonly Candidate[]): Float64Array {
  return Float64Array.from(candidates, (candidate) => candidate.weight);
}

/**
 * Exponentially distributed costs, item by item; a candidate's cost divided by its weight is its
 * score.
 */
function scoresOf(items: readonly Item[], candidates: readonly Candidate[]): Float64Array[] {
  return items.map((item) =>
    Float64Array.from(candidates, (candidate) => -logarithm(unitOf(item.seed, candidate.seed))),
  );
}

/** For each item the `odd[item]` candidates of lowest cost for their weight. */
function choose(
  costs: readonly Float64Array[],
  weights: Float64Array,
  odd: readonly number[],
): number[][] {
  const scores = new Float64Array(weights.length);
  return costs.map((row, item) => {
    const wanted = odd[item] ?? 0;
    if (wanted === 0) return [];
    for (let index = 0; index < scores.length; index += 1) {
      scores[index] = (row[index] ?? 0) / (weights[index] ?? 1);
    }
    return lowest(scores, wanted);
  });
}

/** Indexes of the `count` lowest scores; of equal ones the earlier. */
function lowest(scores: Float64Array, count: number): number[] {
  const best: number[] = [];
  for (let index = 0; index < scores.length; index += 1) {
    const score = scores[index] ?? 0;
    let at = best.length;
    while (at > 0 && score < (scores[best[at - 1] ?? 0] ?? 0)) at -= 1;
    if (at >= count) continue;
    best.splice(at, 0, index);
    if (best.length > count) best.pop();
  }
  return best;
}

/** `choose`, with the weights adjusted until the totals are near what is due. */
function balancedChoice(
  items: readonly Item[],
  candidates: readonly Candidate[],
  odd: readonly number[],
): number[][] {
  const costs = scoresOf(items, candidates);
  const due = dueOf(weightsOf(candidates), odd);
  const most = itemsWithOdd(odd);
  const weights = due.map((value) => (value >= most ? ALWAYS : value));
  let best = choose(costs, weights, odd);
  let bestError = errorOf(countsOf(best, due.length), due);
  let current = best;
  for (let round = 0; round < ROUNDS_MAX && bestError > 1; round += 1) {
    const counts = countsOf(current, due.length);
    // Smaller steps by and by: with few shares a candidate, large ones swing past what is due.
    const step = 2 / (8 + round);
    for (let index = 0; index < weights.length; index += 1) {
      const want = due[index] ?? 0;
      const have = counts[index] ?? 0;
      const lack = (want - have) / Math.max(want, have, 1);
      weights[index] = (weights[index] ?? 0) * (1 + lack * step);
    }
    current = choose(costs, weights, odd);
    const error = errorOf(countsOf(current, due.length), due);
    if (error < bestError) {
      best = current;
      bestError = error;
    }
  }
  return best;
}

function itemsWithOdd(odd: readonly number[]): number {
  return odd.reduce((sum, count) => sum + (count > 0 ? 1 : 0), 0);
}

function countsOf(chosen: readonly (readonly number[])[], width: number): Float64Array {
  const counts = new Float64Array(width);
  for (const winners of chosen) {
    for (const winner of winners) counts[winner] = (counts[winner] ?? 0) + 1;
  }
  return counts;
}

/** The largest distance from what is due, in units of what is tolerated. */
function errorOf(counts: Float64Array, due: Float64Array): number {
  let worst = 0;
  for (let index = 0; index < due.length; index += 1) {
    const want = due[index] ?? 0;
    const off = Math.abs((counts[index] ?? 0) - want);
    worst = Math.max(worst, off / Math.max(1, TOLERANCE * want));
  }
  return worst;
}

/**
 * What each candidate should get of the odd shares: in proportion to weight, but never more than
 * one of an item. Where weight asks for more, the excess goes to the others (water filling).
 */
function dueOf(weights: Float64Array, odd: readonly number[]): Float64Array {
  const total = odd.reduce((sum, count) => sum + count, 0);
  const most = itemsWithOdd(odd);
  const due = new Float64Array(weights.length);
  let left = total;
  let open = [...weights.keys()];
  while (open.length > 0) {
    const sum = open.reduce((all, index) => all + (weights[index] ?? 0), 0);
    const full = open.filter((index) => (left * (weights[index] ?? 0)) / sum >= most);
    if (full.length === 0) {
      for (const index of open) due[index] = (left * (weights[index] ?? 0)) / sum;
      break;
    }
    for (const index of full) due[index] = most;
    left -= full.length * most;
    open = open.filter((index) => !full.includes(index));
  }
  return due;
}
