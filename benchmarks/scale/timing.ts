// Medians of processor time, which others on the machine change least, and one line of figures.
import process from "node:process";

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

/** Median of so many times that `work` takes: milliseconds of processor time, of all threads. */
export async function medianMs(times: number, work: () => Promise<void> | void): Promise<number> {
  const taken: number[] = [];
  for (let at = 0; at < times; at += 1) {
    const start = process.cpuUsage();
    await work();
    const { user, system } = process.cpuUsage(start);
    taken.push((user + system) / 1000);
  }
  return median(taken);
}

/** Prints the figures by name, rounded. */
export function printed(figures: Readonly<Record<string, number>>): void {
  const parts = Object.entries(figures).map(([name, value]) => {
    const digits = Number.isInteger(value) ? 0 : value < 10 ? 2 : 1;
    return `${name} ${value.toFixed(digits)}`;
  });
  process.stdout.write(`${parts.join("  ")}\n`);
}

/** Resident memory of this process in MiB, after a collection where node was given --expose-gc. */
export function residentMib(): number {
  globalThis.gc?.();
  return process.memoryUsage.rss() / 2 ** 20;
}
