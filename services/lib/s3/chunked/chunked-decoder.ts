// Decodes aws-chunked bodies, signed or not, with or without trailers, as a pure state machine
// that is fed the body in pieces of any size. Payload is handed out as views of the input, never
// copied, and BEFORE the signature of its chunk is known: nothing it gave may be committed until
// `finish` returned. Source: Amazon S3 API reference, "Transferring Payload in Multiple Chunks".
import { createHash, type Hash, timingSafeEqual } from "node:crypto";
import { assert, unreachable } from "../../base/assert.ts";
import { CHUNK_HEADER_BYTES_MAX } from "../../base/limits.ts";
import { S3Error } from "../errors.ts";
import { parseHexadecimal } from "../integers.ts";
import { type ChunkSigning, chunkSignature, trailerSignature } from "../sigv4/chunk-signature.ts";
import { TrailerReader } from "./trailer-reader.ts";

const CR = 0x0d;
const LF = 0x0a;
const SIGNED_HEADER = /^([0-9a-fA-F]{1,16});chunk-signature=([0-9a-f]{64})$/;
const UNSIGNED_HEADER = /^([0-9a-fA-F]{1,16})$/;

export interface ChunkedOptions {
  /** x-amz-decoded-content-length: the payload must have exactly so many bytes. */
  readonly decodedBytes: number;
  /** With it every chunk and the trailer must be signed; without it none may be. */
  readonly signing: ChunkSigning | undefined;
  /** The body ends with trailers (a STREAMING- value that ends in -TRAILER). */
  readonly trailer: boolean;
  /** Lower-case names announced by x-amz-trailer; each must come exactly once. */
  readonly trailerNames: readonly string[];
}

type State = "header" | "payload" | "payload-end" | "trailer" | "body-end" | "done";

export class ChunkedDecoder {
  readonly #options: ChunkedOptions;
  readonly #line = Buffer.allocUnsafe(CHUNK_HEADER_BYTES_MAX);
  readonly #trailers: TrailerReader;
  #lineBytes = 0;
  #state: State = "header";
  #failed = false;
  /** Payload bytes of the running chunk still to come. */
  #chunkLeft = 0;
  #payloadBytes = 0;
  #ending = 0;
  #chunkHash: Hash | undefined;
  #claimedSignature = "";
  #previousSignature: string;

  /** Throws InvalidRequest when trailers are announced for a body that has none. */
  constructor(options: ChunkedOptions) {
    assert(Number.isSafeInteger(options.decodedBytes), "ChunkedDecoder: decodedBytes");
    assert(options.decodedBytes >= 0, "ChunkedDecoder: negative decodedBytes");
    if (!options.trailer && options.trailerNames.length > 0) {
      throw new S3Error("InvalidRequest", "x-amz-trailer needs a payload form with trailers.");
    }
    this.#options = options;
    this.#previousSignature = options.signing?.seedSignature ?? "";
    this.#trailers = new TrailerReader(options.trailerNames, options.signing !== undefined);
  }

