// Builds XML 1.0 documents as text. Guarantees well-formed output for any JavaScript string:
// markup is escaped, carriage returns survive as &#13;, and characters that XML 1.0 cannot carry
// become character references where AWS does the same (clients ask for encoding-type=url to avoid
// those).
import { assert } from "../base/assert.ts";

/** First line of every document. */
export const XML_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n';
const PIECE_CHARACTERS = 4096;
const NAME = /^[A-Za-z_][A-Za-z0-9_.:-]*$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is escaped
const NEEDS_ESCAPE = /[&<>"\u0000-\u0008\u000b-\u001f\u007f\ufffe\uffff]/;

/** `text` with markup and control characters escaped; lone surrogates become U+FFFD. */
export function escapeXml(text: string): string {
  const wellFormed = text.isWellFormed() ? text : text.toWellFormed();
  const first = wellFormed.search(NEEDS_ESCAPE);
  if (first < 0) return wellFormed;
  let escaped = wellFormed.slice(0, first);
  let plainFrom = first;
  for (let index = first; index < wellFormed.length; index += 1) {
    const unit = wellFormed.charCodeAt(index);
    if (isPlain(unit)) continue;
    escaped += wellFormed.slice(plainFrom, index) + escapeUnit(unit, wellFormed.charAt(index));
    plainFrom = index + 1;
  }
  return escaped + wellFormed.slice(plainFrom);
}

/** Surely; of a few others it is not said, they are looked at one by one. */
function isPlain(unit: number): boolean {
  return (unit > 0x3e && unit < 0x7f) || (unit > 0x26 && unit < 0x3c) || unit === 0x20;
}

function escapeUnit(unit: number, character: string): string {
  switch (unit) {
    case 0x26:
      return "&amp;";
    case 0x3c:
      return "&lt;";
    case 0x3e:
      return "&gt;";
    case 0x22:
      return "&quot;";
    case 0x09:
    case 0x0a:
      return character;
    default:
      break;
  }
  if (unit < 0x20 || unit === 0x7f) return `&#${unit};`;
  // U+FFFE and U+FFFF exist in no XML 1.0 document, not even as references.
  return unit === 0xfffe || unit === 0xffff ? "\ufffd" : character;
}

/** Writes elements in order. `finish` asserts that every opened element was closed. */
export class XmlWriter {
  #text = XML_DECLARATION;
  /** What was written before, encoded: a long text of many joined pieces keeps them all alive. */
  readonly #written: Buffer[] = [];
  readonly #open: string[] = [];
  /** Names found to be good: documents repeat a few of them. */
  readonly #names = new Set<string>();

  /** Opens `name` with `attributes` (name, value pairs in order). */
  open(name: string, attributes: readonly (readonly [string, string])[] = []): this {
    this.#checkName(name);
    let tag = `<${name}`;
    for (const [attribute, value] of attributes) {
      assert(NAME.test(attribute), `XmlWriter: bad attribute name ${attribute}`);
      tag += ` ${attribute}="${escapeAttribute(value)}"`;
    }
    this.#add(`${tag}>`);
    this.#open.push(name);
    return this;
  }

  /** Closes `name`, which must be the innermost open element. */
  close(name: string): this {
    assert(this.#open.pop() === name, `XmlWriter: ${name} is not the open element`);
    this.#add(`</${name}>`);
    return this;
  }

  /** Text inside the open element. */
  text(text: string): this {
    assert(this.#open.length > 0, "XmlWriter: text outside of elements");
    this.#add(escapeXml(text));
    return this;
  }

  /** An element with nothing but text. */
  leaf(name: string, text: string | number | boolean): this {
    this.#checkName(name);
    const shown = typeof text === "string" ? escapeXml(text) : String(text);
    this.#add(`<${name}>${shown}</${name}>`);
    return this;
  }

  /** As `leaf`, but writes nothing when `text` is undefined. */
  optional(name: string, text: string | number | boolean | undefined): this {
    return text === undefined ? this : this.leaf(name, text);
  }

  /** The whole document, declaration included. */
  finish(): string {
    assert(this.#open.length === 0, `XmlWriter: ${this.#open.join("/")} left open`);
    if (this.#written.length === 0) return this.#text;
    return Buffer.concat([...this.#written, Buffer.from(this.#text)]).toString();
  }

  /** `text` is well-formed, so that encoding loses nothing. */
  #add(text: string): void {
    this.#text += text;
    if (this.#text.length < PIECE_CHARACTERS) return;
    this.#written.push(Buffer.from(this.#text));
    this.#text = "";
  }

  #checkName(name: string): void {
    if (this.#names.has(name)) return;
    assert(NAME.test(name), `XmlWriter: bad element name ${name}`);
    this.#names.add(name);
  }
}

/**
 * `document` without its declaration, for answers that send the declaration first, white space
 * while work goes on, and the rest when it is known.
 */
export function withoutDeclaration(document: string): string {
  assert(document.startsWith(XML_DECLARATION), "withoutDeclaration: no declaration");
  return document.slice(XML_DECLARATION.length);
}

/** In attributes tabs and line ends are references too, or parsers turn them into spaces. */
function escapeAttribute(value: string): string {
  return escapeXml(value).replaceAll("\t", "&#9;").replaceAll("\n", "&#10;");
}
