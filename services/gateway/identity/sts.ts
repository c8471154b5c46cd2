// The security token service: who am I, temporary credentials for myself, for a role, for somebody
// whom an identity provider vouches for. Guarantees that a session never does more than whoever
// asked for it, or the role he may become, could do himself. Source: AWS STS API reference; IAM
// user guide, "Using an OIDC identity provider", "Policies and permissions: session policies".
import { createHash, timingSafeEqual } from "node:crypto";
import { isStoreError } from "../../lib/base/errors.ts";
import type { DirectoryView, IdentityDirectory } from "../../lib/clients/identity-directory.ts";
import type { RoleRecord } from "../../lib/gen/dolium/record/v1/identity_pb.ts";
import { evaluate } from "../../lib/iam/evaluate.ts";
import { explainDecision } from "../../lib/iam/explain.ts";
import type { ConditionContext } from "../../lib/iam/model.ts";
import { parseTrustPolicy } from "../../lib/iam/policy.ts";
import type { Caller } from "../../lib/iam/statement-match.ts";
import { evaluateTrust } from "../../lib/iam/trust.ts";
import type { Clock } from "../../lib/ports/clock.ts";
import type { Log } from "../../lib/ports/log.ts";
import type { Counter, Metrics } from "../../lib/ports/metrics.ts";
import type { Random } from "../../lib/ports/random.ts";
import { QueryParameters } from "../../lib/s3/query-parameters.ts";
import { XmlWriter } from "../../lib/s3/xml-writer.ts";
import type { ClusterKeys } from "../../lib/seal/cluster-keys.ts";
import type { Answer } from "../answer.ts";
import { conditionContext } from "../data/access/condition-context.ts";
import type { Authentication, Identity, UserIdentity } from "../plugins/authentication.ts";
import type { S3Request } from "../request.ts";
import type { OidcProviders } from "./oidc.ts";
import { isExpiredToken } from "./oidc-provider.ts";
import { later, sessionStartMs, sessionsFromMsOf } from "./session-start.ts";
import { newSession, type SessionClaims, type TemporaryCredentials } from "./session-token.ts";
import { STS_NAMESPACE, StsError, stsErrorDocument, toStsError } from "./sts-error.ts";
import {
  durationOf,
  optional,
  required,
  roleOf,
  sessionNameOf,
  sessionPolicies,
} from "./sts-parameters.ts";

/** There is one account; clients want its number. */
export const ACCOUNT = "000000000000";
const VERSION = "2011-06-15";
const ACTIONS = [
  "AssumeRole",
  "AssumeRoleWithWebIdentity",
  "GetCallerIdentity",
  "GetSessionToken",
] as const;
const SERVICES: ReadonlySet<string> = new Set(["sts", "s3"]);
const HOUR = 3600;
const OWN_SECONDS_MAX = 36 * HOUR;
const OWN_SECONDS = 12 * HOUR;

type StsAction = (typeof ACTIONS)[number];

export interface StsDeps {
  readonly authentication: Pick<Authentication, "authenticate">;
  readonly directory: Pick<IdentityDirectory, "view">;
  readonly keys: ClusterKeys;
  /** Of the root user's sessions. */
  readonly rootBinding: string;
  readonly oidc: Pick<OidcProviders, "verifyToken">;
  readonly region: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
}

interface StsCall {
  readonly request: S3Request;
  readonly parameters: QueryParameters;
  readonly action: StsAction;
  readonly identity: Identity;
}

type Field = readonly [name: string, value: string];
/** What stands in the result: leaves, or elements of leaves. */
type Result = readonly (Field | readonly [name: string, fields: readonly Field[]])[];

export interface StsWatcher {
  /** Told who asks as soon as that is known; may throw S3Error SlowDown. */
  readonly onIdentity: (identity: UserIdentity) => void;
  /** Told "ok" or the code of the refusal before the answer is given. */
  readonly onOutcome?: (outcome: string) => void;
}

/** Whether the form asks for something of this service, for listeners that serve others too. */
export function isStsForm(parameters: QueryParameters): boolean {
  return ACTIONS.some((action) => action === parameters.get("Action"));
}

export class Sts {
  readonly #deps: StsDeps;
  readonly #requests: Counter;

