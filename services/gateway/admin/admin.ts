// The admin side of a gateway: the API, IAM and STS and the console, on a port of their own and,
// the forms of IAM left out, on the S3 port below `/_admin` and `/_console`. Both are the same
// handlers.
import type { IncomingMessage, ServerResponse } from "node:http";
import { assert } from "../../lib/base/assert.ts";
import { utf8 } from "../../lib/base/bytes.ts";
import { StoreError } from "../../lib/base/errors.ts";
import type { Metrics } from "../../lib/ports/metrics.ts";
import { QueryParameters } from "../../lib/s3/query-parameters.ts";
import type { AnswerBody } from "../answer.ts";
import type { Sts } from "../identity/sts.ts";
import { isStsForm } from "../identity/sts.ts";
import type { RequestObserver } from "../observer.ts";
import type { Gateway } from "../operation.ts";
import type { Authentication, UserIdentity } from "../plugins/authentication.ts";
import type { AddressSettings } from "../request.ts";
import type { AdminAnswer } from "./admin-answer.ts";
import type { AdminDependencies } from "./admin-dependencies.ts";
import { AdminHttp } from "./admin-http.ts";
import { AdminListener } from "./admin-listener.ts";
import { AdminMetrics } from "./admin-metrics.ts";
import type { AdminOperation } from "./admin-operation.ts";
import type { AdminRequest } from "./admin-request.ts";
import { AdminService } from "./admin-service.ts";
import { type ClusterNodes, NodeWatch } from "./cluster/node-watch.ts";
import type { AdminSettings } from "./config.ts";
import { type ConsoleFiles, consoleFile } from "./console-files.ts";
import { IamProtocol, type ServedSts } from "./iam/query-protocol.ts";
import { ADMIN_OPERATIONS } from "./operations.ts";
import { type FirstBucket, makeFirstBuckets } from "./provisioning/first-buckets.ts";
import { Provisioner, type ProvisioningSource } from "./provisioning/provisioner.ts";
import { withReference } from "./reference/reference-operations.ts";
import { EventRing } from "./watch/event-ring.ts";
import { LiveWindow } from "./watch/live-window.ts";
import { TraceFeed } from "./watch/trace-feed.ts";

/** What whoever composes a gateway gives. */
export interface AdminOptions
  extends Pick<
    AdminDependencies,
    | "directory"
    | "edits"
    | "failures"
    | "identities"
    | "metadata"
    | "providers"
    | "replicas"
    | "sealSecret"
    | "sealingKeys"
    | "certificates"
    | "tokensEnabled"
    | "transport"
    | "usageOf"
    | "verify"
    | "version"
  > {
  readonly settings: AdminSettings;
  readonly files: ConsoleFiles;
  readonly nodes: ClusterNodes;
  /** What this gateway sees to by itself; nothing unless told. */
  readonly provisioning?: ProvisioningSource;
  /** Rows besides those of ADMIN_OPERATIONS. */
  readonly operations?: readonly AdminOperation[];
}

/** What the gateway gives. */
export interface AdminParts {
  readonly name: string;
  readonly gateway: Gateway;
  readonly authentication: Authentication;
  readonly sts: Sts | undefined;
  readonly addressing: AddressSettings;
  readonly metrics: Metrics;
  readonly s3Port: AdminDependencies["s3Port"];
}

export class Admin {
  readonly observers: readonly RequestObserver[];
  readonly #parts: AdminParts;
  readonly #deps: AdminDependencies;
  readonly #http: AdminHttp;
  readonly #listener: AdminListener;
  readonly #watch: NodeWatch;
  readonly #provisioner: Provisioner | undefined;
  readonly #service: AdminService;
  readonly #stop = new AbortController();
  readonly #isOnS3Port: boolean;

