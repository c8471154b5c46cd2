// The requests of clients that cannot be installed, sent as these clients send them: lines in the
// client's order and spelling, its choice of signed headers, one connection kept open, and
// `Expect: 100-continue` waited for. Signatures are real: SigV4 by the protocol library, SigV2 here
// from the client's own idea of the resource.
import { createHash, createHmac } from "node:crypto";
import { once } from "node:events";
import type { HeaderField } from "../../services/lib/s3/headers.ts";
import { ChunkSigner, signHeaders } from "../../services/lib/s3/sigv4/sign.ts";
import { uriEncode } from "../../services/lib/s3/uri-encoding.ts";
import { RawConnection, type RawResponse } from "../s3/raw-http.ts";
import type { TestServer } from "../support/test-server.ts";

/** Values of lines that signing fills in. */
export const DATE = "{date}";
export const HASH = "{hash}";
export const SIGNATURE = "{signature}";

const CHUNK_BYTES = 128 * 1024;
const CHUNK_SIGNATURE_BYTES = ";chunk-signature=".length + 64;
const CONTINUE_TIMEOUT_MS = 20_000;
const EMPTY = new Uint8Array(0);

export type User = Pick<TestServer, "accessKeyId" | "secretAccessKey" | "region">;

export interface Draft {
  readonly method: string;
  /** As on the request line. */
  readonly target: string;
  /** In the client's order; DATE, HASH and SIGNATURE stand for what signing makes. */
  readonly lines: readonly HeaderField[];
  readonly body?: Uint8Array;
}

export interface Signed {
  readonly method: string;
  readonly head: Buffer;
  readonly body: Uint8Array;
  readonly expectsContinue: boolean;
}

export interface V4Choice {
  /** Lower-case names of lines that this client leaves out of its signature. */
  readonly unsigned: readonly string[];
  /** Send the body in signed chunks; `trailers` end it. */
  readonly chunked?: boolean;
  readonly trailers?: readonly HeaderField[];
}

/** Signs with Version 4, in a header. */
export function signV4(user: User, draft: Draft, choice: V4Choice): Signed {
  const { method, target, lines, body = EMPTY } = draft;
  const { accessKeyId, secretAccessKey: secret, region } = user;
  const identity = { accessKeyId, secret, region, nowMs: Date.now() };
  const filled = new Set(["x-amz-date", "x-amz-content-sha256", "authorization"]);
  const headers = lines.filter(([name]) => {
    const lower = name.toLowerCase();
    return !filled.has(lower) && !choice.unsigned.includes(lower);
  });
  const hash = payloadHash(body, choice);
  const signing = signHeaders({ method, target, headers }, identity, hash);
  const authorization = signing.headers.at(-1)?.[1] ?? "";
  const values = { [DATE]: signing.amzDate, [HASH]: hash, [SIGNATURE]: authorization };
  if (choice.chunked !== true) return wire(draft, values, body);
  const signer = new ChunkSigner(signing);
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < body.byteLength; at += CHUNK_BYTES) {
    pieces.push(signer.chunk(body.subarray(at, at + CHUNK_BYTES)));
  }
  return wire(draft, values, Buffer.concat([...pieces, signer.end(choice.trailers ?? [])]));
}

function payloadHash(body: Uint8Array, { chunked, trailers }: V4Choice): string {
  if (chunked !== true) return createHash("sha256").update(body).digest("hex");
  const streaming = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
  return trailers === undefined ? streaming : `${streaming}-TRAILER`;
}

/** What a body of `size` bytes takes in signed chunks, which clients state before they sign. */
export function chunkedSize(size: number, trailers: readonly HeaderField[] = []): number {
  const chunk = (bytes: number): number =>
    bytes.toString(16).length + CHUNK_SIGNATURE_BYTES + 2 + bytes + (bytes === 0 ? 0 : 2);
  const whole = Math.floor(size / CHUNK_BYTES);
  const rest = size % CHUNK_BYTES;
  const chunks = whole * chunk(CHUNK_BYTES) + (rest === 0 ? 0 : chunk(rest)) + chunk(0);
  if (trailers.length === 0) return chunks + 2;
  const lines = trailers.map(([name, value]) => name.length + 1 + value.length + 2);
  const signature = "x-amz-trailer-signature:".length + 64 + 2;
  return chunks + lines.reduce((sum, line) => sum + line, 0) + signature + 2;
}

