// The payload of a request, verified. It is out of its aws-chunked framing, and when its stream
// ends without an error, all of this held: length, Content-MD5, signed SHA-256, checksum header or
// trailer, chunk signatures. Until then nothing made of it may be committed. Bytes flow through,
// uncopied.
import { assert } from "../../lib/base/assert.ts";
import { OBJECT_BYTES_MAX } from "../../lib/base/limits.ts";
import {
  checkChecksum,
  checkContentMd5,
  checkContentSha256,
  parseChecksumHeaders,
  parseChecksumValue,
  parseContentMd5,
  parseTrailerNames,
  type RequestedChecksum,
} from "../../lib/s3/checksum-headers.ts";
import {
  type ChecksumAlgorithm,
  type ChecksumFactory,
  HasherSet,
  type HashName,
} from "../../lib/s3/checksums.ts";
import { ChunkedDecoder } from "../../lib/s3/chunked/chunked-decoder.ts";
import { invalidArgument, S3Error, type S3ErrorCode } from "../../lib/s3/errors.ts";
import type { HeaderList } from "../../lib/s3/headers.ts";
import { parseDecimal } from "../../lib/s3/integers.ts";
import { EMPTY_SHA256 } from "../../lib/s3/sigv4/canonical-request.ts";
import type { Authenticated } from "../plugins/authentication.ts";
import type { RequestBody } from "./request-body.ts";

const NOTHING = new Uint8Array(0);
const SHA256_OF_NOTHING = Buffer.from(EMPTY_SHA256, "hex");

export interface VerifiedBodyOptions {
  readonly body: RequestBody;
  readonly headers: HeaderList;
  readonly authenticated: Authenticated;
  readonly checksums: ChecksumFactory;
  readonly bytesMax: number;
  /** Error for a body over `bytesMax`. */
  readonly tooLarge: S3ErrorCode;
  /** A body without a stated length is refused with MissingContentLength. */
  readonly needsLength: boolean;
  /** False when x-amz-checksum-* is not about this body. */
  readonly usesChecksums?: boolean;
  /** Computed besides what the request states. */
  readonly alsoCompute?: readonly HashName[];
}

export class VerifiedBody {
  /** Length of the payload; undefined when it is not stated. */
  readonly size: number | undefined;
  readonly contentMd5: Uint8Array | undefined;
  readonly checksum: RequestedChecksum | undefined;
  readonly #options: VerifiedBodyOptions;
  readonly #hashers: HasherSet;
  readonly #decoder: ChunkedDecoder | undefined;
  #isVerified = false;

  /**
   * Reads nothing yet. Throws S3Error: MissingContentLength, `tooLarge`, InvalidDigest,
   * InvalidRequest, InvalidArgument.
   */
  constructor(options: VerifiedBodyOptions) {
    const { headers, authenticated, body } = options;
    const { payload } = authenticated;
    this.#options = options;
    this.contentMd5 = parseContentMd5(headers);
    const usesChecksums = options.usesChecksums ?? true;
    this.checksum = usesChecksums ? parseChecksumHeaders(headers) : undefined;
    this.size = payload.kind === "chunked" ? decodedLength(headers) : body.contentLength;
    if (this.size === undefined && options.needsLength) throw new S3Error("MissingContentLength");
    if ((this.size ?? 0) > options.bytesMax) throw tooLarge(options, this.size ?? 0);
    this.#decoder = decoderOf(options, this.size);
    if (this.#decoder === undefined && this.checksum?.value.kind === "trailer") {
      throw new S3Error("InvalidRequest", "x-amz-trailer needs a payload form with trailers.");
    }
    const names = [
      ...(this.contentMd5 === undefined ? [] : ["MD5" as const]),
      ...(payload.kind === "hashed" ? ["SHA256" as const] : []),
      ...(this.checksum === undefined ? [] : [this.checksum.algorithm]),
      ...(options.alsoCompute ?? []),
    ];
    this.#hashers = new HasherSet(options.checksums, names, this.size);
  }

  /** All checks passed; false until the stream has ended. */
  get isVerified(): boolean {
    return this.#isVerified;
  }

