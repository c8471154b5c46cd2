// How many and which tags a bucket may have, by the settings of the gateway.
import {
  BUCKET_TAG_LIMITS,
  LIFTED_TAG_LIMITS,
  type TagLimits,
} from "../../lib/s3/settings/tagging.ts";
import type { S3Settings } from "../config.ts";

export function bucketTagLimits(settings: S3Settings): TagLimits {
  return settings.tagRestrictions ? BUCKET_TAG_LIMITS : LIFTED_TAG_LIMITS;
}
