// Users as the API shows them: everything but secrets, which are never in a list.
import { toHex, toSafeNumber } from "../../../lib/base/bytes.ts";
import { ROOT_GROUP } from "../../../lib/clients/groups.ts";
import {
  type AccessKey,
  type AccessToken,
  type ClientCertificate,
  type LastUse,
  type NamedPolicy,
  TokenAccess,
  type UserLimits,
  type UserRecord,
} from "../../../lib/gen/dolium/record/v1/identity_pb.ts";
import { formatIsoDate } from "../../../lib/s3/http-date.ts";
import type { AdminDependencies } from "../admin-dependencies.ts";

const USES_A_QUERY = 1000;

export type View = Readonly<Record<string, unknown>>;
type Uses = ReadonlyMap<string, LastUse>;

/** RFC 3339; null for 0, which stands for never. */
export function timeOf(ms: bigint): string | null {
  return ms === 0n ? null : formatIsoDate(toSafeNumber(ms));
}

/** When the keys and tokens of these users were last used. */
export async function lastUses(
  deps: Pick<AdminDependencies, "metadata">,
  users: readonly UserRecord[],
): Promise<Uses> {
  const ids = users.flatMap(({ keys, tokens }) => [
    ...keys.map(({ accessKeyId }) => accessKeyId),
    ...tokens.map(({ tokenId }) => tokenId),
  ]);
  const uses = new Map<string, LastUse>();
  for (let at = 0; at < ids.length; at += USES_A_QUERY) {
    const kind = { case: "listUses", value: { ids: ids.slice(at, at + USES_A_QUERY) } } as const;
    const answer = await deps.metadata.query<"listUses">(ROOT_GROUP, kind);
    for (const use of answer.uses) uses.set(use.id, use);
  }
  return uses;
}

export function userView(user: UserRecord, uses: Uses): View {
  return {
    name: user.name,
    displayName: user.displayName,
    email: user.email,
    createdAt: timeOf(user.createdMs),
    disabled: user.disabled,
    administrator: user.administrator,
    parent: user.parent,
    groups: user.groups,
    policies: user.policies.map(inlinePolicyView),
    attachedPolicies: user.attachedPolicies,
    boundary: user.boundary,
    limits: limitsView(user.limits),
    keys: user.keys.map((key) => keyView(key, uses)),
    tokens: user.tokens.map((token) => tokenView(token, uses)),
    certificates: user.certificates.map(certificateView),
  };
}

/** The document as JSON; it was checked when it was put. */
export function inlinePolicyView({ name, document }: NamedPolicy): View {
  return { name, document: documentView(document) };
}

export function documentView(document: string): unknown {
  const parsed: unknown = JSON.parse(document);
  return parsed;
}

export function keyView(key: AccessKey, uses: Uses): View {
  return {
    accessKeyId: key.accessKeyId,
    createdAt: timeOf(key.createdMs),
    disabled: key.disabled,
    description: key.description,
    expiresAt: timeOf(key.expiresMs),
    ...useView(uses.get(key.accessKeyId)),
  };
}

export function tokenView(token: AccessToken, uses: Uses): View {
  return {
    id: token.tokenId,
    name: token.name,
    createdAt: timeOf(token.createdMs),
    disabled: token.disabled,
    expiresAt: timeOf(token.expiresMs),
    buckets: token.buckets,
    access: accessView(token.access),
    networks: token.networks,
    ...useView(uses.get(token.tokenId)),
  };
}

function useView(use: LastUse | undefined): View {
  if (use === undefined) return { lastUsedAt: null };
  return { lastUsedAt: timeOf(use.usedMs), lastUsedFor: use.action, lastUsedFrom: use.origin };
}

function accessView(access: TokenAccess): string {
  if (access === TokenAccess.READ) return "read";
  return access === TokenAccess.WRITE ? "write" : "read-write";
}

export function certificateView(certificate: ClientCertificate): View {
  return {
    fingerprint: toHex(certificate.fingerprint),
    subject: certificate.subject,
    createdAt: timeOf(certificate.createdMs),
    expiresAt: timeOf(certificate.expiresMs),
  };
}

export function limitsView(limits: UserLimits | undefined): View {
  return {
    bytesMax: Number(limits?.bytesMax ?? 0n),
    objectsMax: Number(limits?.objectsMax ?? 0n),
    bucketsMax: limits?.bucketsMax ?? 0,
    requestsPerSecond: limits?.requestsPerSecond ?? 0,
    uploadBytesPerSecond: Number(limits?.uploadBytesPerSecond ?? 0n),
    downloadBytesPerSecond: Number(limits?.downloadBytesPerSecond ?? 0n),
    noBuckets: limits?.noBuckets ?? false,
  };
}