  constructor(deps: StsDeps) {
    this.#deps = deps;
    this.#requests = deps.metrics.counter("sts_requests_total", {
      help: "Requests for temporary credentials, by action and outcome.",
      labels: ["action", "outcome"],
    });
  }

  /** A form, posted to where S3 has no action for it. */
  takes({ method, address, headers, view }: S3Request): boolean {
    const type = headers.get("content-type") ?? "";
    const isForm = /^application\/x-www-form-urlencoded(?:;|$)/i.test(type);
    return method === "POST" && address.bucket === undefined && view === undefined && isForm;
  }

  /** Answers a POST whose body is a form of the query protocol. Never throws. */
  async handle(request: S3Request, body: Uint8Array, watcher: StsWatcher): Promise<Answer> {
    let action = "unknown";
    try {
      const parameters = formOf(body);
      action = actionOf(parameters);
      const call = await this.#call(request, { body, parameters });
      if (call.identity.kind === "user") watcher.onIdentity(call.identity);
      const result = await this.#run(call);
      this.#requests.increment({ action, outcome: "ok" });
      watcher.onOutcome?.("ok");
      return xml(200, resultDocument(call.action, result, request.requestId));
    } catch (thrown) {
      const error = toStsError(thrown);
      this.#requests.increment({ action, outcome: error.code });
      watcher.onOutcome?.(error.code);
      if (error.status >= 500) this.#deps.log.error("an STS request failed", thrown, { action });
      return xml(error.status, stsErrorDocument(error, request.requestId));
    }
  }

  async #call(
    request: S3Request,
    { body, parameters }: { readonly body: Uint8Array; readonly parameters: QueryParameters },
  ): Promise<StsCall> {
    const action = actionOf(parameters);
    if ((optional(parameters, "Version") ?? VERSION) !== VERSION) {
      throw new StsError("InvalidAction", `The version of the API is ${VERSION}.`);
    }
    if (action === "AssumeRoleWithWebIdentity") {
      return { request, parameters, action, identity: { kind: "anonymous" } };
    }
    const digest = createHash("sha256").update(body).digest();
    const { identity, payload } = await this.#deps.authentication.authenticate(request, {
      services: SERVICES,
      bodySha256: digest.toString("hex"),
    });
    if (identity.kind === "anonymous") {
      throw new StsError("MissingAuthenticationToken", "The request must be signed.");
    }
    if (payload.kind !== "hashed" || !timingSafeEqual(payload.sha256, digest)) {
      throw new StsError("SignatureDoesNotMatch", "The signature does not cover the body.");
    }
    return { request, parameters, action, identity };
  }

  #run(call: StsCall): Promise<Result> {
    const { identity } = call;
    if (call.action === "AssumeRoleWithWebIdentity" || identity.kind === "anonymous") {
      return this.#assumeRoleWithWebIdentity(call);
    }
    switch (call.action) {
      case "GetCallerIdentity":
        return Promise.resolve(callerIdentity(identity));
      case "GetSessionToken":
        return this.#getSessionToken(call, identity);
      case "AssumeRole":
        return this.#assumeRole(call, identity);
    }
  }

  async #getSessionToken(call: StsCall, identity: UserIdentity): Promise<Result> {
    const context = this.#context(call);
    const { principal, userName } = identity;
    const question = { principal, action: "sts:GetSessionToken", resource: "*", context };
    const decision = evaluate({ ...question, bucket: undefined, object: undefined });
    // A token's scope, and a session's policies, would be lost.
    const isDerived = identity.isToken === true || identity.session !== undefined;
    if (!decision.allowed || isDerived || userName === undefined) {
      throw accessDenied("sts:GetSessionToken", isDerived ? "" : explainDecision(decision));
    }
    const isRoot = userName === "root";
    const max = isRoot ? HOUR : OWN_SECONDS_MAX;
    const seconds = durationOf(call.parameters, { fallback: OWN_SECONDS, max });
    const subject = isRoot
      ? ({ kind: "root", binding: this.#deps.rootBinding } as const)
      : ({ kind: "user", name: userName } as const);
    const fromMs = sessionsFromMsOf(await this.#view(call), userName);
    return [["Credentials", fieldsOf(this.#session(subject, seconds, { policies: [], fromMs }))]];
  }

  async #assumeRole(call: StsCall, identity: UserIdentity): Promise<Result> {
    const { parameters } = call;
    const { name, arn } = roleOf(parameters);
    const sessionName = sessionNameOf(parameters);
    const view = await this.#view(call);
    const context = new Map(this.#context(call));
    context.set("sts:rolesessionname", [sessionName]);
    const externalId = optional(parameters, "ExternalId");
    if (externalId !== undefined) context.set("sts:externalid", [externalId]);
    if (identity.isToken === true) throw accessDenied("sts:AssumeRole", "");
    const role = view.role(name);
    this.#checkTrust({ role, arn, context, callers: [identity.principal] });
    // From role to role for an hour at most, as on AWS.
    const max = identity.session === undefined ? sessionSecondsMax(role) : HOUR;
    const seconds = durationOf(parameters, { fallback: HOUR, max });
    const user = identity.session?.user ?? identity.userName ?? "";
    const subject = { kind: "role", name, sessionName, user } as const;
    const policies = sessionPolicies(parameters, view);
    const fromMs = later(role?.createdMs ?? 0n, sessionsFromMsOf(view, user));
    const made = this.#session(subject, seconds, { policies, fromMs });
    const by = identity.principal.arn;
    this.#deps.log.info("a role was assumed", { audit: true, role: name, sessionName, by });
    return [
      ["Credentials", fieldsOf(made)],
      ["AssumedRoleUser", assumedRole(name, sessionName)],
    ];
  }

  async #assumeRoleWithWebIdentity(call: StsCall): Promise<Result> {
    const { parameters } = call;
    const { name, arn } = roleOf(parameters);
    const sessionName = sessionNameOf(parameters);
    const { provider, claims } = await this.#verified(required(parameters, "WebIdentityToken"));
    const view = await this.#view(call);
    const host = provider.issuer.replace(/^https?:\/\//, "").toLowerCase();
    const context = new Map(this.#context(call));
    context.set("sts:rolesessionname", [sessionName]);
    for (const [claim, value] of Object.entries(claims)) {
      const values = textsOf(value);
      if (values.length > 0) context.set(`${host}:${claim.toLowerCase()}`, values);
    }
    const role = view.role(name);
    const names = [provider.issuer, host, provider.name, ...providerArns(role, host)];
    const callers = names.map((one) => ({ kind: "federated", provider: one }) as const);
    this.#checkTrust({ role, arn, context, callers });
    const seconds = durationOf(parameters, { fallback: HOUR, max: sessionSecondsMax(role) });
    const subject = { kind: "role", name, sessionName, user: "" } as const;
    const policies = sessionPolicies(parameters, view);
    const made = this.#session(subject, seconds, { policies, fromMs: role?.createdMs ?? 0n });
    const by = `${provider.name} ${claims.sub}`;
    this.#deps.log.info("a role was assumed", { audit: true, role: name, sessionName, by });
    return [
      ["Credentials", fieldsOf(made)],
      ["SubjectFromWebIdentityToken", claims.sub],
      ["AssumedRoleUser", assumedRole(name, sessionName)],
      ["Provider", provider.issuer],
      ["Audience", textsOf(claims.aud)[0] ?? ""],
    ];
  }

  async #verified(token: string): ReturnType<OidcProviders["verifyToken"]> {
    try {
      return await this.#deps.oidc.verifyToken(token);
    } catch (error) {
      if (isExpiredToken(error)) {
        throw new StsError("ExpiredTokenException", "The token has expired.", { cause: error });
      }
      if (isStoreError(error, "denied")) {
        throw new StsError("InvalidIdentityToken", `No valid token: ${error.message}.`, {
          cause: error,
        });
      }
      throw new StsError("IDPCommunicationError", "The identity provider does not answer.", {
        cause: error,
      });
    }
  }

  /** Says the same of a role that is not there and of one that does not trust. */
  #checkTrust(question: {
    readonly role: RoleRecord | undefined;
    readonly arn: string;
    readonly context: ConditionContext;
    /** The same one, by each of his names. */
    readonly callers: readonly Caller[];
  }): asserts question is typeof question & { readonly role: RoleRecord } {
    const { role, arn, context, callers } = question;
    const isFederated = callers.some(({ kind }) => kind === "federated");
    const action = isFederated ? "sts:AssumeRoleWithWebIdentity" : "sts:AssumeRole";
    if (role === undefined) throw accessDenied(action, "");
    const policy = parseTrustPolicy(role.trustPolicy);
    const trust = { source: `trust policy of role ${role.name}`, policy };
    const decisions = callers.map((caller) =>
      evaluateTrust({ caller, action, role: arn, trust, context }),
    );
    const isDenied = decisions.some(({ by }) => by.rule === "explicit-deny");
    if (isDenied || !decisions.some(({ allowed }) => allowed)) throw accessDenied(action, "");
  }

  #session(
    subject: SessionClaims["subject"],
    seconds: number,
    { policies, fromMs }: { readonly policies: readonly string[]; readonly fromMs: bigint },
  ): TemporaryCredentials {
    const { keys, clock, random } = this.#deps;
    const issuedMs = sessionStartMs(clock.wallMs(), fromMs);
    const expiresMs = issuedMs + seconds * 1000;
    return newSession(keys, { subject, policies, issuedMs, expiresMs }, random);
  }

  #context({ request, identity, action }: StsCall): ConditionContext {
    return conditionContext({
      identity,
      request,
      region: this.#deps.region,
      action: `sts:${action}`,
      headers: request.headers,
      isForm: false,
      versionId: undefined,
      viewPrefix: undefined,
      existingTags: undefined,
      fromBody: undefined,
    });
  }

  #view({ request }: StsCall): Promise<DirectoryView> {
    return this.#deps.directory.view({ requestId: request.requestId });
  }
}

