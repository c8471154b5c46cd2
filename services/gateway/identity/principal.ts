// Who a request acts as, in the words of lib/iam: what the directory says goes in, a principal
// comes out. Pure. What cannot be read closes: a policy that is missing or broken leaves its holder
// with nothing, since it might have denied something.
import type { DirectoryView } from "../../lib/clients/identity-directory.ts";
import type {
  AccessToken,
  RoleRecord,
  NamedPolicy as StoredPolicy,
  UserRecord,
} from "../../lib/gen/dolium/record/v1/identity_pb.ts";
import type { NamedPolicy, UserPrincipal } from "../../lib/iam/model.ts";
import { mergePolicies, type Policy, parseIdentityPolicy } from "../../lib/iam/policy.ts";
import { tokenScopePolicy } from "../../lib/iam/token-scope.ts";
import { isS3Error } from "../../lib/s3/errors.ts";

/** Parsed documents that are kept: as many as a large directory has. */
const PARSED_MAX = 20_000;
const VERSION = "2012-10-17";
/** Allows nothing, so whoever is bounded by it may do nothing. */
const NOTHING: Policy = { version: VERSION, id: undefined, statements: [] };

/** Sessions are for working with data: they make no credentials that outlive them, as on AWS. */
const SESSION_BOUND: NamedPolicy = {
  source: "temporary credentials",
  policy: parseIdentityPolicy(
    JSON.stringify({
      Version: VERSION,
      Statement: { Effect: "Allow", NotAction: ["iam:*", "sts:GetSessionToken"], Resource: "*" },
    }),
  ),
};

/** Somebody of whom nothing but the name is known: the root user, users of a test. */
export function plainPrincipal(userId: string, administrator: boolean): UserPrincipal {
  return {
    kind: "user",
    userId,
    arn: userArn(userId),
    groups: [],
    administrator,
    policies: [],
    bounds: [],
    ownsByName: true,
  };
}

function userArn(name: string): string {
  return `arn:aws:iam:::user/${name}`;
}

export interface SessionPrincipal {
  /** JSON; what none of them allows is denied. */
  readonly policies: readonly string[];
}

export interface RoleSession extends SessionPrincipal {
  readonly sessionName: string;
}

/** Somebody of the directory, or why his policies cannot be told. */
interface Gathered {
  readonly policies: readonly NamedPolicy[];
  /** A policy is missing or broken. */
  readonly broken: NamedPolicy | undefined;
}

export class Principals {
  readonly #parsed = new Map<string, Policy | undefined>();

