// Rounds of damage: a fresh copy of a filled store, one damaged file, one verdict.
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { seededRandom } from "../support/seeded-bytes.ts";
import { DAMAGES, damage, filesBelow } from "./damage.ts";
import { SUBJECTS } from "./subjects.ts";

export interface RotReport {
  rounds: number;
  /** By kind of store. */
  readonly noticed: Map<string, number>;
  readonly harmless: Map<string, number>;
  readonly violations: string[];
}

/** Each kind of store and damage in turn, the file and place from `seed`. */
export async function runRot(rounds: number, seed: number): Promise<RotReport> {
  const random = seededRandom(seed);
  const report: RotReport = { rounds: 0, noticed: new Map(), harmless: new Map(), violations: [] };
  const root = mkdtempSync(join(tmpdir(), "dolium-rot-"));
  try {
    const filled = SUBJECTS.map((_, at) => join(root, `filled-${at}`));
    for (const [at, subject] of SUBJECTS.entries()) await subject.fill(filled[at] ?? "");
    for (let round = 0; round < rounds; round += 1) {
      const at = round % SUBJECTS.length;
      const subject = SUBJECTS[at];
      const kind = DAMAGES[Math.floor(round / SUBJECTS.length) % DAMAGES.length];
      if (subject === undefined || kind === undefined) throw new Error("rot: no such subject");
      const folder = join(root, "damaged");
      cpSync(filled[at] ?? "", folder, { recursive: true });
      const files = filesBelow(folder);
      const path = files[Math.floor(random() * files.length)] ?? "";
      const place = damage(path, kind, random);
      try {
        const verdict = await subject.judge(folder);
        const counts = report[verdict];
        counts.set(subject.name, (counts.get(subject.name) ?? 0) + 1);
      } catch (error) {
        const where = `${subject.name}, ${relative(folder, path)}, ${place}`;
        report.violations.push(`round ${round}, seed ${seed}: ${where}: ${String(error)}`);
      }
      rmSync(folder, { recursive: true, force: true });
      report.rounds += 1;
    }
    return report;
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
