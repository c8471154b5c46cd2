// Access keys, tokens and certificates of a user. Everyone manages his own; a secret and a token
// are shown in the answer that makes them, and never again.
import { createHash, X509Certificate } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { fromHex, toHex } from "../../../lib/base/bytes.ts";
import * as Type from "../../../lib/base/settings-schema.ts";
import {
  type AccessToken,
  ClientCertificateSchema,
  type UserRecord,
} from "../../../lib/gen/dolium/record/v1/identity_pb.ts";
import { newToken } from "../../identity/tokens.ts";
import { checkTarget } from "../admin-access.ts";
import { type AdminAnswer, created, done, json } from "../admin-answer.ts";
import { AdminError, invalidArgument, notFound } from "../admin-error.ts";
import { type AdminContext, type AdminOperation, parameter, withBody } from "../admin-operation.ts";
import { expiryMs, spanMs } from "./expiry.ts";
import {
  AccessKeyId,
  body,
  Expiry,
  optional,
  SecretAccessKey,
  ShortText,
  TOKEN_FIELDS,
} from "./field-schemas.ts";
import { editing, userNamed } from "./lookups.ts";
import { newKey } from "./new-key.ts";
import { tokenRecord } from "./token-record.ts";
import { certificateView, keyView, lastUses, tokenView } from "./user-view.ts";

const PEM_MAX = 65_536;
const ROTATE_OVERLAP = "24h";

const NewKeyBody = body({
  accessKeyId: optional(AccessKeyId),
  secretAccessKey: optional(SecretAccessKey),
  description: optional(ShortText),
  expires: optional(Expiry),
});
const KeyChange = body({
  disabled: optional(Type.Boolean()),
  description: optional(ShortText),
});
const NewTokenBody = body(TOKEN_FIELDS);
const Rotation = body({
  overlap: optional(
    Type.String({ description: `How long the old one still counts; ${ROTATE_OVERLAP}.` }),
  ),
});
const TokenChange = body({ disabled: Type.Boolean() });
const NewCertificate = body({ pem: Type.String({ minLength: 64, maxLength: PEM_MAX }) });

const on = { kind: "user", parameter: "user" } as const;
const own = { on, self: true } as const;

export const KEY_OPERATIONS: readonly AdminOperation[] = [
  {
    name: "ListAccessKeys",
    method: "GET",
    path: "/users/{user}/keys",
    summary: "Access keys of a user, without secrets.",
    admission: { action: "iam:ListAccessKeys", ...own },
    run: async (context) => {
      const user = await userOf(context);
      const uses = await lastUses(context.deps, [user]);
      return json({ items: user.keys.map((key) => keyView(key, uses)) });
    },
  },
  withBody({
    name: "CreateAccessKey",
    method: "POST",
    path: "/users/{user}/keys",
    summary: "Make an access key; the secret is shown this once.",
    admission: { action: "iam:CreateAccessKey", ...own },
    body: NewKeyBody,
    run: createKey,
  }),
  withBody({
    name: "UpdateAccessKey",
    method: "PATCH",
    path: "/users/{user}/keys/{key}",
    summary: "Switch an access key off or on, or describe it.",
    admission: { action: "iam:UpdateAccessKey", ...own },
    body: KeyChange,
    run: updateKey,
  }),
  {
    name: "DeleteAccessKey",
    method: "DELETE",
    path: "/users/{user}/keys/{key}",
    summary: "Delete an access key.",
    admission: { action: "iam:DeleteAccessKey", ...own },
    run: deleteKey,
  },
  {
    name: "ListTokens",
    method: "GET",
    path: "/users/{user}/tokens",
    summary: "Access tokens of a user.",
    admission: { action: "dolium:ListTokens", ...own },
    run: async (context) => {
      const user = await userOf(context);
      const uses = await lastUses(context.deps, [user]);
      return json({ items: user.tokens.map((token) => tokenView(token, uses)) });
    },
  },
  withBody({
    name: "CreateToken",
    method: "POST",
    path: "/users/{user}/tokens",
    summary: "Make an access token; its text is shown this once.",
    admission: { action: "dolium:CreateToken", ...own },
    body: NewTokenBody,
    run: createToken,
  }),
  withBody({
    name: "RotateToken",
    method: "POST",
    path: "/users/{user}/tokens/{token}/rotate",
    summary: "Make a token like this one, and let this one end after the overlap.",
    admission: { action: "dolium:CreateToken", ...own },
    body: Rotation,
    run: rotateToken,
  }),
  withBody({
    name: "UpdateToken",
    method: "PATCH",
    path: "/users/{user}/tokens/{token}",
    summary: "Switch an access token off or on.",
    admission: { action: "dolium:UpdateToken", ...own },
    body: TokenChange,
    run: updateToken,
  }),
  {
    name: "DeleteToken",
    method: "DELETE",
    path: "/users/{user}/tokens/{token}",
    summary: "Revoke an access token.",
    admission: { action: "dolium:DeleteToken", ...own },
    run: deleteToken,
  },
  withBody({
    name: "AddCertificate",
    method: "POST",
    path: "/users/{user}/certificates",
    summary: "Register a client certificate (PEM).",
    admission: { action: "dolium:AddCertificate", ...own },
    body: NewCertificate,
    run: addCertificate,
  }),
  {
    name: "DeleteCertificate",
    method: "DELETE",
    path: "/users/{user}/certificates/{fingerprint}",
    summary: "Forget a client certificate.",
    admission: { action: "dolium:DeleteCertificate", ...own },
    run: deleteCertificate,
  },
];

