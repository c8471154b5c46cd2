// Between a socket and the admin API, the IAM protocol and the console's files: reads a bounded
// body, finds out which of them is meant, writes the answer. Every answer forbids framing, sniffing
// and storing. Nothing here knows what the calls do.
import type { IncomingMessage, ServerResponse } from "node:http";
import { toHex, utf8 } from "../../lib/base/bytes.ts";
import { toStoreError } from "../../lib/base/errors.ts";
import type { Clock } from "../../lib/ports/clock.ts";
import type { Log } from "../../lib/ports/log.ts";
import type { Random } from "../../lib/ports/random.ts";
import { S3Error } from "../../lib/s3/errors.ts";
import type { HeaderField } from "../../lib/s3/headers.ts";
import type { SocketFacts } from "../identity/request-origin.ts";
import { type AddressSettings, parseRequest } from "../request.ts";
import type { AdminAnswer, AdminBody } from "./admin-answer.ts";
import { AdminError, toAdminError } from "./admin-error.ts";
import type { AdminRequest } from "./admin-request.ts";
import { errorAnswer } from "./admin-service.ts";

export const BODY_BYTES_MAX = 1024 * 1024;
const BODY_MS_MAX = 30_000;
const REQUEST_ID_BYTES = 8;
/** So that proxies do not take a quiet stream for a dead one. */
const HEARTBEAT_MS = 10_000;

export interface AdminHandlers {
  /** `path`: of the API, below its base. */
  readonly api: (request: AdminRequest, path: string) => Promise<AdminAnswer>;
  /** IAM and STS: forms posted to `/`. */
  readonly query: (request: AdminRequest) => Promise<AdminAnswer>;
  /** A file of the console, by its path below `/_console/`. */
  readonly file: (path: string) => Promise<AdminAnswer>;
}

export interface AdminHttpDeps {
  readonly handlers: AdminHandlers;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly addressing: AddressSettings;
  readonly socketFacts: (message: IncomingMessage) => SocketFacts;
}

const SECURITY_HEADERS: readonly HeaderField[] = [
  ["X-Content-Type-Options", "nosniff"],
  ["X-Frame-Options", "DENY"],
  ["Referrer-Policy", "no-referrer"],
  ["Cross-Origin-Opener-Policy", "same-origin"],
  ["Cross-Origin-Resource-Policy", "same-origin"],
];
const NOTHING_ELSE = "default-src 'none'; frame-ancestors 'none'";
const API = /^\/api\/v1(?=\/|$)/;
const ON_S3_PORT = /^\/_(?:console|admin)(?=[/?]|$)/;
const CONSOLE = /^\/_console(?=\/|$)/;

export class AdminHttp {
  readonly #deps: AdminHttpDeps;

  constructor(deps: AdminHttpDeps) {
    this.#deps = deps;
  }

  /** Whether a request on the S3 port is for here: no bucket begins with an underscore. */
  takes(message: IncomingMessage, rawTarget: string): boolean {
    if (!ON_S3_PORT.test(rawTarget)) return false;
    const { rawHeaders, method = "" } = message;
    const raw = { requestId: "", method, rawTarget, rawHeaders, receivedMs: 0 };
    try {
      const { address, isWebsite } = parseRequest(raw, this.#deps.addressing);
      return address.style === "path" && !isWebsite;
    } catch (error) {
      // What cannot be read is refused where every other request is.
      if (error instanceof S3Error) return false;
      throw error;
    }
  }

  /**
   * Serves one request; `mount` is what of its path stands before `/api/v1`. Never throws.
   */
  async serve(
    message: IncomingMessage,
    response: ServerResponse,
    { rawTarget, mount }: { readonly rawTarget: string; readonly mount: "" | "/_admin" },
  ): Promise<void> {
    const requestId = toHex(this.#deps.random.bytes(REQUEST_ID_BYTES)).toUpperCase();
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    try {
      const answer = await this.#answer(message, {
        rawTarget,
        mount,
        requestId,
        gone: gone.signal,
      });
      await this.#write(message, response, { answer, requestId, gone: gone.signal });
    } catch (error) {
      if (!gone.signal.aborted)
        this.#deps.log.error("an admin answer broke off", error, { requestId });
      response.destroy();
    }
  }

