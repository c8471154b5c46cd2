// Sub-resources of a bucket in its record: sorted by name, at most one of a name, and together
// small enough that a record fits a message.
import { BUCKET_SETTINGS_BYTES_MAX } from "../../lib/base/limits.ts";
import type { BucketSetting } from "../../lib/gen/dolium/record/v1/cluster_pb.ts";

/** All documents of a bucket together. */
export const SETTINGS_BYTES_MAX = BUCKET_SETTINGS_BYTES_MAX;

/** `present` after `changes`; an empty document removes a setting. */
export function mergedSettings(
  present: readonly BucketSetting[],
  changes: readonly BucketSetting[],
): BucketSetting[] {
  const byName = new Map(present.map((setting) => [setting.name, setting]));
  for (const setting of changes) byName.set(setting.name, setting);
  return [...byName.values()]
    .filter(({ document }) => document.byteLength > 0)
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

export function settingsBytes(settings: readonly BucketSetting[]): number {
  return settings.reduce((sum, { document }) => sum + document.byteLength, 0);
}
