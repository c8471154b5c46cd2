// One error class for everything that peers, disks and callers can cause. The code decides what the
// caller may do; it crosses process borders unchanged (transports carry code and message).

/**
 * What a failed call means for its caller:
 * - `invalid`: the request can never succeed.
 * - `not-found`: the named thing does not exist.
 * - `exists`: it exists already.
 * - `precondition`: a stated condition is false.
 * - `conflict`: state moved meanwhile; read again.
 * - `not-leader`: ask `leaderHint`.
 * - `stale-epoch`: refresh the map, then try again.
 * - `sealed`: the bucket is being deleted.
 * - `fenced`: the writer is older than the fence.
 * - `unavailable`: nothing happened; try elsewhere.
 * - `timeout`: it may or may not have happened.
 * - `aborted`: the caller gave up.
 * - `no-space`: the disk or cluster is full.
 * - `io`: a disk failed.
 * - `corrupt`: stored or received bytes are wrong.
 * - `exhausted`: a bound (queue, memory) is reached.
 * - `denied`: not allowed.
 * - `internal`: our mistake.
 */
export type ErrorCode =
  | "invalid"
  | "not-found"
  | "exists"
  | "precondition"
  | "conflict"
  | "not-leader"
  | "stale-epoch"
  | "sealed"
  | "fenced"
  | "unavailable"
  | "timeout"
  | "aborted"
  | "no-space"
  | "io"
  | "corrupt"
  | "exhausted"
  | "denied"
  | "internal";

export const ERROR_CODES: readonly ErrorCode[] = [
  "invalid",
  "not-found",
  "exists",
  "precondition",
  "conflict",
  "not-leader",
  "stale-epoch",
  "sealed",
  "fenced",
  "unavailable",
  "timeout",
  "aborted",
  "no-space",
  "io",
  "corrupt",
  "exhausted",
  "denied",
  "internal",
];

export interface StoreErrorOptions {
  readonly cause?: unknown;
  /** With `not-leader`: the address of the leader, when known. */
  readonly leaderHint?: string;
}

export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly code: ErrorCode;
  readonly leaderHint: string | undefined;

  constructor(code: ErrorCode, message: string, options: StoreErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.leaderHint = options.leaderHint;
  }
}

/** True when `error` is a StoreError, and has `code` where one is given. */
export function isStoreError(error: unknown, code?: ErrorCode): error is StoreError {
  return error instanceof StoreError && (code === undefined || error.code === code);
}

/**
 * Turns anything thrown into a StoreError; what is not one already becomes `fallback`, cause kept.
 */
export function toStoreError(error: unknown, fallback: ErrorCode = "internal"): StoreError {
  if (error instanceof StoreError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new StoreError(fallback, message, { cause: error });
}
