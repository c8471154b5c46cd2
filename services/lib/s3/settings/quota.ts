// The quota of a bucket, kept as JSON: {"bytes":N,"objects":N}. Bytes are those of all versions and
// of the parts of unfinished uploads; objects are versions, delete markers among them. What is not
// named, or 0, has no limit. No S3 operation sets it: administrators do.
import { fromUtf8 } from "../../base/bytes.ts";
import { S3Error } from "../errors.ts";

export interface BucketQuota {
  readonly bytes?: number;
  readonly objects?: number;
}

const DOCUMENT_BYTES_MAX = 256;
const FIELDS = new Set(["bytes", "objects"]);

/** Throws InvalidArgument. */
export function parseQuota(document: Uint8Array): BucketQuota {
  const text = document.byteLength > DOCUMENT_BYTES_MAX ? undefined : fromUtf8(document);
  if (text === undefined) throw badQuota();
  return checkedQuota(parsedJson(text));
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw badQuota();
  }
}

function checkedQuota(value: unknown): BucketQuota {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw badQuota();
  const entries = Object.entries(value);
  const isGood = entries.every(
    ([name, limit]) =>
      FIELDS.has(name) && (limit === undefined || (Number.isSafeInteger(limit) && limit >= 0)),
  );
  if (!isGood) throw badQuota();
  // Checked boundary: every field is a known one and a whole number.
  return value as BucketQuota;
}

function badQuota(): S3Error {
  return new S3Error("InvalidArgument", "A quota has whole numbers of bytes and objects.");
}
