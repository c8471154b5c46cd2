// What x-amz-content-sha256 says about the body: hashed, unsigned, or aws-chunked in one of its
// forms. Every other value is refused. Source: Amazon S3 API reference, "Authenticating Requests:
// Using the Authorization Header", the x-amz-content-sha256 values.
import { fromHex } from "../../base/bytes.ts";
import { invalidArgument, S3Error } from "../errors.ts";

export const UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD";
export const STREAMING_SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
export const STREAMING_SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER";
export const STREAMING_UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
const HASH = /^[0-9a-fA-F]{64}$/;

export type PayloadClaim =
  /** `sha256`: the 32 bytes the body must hash to. */
  | { readonly kind: "hashed"; readonly sha256: Uint8Array }
  | { readonly kind: "unsigned" }
  /** The body is aws-chunked; decode it with ChunkedDecoder. */
  | { readonly kind: "chunked"; readonly signed: boolean; readonly trailer: boolean };

/**
 * Parses a value of x-amz-content-sha256. Throws InvalidArgument, or NotImplemented for the
 * asymmetric (ECDSA) forms.
 */
export function parsePayloadHash(value: string): PayloadClaim {
  switch (value) {
    case UNSIGNED_PAYLOAD:
      return { kind: "unsigned" };
    case STREAMING_SIGNED:
      return { kind: "chunked", signed: true, trailer: false };
    case STREAMING_SIGNED_TRAILER:
      return { kind: "chunked", signed: true, trailer: true };
    case STREAMING_UNSIGNED_TRAILER:
      return { kind: "chunked", signed: false, trailer: true };
    default:
      break;
  }
  if (value.startsWith("STREAMING-AWS4-ECDSA-")) throw new S3Error("NotImplemented");
  const sha256 = HASH.test(value) ? fromHex(value) : undefined;
  if (sha256 === undefined) {
    throw invalidArgument(
      "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, " +
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER " +
        "or a valid sha256 value.",
      "x-amz-content-sha256",
      value,
    );
  }
  return { kind: "hashed", sha256 };
}
