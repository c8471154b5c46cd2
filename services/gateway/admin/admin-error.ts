// Refusals of the admin API: a status, a code that scripts can tell apart, and a sentence. Anything
// else that is thrown while a call runs is mapped here once; inner detail goes to the log only.
import { isStoreError, type StoreError } from "../../lib/base/errors.ts";
import { S3Error } from "../../lib/s3/errors.ts";

export class AdminError extends Error {
  override readonly name = "AdminError";
  readonly status: number;
  /** "NoSuchUser", "AccessDenied", "InvalidArgument" ... */
  readonly code: string;

  constructor(status: number, code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
    this.code = code;
  }
}

export function invalidArgument(message: string): AdminError {
  return new AdminError(400, "InvalidArgument", message);
}

export function accessDenied(message = "You may not do this."): AdminError {
  return new AdminError(403, "AccessDenied", message);
}

/** `code`: "NoSuchUser" and the like. */
export function notFound(code: string, message: string): AdminError {
  return new AdminError(404, code, message);
}

export function notImplemented(message: string): AdminError {
  return new AdminError(501, "NotImplemented", message);
}

/** For whatever a call threw. Statuses from 500 on say nothing of what lies behind. */
export function toAdminError(thrown: unknown): AdminError {
  if (thrown instanceof AdminError) return thrown;
  if (thrown instanceof S3Error) {
    return new AdminError(thrown.status, thrown.code, thrown.message, { cause: thrown });
  }
  if (isStoreError(thrown)) return fromStoreError(thrown);
  return new AdminError(500, "InternalError", "Something failed inside; the log says what.", {
    cause: thrown,
  });
}

function fromStoreError(cause: StoreError): AdminError {
  const { message } = cause;
  switch (cause.code) {
    case "invalid":
      return new AdminError(400, "InvalidArgument", message, { cause });
    case "not-found":
      return new AdminError(404, "NotFound", message, { cause });
    case "exists":
      return new AdminError(409, "AlreadyExists", message, { cause });
    case "conflict":
    case "precondition":
      return new AdminError(409, "Conflict", message, { cause });
    case "denied":
      return new AdminError(403, "AccessDenied", message, { cause });
    case "exhausted":
      return new AdminError(429, "SlowDown", message, { cause });
    case "unavailable":
    case "timeout":
    case "not-leader":
    case "stale-epoch":
    case "aborted":
      return new AdminError(503, "Unavailable", "The cluster does not answer; try again.", {
        cause,
      });
    default:
      return new AdminError(500, "InternalError", "Something failed inside; the log says what.", {
        cause,
      });
  }
}

/** With `audit.onFull` "refuse": nothing is done that could not be written down. */
export function auditIsFull(): AdminError {
  return new AdminError(503, "SlowDown", "The audit log cannot take more now; try again.");
}
