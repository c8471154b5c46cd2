// Users of identity providers as users of the directory. An account of a provider belongs to the
// one user that lists it. A user of the same name who does not list it is never taken over, unless
// the operator said that names are enough.
import { isStoreError, StoreError } from "../../lib/base/errors.ts";
import type { DirectoryView, IdentityDirectory } from "../../lib/clients/identity-directory.ts";
import type { IdentityEditor } from "../../lib/clients/identity-editor.ts";
import type { UserRecord } from "../../lib/gen/dolium/record/v1/identity_pb.ts";
import type { Clock } from "../../lib/ports/clock.ts";
import type { Log } from "../../lib/ports/log.ts";
import type { OidcSettings } from "./oidc-provider.ts";

const NAME = /^[a-z0-9][a-z0-9._-]{0,61}[a-z0-9]$/;
const RESERVED: ReadonlySet<string> = new Set(["root"]);
const GROUPS_MAX = 100;

export interface ProvisioningDeps {
  readonly directory: Pick<IdentityDirectory, "refresh">;
  readonly editor: Pick<IdentityEditor, "createUser" | "changeUser">;
  readonly clock: Clock;
  readonly log: Log;
}

export type Claims = Readonly<Record<string, unknown>> & { readonly sub: string };

/**
 * The user behind claims that were verified; made, linked and put into groups as the settings say.
 * Throws StoreError "denied" with a reason for people.
 */
export async function provisionUser(
  deps: ProvisioningDeps,
  settings: OidcSettings,
  claims: Claims,
): Promise<UserRecord> {
  const view = await deps.directory.refresh();
  const account = `${settings.issuer} ${claims.sub}`;
  const known = view.byFederated(account);
  const user = known ?? (await newUser({ deps, settings, claims, view, account }));
  if (user.disabled) throw new StoreError("denied", `the user ${user.name} is disabled`);
  return syncGroups({ deps, settings, claims, view }, user);
}

interface Arrival {
  readonly deps: ProvisioningDeps;
  readonly settings: OidcSettings;
  readonly claims: Claims;
  readonly view: DirectoryView;
}

async function newUser(arrival: Arrival & { readonly account: string }): Promise<UserRecord> {
  const { deps, settings, claims, view, account } = arrival;
  const name = userNameOf(settings, claims);
  const existing = view.user(name);
  if (existing !== undefined) {
    if (!settings.linkUsers || existing.administrator || existing.parent !== "") {
      const message = `there is a user ${name} already, who is not linked with this account`;
      throw new StoreError("denied", message);
    }
    deps.log.info("a user was linked with an account", { audit: true, user: name, account });
    return deps.editor.changeUser(name, (user) => ({
      ...user,
      federated: [...user.federated, account],
    }));
  }
  if (!settings.createUsers) throw new StoreError("denied", `there is no user ${name}`);
  const displayName = typeof claims.name === "string" ? claims.name.slice(0, 100) : "";
  const createdMs = BigInt(Math.trunc(deps.clock.wallMs()));
  try {
    const user = await deps.editor.createUser({
      name,
      displayName,
      createdMs,
      federated: [account],
    });
    deps.log.info("a user was made for an account", { audit: true, user: name, account });
    return user;
  } catch (error) {
    if (!isStoreError(error, "exists")) throw error;
    // Two sign-ins at once.
    const now = (await deps.directory.refresh()).byFederated(account);
    if (now === undefined) throw new StoreError("denied", `the name ${name} was just taken`);
    return now;
  }
}

/** `alice` of organisation `umich`, or `alice@umich.edu`: `alice_umich`. */
export function userNameOf(
  { userClaim, organisation }: Pick<OidcSettings, "userClaim" | "organisation">,
  claims: Readonly<Record<string, unknown>>,
): string {
  const claim = claims[userClaim];
  if (typeof claim !== "string") {
    throw new StoreError("denied", `the provider does not tell the claim ${userClaim}`);
  }
  const person = (claim.split("@", 1)[0] ?? "").toLowerCase();
  const name = organisation === "" ? person : `${person}_${organisation}`;
  if (!NAME.test(name) || RESERVED.has(name)) {
    throw new StoreError("denied", `${name.slice(0, 64)} cannot be the name of a user`);
  }
  return name;
}

/** The groups that the provider tells, of those there are; nothing changes where it tells none. */
async function syncGroups(arrival: Arrival, user: UserRecord): Promise<UserRecord> {
  const { deps, settings, claims, view } = arrival;
  const told = settings.groupsClaim === "" ? undefined : claims[settings.groupsClaim];
  if (!Array.isArray(told)) return user;
  const names = told.filter((name) => typeof name === "string" && view.group(name) !== undefined);
  const groups = [...new Set<string>(names)].toSorted().slice(0, GROUPS_MAX);
  const isSame = groups.join("\n") === user.groups.toSorted().join("\n");
  if (isSame) return user;
  deps.log.info("groups follow the identity provider", { audit: true, user: user.name, groups });
  return deps.editor.changeUser(user.name, (now) => ({ ...now, groups }));
}
