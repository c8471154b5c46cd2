// A small S3 client for tests: signs with the protocol library and sends exactly the bytes it is
// told to. `sign: false` sends without a signature; `payloadHash` and `wireBody` tell lies about
// the body.
import { createHash } from "node:crypto";
import type { HeaderField } from "../../services/lib/s3/headers.ts";
import { ChunkSigner, presign, signHeaders } from "../../services/lib/s3/sigv4/sign.ts";
import { uriEncode } from "../../services/lib/s3/uri-encoding.ts";
import { parseXml, type XmlElement } from "../../services/lib/s3/xml-reader.ts";
import { type RawResponse, sendRaw } from "./raw-http.ts";

export interface Target {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
}

export interface Call {
  readonly method?: string;
  /** Origin-form target, already percent-encoded. */
  readonly target: string;
  readonly headers?: readonly HeaderField[];
  readonly body?: Uint8Array | string;
  /** False: anonymous. */
  readonly sign?: boolean;
  /** Value of x-amz-content-sha256 instead of the hash of the body. */
  readonly payloadHash?: string;
  /** Sent in place of the body after signing. */
  readonly wireBody?: Uint8Array;
  /** Content-Length to claim; `none` sends no such header. */
  readonly contentLength?: number | "none";
  readonly nowMs?: number;
  readonly host?: string;
}

export interface Answer extends RawResponse {
  /** The body as XML; throws when it is none. */
  readonly xml: () => XmlElement;
  /** Code element of an error document, or undefined. */
  readonly code: string | undefined;
}

export function pathOf(bucket: string, key: string): string {
  return `/${bucket}/${uriEncode(key, true)}`;
}

export class Caller {
  readonly target: Target;

  constructor(target: Target) {
    this.target = target;
  }

  /** The bytes of a signed request: head and body. */
  requestBytes(call: Call): Buffer {
    const { method = "GET", headers = [], sign = true } = call;
    const body = bytesOf(call.body);
    const host = call.host ?? new URL(this.target.endpoint).host;
    const fields: HeaderField[] = [["Host", host], ...headers];
    if (call.contentLength !== "none" && (body.byteLength > 0 || takesBody(method))) {
      const length = call.contentLength ?? (call.wireBody ?? body).byteLength;
      fields.push(["Content-Length", String(length)]);
    }
    const hash = call.payloadHash ?? createHash("sha256").update(body).digest("hex");
    const signed = sign
      ? signHeaders({ method, target: call.target, headers: fields }, this.#identity(call), hash)
      : { headers: fields };
    const head = headBytes(method, call.target, signed.headers);
    return Buffer.concat([head, call.wireBody ?? body]);
  }

  async call(call: Call): Promise<Answer> {
    const isHead = call.method === "HEAD";
    return toAnswer(await sendRaw(this.target.endpoint, this.requestBytes(call), isHead));
  }

  /** Target of a presigned URL for `call`; only Host and `headers` are signed. */
  presign(call: Call, expiresSeconds = 600): string {
    const { method = "GET", headers = [] } = call;
    const host = call.host ?? new URL(this.target.endpoint).host;
    const request = { method, target: call.target, headers: [["Host", host], ...headers] as const };
    return presign(request, this.#identity(call), expiresSeconds);
  }

  /** A request whose body is sent in signed chunks, with `trailers` when given. */
  chunkedBytes(
    call: Call,
    chunks: readonly Uint8Array[],
    options: { readonly trailers?: readonly HeaderField[]; readonly decodedLength?: number } = {},
  ): Buffer {
    const { method = "PUT", headers = [] } = call;
    const { trailers } = options;
    const payloadHash =
      trailers === undefined
        ? "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
        : "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER";
    const decoded = chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
    const fields: HeaderField[] = [
      ["Host", new URL(this.target.endpoint).host],
      ["Content-Encoding", "aws-chunked"],
      ["x-amz-decoded-content-length", String(options.decodedLength ?? decoded)],
      ...headers,
      ...(trailers === undefined
        ? []
        : [["x-amz-trailer", trailers.map(([name]) => name).join(",")] as const]),
    ];
    const request = { method, target: call.target, headers: fields };
    const signed = signHeaders(request, this.#identity(call), payloadHash);
    const signer = new ChunkSigner(signed);
    const pieces = chunks.map((chunk) => signer.chunk(chunk));
    const body = Buffer.concat([...pieces, signer.end(trailers ?? [])]);
    const all: HeaderField[] = [...signed.headers, ["Content-Length", String(body.byteLength)]];
    return Buffer.concat([headBytes(method, call.target, all), body]);
  }

  async send(bytes: Uint8Array): Promise<Answer> {
    return toAnswer(await sendRaw(this.target.endpoint, bytes));
  }

  #identity(call: Call): {
    accessKeyId: string;
    secret: string;
    region: string;
    nowMs: number;
  } {
    const { accessKeyId, secretAccessKey, region } = this.target;
    return { accessKeyId, secret: secretAccessKey, region, nowMs: call.nowMs ?? Date.now() };
  }

  async put(bucket: string, key: string, body: Uint8Array | string): Promise<Answer> {
    return this.call({ method: "PUT", target: pathOf(bucket, key), body });
  }

  async get(bucket: string, key: string, headers: readonly HeaderField[] = []): Promise<Answer> {
    return this.call({ target: pathOf(bucket, key), headers });
  }
}

function takesBody(method: string): boolean {
  return method === "PUT" || method === "POST";
}

export function bytesOf(body: Uint8Array | string | undefined): Uint8Array {
  if (body === undefined) return new Uint8Array(0);
  return typeof body === "string" ? Buffer.from(body) : body;
}

export function headBytes(method: string, target: string, headers: readonly HeaderField[]): Buffer {
  const lines = headers.map(([name, value]) => `${name}: ${value}`);
  return Buffer.from([`${method} ${target} HTTP/1.1`, ...lines, "", ""].join("\r\n"), "latin1");
}

export function toAnswer(response: RawResponse): Answer {
  const xml = (): XmlElement => parseXml(response.body);
  const code = /<Error><Code>([A-Za-z0-9.]+)<\/Code>/.exec(response.text)?.[1];
  return { ...response, xml, code };
}

/** Text of the first descendant reached by `path`, or undefined. */
export function textAt(element: XmlElement, ...path: readonly string[]): string | undefined {
  let at: XmlElement | undefined = element;
  for (const name of path) at = at?.children.find((child) => child.name === name);
  return at?.text;
}

/** Texts of `leaf` in each child `name` of `element`. */
export function textsOf(element: XmlElement, name: string, leaf: string): string[] {
  return element.children
    .filter((child) => child.name === name)
    .map((child) => textAt(child, leaf) ?? "");
}
