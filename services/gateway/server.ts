// The S3 port of a gateway: a fastify server that hands every request, unparsed, to an exchange.
// Fastify's own routing and body parsing stay out of the way, because an S3 key is any bytes and a
// body is a stream; its server, life cycle and error hooks are what is used.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import fastify, { type FastifyInstance, type FastifyServerOptions } from "fastify";
import { Semaphore } from "../lib/base/bounded.ts";
import { toHex, utf8 } from "../lib/base/bytes.ts";
import { StoreError } from "../lib/base/errors.ts";
import { UserUsage } from "../lib/clients/user-usage.ts";
import { parseServiceName, type ServiceName } from "../lib/s3/addressing.ts";
import { type ChecksumFactory, loadChecksums } from "../lib/s3/checksums.ts";
import { Admin, type AdminOptions, type AdminParts } from "./admin/admin.ts";
import type { FirstBucket } from "./admin/provisioning/first-buckets.ts";
import { AuditedRequests } from "./audit/audit-requests.ts";
import { refuseBrokenRequest } from "./client-error.ts";
import type { S3Settings } from "./config.ts";
import { People } from "./data/access/people.ts";
import { AccessLogQueue } from "./data/access-log.ts";
import { BucketSettings } from "./data/bucket-settings.ts";
import { checkPolicies } from "./data/placement-policies.ts";
import type { GatewayDependencies, TlsListening } from "./dependencies.ts";
import { Dispatcher } from "./dispatcher.ts";
import { Exchange, type ExchangeDeps, hostIdOf } from "./exchange.ts";
import { UserRateLimits } from "./identity/rate-limits.ts";
import { TrustedProxies } from "./identity/request-origin.ts";
import { Sts } from "./identity/sts.ts";
import type { RequestObserver } from "./observer.ts";
import { OPERATIONS } from "./operations.ts";
import { AccessLogging } from "./plugins/access-log.ts";
import { Authentication } from "./plugins/authentication.ts";
import { type Authorizer, PolicyAuthorizer } from "./plugins/authorization.ts";
import { Cors } from "./plugins/cors.ts";
import { RequestMetrics } from "./plugins/request-metrics.ts";
import { SupportedPage } from "./plugins/supported-page.ts";
import { Websites } from "./plugins/website.ts";
import type { AddressSettings } from "./request.ts";
import { Router } from "./router.ts";

/** Multipart uploads that wait to be completed; past it a request is answered SlowDown. */
const COMPLETIONS_WAITING_MAX = 1000;

export interface GatewayOptions {
  readonly dependencies: GatewayDependencies;
  readonly settings: S3Settings;
  /** Name of this gateway; answers carry it in x-amz-id-2. */
  readonly name: string;
  readonly authorizer?: Authorizer;
  /** Names of the webhooks that bucket notifications may go to; none unless told. */
  readonly notificationTargets?: readonly string[];
  /** Names of the other stores that buckets may be replicated to; none unless told. */
  readonly replicationTargets?: readonly string[];
  /** Told of every request besides those of the admin API. */
  readonly observers?: readonly RequestObserver[];
  /** Admin API, IAM and console; none unless told. */
  readonly admin?: AdminOptions;
}

export interface RunningGateway {
  /** host:port that is listened on. */
  readonly address: string;
  readonly port: number;
  /** Of plain HTTP beside HTTPS; 0: there is none. */
  readonly plainPort: number;
  /** `port` speaks TLS. */
  readonly isSecure: boolean;
  /** host:port of the admin port; undefined: there is none. */
  readonly adminAddress: string | undefined;
  /** Says who sends a request, for other listeners of this process. */
  readonly authentication: Authentication;
  /** For a listener that takes forms of the query protocol. */
  readonly sts: Sts | undefined;
  /**
   * Makes those that are missing for the root user; resolves with their names once all are there.
   * Throws AdminError; StoreError "unavailable" without the admin part, "aborted" when it closes.
   */
  makeBuckets(wishes: readonly FirstBucket[]): Promise<readonly string[]>;
  /** Every answer from now on ends its connection, so that clients open the next one elsewhere. */
  leave(): void;
  /** Takes no new connections, lets requests end for `closeGraceMs`, then cuts them. */
  close(): Promise<void>;
}

/** A gateway that can serve connections, but does not listen yet. */
export interface GatewayParts {
  readonly app: FastifyInstance;
  readonly deps: ExchangeDeps;
  readonly admin: Admin | undefined;
  readonly authentication: Authentication;
  /** The port that is listened on, once it is. */
  readonly bound: { port: number };
}

/**
 * Starts listening. Throws StoreError "invalid" for bad service names and for placement policies
 * that the cluster is known not to have, and what listening throws.
 */
