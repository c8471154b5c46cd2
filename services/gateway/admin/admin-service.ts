// One call of the admin API from request to answer, in one order for every row: route, who asks,
// the page it comes from, may he, the body, the work. Everything that changes something, and
// everything refused, is written to the audit log with who, what and how it ended; secrets never
// are.
import { createHash } from "node:crypto";
import { Ajv, type ValidateFunction } from "ajv";
import { toHex } from "../../lib/base/bytes.ts";
import type { TSchema } from "../../lib/base/settings-schema.ts";
import { isSigned } from "../request.ts";
import { authorize } from "./admin-access.ts";
import { type AdminAnswer, json, type ServerEvent } from "./admin-answer.ts";
import type { Caller } from "./admin-caller.ts";
import type { AdminDependencies } from "./admin-dependencies.ts";
import { AdminError, auditIsFull, invalidArgument, toAdminError } from "./admin-error.ts";
import type { AdminContext, AdminOperation, Admission } from "./admin-operation.ts";
import { type AdminRequest, jsonBody } from "./admin-request.ts";
import { type AdminRoute, AdminRouter } from "./admin-router.ts";
import { sessionCaller } from "./sign-in/console-session.ts";

/** Services that a signature may be made for, the first the API's own. */
export const SERVICES: ReadonlySet<string> = new Set(["dolium", "s3", "iam", "sts"]);
/** How often a stream asks whether it is still for whoever reads it. */
const CHECK_MS = 500;
const BEARER = /^Bearer +([A-Za-z0-9._~+/=-]+)$/;

export class AdminService {
  readonly #deps: AdminDependencies;
  readonly #router: AdminRouter;
  readonly #ajv = new Ajv({ strict: true, allowUnionTypes: true, ownProperties: true });
  readonly #validators = new Map<TSchema, ValidateFunction>();

  constructor(deps: AdminDependencies, operations: readonly AdminOperation[]) {
    this.#deps = deps;
    this.#router = new AdminRouter(operations);
  }

