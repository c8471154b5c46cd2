// The operations port of a service, plain HTTP: metrics for Prometheus and health for
// orchestrators. Probes say only yes or no; what is wrong is for the cluster page, which people and
// alerts read. A check that throws or takes too long counts as no. It is node:http alone: a
// framework for seven paths is what every process of a cluster would load first.
import type { Server } from "node:http";
import { StoreError, toStoreError } from "../base/errors.ts";
import type { Log } from "../ports/log.ts";
import type { MetricsRegistry } from "./metrics.ts";
import { createServer } from "./node-http.ts";
import { isAuthorized } from "./ops-token.ts";

const CHECK_MS_MAX = 5000;

export interface HealthReport {
  readonly ok: boolean;
  /** Shown on /health/cluster only. Plain JSON. */
  readonly detail?: Readonly<Record<string, unknown>>;
}

/** Whether a node may be taken down: it may when there is no reason against it. */
export function departureReport(reasons: readonly string[]): HealthReport {
  return { ok: reasons.length === 0, detail: { reasons } };
}

type Check = () => HealthReport | Promise<HealthReport>;

export interface ClusterQuestion {
  readonly maintenance: boolean;
  /** Undefined: this one. */
  readonly node: string | undefined;
}

export interface HealthChecks {
  /** The first start is done. */
  readonly started: Check;
  /** The process works at all; asks no peers. */
  readonly live: Check;
  /** It can serve now. */
  readonly ready: Check;
  /** The whole cluster; with `maintenance`: ok if this (or the named) node may be taken away. */
  readonly cluster: (options: ClusterQuestion) => HealthReport | Promise<HealthReport>;
}

export interface OpsServerOptions {
  readonly metrics: MetricsRegistry;
  readonly health: HealthChecks;
  readonly log: Log;
  /** Default 5000. */
  readonly checkTimeoutMs?: number;
  /** `POST /leave`; without it there is no such path. */
  readonly departure?: Departure;
}

/** How the process is asked to leave before it is stopped. */
export interface Departure {
  readonly token: string;
  /** Resolves when others do without it; it serves on. */
  readonly leave: () => Promise<void>;
}

/** Figures in Prometheus' text format. */
export type MetricsPage = Pick<MetricsRegistry, "contentType" | "expose">;

export interface OpsServer {
  /** Shows `page` at `path` beside `/metrics`. */
  addMetrics(path: string, page: MetricsPage): void;
  /**
   * Binds `host:port` (port 0 picks one) and resolves with the bound address; "io" when it cannot.
   */
  listen(address: string): Promise<string>;
  close(): Promise<void>;
}

interface Answer {
  readonly code: number;
  readonly type: string;
  readonly body: string;
}

const JSON_TYPE = "application/json; charset=utf-8";
const NOT_FOUND: Answer = { code: 404, type: JSON_TYPE, body: '{"status":"not found"}' };
const DENIED: Answer = { code: 403, type: JSON_TYPE, body: '{"status":"denied"}' };
const BROKEN: Answer = { code: 500, type: JSON_TYPE, body: '{"status":"unavailable"}' };
const HEADER_BYTES_MAX = 16_384;
const REQUEST_MS_MAX = 30_000;

