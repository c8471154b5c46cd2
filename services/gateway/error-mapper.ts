// The one place where a failure of any kind becomes an S3 error. What a client can mend says so;
// what lies with us is 500 or 503 without inner detail, and its cause goes to the log.
import { unreachable } from "../lib/base/assert.ts";
import { type ErrorCode, StoreError } from "../lib/base/errors.ts";
import { Outcome } from "../lib/gen/dolium/record/v1/command_pb.ts";
import { S3Error } from "../lib/s3/errors.ts";

/** The S3 error for anything thrown while a request was served. */
export function toS3Error(error: unknown): S3Error {
  if (error instanceof S3Error) return error;
  if (error instanceof StoreError) return fromStoreError(error.code, error);
  return new S3Error("InternalError", undefined, { cause: error });
}

function fromStoreError(code: ErrorCode, cause: StoreError): S3Error {
  switch (code) {
    case "unavailable":
    case "timeout":
    case "not-leader":
    case "stale-epoch":
    case "aborted":
    case "fenced":
      return new S3Error("ServiceUnavailable", undefined, { cause });
    case "exhausted":
      return new S3Error("SlowDown", undefined, { cause });
    case "no-space":
      return new S3Error("InsufficientStorage", undefined, { cause });
    case "sealed":
      return new S3Error("NoSuchBucket", undefined, { cause });
    case "conflict":
      return new S3Error("OperationAborted", undefined, { cause });
    case "precondition":
      return new S3Error("PreconditionFailed", undefined, { cause });
    case "denied":
    case "invalid":
    case "not-found":
    case "exists":
    case "io":
    case "corrupt":
    case "internal":
      // Between our own processes these are never a client's mistake.
      return new S3Error("InternalError", undefined, { cause });
    default:
      return unreachable(code);
  }
}

/**
 * Throws what an outcome means, unless it is OK. "sealed", "stale-epoch" and "fenced" come out as
 * StoreError, because whoever called may mend them; the others as S3Error. `condition` names the
 * header whose precondition can have failed.
 */
export function checkOutcome(outcome: Outcome, message: string, condition?: string): void {
  switch (outcome) {
    case Outcome.OK:
      return;
    case Outcome.PRECONDITION_FAILED:
      throw preconditionFailed(condition ?? "If-Match");
    case Outcome.NO_SUCH_KEY:
      throw new S3Error("NoSuchKey");
    case Outcome.NO_SUCH_UPLOAD:
      throw new S3Error("NoSuchUpload");
    case Outcome.INVALID_PART:
      throw new S3Error("InvalidPart");
    case Outcome.SEALED:
      throw new StoreError("sealed", message);
    case Outcome.FENCED:
      throw new StoreError("fenced", message);
    case Outcome.NOT_EMPTY:
      throw new S3Error("BucketNotEmpty");
    case Outcome.EXISTS:
      throw new S3Error("BucketAlreadyExists");
    case Outcome.NO_SUCH_BUCKET:
      throw new S3Error("NoSuchBucket");
    case Outcome.CONFLICT:
      throw new StoreError("conflict", message);
    case Outcome.NO_SUCH_VERSION:
      throw new S3Error("NoSuchVersion");
    case Outcome.LOCKED:
      throw new S3Error("AccessDenied", "Access Denied because object protected by object lock.");
    case Outcome.DELETE_MARKER:
      throw new S3Error("MethodNotAllowed", undefined, {
        headers: [
          ["x-amz-delete-marker", "true"],
          ["Allow", "DELETE"],
        ],
      });
    case Outcome.QUOTA_EXCEEDED:
      throw new S3Error("QuotaExceeded");
    case Outcome.WRONG_OFFSET:
      throw new S3Error("InvalidWriteOffset");
    case Outcome.WRONG_RANGE:
      throw new StoreError("stale-epoch", message);
    default:
      throw new StoreError("internal", `unexpected outcome ${outcome}: ${message}`);
  }
}

/** 412 with the element that names the condition. */
export function preconditionFailed(condition: string): S3Error {
  return new S3Error("PreconditionFailed", undefined, { details: [["Condition", condition]] });
}
