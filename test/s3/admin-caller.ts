// A small client of the admin API for tests: signs, or carries what it is told to, and reads JSON.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { HeaderField } from "../../services/lib/s3/headers.ts";
import { signHeaders } from "../../services/lib/s3/sigv4/sign.ts";
import type { Keys } from "./identity-gateway.ts";

export interface AdminAnswer {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
  /** The body, as JSON. */
  readonly json: Readonly<Record<string, unknown>>;
  /** `error.code` of a refusal. */
  readonly code: string | undefined;
}

export interface AdminCall {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** In place of the JSON of `body`. */
  readonly text?: string;
  /** Sent in place of what was signed. */
  readonly wireText?: string;
}

export class AdminCaller {
  readonly url: string;
  readonly #keys: Keys | undefined;
  readonly #nowMs: () => number;

  /** `keys` undefined: nothing is signed. `nowMs`: when it is, as the signature says. */
  constructor(url: string, keys?: Keys, nowMs: () => number = Date.now) {
    this.url = url;
    this.#keys = keys;
    this.#nowMs = nowMs;
  }

  get(path: string, call: AdminCall = {}): Promise<AdminAnswer> {
    return this.call("GET", path, call);
  }

  post(path: string, body?: unknown): Promise<AdminAnswer> {
    return this.call("POST", path, { body });
  }

  put(path: string, body?: unknown): Promise<AdminAnswer> {
    return this.call("PUT", path, { body });
  }

  patch(path: string, body: unknown): Promise<AdminAnswer> {
    return this.call("PATCH", path, { body });
  }

  delete(path: string): Promise<AdminAnswer> {
    return this.call("DELETE", path);
  }

  async call(method: string, path: string, call: AdminCall = {}): Promise<AdminAnswer> {
    const text = call.text ?? (call.body === undefined ? "" : JSON.stringify(call.body));
    const target = `/api/v1${path}`;
    const sent = call.wireText ?? text;
    const response = await fetch(`${this.url}${target}`, {
      method,
      redirect: "manual",
      headers: { ...this.#signed(method, target, text), ...call.headers },
      ...(sent === "" ? {} : { body: sent }),
    });
    return read(response);
  }

  /** A form of the query protocol, signed as the AWS CLI does: without x-amz-content-sha256. */
  async form(fields: Readonly<Record<string, string>>): Promise<AdminAnswer> {
    const text = new URLSearchParams(fields).toString();
    const response = await fetch(`${this.url}/`, {
      method: "POST",
      headers: {
        "content-type": "application/x-www-form-urlencoded",
        ...this.#signed("POST", "/", text),
      },
      body: text,
    });
    return read(response);
  }

  #signed(method: string, target: string, text: string): Record<string, string> {
    if (this.#keys === undefined) return {};
    const fields: HeaderField[] = [["Host", new URL(this.url).host]];
    const { accessKeyId, secretAccessKey: secret } = this.#keys;
    const identity = { accessKeyId, secret, region: "us-east-1", nowMs: this.#nowMs() };
    const hash = createHash("sha256").update(text).digest("hex");
    const { headers } = signHeaders({ method, target, headers: fields }, identity, hash);
    return Object.fromEntries(headers.filter(([name]) => name.toLowerCase() !== "host"));
  }
}

async function read(response: Response): Promise<AdminAnswer> {
  const text = await response.text();
  const isJson = response.headers.get("content-type")?.includes("json") === true;
  const parsed: unknown = isJson && text !== "" ? JSON.parse(text) : {};
  assert.ok(typeof parsed === "object" && parsed !== null, text);
  const json = Object.fromEntries(Object.entries(parsed));
  const code = /"code":"([A-Za-z0-9]+)"/.exec(text)?.[1] ?? /<Code>([^<]+)</.exec(text)?.[1];
  return {
    status: response.status,
    text,
    headers: response.headers,
    json,
    code: response.ok ? undefined : code,
  };
}

/** `value[name]`, which must be a text. */
export function textOf(value: Readonly<Record<string, unknown>>, name: string): string {
  const text = value[name];
  assert.equal(typeof text, "string", `${name} of ${JSON.stringify(value)}`);
  return String(text);
}

/** Names of the items of a list. */
export function namesOf(answer: AdminAnswer, field = "name"): string[] {
  assert.equal(answer.status, 200, answer.text);
  const { items } = answer.json;
  assert.ok(Array.isArray(items), answer.text);
  return items.map((item: Readonly<Record<string, unknown>>) => String(item[field]));
}
