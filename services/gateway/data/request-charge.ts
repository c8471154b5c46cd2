// Requester Pays: a request that agrees to be charged, about a bucket whose requesters pay, is told
// that it was. Nothing is billed. The owner is told so too, if it asks. Source: Amazon S3 user
// guide, "Using Requester Pays buckets".
import type { BucketRecord } from "../../lib/gen/dolium/record/v1/cluster_pb.ts";
import { S3Error } from "../../lib/s3/errors.ts";
import type { HeaderField, HeaderList } from "../../lib/s3/headers.ts";
import {
  type Payer,
  parseRequestPayer,
  parseRequestPayment,
} from "../../lib/s3/settings/request-payment.ts";
import type { Answer } from "../answer.ts";
import type { ServiceContext } from "../operation.ts";
import type { SettingKind } from "./bucket-settings.ts";

const PAYER: SettingKind<Payer> = { name: "request-payment", parse: parseRequestPayment };
const CHARGED: HeaderField = ["x-amz-request-charged", "requester"];

/**
 * The header that tells of the charge, if there is one. `headers`: those of the request, or the
 * fields of its form. Throws InvalidArgument for a payer who is not the requester.
 */
export function chargeFields(
  { gateway, request }: ServiceContext,
  bucket: BucketRecord,
  headers: HeaderList = request.headers,
): HeaderField[] {
  if (!parseRequestPayer(headers, request.target.query)) return [];
  return gateway.bucketSettings.read(bucket, PAYER) === "Requester" ? [CHARGED] : [];
}

/**
 * Throws AccessDenied for whoever does not own a bucket whose requesters pay, and does not agree
 * to; nobody anonymous can. Throws InvalidArgument for a payer who is not the requester.
 */
export function checkPayer(
  { gateway, request, identity }: ServiceContext,
  bucket: BucketRecord,
  headers: HeaderList = request.headers,
): void {
  if (gateway.bucketSettings.read(bucket, PAYER) !== "Requester") return;
  if (identity.kind === "user") {
    if (identity.userId === bucket.owner) return;
    if (parseRequestPayer(headers, request.target.query)) return;
  }
  throw new S3Error("AccessDenied");
}

/** The answer with those fields, each once. */
export function withCharge(answer: Answer, fields: readonly HeaderField[]): Answer {
  const told = new Set(answer.headers.map(([name]) => name));
  const more = fields.filter(([name]) => !told.has(name));
  return more.length === 0 ? answer : { ...answer, headers: [...answer.headers, ...more] };
}
