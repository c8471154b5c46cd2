// The operations port of a service, plain HTTP: metrics for Prometheus and health for
// orchestrators. Probes say only yes or no; what is wrong is for the cluster page, which people and
// alerts read. A check that throws or takes too long counts as no.
import { fastify } from "fastify";
import { StoreError } from "../base/errors.ts";
import type { Log } from "../ports/log.ts";
import type { MetricsRegistry } from "./metrics.ts";

const CHECK_MS_MAX = 5000;

export interface HealthReport {
  readonly ok: boolean;
  /** Shown on /health/cluster only. Plain JSON. */
  readonly detail?: Readonly<Record<string, unknown>>;
}

type Check = () => HealthReport | Promise<HealthReport>;

export interface HealthChecks {
  /** The first start is done. */
  readonly started: Check;
  /** The process works at all; asks no peers. */
  readonly live: Check;
  /** It can serve now. */
  readonly ready: Check;
  /** The whole cluster; with `maintenance`: ok if this node may be taken away. */
  readonly cluster: (options: {
    readonly maintenance: boolean;
  }) => HealthReport | Promise<HealthReport>;
}

export interface OpsServerOptions {
  readonly metrics: MetricsRegistry;
  readonly health: HealthChecks;
  readonly log: Log;
  /** Default 5000. */
  readonly checkTimeoutMs?: number;
}

export interface OpsServer {
  /**
   * Binds `host:port` (port 0 picks one) and resolves with the bound address; "io" when it cannot.
   */
  listen(address: string): Promise<string>;
  close(): Promise<void>;
}

export function createOpsServer(options: OpsServerOptions): OpsServer {
  const { metrics, health, log } = options;
  const timeoutMs = options.checkTimeoutMs ?? CHECK_MS_MAX;
  const server = fastify({ logger: false, forceCloseConnections: true, bodyLimit: 1024 });
  server.get("/metrics", async (_request, reply) => {
    reply.type(metrics.contentType);
    return metrics.expose();
  });
  const probes: readonly (readonly [string, Check])[] = [
    ["/health/started", health.started],
    ["/health/live", health.live],
    ["/health/ready", health.ready],
    ["/healthz", health.live],
    ["/readyz", health.ready],
  ];
  for (const [path, check] of probes) {
    server.get(path, async (_request, reply) => {
      const { ok } = await ask(path, check, { log, timeoutMs });
      return reply.code(ok ? 200 : 503).send({ status: statusWord(ok) });
    });
  }
  server.get<{ Querystring: { maintenance?: string } }>(
    "/health/cluster",
    async (request, reply) => {
      const maintenance = request.query.maintenance === "true";
      const check = (): ReturnType<Check> => health.cluster({ maintenance });
      const { ok, detail } = await ask("/health/cluster", check, { log, timeoutMs });
      const refusal = maintenance ? 412 : 503;
      return reply.code(ok ? 200 : refusal).send({ status: statusWord(ok), ...detail });
    },
  );
  return {
    async listen(address: string): Promise<string> {
      const { host, port } = splitAddress(address);
      try {
        await server.listen({ host, port });
      } catch (error) {
        throw new StoreError("io", `listen on ${address}: ${String(error)}`, { cause: error });
      }
      const [found] = server.addresses();
      const bound = typeof found === "object" ? found.port : port;
      return address.replace(/:[0-9]+$/, `:${bound}`);
    },
    close: () => server.close(),
  };
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
