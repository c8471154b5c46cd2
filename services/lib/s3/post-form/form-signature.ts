// Who signed a POST form: finds the claim among its fields and proves it. What is signed is the
// policy as text; that the fields obey it is checked by form-policy.ts. Source: Amazon S3 API
// reference, "Calculating a signature for POST requests" (version 4), "Browser-based uploads using
// POST" (version 2).
import { createHmac, timingSafeEqual } from "node:crypto";
import { fromHex } from "../../base/bytes.ts";
import { decodeBase64 } from "../base64.ts";
import { invalidArgument, S3Error } from "../errors.ts";
import { parseAmzDate } from "../http-date.ts";
import { type CredentialScope, parseCredential, V4_ALGORITHM } from "../sigv4/claim.ts";
import { deriveSigningKey, hmacSha256, type SigningKeyCache } from "../sigv4/signing-key.ts";
import type { FormFields } from "./form-fields.ts";

export type FormClaim =
  | { readonly kind: "anonymous" }
  | {
      readonly kind: "v4";
      readonly accessKeyId: string;
      readonly scope: CredentialScope;
      readonly amzDate: string;
      readonly signature: string;
      /** As sent: this text is what is signed. */
      readonly policy: string;
    }
  | {
      readonly kind: "v2";
      readonly accessKeyId: string;
      readonly signature: string;
      readonly policy: string;
    };

const V4_FIELDS = ["x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature"] as const;
const V2_FIELDS = ["awsaccesskeyid", "signature"] as const;

/**
 * The claim of a form; anonymous without policy and signature. Throws InvalidArgument (a field that
 * the others need is missing, several mechanisms, malformed credential).
 */
export function parseFormClaim(fields: FormFields): FormClaim {
  const inV4 = V4_FIELDS.some((name) => fields.get(name) !== undefined);
  const inV2 = V2_FIELDS.some((name) => fields.get(name) !== undefined);
  const policy = fields.get("policy");
  if (inV4 && inV2) throw new S3Error("InvalidArgument", "Only one auth mechanism allowed");
  if (!inV4 && !inV2) {
    if (policy === undefined) return { kind: "anonymous" };
    throw missing("AWSAccessKeyId");
  }
  if (policy === undefined) throw missing("policy");
  return inV4 ? parseV4(fields, policy) : parseV2(fields, policy);
}

function missing(name: string): S3Error {
  return invalidArgument(
    `Bucket POST must contain a field named '${name}'.  If it is specified, please check the ` +
      "order of the fields.",
    name,
    "",
  );
}

function required(fields: FormFields, name: string): string {
  const value = fields.get(name.toLowerCase());
  if (value === undefined || value === "") throw missing(name);
  return value;
}

function parseV4(fields: FormFields, policy: string): FormClaim {
  const algorithm = required(fields, "X-Amz-Algorithm");
  const credential = required(fields, "X-Amz-Credential");
  const amzDate = required(fields, "X-Amz-Date");
  const signature = required(fields, "X-Amz-Signature");
  if (algorithm !== V4_ALGORITHM) {
    const message = `X-Amz-Algorithm only supports "${V4_ALGORITHM}"`;
    throw invalidArgument(message, "X-Amz-Algorithm", algorithm);
  }
  const { accessKeyId, scope } = parseCredential(credential, (reason) =>
    invalidArgument(`Error parsing the X-Amz-Credential field; ${reason}`, "X-Amz-Credential", ""),
  );
  return { kind: "v4", accessKeyId, scope, amzDate, signature, policy };
}

function parseV2(fields: FormFields, policy: string): FormClaim {
  const accessKeyId = required(fields, "AWSAccessKeyId");
  const signature = required(fields, "Signature");
  return { kind: "v2", accessKeyId, signature, policy };
}

export interface FormSignatureOptions {
  readonly secret: string;
  readonly region: string;
  /** Refuse a scope of another region. Otherwise any region is taken. */
  readonly strictRegion: boolean;
  readonly signingKeys?: SigningKeyCache;
}

/**
 * Returns when the holder of the secret signed the form's policy. Throws InvalidArgument (date or
 * scope), SignatureDoesNotMatch. The policy's own expiration bounds its life.
 */
export function verifyFormSignature(
  claim: Exclude<FormClaim, { kind: "anonymous" }>,
  options: FormSignatureOptions,
): void {
  const isSigned =
    claim.kind === "v4" ? isSignedV4(claim, options) : isSignedV2(claim, options.secret);
  if (isSigned) return;
  throw new S3Error("SignatureDoesNotMatch", undefined, {
    details: [
      ["AWSAccessKeyId", claim.accessKeyId],
      ["StringToSign", claim.policy],
      ["SignatureProvided", claim.signature],
    ],
  });
}

function isSignedV4(
  { scope, amzDate, signature, policy }: Extract<FormClaim, { kind: "v4" }>,
  options: FormSignatureOptions,
): boolean {
  if (parseAmzDate(amzDate) === undefined) {
    const message = "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"";
    throw invalidArgument(message, "X-Amz-Date", amzDate);
  }
  const isOurs =
    scope.date === amzDate.slice(0, 8) &&
    scope.service === "s3" &&
    scope.terminal === "aws4_request" &&
    !(options.strictRegion && scope.region !== options.region);
  if (!isOurs) {
    const text = `${scope.date}/${scope.region}/${scope.service}/${scope.terminal}`;
    const message = "The scope of the X-Amz-Credential field is wrong";
    throw invalidArgument(message, "X-Amz-Credential", text);
  }
  const key =
    options.signingKeys?.get(options.secret, scope) ?? deriveSigningKey(options.secret, scope);
  const given = /^[0-9a-f]{64}$/.test(signature) ? fromHex(signature) : undefined;
  return given !== undefined && timingSafeEqual(hmacSha256(key, policy), given);
}

function isSignedV2(
  { signature, policy }: Extract<FormClaim, { kind: "v2" }>,
  secret: string,
): boolean {
  const expected = createHmac("sha1", secret).update(policy).digest();
  const given = decodeBase64(signature);
  return given?.byteLength === expected.byteLength && timingSafeEqual(expected, given);
}