export async function startGateway(options: GatewayOptions): Promise<RunningGateway> {
  const { settings, dependencies } = options;
  const { hashing: background } = dependencies;
  const loaded = await loadChecksums();
  const checksums = background === undefined ? loaded : { ...loaded, background };
  const parts = buildGateway(options, checksums);
  const { app, deps, admin, authentication, bound } = parts;
  await app.listen({ host: settings.address, port: settings.port });
  bound.port = boundAddress(app).port;
  const address = `${hostText(settings.address)}:${boundAddress(app).port}`;
  const plain = await startPlain(deps, admin);
  await admin?.start();
  const { port: plainPort } = plain === undefined ? { port: 0 } : boundAddress(plain);
  const isSecure = dependencies.tls !== undefined;
  dependencies.log.info("serving S3", { address, isSecure, plainPort: plainPort || undefined });
  const close = async (): Promise<void> => {
    await admin?.close();
    await Promise.all([app, plain].map(async (one) => one && closeServer(one, options)));
    await deps.accessLogging.close();
  };
  const leave = (): void => {
    for (const one of [app, plain]) if (one !== undefined) endConnections(one);
  };
  const { port } = bound;
  const { sts } = deps;
  const adminAddress = admin?.address;
  const makeBuckets = async (wishes: readonly FirstBucket[]): Promise<readonly string[]> => {
    if (admin === undefined) throw new StoreError("unavailable", "there is no admin part");
    return admin.makeBuckets(wishes);
  };
  const facts = { address, port, plainPort, isSecure, adminAddress, authentication, sts };
  return { ...facts, makeBuckets, leave, close };
}

/**
 * Everything but listening: who brings connections himself, a simulation say, gives them to
 * `app.server`. Throws StoreError "invalid" as `startGateway` does.
 */
export function buildGateway(options: GatewayOptions, checksums: ChecksumFactory): GatewayParts {
  const { settings, dependencies, name } = options;
  const { audit } = dependencies;
  checkPolicies(settings, dependencies.cluster);
  const gateway = {
    dependencies,
    settings,
    checksums,
    authorizer: options.authorizer ?? new PolicyAuthorizer(),
    people: new People({
      directory: dependencies.directory,
      takesUnknown: settings.lenient.unknownGrantees,
    }),
    userUsage: new UserUsage(dependencies),
    denials: dependencies.metrics.counter("authorization_denied_total", {
      help: "Requests that were refused by the rules of access, by action and rule.",
      labels: ["action", "rule"],
    }),
    bucketSettings: new BucketSettings(),
    notificationTargets: new Set(options.notificationTargets ?? []),
    replicationTargets: new Set(options.replicationTargets ?? []),
    completions: new Semaphore(settings.completionsMax, COMPLETIONS_WAITING_MAX),
  };
  const accessLogging = new AccessLogging(gateway, new AccessLogQueue(dependencies));
  const authentication = new Authentication(dependencies.credentials, settings);
  const sts = stsOf(options, authentication);
  const addressing = addressingOf(settings);
  const bound = { port: 0 };
  const admin = adminOf(options, { gateway, authentication, sts, addressing, bound });
  const deps: ExchangeDeps = {
    gateway,
    sts,
    dispatcher: new Dispatcher(gateway, authentication),
    router: new Router(OPERATIONS),
    addressing,
    observers: [
      ...(admin?.observers ?? []),
      ...(options.observers ?? []),
      ...(audit === undefined ? [] : [new AuditedRequests(audit)]),
    ],
    metrics: new RequestMetrics(dependencies.metrics),
    supportedPage: new SupportedPage(OPERATIONS),
    cors: new Cors(gateway, () => admin?.port),
    accessLogging,
    websites: new Websites(gateway),
    userRates: new UserRateLimits(dependencies.clock, dependencies.metrics),
    hostId: hostIdOf(utf8(name)),
  };
  return { app: createServer(deps, dependencies.tls, admin), deps, admin, authentication, bound };
}

function adminOf(
  { admin, name, dependencies }: GatewayOptions,
  parts: Pick<AdminParts, "gateway" | "authentication" | "sts" | "addressing"> & {
    readonly bound: { readonly port: number };
  },
): Admin | undefined {
  if (admin === undefined) return undefined;
  const { bound, ...rest } = parts;
  const scheme = dependencies.tls === undefined ? "http" : "https";
  const s3Port: AdminParts["s3Port"] = () => ({ scheme, port: bound.port });
  return new Admin(admin, { ...rest, name, metrics: dependencies.metrics, s3Port });
}

function stsOf(
  { dependencies, settings }: GatewayOptions,
  authentication: Authentication,
): Sts | undefined {
  const { sts, clock, random, log, metrics } = dependencies;
  if (sts === undefined) return undefined;
  const { region } = settings;
  return new Sts({ ...sts, authentication, region, clock, random, log, metrics });
}