  constructor(options: AdminOptions, parts: AdminParts) {
    const { clock, random, log, tls } = parts.gateway.dependencies;
    this.#parts = parts;
    this.#deps = dependenciesOf(options, parts);
    const { live, trace, events } = this.#deps;
    this.observers = [live, trace];
    this.#isOnS3Port = parts.gateway.settings.console;
    const service = new AdminService(
      this.#deps,
      withReference([...ADMIN_OPERATIONS, ...(options.operations ?? [])]),
    );
    this.#service = service;
    const iam = new IamProtocol({
      deps: this.#deps,
      caller: (request) => service.caller(request),
      sts: (request) => this.#sts(request),
    });
    this.#http = new AdminHttp({
      handlers: {
        api: (request, path) => service.serve(request, path),
        query: (request) => iam.serve(request),
        file: (path) => consoleFile(options.files, path, this.#s3Endpoints()),
      },
      clock,
      random,
      log,
      addressing: parts.addressing,
      socketFacts: ({ socket }) => ({
        remoteAddress: socket.remoteAddress ?? "",
        isSecure: "encrypted" in socket,
        certificate: tls?.clientCertificate(socket),
      }),
    });
    this.#listener = new AdminListener({ http: this.#http, settings: options.settings, tls, log });
    this.#watch = new NodeWatch({ clock, events, nodes: options.nodes });
    const { provisioning: source } = options;
    const { metrics } = parts;
    this.#provisioner = source && new Provisioner({ source, admin: this.#deps, service, metrics });
  }

  /** host:port that is listened on; undefined when the port is switched off. */
  get address(): string | undefined {
    return this.#listener.address;
  }

  /** As in `address`. */
  get port(): number | undefined {
    const text = this.address?.split(":").at(-1);
    return text === undefined ? undefined : Number(text);
  }

  /** Whether a request of the S3 port is for here. */
  takes(message: IncomingMessage, rawTarget: string): boolean {
    return this.#isOnS3Port && this.#http.takes(message, rawTarget);
  }

  /** Serves a request of the S3 port. Never throws. */
  async serve(
    message: IncomingMessage,
    response: ServerResponse,
    rawTarget: string,
  ): Promise<void> {
    await this.#http.serve(message, response, { rawTarget, mount: "/_admin" });
  }

  /** Throws StoreError "invalid" for an address that must not be without TLS. */
  async start(): Promise<void> {
    await this.#listener.listen();
    this.#deps.live.start();
    this.#watch.start();
    this.#provisioner?.start();
  }

  /** Resolves with those that were missing. Throws AdminError; StoreError "aborted". */
  makeBuckets(wishes: readonly FirstBucket[]): Promise<readonly string[]> {
    const parts = { admin: this.#deps, service: this.#service };
    return makeFirstBuckets(parts, wishes, this.#stop.signal);
  }

  /** Ends streams at once; other calls end by themselves. */
  async close(): Promise<void> {
    this.#stop.abort(new StoreError("aborted", "the gateway stops"));
    await this.#provisioner?.close();
    this.#watch.stop();
    this.#deps.live.stop();
    this.#deps.trace.close();
    await this.#listener.close();
  }

  async #sts(request: AdminRequest): Promise<ServedSts | undefined> {
    const { sts } = this.#parts;
    const text = Buffer.from(request.body).toString("latin1");
    if (sts === undefined || !isStsForm(QueryParameters.parse(text))) return undefined;
    let identity: UserIdentity | undefined;
    let outcome = "";
    const { status, headers, body } = await sts.handle(request.signed, request.body, {
      onIdentity: (found) => {
        identity = found;
      },
      onOutcome: (found) => {
        outcome = found;
      },
    });
    const others = headers.filter(([name]) => name.toLowerCase() !== "content-type");
    const contentType = "text/xml; charset=utf-8";
    const bytes = wholeBody(body);
    const answer: AdminAnswer = {
      status,
      headers: others,
      body: { kind: "bytes", bytes, contentType },
    };
    return { answer, identity, outcome };
  }

  /** The page reaches S3 at the endpoint that it is told, and at the S3 port of this host. */
  #s3Endpoints(): readonly string[] {
    const { s3Endpoint } = this.#deps;
    const { scheme, port } = this.#deps.s3Port();
    const local = [`${scheme}://127.0.0.1:${port}`, `${scheme}://localhost:${port}`];
    return s3Endpoint === "" ? local : [new URL(s3Endpoint).origin];
  }
}

function wholeBody(body: AnswerBody): Uint8Array {
  if (body.kind === "xml") return utf8(body.text);
  assert(body.kind === "bytes", "the security token service answers whole documents");
  return body.bytes;
}

function dependenciesOf(options: AdminOptions, parts: AdminParts): AdminDependencies {
  const { settings, provisioning: _provisioning, ...rest } = options;
  const { files: _files, nodes: _nodes, operations: _operations, ...given } = rest;
  const { gateway, name, authentication, s3Port, metrics } = parts;
  const { clock, random, log, audit } = gateway.dependencies;
  return {
    ...given,
    name,
    s3Endpoint: settings.s3Endpoint,
    s3Port,
    authentication,
    gateway,
    events: new EventRing(clock),
    live: new LiveWindow(clock),
    trace: new TraceFeed(),
    ...{ clock, random, log, audit },
    counters: new AdminMetrics(metrics),
  };
}
