// PutBucketNotificationConfiguration: which events are told to which of the operator's targets.
// When it is answered, every index group records the events of what it commits, and each target is
// about to be sent a test event. An empty document stops that.
import { toHex } from "../../lib/base/bytes.ts";
import { bucketStateOf } from "../../lib/s3/settings/bucket-state.ts";
import { notificationDocument, parseNotification } from "../../lib/s3/settings/notification.ts";
import { settingDocument } from "../data/bucket-settings.ts";
import { executeAt } from "../data/name-space.ts";
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
  after: async (context, bucket) => {
    if (settingDocument(bucket, "notification") === undefined) return;
    const { bucketId } = bucket;
    const value = { bucketId, state: bucketStateOf(bucket), testEvent: true };
    // One group is enough: its first range is there whatever becomes of the others.
    const place = { bucket, key: new Uint8Array(0) };
    await executeAt(context, place, { case: "configureBucket", value });
  },
});
