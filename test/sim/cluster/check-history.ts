// The checks of what clients saw: each key alone must be explained by one order of its operations,
// listings included.
import { byKey, type Operation } from "../../checkers/history.ts";
import { checkKey } from "../../checkers/linearizable.ts";
import { checkListing, listingReads } from "../../checkers/list-model.ts";
import { Violation } from "./violation.ts";

/** Throws Violation. */
export function checkHistory(history: readonly Operation[]): void {
  const keys = byKey(history);
  for (const list of history.filter(({ kind }) => kind === "list")) {
    if (list.output.kind !== "ok") continue;
    const [problem] = checkListing(list, history);
    if (problem !== undefined) throw new Violation("listing", `${list.bucket}: ${problem}`);
    const names = [...keys.keys()].flatMap((name) => {
      const [bucket, key] = name.split("/");
      return bucket === list.bucket && key !== undefined ? [key] : [];
    });
    for (const read of listingReads(list, names)) {
      keys.get(`${read.bucket}/${read.key}`)?.push(read);
    }
  }
  for (const [name, operations] of keys) {
    const verdict = checkKey(operations);
    if (verdict.kind === "violation") {
      throw new Violation("linearizable", `${name}\n${verdict.text}`);
    }
    if (verdict.kind === "unknown") {
      throw new Violation("code", `${name}: not decided after ${verdict.steps} steps`);
    }
  }
}
