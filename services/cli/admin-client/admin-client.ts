// Calls of the admin API, signed. What the API refuses comes out as CommandError with the exit code
// that goes with its status; an API that does not answer is "unavailable".
import { createHash } from "node:crypto";
import type { HeaderField } from "../../lib/s3/headers.ts";
import { signHeaders } from "../../lib/s3/sigv4/sign.ts";
import { CommandError, ExitCode, exitCodeOfStatus } from "../exit-code.ts";
import { VERSION } from "../version.ts";
import type { AdminConnection } from "./connection.ts";

const BASE = "/api/v1";
const REGION = "us-east-1";
const CALL_MS = 60_000;
const LONG_CALL_MS = 6 * 3_600_000;

export interface AdminEvent {
  readonly event: string;
  readonly data: unknown;
}

export class AdminClient {
  readonly #connection: AdminConnection;

  constructor(connection: AdminConnection) {
    this.#connection = connection;
  }

  /** The answer's JSON; undefined where there is none. Throws CommandError. */
  async call(method: string, path: string, body?: unknown): Promise<unknown> {
    return this.#call(method, path, { body, signal: AbortSignal.timeout(CALL_MS) });
  }

  /** For what may take long, like reading a whole object. */
  async callLong(method: string, path: string, body?: unknown): Promise<unknown> {
    return this.#call(method, path, { body, signal: AbortSignal.timeout(LONG_CALL_MS) });
  }

  /** Every item of a list, over all pages. */
  async list(path: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
    const items: Readonly<Record<string, unknown>>[] = [];
    let after: string | undefined;
    do {
      const query = new URLSearchParams({ limit: "1000" });
      if (after !== undefined) query.set("after", after);
      const page = record(await this.call("GET", `${path}?${query}`));
      if (!Array.isArray(page.items)) throw odd();
      items.push(...page.items.map(record));
      after = typeof page.next === "string" ? page.next : undefined;
    } while (after !== undefined);
    return items;
  }

  /** Lines of a text as they come. */
  async *lines(path: string, signal: AbortSignal): AsyncGenerator<string> {
    const { body } = await this.#send("GET", path, { signal });
    if (body === null) return;
    const decoder = new TextDecoder();
    let rest = "";
    try {
      for await (const chunk of body) {
        const pieces = (rest + decoder.decode(chunk, { stream: true })).split("\n");
        rest = pieces.pop() ?? "";
        yield* pieces;
      }
    } catch (error) {
      // The caller has seen enough.
      if (signal.aborted) return;
      throw error;
    }
    if (rest !== "") yield rest;
  }

  async #call(
    method: string,
    path: string,
    how: { readonly body?: unknown; readonly signal: AbortSignal },
  ): Promise<unknown> {
    const response = await this.#send(method, path, how);
    const text = await response.text();
    return text === "" ? undefined : parsed(text);
  }

  /** Server-sent events as they come, until the server or `signal` ends them. */
  async *events(path: string, signal: AbortSignal): AsyncGenerator<AdminEvent> {
    let event = "message";
    for await (const line of this.lines(path, signal)) {
      if (line.startsWith("event: ")) event = line.slice("event: ".length);
      if (line.startsWith("data: ")) yield { event, data: parsed(line.slice("data: ".length)) };
      if (line === "") event = "message";
    }
  }

  async #send(
    method: string,
    path: string,
    how: { readonly body?: unknown; readonly signal: AbortSignal },
  ): Promise<Response> {
    const text = how.body === undefined ? "" : JSON.stringify(how.body);
    const target = `${this.#connection.base ?? BASE}${path}`;
    const headers = this.#headers(method, target, text);
    let response: Response;
    try {
      response = await fetch(`${this.#connection.url}${target}`, {
        method,
        headers,
        signal: how.signal,
        redirect: "error",
        ...(text === "" ? {} : { body: text }),
      });
    } catch (cause) {
      const reason = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
      const message = `${this.#connection.url} does not answer: ${reasonOf(reason)}`;
      throw new CommandError(ExitCode.UNAVAILABLE, "unavailable", message, { cause });
    }
    if (response.ok) return response;
    throw await refusal(response);
  }

  #headers(method: string, target: string, text: string): [string, string][] {
    const { url, keys } = this.#connection;
    const fields: HeaderField[] = [["Host", new URL(url).host]];
    if (keys.sessionToken !== undefined) fields.push(["X-Amz-Security-Token", keys.sessionToken]);
    if (text !== "") fields.push(["Content-Type", "application/json"]);
    const identity = {
      accessKeyId: keys.accessKeyId,
      secret: keys.secretAccessKey,
      region: REGION,
      nowMs: Date.now(),
    };
    const payloadHash = createHash("sha256").update(text).digest("hex");
    const signed = signHeaders({ method, target, headers: fields }, identity, payloadHash);
    // Fetch sends its own Host, which is the same.
    const others = signed.headers.filter(([name]) => name.toLowerCase() !== "host");
    return [...others.map(([name, value]): [string, string] => [name, value]), agent()];
  }
}

function agent(): [string, string] {
  return ["User-Agent", `dolium/${VERSION}`];
}

function reasonOf(reason: unknown): string {
  if (!(reason instanceof Error)) return String(reason);
  return "code" in reason && reason.message === "" ? String(reason.code) : reason.message;
}

async function refusal(response: Response): Promise<CommandError> {
  const { status } = response;
  const text = await response.text();
  const { error } = looseRecord(text);
  const { code, message } = record(error ?? {});
  return new CommandError(
    exitCodeOfStatus(status),
    typeof code === "string" ? code : "failed",
    typeof message === "string" ? message : `the server answered ${status}`,
  );
}

function looseRecord(text: string): Readonly<Record<string, unknown>> {
  try {
    return record(JSON.parse(text));
  } catch {
    // Not ours: the status says what there is to say.
    return {};
  }
}

function parsed(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch (cause) {
    throw new CommandError(ExitCode.FAILED, "failed", "the server's answer is not JSON", { cause });
  }
}

/** Throws CommandError for what is no object. */
export function record(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) throw odd();
  return Object.fromEntries(Object.entries(value));
}

/** The `items` of an answer; none where it has none. */
export function recordsOf(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  const { items } = record(value);
  return Array.isArray(items) ? items.map(record) : [];
}

function odd(): CommandError {
  return new CommandError(ExitCode.FAILED, "failed", "the server's answer has another form");
}
