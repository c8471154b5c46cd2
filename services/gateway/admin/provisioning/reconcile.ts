// Brings the cluster to what the provisioning file wants: makes what is missing, changes what
// differs, deletes nothing. Every item stands alone: one that fails is told and tried again with
// the next round, and the others are seen to. Doing it twice, or at several gateways at once, ends
// in the same.
import { isToken, knownToken } from "../../identity/tokens.ts";
import type { AdminDependencies } from "../admin-dependencies.ts";
import { AdminError, invalidArgument, toAdminError } from "../admin-error.ts";
import { checkedDocument } from "../identity/policy-documents.ts";
import { tokenRecord } from "../identity/token-record.ts";
import { limitsView } from "../identity/user-view.ts";
import type { OwnCalls } from "./own-calls.ts";
import type {
  GroupWish,
  KeyWish,
  PolicyWish,
  Provisioning,
  TokenWish,
  UserWish,
} from "./provisioning-file.ts";
import { seeToBucket } from "./reconcile-bucket.ts";

/** Name of the policy of its own that the file gives a user. */
const INLINE_NAME = "provisioned";

export interface ReconcileDeps {
  readonly admin: AdminDependencies;
  readonly calls: OwnCalls;
  /** Text of a file that the provisioning file names. Throws StoreError "invalid". */
  readonly readSecret: (path: string) => Promise<string>;
}

export interface Reconciled {
  /** One sentence each. */
  readonly changes: readonly string[];
  readonly failures: readonly { readonly item: string; readonly message: string }[];
}

/** Says what it changed; an empty list where nothing differed. */
export type Step = (deps: ReconcileDeps) => Promise<readonly string[]>;

/** `signal` ends it between two items. Throws what it throws. */
export async function reconcile(
  deps: ReconcileDeps,
  wanted: Provisioning,
  signal: AbortSignal,
): Promise<Reconciled> {
  const changes: string[] = [];
  const failures: { item: string; message: string }[] = [];
  for (const [item, step] of stepsOf(wanted)) {
    signal.throwIfAborted();
    try {
      changes.push(...(await step(deps)));
    } catch (error) {
      const { code, message } = toAdminError(error);
      failures.push({ item, message: `${code}: ${message}` });
    }
  }
  return { changes, failures };
}

/** What others refer to comes first. */
function stepsOf(wanted: Provisioning): (readonly [string, Step])[] {
  const { policies = [], groups = [], users = [], buckets = [], tokens = [] } = wanted;
  return [
    ...policies.map((wish) => [`policy ${wish.name}`, seeToPolicy(wish)] as const),
    ...groups.map((wish) => [`group ${wish.name}`, seeToGroup(wish)] as const),
    ...users.map((wish) => [`user ${wish.name}`, seeToUser(wish)] as const),
    ...users.flatMap(({ name, keys = [] }) =>
      keys.map((key) => [`key ${key.accessKeyId} of ${name}`, seeToKey(name, key)] as const),
    ),
    ...buckets.map((wish) => [`bucket ${wish.name}`, seeToBucket(wish)] as const),
    ...tokens.map((wish) => [`token ${wish.name} of ${wish.user}`, seeToToken(wish)] as const),
  ];
}

/**
 * Runs a call that makes something; true when it did. Another gateway may have been faster, which
 * is as good.
 */
export async function made(call: Promise<void>): Promise<boolean> {
  try {
    await call;
    return true;
  } catch (error) {
    const isThere = error instanceof AdminError && error.status === 409;
    if (isThere && /Already/.test(error.code)) return false;
    throw error;
  }
}

function seeToPolicy(wish: PolicyWish): Step {
  return async ({ admin, calls }) => {
    const { name, description } = wish;
    const document = checkedDocument(wish.document);
    const before = (await admin.directory.view()).policy(name);
    const isSame = description === undefined || before?.description === description;
    if (before?.document === document && isSame) return [];
    const change = { document, ...(description === undefined ? {} : { description }) };
    await calls.call("PUT", `/policies/${encodeURIComponent(name)}`, change);
    return [`policy ${name} was ${before === undefined ? "made" : "changed"}`];
  };
}

function seeToGroup({ name, attachedPolicies }: GroupWish): Step {
  return async ({ admin, calls }) => {
    const changes: string[] = [];
    const before = (await admin.directory.view()).group(name);
    if (before === undefined && (await made(calls.call("POST", "/groups", { name })))) {
      changes.push(`group ${name} was made`);
    }
    const missing = absent(attachedPolicies, before?.attachedPolicies);
    for (const policy of missing) {
      await calls.call("PUT", `/groups/${path(name)}/attached/${path(policy)}`);
      changes.push(`policy ${policy} was attached to group ${name}`);
    }
    return changes;
  };
}

function seeToUser(wish: UserWish): Step {
  return async (deps) => {
    const { admin, calls } = deps;
    const { name } = wish;
    const changes: string[] = [];
    const fresh = (await admin.directory.view()).user(name) === undefined;
    if (fresh && (await made(calls.call("POST", "/users", { name, withoutKey: true })))) {
      changes.push(`user ${name} was made`);
    }
    return [
      ...changes,
      ...(await seeToFields(deps, wish)),
      ...(await seeToRights(deps, wish)),
      ...(await seeToGroups(deps, wish)),
    ];
  };
}