  /** Digest of the whole payload, of one of the hashes asked for; only once it is verified. */
  digest(name: HashName): Uint8Array {
    assert(this.#isVerified, "VerifiedBody: digest of a body that is not verified");
    return this.#hashers.digest(name);
  }

  /** Algorithm and digest of the checksum that the client stated, once verified. */
  statedChecksum():
    | { readonly algorithm: ChecksumAlgorithm; readonly digest: Uint8Array }
    | undefined {
    if (this.checksum === undefined) return undefined;
    const { algorithm } = this.checksum;
    return { algorithm, digest: this.digest(algorithm) };
  }

  /**
   * Yields the payload once; ends only after every check. Throws S3Error or StoreError "aborted".
   */
  async *stream(): AsyncGenerator<Uint8Array, void, undefined> {
    let bytes = 0;
    try {
      for await (const view of this.#options.body.read()) {
        for (const payload of this.#decoder?.push(view) ?? [view]) {
          bytes += payload.byteLength;
          if (bytes > this.#options.bytesMax) throw tooLarge(this.#options, bytes);
          const behind = this.#hashers.update(payload);
          if (behind !== undefined) await behind;
          yield payload;
        }
      }
      const trailers = this.#decoder?.finish() ?? new Map<string, string>();
      if (this.size !== undefined && bytes !== this.size) throw new S3Error("IncompleteBody");
      await this.#hashers.finish();
      this.#check(trailers);
      this.#isVerified = true;
    } finally {
      this.#hashers.abandon();
    }
  }

  /**
   * Checks a request without any body that states nothing about one but its hash, as every read and
   * deletion does: true when it is verified, false when it must be streamed like others.
   */
  verifyEmpty(): boolean {
    const { body, authenticated, alsoCompute = [] } = this.#options;
    const { payload } = authenticated;
    const isPlain = this.contentMd5 === undefined && this.checksum === undefined;
    if (!body.isEmpty || !isPlain || payload.kind === "chunked" || alsoCompute.length > 0) {
      return false;
    }
    if (payload.kind === "hashed") checkContentSha256(payload.sha256, SHA256_OF_NOTHING);
    this.#isVerified = true;
    return true;
  }

  #check(trailers: ReadonlyMap<string, string>): void {
    const { payload } = this.#options.authenticated;
    if (payload.kind === "hashed") {
      checkContentSha256(payload.sha256, this.#hashers.digest("SHA256"));
    }
    if (this.contentMd5 !== undefined) {
      checkContentMd5(this.contentMd5, this.#hashers.digest("MD5"));
    }
    if (this.checksum === undefined) return;
    const { algorithm, value } = this.checksum;
    const expected =
      value.kind === "header"
        ? value.digest
        : parseChecksumValue(algorithm, value.name, trailers.get(value.name) ?? "");
    checkChecksum(algorithm, expected, this.#hashers.digest(algorithm));
  }
}

/** Takes the whole payload into memory; at most the body's `bytesMax`. */
export async function collect(body: VerifiedBody): Promise<Uint8Array> {
  if (body.verifyEmpty()) return NOTHING;
  const pieces: Uint8Array[] = [];
  for await (const view of body.stream()) pieces.push(view);
  assert(body.isVerified, "collect: the body ended unverified");
  const [only] = pieces;
  return pieces.length === 1 && only !== undefined ? only : Buffer.concat(pieces);
}

function decodedLength(headers: HeaderList): number {
  const text = headers.get("x-amz-decoded-content-length");
  if (text === undefined) throw new S3Error("MissingContentLength");
  const length = parseDecimal(text);
  if (length !== undefined) return length;
  throw invalidArgument(
    "x-amz-decoded-content-length must be a number of bytes.",
    "x-amz-decoded-content-length",
    text,
  );
}

function decoderOf(
  options: VerifiedBodyOptions,
  size: number | undefined,
): ChunkedDecoder | undefined {
  const { payload, chunkSigning } = options.authenticated;
  if (payload.kind !== "chunked") return undefined;
  const signing = payload.signed ? chunkSigning : undefined;
  assert(!payload.signed || signing !== undefined, "VerifiedBody: signed chunks without a key");
  return new ChunkedDecoder({
    decodedBytes: size ?? OBJECT_BYTES_MAX,
    trailer: payload.trailer,
    trailerNames: parseTrailerNames(options.headers),
    signing,
  });
}

function tooLarge(options: VerifiedBodyOptions, bytes: number): S3Error {
  return new S3Error(options.tooLarge, undefined, {
    details: [
      ["ProposedSize", String(bytes)],
      ["MaxSizeAllowed", String(options.bytesMax)],
    ],
  });
}
