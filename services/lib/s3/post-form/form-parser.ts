// Reads a multipart/form-data body as it streams in: the fields before the file into memory, within
// S3's limit, and the file as views that are passed on. The file has ended only when `finish` says
// so: a body cut short never looks whole. Fields after the file are ignored, as S3 does. Source:
// Amazon S3 API reference, POST Object; RFC 7578; RFC 2046 §5.1.1.
import { unreachable } from "../../base/assert.ts";
import { asBuffer, fromUtf8 } from "../../base/bytes.ts";
import { S3Error, type S3ErrorCode } from "../errors.ts";
import { FormFields } from "./form-fields.ts";
import { type PartHeaders, parseBoundary, parsePartHeaders } from "./part-headers.ts";

/** S3: all form data but the file is at most 20,000 bytes. */
const FIELDS_BYTES_MAX = 20_000;
/** What frames the fields: boundaries and part headers. */
const FRAMING_BYTES_MAX = 64 * 1024;
const FIELDS_MAX = 256;
const LINE_END = "\r\n";
const HEADERS_END = "\r\n\r\n";

export interface PostForm {
  readonly fields: FormFields;
  /** As the client named the file, without its path; undefined when it did not. */
  readonly fileName: string | undefined;
  /** Content-Type of the file part; used when no field gives one. */
  readonly fileContentType: string | undefined;
}

type State = "before" | "file" | "after";

/** Bytes that wait for more, in memory that grows by doubling: tiny pieces stay cheap. */
class HeldBytes {
  #store = Buffer.alloc(1024);
  #start = 0;
  #end = 0;

  /** All bytes kept, and `view` after them; valid until the next call. */
  append(view: Uint8Array): Buffer {
    const kept = this.#end - this.#start;
    if (this.#end + view.byteLength > this.#store.byteLength) {
      const grown = Buffer.alloc(2 * (kept + view.byteLength));
      this.#store.copy(grown, 0, this.#start, this.#end);
      this.#store = grown;
      this.#start = 0;
      this.#end = kept;
    }
    this.#store.set(view, this.#end);
    this.#end += view.byteLength;
    return this.#store.subarray(this.#start, this.#end);
  }

  /** Forgets all but the last `count` bytes. */
  keepLast(count: number): void {
    this.#start = this.#end - count;
  }

  bytes(): Buffer {
    return this.#store.subarray(this.#start, this.#end);
  }
}

interface OpenPart {
  readonly headers: PartHeaders;
  readonly bodyAt: number;
}

export class PostFormParser {
  readonly #delimiter: Buffer;
  readonly #fields = new FormFields();
  #state: State = "before";
  #held = new HeldBytes();
  /** In the file: bytes that may be the beginning of the delimiter. */
  #partial = Buffer.alloc(0);
  #fieldBytes = 0;
  #form: PostForm | undefined;

  /** `contentType`: that of the request. Throws RequestIsNotMultiPartContent. */
  constructor(contentType: string | undefined) {
    this.#delimiter = Buffer.from(`${LINE_END}--${parseBoundary(contentType)}`, "latin1");
    // The first boundary has no line end before it; with one it is like all others.
    this.#held.append(Buffer.from(LINE_END));
  }

  /** Fields and name of the file, once the file has begun; undefined before. */
  get form(): PostForm | undefined {
    return this.#form;
  }

