// The result of a verifier's last pass as it stands in the note of its lease, so that the next
// keeper knows when a pass is due and what to show.
import { fromUtf8, utf8 } from "../../lib/base/bytes.ts";
import { type PassReport, passReport } from "../../lib/clients/verify/verification-report.ts";

export function writeNote(report: PassReport): Uint8Array {
  return utf8(JSON.stringify(report));
}

/** Undefined for no note, and for one that another release wrote in another form. */
export function readNote(note: Uint8Array): PassReport | undefined {
  const text = fromUtf8(note);
  if (text === undefined || text === "") return undefined;
  try {
    return passReport(JSON.parse(text));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
