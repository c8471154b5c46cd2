// Policy documents as they are sent, checked as they are kept.
import { isStoreError } from "../../../lib/base/errors.ts";
import { parseIdentityPolicy, parseTrustPolicy } from "../../../lib/iam/policy.ts";
import { S3Error } from "../../../lib/s3/errors.ts";
import { AdminError } from "../admin-error.ts";

export type DocumentKind = "identity" | "trust";

/** The text to keep. Throws AdminError 400 "MalformedPolicyDocument" saying what is wrong. */
export function checkedDocument(document: unknown, kind: DocumentKind = "identity"): string {
  const text = typeof document === "string" ? document : JSON.stringify(document);
  try {
    if (kind === "trust") parseTrustPolicy(text);
    else parseIdentityPolicy(text);
  } catch (cause) {
    const isRefusal = cause instanceof S3Error || isStoreError(cause);
    if (!isRefusal) throw cause;
    throw new AdminError(400, "MalformedPolicyDocument", cause.message, { cause });
  }
  return text;
}