  /** `path`: below the base. Never throws: what fails is an answer. */
  async serve(request: AdminRequest, path: string): Promise<AdminAnswer> {
    let route: AdminRoute | undefined;
    let caller: Caller | undefined;
    try {
      route = this.#router.route(request.method, path);
      if (request.method !== "GET" && this.#deps.audit?.mustRefuse === true) throw auditIsFull();
      const { admission } = route.operation;
      caller = admission === "open" ? undefined : await this.caller(request);
      const answer = await this.#run(route, request, caller);
      this.#note(route, { request, caller, failure: undefined });
      return answer;
    } catch (thrown) {
      const failure = toAdminError(thrown);
      this.#note(route, { request, caller, failure });
      return errorAnswer(failure, request);
    }
  }

  /**
   * A call from within this process, in the name of `caller`; noted like all others. Throws
   * AdminError.
   */
  async callAs(caller: Caller, request: AdminRequest): Promise<AdminAnswer> {
    let route: AdminRoute | undefined;
    try {
      route = this.#router.route(request.method, request.path);
      const answer = await this.#run(route, request, caller);
      this.#note(route, { request, caller, failure: undefined });
      return answer;
    } catch (thrown) {
      const failure = toAdminError(thrown);
      this.#note(route, { request, caller, failure });
      throw failure;
    }
  }

  async #run(
    { operation, parameters }: AdminRoute,
    request: AdminRequest,
    caller: Caller | undefined,
  ): Promise<AdminAnswer> {
    const { admission } = operation;
    const context: AdminContext = {
      deps: this.#deps,
      request,
      caller,
      parameters,
      query: request.query,
      body: undefined,
    };
    if (admission !== "open" && admission !== "anybody") {
      if (caller === undefined) throw notSignedIn();
      if (admission !== "caller") authorize(context, admission);
    }
    const answer = await operation.run({ ...context, body: this.#checkedBody(operation, request) });
    const { body } = answer;
    if (body.kind !== "events" || caller?.session === undefined) return answer;
    const events = this.#whileHeMay(body.events, { ...context, admission });
    return { ...answer, body: { kind: "events", events } };
  }

  /** What comes after the session's end, or the end of his rights, is not for him any more. */
  async *#whileHeMay(
    events: AsyncIterable<ServerEvent>,
    context: AdminContext & { readonly admission: Admission },
  ): AsyncGenerator<ServerEvent> {
    const { clock } = this.#deps;
    let checkedMs = clock.monotonicMs();
    for await (const event of events) {
      const nowMs = clock.monotonicMs();
      if (nowMs - checkedMs >= CHECK_MS) {
        if (!(await this.#stillMay(context))) return;
        checkedMs = nowMs;
      }
      yield event;
    }
  }

  async #stillMay(context: AdminContext & { readonly admission: Admission }): Promise<boolean> {
    const { admission, request } = context;
    const caller = await sessionCaller(this.#deps, request);
    if (caller === undefined) return false;
    if (typeof admission === "string") return true;
    try {
      authorize({ ...context, caller }, admission);
      return true;
    } catch (error) {
      if (error instanceof AdminError && error.status === 403) return false;
      throw error;
    }
  }

  /**
   * Who sent the request: by signature, access token or the console's session; undefined without
   * any. Throws AdminError, S3Error.
   */
  async caller(request: AdminRequest): Promise<Caller | undefined> {
    const { identities, authentication } = this.#deps;
    const header = request.headers.get("authorization");
    const token = header === undefined ? undefined : BEARER.exec(header)?.[1];
    if (token !== undefined) {
      const identity = await identities.ofToken(token, request.signed);
      if (identity === undefined) throw new AdminError(403, "InvalidToken", "No such token.");
      return { identity, session: undefined };
    }
    // What else says who it is (the certificate of the connection, a default user) is no proof that
    // he meant this call.
    if (!isSigned(request.signed)) return sessionCaller(this.#deps, request);
    const bodySha256 = toHex(createHash("sha256").update(request.body).digest());
    const service = { services: SERVICES, bodySha256 };
    const { identity, payload } = await authentication.authenticate(request.signed, service);
    if (identity.kind === "anonymous") throw notSignedIn();
    const isWhole = payload.kind === "hashed" && toHex(payload.sha256) === bodySha256;
    const isEmpty = payload.kind === "unsigned" && request.body.byteLength === 0;
    // Also signatures that cover no body (presigned addresses, Version 2) must not bring one.
    if (!isWhole && !isEmpty) {
      throw new AdminError(400, "XAmzContentSHA256Mismatch", "The body is not what was signed.");
    }
    return { identity, session: undefined };
  }

  #checkedBody(operation: AdminOperation, request: AdminRequest): unknown {
    const { body: schema, method } = operation;
    if (schema === undefined) {
      const isEmpty = request.body.byteLength === 0 || jsonText(request) === "{}";
      if (isEmpty || method === "GET") return undefined;
      throw invalidArgument(`${operation.name} takes no body`);
    }
    const value = jsonBody(request) ?? {};
    const validate = this.#validatorOf(schema);
    if (validate(value)) return value;
    const [error] = validate.errors ?? [];
    const at = error?.instancePath ?? "";
    const extra: unknown = error?.params.additionalProperty;
    const name = typeof extra === "string" ? ` "${extra}"` : "";
    throw invalidArgument(`${at === "" ? "the body" : at} ${error?.message ?? "is wrong"}${name}`);
  }

  #validatorOf(schema: TSchema): ValidateFunction {
    const known = this.#validators.get(schema);
    if (known !== undefined) return known;
    const made = this.#ajv.compile(schema);
    this.#validators.set(schema, made);
    return made;
  }

  #note(
    route: AdminRoute | undefined,
    how: {
      readonly request: AdminRequest;
      readonly caller: Caller | undefined;
      readonly failure: AdminError | undefined;
    },
  ): void {
    const { request, caller, failure } = how;
    const action = route?.operation.name ?? "none";
    const outcome = failure?.code ?? "ok";
    this.#deps.counters.requests.increment({ action, outcome });
    const { log, events } = this.#deps;
    const { requestId, method } = request;
    if (failure !== undefined && failure.status >= 500) {
      log.error("an admin call failed", failure.cause ?? failure, { requestId, action });
    }
    const isWrite = method !== "GET" && route?.operation.readOnly !== true;
    if (!isWrite && failure?.status !== 403) return;
    const actor = caller?.identity.userName ?? caller?.identity.userId ?? "anonymous";
    const target = Object.values(route?.parameters ?? {}).join("/");
    const { remoteAddress } = request.origin;
    const accessKeyId = caller?.identity.accessKeyId;
    log.info("admin", {
      audit: true,
      requestId,
      actor,
      accessKeyId,
      action,
      target,
      outcome,
      remoteAddress,
    });
    this.#deps.audit?.record({
      kind: "admin",
      timeMs: this.#deps.clock.wallMs(),
      ...{ requestId, accessKeyId, action, resource: target, result: outcome },
      who: caller === undefined ? undefined : actor,
      source: remoteAddress,
    });
    if (isWrite)
      events.add("admin", `${actor} ${action} ${target}: ${outcome}`, {
        actor,
        action,
        target,
        outcome,
      });
  }
}

function jsonText({ body }: AdminRequest): string {
  return Buffer.from(body.subarray(0, 16)).toString("latin1").trim();
}

function notSignedIn(): AdminError {
  return new AdminError(401, "NotSignedIn", "Sign in, or sign the request.");
}

export function errorAnswer(
  error: AdminError,
  { requestId }: { readonly requestId: string },
): AdminAnswer {
  const { status, code, message } = error;
  return json({ error: { code, message, requestId } }, status);
}