async function userOf(context: AdminContext): Promise<UserRecord> {
  const view = await context.deps.directory.view();
  return userNamed(view, parameter(context, "user"));
}

/** The changed record, visible here before the answer. */
async function changeUser(
  context: AdminContext,
  change: (user: UserRecord) => UserRecord,
): Promise<UserRecord> {
  const { directory, edits } = context.deps;
  const name = parameter(context, "user");
  const view = await directory.view();
  checkTarget(context, view, userNamed(view, name));
  const changed = await editing("User", name, () => edits.changeUser(name, change));
  await directory.refresh();
  return changed;
}

async function createKey(
  context: AdminContext,
  wish: Type.Static<typeof NewKeyBody>,
): Promise<AdminAnswer> {
  const { deps } = context;
  const name = parameter(context, "user");
  const expiresMs = expiryMs(wish.expires, deps.clock.wallMs());
  const key = newKey(deps, name, { ...wish, expiresMs });
  await changeUser(context, (user) => ({ ...user, keys: [...user.keys, key.record] }));
  const shown = keyView(key.record, new Map());
  return created({ ...shown, secretAccessKey: key.secretAccessKey });
}

async function updateKey(
  context: AdminContext,
  change: Type.Static<typeof KeyChange>,
): Promise<AdminAnswer> {
  const id = parameter(context, "key");
  const user = await changeUser(context, (before) => ({
    ...before,
    keys: present(before.keys, ({ accessKeyId }) => accessKeyId === id, noKey(id)).map((key) =>
      key.accessKeyId === id ? { ...key, ...change } : key,
    ),
  }));
  const uses = await lastUses(context.deps, [user]);
  return json(
    user.keys.filter((key) => key.accessKeyId === id).map((key) => keyView(key, uses))[0],
  );
}

async function deleteKey(context: AdminContext): Promise<AdminAnswer> {
  const id = parameter(context, "key");
  await changeUser(context, (user) => ({
    ...user,
    keys: present(user.keys, ({ accessKeyId }) => accessKeyId === id, noKey(id)).filter(
      (key) => key.accessKeyId !== id,
    ),
  }));
  return done();
}

async function createToken(
  context: AdminContext,
  wish: Type.Static<typeof NewTokenBody>,
): Promise<AdminAnswer> {
  const { random, clock } = context.deps;
  const { token, tokenId, digest } = newToken(random);
  const record = tokenRecord({ tokenId, digest }, wish, clock.wallMs());
  await changeUser(context, (user) => ({ ...user, tokens: [...user.tokens, record] }));
  return created({ ...tokenView(record, new Map()), token });
}