export function createOpsServer(options: OpsServerOptions): OpsServer {
  const { log } = options;
  const pages = createPages(options);
  const limits = { maxHeaderSize: HEADER_BYTES_MAX, requestTimeout: REQUEST_MS_MAX };
  const server = createServer(limits, (request, response) => {
    const { method, url = "/" } = request;
    const [path = "/", query = ""] = url.split("?");
    const page = method === "GET" || method === "HEAD" ? pages.get(path) : undefined;
    const isLeave = method === "POST" && path === "/leave";
    const asked = isLeave
      ? leave(options.departure, request.headers.authorization)
      : (page?.(new URLSearchParams(query)) ?? Promise.resolve(NOT_FOUND));
    asked
      .catch((error: unknown) => {
        log.error("the operations port could not answer", error, { path });
        return BROKEN;
      })
      .then(({ code, type, body }) => {
        response.writeHead(code, {
          "content-type": type,
          "content-length": Buffer.byteLength(body),
        });
        response.end(body);
      });
    request.resume();
  });
  return {
    addMetrics: (path, page) => {
      pages.set(path, async () => ok(page.contentType, await page.expose()));
    },
    async listen(address: string): Promise<string> {
      const { host, port } = splitAddress(address);
      await listenOn(server, { host, port, address });
      const bound = server.address();
      const found = typeof bound === "object" && bound !== null ? bound.port : port;
      return address.replace(/:[0-9]+$/, `:${found}`);
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function leave(
  departure: Departure | undefined,
  authorization: string | undefined,
): Promise<Answer> {
  if (departure === undefined) return NOT_FOUND;
  if (!isAuthorized(authorization, departure.token)) return DENIED;
  await departure.leave();
  return ok(JSON_TYPE, '{"status":"leaving"}');
}

type Page = (query: URLSearchParams) => Promise<Answer>;

function createPages(options: OpsServerOptions): Map<string, Page> {
  const { metrics, health, log } = options;
  const timeoutMs = options.checkTimeoutMs ?? CHECK_MS_MAX;
  const probe =
    (path: string, check: Check): Page =>
    async () => {
      const { ok } = await ask(path, check, { log, timeoutMs });
      return {
        code: ok ? 200 : 503,
        type: JSON_TYPE,
        body: JSON.stringify({ status: statusWord(ok) }),
      };
    };
  const probes: readonly (readonly [string, Check])[] = [
    ["/health/started", health.started],
    ["/health/live", health.live],
    ["/health/ready", health.ready],
    ["/healthz", health.live],
    ["/readyz", health.ready],
  ];
  const cluster: Page = async (query) => {
    const maintenance = query.get("maintenance") === "true";
    const node = query.get("node") ?? undefined;
    const check = (): ReturnType<Check> => health.cluster({ maintenance, node });
    const { ok, detail } = await ask("/health/cluster", check, { log, timeoutMs });
    const refusal = maintenance ? 412 : 503;
    const body = JSON.stringify({ status: statusWord(ok), ...detail });
    return { code: ok ? 200 : refusal, type: JSON_TYPE, body };
  };
  return new Map<string, Page>([
    ...probes.map(([path, check]) => [path, probe(path, check)] as const),
    ["/health/cluster", cluster],
    ["/metrics", async () => ok(metrics.contentType, await metrics.expose())],
  ]);
}

function ok(type: string, body: string): Answer {
  return { code: 200, type, body };
}

/** Throws "io" when the address cannot be bound. */
function listenOn(
  server: Server,
  at: { readonly host: string; readonly port: number; readonly address: string },
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onError = (error: unknown): void => {
    const { message } = toStoreError(error, "io");
    reject(new StoreError("io", `listen on ${at.address}: ${message}`, { cause: error }));
  };
  server.once("error", onError);
  server.listen({ host: at.host, port: at.port }, () => {
    server.off("error", onError);
    resolve();
  });
  return promise;
}

function statusWord(ok: boolean): string {
  return ok ? "ok" : "unavailable";
}

async function ask(
  path: string,
  check: Check,
  { log, timeoutMs }: { log: Log; timeoutMs: number },
): Promise<HealthReport> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const error = new StoreError("timeout", `no answer within ${timeoutMs} ms`);
    timer = setTimeout(() => reject(error), timeoutMs);
  });
  try {
    return await Promise.race([Promise.resolve().then(check), late]);
  } catch (error) {
    log.error("a health check failed", error, { path });
    return { ok: false };
  } finally {
    clearTimeout(timer);
  }
}

/** "host:port" or "[v6]:port"; throws "invalid". */
function splitAddress(address: string): { host: string; port: number } {
  const match = /^(\[[0-9a-fA-F:.]+\]|[^:]+):([0-9]{1,5})$/.exec(address);
  const port = Number(match?.[2]);
  if (match?.[1] === undefined || !(port <= 65_535)) {
    throw new StoreError("invalid", `not an address: ${address}`);
  }
  return { host: match[1].replace(/^\[|\]$/g, ""), port };
}
