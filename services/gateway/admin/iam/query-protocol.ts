// The query protocol of IAM: forms with an Action posted to `/`, answers and errors in XML. Each
// action asks for the same permission as its row of the admin API, and changes the same records.
// Source: AWS Identity and Access Management API reference, version 2010-05-08.
import { fromUtf8, utf8 } from "../../../lib/base/bytes.ts";
import { escapeXml, XML_DECLARATION } from "../../../lib/s3/xml-writer.ts";
import type { UserIdentity } from "../../plugins/authentication.ts";
import { authorize } from "../admin-access.ts";
import { type AdminAnswer, bytes } from "../admin-answer.ts";
import type { Caller } from "../admin-caller.ts";
import type { AdminDependencies } from "../admin-dependencies.ts";
import { AdminError, auditIsFull, toAdminError } from "../admin-error.ts";
import type { AdminContext } from "../admin-operation.ts";
import type { AdminRequest } from "../admin-request.ts";
import type { IamAction } from "./iam-action.ts";
import { IAM_ACTIONS } from "./iam-actions.ts";
import { type XmlValue, xmlOf } from "./iam-xml.ts";

export const IAM_VERSION = "2010-05-08";
const NAMESPACE = "https://iam.amazonaws.com/doc/2010-05-08/";
const PARAMETERS_MAX = 1000;
/** Of STS: it gives nothing away that the caller has not shown. */
const CALLER_IDENTITY = "GetCallerIdentity";

export interface IamProtocolDeps {
  readonly deps: AdminDependencies;
  /** Who sent the request. Throws AdminError, S3Error. */
  readonly caller: (request: AdminRequest) => Promise<Caller | undefined>;
  /** Actions of STS; undefined: the action is none of them. */
  readonly sts: (request: AdminRequest) => Promise<ServedSts | undefined>;
}

/** What the security token service made of a form. */
export interface ServedSts {
  readonly answer: AdminAnswer;
  /** Undefined: nobody who is known. */
  readonly identity: UserIdentity | undefined;
  /** "ok", or the code of the refusal. */
  readonly outcome: string;
}

export class IamProtocol {
  readonly #how: IamProtocolDeps;
  readonly #actions: ReadonlyMap<string, IamAction>;

  constructor(how: IamProtocolDeps) {
    this.#how = how;
    this.#actions = new Map(IAM_ACTIONS.map((action) => [action.name, action]));
  }

  /** Never throws: what fails is an error document. */
  async serve(request: AdminRequest): Promise<AdminAnswer> {
    let name = "none";
    let caller: Caller | undefined;
    let target = "";
    try {
      if (this.#how.deps.audit?.mustRefuse === true) throw auditIsFull();
      const form = formOf(request);
      name = form.get("Action") ?? "";
      const served = await this.#how.sts(request);
      if (served !== undefined) {
        const { answer, identity, outcome } = served;
        const isWrite = outcome !== "ok" || name !== CALLER_IDENTITY;
        this.#note({ name, target, request, identity, outcome, isWrite });
        return answer;
      }
      const action = this.#actions.get(name);
      if (action === undefined) {
        name = "unknown";
        throw new AdminError(400, "InvalidAction", "There is no such action in this version.");
      }
      target = action.subject === undefined ? "" : lastOfArn(form.get(action.subject) ?? "");
      caller = await this.#how.caller(request);
      const result = await this.#run(action, { request, form, caller });
      const { identity } = caller ?? {};
      this.#note({ name, target, request, identity, outcome: "ok", isWrite: action.isWrite });
      return xmlAnswer(200, document(name, result, request));
    } catch (thrown) {
      const error = toAdminError(thrown);
      const { identity } = caller ?? {};
      this.#note({ name, target, request, identity, outcome: error.code, isWrite: true });
      if (error.status >= 500)
        this.#how.deps.log.error("an IAM call failed", thrown, { action: name });
      return xmlAnswer(error.status, errorDocument(error, request));
    }
  }

  async #run(
    action: IamAction,
    how: {
      readonly request: AdminRequest;
      readonly form: URLSearchParams;
      readonly caller: Caller | undefined;
    },
  ): Promise<XmlValue | undefined> {
    const { request, form, caller } = how;
    if (caller === undefined) {
      throw new AdminError(403, "MissingAuthenticationToken", "The request is not signed.");
    }
    const { on } = action.permission;
    const asked = on === undefined ? "" : (form.get(action.subject ?? "") ?? "");
    const self = caller.identity.userName ?? caller.identity.userId;
    // As AWS: actions on users are about the caller where no name is given.
    const name = asked === "" && on?.kind === "user" ? self : lastOfArn(asked);
    const context: AdminContext = {
      deps: this.#how.deps,
      request,
      caller,
      parameters: on === undefined ? {} : { [on.parameter]: name },
      query: form,
      body: undefined,
    };
    authorize(context, action.permission);
    return action.run({ context, form, name });
  }