async function rotateToken(
  context: AdminContext,
  { overlap = ROTATE_OVERLAP }: Type.Static<typeof Rotation>,
): Promise<AdminAnswer> {
  const { random, clock } = context.deps;
  const id = parameter(context, "token");
  const nowMs = clock.wallMs();
  const endsMs = BigInt(nowMs + (overlap === "0s" ? 1 : spanMs(overlap)));
  const { token, tokenId, digest } = newToken(random);
  let made: AccessToken | undefined;
  await changeUser(context, (user) => {
    const tokens = present(user.tokens, (one) => one.tokenId === id, noToken(id));
    return {
      ...user,
      tokens: tokens.flatMap((old) => {
        if (old.tokenId !== id) return [old];
        const life = old.expiresMs === 0n ? 0n : old.expiresMs - old.createdMs;
        const expiresMs = life === 0n ? 0n : BigInt(nowMs) + life;
        made = { ...old, tokenId, digest, createdMs: BigInt(nowMs), expiresMs, disabled: false };
        const isEarlier = old.expiresMs !== 0n && old.expiresMs < endsMs;
        return [isEarlier ? old : { ...old, expiresMs: endsMs }, made];
      }),
    };
  });
  if (made === undefined) throw noToken(id)();
  return created({ ...tokenView(made, new Map()), token });
}

async function updateToken(
  context: AdminContext,
  { disabled }: Type.Static<typeof TokenChange>,
): Promise<AdminAnswer> {
  const id = parameter(context, "token");
  const user = await changeUser(context, (before) => ({
    ...before,
    tokens: present(before.tokens, (one) => one.tokenId === id, noToken(id)).map((one) =>
      one.tokenId === id ? { ...one, disabled } : one,
    ),
  }));
  const uses = await lastUses(context.deps, [user]);
  const shown = user.tokens.filter((one) => one.tokenId === id);
  return json(shown.map((one) => tokenView(one, uses))[0]);
}

async function deleteToken(context: AdminContext): Promise<AdminAnswer> {
  const id = parameter(context, "token");
  await changeUser(context, (user) => ({
    ...user,
    tokens: present(user.tokens, (one) => one.tokenId === id, noToken(id)).filter(
      (one) => one.tokenId !== id,
    ),
  }));
  return done();
}

async function addCertificate(
  context: AdminContext,
  { pem }: Type.Static<typeof NewCertificate>,
): Promise<AdminAnswer> {
  const { clock } = context.deps;
  const parsed = parsedCertificate(pem);
  const record = create(ClientCertificateSchema, {
    fingerprint: createHash("sha256").update(parsed.raw).digest(),
    subject: parsed.subject.replaceAll("\n", ", ").slice(0, 512),
    createdMs: BigInt(clock.wallMs()),
    expiresMs: BigInt(Date.parse(parsed.validTo)),
  });
  await changeUser(context, (user) => ({
    ...user,
    certificates: [...user.certificates, record],
  }));
  return created(certificateView(record));
}

function parsedCertificate(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw new AdminError(400, "InvalidCertificate", "This is no X.509 certificate in PEM.", {
      cause,
    });
  }
}

async function deleteCertificate(context: AdminContext): Promise<AdminAnswer> {
  const text = parameter(context, "fingerprint").replaceAll(":", "").toLowerCase();
  if (fromHex(text)?.byteLength !== 32) {
    throw invalidArgument("a fingerprint is the SHA-256 of a certificate, 64 hex digits");
  }
  const is = ({ fingerprint }: { readonly fingerprint: Uint8Array }): boolean =>
    toHex(fingerprint) === text;
  await changeUser(context, (user) => ({
    ...user,
    certificates: present(user.certificates, is, () =>
      notFound("NoSuchCertificate", `There is no certificate ${text}.`),
    ).filter((one) => !is(one)),
  }));
  return done();
}

/** The list, when it holds what is looked for. */
function present<T>(list: readonly T[], is: (item: T) => boolean, missing: () => Error): T[] {
  if (!list.some(is)) throw missing();
  return [...list];
}

function noKey(id: string): () => AdminError {
  return () => notFound("NoSuchAccessKey", `There is no access key ${id} of that user.`);
}

function noToken(id: string): () => AdminError {
  return () => notFound("NoSuchToken", `There is no token ${id} of that user.`);
}
