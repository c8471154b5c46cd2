// PutBucketNotificationConfiguration: which events are told to which of the operator's targets.
// When it is answered, every index group records the events of what it commits. An empty document
// stops that.
import { toHex } from "../../lib/base/bytes.ts";
import { notificationDocument, parseNotification } from "../../lib/s3/settings/notification.ts";
import { writingOperation } from "../data/setting-operations.ts";

const ID_BYTES = 12;

export const putBucketNotificationConfiguration = writingOperation({
  name: "PutBucketNotificationConfiguration",
  query: "notification",
  permission: "s3:PutBucketNotification",
  setting: "notification",
  errors: ["InvalidArgument", "MalformedXML", "NotImplemented"],
  read: async ({ document, gateway }) => {
    const { random } = gateway.dependencies;
    const entries = parseNotification(document, {
      makeId: () => toHex(random.bytes(ID_BYTES)),
      isTarget: ({ type, name }) => type === "webhook" && gateway.notificationTargets.has(name),
    });
    return entries.length === 0 ? undefined : notificationDocument(entries);
  },
});
