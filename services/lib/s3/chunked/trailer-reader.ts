// Reads the trailer lines of an aws-chunked body: only announced names, each exactly once, all of
// them, within a byte limit. Line ends are stripped by the caller. One empty line before the
// signature, and one line end after the last, are let pass: the AWS page's own grammar puts them
// there, and clients do.
import { assert } from "../../base/assert.ts";
import { CHUNK_HEADER_BYTES_MAX } from "../../base/limits.ts";
import { S3Error } from "../errors.ts";
import { trimSpace } from "../headers.ts";

const SIGNATURE_NAME = "x-amz-trailer-signature";
const VALUE = /^[\x20-\x7e]*$/;
const EXTRA_LINE_END = "\r\n";

export class TrailerReader {
  /** Values by lower-case name. */
  readonly fields = new Map<string, string>();
  /** `name:value` lines in order of arrival, the text the trailer signature covers. */
  readonly lines: string[] = [];
  readonly #announced: ReadonlySet<string>;
  readonly #signed: boolean;
  #signature: string | undefined;
  #bytes = 0;
  #skippedEmpty = false;
  #extra = 0;

  constructor(announced: readonly string[], signed: boolean) {
    this.#announced = new Set(announced);
    this.#signed = signed;
  }

  /** The trailer signature as sent, if it came. */
  get signature(): string | undefined {
    return this.#signature;
  }

  /** Takes one line; true when it ended the trailers. Throws MalformedTrailerError. */
  takeLine(line: string): boolean {
    this.#bytes += line.length + 2;
    if (this.#bytes > CHUNK_HEADER_BYTES_MAX) throw malformed("The trailers are too long.");
    if (line === "") return this.#takeEmpty();
    const colon = line.indexOf(":");
    const name = line.slice(0, Math.max(colon, 0)).toLowerCase();
    const value = trimSpace(line.slice(colon + 1));
    if (this.#signature !== undefined) throw malformed("A trailer follows the signature.");
    if (this.#signed && name === SIGNATURE_NAME) {
      this.#signature = value;
      return false;
    }
    if (!this.#announced.has(name)) throw malformed("A trailer was not announced.");
    if (this.fields.has(name)) throw malformed("A trailer is repeated.");
    if (!VALUE.test(value)) throw malformed("A trailer has invalid characters.");
    this.fields.set(name, value);
    this.lines.push(`${name}:${value}`);
    return false;
  }

  #takeEmpty(): boolean {
    const awaitsSignature = this.#signed && this.#signature === undefined && this.lines.length > 0;
    if (awaitsSignature && !this.#skippedEmpty) {
      this.#skippedEmpty = true;
      return false;
    }
    if (this.fields.size !== this.#announced.size) throw malformed("A trailer is missing.");
    assert(this.lines.length === this.fields.size, "TrailerReader: lines and fields differ");
    return true;
  }

  /** True when `byte`, which follows the end, belongs to one superfluous line end. */
  takeExtra(byte: number | undefined): boolean {
    const expected = EXTRA_LINE_END.charCodeAt(this.#extra);
    this.#extra += 1;
    return byte === expected;
  }
}

function malformed(reason: string): S3Error {
  return new S3Error("MalformedTrailerError", `The trailing headers are malformed. ${reason}`);
}
