// What the keeper's verifiers found, as it travels from keepers to `status`: one line of figures a
// verifier, of its last pass that came to an end.

export const VERIFIERS = ["shards", "orphans", "readBack", "trash", "canary"] as const;
export type VerifierName = (typeof VERIFIERS)[number];

export interface PassReport {
  /** End of the pass, milliseconds since 1970. */
  readonly atMs: number;
  /** Shards asked about, versions read, records of garbage inspected, canaries flipped. */
  readonly looked: number;
  readonly problems: number;
}

export type VerificationReport = Readonly<Partial<Record<VerifierName, PassReport>>>;

/** What these words mean in a sentence: "<looked> ...; <problems> ...". */
export const VERIFIER_WORDS: Readonly<Record<VerifierName, readonly [string, string]>> = {
  shards: ["shards named by manifests asked for", "missing or bad, queued for repair"],
  orphans: ["disks searched for shards that nothing names", "orphans"],
  readBack: ["versions read back", "not as they were written"],
  trash: ["records of garbage inspected", "still in use"],
  canary: ["shards flipped on purpose", "not found and repaired in time"],
};

/** Verifiers whose findings nothing else in the status tells of. */
const ALARMING: readonly VerifierName[] = ["readBack", "trash", "canary"];

/** The newest report of each verifier, from the details that keepers send. */
export function newestReports(details: readonly string[]): VerificationReport {
  const newest: Partial<Record<VerifierName, PassReport>> = {};
  for (const text of details) {
    const reports = reportsIn(text);
    for (const name of VERIFIERS) {
      const report = passReport(reports[name]);
      if (report === undefined) continue;
      if (report.atMs >= (newest[name]?.atMs ?? 0)) newest[name] = report;
    }
  }
  return newest;
}

/** One sentence for each verifier whose last pass found what should alarm people. */
export function alarmsOf(report: VerificationReport): string[] {
  return ALARMING.flatMap((name) => {
    const problems = report[name]?.problems ?? 0;
    if (problems === 0) return [];
    const [what, wrong] = VERIFIER_WORDS[name];
    return [`${problems} of ${report[name]?.looked} ${what}: ${wrong}`];
  });
}

/** Anything that is not as keepers write it counts as nothing. */
function reportsIn(text: string): Readonly<Record<string, unknown>> {
  if (text === "") return {};
  const parsed: unknown = JSON.parse(text);
  if (typeof parsed !== "object" || parsed === null || !("verified" in parsed)) return {};
  const { verified } = parsed;
  // Checked boundary: each field is checked where it is read.
  return typeof verified === "object" && verified !== null
    ? (verified as Readonly<Record<string, unknown>>)
    : {};
}

/** Undefined for anything else. */
export function passReport(value: unknown): PassReport | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { atMs, looked, problems }: Partial<Record<keyof PassReport, unknown>> = value;
  const isWhole =
    typeof atMs === "number" && typeof looked === "number" && typeof problems === "number";
  return isWhole ? { atMs, looked, problems } : undefined;
}
