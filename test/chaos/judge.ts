// What a finished history is worth: every key against the register, by our checker and by
// porcupine, listings against their model, and the longest times without a read or a write.
import { byKey, isRead, isWrite, type Operation } from "../checkers/history.ts";
import { checkKey } from "../checkers/linearizable.ts";
import { checkListing, listingReads } from "../checkers/list-model.ts";
import { Porcupine } from "../checkers/porcupine.ts";

export interface Judgement {
  readonly keys: number;
  readonly violations: readonly string[];
  readonly unknown: readonly string[];
  readonly listings: number;
  /** What porcupine said, or why it was not asked. */
  readonly porcupine: string;
  readonly problems: readonly string[];
}

export async function judge(history: readonly Operation[]): Promise<Judgement> {
  const listed = history.filter(({ kind }) => kind === "list");
  const reads = listed.flatMap((list) => readsOf(list, history));
  const whole = [...history, ...reads];
  const keys = byKey(whole);
  const violations: string[] = [];
  const unknown: string[] = [];
  for (const [name, operations] of keys) {
    const verdict = checkKey(operations);
    if (verdict.kind === "violation") violations.push(`${name}: ${verdict.text}`);
    if (verdict.kind === "unknown") unknown.push(name);
  }
  const problems = listed.flatMap((list) =>
    checkListing(list, history).map((text) => `list ${list.bucket}: ${text}`),
  );
  const bad = new Set(violations.map((text) => text.slice(0, text.indexOf(":"))));
  const porcupine = await secondOpinion(whole, bad, problems);
  return { keys: keys.size, violations, unknown, listings: listed.length, porcupine, problems };
}

function readsOf(list: Operation, history: readonly Operation[]): Operation[] {
  const inBucket = history.filter(
    (operation) => operation.bucket === list.bucket && isWrite(operation),
  );
  return listingReads(list, new Set(inBucket.map(({ key }) => key)));
}

async function secondOpinion(
  history: readonly Operation[],
  bad: ReadonlySet<string>,
  problems: string[],
): Promise<string> {
  const porcupine = await Porcupine.build();
  if (typeof porcupine === "string") return porcupine;
  try {
    const opinions = await porcupine.ask(history);
    const counts = { ok: 0, violation: 0, unknown: 0 };
    for (const [name, opinion] of opinions) {
      counts[opinion] += 1;
      const ours = bad.has(name) ? "violation" : "ok";
      if (opinion !== ours) problems.push(`porcupine says ${opinion} of ${name}, we say ${ours}`);
    }
    return `ok ${counts.ok}, violation ${counts.violation}, unknown ${counts.unknown}`;
  } finally {
    porcupine.remove();
  }
}

export interface Window {
  readonly from: number;
  readonly to: number;
}

export interface Gaps {
  readonly writeMs: number;
  readonly readMs: number;
}

/** The longest times between two answers that touch a window. */
export function gapsIn(history: readonly Operation[], window: Window): Gaps {
  return {
    writeMs: longest(history.filter(isWrite), window),
    readMs: longest(history.filter(isRead), window),
  };
}

function longest(operations: readonly Operation[], { from, to }: Window): number {
  const ends = operations
    .filter(({ output }) => output.kind === "ok")
    .map(({ returnedAt }) => returnedAt)
    .toSorted((a, b) => a - b);
  let before = from;
  let worst = 0;
  for (const end of [...ends.filter((at) => at > from && at <= to), to]) {
    worst = Math.max(worst, end - before);
    before = end;
  }
  return Math.round(worst);
}
