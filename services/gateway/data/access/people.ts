// Whom grants and policies name: users, groups and roles of the directory. Without a directory (a
// gateway that knows its root user only) names are taken as they are written: a grant to somebody
// who does not exist gives nothing to anybody. Display names may be as old as the last look.
import { isStoreError } from "../../../lib/base/errors.ts";
import type { MetadataCallOptions } from "../../../lib/clients/metadata-client.ts";
import type { GranteeResolver } from "../../../lib/s3/settings/acl.ts";
import type { BucketPolicy } from "../../../lib/s3/settings/policy.ts";
import { ANONYMOUS_ID } from "./caller.ts";

type PolicyPrincipal = BucketPolicy["statements"][number]["principals"]["values"][number];

export interface KnownUser {
  readonly name: string;
  readonly displayName: string;
  readonly limits?: OwnerLimits | undefined;
}

/** Of `UserLimits`, what bounds what a user owns; 0: no limit. */
export interface OwnerLimits {
  readonly bytesMax: bigint;
  readonly objectsMax: bigint;
  readonly bucketsMax: number;
  readonly noBuckets: boolean;
}

/** What is asked of the directory of users. */
export interface PeopleView {
  user(name: string): KnownUser | undefined;
  group(name: string): { readonly name: string } | undefined;
  role(name: string): { readonly name: string } | undefined;
  byEmail(email: string): KnownUser | undefined;
}

export interface PeopleDirectory {
  /** Throws StoreError "unavailable" where it cannot tell who there is. */
  view(options?: MetadataCallOptions): Promise<PeopleView>;
}

const ROOT = "root";
const USER_ARN = /^arn:aws:iam::[^:]*:user\/(?:.*\/)?([^/]+)$/;
const ROLE_ARN =
  /^arn:aws:(?:iam::[^:]*:role\/(?:.*\/)?([^/]+)|sts::[^:]*:assumed-role\/([^/]+)\/.+)$/;

export interface PeopleOptions {
  readonly directory: PeopleDirectory | undefined;
  /** Names that nobody has are taken all the same. */
  readonly takesUnknown: boolean;
}

export class People {
  readonly #directory: PeopleDirectory | undefined;
  readonly #takesUnknown: boolean;
  #latest: PeopleView | undefined;

  constructor({ directory, takesUnknown }: PeopleOptions) {
    this.#directory = directory;
    this.#takesUnknown = takesUnknown;
  }

  /** Looks who there is, for names to show; where that cannot be told, names stay as they are. */
  async refresh(options: MetadataCallOptions): Promise<void> {
    try {
      this.#latest = (await this.#directory?.view(options)) ?? this.#latest;
    } catch (error) {
      if (!isStoreError(error, "unavailable") && !isStoreError(error, "timeout")) throw error;
    }
  }

  /** The name that documents show of a canonical id. */
  nameOf(id: string): string {
    if (id === ANONYMOUS_ID) return "anonymous";
    const name = this.#latest?.user(id)?.displayName ?? "";
    return name === "" ? id : name;
  }

  /** The root user has none, and needs no directory. Throws StoreError "unavailable". */
  async limitsOf(userId: string, options: MetadataCallOptions): Promise<OwnerLimits | undefined> {
    if (userId === ROOT) return undefined;
    const people = await this.#directory?.view(options);
    return people?.user(userId)?.limits;
  }

  /** Finds those whom grants mean. Throws StoreError "unavailable". */
  resolver(options: MetadataCallOptions): GranteeResolver {
    return async ({ kind, value }) => {
      const people = await this.#directory?.view(options);
      if (kind === "email") return people?.byEmail(value.toLowerCase())?.name;
      if (kind === "group") return people?.group(value)?.name;
      const name = USER_ARN.exec(value)?.[1] ?? value;
      const isTaken = people === undefined || this.#takesUnknown || isReserved(name);
      return isTaken ? name : people.user(name)?.name;
    };
  }

  /** The first principal of the policy that nobody is. Throws StoreError "unavailable". */
  async unknownPrincipal(
    policy: BucketPolicy,
    options: MetadataCallOptions,
  ): Promise<PolicyPrincipal | undefined> {
    const people = await this.#directory?.view(options);
    if (people === undefined || this.#takesUnknown) return undefined;
    const principals = policy.statements.flatMap((statement) => statement.principals.values);
    return principals.find((principal) => !isKnown(people, principal));
  }
}

function isReserved(name: string): boolean {
  return name === ROOT || name === ANONYMOUS_ID;
}

function isKnown(people: PeopleView, { type, value }: PolicyPrincipal): boolean {
  if (type === "Service" || type === "Federated" || value === "*") return true;
  const role = ROLE_ARN.exec(value);
  if (role !== null) return people.role(role[1] ?? role[2] ?? "") !== undefined;
  const name = USER_ARN.exec(value)?.[1] ?? value;
  return isReserved(name) || people.user(name) !== undefined;
}
