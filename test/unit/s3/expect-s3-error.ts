// Asserts that a call is refused with an S3 error code.
import assert from "node:assert/strict";
import { isS3Error, type S3Error, type S3ErrorCode } from "../../../services/lib/s3/errors.ts";

/** Runs `call`, which must throw an S3Error with `code`; returns it. */
export function expectS3Error(code: S3ErrorCode, call: () => unknown): S3Error {
  try {
    call();
  } catch (error) {
    if (!isS3Error(error)) throw error;
    assert.equal(error.code, code, error.message);
    return error;
  }
  return assert.fail(`expected ${code}, nothing was thrown`);
}
