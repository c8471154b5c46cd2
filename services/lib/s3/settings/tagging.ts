// Tags of objects and buckets: the Tagging document, the x-amz-tagging header, and the limits on
// both. Every accepted tag set has distinct keys; how many and which characters depends on the
// limits given. Source: Amazon S3 user guide, "Categorizing your objects using tags"; API
// reference, PutObjectTagging, PutBucketTagging.
import { openDocument } from "../document-parts.ts";
import { invalidArgument, isS3Error, S3Error } from "../errors.ts";
import type { HeaderField, HeaderList } from "../headers.ts";
import { percentDecodeText } from "../uri-encoding.ts";
import { requiredChild } from "../xml-fields.ts";
import { checkShape, parseXml } from "../xml-reader.ts";
import { parseTags, type Tag } from "../xml-requests.ts";
import type { XmlWriter } from "../xml-writer.ts";

export interface TagLimits {
  readonly tagsMax: number;
  readonly subject: "Object" | "Bucket";
  /** Lengths, characters and the reserved prefix as S3 has them. */
  readonly restricted: boolean;
}

export const OBJECT_TAG_LIMITS: TagLimits = { tagsMax: 10, subject: "Object", restricted: true };
export const BUCKET_TAG_LIMITS: TagLimits = { tagsMax: 50, subject: "Bucket", restricted: true };
/** With the restrictions lifted (client row C7) only what keeps records small is left. */
export const LIFTED_TAG_LIMITS: TagLimits = { tagsMax: 256, subject: "Object", restricted: false };

/** UTF-16 units, as S3 counts. */
const KEY_LENGTH_MAX = 128;
const VALUE_LENGTH_MAX = 256;
/** All keys and values together, restrictions or not. */
const TAGS_LENGTH_MAX = 32 * 1024;
const CHARACTERS = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;

/** Parses the body of PutObjectTagging or PutBucketTagging. Throws MalformedXML or as checkTags. */
export function parseTagging(body: Uint8Array, limits: TagLimits): readonly Tag[] {
  const root = parseXml(body);
  checkShape(root, "Tagging", ["TagSet"]);
  const tags = parseTags(requiredChild(root, "TagSet"));
  checkTags(tags, limits);
  return tags;
}

/**
 * Parses x-amz-tagging: URL query parameters, `+` and `%20` for spaces. Empty text is no tags.
 * Throws InvalidArgument for bad escapes and repeated keys, and as checkTags.
 */
export function parseTaggingHeader(text: string, limits: TagLimits): readonly Tag[] {
  const tags = text
    .split("&")
    .filter((piece) => piece !== "")
    .map((piece): Tag => {
      const equals = piece.indexOf("=");
      const rawKey = equals < 0 ? piece : piece.slice(0, equals);
      const rawValue = equals < 0 ? "" : piece.slice(equals + 1);
      return { key: decodeHeaderText(rawKey, text), value: decodeHeaderText(rawValue, text) };
    });
  if (hasRepeatedKeys(tags)) throw invalidHeader(text);
  checkTags(tags, limits);
  return tags;
}

function decodeHeaderText(raw: string, header: string): string {
  try {
    return percentDecodeText(raw, true);
  } catch (error) {
    if (isS3Error(error, "InvalidURI")) throw invalidHeader(header);
    throw error;
  }
}

function invalidHeader(text: string): S3Error {
  return invalidArgument(
    "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters " +
      "without tag name duplicates.",
    "x-amz-tagging",
    text,
  );
}

/** Throws InvalidTag (length, characters, `aws:`, repeated key) or BadRequest (too many tags). */
export function checkTags(tags: readonly Tag[], limits: TagLimits): void {
  if (tags.length > limits.tagsMax) {
    const subject = limits.subject === "Object" ? "Object tags" : "Bucket tag count";
    throw new S3Error("BadRequest", `${subject} cannot be greater than ${limits.tagsMax}`);
  }
  if (hasRepeatedKeys(tags)) {
    throw new S3Error("InvalidTag", "Cannot provide multiple Tags with the same key");
  }
  let length = 0;
  for (const tag of tags) {
    checkTag(tag, limits.restricted);
    length += tag.key.length + tag.value.length;
  }
  if (length > TAGS_LENGTH_MAX) throw new S3Error("BadRequest", "The tags are too long together");
}

function checkTag({ key, value }: Tag, restricted: boolean): void {
  const badKey = key.length > KEY_LENGTH_MAX || !CHARACTERS.test(key);
  if (key === "" || (restricted && badKey)) {
    throw invalidTag("The TagKey you have provided is invalid", "TagKey", key);
  }
  if (!restricted) return;
  if (value.length > VALUE_LENGTH_MAX || !CHARACTERS.test(value)) {
    throw invalidTag("The TagValue you have provided is invalid", "TagValue", value);
  }
  if (key.toLowerCase().startsWith("aws:")) {
    throw invalidTag("System tags cannot be added/updated by requester", "TagKey", key);
  }
}

function invalidTag(message: string, name: string, text: string): S3Error {
  return new S3Error("InvalidTag", message, { details: [[name, text.toWellFormed()]] });
}

function hasRepeatedKeys(tags: readonly Tag[]): boolean {
  return new Set(tags.map((tag) => tag.key)).size !== tags.length;
}

/** GetObjectTagging and GetBucketTagging; also the form in which a bucket's tags are kept. */
export function taggingDocument(tags: readonly Tag[]): string {
  const writer = openDocument("Tagging");
  writer.open("TagSet");
  writeTags(writer, tags);
  return writer.close("TagSet").close("Tagging").finish();
}

/** `Tag` elements, one a tag. */
export function writeTags(writer: XmlWriter, tags: readonly Tag[]): void {
  for (const { key, value } of tags) {
    writer.open("Tag").leaf("Key", key).leaf("Value", value).close("Tag");
  }
}

/** x-amz-tagging-count of GetObject and HeadObject; no header without tags. */
export function taggingCountHeader(count: number): readonly HeaderField[] {
  return count === 0 ? [] : [["x-amz-tagging-count", String(count)]];
}

/** x-amz-tagging-directive of CopyObject; COPY when absent. Throws InvalidArgument. */
export function parseTaggingDirective(headers: HeaderList): "COPY" | "REPLACE" {
  const text = headers.get("x-amz-tagging-directive") ?? "COPY";
  if (text === "COPY" || text === "REPLACE") return text;
  throw invalidArgument("Unknown tagging directive.", "x-amz-tagging-directive", text);
}
