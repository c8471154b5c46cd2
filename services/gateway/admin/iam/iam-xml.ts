// Values of IAM answers as XML: objects become elements, lists become `member` elements.
import { assert } from "../../../lib/base/assert.ts";
import { escapeXml } from "../../../lib/s3/xml-writer.ts";

export type XmlValue =
  | string
  | number
  | boolean
  | readonly XmlValue[]
  | { readonly [name: string]: XmlValue | undefined };

const NAME = /^[A-Za-z]+$/;

/** Elements whose value is undefined are left out. */
export function xmlOf(name: string, value: XmlValue): string {
  assert(NAME.test(name), "xmlOf: no name of an element");
  return `<${name}>${contentOf(value)}</${name}>`;
}

function contentOf(value: XmlValue): string {
  if (isList(value)) return value.map((item) => xmlOf("member", item)).join("");
  if (typeof value !== "object") return escapeXml(String(value));
  return Object.entries(value)
    .map(([name, inner]) => (inner === undefined ? "" : xmlOf(name, inner)))
    .join("");
}

function isList(value: XmlValue): value is readonly XmlValue[] {
  return Array.isArray(value);
}
