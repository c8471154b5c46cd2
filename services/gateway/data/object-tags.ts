// Tags of objects between headers, documents and records, under the limits of this gateway.
import type { NameValue } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import type { HeaderList } from "../../lib/s3/headers.ts";
import {
  LIFTED_TAG_LIMITS,
  OBJECT_TAG_LIMITS,
  parseTaggingHeader,
  type TagLimits,
} from "../../lib/s3/settings/tagging.ts";
import type { Tag } from "../../lib/s3/xml-requests.ts";
import type { Gateway } from "../operation.ts";

export interface TagInit {
  readonly name: string;
  readonly value: string;
}

export function objectTagLimits({ settings }: Gateway): TagLimits {
  return settings.tagRestrictions ? OBJECT_TAG_LIMITS : LIFTED_TAG_LIMITS;
}

/** The tags that x-amz-tagging gives. Throws InvalidArgument, InvalidTag, BadRequest. */
export function tagsOfWrite(gateway: Gateway, headers: HeaderList): TagInit[] {
  const text = headers.get("x-amz-tagging");
  if (text === undefined) return [];
  return tagRecords(parseTaggingHeader(text, objectTagLimits(gateway)));
}

export function tagRecords(tags: readonly Tag[]): TagInit[] {
  return tags.map(({ key, value }) => ({ name: key, value }));
}

export function tagsOf(records: readonly NameValue[]): Tag[] {
  return records.map(({ name, value }) => ({ key: name, value }));
}
