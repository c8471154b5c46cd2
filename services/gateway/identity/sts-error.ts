// Errors of the security token service: codes and statuses of its own, and what errors of
// signatures are called there. Source: AWS STS API reference, "Common Error Types" and the errors
// of each action.
import { toStoreError } from "../../lib/base/errors.ts";
import { isS3Error, type S3Error } from "../../lib/s3/errors.ts";
import { XmlWriter } from "../../lib/s3/xml-writer.ts";

export const STS_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/";

const STATUSES = {
  AccessDenied: 403,
  ExpiredToken: 403,
  ExpiredTokenException: 400,
  IDPCommunicationError: 400,
  IDPRejectedClaim: 403,
  IncompleteSignature: 400,
  InternalFailure: 500,
  InvalidAction: 400,
  InvalidClientTokenId: 403,
  InvalidIdentityToken: 400,
  InvalidParameterValue: 400,
  MalformedPolicyDocument: 400,
  MissingAuthenticationToken: 403,
  MissingParameter: 400,
  PackedPolicyTooLarge: 400,
  ServiceUnavailable: 503,
  SignatureDoesNotMatch: 403,
  Throttling: 400,
  ValidationError: 400,
} as const;

export type StsErrorCode = keyof typeof STATUSES;

export class StsError extends Error {
  readonly code: StsErrorCode;

  constructor(code: StsErrorCode, message: string, options: { readonly cause?: unknown } = {}) {
    super(message, options);
    this.name = "StsError";
    this.code = code;
  }

  get status(): number {
    return STATUSES[this.code];
  }
}

const FROM_S3: ReadonlyMap<string, StsErrorCode> = new Map([
  ["AccessDenied", "AccessDenied"],
  ["AuthorizationHeaderMalformed", "IncompleteSignature"],
  ["AuthorizationQueryParametersError", "IncompleteSignature"],
  ["ExpiredToken", "ExpiredToken"],
  ["InvalidAccessKeyId", "InvalidClientTokenId"],
  ["InvalidToken", "InvalidClientTokenId"],
  ["MalformedPolicy", "MalformedPolicyDocument"],
  ["PolicyTooLarge", "PackedPolicyTooLarge"],
  ["RequestTimeTooSkewed", "SignatureDoesNotMatch"],
  ["ServiceUnavailable", "ServiceUnavailable"],
  ["SignatureDoesNotMatch", "SignatureDoesNotMatch"],
  ["SlowDown", "Throttling"],
]);

/** What is told to the client of whatever went wrong. */
export function toStsError(thrown: unknown): StsError {
  if (thrown instanceof StsError) return thrown;
  if (isS3Error(thrown)) return ofS3Error(thrown);
  const { code } = toStoreError(thrown);
  const isPassing = code === "unavailable" || code === "timeout" || code === "exhausted";
  if (isPassing) return new StsError("ServiceUnavailable", "Please try again.", { cause: thrown });
  return new StsError("InternalFailure", "The request failed for an unknown reason.", {
    cause: thrown,
  });
}

function ofS3Error(error: S3Error): StsError {
  const code = FROM_S3.get(error.code) ?? "ValidationError";
  return new StsError(code, error.message, { cause: error });
}

export function stsErrorDocument({ code, message, status }: StsError, requestId: string): string {
  return new XmlWriter()
    .open("ErrorResponse", [["xmlns", STS_NAMESPACE]])
    .open("Error")
    .leaf("Type", status < 500 ? "Sender" : "Receiver")
    .leaf("Code", code)
    .leaf("Message", message)
    .close("Error")
    .leaf("RequestId", requestId)
    .close("ErrorResponse")
    .finish();
}