  /**
   * Takes the next bytes and returns those of the file among them, in order, as views of `view` or
   * of memory that is not used again. Throws MalformedPOSTRequest,
   * MaxPostPreDataLengthExceededError, InvalidArgument (a field twice).
   */
  push(view: Uint8Array): readonly Uint8Array[] {
    switch (this.#state) {
      case "before":
        return this.#readFields(this.#held.append(view));
      case "file":
        return this.#readFile(
          this.#partial.byteLength === 0
            ? asBuffer(view)
            : Buffer.concat([this.#partial, asBuffer(view)]),
        );
      case "after":
        return this.#hold(this.#held.append(view), "MalformedPOSTRequest");
      default:
        return unreachable(this.#state);
    }
  }

  /**
   * The form, when it has ended. Throws MalformedPOSTRequest otherwise, and
   * IncorrectNumberOfFilesInPostRequest when it has no file.
   */
  finish(): PostForm {
    const held = this.#held.bytes().toString("latin1");
    const end = `${this.#delimiter.toString("latin1")}--`;
    if (this.#form === undefined) {
      const hasEnded = held.startsWith(end);
      throw new S3Error(hasEnded ? "IncorrectNumberOfFilesInPostRequest" : "MalformedPOSTRequest");
    }
    // What is held after the file begins where its delimiter ended.
    if (this.#state !== "after" || !(held.startsWith("--") || held.includes(end))) {
      throw new S3Error("MalformedPOSTRequest");
    }
    return this.#form;
  }

  /** `start` begins with what has arrived of the delimiter before a part. */
  #readFields(start: Buffer): readonly Uint8Array[] {
    let bytes = start;
    for (;;) {
      const part = this.#openPart(bytes);
      if (part === undefined) return this.#hold(bytes, "MaxPostPreDataLengthExceededError");
      const { headers, bodyAt } = part;
      if (headers.isFile) {
        const { fileName, contentType } = headers;
        this.#form = { fields: this.#fields, fileName, fileContentType: contentType };
        this.#state = "file";
        return this.#readFile(bytes.subarray(bodyAt));
      }
      const end = bytes.indexOf(this.#delimiter, bodyAt);
      if (end < 0) return this.#hold(bytes, "MaxPostPreDataLengthExceededError");
      this.#addField(headers.name, bytes.subarray(bodyAt, end));
      bytes = bytes.subarray(end);
    }
  }

  /** The part at the start of `bytes`, or undefined while its headers are not complete. */
  #openPart(bytes: Buffer): OpenPart | undefined {
    const { byteLength } = this.#delimiter;
    const known = Math.min(bytes.byteLength, byteLength);
    if (!bytes.subarray(0, known).equals(this.#delimiter.subarray(0, known))) {
      throw new S3Error("MalformedPOSTRequest");
    }
    if (bytes.byteLength < byteLength + 2) return undefined;
    const next = bytes.toString("latin1", byteLength, byteLength + 2);
    // Ended before a file came: `finish` says so.
    if (next === "--") return undefined;
    if (next !== LINE_END) throw new S3Error("MalformedPOSTRequest");
    const headersAt = byteLength + LINE_END.length;
    const end = bytes.indexOf(HEADERS_END, headersAt, "latin1");
    if (end < 0) return undefined;
    const text = fromUtf8(bytes.subarray(headersAt, end));
    if (text === undefined) throw new S3Error("MalformedPOSTRequest");
    return { headers: parsePartHeaders(text), bodyAt: end + HEADERS_END.length };
  }

  #hold(bytes: Buffer, overflow: S3ErrorCode): readonly Uint8Array[] {
    if (bytes.byteLength > FIELDS_BYTES_MAX + FRAMING_BYTES_MAX) throw new S3Error(overflow);
    this.#held.keepLast(bytes.byteLength);
    return [];
  }

  #addField(name: string, value: Uint8Array): void {
    const text = fromUtf8(value);
    if (text === undefined) throw new S3Error("MalformedPOSTRequest");
    this.#fieldBytes += name.length + value.byteLength;
    if (this.#fieldBytes > FIELDS_BYTES_MAX || this.#fields.size >= FIELDS_MAX) {
      throw new S3Error("MaxPostPreDataLengthExceededError");
    }
    this.#fields.add(name, text);
  }

  #readFile(bytes: Buffer): readonly Uint8Array[] {
    const end = bytes.indexOf(this.#delimiter);
    if (end >= 0) {
      this.#state = "after";
      this.#held = new HeldBytes();
      const rest = this.#held.append(bytes.subarray(end + this.#delimiter.byteLength));
      this.#hold(rest, "MalformedPOSTRequest");
      return end === 0 ? [] : [bytes.subarray(0, end)];
    }
    const fileBytes = bytes.byteLength - this.#possibleStart(bytes);
    // Copied: the view is the caller's again when this returns.
    this.#partial = Buffer.from(bytes.subarray(fileBytes));
    return fileBytes === 0 ? [] : [bytes.subarray(0, fileBytes)];
  }

  /** How many bytes at the end of `bytes` may be the beginning of the delimiter. */
  #possibleStart(bytes: Buffer): number {
    const longest = Math.min(bytes.byteLength, this.#delimiter.byteLength - 1);
    let at = bytes.indexOf("\r", bytes.byteLength - longest, "latin1");
    while (at >= 0) {
      const tail = bytes.subarray(at);
      if (tail.equals(this.#delimiter.subarray(0, tail.byteLength))) return tail.byteLength;
      at = bytes.indexOf("\r", at + 1, "latin1");
    }
    return 0;
  }
}
