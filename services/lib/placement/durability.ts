// How likely a chunk is to be lost in a year, by a continuous-time Markov chain over its shards:
// lost with a disk, or gone bad unnoticed, each until it is repaired. Independent failures only;
// what a fire or a wrong command does to many disks at once is not in it (docs/durability.md).
// Method: mean time to absorption by state elimination without subtraction (Grassmann, Taksar and
// Heyman 1985), so that rates 10^12 apart lose no digits.
import { assert, present } from "../base/assert.ts";
import { DATA_SHARDS_MAX, PARITY_SHARDS_MAX } from "../base/limits.ts";

export interface DurabilityInputs {
  /** Shards that are needed, and shards beyond them; each on a disk of its own. */
  readonly k: number;
  readonly m: number;
  /** Disks lost for good, per disk and year. */
  readonly diskFailuresPerYear: number;
  /** From a disk's death until all that lay on it stands elsewhere, in hours. */
  readonly rebuildHours: number;
  /** Shards gone bad on a disk that works, per shard and year. */
  readonly badShardsPerYear: number;
  /** From a shard going bad until it is found and repaired, in hours; about half a scrub. */
  readonly findHours: number;
}

export interface Durability {
  readonly meanYearsToLoss: number;
  /** Of one chunk. */
  readonly lossPerYear: number;
  /** -log10 of that: 11 is "eleven nines". */
  readonly nines: number;
}

const HOURS_PER_YEAR = 8766;

/** Loss of one chunk from its mean time to loss. Throws an assertion on inputs out of range. */
export function durabilityOf(inputs: DurabilityInputs): Durability {
  const { k, m } = inputs;
  assert(Number.isInteger(k) && k >= 1 && k <= DATA_SHARDS_MAX, "k");
  assert(Number.isInteger(m) && m >= 0 && m <= PARITY_SHARDS_MAX, "m");
  for (const value of [inputs.diskFailuresPerYear, inputs.rebuildHours, inputs.findHours]) {
    assert(Number.isFinite(value) && value > 0, "rates and times are positive");
  }
  assert(Number.isFinite(inputs.badShardsPerYear) && inputs.badShardsPerYear >= 0, "bad shards");
  const meanYearsToLoss = meanTimeToLoss(chainOf(inputs));
  const lossPerYear = -Math.expm1(-1 / meanYearsToLoss);
  return { meanYearsToLoss, lossPerYear, nines: -Math.log10(lossPerYear) };
}

interface Chain {
  /** `rates[from][to]`, a year; state 0 is "all well", the last one "lost". */
  readonly rates: number[][];
}

/** A state is (lost with their disks, gone bad), as long as no more than m shards are away. */
function chainOf(inputs: DurabilityInputs): Chain {
  const { k, m } = inputs;
  const states: { lost: number; bad: number }[] = [];
  for (let away = 0; away <= m; away += 1) {
    for (let bad = 0; bad <= away; bad += 1) states.push({ lost: away - bad, bad });
  }
  const numbers = new Map(states.map(({ lost, bad }, at) => [`${lost} ${bad}`, at]));
  const end = states.length;
  const rates = states.map(() => new Array<number>(end + 1).fill(0));
  const repairs = HOURS_PER_YEAR / inputs.rebuildHours;
  const finds = HOURS_PER_YEAR / inputs.findHours;
  for (const [from, { lost, bad }] of states.entries()) {
    const row = present(rates[from], "row");
    const add = (toLost: number, toBad: number, rate: number): void => {
      if (rate === 0) return;
      const to = numbers.get(`${toLost} ${toBad}`) ?? end;
      row[to] = present(row[to], "rate") + rate;
    };
    const well = k + m - lost - bad;
    add(lost + 1, bad, well * inputs.diskFailuresPerYear);
    // The disk of a shard that is bad already dies.
    add(lost + 1, bad - 1, bad * inputs.diskFailuresPerYear);
    add(lost, bad + 1, well * inputs.badShardsPerYear);
    if (lost > 0) add(lost - 1, bad, lost * repairs);
    if (bad > 0) add(lost, bad - 1, bad * finds);
  }
  return { rates };
}

/** Mean years from state 0 to the last one. Cost O(states cubed); 45 states at m = 8. */
function meanTimeToLoss({ rates }: Chain): number {
  const times = rates.map(() => 1);
  for (let gone = rates.length - 1; gone >= 1; gone -= 1) {
    const leaving = present(rates[gone], "row");
    const total = leaving.reduce((sum, rate, to) => (isLeft(to, gone) ? sum + rate : sum), 0);
    for (let from = 0; from < gone; from += 1) {
      const row = present(rates[from], "row");
      const share = present(row[gone], "rate") / total;
      times[from] = present(times[from], "time") + share * present(times[gone], "time");
      for (const [to, rate] of leaving.entries()) {
        if (isLeft(to, gone) && to !== from) row[to] = present(row[to], "rate") + share * rate;
      }
    }
  }
  const [start = []] = rates;
  return present(times[0], "time") / present(start.at(-1), "rate");

  /** States above `gone` were taken out before; the end, behind them all, stays. */
  function isLeft(to: number, gone: number): boolean {
    return to < gone || to === rates.length;
  }
}