  #note(facts: {
    readonly name: string;
    /** What it is about, without the account. */
    readonly target: string;
    readonly request: AdminRequest;
    readonly identity: UserIdentity | undefined;
    readonly outcome: string;
    readonly isWrite: boolean;
  }): void {
    const { name: action, target, request, identity, outcome, isWrite } = facts;
    const { counters, log, audit, clock } = this.#how.deps;
    counters.requests.increment({ action, outcome });
    if (!isWrite) return;
    const actor = identity?.userName ?? identity?.userId ?? "anonymous";
    const { requestId, origin } = request;
    const { remoteAddress } = origin;
    log.info("admin", { audit: true, requestId, actor, action, outcome, remoteAddress });
    audit?.record({
      kind: "admin",
      timeMs: clock.wallMs(),
      ...{ requestId, action, resource: target, result: outcome, source: remoteAddress },
      who: identity === undefined ? undefined : actor,
      accessKeyId: identity?.accessKeyId,
    });
  }
}

/** `arn:aws:iam::...:policy/NAME` is NAME; what is no ARN stays. */
export function lastOfArn(text: string): string {
  return /^arn:aws:iam:[^:]*:[^:]*:[a-z]+\/(?:.*\/)?([^/]+)$/.exec(text)?.[1] ?? text;
}

function formOf({ body }: AdminRequest): URLSearchParams {
  const text = fromUtf8(body);
  if (text === undefined) throw new AdminError(400, "MalformedInput", "the form is not UTF-8");
  const form = new URLSearchParams(text);
  if ([...form.keys()].length > PARAMETERS_MAX) {
    throw new AdminError(400, "MalformedInput", "the form has too many fields");
  }
  return form;
}

function xmlAnswer(status: number, text: string): AdminAnswer {
  return { ...bytes("text/xml; charset=utf-8", utf8(text)), status };
}

function document(action: string, result: XmlValue | undefined, request: AdminRequest): string {
  const inner = result === undefined ? "" : xmlOf(`${action}Result`, result);
  const metadata = `<ResponseMetadata><RequestId>${request.requestId}</RequestId></ResponseMetadata>`;
  return `${XML_DECLARATION}<${action}Response xmlns="${NAMESPACE}">${inner}${metadata}</${action}Response>\n`;
}

/** Codes of IAM for those of the API; others are codes of IAM already. */
function iamCode({ status, code }: AdminError): string {
  if (code === "DeleteConflict" || code === "MalformedPolicyDocument") return code;
  if (code === "Conflict") return "ConcurrentModification";
  if (status === 404) return "NoSuchEntity";
  if (status === 409) return "EntityAlreadyExists";
  if (status === 429) return "Throttling";
  if (status >= 500) return status === 503 ? "ServiceUnavailable" : "ServiceFailure";
  if (status === 400 && code === "InvalidArgument") return "ValidationError";
  if (code === "InvalidAccessKeyId") return "InvalidClientTokenId";
  return code;
}

function errorDocument(error: AdminError, { requestId }: AdminRequest): string {
  const type = error.status >= 500 ? "Receiver" : "Sender";
  const code = `<Code>${escapeXml(iamCode(error))}</Code>`;
  const inner = `<Type>${type}</Type>${code}<Message>${escapeXml(error.message)}</Message>`;
  return `${XML_DECLARATION}<ErrorResponse xmlns="${NAMESPACE}"><Error>${inner}</Error><RequestId>${requestId}</RequestId></ErrorResponse>\n`;
}
