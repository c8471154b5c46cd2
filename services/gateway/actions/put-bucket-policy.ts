// PutBucketPolicy: checked as S3 checks it and kept as it came. A public one stops at the public
// access block.
import { fromUtf8 } from "../../lib/base/bytes.ts";
import { S3Error } from "../../lib/s3/errors.ts";
import { parsePolicy } from "../../lib/s3/settings/policy.ts";
import { isPublicPolicy } from "../../lib/s3/settings/policy-status.ts";
import { publicAccessBlock } from "../data/bucket-acl.ts";
import { writingOperation } from "../data/setting-operations.ts";
import { callOptions } from "../operation.ts";

export const putBucketPolicy = writingOperation({
  name: "PutBucketPolicy",
  query: "policy",
  permission: "s3:PutBucketPolicy",
  setting: "policy",
  status: 204,
  errors: ["AccessDenied", "MalformedPolicy", "PolicyTooLarge"],
  read: async (context) => {
    const { document, bucket, gateway } = context;
    const policy = parsePolicy(document, bucket.name);
    const unknown = await gateway.people.unknownPrincipal(policy, callOptions(context));
    if (unknown === undefined) return fromUtf8(document);
    const shown = `"${unknown.type}" : "${unknown.value}"`;
    throw new S3Error("MalformedPolicy", "Invalid principal in policy", {
      details: [["Detail", shown]],
    });
  },
  check: ({ document, gateway }, bucket) => {
    if (!publicAccessBlock(gateway, bucket).blockPublicPolicy) return;
    if (!isPublicPolicy(parsePolicy(document, bucket.name))) return;
    throw new S3Error("AccessDenied", "Public policies are blocked by the public access block.");
  },
});