  /**
   * Takes the next piece of the body and returns its payload as views of `input`. Throws
   * SignatureDoesNotMatch, InvalidRequest (malformed), IncompleteBody (longer than announced) or
   * MalformedTrailerError; the decoder is of no more use then.
   */
  push(input: Uint8Array): Uint8Array[] {
    assert(!this.#failed, "ChunkedDecoder: used after a failure");
    const payload: Uint8Array[] = [];
    try {
      let offset = 0;
      while (offset < input.byteLength) offset = this.#step(input, offset, payload);
    } catch (error) {
      this.#failed = true;
      throw error;
    }
    return payload;
  }

  /**
   * Ends the body and returns the trailers by lower-case name. Only now is the payload proven
   * whole and, when signed, genuine. Throws IncompleteBody when the body stops early.
   */
  finish(): ReadonlyMap<string, string> {
    assert(!this.#failed, "ChunkedDecoder: used after a failure");
    if (this.#state !== "done") throw incomplete("The body ends before its final chunk.");
    assert(this.#payloadBytes === this.#options.decodedBytes, "ChunkedDecoder: length unchecked");
    return this.#trailers.fields;
  }

  /** Takes some bytes from `offset` on; returns the offset of the first one not taken. */
  #step(input: Uint8Array, offset: number, payload: Uint8Array[]): number {
    switch (this.#state) {
      case "header":
        return this.#takeHeader(input, offset);
      case "payload": {
        const view = input.subarray(offset, offset + this.#chunkLeft);
        this.#takePayload(view);
        payload.push(view);
        return offset + view.byteLength;
      }
      case "payload-end":
      case "body-end":
        this.#takeLineEnd(input[offset]);
        return offset + 1;
      case "trailer":
        return this.#takeTrailer(input, offset);
      case "done":
        // Some clients end the trailers with one line end too many.
        if (!this.#options.trailer || !this.#trailers.takeExtra(input[offset])) {
          throw malformed("There are bytes after the end of the body.");
        }
        return offset + 1;
      default:
        return unreachable(this.#state);
    }
  }

  /** Collects bytes up to a line feed; returns the line without it once it is whole. */
  #takeLine(input: Uint8Array, offset: number): { next: number; line: string | undefined } {
    const feed = input.indexOf(LF, offset);
    const end = feed < 0 ? input.byteLength : feed;
    if (this.#lineBytes + end - offset > CHUNK_HEADER_BYTES_MAX) {
      throw malformed("A chunk header is too long.");
    }
    this.#line.set(input.subarray(offset, end), this.#lineBytes);
    this.#lineBytes += end - offset;
    if (feed < 0) return { next: end, line: undefined };
    const line = this.#line.toString("latin1", 0, this.#lineBytes);
    this.#lineBytes = 0;
    return { next: feed + 1, line };
  }

  #takeHeader(input: Uint8Array, offset: number): number {
    const { next, line } = this.#takeLine(input, offset);
    if (line === undefined) return next;
    const { signing, decodedBytes } = this.#options;
    const pattern = signing === undefined ? UNSIGNED_HEADER : SIGNED_HEADER;
    const match = line.endsWith("\r") ? pattern.exec(line.slice(0, -1)) : null;
    const size = match === null ? undefined : parseHexadecimal(match[1] ?? "");
    if (match === null || size === undefined) throw malformed("A chunk header is malformed.");
    this.#claimedSignature = match[2] ?? "";
    if (size > decodedBytes - this.#payloadBytes) throw wrongLength();
    this.#chunkLeft = size;
    if (signing !== undefined) this.#chunkHash = createHash("sha256");
    if (size > 0) {
      this.#state = "payload";
      return next;
    }
    this.#checkChunkSignature();
    if (this.#payloadBytes !== decodedBytes) throw wrongLength();
    this.#state = this.#options.trailer ? "trailer" : "body-end";
    return next;
  }

  #takePayload(view: Uint8Array): void {
    this.#chunkHash?.update(view);
    this.#payloadBytes += view.byteLength;
    this.#chunkLeft -= view.byteLength;
    assert(this.#chunkLeft >= 0, "ChunkedDecoder: took past the chunk");
    if (this.#chunkLeft > 0) return;
    this.#checkChunkSignature();
    this.#state = "payload-end";
  }

  #checkChunkSignature(): void {
    const { signing } = this.#options;
    if (signing === undefined || this.#chunkHash === undefined) return;
    const digest = this.#chunkHash.digest("hex");
    const expected = chunkSignature(signing, this.#previousSignature, digest);
    if (signing.bearer !== true) checkSignature(expected, this.#claimedSignature);
    this.#previousSignature = expected;
    this.#chunkHash = undefined;
  }

  #takeLineEnd(byte: number | undefined): void {
    if (byte !== (this.#ending === 0 ? CR : LF)) throw malformed("A chunk does not end its line.");
    this.#ending += 1;
    if (this.#ending < 2) return;
    this.#ending = 0;
    this.#state = this.#state === "body-end" ? "done" : "header";
  }

  #takeTrailer(input: Uint8Array, offset: number): number {
    const { next, line } = this.#takeLine(input, offset);
    if (line === undefined) return next;
    if (!this.#trailers.takeLine(line.endsWith("\r") ? line.slice(0, -1) : line)) return next;
    const { signing } = this.#options;
    const { lines, signature } = this.#trailers;
    const isChecked = signing !== undefined && signing.bearer !== true;
    if (isChecked && (lines.length > 0 || signature !== undefined)) {
      checkSignature(trailerSignature(signing, this.#previousSignature, lines), signature ?? "");
    }
    this.#state = "done";
    return next;
  }
}

/** Constant time for what has the length of a signature; other text is refused at once. */
function checkSignature(expected: string, given: string): void {
  const same =
    given.length === expected.length &&
    timingSafeEqual(Buffer.from(expected, "latin1"), Buffer.from(given, "latin1"));
  if (!same) throw new S3Error("SignatureDoesNotMatch");
}

function malformed(reason: string): S3Error {
  return new S3Error("InvalidRequest", `The aws-chunked body is malformed. ${reason}`);
}

function incomplete(reason: string): S3Error {
  return new S3Error("IncompleteBody", reason);
}

function wrongLength(): S3Error {
  return incomplete(
    "You did not provide the number of bytes specified by the x-amz-decoded-content-length header",
  );
}