function formOf(body: Uint8Array): QueryParameters {
  return QueryParameters.parse(Buffer.from(body).toString("latin1"));
}

function actionOf(parameters: QueryParameters): StsAction {
  const name = required(parameters, "Action");
  const action = ACTIONS.find((known) => known === name);
  if (action !== undefined) return action;
  throw new StsError("InvalidAction", "There is no such action here.");
}

function accessDenied(action: string, why: string): StsError {
  const reason = why === "" ? "" : ` ${why}`;
  return new StsError("AccessDenied", `You are not authorized to perform ${action}.${reason}`);
}

function sessionSecondsMax(role: RoleRecord | undefined): number {
  const seconds = role?.sessionSecondsMax ?? 0;
  return seconds === 0 ? HOUR : seconds;
}

/** How a trust policy may write the provider: with any account. */
function providerArns(role: RoleRecord | undefined, host: string): string[] {
  if (role === undefined) return [];
  const values = parseTrustPolicy(role.trustPolicy).statements.flatMap(
    ({ principals }) => principals?.values ?? [],
  );
  const isOurs = (value: string): boolean => value.toLowerCase().endsWith(`:oidc-provider/${host}`);
  return values.filter(({ value }) => isOurs(value)).map(({ value }) => value);
}

/** Claims as values of condition keys: texts, numbers, truth values, lists of them. */
function textsOf(claim: unknown): string[] {
  const list: readonly unknown[] = Array.isArray(claim) ? claim : [claim];
  return list.flatMap((one) => {
    if (typeof one === "string") return [one];
    return typeof one === "number" || typeof one === "boolean" ? [String(one)] : [];
  });
}

