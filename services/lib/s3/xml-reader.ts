// Reads the XML bodies of requests into small trees. Refuses, before or while parsing: more bytes
// than the limit, invalid UTF-8, DOCTYPE (so no entities but the five of XML), processing
// instructions, deep nesting. Names lose their prefix; text is kept exactly, since it may be an
// object key.
import { SaxesParser } from "saxes";
import { assert } from "../base/assert.ts";
import { fromUtf8 } from "../base/bytes.ts";
import { XML_BYTES_MAX, XML_DEPTH_MAX } from "../base/limits.ts";
import { S3Error } from "./errors.ts";

/** Most attributes of one element; S3 uses two. */
const ATTRIBUTES_MAX = 16;
const ELEMENTS_MAX = 10_000;

export interface XmlLimits {
  /** Default XML_BYTES_MAX. */
  readonly bytesMax?: number;
  /** Most elements of the document, default 10,000. */
  readonly elementsMax?: number;
}

export interface XmlElement {
  /** Without namespace prefix. */
  readonly name: string;
  /** By name as written (`xsi:type`), namespace declarations included. */
  readonly attributes: ReadonlyMap<string, string>;
  /** All text directly inside, CDATA included, in order. */
  readonly text: string;
  readonly children: readonly XmlElement[];
}

interface OpenElement {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly pieces: string[];
  readonly children: XmlElement[];
}

/**
 * Parses `bytes` and returns the root element. Throws MaxMessageLengthExceeded past the byte limit,
 * and MalformedXML for everything else. Time is linear in the bytes.
 */
export function parseXml(bytes: Uint8Array, limits: XmlLimits = {}): XmlElement {
  if (bytes.byteLength > (limits.bytesMax ?? XML_BYTES_MAX))
    throw new S3Error("MaxMessageLengthExceeded");
  const text = fromUtf8(bytes);
  if (text === undefined) throw malformedXml();
  const builder = new TreeBuilder(limits.elementsMax ?? ELEMENTS_MAX);
  const parser = new SaxesParser({ xmlns: false, position: false });
  parser.on("error", (error) => {
    throw malformedXml(error);
  });
  parser.on("doctype", () => {
    throw malformedXml();
  });
  parser.on("processinginstruction", () => {
    throw malformedXml();
  });
  let attributeCount = 0;
  parser.on("opentagstart", () => {
    builder.checkRoom();
    attributeCount = 0;
  });
  parser.on("attribute", () => {
    attributeCount += 1;
    if (attributeCount > ATTRIBUTES_MAX) throw malformedXml();
  });
  parser.on("opentag", (tag) => builder.open(tag.name, new Map(Object.entries(tag.attributes))));
  parser.on("closetag", () => builder.close());
  parser.on("text", (piece) => builder.text(piece));
  parser.on("cdata", (piece) => builder.text(piece));
  parser.write(text).close();
  return builder.root();
}

/** MalformedXML, with what the parser said as its cause. */
export function malformedXml(cause?: unknown): S3Error {
  return new S3Error("MalformedXML", undefined, { cause });
}

class TreeBuilder {
  readonly #stack: OpenElement[] = [];
  readonly #elementsMax: number;
  #elements = 0;
  #root: XmlElement | undefined;

  constructor(elementsMax: number) {
    this.#elementsMax = elementsMax;
  }

  /** Throws unless one more element may open here. */
  checkRoom(): void {
    this.#elements += 1;
    if (this.#elements > this.#elementsMax) throw malformedXml();
    if (this.#stack.length >= XML_DEPTH_MAX) throw malformedXml();
  }

  open(qualifiedName: string, attributes: ReadonlyMap<string, string>): void {
    const name = qualifiedName.slice(qualifiedName.lastIndexOf(":") + 1);
    this.#stack.push({ name, attributes, pieces: [], children: [] });
  }

  text(piece: string): void {
    this.#stack.at(-1)?.pieces.push(piece);
  }

  close(): void {
    const open = this.#stack.pop();
    assert(open !== undefined, "TreeBuilder: closed more than was opened");
    const { name, attributes, pieces, children } = open;
    const element = { name, attributes, text: pieces.join(""), children };
    const parent = this.#stack.at(-1);
    if (parent === undefined) this.#root = element;
    else parent.children.push(element);
  }

  root(): XmlElement {
    if (this.#root === undefined) throw malformedXml();
    return this.#root;
  }
}

/** Children called `name`, in order. */
export function childrenNamed(element: XmlElement, name: string): readonly XmlElement[] {
  return element.children.filter((child) => child.name === name);
}

/** The child called `name`, or undefined. Throws MalformedXML when there are several. */
export function childNamed(element: XmlElement, name: string): XmlElement | undefined {
  const children = childrenNamed(element, name);
  if (children.length > 1) throw malformedXml();
  return children[0];
}

/** Text of the child called `name`, or undefined. Throws MalformedXML when repeated or nested. */
export function childText(element: XmlElement, name: string): string | undefined {
  const child = childNamed(element, name);
  if (child !== undefined && child.children.length > 0) throw malformedXml();
  return child?.text;
}

/**
 * Throws MalformedXML unless `element` has this name, only children with the names given, and no
 * text beside them: what somebody meant by it would be lost.
 */
export function checkShape(element: XmlElement, name: string, childNames: readonly string[]): void {
  if (element.name !== name || element.text.trim() !== "") throw malformedXml();
  if (!element.children.every((child) => childNames.includes(child.name))) throw malformedXml();
}
