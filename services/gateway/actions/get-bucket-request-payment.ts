// GetBucketRequestPayment: who pays for requests; the owner unless told otherwise.
import { requestPaymentDocument } from "../../lib/s3/settings/request-payment.ts";
import { readingOperation } from "../data/setting-operations.ts";

export const getBucketRequestPayment = readingOperation({
  name: "GetBucketRequestPayment",
  query: "requestPayment",
  permission: "s3:GetBucketRequestPayment",
  setting: "request-payment",
  missing: () => requestPaymentDocument("BucketOwner"),
});
