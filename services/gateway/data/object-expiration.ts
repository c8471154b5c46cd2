// When the bucket's lifecycle rules end an object or an upload, as answers tell it.
import type { HeaderField } from "../../lib/s3/headers.ts";
import { type LifecycleRule, parseStoredLifecycle } from "../../lib/s3/settings/lifecycle.ts";
import { abortHeaders, expirationHeaders } from "../../lib/s3/settings/lifecycle-evaluation.ts";
import type { ObjectContext } from "../operation.ts";
import type { SettingKind } from "./bucket-settings.ts";
import type { TagInit } from "./object-tags.ts";

const LIFECYCLE: SettingKind<readonly LifecycleRule[]> = {
  name: "lifecycle",
  parse: parseStoredLifecycle,
};

export interface Expiring {
  readonly size: number;
  readonly tags: readonly TagInit[];
  readonly modifiedMs: number;
}

/** x-amz-expiration of the current version of the key, where a rule expires it. */
export function expirationFields(
  { gateway, bucket, keyText }: ObjectContext,
  { size, tags, modifiedMs }: Expiring,
): readonly HeaderField[] {
  const rules = gateway.bucketSettings.read(bucket, LIFECYCLE);
  if (rules === undefined) return [];
  const named = tags.map(({ name, value }) => ({ key: name, value }));
  return expirationHeaders(rules, { key: keyText, size, tags: named, modifiedMs });
}

/** x-amz-abort-date and x-amz-abort-rule-id of an upload, where a rule ends it. */
export function abortFields(
  { gateway, bucket, keyText }: ObjectContext,
  initiatedMs: number,
): readonly HeaderField[] {
  const rules = gateway.bucketSettings.read(bucket, LIFECYCLE);
  return rules === undefined ? [] : abortHeaders(rules, { key: keyText, initiatedMs });
}
