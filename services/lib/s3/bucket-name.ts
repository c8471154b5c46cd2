// The naming rules for general purpose buckets. Source: Amazon S3 user guide, "General purpose
// bucket naming rules"; the suffixes and prefixes AWS keeps for itself are refused too, so that a
// bucket can move to AWS under its name.
import { S3Error } from "./errors.ts";

const CHARACTERS = /^[a-z0-9][a-z0-9.-]*[a-z0-9]$/;
const IPV4_SHAPE = /^[0-9]{1,3}(?:\.[0-9]{1,3}){3}$/;
const RESERVED_PREFIXES = ["xn--", "sthree-", "amzn-s3-demo-"];
const RESERVED_SUFFIXES = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];

/** True when `name` may name a new bucket. */
export function isValidBucketName(name: string): boolean {
  if (name.length < 3 || name.length > 63 || !CHARACTERS.test(name)) return false;
  if (name.includes("..") || name.includes(".-") || name.includes("-.")) return false;
  if (IPV4_SHAPE.test(name)) return false;
  if (RESERVED_PREFIXES.some((prefix) => name.startsWith(prefix))) return false;
  return !RESERVED_SUFFIXES.some((suffix) => name.endsWith(suffix));
}

/** Throws InvalidBucketName unless `name` may name a new bucket. */
export function checkBucketName(name: string): void {
  if (isValidBucketName(name)) return;
  throw new S3Error("InvalidBucketName", undefined, { details: [["BucketName", name]] });
}
