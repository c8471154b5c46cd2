// The provisioning file: what a cluster shall have, as an operator keeps it in version control.
// Everything in it is wanted to be there; what it does not name is left alone, and nothing is ever
// deleted for not being in it. Secrets stand in files of their own or, where the file as a whole is
// a secret, in it.
import { Ajv } from "ajv";
import { StoreError } from "../../../lib/base/errors.ts";
import * as Type from "../../../lib/base/settings-schema.ts";
import {
  AccessKeyId,
  body,
  Limits,
  Name,
  optional,
  PolicyDocument,
  SecretAccessKey,
  ShortText,
  TOKEN_FIELDS,
} from "../identity/field-schemas.ts";

const ITEMS_MAX = 10_000;
const names = Type.Array(Name, { maxItems: 100 });
const FilePath = Type.String({ minLength: 1, maxLength: 4096 });
const BucketName = Type.String({ minLength: 3, maxLength: 63 });
const Size = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

export const BucketWishSchema = body({
  name: BucketName,
  owner: optional(Name),
  location: optional(Type.String({ maxLength: 64 })),
  objectLock: optional(Type.Boolean()),
  quota: optional(body({ bytes: optional(Size), objects: optional(Size) })),
  versioning: optional(Type.Union([Type.Literal("Enabled"), Type.Literal("Suspended")])),
  access: optional(
    Type.Union(
      [
        Type.Literal("none"),
        Type.Literal("download"),
        Type.Literal("upload"),
        Type.Literal("public"),
      ],
      { description: "What everybody may do without signing in." },
    ),
  ),
  policy: optional(PolicyDocument),
});

export const PolicyWishSchema = body({
  name: Name,
  description: optional(ShortText),
  document: PolicyDocument,
});

export const GroupWishSchema = body({ name: Name, attachedPolicies: optional(names) });

const KeyWishSchema = body({
  accessKeyId: AccessKeyId,
  secretAccessKey: optional(SecretAccessKey),
  secretAccessKeyFile: optional(FilePath),
});

export const UserWishSchema = body({
  name: Name,
  displayName: optional(ShortText),
  email: optional(ShortText),
  administrator: optional(Type.Boolean()),
  disabled: optional(Type.Boolean()),
  groups: optional(names),
  attachedPolicies: optional(names),
  policy: optional(PolicyDocument),
  limits: optional(Limits),
  keys: optional(Type.Array(KeyWishSchema, { maxItems: 20 })),
});

export const TokenWishSchema = body({ user: Name, tokenFile: FilePath, ...TOKEN_FIELDS });

export const ProvisioningSchema = body({
  policies: optional(Type.Array(PolicyWishSchema, { maxItems: ITEMS_MAX })),
  groups: optional(Type.Array(GroupWishSchema, { maxItems: ITEMS_MAX })),
  users: optional(Type.Array(UserWishSchema, { maxItems: ITEMS_MAX })),
  buckets: optional(Type.Array(BucketWishSchema, { maxItems: ITEMS_MAX })),
  tokens: optional(Type.Array(TokenWishSchema, { maxItems: ITEMS_MAX })),
});

export type Provisioning = Type.Static<typeof ProvisioningSchema>;
export type BucketWish = Type.Static<typeof BucketWishSchema>;
export type PolicyWish = Type.Static<typeof PolicyWishSchema>;
export type GroupWish = Type.Static<typeof GroupWishSchema>;
export type UserWish = Type.Static<typeof UserWishSchema>;
export type KeyWish = Type.Static<typeof KeyWishSchema>;
export type TokenWish = Type.Static<typeof TokenWishSchema>;

const validate = new Ajv({ strict: true, allowUnionTypes: true, ownProperties: true });

/** Throws StoreError "invalid" with a sentence that names the place. */
export function parseProvisioning(text: string): Provisioning {
  const parsed = parseJson(text);
  const check = validate.compile<Provisioning>(ProvisioningSchema);
  if (!check(parsed)) {
    const [error] = check.errors ?? [];
    const extra: unknown = error?.params.additionalProperty;
    const name = typeof extra === "string" ? ` "${extra}"` : "";
    const at = error?.instancePath === "" ? "the whole" : error?.instancePath;
    throw wrong(`${at} ${error?.message ?? "is wrong"}${name}`);
  }
  checkOnce("policies", parsed.policies);
  checkOnce("groups", parsed.groups);
  checkOnce("users", parsed.users);
  checkOnce("buckets", parsed.buckets);
  for (const { name, keys = [] } of parsed.users ?? []) for (const key of keys) checkKey(name, key);
  return parsed;
}

function parseJson(text: string): unknown {
  try {
    const parsed: unknown = JSON.parse(text);
    return parsed;
  } catch (cause) {
    throw new StoreError("invalid", "the provisioning file is not JSON", { cause });
  }
}

function checkOnce(what: string, items: readonly { readonly name: string }[] = []): void {
  const seen = new Set<string>();
  for (const { name } of items) {
    if (seen.has(name)) throw wrong(`${what} names ${name} twice`);
    seen.add(name);
  }
}

function checkKey(user: string, key: KeyWish): void {
  const isOne = (key.secretAccessKey === undefined) !== (key.secretAccessKeyFile === undefined);
  if (isOne) return;
  throw wrong(
    `key ${key.accessKeyId} of user ${user} needs secretAccessKey or secretAccessKeyFile, one of both`,
  );
}

function wrong(what: string): StoreError {
  return new StoreError("invalid", `the provisioning file: ${what}`);
}

/** Files that the provisioning file names. */
export function namedFiles({ users = [], tokens = [] }: Provisioning): string[] {
  const keys = users.flatMap(({ keys: all = [] }) => all);
  const secrets = keys.flatMap(({ secretAccessKeyFile: path }) => path ?? []);
  return [...new Set([...secrets, ...tokens.map(({ tokenFile }) => tokenFile)])];
}
