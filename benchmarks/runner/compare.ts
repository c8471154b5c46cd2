// Compares a run with a recorded one by the ratios to the floor, which hold across machines and
// loads as rates do not. A case is worse when its ratio lost more than a quarter.
import type { BenchDocument, Result } from "./contract.ts";
import { isRecord } from "./plain-record.ts";

export const WORSE_BELOW = 0.75;

export interface Comparison {
  readonly name: string;
  readonly mode: string;
  readonly before: number;
  readonly now: number;
  readonly isWorse: boolean;
}

/** Cases that only one of them has are left out. */
export function compare(baseline: unknown, { results, others }: BenchDocument): Comparison[] {
  const known = isRecord(baseline) ? [baseline.results, baseline.others].flat() : [];
  return [...results, ...others].flatMap((result) => {
    const before = known.find((candidate) => isSameCase(candidate, result));
    if (!isRecord(before) || typeof before.ratio !== "number") return [];
    const { name, mode, ratio: now } = result;
    const isWorse = now < before.ratio * WORSE_BELOW;
    return [{ name, mode, before: before.ratio, now, isWorse }];
  });
}

function isSameCase(candidate: unknown, { name, mode }: Result): boolean {
  return isRecord(candidate) && candidate.name === name && candidate.mode === mode;
}

export function comparisonText(comparisons: readonly Comparison[]): string {
  const lines = comparisons.map(({ name, mode, before, now, isWorse }) => {
    const shares = `${(before * 100).toFixed(1)}% -> ${(now * 100).toFixed(1)}% of the floor`;
    return `${isWorse ? "worse " : "      "}${name} (${mode}): ${shares}`;
  });
  return `${lines.join("\n")}\n`;
}