  /** A user with a key or certificate of his own; a service account within its user's rights. */
  ofUser(view: DirectoryView, user: UserRecord): UserPrincipal {
    const own = this.#policiesOfUser(view, user);
    const { name, parent, administrator, groups } = user;
    const principal: UserPrincipal = {
      ...plainPrincipal(name, administrator),
      groups,
      policies: own.policies,
      bounds: [...this.#boundaryOf(view, `user ${name}`, user), ...brokenBound(own)],
    };
    return parent === "" ? principal : this.#serviceAccount(view, { parent, account: principal });
  }

  /** A user who shows an access token: as he is, within what the token allows. */
  ofToken(view: DirectoryView, user: UserRecord, token: AccessToken): UserPrincipal {
    return bounded(this.ofUser(view, user), tokenScopePolicy(token));
  }

  /** A user with temporary credentials. */
  ofUserSession(view: DirectoryView, user: UserRecord, session: SessionPrincipal): UserPrincipal {
    return bounded(this.ofUser(view, user), SESSION_BOUND, ...this.#sessionBounds(session));
  }

  /** The root user with temporary credentials. */
  ofRootSession(session: SessionPrincipal): UserPrincipal {
    return bounded(plainPrincipal("root", true), SESSION_BOUND, ...this.#sessionBounds(session));
  }

  /** Whoever became the role: what it owns is its own, and no user's. */
  ofRoleSession(view: DirectoryView, role: RoleRecord, session: RoleSession): UserPrincipal {
    const holder = `role ${role.name}`;
    const own = this.#gather(view, holder, role);
    return {
      kind: "user",
      // No user's name holds a slash.
      userId: `role/${role.name}`,
      arn: `arn:aws:sts:::assumed-role/${role.name}/${session.sessionName}`,
      groups: [],
      administrator: false,
      policies: own.policies,
      bounds: [
        ...this.#boundaryOf(view, holder, role),
        ...brokenBound(own),
        SESSION_BOUND,
        ...this.#sessionBounds(session),
      ],
      ownsByName: false,
    };
  }

  /**
   * Acts in the name of its user, and may do what both may: the user (without administration), and,
   * where it has policies of its own, these.
   */
  #serviceAccount(
    view: DirectoryView,
    { parent, account }: { readonly parent: string; readonly account: UserPrincipal },
  ): UserPrincipal {
    const user = view.user(parent);
    const { arn, policies, bounds } = account;
    if (user === undefined || user.parent !== "" || user.disabled) {
      return { ...account, administrator: false, bounds: [{ source: arn, policy: NOTHING }] };
    }
    const source = `policies of service account ${account.userId}`;
    const own =
      policies.length === 0
        ? []
        : [{ source, policy: mergePolicies(policies.map(({ policy }) => policy)) }];
    const holder = this.ofUser(view, user);
    return {
      ...holder,
      arn,
      administrator: false,
      bounds: [...holder.bounds, ...bounds, ...own],
    };
  }

  #policiesOfUser(view: DirectoryView, user: UserRecord): Gathered {
    const own = this.#gather(view, `user ${user.name}`, user);
    const ofGroups = user.groups.map((name) => {
      const group = view.group(name);
      // A group that is gone takes what it allowed with it, and what it denied.
      return group === undefined ? undefined : this.#gather(view, `group ${name}`, group);
    });
    const all = [own, ...ofGroups.filter((group) => group !== undefined)];
    return {
      policies: all.flatMap(({ policies }) => policies),
      broken: all.find(({ broken }) => broken !== undefined)?.broken,
    };
  }

  #gather(
    view: DirectoryView,
    holder: string,
    from: {
      readonly policies: readonly StoredPolicy[];
      readonly attachedPolicies: readonly string[];
    },
  ): Gathered {
    const inline = from.policies.map(({ name, document }) => ({
      source: `inline ${name} of ${holder}`,
      policy: this.#parse(document),
    }));
    const managed = from.attachedPolicies.map((name) => ({
      source: `managed ${name} of ${holder}`,
      policy: this.#parse(view.policy(name)?.document),
    }));
    const policies: NamedPolicy[] = [];
    let broken: NamedPolicy | undefined;
    for (const { source, policy } of [...inline, ...managed]) {
      if (policy === undefined) broken ??= { source: `unreadable ${source}`, policy: NOTHING };
      else policies.push({ source, policy });
    }
    return { policies, broken };
  }

  #boundaryOf(
    view: DirectoryView,
    holder: string,
    { boundary }: { readonly boundary: string },
  ): NamedPolicy[] {
    if (boundary === "") return [];
    const policy = this.#parse(view.policy(boundary)?.document) ?? NOTHING;
    return [{ source: `boundary ${boundary} of ${holder}`, policy }];
  }

  /** Several session policies allow together. */
  #sessionBounds({ policies }: SessionPrincipal): NamedPolicy[] {
    if (policies.length === 0) return [];
    const source = "session policy";
    const parsed = policies.map((document) => this.#parse(document));
    const isWhole = parsed.every((policy) => policy !== undefined);
    return [{ source, policy: isWhole ? mergePolicies(parsed) : NOTHING }];
  }

  /** Undefined for what is missing or no policy. */
  #parse(document: string | undefined): Policy | undefined {
    if (document === undefined) return undefined;
    if (this.#parsed.has(document)) return this.#parsed.get(document);
    const policy = parsedOrNone(document);
    if (this.#parsed.size >= PARSED_MAX) this.#parsed.clear();
    this.#parsed.set(document, policy);
    return policy;
  }
}

function parsedOrNone(document: string): Policy | undefined {
  try {
    return parseIdentityPolicy(document);
  } catch (error) {
    if (isS3Error(error, "MalformedPolicy") || isS3Error(error, "PolicyTooLarge")) return undefined;
    throw error;
  }
}

function brokenBound({ broken }: Gathered): NamedPolicy[] {
  return broken === undefined ? [] : [broken];
}

function bounded(principal: UserPrincipal, ...bounds: readonly NamedPolicy[]): UserPrincipal {
  return { ...principal, bounds: [...principal.bounds, ...bounds] };
}
