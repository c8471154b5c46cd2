// Who may call what. One rule for every row of the table: explicit denials and bounds (scopes of
// tokens, session policies, boundaries) always hold; administrators may else do everything; others
// what a policy allows, and a few things to themselves. Nobody hands out more than he has: what
// gives rights away is for administrators alone, and whoever may manage users by a policy can touch
// plain users only.
import { create } from "@bufbuild/protobuf";
import { type UserRecord, UserRecordSchema } from "../../lib/gen/dolium/record/v1/identity_pb.ts";
import { evaluate } from "../../lib/iam/evaluate.ts";
import { explainDecision } from "../../lib/iam/explain.ts";
import type { BucketFacts, Decision } from "../../lib/iam/model.ts";
import { formatIsoDate } from "../../lib/s3/http-date.ts";
import type { Caller } from "./admin-caller.ts";
import type { DirectoryView } from "./admin-dependencies.ts";
import { AdminError, accessDenied } from "./admin-error.ts";
import { type AdminContext, type AdminPermission, parameter } from "./admin-operation.ts";

export const ROOT_USER = "root";

/** The caller of an operation that is not open. */
export function callerOf({ caller }: Pick<AdminContext, "caller">): Caller {
  if (caller !== undefined) return caller;
  throw new AdminError(401, "NotSignedIn", "Sign in, or sign the request.");
}

export function isAdministrator(context: Pick<AdminContext, "caller">): boolean {
  return callerOf(context).identity.principal.administrator;
}

/**
 * Name of the user that the caller is himself; undefined for service accounts, which act in the
 * name of another, and in sessions of roles.
 */
function ownName({ identity: { principal, userId } }: Caller): string | undefined {
  const isHimself = principal.ownsByName && principal.arn === `arn:aws:iam:::user/${userId}`;
  return isHimself ? userId : undefined;
}

/** Whose buckets the caller's are: of a service account, those of its user. */
export function callerName(context: Pick<AdminContext, "caller">): string {
  return callerOf(context).identity.userId;
}

/** Throws AdminError 403 unless the caller may. */
export function authorize(context: AdminContext, permission: AdminPermission): void {
  const caller = callerOf(context);
  const { principal } = caller.identity;
  const decision = decide(context, permission.action, resourceOf(context, permission));
  const { rule } = decision.by;
  if (permission.administratorsOnly === true) {
    if (decision.allowed && principal.administrator) return;
    throw refused(context, permission.action, decision);
  }
  if (decision.allowed) return;
  const isOwn = permission.self === true && permission.on?.kind === "user";
  const isSelf = isOwn && parameter(context, permission.on.parameter) === ownName(caller);
  // Not where a denial or a bound said no: a token that may only read makes no keys.
  if (isSelf && rule === "no-rule-allows") return;
  throw refused(context, permission.action, decision);
}

/** What lib/iam says; `bucket` where the resource is one. */
export function decide(
  context: AdminContext,
  action: string,
  resource: string,
  bucket?: BucketFacts,
): Decision {
  const { principal } = callerOf(context).identity;
  return evaluate({
    principal,
    action,
    resource,
    bucket,
    object: undefined,
    context: conditionContext(context),
  });
}

export function refused(context: AdminContext, action: string, decision: Decision): AdminError {
  context.deps.counters.denied.increment({ action, rule: decision.by.rule });
  return accessDenied(`${action}: ${explainDecision(decision)}`);
}

function resourceOf(context: AdminContext, { on }: AdminPermission): string {
  if (on === undefined) return "*";
  const name = parameter(context, on.parameter);
  return on.kind === "bucket" ? `arn:aws:s3:::${name}` : `arn:aws:iam:::${on.kind}/${name}`;
}

/** Keys that only the server knows; nothing of the client's own words but its user agent. */
function conditionContext(context: AdminContext): ReadonlyMap<string, readonly string[]> {
  const { request } = context;
  const { principal, userId } = callerOf(context).identity;
  const seconds = Math.floor(request.receivedMs / 1000);
  const keys = new Map<string, readonly string[]>([
    ["aws:sourceip", [request.origin.remoteAddress]],
    ["aws:securetransport", [String(request.origin.isSecure)]],
    ["aws:currenttime", [formatIsoDate(request.receivedMs)]],
    ["aws:epochtime", [String(seconds)]],
    ["aws:username", [userId]],
    ["aws:userid", [userId]],
    ["aws:principalarn", [principal.arn]],
    ["aws:principaltype", [principal.arn.includes(":assumed-role/") ? "AssumedRole" : "User"]],
  ]);
  const agent = request.headers.get("user-agent");
  if (agent !== undefined) keys.set("aws:useragent", [agent]);
  return keys;
}

/**
 * For changes of another user's keys, state and the like: whoever is no administrator may touch
 * plain users only, since with a key of somebody he can do what that one can.
 */
export function checkTarget(context: AdminContext, view: DirectoryView, target: UserRecord): void {
  const caller = callerOf(context);
  if (caller.identity.principal.administrator || target.name === ownName(caller)) return;
  if (isPlain(view, target)) return;
  throw accessDenied(`Only administrators may change ${target.name}, who has rights of its own.`);
}

/** Neither administrator nor given anything by policies, groups or roles' trust. */
function isPlain(view: DirectoryView, user: UserRecord): boolean {
  if (user.administrator || user.policies.length > 0 || user.attachedPolicies.length > 0) {
    return false;
  }
  const groups = user.groups.map((name) => view.group(name));
  return groups.every(
    (group) => group === undefined || group.policies.length + group.attachedPolicies.length === 0,
  );
}

/** The cluster's own user, who is not in the directory. */
export function rootRecord(): UserRecord {
  return create(UserRecordSchema, {
    name: ROOT_USER,
    displayName: "root",
    administrator: true,
  });
}