function callerIdentity({ principal, userId }: UserIdentity): Result {
  return [
    ["Arn", principal.arn],
    ["UserId", userId],
    ["Account", ACCOUNT],
  ];
}

function assumedRole(role: string, sessionName: string): readonly Field[] {
  return [
    ["AssumedRoleId", `${role}:${sessionName}`],
    ["Arn", `arn:aws:sts:::assumed-role/${role}/${sessionName}`],
  ];
}

function fieldsOf(made: TemporaryCredentials): readonly Field[] {
  return [
    ["AccessKeyId", made.accessKeyId],
    ["SecretAccessKey", made.secretAccessKey],
    ["SessionToken", made.sessionToken],
    ["Expiration", new Date(made.expiresMs).toISOString().replace(/\.[0-9]+Z$/, "Z")],
  ];
}

function resultDocument(action: string, result: Result, requestId: string): string {
  const writer = new XmlWriter()
    .open(`${action}Response`, [["xmlns", STS_NAMESPACE]])
    .open(`${action}Result`);
  for (const [name, value] of result) {
    if (typeof value === "string") {
      writer.leaf(name, value);
      continue;
    }
    writer.open(name);
    for (const [field, text] of value) writer.leaf(field, text);
    writer.close(name);
  }
  return writer
    .close(`${action}Result`)
    .open("ResponseMetadata")
    .leaf("RequestId", requestId)
    .close("ResponseMetadata")
    .close(`${action}Response`)
    .finish();
}

function xml(status: number, text: string): Answer {
  return {
    status,
    headers: [["Content-Type", "text/xml"]],
    body: { kind: "bytes", bytes: Buffer.from(text) },
  };
}
