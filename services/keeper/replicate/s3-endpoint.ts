// Signed requests to one S3 endpoint, path style. Guarantees that what is answered is a success; a
// refusal or failure is thrown, as a StoreError whose code says whether to try again:
// "unavailable", "timeout" and "conflict" may pass, "denied", "not-found" and "invalid" will not by
// themselves.
import { createHash } from "node:crypto";
import { type ErrorCode, StoreError } from "../../lib/base/errors.ts";
import type { Clock } from "../../lib/ports/clock.ts";
import type { HttpAnswer, HttpExchanger } from "../../lib/ports/http-exchange.ts";
import type { HeaderField } from "../../lib/s3/headers.ts";
import { signHeaders } from "../../lib/s3/sigv4/sign.ts";
import { uriEncode, uriEncodeBytes } from "../../lib/s3/uri-encoding.ts";
import { childText, parseXml, type XmlElement } from "../../lib/s3/xml-reader.ts";

export interface S3Account {
  /** `http://host:port` or `https://host:port`. */
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface S3Call {
  readonly method: "GET" | "PUT" | "POST" | "DELETE";
  readonly bucket: string;
  readonly key: Uint8Array;
  readonly query?: readonly HeaderField[];
  readonly headers?: readonly HeaderField[];
  readonly body?: S3Body;
  readonly idleMs: number;
  readonly signal: AbortSignal;
}

export interface S3Body {
  readonly size: number;
  readonly source: AsyncIterable<Uint8Array>;
  /** For x-amz-content-sha256. */
  readonly payloadHash: string;
}

/** Of answers that are read whole. */
const ANSWER_BYTES_MAX = 1024 * 1024;
const UNSIGNED = "UNSIGNED-PAYLOAD";
const EMPTY_HASH = createHash("sha256").digest("hex");

/** Codes of S3 that pass by themselves, whatever their status. */
const PASSING: ReadonlySet<string> = new Set([
  "InternalError",
  "OperationAborted",
  "RequestTimeTooSkewed",
  "RequestTimeout",
  "ServiceUnavailable",
  "SlowDown",
]);

/** A small document as a body. */
export function documentBody(bytes: Uint8Array): S3Body {
  const payloadHash = createHash("sha256").update(bytes).digest("hex");
  const source = (async function* () {
    yield bytes;
  })();
  return { size: bytes.byteLength, source, payloadHash };
}

/** A body whose bytes are vouched for by a digest in the headers. */
export function streamedBody(size: number, source: AsyncIterable<Uint8Array>): S3Body {
  return { size, source, payloadHash: UNSIGNED };
}

export class S3Endpoint {
  readonly #http: HttpExchanger;
  readonly #clock: Clock;
  readonly #account: S3Account;

  constructor(http: HttpExchanger, clock: Clock, account: S3Account) {
    this.#http = http;
    this.#clock = clock;
    this.#account = account;
  }

  /** The caller reads the body of the answer. */
  async open(call: S3Call): Promise<HttpAnswer> {
    const { endpoint, region, accessKeyId, secretAccessKey: secret } = this.#account;
    const { method, body, idleMs, signal } = call;
    const target = targetOf(call);
    const origin = endpoint.replace(/\/$/, "");
    const fields: HeaderField[] = [
      ["Host", new URL(origin).host],
      ...(call.headers ?? []),
      ...(body === undefined ? [] : [["Content-Length", String(body.size)] as const]),
    ];
    const identity = { accessKeyId, secret, region, nowMs: this.#clock.wallMs() };
    const payloadHash = body?.payloadHash ?? EMPTY_HASH;
    const { headers } = signHeaders({ method, target, headers: fields }, identity, payloadHash);
    const answer = await this.#http.exchange({
      method,
      origin,
      target,
      headers: Object.fromEntries(headers),
      ...(body === undefined ? {} : { body: body.source }),
      idleMs,
      signal,
    });
    if (answer.status >= 200 && answer.status < 300) return answer;
    throw failureOf(answer.status, await readAnswer(answer));
  }

  /** The answer's headers and its whole body, parsed when there is one. */
  async call(call: S3Call): Promise<{
    readonly headers: HttpAnswer["headers"];
    readonly document: XmlElement | undefined;
  }> {
    const answer = await this.open(call);
    const { headers } = answer;
    const bytes = await readAnswer(answer);
    const document = bytes.byteLength === 0 ? undefined : parsed(bytes);
    // A long completion answers 200 first, and its error later.
    if (document?.name === "Error") throw failureOf(500, bytes);
    return { headers, document };
  }
}

function targetOf({ bucket, key, query = [] }: S3Call): string {
  const path = `/${bucket}/${uriEncodeBytes(key, true)}`;
  if (query.length === 0) return path;
  const pairs = query.map(
    ([name, value]) => `${uriEncode(name, false)}=${uriEncode(value, false)}`,
  );
  return `${path}?${pairs.join("&")}`;
}

async function readAnswer({ body }: HttpAnswer): Promise<Uint8Array> {
  const views: Uint8Array[] = [];
  let size = 0;
  for await (const view of body) {
    size += view.byteLength;
    if (size > ANSWER_BYTES_MAX) throw new StoreError("unavailable", "an answer without end");
    views.push(view);
  }
  return Buffer.concat(views);
}

function parsed(bytes: Uint8Array): XmlElement | undefined {
  try {
    return parseXml(bytes);
  } catch {
    // Not every answer is a document; who needs one finds it missing.
    return undefined;
  }
}

function failureOf(status: number, bytes: Uint8Array): StoreError {
  const document = parsed(bytes);
  const code = document === undefined ? undefined : childText(document, "Code");
  const message = document === undefined ? undefined : childText(document, "Message");
  const text = [status, code, message].filter((part) => part !== undefined).join(" ");
  return new StoreError(codeOf(status, code ?? ""), `the endpoint answered ${text}`);
}

function codeOf(status: number, code: string): ErrorCode {
  if (PASSING.has(code) || status >= 500 || status === 429 || status === 408) return "unavailable";
  switch (status) {
    case 403:
    case 401:
      return "denied";
    case 404:
      return "not-found";
    case 409:
      return "conflict";
    default:
      return "invalid";
  }
}

/** Text of a child that an answer must have. Throws StoreError "unavailable". */
export function answered(document: XmlElement | undefined, name: string): string {
  const text = document === undefined ? undefined : childText(document, name);
  if (text === undefined || text === "") {
    throw new StoreError("unavailable", `an answer without ${name}`);
  }
  return text;
}
