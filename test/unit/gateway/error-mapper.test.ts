// The error mapper: every code and outcome becomes the right S3 error, and no inner detail gets
// out.
import assert from "node:assert/strict";
import { test } from "node:test";
import { checkOutcome, toS3Error } from "../../../services/gateway/error-mapper.ts";
import { ERROR_CODES, type ErrorCode, StoreError } from "../../../services/lib/base/errors.ts";
import { Outcome } from "../../../services/lib/gen/dolium/record/v1/command_pb.ts";
import { isS3Error, S3Error } from "../../../services/lib/s3/errors.ts";

const EXPECTED: Readonly<Record<ErrorCode, readonly [string, number]>> = {
  invalid: ["InternalError", 500],
  "not-found": ["InternalError", 500],
  exists: ["InternalError", 500],
  precondition: ["PreconditionFailed", 412],
  conflict: ["OperationAborted", 409],
  "not-leader": ["ServiceUnavailable", 503],
  "stale-epoch": ["ServiceUnavailable", 503],
  sealed: ["NoSuchBucket", 404],
  fenced: ["ServiceUnavailable", 503],
  unavailable: ["ServiceUnavailable", 503],
  timeout: ["ServiceUnavailable", 503],
  aborted: ["ServiceUnavailable", 503],
  "no-space": ["InsufficientStorage", 507],
  io: ["InternalError", 500],
  corrupt: ["InternalError", 500],
  exhausted: ["SlowDown", 503],
  denied: ["InternalError", 500],
  internal: ["InternalError", 500],
};

for (const code of ERROR_CODES) {
  test(`${code} becomes ${EXPECTED[code].join(" ")}`, () => {
    const thrown = new StoreError(code, "node 10.0.0.7 said: secret detail");
    const error = toS3Error(thrown);
    assert.deepEqual([error.code, error.status], EXPECTED[code]);
    assert.ok(!error.message.includes("10.0.0.7"));
    assert.equal(error.cause, thrown);
  });
}

test("an S3 error stays what it is, anything else is internal", () => {
  const error = new S3Error("NoSuchKey");
  assert.equal(toS3Error(error), error);
  for (const thrown of [new TypeError("x is not a function"), "text", undefined]) {
    assert.equal(toS3Error(thrown).code, "InternalError");
    assert.ok(!toS3Error(thrown).message.includes("function"));
  }
});

test("outcomes become errors that somebody can act upon", () => {
  const codeOf = (outcome: Outcome): string => {
    try {
      checkOutcome(outcome, "why", "If-None-Match");
    } catch (error) {
      if (isS3Error(error) || error instanceof StoreError) return error.code;
      throw error;
    }
    return "ok";
  };
  const cases: readonly (readonly [Outcome, string])[] = [
    [Outcome.OK, "ok"],
    [Outcome.PRECONDITION_FAILED, "PreconditionFailed"],
    [Outcome.NO_SUCH_KEY, "NoSuchKey"],
    [Outcome.NO_SUCH_UPLOAD, "NoSuchUpload"],
    [Outcome.INVALID_PART, "InvalidPart"],
    [Outcome.SEALED, "sealed"],
    [Outcome.FENCED, "fenced"],
    [Outcome.NOT_EMPTY, "BucketNotEmpty"],
    [Outcome.EXISTS, "BucketAlreadyExists"],
    [Outcome.NO_SUCH_BUCKET, "NoSuchBucket"],
    [Outcome.CONFLICT, "conflict"],
    [Outcome.WRONG_RANGE, "stale-epoch"],
    [Outcome.UNSPECIFIED, "internal"],
    [Outcome.HELD, "internal"],
  ];
  for (const [outcome, code] of cases) assert.equal(codeOf(outcome), code);
});