  async #answer(
    message: IncomingMessage,
    facts: {
      readonly rawTarget: string;
      readonly mount: "" | "/_admin";
      readonly requestId: string;
      readonly gone: AbortSignal;
    },
  ): Promise<AdminAnswer> {
    try {
      const request = await this.#parse(message, facts);
      return await this.#dispatch(request);
    } catch (thrown) {
      const error = toAdminError(thrown);
      if (error.status >= 500) {
        this.#deps.log.error("an admin call failed", toStoreError(thrown), {
          requestId: facts.requestId,
        });
      }
      return errorAnswer(error, facts);
    }
  }

  async #dispatch(request: AdminRequest): Promise<AdminAnswer> {
    const { handlers } = this.#deps;
    const { path, method } = request;
    const api = API.exec(path)?.[0];
    if (api !== undefined) return handlers.api(request, path.slice(api.length));
    if (method === "POST" && path === "/" && !request.isOnS3Port) return handlers.query(request);
    if (method !== "GET" && method !== "HEAD") {
      throw new AdminError(405, "MethodNotAllowed", `${path} cannot be asked by ${method}`);
    }
    if (path === "/" || path === "/_console") {
      const location: HeaderField = ["Location", "/_console/"];
      return { status: 302, headers: [location], body: { kind: "empty" } };
    }
    if (CONSOLE.test(path)) return handlers.file(path.replace(/^\/_console\//, ""));
    throw new AdminError(404, "NoSuchPath", `there is no ${path}`);
  }

  async #parse(
    message: IncomingMessage,
    {
      rawTarget,
      mount,
      requestId,
      gone,
    }: {
      readonly rawTarget: string;
      readonly mount: "" | "/_admin";
      readonly requestId: string;
      readonly gone: AbortSignal;
    },
  ): Promise<AdminRequest> {
    const receivedMs = this.#deps.clock.wallMs();
    const raw = {
      requestId,
      method: message.method ?? "",
      rawTarget,
      rawHeaders: message.rawHeaders,
      receivedMs,
      socket: this.#deps.socketFacts(message),
    };
    const { trustedProxies } = this.#deps.addressing;
    const proxies = trustedProxies === undefined ? {} : { trustedProxies };
    const parsed = parseRequest(raw, { serviceNames: [], basePaths: [], ...proxies });
    const { rawPath, rawQuery } = splitTarget(rawTarget);
    const body = await this.#readBody(message);
    return {
      requestId,
      method: raw.method,
      path: rawPath.startsWith(`${mount}/`) ? rawPath.slice(mount.length) : rawPath,
      query: new URLSearchParams(rawQuery),
      headers: parsed.headers,
      body,
      origin: parsed.origin,
      isOnS3Port: mount !== "",
      receivedMs,
      signed: parsed,
      gone,
    };
  }

  async #readBody(message: IncomingMessage): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    let size = 0;
    const timer = this.#deps.clock.after(BODY_MS_MAX, () => message.destroy());
    try {
      for await (const chunk of message) {
        // Checked boundary: a message without encoding yields buffers.
        const bytes = chunk as Uint8Array;
        size += bytes.byteLength;
        if (size > BODY_BYTES_MAX) {
          throw new AdminError(413, "EntityTooLarge", `a body has at most ${BODY_BYTES_MAX} bytes`);
        }
        chunks.push(bytes);
      }
    } finally {
      timer.cancel();
    }
    return Buffer.concat(chunks);
  }

  async #write(
    message: IncomingMessage,
    response: ServerResponse,
    how: { readonly answer: AdminAnswer; readonly requestId: string; readonly gone: AbortSignal },
  ): Promise<void> {
    const { answer, requestId, gone } = how;
    const { status, body } = answer;
    const fields = new Map<string, string[]>();
    const add = ([name, value]: HeaderField): void => {
      fields.set(name, [...(fields.get(name) ?? []), value]);
    };
    for (const field of answer.headers) add(field);
    for (const field of SECURITY_HEADERS) add(field);
    if (!fields.has("Content-Security-Policy")) add(["Content-Security-Policy", NOTHING_ELSE]);
    if (!fields.has("Cache-Control")) add(["Cache-Control", "no-store"]);
    add(["x-amz-request-id", requestId]);
    const whole = wholeBytes(body);
    const type = contentType(body);
    if (type !== undefined) add(["Content-Type", type]);
    if (whole !== undefined) add(["Content-Length", String(whole.byteLength)]);
    for (const [name, values] of fields)
      response.setHeader(name, values.length === 1 ? (values[0] ?? "") : values);
    response.writeHead(status);
    if (message.method === "HEAD") {
      response.end();
      return;
    }
    if (whole !== undefined) {
      response.end(whole);
      return;
    }
    if (body.kind === "lines") await this.#writeLines(response, body.values);
    if (body.kind === "events") await this.#writeEvents(response, body, gone);
    response.end();
  }

  async #writeLines(response: ServerResponse, values: AsyncIterable<unknown>): Promise<void> {
    for await (const value of values) await send(response, `${JSON.stringify(value)}\n`);
  }

  async #writeEvents(
    response: ServerResponse,
    { events }: Extract<AdminBody, { kind: "events" }>,
    gone: AbortSignal,
  ): Promise<void> {
    // Told at once, so that the page knows it is connected.
    await send(response, ": connected\n\n");
    let timer = this.#deps.clock.after(HEARTBEAT_MS, beat.bind(undefined, this.#deps.clock));
    const stop = (): void => timer.cancel();
    function beat(clock: Clock): void {
      if (response.writableEnded || response.destroyed) return;
      response.write(": still here\n\n");
      timer = clock.after(HEARTBEAT_MS, beat.bind(undefined, clock));
    }
    try {
      for await (const { event, data } of events) {
        if (gone.aborted) return;
        await send(response, `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
      }
    } finally {
      stop();
    }
  }
}

async function send(response: ServerResponse, text: string): Promise<void> {
  if (response.destroyed) return;
  if (response.write(text)) return;
  // A socket that closes ends the wait: "close" comes after "drain" never will.
  const { promise, resolve } = Promise.withResolvers<void>();
  response.once("drain", resolve);
  response.once("close", resolve);
  await promise;
  response.off("drain", resolve);
  response.off("close", resolve);
}

function wholeBytes(body: AdminBody): Uint8Array | undefined {
  if (body.kind === "json") return utf8(`${JSON.stringify(body.value)}\n`);
  if (body.kind === "bytes") return body.bytes;
  return body.kind === "empty" ? new Uint8Array(0) : undefined;
}

function contentType(body: AdminBody): string | undefined {
  switch (body.kind) {
    case "json":
      return "application/json; charset=utf-8";
    case "bytes":
      return body.contentType;
    case "lines":
      return "application/x-ndjson; charset=utf-8";
    case "events":
      return "text/event-stream; charset=utf-8";
    default:
      return undefined;
  }
}

function splitTarget(rawTarget: string): { readonly rawPath: string; readonly rawQuery: string } {
  const at = rawTarget.indexOf("?");
  if (at < 0) return { rawPath: rawTarget, rawQuery: "" };
  return { rawPath: rawTarget.slice(0, at), rawQuery: rawTarget.slice(at + 1) };
}
