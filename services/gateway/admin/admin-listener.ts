// The admin port: a fastify server that hands every request, unparsed, to the handlers. Plain HTTP
// stays on loopback unless the operator says otherwise, since secrets and cookies pass here.
import fastify, { type FastifyInstance, type FastifyServerOptions } from "fastify";
import { isStoreError, StoreError } from "../../lib/base/errors.ts";
import { isLoopback } from "../../lib/base/ip-address.ts";
import type { Log } from "../../lib/ports/log.ts";
import type { TlsListening } from "../dependencies.ts";
import type { AdminHttp } from "./admin-http.ts";
import { ADMIN_ADDRESS, type AdminSettings } from "./config.ts";

const HEADERS_MS = 20_000;
const KEEP_ALIVE_MS = 75_000;
const HEADER_BYTES_MAX = 32 * 1024;

export interface AdminListenerOptions {
  readonly http: AdminHttp;
  readonly settings: AdminSettings;
  readonly tls: TlsListening | undefined;
  readonly log: Log;
}

export class AdminListener {
  readonly #options: AdminListenerOptions;
  #app: FastifyInstance | undefined;
  #address: string | undefined;

  constructor(options: AdminListenerOptions) {
    this.#options = options;
  }

  get address(): string | undefined {
    return this.#address;
  }

  /** Throws StoreError "invalid", and what listening throws. */
  async listen(): Promise<void> {
    const { settings, log } = this.#options;
    if (!settings.enabled) return;
    const { host, port } = this.#checkedAddress();
    const isDefault = settings.address === ADMIN_ADDRESS;
    try {
      this.#address = await this.#listenAt(host, port);
    } catch (error) {
      if (!isDefault || !isInUse(error)) throw error;
      this.#address = await this.#listenAt(host, 0);
      log.warn("port 9001 is in use; the admin port is another one", { address: this.#address });
    }
    log.info("serving the admin API", { address: this.#address });
  }

  async close(): Promise<void> {
    const app = this.#app;
    this.#app = undefined;
    if (app === undefined) return;
    // Streams of events have no end of their own.
    app.server.closeAllConnections();
    await app.close();
  }

  #checkedAddress(): { readonly host: string; readonly port: number } {
    const { settings, tls } = this.#options;
    const at = settings.address.lastIndexOf(":");
    const host = settings.address.slice(0, at).replace(/^\[(.*)\]$/, "$1");
    const port = Number(settings.address.slice(at + 1));
    const isLocal = host === "localhost" || isLoopback(host);
    if (!isLocal && tls === undefined && !settings.allowHttp) {
      const message = `admin.address: ${settings.address} is open to the network and without TLS: set s3.tls, or admin.allowHttp where a proxy ends TLS`;
      throw new StoreError("invalid", message);
    }
    if (port > 65_535) throw new StoreError("invalid", `admin.address: ${port} is no port`);
    return { host, port };
  }

  async #listenAt(host: string, port: number): Promise<string> {
    const app = this.#createServer();
    await app.listen({ host, port });
    this.#app = app;
    const bound = app.server.address();
    if (bound === null || typeof bound === "string") {
      throw new StoreError("internal", "the admin port is not bound to an address");
    }
    return `${host.includes(":") ? `[${host}]` : host}:${bound.port}`;
  }

  #createServer(): FastifyInstance {
    const { http: handlers, tls } = this.#options;
    const http = {
      maxHeaderSize: HEADER_BYTES_MAX,
      headersTimeout: HEADERS_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      requestTimeout: 0,
    };
    const options: FastifyServerOptions = {
      requestTimeout: 0,
      keepAliveTimeout: KEEP_ALIVE_MS,
      rewriteUrl: () => "/",
      return503OnClosing: false,
    };
    const app =
      tls === undefined
        ? fastify({ ...options, http })
        : fastify({ ...options, serverFactory: (handler) => tls.createServer(handler, http) });
    app.addHook("onRequest", (request, reply, _done) => {
      reply.hijack();
      const rawTarget = request.originalUrl;
      void handlers.serve(request.raw, reply.raw, { rawTarget, mount: "" });
    });
    // Never reached: the hook above takes every request. Fastify needs a route to run hooks for.
    app.all("/", async () => undefined);
    return app;
  }
}

function isInUse(error: unknown): boolean {
  if (isStoreError(error)) return false;
  return error instanceof Error && "code" in error && error.code === "EADDRINUSE";
}
