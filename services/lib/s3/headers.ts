// Request headers as a list that cannot be confused: names are case-insensitive, kept in a Map (a
// header named `__proto__` is a header), duplicates of headers that must be single are refused,
// and so are control characters in values. Values hold one byte a character (U+0000..U+00FF), as
// Node reads them.
import { HEADER_BYTES_MAX } from "../base/limits.ts";
import { invalidArgument, S3Error } from "./errors.ts";

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
const FORBIDDEN_IN_VALUE = /[\u0000-\u0008\u000a-\u001f\u007f]/;
const BEYOND_BYTES = /[\u0100-\uffff]/;

/** Headers that change meaning when repeated; a request that repeats one is refused. */
const SINGLE_HEADERS: ReadonlySet<string> = new Set([
  "authorization",
  "content-length",
  "content-md5",
  "content-type",
  "date",
  "host",
  "if-modified-since",
  "if-unmodified-since",
  "range",
  "transfer-encoding",
  "x-amz-acl",
  "x-amz-content-sha256",
  "x-amz-copy-source",
  "x-amz-date",
  "x-amz-decoded-content-length",
  "x-amz-security-token",
]);

export type HeaderField = readonly [name: string, value: string];

/** Headers of one request, in order of arrival, with lower-case names and trimmed values. */
export class HeaderList {
  readonly fields: readonly HeaderField[];
  readonly #byName = new Map<string, string[]>();

  /** `fields` may have any case; throws InvalidArgument or RequestHeaderSectionTooLarge. */
  constructor(fields: readonly HeaderField[]) {
    this.fields = fields.map(([name, value]) => checkField(name, value));
    let bytes = 0;
    for (const [name, value] of this.fields) {
      bytes += name.length + value.length + 4;
      const values = this.#byName.get(name);
      if (values === undefined) this.#byName.set(name, [value]);
      else if (SINGLE_HEADERS.has(name)) throw repeated(name, value);
      else values.push(value);
    }
    if (bytes > HEADER_BYTES_MAX) throw new S3Error("RequestHeaderSectionTooLarge");
  }

  /** From Node's `rawHeaders`: name, value, name, value, ... */
  static fromRaw(rawHeaders: readonly string[]): HeaderList {
    const fields: HeaderField[] = [];
    for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
      fields.push([rawHeaders[index] ?? "", rawHeaders[index + 1] ?? ""]);
    }
    return new HeaderList(fields);
  }

  /** Value of `name` (lower case); repeated fields are joined by `,`; undefined when absent. */
  get(name: string): string | undefined {
    const values = this.#byName.get(name);
    return values?.length === 1 ? values[0] : values?.join(",");
  }

  /** Every value of `name` (lower case), in order. */
  all(name: string): readonly string[] {
    return this.#byName.get(name) ?? [];
  }

  has(name: string): boolean {
    return this.#byName.has(name);
  }

  /** Distinct names, lower case, in order of first arrival. */
  names(): IterableIterator<string> {
    return this.#byName.keys();
  }
}

function checkField(name: string, value: string): HeaderField {
  if (!TOKEN.test(name)) throw new S3Error("InvalidArgument", "A header name is not a token.");
  const lowerName = name.toLowerCase();
  if (FORBIDDEN_IN_VALUE.test(value) || BEYOND_BYTES.test(value)) {
    throw new S3Error("InvalidArgument", "A header value contains invalid characters.", {
      details: [["ArgumentName", lowerName]],
    });
  }
  return [lowerName, trimSpace(value)];
}

function repeated(name: string, value: string): S3Error {
  return name === "authorization"
    ? new S3Error("InvalidArgument", "Only one auth mechanism allowed", {
        details: [["ArgumentName", "Authorization"]],
      })
    : invalidArgument("The header may be given only once.", name, value);
}

/** Without leading and trailing spaces and tabs (RFC 9110 §5.5; `trim` would take U+00A0 too). */
export function trimSpace(value: string): string {
  let start = 0;
  let end = value.length;
  while (start < end && isSpace(value.charCodeAt(start))) start += 1;
  while (end > start && isSpace(value.charCodeAt(end - 1))) end -= 1;
  return value.slice(start, end);
}

function isSpace(unit: number): boolean {
  return unit === 0x20 || unit === 0x09;
}
