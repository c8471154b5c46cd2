// One request on the S3 port from its header section to the last byte of its answer: builds the
// request body, has it dispatched, turns failures into error documents, and records what happened
// once.
import type { IncomingMessage, ServerResponse } from "node:http";
import { present } from "../lib/base/assert.ts";
import { asBuffer, toHex } from "../lib/base/bytes.ts";
import { isStoreError, toStoreError } from "../lib/base/errors.ts";
import type { Log } from "../lib/ports/log.ts";
import { traceCarrier } from "../lib/ports/tracing.ts";
import { S3Error, s3ErrorDocument } from "../lib/s3/errors.ts";
import type { HeaderField } from "../lib/s3/headers.ts";
import { parseDecimal } from "../lib/s3/integers.ts";
import { type Answer, emptyAnswer } from "./answer.ts";
import { RequestBody, readSmallBody } from "./data/request-body.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { toS3Error } from "./error-mapper.ts";
import type { BytePace, UserRateLimits } from "./identity/rate-limits.ts";
import { withoutSecrets } from "./identity/redaction.ts";
import type { SocketFacts } from "./identity/request-origin.ts";
import type { Sts } from "./identity/sts.ts";
import type { RequestObserver } from "./observer.ts";
import type { Gateway } from "./operation.ts";
import type { AccessLogging } from "./plugins/access-log.ts";
import type { UserIdentity } from "./plugins/authentication.ts";
import { campusPage } from "./plugins/campus-page.ts";
import type { Cors } from "./plugins/cors.ts";
import { healthAnswer } from "./plugins/health-paths.ts";
import { navigationSandbox } from "./plugins/navigation-sandbox.ts";
import type { RequestMetrics } from "./plugins/request-metrics.ts";
import type { SupportedPage } from "./plugins/supported-page.ts";
import type { Websites } from "./plugins/website.ts";
import { type AddressSettings, parseRequest, type S3Request } from "./request.ts";
import { type AnswerIds, writeAnswer } from "./response-writer.ts";
import type { Route, Router } from "./router.ts";

/** After an answer that left a body unread, this much of it is still taken off the socket. */
const DISCARD_BYTES_MAX = 8 * 1024 * 1024;
const DISCARD_MS_MAX = 2000;
const REQUEST_ID_BYTES = 8;
const BUCKET_REGION = "x-amz-bucket-region";
/** Answered, with 400, to signatures for another region, among others. */
const REGION_REFUSALS: ReadonlySet<string> = new Set([
  "AuthorizationHeaderMalformed",
  "AuthorizationQueryParametersError",
]);

export interface ExchangeDeps {
  readonly gateway: Gateway;
  readonly dispatcher: Dispatcher;
  readonly router: Router;
  readonly addressing: AddressSettings;
  readonly metrics: RequestMetrics;
  readonly supportedPage: SupportedPage;
  readonly cors: Cors;
  readonly accessLogging: AccessLogging;
  readonly websites: Websites;
  readonly userRates: UserRateLimits;
  /** Temporary credentials, asked for by a form posted to `/`; undefined: there are none. */
  readonly sts: Sts | undefined;
  /** Names this gateway in answers. */
  readonly hostId: string;
  /** Told of every request that ended. */
  readonly observers?: readonly RequestObserver[];
}

export interface RawExchange {
  readonly message: IncomingMessage;
  readonly response: ServerResponse;
  readonly rawTarget: string;
  /** The client waits for `100 Continue` before it sends the body. */
  readonly expectsContinue: boolean;
}

/** What went wrong, as the client is told and as it was. */
export interface Failure {
  readonly error: S3Error;
  readonly thrown: unknown;
}

export class Exchange {
  readonly #deps: ExchangeDeps;
  readonly #raw: RawExchange;
  readonly #ids: AnswerIds;
  readonly #log: Log;
  readonly #body: RequestBody;
  readonly #gone = new AbortController();
  readonly #startedMs: number;
  #request: S3Request | undefined;
  #route: Route | undefined;
  #user: UserIdentity | undefined;
  #isSts = false;
  #downloadPace: BytePace | undefined;
  #headers: readonly HeaderField[] = [];
  #cors: readonly HeaderField[] = [];
  #failure: Failure | undefined;
  #firstByteMs: number | undefined;
  #sentBytes = 0;

  constructor(deps: ExchangeDeps, raw: RawExchange) {
    const { clock, random, log } = deps.gateway.dependencies;
    this.#deps = deps;
    this.#raw = raw;
    this.#startedMs = clock.monotonicMs();
    const requestId = toHex(random.bytes(REQUEST_ID_BYTES)).toUpperCase();
    this.#ids = { requestId, hostId: deps.hostId };
    this.#log = log.child({ requestId });
    this.#body = this.#openBody();
    raw.response.once("close", () => {
      if (!raw.response.writableFinished) this.#gone.abort();
    });
  }

