// A promise was broken: which check found it, and what it saw.

/** Named so that a planted bug can be required to be found by the check meant for it. */
export type Check =
  | "linearizable"
  | "listing"
  | "bytes"
  | "versions"
  | "census"
  | "orphans"
  | "replicas"
  | "answers"
  | "liveness"
  | "code";

export class Violation extends Error {
  override readonly name = "Violation";
  readonly check: Check;

  constructor(check: Check, message: string) {
    super(`${check}: ${message}`);
    this.check = check;
  }
}
