// Entity tags: stored unquoted, sent in double quotes, taken with or without them, since S3
// clients do both. Weak tags compare like strong ones where RFC 9110 §8.8.3.2 says weak
// comparison.
import { assert } from "../base/assert.ts";
import { toHex } from "../base/bytes.ts";

/** `"etag"`, as in headers and documents. */
export function quoteEtag(etag: string): string {
  assert(!etag.includes('"'), "quoteEtag: already quoted");
  return `"${etag}"`;
}

/** `text` without `W/` and one pair of quotes around it. */
export function unquoteEtag(text: string): string {
  const tag = text.startsWith("W/") ? text.slice(2) : text;
  return tag.length >= 2 && tag.startsWith('"') && tag.endsWith('"') ? tag.slice(1, -1) : tag;
}

/** Entity tag of an object written at once: hex MD5 of its body, unquoted. */
export function md5Etag(md5: Uint8Array): string {
  assert(md5.byteLength === 16, "md5Etag: not an MD5 digest");
  return toHex(md5);
}

/** One member of an entity tag list. */
export interface EntityTag {
  readonly tag: string;
  readonly weak: boolean;
}

/** Most tags of one header that are looked at. */
const TAGS_MAX = 256;

/**
 * Parses the value of If-Match or If-None-Match: `*`, or tags separated by commas, quotes optional
 * around each. Commas inside quotes belong to the tag. Empty members are skipped.
 */
export function parseEtagList(text: string): "*" | readonly EntityTag[] {
  if (text.trim() === "*") return "*";
  const tags: EntityTag[] = [];
  let index = 0;
  while (index < text.length && tags.length < TAGS_MAX) {
    const end = memberEnd(text, index);
    const member = text.slice(index, end).trim();
    if (member !== "") tags.push({ tag: unquoteEtag(member), weak: member.startsWith("W/") });
    index = end + 1;
  }
  return tags;
}

/** Index of the comma that ends the member at `start`, or the end of the text. */
function memberEnd(text: string, start: number): number {
  let quoted = false;
  for (let index = start; index < text.length; index += 1) {
    const character = text.charAt(index);
    if (character === '"') quoted = !quoted;
    else if (character === "," && !quoted) return index;
  }
  return text.length;
}