  /**
   * Serves the request, within a span where requests are traced. Never throws: what fails is
   * answered, or the socket is destroyed.
   */
  async serve(): Promise<void> {
    const { tracing } = this.#deps.gateway.dependencies;
    if (tracing === undefined) return this.#serve();
    const { headers, method = "" } = this.#raw.message;
    const carrier = traceCarrier((name) => headers[name]);
    const attributes = {
      "http.request.method": method,
      "dolium.request_id": this.#ids.requestId,
    };
    await tracing.serve({ name: "S3", carrier, attributes }, async (span) => {
      await this.#serve();
      const code = this.#failure?.error.code;
      const { statusCode } = this.#raw.response;
      span.rename(this.#operationName());
      span.add({ "http.response.status_code": statusCode, "dolium.sent": this.#sentBytes });
      span.end(statusCode >= 500 ? code : undefined);
    });
  }

  async #serve(): Promise<void> {
    const { metrics } = this.#deps;
    metrics.begin();
    let status = 0;
    let isDisconnected = false;
    try {
      const answer = await this.#answer();
      this.#cors = await this.#corsHeaders();
      status = await this.#writeOrRefuse(answer);
    } catch (error) {
      status = this.#raw.response.headersSent ? this.#raw.response.statusCode : 0;
      isDisconnected = isStoreError(error, "aborted");
      this.#noteBrokenAnswer(error, isDisconnected);
    }
    this.#record(status, isDisconnected);
  }

  #openBody(): RequestBody {
    const { message, response, expectsContinue } = this.#raw;
    const { settings, dependencies } = this.#deps.gateway;
    const { headers } = message;
    return new RequestBody({
      views: () => message.iterator({ destroyOnReturn: false }),
      contentLength: lengthOf(headers["content-length"]),
      isChunked: headers["transfer-encoding"] !== undefined,
      onStart: () => {
        if (expectsContinue) response.writeContinue();
      },
      clock: dependencies.clock,
      pace: settings,
    });
  }

  async #answer(): Promise<Answer> {
    const { gateway, metrics } = this.#deps;
    const { settings, dependencies } = gateway;
    try {
      const request = this.#parse();
      const health = request.isWebsite ? undefined : healthAnswer(request, dependencies);
      if (health !== undefined) return await health;
      if (!settings.enabled) {
        throw new S3Error("ServiceUnavailable", "The S3 API is switched off on this server.");
      }
      const page = settings.supportedPage ? this.#deps.supportedPage.answer(request) : undefined;
      if (page !== undefined) return page;
      const campuses = await this.#campusAnswer(request);
      if (campuses !== undefined) return campuses;
      if (dependencies.audit?.mustRefuse === true) throw new S3Error("SlowDown");
      if (metrics.running > settings.requestsMax) throw new S3Error("SlowDown");
      if (request.method === "OPTIONS") {
        return await this.#deps.cors.preflight({ request, signal: this.#gone.signal });
      }
      if (request.isWebsite) return await this.#websiteAnswer(request);
      if (this.#deps.sts?.takes(request) === true) return await this.#stsAnswer(request);
      this.#route = this.#deps.router.route(request);
      return await this.#deps.dispatcher.dispatch({
        request,
        route: this.#route,
        body: this.#body,
        remoteAddress: request.origin.remoteAddress,
        hostId: this.#ids.hostId,
        signal: this.#gone.signal,
        log: this.#log,
        onIdentity: ({ identity }) => {
          if (identity.kind === "user") this.#admitUser(identity);
        },
      });
    } catch (thrown) {
      const error = toS3Error(thrown);
      this.#failure = { error, thrown };
      return this.#errorAnswer(error);
    }
  }

  /** Notes who asks, and holds requests and bytes to the user's limits. Throws SlowDown. */
  #admitUser(identity: UserIdentity): void {
    this.#user = identity;
    const { uses } = this.#deps.gateway.dependencies;
    const { useId } = identity;
    if (useId !== undefined) {
      const service = this.#isSts ? "sts" : "s3";
      uses?.touch(useId, `${service}:${this.#operationName()}`, this.#remoteAddress());
    }
    if (identity.rates === undefined) return;
    const { signal } = this.#gone;
    const paces = this.#deps.userRates.admit(identity.userId, identity.rates, signal);
    this.#body.paceBy(paces.upload);
    this.#downloadPace = paces.download;
  }

  async #stsAnswer(request: S3Request): Promise<Answer> {
    this.#isSts = true;
    const form = await readSmallBody(this.#body);
    const sts = present(this.#deps.sts, "the security token service");
    return sts.handle(request, form, { onIdentity: (identity) => this.#admitUser(identity) });
  }

  async #campusAnswer(request: S3Request): Promise<Answer | undefined> {
    const { settings, dependencies } = this.#deps.gateway;
    const { whereabouts } = dependencies;
    if (whereabouts === undefined || request.isWebsite) return undefined;
    const { campus } = whereabouts;
    const { globalEndpoint } = settings;
    const campuses = () => whereabouts.campuses();
    return campusPage(request, { campus, globalEndpoint, campuses });
  }

  async #websiteAnswer(request: S3Request): Promise<Answer> {
    const { answer, failure } = await this.#deps.websites.serve({
      request,
      body: this.#body,
      remoteAddress: request.origin.remoteAddress,
      protocol: request.origin.isSecure ? "https" : "http",
      hostId: this.#ids.hostId,
      signal: this.#gone.signal,
      log: this.#log,
    });
    this.#failure = failure;
    return answer;
  }

  async #corsHeaders(): Promise<readonly HeaderField[]> {
    const request = this.#request;
    if (request === undefined || request.method === "OPTIONS") return [];
    return this.#deps.cors.headersOf({ request, signal: this.#gone.signal }, this.#log);
  }

  #parse(): S3Request {
    const { message, rawTarget } = this.#raw;
    const raw = {
      requestId: this.#ids.requestId,
      method: message.method ?? "",
      rawTarget,
      rawHeaders: message.rawHeaders,
      receivedMs: this.#deps.gateway.dependencies.clock.wallMs(),
      socket: this.#socketFacts(),
    };
    this.#request = parseRequest(raw, this.#deps.addressing);
    return this.#request;
  }

  #socketFacts(): SocketFacts {
    const { socket } = this.#raw.message;
    return {
      remoteAddress: socket.remoteAddress ?? "",
      isSecure: "encrypted" in socket,
      certificate: this.#deps.gateway.dependencies.tls?.clientCertificate(socket),
    };
  }

  #errorAnswer(error: S3Error): Answer {
    if (error.status === 304) return emptyAnswer(304);
    const resource = this.#request?.target.rawPath ?? "";
    const text = s3ErrorDocument(error, { resource, ...this.#ids });
    const headers = [...error.headers, ...this.#regionFields(error)];
    return { status: error.status, headers, body: { kind: "xml", text } };
  }

  /**
   * Where nothing was looked up yet, the region to sign for is that of the gateway, whatever the
   * name, so that it says nothing about which buckets there are.
   */
  #regionFields(error: S3Error): HeaderField[] {
    const route = this.#route;
    if (route?.kind !== "found" || route.operation.tellsRegion !== true) return [];
    const isRefusal = error.status === 403 || REGION_REFUSALS.has(error.code);
    if (!isRefusal || error.headers.some(([name]) => name === BUCKET_REGION)) return [];
    return [[BUCKET_REGION, this.#deps.gateway.settings.region]];
  }

  /** Writes the answer, or an error where its body fails before the first byte; the status sent. */
  async #writeOrRefuse(answer: Answer): Promise<number> {
    try {
      await this.#write(answer);
      return answer.status;
    } catch (thrown) {
      if (this.#raw.response.headersSent || isStoreError(thrown, "aborted")) throw thrown;
      const error = toS3Error(thrown);
      this.#failure = { error, thrown };
      await this.#write(this.#errorAnswer(error));
      return error.status;
    }
  }

  async #write(answer: Answer): Promise<void> {
    const { clock } = this.#deps.gateway.dependencies;
    const { response, message, expectsContinue } = this.#raw;
    this.#headers = [...answer.headers, ...this.#cors, ...this.#sandbox(answer)];
    await writeAnswer(
      { ...answer, headers: this.#headers },
      {
        response,
        isHead: message.method === "HEAD",
        ids: this.#ids,
        clock,
        idleTimeoutMs: this.#deps.gateway.settings.idleTimeoutMs,
        close: !this.#body.isFinished,
        onHead: () => {
          this.#firstByteMs = clock.monotonicMs();
        },
        beforeEnd: async () => {
          const isAwaited = expectsContinue && !this.#body.isStarted;
          // A client that sent nothing for so long sends nothing now.
          const isSilent = this.#failure?.error.code === "RequestTimeout";
          if (this.#body.isFinished || isAwaited || isSilent) return;
          await this.#body.discard(DISCARD_BYTES_MAX, DISCARD_MS_MAX);
        },
        pace: this.#downloadPace,
        onSent: (bytes) => {
          this.#sentBytes += bytes;
        },
        lateError: (thrown) => this.#lateError(thrown),
      },
    );
  }

  #sandbox({ headers }: Answer): readonly HeaderField[] {
    const isBesideConsole = this.#deps.gateway.settings.console;
    if (!isBesideConsole || this.#request === undefined) return [];
    return navigationSandbox(this.#request, headers);
  }

  /** The document of work that failed after its head was out. */
  #lateError(thrown: unknown): string {
    const error = toS3Error(thrown);
    this.#failure = { error, thrown };
    const resource = this.#request?.target.rawPath ?? "";
    return s3ErrorDocument(error, { resource, ...this.#ids });
  }

  #noteBrokenAnswer(error: unknown, isDisconnected: boolean): void {
    if (isDisconnected) return;
    this.#failure ??= { error: toS3Error(error), thrown: error };
    this.#log.error("an answer broke off", toStoreError(error));
  }

  #record(status: number, isDisconnected: boolean): void {
    const { clock } = this.#deps.gateway.dependencies;
    const operation = this.#operationName();
    const seconds = (clock.monotonicMs() - this.#startedMs) / 1000;
    const firstByteMs = this.#firstByteMs;
    const errorCode = this.#failure?.error.code;
    const receivedBytes = this.#body.receivedBytes;
    this.#deps.metrics.end({
      operation,
      status,
      errorCode,
      seconds,
      firstByteSeconds:
        firstByteMs === undefined ? undefined : (firstByteMs - this.#startedMs) / 1000,
      receivedBytes,
      sentBytes: this.#sentBytes,
      isDisconnected,
    });
    this.#recordAccess(status, seconds);
    this.#tellObservers(status, seconds);
    const { message } = this.#raw;
    this.#log.info("request", {
      operation,
      method: message.method,
      bucket: this.#request?.address.bucket,
      key: this.#request?.address.key,
      status,
      errorCode,
      seconds,
      receivedBytes,
      sentBytes: this.#sentBytes,
      accessKeyId: this.#user?.accessKeyId,
      user: this.#user?.userName ?? this.#user?.userId,
      remoteAddress: this.#remoteAddress(),
      userAgent: this.#request?.headers.get("user-agent"),
      isDisconnected: isDisconnected || undefined,
    });
    if (status >= 500 && this.#failure !== undefined) {
      this.#log.error("request failed", this.#failure.thrown, { operation, errorCode });
    }
  }

  #tellObservers(status: number, seconds: number): void {
    for (const observer of this.#deps.observers ?? []) {
      observer.observe({
        requestId: this.#ids.requestId,
        endedMs: this.#deps.gateway.dependencies.clock.wallMs(),
        operation: this.#operationName(),
        method: this.#raw.message.method ?? "",
        bucket: this.#request?.address.bucket,
        key: this.#request?.address.key,
        status,
        errorCode: this.#failure?.error.code,
        seconds,
        receivedBytes: this.#body.receivedBytes,
        sentBytes: this.#sentBytes,
        userId: this.#user?.userId,
        accessKeyId: this.#user?.accessKeyId,
        remoteAddress: this.#raw.message.socket.remoteAddress ?? "",
      });
    }
  }

  #recordAccess(status: number, seconds: number): void {
    const request = this.#request;
    if (request === undefined) return;
    const { message, rawTarget } = this.#raw;
    const firstByteMs = this.#firstByteMs;
    this.#deps.accessLogging.record({
      request,
      rawTarget: withoutSecrets(rawTarget),
      httpVersion: message.httpVersion,
      remoteAddress: request.origin.remoteAddress,
      requester: this.#user?.userId,
      hostId: this.#ids.hostId,
      status,
      errorCode: this.#failure?.error.code,
      sentBytes: this.#sentBytes,
      receivedBytes: this.#body.receivedBytes,
      headers: this.#headers,
      totalMs: seconds * 1000,
      firstByteMs: firstByteMs === undefined ? undefined : firstByteMs - this.#startedMs,
      interface: request.isWebsite ? "WEBSITE" : "REST",
    });
  }

  #remoteAddress(): string {
    return this.#request?.origin.remoteAddress ?? this.#raw.message.socket.remoteAddress ?? "";
  }

  #operationName(): string {
    if (this.#request?.method === "OPTIONS") return "PreflightRequest";
    if (this.#request?.isWebsite === true) return "WebsiteRequest";
    if (this.#isSts) return "SecurityTokenRequest";
    if (this.#route?.kind === "found") return this.#route.operation.name;
    return this.#route === undefined ? "none" : "unknown";
  }
}

/** Content-Length as a number; one past 2^53 is over every limit, but is not none. */
function lengthOf(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  return parseDecimal(header) ?? Number.MAX_SAFE_INTEGER;
}

/** x-amz-id-2 of a gateway: its name in base64, stable while it runs. */
export function hostIdOf(name: Uint8Array): string {
  return asBuffer(name).toString("base64");
}
