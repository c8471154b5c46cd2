// The client's side of Signature Version 4: headers, presigned URLs and chunked bodies. Used by
// tests and by tools that speak to a gateway; a server never signs. Shares the canonical request
// with the verifier, and is itself checked against the examples of the AWS documentation and other
// signers.
import { createHash } from "node:crypto";
import { asBuffer, toHex } from "../../base/bytes.ts";
import { type HeaderField, HeaderList } from "../headers.ts";
import { formatAmzDate } from "../http-date.ts";
import { parseRequestTarget } from "../request-target.ts";
import { uriEncode } from "../uri-encoding.ts";
import { ownCanonicalRequest, stringToSign } from "./canonical-request.ts";
import { type ChunkSigning, chunkSignature, trailerSignature } from "./chunk-signature.ts";
import { V4_ALGORITHM } from "./claim.ts";
import { UNSIGNED_PAYLOAD } from "./payload-hash.ts";
import { deriveSigningKey, hmacSha256 } from "./signing-key.ts";

export interface SigningIdentity {
  readonly accessKeyId: string;
  readonly secret: string;
  readonly region: string;
  /** Milliseconds since 1970, the time of signing. */
  readonly nowMs: number;
}

export interface UnsignedRequest {
  readonly method: string;
  /** Origin-form target, percent-encoded: `/bucket/key?list-type=2`. */
  readonly target: string;
  /** With Host; all of them are signed. */
  readonly headers: readonly HeaderField[];
}

export interface SignedHeaders extends ChunkSigning {
  /** The given headers and x-amz-date, x-amz-content-sha256 and Authorization. */
  readonly headers: readonly HeaderField[];
}

/**
 * Signs the headers of `request`. `payloadHash` is the hex SHA-256 of the body, UNSIGNED-PAYLOAD or
 * a STREAMING- value; with the latter the result starts a ChunkSigner.
 */
export function signHeaders(
  request: UnsignedRequest,
  identity: SigningIdentity,
  payloadHash: string,
): SignedHeaders {
  const amzDate = formatAmzDate(identity.nowMs);
  const fields: HeaderField[] = [...request.headers];
  fields.push(["x-amz-content-sha256", payloadHash], ["x-amz-date", amzDate]);
  const headers = new HeaderList(fields);
  const signedHeaders = [...headers.names()].toSorted();
  const target = parseRequestTarget(request.target);
  const { method } = request;
  const canonical = ownCanonicalRequest({ method, target, headers, signedHeaders, payloadHash });
  const { scope, signingKey } = keyOf(identity, amzDate);
  const text = stringToSign({ amzDate, scope }, canonical);
  const seedSignature = toHex(hmacSha256(signingKey, text));
  const authorization =
    `${V4_ALGORITHM} Credential=${identity.accessKeyId}/${scope}, ` +
    `SignedHeaders=${signedHeaders.join(";")}, Signature=${seedSignature}`;
  fields.push(["Authorization", authorization]);
  return { headers: fields, amzDate, scope, signingKey, seedSignature };
}

function keyOf(
  identity: SigningIdentity,
  amzDate: string,
): { readonly scope: string; readonly signingKey: Uint8Array } {
  const { region } = identity;
  const date = amzDate.slice(0, 8);
  const signingKey = deriveSigningKey(identity.secret, { date, region, service: "s3" });
  return { scope: `${date}/${region}/s3/aws4_request`, signingKey };
}

/** The target of a presigned URL that lives `expiresSeconds`; its headers must be sent too. */
export function presign(
  request: UnsignedRequest,
  identity: SigningIdentity,
  expiresSeconds: number,
): string {
  const amzDate = formatAmzDate(identity.nowMs);
  const { scope, signingKey } = keyOf(identity, amzDate);
  const headers = new HeaderList(request.headers);
  const signedHeaders = [...headers.names()].toSorted();
  const parameters = [
    ["X-Amz-Algorithm", V4_ALGORITHM],
    ["X-Amz-Credential", `${identity.accessKeyId}/${scope}`],
    ["X-Amz-Date", amzDate],
    ["X-Amz-Expires", String(expiresSeconds)],
    ["X-Amz-SignedHeaders", signedHeaders.join(";")],
  ] as const;
  const query = parameters.map(([name, value]) => `${name}=${uriEncode(value, false)}`).join("&");
  const unsigned = `${request.target}${request.target.includes("?") ? "&" : "?"}${query}`;
  const target = parseRequestTarget(unsigned);
  const { method } = request;
  const canonical = ownCanonicalRequest({
    method,
    target,
    headers,
    signedHeaders,
    payloadHash: UNSIGNED_PAYLOAD,
  });
  const text = stringToSign({ amzDate, scope }, canonical);
  return `${unsigned}&X-Amz-Signature=${toHex(hmacSha256(signingKey, text))}`;
}

/** Frames and signs the chunks of a body after `signHeaders` with a STREAMING-AWS4- value. */
export class ChunkSigner {
  readonly #signing: ChunkSigning;
  #previous: string;

  constructor(signing: ChunkSigning) {
    this.#signing = signing;
    this.#previous = signing.seedSignature;
  }

  /** One framed chunk; an empty `payload` makes the last one, without the line end of the body. */
  chunk(payload: Uint8Array): Buffer {
    const digest = createHash("sha256").update(payload).digest("hex");
    this.#previous = chunkSignature(this.#signing, this.#previous, digest);
    const size = payload.byteLength.toString(16);
    const head = Buffer.from(`${size};chunk-signature=${this.#previous}\r\n`);
    if (payload.byteLength === 0) return head;
    return Buffer.concat([head, asBuffer(payload), Buffer.from("\r\n")]);
  }

  /** Ends the body: the last chunk and the `trailers`, signed when there are any. */
  end(trailers: readonly HeaderField[] = []): Buffer {
    const head = this.chunk(new Uint8Array(0)).toString("latin1");
    if (trailers.length === 0) return Buffer.from(`${head}\r\n`);
    const lines = trailers.map(([name, value]) => `${name}:${value}`);
    const signature = trailerSignature(this.#signing, this.#previous, lines);
    const tail = [...lines, `x-amz-trailer-signature:${signature}`, "", ""].join("\r\n");
    return Buffer.from(head + tail, "latin1");
  }
}
