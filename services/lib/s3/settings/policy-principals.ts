// Principals of policies, as they are written and as they are meant. There is one account here, so
// that the account in an ARN says nothing; users may also be written by their bare name. A pattern
// is refused in a principal: it would match nobody, which is not what a Deny with one is meant to
// do. Source: AWS IAM user guide, "AWS JSON policy elements: Principal".
import type { PolicyPrincipal } from "./policy-grammar.ts";
import { fieldsOf, malformedPolicy, textsOf } from "./policy-json.ts";

const TYPES = ["AWS", "CanonicalUser", "Federated", "Service"] as const;
const MESSAGE = "Invalid principal in policy";
/** `*`, an account number, an ARN, or the unique id of a user that was removed. */
const AWS_PRINCIPAL =
  /^(?:\*|[0-9]{12}|[A-Z0-9]{16,128}|arn:[a-z0-9-]+:(?:iam|sts):[^:*?]*:[^:*?]*:[^\s*?]+)$/;
/** A user's bare name: that of a person and an organisation. */
const USER_NAME = /^[a-z0-9][a-z0-9.-]*_[a-z0-9._-]*[a-z0-9]$/;
const USER_NAME_MAX = 63;

/** Value of Principal or NotPrincipal. Throws MalformedPolicy. */
export function parsePrincipals(value: unknown): readonly PolicyPrincipal[] {
  if (value === "*") return [{ type: "AWS", value: "*" }];
  if (typeof value === "string") throw malformedPolicy(MESSAGE);
  const principals = [...fieldsOf(value)].flatMap(([name, texts]) => {
    const type = TYPES.find((known) => known === name);
    if (type === undefined) throw malformedPolicy(MESSAGE);
    return textsOf(texts, MESSAGE).map((text) => ({ type, value: text }));
  });
  if (principals.length === 0 || !principals.every(isValid)) throw malformedPolicy(MESSAGE);
  return principals;
}

function isValid({ type, value }: PolicyPrincipal): boolean {
  if (type === "AWS") return AWS_PRINCIPAL.test(value) || isUserName(value);
  return !/[*?]/.test(value);
}

function isUserName(text: string): boolean {
  return text.length <= USER_NAME_MAX && USER_NAME.test(text);
}

/** Whom a principal means. */
export type NamedPrincipal =
  | { readonly kind: "everybody" }
  | { readonly kind: "user" | "group" | "role"; readonly name: string }
  | { readonly kind: "session"; readonly role: string; readonly session: string }
  /** An account, by number or as `:root`: here that is the root user. */
  | { readonly kind: "account" }
  | { readonly kind: "federated"; readonly provider: string }
  /** A service, the id of somebody who was removed: nobody who ever asks. */
  | { readonly kind: "nobody" };

export function namedPrincipal({ type, value }: PolicyPrincipal): NamedPrincipal {
  switch (type) {
    case "CanonicalUser":
      return { kind: "user", name: value };
    case "Federated":
      return { kind: "federated", provider: value };
    case "Service":
      return { kind: "nobody" };
    case "AWS":
      return namedByArn(value);
  }
}

function namedByArn(value: string): NamedPrincipal {
  if (value === "*") return { kind: "everybody" };
  if (/^[0-9]{12}$/.test(value)) return { kind: "account" };
  if (isUserName(value)) return { kind: "user", name: value };
  const [, service, rest = ""] = /^arn:[^:]*:(iam|sts):[^:]*:[^:]*:(\S+)$/.exec(value) ?? [];
  if (service === "sts") {
    const [, role, session] = /^assumed-role\/([^/]+)\/([^/]+)$/.exec(rest) ?? [];
    if (role === undefined || session === undefined) return { kind: "nobody" };
    return { kind: "session", role, session };
  }
  if (rest === "root") return { kind: "account" };
  // Paths, which say nothing here, may stand between the kind and the name.
  const [kind = "", ...names] = rest.split("/");
  const name = names.at(-1) ?? "";
  if (!/^(?:user|group|role)$/.test(kind) || name === "") return { kind: "nobody" };
  return { kind: kind === "user" ? "user" : kind === "group" ? "group" : "role", name };
}
