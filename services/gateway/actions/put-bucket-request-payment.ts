// PutBucketRequestPayment: kept and told; nothing is billed here.
import {
  parseRequestPayment,
  requestPaymentDocument,
} from "../../lib/s3/settings/request-payment.ts";
import { writingOperation } from "../data/setting-operations.ts";

export const putBucketRequestPayment = writingOperation({
  name: "PutBucketRequestPayment",
  query: "requestPayment",
  permission: "s3:PutBucketRequestPayment",
  setting: "request-payment",
  errors: ["MalformedXML"],
  read: async ({ document }) => requestPaymentDocument(parseRequestPayment(document)),
});