/**
 * Signs with Version 2, in a header. `resource` is what this client signs: path and signed
 * parameters. The draft has its Date or x-amz-date written out.
 */
export function signV2(user: User, draft: Draft, resource: string): Signed {
  const value = (wanted: string): string =>
    draft.lines.find(([name]) => name.toLowerCase() === wanted)?.[1] ?? "";
  const amz = draft.lines
    .map(([name, text]) => [name.toLowerCase(), text] as const)
    .filter(([name]) => name.startsWith("x-amz-"))
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  const date = value("x-amz-date") === "" ? value("date") : "";
  const lines = [draft.method, value("content-md5"), value("content-type"), date];
  const text = `${lines.join("\n")}\n${amz.map((pair) => `${pair.join(":")}\n`).join("")}${resource}`;
  return wire(
    draft,
    { [SIGNATURE]: `AWS ${user.accessKeyId}:${signatureV2(user, text)}` },
    draft.body ?? EMPTY,
  );
}

/** Base64 of the HMAC-SHA1 of a Version 2 string to sign. */
export function signatureV2(user: User, text: string): string {
  return createHmac("sha1", user.secretAccessKey).update(text).digest("base64");
}

function wire(
  { method, target, lines }: Draft,
  values: Readonly<Record<string, string>>,
  body: Uint8Array,
): Signed {
  const texts = lines.map(([name, value]) => `${name}: ${values[value] ?? value}`);
  const head = Buffer.from([`${method} ${target} HTTP/1.1`, ...texts, "", ""].join("\r\n"));
  const expectsContinue = lines.some(([name]) => name.toLowerCase() === "expect");
  return { method, head, body, expectsContinue };
}

/** One connection that a client keeps open. */
export class ReplayConnection {
  readonly #connection: RawConnection;

  private constructor(connection: RawConnection) {
    this.#connection = connection;
  }

  static async open(endpoint: string): Promise<ReplayConnection> {
    return new ReplayConnection(await RawConnection.open(endpoint));
  }

  /** A body that waits for 100 is not sent when the answer comes first. */
  async send({ method, head, body, expectsContinue }: Signed): Promise<RawResponse> {
    const connection = this.#connection;
    connection.write(head);
    const goesOn = !expectsContinue || (await this.#isContinued());
    if (goesOn && body.byteLength > 0) connection.write(body);
    const response = await connection.response(method === "HEAD");
    if (response === undefined) throw new Error(`closed without an answer to\n${head}`);
    return response;
  }

  close(): void {
    this.#connection.close();
  }

  async #isContinued(): Promise<boolean> {
    const signal = AbortSignal.timeout(CONTINUE_TIMEOUT_MS);
    const [first] = await once(this.#connection.socket, "data", { signal });
    return String(first).startsWith("HTTP/1.1 100 ");
  }
}

/** Lines ordered as a map without case orders them, as the SDKs for Java keep them. */
export function sortedLines(lines: readonly HeaderField[]): readonly HeaderField[] {
  return lines.toSorted(([a], [b]) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1));
}

export function md5Base64(body: Uint8Array): string {
  return createHash("md5").update(body).digest("base64");
}

/** `name=value` pairs in the given order, values encoded as RFC 3986 says. */
export function query(pairs: readonly (readonly [string, string])[]): string {
  return pairs.map(([name, value]) => `${name}=${uriEncode(value, false)}`).join("&");
}

/** Contents of all elements of this name, in order. */
export function fields(xml: string, name: string): string[] {
  return [...xml.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, "g"))].map(
    (match) => match[1] ?? "",
  );
}
