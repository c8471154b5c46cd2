// Reads fields out of parsed XML: required and optional ones, words with white space around them,
// enumerations, booleans, whole numbers. A field that breaks the schema is MalformedXML; what a
// value means is the caller's affair.
import { trimSpace } from "./headers.ts";
import { parseDecimal } from "./integers.ts";
import { childNamed, childText, malformedXml, type XmlElement } from "./xml-reader.ts";

/** Without white space around, line ends included: for values that are not keys or prefixes. */
export function trimLines(text: string): string {
  return trimSpace(text.replaceAll(/[\r\n]/g, " "));
}

/** The child called `name`, which must be there once. */
export function requiredChild(element: XmlElement, name: string): XmlElement {
  const child = childNamed(element, name);
  if (child === undefined) throw malformedXml();
  return child;
}

/** Text of the child called `name`, exactly as written; it must be there once. */
export function requiredText(element: XmlElement, name: string): string {
  const text = childText(element, name);
  if (text === undefined) throw malformedXml();
  return text;
}

/** As childText, without white space around. */
export function optionalWord(element: XmlElement, name: string): string | undefined {
  const text = childText(element, name);
  return text === undefined ? undefined : trimLines(text);
}

/** As requiredText, without white space around, and not empty. */
export function requiredWord(element: XmlElement, name: string): string {
  const word = trimLines(requiredText(element, name));
  if (word === "") throw malformedXml();
  return word;
}

/** Text of the child called `name`, which must be one of `words` when it is there. */
export function optionalChoice<const Word extends string>(
  element: XmlElement,
  name: string,
  words: readonly Word[],
): Word | undefined {
  const text = optionalWord(element, name);
  if (text === undefined) return undefined;
  const word = words.find((known) => known === text);
  if (word === undefined) throw malformedXml();
  return word;
}

/** As optionalChoice; the child must be there. */
export function requiredChoice<const Word extends string>(
  element: XmlElement,
  name: string,
  words: readonly Word[],
): Word {
  const word = optionalChoice(element, name, words);
  if (word === undefined) throw malformedXml();
  return word;
}

/** `true` or `false`, in any case, of the child called `name`; undefined without it. */
export function optionalBoolean(element: XmlElement, name: string): boolean | undefined {
  const word = optionalWord(element, name)?.toLowerCase();
  if (word === undefined) return undefined;
  if (word !== "true" && word !== "false") throw malformedXml();
  return word === "true";
}

/** Decimal digits, at most 2^53-1, of the child called `name`; undefined without it. */
export function optionalNumber(element: XmlElement, name: string): number | undefined {
  const word = optionalWord(element, name);
  if (word === undefined) return undefined;
  const value = parseDecimal(word);
  if (value === undefined) throw malformedXml();
  return value;
}
