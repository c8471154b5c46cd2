// Who pays for requests to a bucket. Nothing is billed here; the setting is kept and told, and a
// requester who pays must say so. Source: Amazon S3 API reference, PutBucketRequestPayment; user
// guide, "Using Requester Pays buckets".
import { openDocument } from "../document-parts.ts";
import { invalidArgument } from "../errors.ts";
import type { HeaderList } from "../headers.ts";
import type { QueryParameters } from "../query-parameters.ts";
import { requiredChoice } from "../xml-fields.ts";
import { checkShape, parseXml } from "../xml-reader.ts";

export type Payer = "BucketOwner" | "Requester";

/** Throws MalformedXML. */
export function parseRequestPayment(body: Uint8Array): Payer {
  const root = parseXml(body);
  checkShape(root, "RequestPaymentConfiguration", ["Payer"]);
  return requiredChoice(root, "Payer", ["BucketOwner", "Requester"]);
}

/** GetBucketRequestPayment; a bucket where it was never set has BucketOwner. */
export function requestPaymentDocument(payer: Payer): string {
  const writer = openDocument("RequestPaymentConfiguration").leaf("Payer", payer);
  return writer.close("RequestPaymentConfiguration").finish();
}

/** Whether a request says that its sender pays, in a header or a parameter. */
export function parseRequestPayer(headers: HeaderList, query: QueryParameters): boolean {
  const text = headers.get("x-amz-request-payer") ?? query.get("x-amz-request-payer");
  if (text === undefined) return false;
  if (text.toLowerCase() === "requester") return true;
  throw invalidArgument("The request payer is not valid.", "x-amz-request-payer", text);
}
