// What is checked over three campuses in namespaces, and how a check tells its outcome.

export const CHECKS = [
  "D1: every client works through the name of all campuses",
  "D2: the name of a campus leads there alone, and serves the same buckets",
  "C9: uploads, listings and console sessions go from gateway to gateway",
  "D1: with one campus cut off clients go on through the next record",
  "D4: who reaches one campus only reads and writes there",
] as const;

export interface CheckResult {
  readonly name: string;
  /** Empty: it passed. */
  readonly problem: string;
  readonly ms: number;
}
