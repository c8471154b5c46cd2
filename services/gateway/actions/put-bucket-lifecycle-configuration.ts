// PutBucketLifecycleConfiguration, and the older PutBucketLifecycle of the same address: what
// expires, which old versions go, which uploads are given up. The keeper carries it out. Rules that
// bring no id get one.
import { toHex } from "../../lib/base/bytes.ts";
import { lifecycleDocument, parseLifecycle } from "../../lib/s3/settings/lifecycle.ts";
import { isStorageClass } from "../data/object-record.ts";
import { writingOperation } from "../data/setting-operations.ts";

const RULE_ID_BYTES = 12;

export const putBucketLifecycleConfiguration = writingOperation({
  name: "PutBucketLifecycleConfiguration",
  query: "lifecycle",
  permission: "s3:PutLifecycleConfiguration",
  setting: "lifecycle",
  errors: ["InvalidArgument", "InvalidRequest", "InvalidStorageClass", "MalformedXML"],
  read: async ({ document, gateway }) => {
    const { random } = gateway.dependencies;
    const rules = parseLifecycle(document, {
      makeId: () => toHex(random.bytes(RULE_ID_BYTES)),
      isStorageClass: (name) => isStorageClass(gateway.settings, name),
    });
    return lifecycleDocument(rules);
  },
});