/** Fields of the record itself; limits one by one, as the API sets them. */
async function seeToFields(deps: ReconcileDeps, wish: UserWish): Promise<string[]> {
  const { name, displayName, administrator, disabled } = wish;
  const user = (await deps.admin.directory.view()).user(name);
  const email = wish.email?.toLowerCase();
  const wanted = { displayName, email, administrator, disabled };
  const now = new Map<string, unknown>(Object.entries(user ?? {}));
  const fields = Object.entries(wanted).filter(
    ([field, value]) => value !== undefined && now.get(field) !== value,
  );
  const limitsNow = limitsView(user?.limits);
  const limits = Object.entries(wish.limits ?? {}).filter(
    ([field, value]) => limitsNow[field] !== value,
  );
  if (fields.length + limits.length === 0) return [];
  const change = {
    ...Object.fromEntries(fields),
    ...(limits.length === 0 ? {} : { limits: Object.fromEntries(limits) }),
  };
  await deps.calls.call("PATCH", `/users/${path(name)}`, change);
  return [`user ${name}: ${Object.keys(change).join(", ")} changed`];
}

async function seeToRights(deps: ReconcileDeps, wish: UserWish): Promise<string[]> {
  const { name, policy, attachedPolicies } = wish;
  const user = (await deps.admin.directory.view()).user(name);
  const changes: string[] = [];
  if (policy !== undefined) {
    const document = checkedDocument(policy);
    const before = user?.policies.find((one) => one.name === INLINE_NAME)?.document;
    if (before !== document) {
      await deps.calls.call("PUT", `/users/${path(name)}/policies/${INLINE_NAME}`, { document });
      changes.push(`the policy of user ${name} was put`);
    }
  }
  for (const attached of absent(attachedPolicies, user?.attachedPolicies)) {
    await deps.calls.call("PUT", `/users/${path(name)}/attached/${path(attached)}`);
    changes.push(`policy ${attached} was attached to user ${name}`);
  }
  return changes;
}

async function seeToGroups(deps: ReconcileDeps, { name, groups }: UserWish): Promise<string[]> {
  const user = (await deps.admin.directory.view()).user(name);
  const missing = absent(groups, user?.groups);
  for (const group of missing) {
    await deps.calls.call("PUT", `/groups/${path(group)}/members/${path(name)}`);
  }
  return missing.map((group) => `user ${name} became a member of ${group}`);
}

/** A key whose secret is another now is replaced: its file was changed. */
function seeToKey(name: string, wish: KeyWish): Step {
  return async ({ admin, calls, readSecret }) => {
    const { accessKeyId, secretAccessKeyFile } = wish;
    const secret =
      secretAccessKeyFile === undefined
        ? (wish.secretAccessKey ?? "")
        : await readSecret(secretAccessKeyFile);
    const holder = (await admin.directory.view()).byAccessKey(accessKeyId);
    const keys = `/users/${path(name)}/keys`;
    const key = { accessKeyId, secretAccessKey: secret, description: INLINE_NAME };
    if (holder === undefined) {
      await calls.call("POST", keys, key);
      return [`user ${name} got the key ${accessKeyId}`];
    }
    if (holder.user.name !== name) {
      throw new AdminError(409, "KeyAlreadyExists", `it is a key of ${holder.user.name}`);
    }
    // Who is switched off proves nothing: his secret is left as it is until he is back.
    if (holder.user.disabled || holder.key.disabled || holder.key.expiresMs !== 0n) return [];
    if (await calls.proves(accessKeyId, secret)) return [];
    await calls.call("DELETE", `${keys}/${path(accessKeyId)}`);
    await calls.call("POST", keys, key);
    return [`key ${accessKeyId} of user ${name} has another secret`];
  };
}

function seeToToken(wish: TokenWish): Step {
  return async ({ admin, readSecret }) => {
    const token = await readSecret(wish.tokenFile);
    if (!isToken(token)) {
      throw invalidArgument("its file holds no token: DT, 16 hex digits, 32 of A to Z and 2 to 7");
    }
    const known = knownToken(token);
    const holder = (await admin.directory.view()).byToken(known.digest);
    if (holder !== undefined) return [];
    const { clock, edits, directory, log } = admin;
    const record = tokenRecord(known, wish, clock.wallMs());
    await edits.changeUser(wish.user, (user) => {
      const isThere = user.tokens.some(({ tokenId }) => tokenId === record.tokenId);
      return isThere ? user : { ...user, tokens: [...user.tokens, record] };
    });
    await directory.refresh();
    const facts = { action: "CreateToken", target: `${wish.user}/${record.tokenId}` };
    log.info("admin", { audit: true, actor: "root", ...facts, outcome: "ok" });
    return [`user ${wish.user} got the token ${wish.name}`];
  };
}

function absent(wanted: readonly string[] = [], there: readonly string[] = []): string[] {
  return [...new Set(wanted)].filter((name) => !there.includes(name));
}

function path(name: string): string {
  return encodeURIComponent(name);
}
