// One attempt of an S3 request, without retries, with a deadline. Tells what certainly never
// reached the gateway from what may have: the difference between "failed" and "unknown" in a
// history.
import { createHash } from "node:crypto";
import { Agent, type IncomingHttpHeaders, type IncomingMessage, request } from "node:http";
import type { HeaderField } from "../../services/lib/s3/headers.ts";
import { signHeaders } from "../../services/lib/s3/sigv4/sign.ts";

export interface Request {
  readonly method: string;
  /** Origin-form, percent-encoded. */
  readonly target: string;
  readonly headers?: readonly HeaderField[];
  readonly body?: Uint8Array;
}

export type Attempt =
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly headers: IncomingHttpHeaders;
      readonly body: Buffer;
      /** Code of an error document, else "". */
      readonly code: string;
    }
  /** Nobody listened: the request was never sent. */
  | { readonly kind: "unsent"; readonly why: string }
  /** Deadline, reset, or an answer cut short. */
  | { readonly kind: "lost"; readonly why: string };

export interface ClientOptions {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secret: string;
  readonly deadlineMs: number;
}

const REGION = "us-east-1";
const UNSENT = new Set(["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH"]);

export class AttemptClient {
  readonly #options: ClientOptions;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  get endpoint(): string {
    return this.#options.endpoint;
  }

  send(call: Request): Promise<Attempt> {
    const { endpoint, accessKeyId, secret, deadlineMs } = this.#options;
    const url = new URL(endpoint);
    const body = call.body ?? new Uint8Array(0);
    const hash = createHash("sha256").update(body).digest("hex");
    const fields: HeaderField[] = [["Host", url.host], ...(call.headers ?? [])];
    if (call.method === "PUT" || call.method === "POST") {
      fields.push(["Content-Length", String(body.byteLength)]);
    }
    const signed = signHeaders(
      { method: call.method, target: call.target, headers: fields },
      { accessKeyId, secret, region: REGION, nowMs: Date.now() },
      hash,
    );
    const { promise, resolve } = Promise.withResolvers<Attempt>();
    const sent = request({
      agent: this.#agent,
      host: url.hostname,
      port: url.port,
      method: call.method,
      path: call.target,
      headers: Object.fromEntries(signed.headers),
      signal: AbortSignal.timeout(deadlineMs),
    });
    sent.once("error", (error: NodeJS.ErrnoException) => {
      const why = error.code ?? error.message;
      resolve({ kind: UNSENT.has(why) ? "unsent" : "lost", why });
    });
    sent.once("response", (response) => {
      collect(response, resolve);
    });
    sent.end(body);
    return promise;
  }

  close(): void {
    this.#agent.destroy();
  }
}

function collect(response: IncomingMessage, resolve: (attempt: Attempt) => void): void {
  const pieces: Buffer[] = [];
  response.on("data", (piece: Buffer) => pieces.push(piece));
  response.once("error", (error) => resolve({ kind: "lost", why: error.message }));
  response.once("aborted", () => resolve({ kind: "lost", why: "cut short" }));
  response.once("end", () => {
    if (!response.complete) {
      resolve({ kind: "lost", why: "cut short" });
      return;
    }
    const body = Buffer.concat(pieces);
    const status = response.statusCode ?? 0;
    const code = status < 400 ? "" : (/<Code>([^<]*)<\/Code>/.exec(body.toString())?.[1] ?? "");
    resolve({ kind: "answer", status, headers: response.headers, body, code });
  });
}

/** The text of every `<name>` element of a document of ours. */
export function elements(body: Buffer, name: string): string[] {
  return [...body.toString().matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, "g"))].map(
    (match) => match[1] ?? "",
  );
}
