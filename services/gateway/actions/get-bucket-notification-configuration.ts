// GetBucketNotificationConfiguration: an empty document where nothing is told to anybody.
import { notificationDocument } from "../../lib/s3/settings/notification.ts";
import { readingOperation } from "../data/setting-operations.ts";

export const getBucketNotificationConfiguration = readingOperation({
  name: "GetBucketNotificationConfiguration",
  query: "notification",
  permission: "s3:GetBucketNotification",
  setting: "notification",
  missing: () => notificationDocument([]),
});