/** The port without TLS beside the one with it, if there is to be one. */
async function startPlain(
  deps: ExchangeDeps,
  admin: Admin | undefined,
): Promise<FastifyInstance | undefined> {
  const { settings, dependencies } = deps.gateway;
  if (dependencies.tls === undefined || settings.tls.plainPort < 0) return undefined;
  const app = createServer(deps, undefined, admin);
  await app.listen({ host: settings.address, port: settings.tls.plainPort });
  return app;
}

function hostText(address: string): string {
  return address.includes(":") ? `[${address}]` : address;
}

function addressingOf(settings: S3Settings): AddressSettings {
  const serviceNames = serviceNamesOf("s3.domains", settings.domains);
  const websiteNames = serviceNamesOf("s3.websiteDomains", settings.websiteDomains);
  const both = websiteNames.find(({ name }) => serviceNames.some((one) => one.name === name));
  if (both !== undefined) {
    const message = `s3.websiteDomains: ${both.name} is a name of the API too (s3.domains)`;
    throw new StoreError("invalid", message);
  }
  const { basePaths, bucketViews } = settings;
  const trustedProxies = new TrustedProxies(settings.trustedProxies);
  return { serviceNames, websiteNames, basePaths, bucketViews, trustedProxies };
}

function serviceNamesOf(setting: string, texts: readonly string[]): ServiceName[] {
  return texts.map((text) => {
    const serviceName = parseServiceName(text);
    if (serviceName === undefined) {
      throw new StoreError("invalid", `${setting}: ${text} is no host or host:port`);
    }
    return serviceName;
  });
}

/** `tls` undefined: plain HTTP. */
function createServer(
  deps: ExchangeDeps,
  tls: TlsListening | undefined,
  admin: Admin | undefined,
): FastifyInstance {
  const { settings, dependencies } = deps.gateway;
  const responses = new WeakMap<Duplex, ServerResponse>();
  const awaitingContinue = new WeakSet<IncomingMessage>();
  const http = {
    maxHeaderSize: settings.headerBytesMax,
    headersTimeout: settings.headersTimeoutMs,
    connectionsCheckingInterval: Math.min(settings.headersTimeoutMs, 5000),
    keepAliveTimeout: settings.keepAliveTimeoutMs,
    // The default covers the whole body and would cut long uploads; bodies have their own watch.
    requestTimeout: 0,
  };
  const options: FastifyServerOptions = {
    requestTimeout: 0,
    keepAliveTimeout: settings.keepAliveTimeoutMs,
    return503OnClosing: false,
    // One route for every target: paths must not be decoded or normalised before we see them.
    rewriteUrl: () => "/",
    clientErrorHandler: (error, socket) => {
      const requestId = toHex(dependencies.random.bytes(8)).toUpperCase();
      const ids = { requestId, hostId: deps.hostId };
      refuseBrokenRequest({ error, socket, response: responses.get(socket), ids });
    },
  };
  const app =
    tls === undefined
      ? fastify({ ...options, http })
      : fastify({ ...options, serverFactory: (handler) => tls.createServer(handler, http) });
  app.addHook("onRequest", (request, reply, _done) => {
    reply.hijack();
    const message = request.raw;
    const response = reply.raw;
    responses.set(message.socket, response);
    if (admin?.takes(message, request.originalUrl) === true) {
      if (awaitingContinue.has(message)) response.writeContinue();
      void admin.serve(message, response, request.originalUrl);
      return;
    }
    const exchange = new Exchange(deps, {
      message,
      response,
      rawTarget: request.originalUrl,
      expectsContinue: awaitingContinue.has(message),
    });
    void exchange.serve();
  });
  app.server.on("checkContinue", (message, response) => {
    awaitingContinue.add(message);
    app.routing(message, response);
  });
  // Never reached: the hook above takes every request. Fastify needs a route to run hooks for.
  app.all("/", async () => undefined);
  return app;
}

function boundAddress(app: FastifyInstance): { readonly port: number } {
  const address = app.server.address();
  if (address === null || typeof address === "string") {
    throw new StoreError("internal", "the S3 port is not bound to an address");
  }
  return address;
}

function endConnections({ server }: FastifyInstance): void {
  const last = (_message: IncomingMessage, response: ServerResponse): void => {
    response.shouldKeepAlive = false;
  };
  server.prependListener("request", last);
  server.prependListener("checkContinue", last);
}

async function closeServer(app: FastifyInstance, options: GatewayOptions): Promise<void> {
  const { clock, log } = options.dependencies;
  const timer = clock.after(options.settings.closeGraceMs, () => {
    log.warn("cutting requests that did not end in time");
    app.server.closeAllConnections();
  });
  try {
    await app.close();
  } finally {
    timer.cancel();
  }
}
