// Posts to foreign HTTP servers over node:http and node:https, with connections kept for the next
// post. An answer's body is drained up to a bound; one that is larger costs its connection.
import type { Agent, RequestOptions } from "node:http";
import { request as requestHttps } from "node:https";
import { StoreError } from "../base/errors.ts";
import type { HttpClient, HttpPost } from "../ports/http.ts";
import {
  createHttpAgents,
  type HttpAgentsOptions,
  openRequest,
  parseHttpUrl,
} from "./http-agents.ts";
import { request as requestHttp } from "./node-http.ts";
import { systemCode } from "./system-error.ts";

const ANSWER_BYTES_MAX = 64 * 1024;

export function createHttpClient(options: HttpAgentsOptions = {}): HttpClient {
  const agents = createHttpAgents(options);
  return {
    post: async (post) => {
      const url = parseHttpUrl(post.url);
      const isSecure = url.protocol === "https:";
      return send(post, url, { agent: isSecure ? agents.secure : agents.plain, isSecure });
    },
    close: () => agents.destroy(),
  };
}

function send(
  post: HttpPost,
  url: URL,
  how: { readonly agent: Agent; readonly isSecure: boolean },
): Promise<number> {
  const { body, headers, deadlineMs, signal } = post;
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  if (signal?.aborted === true) throw new StoreError("aborted", "post: gave up");
  const start = how.isSecure ? requestHttps : requestHttp;
  const settings: RequestOptions = {
    method: "POST",
    agent: how.agent,
    headers: { ...headers, "Content-Length": body.byteLength },
  };
  const request = openRequest(() => start(url, settings));
  let why: StoreError | undefined;
  const stop = (error: StoreError): void => {
    why ??= error;
    request.destroy(why);
  };
  const timer = setTimeout(
    () => stop(new StoreError("timeout", `no answer within ${deadlineMs} ms`)),
    deadlineMs,
  );
  const giveUp = (): void => stop(new StoreError("aborted", "post: gave up"));
  signal?.addEventListener("abort", giveUp, { once: true });
  request.on("response", (response) => {
    let drained = 0;
    response.on("data", (bytes: Buffer) => {
      drained += bytes.byteLength;
      if (drained > ANSWER_BYTES_MAX) response.destroy();
    });
    // The status is the answer: how its body ends, even by the deadline, changes nothing.
    response.on("close", () => resolve(response.statusCode ?? 0));
    response.on("error", () => undefined);
  });
  request.on("error", (error) => reject(why ?? failure(error)));
  request.end(body);
  return promise.finally(() => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", giveUp);
  });
}

function failure(error: unknown): StoreError {
  const code = systemCode(error) ?? (error instanceof Error ? error.message : String(error));
  return new StoreError("unavailable", `no answer: ${code}`, { cause: error });
}
