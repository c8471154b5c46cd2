// Assertions stay on in production. They are for our own mistakes: arguments, results, invariants.
// Bad input, peers and disks get typed errors instead (see errors.ts).

/** Thrown by `assert`; never caught except to stop the process or fail a test. */
export class AssertionFailure extends Error {
  override readonly name = "AssertionFailure";
}

/** Throws AssertionFailure with `message` unless `condition` holds. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionFailure(message);
}

/**
 * Closes a `switch` over a union: a missing case is a type error, a wrong value at run time throws.
 */
export function unreachable(value: never): never {
  throw new AssertionFailure(`unreachable: ${String(value)}`);
}

/** Returns `value`, or throws AssertionFailure naming `what` when it is null or undefined. */
export function present<T>(value: T | null | undefined, what: string): T {
  if (value === null || value === undefined) throw new AssertionFailure(`missing: ${what}`);
  return value;
}
