// Streaming exchanges over node:http and node:https. An answer that comes before the request's
// body has gone out ends the sending; its connection is not used again.
import { once } from "node:events";
import type { ClientRequest, IncomingMessage, RequestOptions } from "node:http";
import { request as requestHttps } from "node:https";
import { isStoreError, StoreError } from "../base/errors.ts";
import type { HttpAnswer, HttpExchange, HttpExchanger } from "../ports/http-exchange.ts";
import { createHttpAgents, type HttpAgentsOptions, openRequest } from "./http-agents.ts";
import { request as requestHttp } from "./node-http.ts";
import { OwnGateways, type OwnGatewaysOptions } from "./own-gateways.ts";
import { systemCode } from "./system-error.ts";

const ORIGIN = /^(https?):\/\/(\[[0-9a-fA-F:.]+\]|[^/:\s[\]]+)(?::([0-9]{1,5}))?$/;

export interface HttpExchangerOptions extends HttpAgentsOptions {
  /** Gateways of this cluster that show a certificate of their own. */
  readonly own?: OwnGatewaysOptions;
}

export function createHttpExchanger(options: HttpExchangerOptions = {}): HttpExchanger {
  const agents = createHttpAgents(options);
  const own = options.own === undefined ? undefined : new OwnGateways(options.own);
  return {
    exchange: async (request) => {
      const [, scheme, host, port] = ORIGIN.exec(request.origin) ?? [];
      if (scheme === undefined || host === undefined) {
        throw new StoreError("invalid", "not the origin of an http or https server");
      }
      const isSecure = scheme === "https";
      const settings: RequestOptions = {
        method: request.method,
        hostname: host.replace(/^\[|\]$/g, ""),
        ...(port === undefined ? {} : { port: Number(port) }),
        path: request.target,
        headers: { ...request.headers },
        agent: isSecure ? (own?.agentFor(request.origin) ?? agents.secure) : agents.plain,
      };
      const open = isSecure ? requestHttps : requestHttp;
      return new Exchange(
        request,
        openRequest(() => open(settings)),
      ).run();
    },
    close: () => {
      agents.destroy();
      own?.close();
    },
  };
}

class Exchange {
  readonly #request: HttpExchange;
  readonly #outgoing: ClientRequest;
  #idle: NodeJS.Timeout | undefined;
  readonly #giveUp = (): void => this.#stop(new StoreError("aborted", "the exchange was given up"));
  /** Why it was ended from this side. */
  #why: unknown;
  #isAnswered = false;

  constructor(request: HttpExchange, outgoing: ClientRequest) {
    this.#request = request;
    this.#outgoing = outgoing;
    const { signal } = request;
    this.#expect();
    signal?.addEventListener("abort", this.#giveUp, { once: true });
    if (signal?.aborted === true) this.#giveUp();
  }

  async run(): Promise<HttpAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    this.#outgoing.once("response", (response) => {
      this.#isAnswered = true;
      this.#expect();
      resolve(response);
    });
    // Later errors are met where the answer is read.
    this.#outgoing.on("error", (error) => reject(this.#failure(error)));
    this.#outgoing.once("close", () => reject(this.#failure(undefined)));
    const sending = this.#send();
    try {
      const response = await promise;
      await sending;
      return {
        status: response.statusCode ?? 0,
        headers: headersOf(response),
        body: this.#bodyOf(response),
      };
    } catch (error) {
      this.#settle();
      throw error;
    }
  }

  /** Ends without a rejection: what goes wrong here ends the request with it as the reason. */
  async #send(): Promise<void> {
    const { body } = this.#request;
    try {
      if (body !== undefined) {
        this.#expectNothing();
        for await (const view of body) {
          if (this.#isAnswered || this.#outgoing.destroyed) return;
          this.#expect();
          if (!this.#outgoing.write(view)) await this.#drained();
          this.#expectNothing();
        }
      }
      if (!this.#isAnswered) this.#expect();
      this.#outgoing.end();
    } catch (error) {
      this.#stop(error);
    }
  }

  /** Resolves when more may be written, or nothing more will be. */
  async #drained(): Promise<void> {
    const ended = new AbortController();
    const { signal } = ended;
    const over = ["response", "close", "error"].map((name) =>
      once(this.#outgoing, name, { signal }).catch(() => undefined),
    );
    await Promise.race([once(this.#outgoing, "drain", { signal }).catch(() => undefined), ...over]);
    ended.abort();
  }

  async *#bodyOf(response: IncomingMessage): AsyncGenerator<Uint8Array> {
    try {
      for await (const piece of response) {
        // While the consumer works with it, this side is the one that is idle.
        this.#expectNothing();
        yield piece;
        this.#expect();
      }
    } catch (error) {
      throw this.#failure(error);
    } finally {
      if (!response.complete || !this.#outgoing.writableFinished) this.#outgoing.destroy();
      this.#settle();
    }
  }

  /** From now on the other side is to move, or it has failed. */
  #expect(): void {
    const { idleMs } = this.#request;
    const late = (): void => this.#stop(new StoreError("timeout", `idle for ${idleMs} ms`));
    clearTimeout(this.#idle);
    this.#idle = setTimeout(late, idleMs);
  }

  #expectNothing(): void {
    clearTimeout(this.#idle);
  }

  #stop(why: unknown): void {
    this.#why ??= why;
    this.#outgoing.destroy();
  }

  #settle(): void {
    clearTimeout(this.#idle);
    this.#request.signal?.removeEventListener("abort", this.#giveUp);
  }

  #failure(error: unknown): unknown {
    if (this.#why !== undefined) return this.#why;
    if (isStoreError(error)) return error;
    const code = systemCode(error) ?? (error instanceof Error ? error.message : "closed");
    return new StoreError("unavailable", `no answer: ${code}`, { cause: error });
  }
}

function headersOf(response: IncomingMessage): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(response.headersDistinct).map(([name, values]) => [
      name,
      (values ?? []).join(", "),
    ]),
  );
}
