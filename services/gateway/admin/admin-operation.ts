// The shape of a row of the admin API's table: method and path, who may call it, what its body
// looks like, what it does. The router, the OpenAPI document, the reference page and the metrics'
// labels all come from the table.
import type { Static, TSchema } from "../../lib/base/settings-schema.ts";
import type { AdminAnswer } from "./admin-answer.ts";
import type { Caller } from "./admin-caller.ts";
import type { AdminDependencies } from "./admin-dependencies.ts";
import { invalidArgument } from "./admin-error.ts";
import type { AdminRequest } from "./admin-request.ts";

export type AdminMethod = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

export interface AdminPermission {
  /** An action of IAM where AWS has one, else one of ours: "iam:CreateUser", "dolium:DrainNode". */
  readonly action: `iam:${string}` | `dolium:${string}` | `s3:${string}`;
  /** Kind of thing acted on: the parameter of the path that names it; without it, everything. */
  readonly on?: {
    readonly kind: "user" | "group" | "policy" | "role" | "bucket";
    readonly parameter: string;
  };
  /** Every user may do it to himself, unless a policy denies it or a bound leaves it out. */
  readonly self?: boolean;
  /** It gives rights away: nobody but administrators may, whatever policies say. */
  readonly administratorsOnly?: boolean;
}

/**
 * "open": whoever asks, unseen; "anybody": whoever asks, with the caller where there is one;
 * "caller": whoever proved who he is.
 */
export type Admission = "open" | "anybody" | "caller" | AdminPermission;

export interface AdminContext {
  readonly deps: AdminDependencies;
  readonly request: AdminRequest;
  /** Undefined for operations that are open. */
  readonly caller: Caller | undefined;
  readonly parameters: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** Fits the schema of the row. */
  readonly body: unknown;
}

export interface QueryParameter {
  readonly name: string;
  readonly description: string;
}

export interface AdminOperation {
  /** Unique; operation id and metrics label. */
  readonly name: string;
  readonly method: AdminMethod;
  /** Below the base, with parameters in braces: "/users/{user}/keys/{key}". */
  readonly path: string;
  readonly summary: string;
  readonly admission: Admission;
  /** Other than GET, and yet changes nothing: not written to the audit log. */
  readonly readOnly?: boolean;
  readonly query?: readonly QueryParameter[];
  /** JSON Schema of the body; without it a body is refused. */
  readonly body?: TSchema;
  readonly run: (context: AdminContext) => Promise<AdminAnswer>;
}

interface OperationSpec<B extends TSchema> extends Omit<AdminOperation, "body" | "run"> {
  readonly body: B;
  readonly run: (context: AdminContext, body: Static<B>) => Promise<AdminAnswer>;
}

/** Ties a row's body to its `run`; the result forgets the precise type. */
export function withBody<B extends TSchema>(spec: OperationSpec<B>): AdminOperation {
  const { run, ...rest } = spec;
  // Checked boundary: the body was held against this very schema before `run` is called.
  return { ...rest, run: (context) => run(context, context.body as Static<B>) };
}

/** A parameter of the path. */
export function parameter(context: AdminContext, name: string): string {
  const value = context.parameters[name];
  if (value === undefined || value === "") throw invalidArgument(`the path lacks ${name}`);
  return value;
}
