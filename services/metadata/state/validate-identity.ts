// Are the commands of the directory well formed? Names, lengths, orders and bounds of entries, so
// that what is stored can be kept in memory whole and sent in a message. Documents of policies are
// the callers' to understand; here they are texts of a bounded size.
import { toBinary } from "@bufbuild/protobuf";
import type {
  DeleteIdentity,
  PutIdentity,
  RecordUses,
  RewrapKeys,
} from "../../lib/gen/dolium/record/v1/command_pb.ts";
import {
  type AccessKey,
  type AccessToken,
  type ClientCertificate,
  type GroupRecord,
  IdentityKind,
  IdentityRecordSchema,
  type ManagedPolicy,
  type NamedPolicy,
  type RoleRecord,
  type SessionsRecord,
  TokenAccess,
  type UserRecord,
} from "../../lib/gen/dolium/record/v1/identity_pb.ts";
import { firstFault, nameFault } from "./faults.ts";

const USER_NAME = /^[a-z0-9][a-z0-9._-]{0,61}[a-z0-9]$/;
/** The user of the configuration's keys is in no directory. */
const RESERVED_NAME = "root";
/** Of groups, policies and roles. Source: IAM user guide, "IAM identifiers". */
const NAME = /^[A-Za-z0-9_+=,.@-]{1,128}$/;
const EMAIL = /^[^\s@A-Z]{1,64}@[^\s@A-Z]{1,189}$/;
const PATH = /^\/(?:[!-~]{1,509}\/)?$/;
const ACCESS_KEY_ID = /^[A-Za-z0-9_.-]{3,128}$/;
/** Access tokens and temporary credentials are known by these forms. */
const OTHER_KEY_FORMS = [/^DT[0-9a-f]{16}[A-Z2-7]{32}$/, /^ASIA[A-Z0-9]{16}$/];
const TOKEN_ID = /^[0-9a-f]{16}$/;
const FEDERATED = /^\S{1,512} \S{1,512}$/;
const DIGEST_BYTES = 32;

/** Bounds of the entries of the directory. */
export const IDENTITY_BOUNDS = {
  recordBytes: 256 * 1024,
  documentBytes: 20_480,
  policies: 50,
  attachedPolicies: 50,
  groups: 100,
  keys: 100,
  tokens: 100,
  certificates: 20,
  federated: 10,
  endedSessions: 200,
  tokenBuckets: 100,
  tokenNetworks: 100,
  textCharacters: 1000,
  sealedSecretBytes: 1024,
  sessionSeconds: 12 * 3600,
  usesAtOnce: 1000,
  rewrapsAtOnce: 1000,
} as const;

export function identityFault({ record }: PutIdentity): string | undefined {
  if (record === undefined) return "no record";
  if (record.revision !== 0n) return "a record that brings its revision";
  const { kind } = record;
  const fault = kindFault(kind);
  if (fault !== undefined) return fault;
  const { byteLength } = toBinary(IdentityRecordSchema, record);
  const { recordBytes } = IDENTITY_BOUNDS;
  return byteLength > recordBytes ? `an entry of over ${recordBytes} bytes` : undefined;
}

function kindFault(kind: NonNullable<PutIdentity["record"]>["kind"]): string | undefined {
  switch (kind.case) {
    case "user":
      return userFault(kind.value);
    case "group":
      return groupFault(kind.value);
    case "policy":
      return policyFault(kind.value);
    case "role":
      return roleFault(kind.value);
    case "sessions":
      return sessionsFault(kind.value);
    case "deleted":
      return "a mark is laid by DeleteIdentity";
    case undefined:
      return "an entry of no kind";
  }
}

export function deleteIdentityFault({ kind, name }: DeleteIdentity): string | undefined {
  switch (kind) {
    case IdentityKind.USER:
    case IdentityKind.GROUP:
    case IdentityKind.POLICY:
    case IdentityKind.ROLE:
    case IdentityKind.SESSIONS:
      return nameFault(name, "name");
    default:
      return "no kind";
  }
}

export function recordUsesFault({ uses }: RecordUses): string | undefined {
  if (uses.length > IDENTITY_BOUNDS.usesAtOnce) return "too many uses";
  return firstFault(
    uses,
    ({ id, origin, action }) =>
      nameFault(id, "id") ?? textFault(origin, "origin") ?? textFault(action, "action"),
  );
}

export function rewrapFault({ namedKeys, secrets }: RewrapKeys): string | undefined {
  if (namedKeys.length + secrets.length > IDENTITY_BOUNDS.rewrapsAtOnce) return "too many keys";
  return (
    firstFault(
      namedKeys,
      ({ name, expected, wrappedKey }) =>
        nameFault(name, "key name") ?? sealedFault(expected) ?? sealedFault(wrappedKey),
    ) ??
    firstFault(
      secrets,
      ({ user, accessKeyId, expected, sealedSecret }) =>
        nameFault(user, "user name") ??
        nameFault(accessKeyId, "access key id") ??
        sealedFault(expected) ??
        sealedFault(sealedSecret),
    )
  );
}

function userFault(user: UserRecord): string | undefined {
  const { name, parent, email, displayName, groups, boundary } = user;
  if (!USER_NAME.test(name) || name === RESERVED_NAME) return `a bad user name: ${name}`;
  if (parent === name) return "a user who is his own parent";
  if (email !== "" && !EMAIL.test(email)) return "a bad e-mail address";
  if (user.path !== "" && !PATH.test(user.path)) return "a bad path";
  return (
    textFault(displayName, "display name") ??
    namesFault(groups, { what: "groups", most: IDENTITY_BOUNDS.groups }) ??
    (boundary === "" ? undefined : entryNameFault(boundary)) ??
    policiesFault(user) ??
    proofsFault(user)
  );
}

function proofsFault(user: UserRecord): string | undefined {
  const { keys, tokens, certificates, federated } = user;
  const { keys: keysMax, tokens: tokensMax, certificates: certificatesMax } = IDENTITY_BOUNDS;
  if (keys.length > keysMax) return `over ${keysMax} access keys`;
  if (tokens.length > tokensMax) return `over ${tokensMax} tokens`;
  if (certificates.length > certificatesMax) return `over ${certificatesMax} certificates`;
  if (federated.length > IDENTITY_BOUNDS.federated) return "too many federated accounts";
  const isFederated = isAscending(federated) && federated.every((one) => FEDERATED.test(one));
  if (!isFederated) return "federated accounts out of order, or none";
  const ids = [
    ...keys.map(({ accessKeyId }) => accessKeyId),
    ...tokens.map(({ tokenId }) => tokenId),
  ];
  if (hasTwins(ids)) return "an id used twice";
  if (hasTwins(tokens.map(({ digest }) => hexOf(digest)))) return "a token used twice";
  if (hasTwins(certificates.map(({ fingerprint }) => hexOf(fingerprint)))) {
    return "a certificate named twice";
  }
  return (
    firstFault(keys, keyFault) ??
    firstFault(tokens, tokenFault) ??
    firstFault(certificates, certificateFault)
  );
}

function keyFault({ accessKeyId, sealedSecret, description }: AccessKey): string | undefined {
  const isOther = OTHER_KEY_FORMS.some((form) => form.test(accessKeyId));
  if (!ACCESS_KEY_ID.test(accessKeyId) || isOther) return "a bad access key id";
  return sealedFault(sealedSecret) ?? textFault(description, "description");
}

function tokenFault(token: AccessToken): string | undefined {
  const { tokenId, digest, name, buckets, networks, access } = token;
  if (!TOKEN_ID.test(tokenId)) return "a bad token id";
  if (digest.byteLength !== DIGEST_BYTES) return "a bad digest of a token";
  if (buckets.length > IDENTITY_BOUNDS.tokenBuckets) return "a token for too many buckets";
  if (networks.length > IDENTITY_BOUNDS.tokenNetworks) return "a token for too many networks";
  if (
    access !== TokenAccess.READ_WRITE &&
    access !== TokenAccess.READ &&
    access !== TokenAccess.WRITE
  ) {
    return "a token without access";
  }
  return (
    textFault(name, "name of a token") ??
    firstFault(buckets, (bucket) => nameFault(bucket, "bucket name")) ??
    firstFault(networks, (network) => nameFault(network, "network"))
  );
}

function certificateFault({ fingerprint, subject }: ClientCertificate): string | undefined {
  if (fingerprint.byteLength !== DIGEST_BYTES) return "a bad fingerprint of a certificate";
  return textFault(subject, "subject");
}

function groupFault(group: GroupRecord): string | undefined {
  return entryNameFault(group.name) ?? policiesFault(group);
}

function policyFault({ name, document, description }: ManagedPolicy): string | undefined {
  return entryNameFault(name) ?? documentFault(document) ?? textFault(description, "description");
}

function roleFault(role: RoleRecord): string | undefined {
  const { name, description, trustPolicy, sessionSecondsMax, boundary } = role;
  if (sessionSecondsMax > IDENTITY_BOUNDS.sessionSeconds) return "sessions of over twelve hours";
  return (
    entryNameFault(name) ??
    textFault(description, "description") ??
    documentFault(trustPolicy) ??
    (boundary === "" ? undefined : entryNameFault(boundary)) ??
    policiesFault(role)
  );
}

/** The root user has sessions, though he is in no directory. */
function sessionsFault({ name, ended }: SessionsRecord): string | undefined {
  const { endedSessions } = IDENTITY_BOUNDS;
  if (!USER_NAME.test(name)) return `a bad user name: ${name}`;
  if (ended.length > endedSessions) return `over ${endedSessions} ended sessions`;
  if (ended.some(({ digest }) => digest.byteLength !== DIGEST_BYTES)) {
    return "a bad digest of a session";
  }
  const digests = ended.map(({ digest }) => hexOf(digest));
  return isAscending(digests) ? undefined : "ended sessions out of order, or one twice";
}

function policiesFault(entry: {
  readonly policies: readonly NamedPolicy[];
  readonly attachedPolicies: readonly string[];
}): string | undefined {
  const names = entry.policies.map(({ name }) => name);
  return (
    namesFault(names, { what: "policies", most: IDENTITY_BOUNDS.policies }) ??
    firstFault(entry.policies, ({ document }) => documentFault(document)) ??
    namesFault(entry.attachedPolicies, {
      what: "attached policies",
      most: IDENTITY_BOUNDS.attachedPolicies,
    })
  );
}

function namesFault(
  names: readonly string[],
  { what, most }: { readonly what: string; readonly most: number },
): string | undefined {
  if (names.length > most) return `over ${most} ${what}`;
  if (!isAscending(names)) return `${what} out of order, or one twice`;
  return firstFault(names, entryNameFault);
}

function entryNameFault(name: string): string | undefined {
  return NAME.test(name) ? undefined : "a bad name of a group, policy or role";
}

function documentFault(document: string): string | undefined {
  const { documentBytes } = IDENTITY_BOUNDS;
  const bytes = Buffer.byteLength(document);
  if (bytes === 0) return "an empty policy";
  return bytes > documentBytes ? `a policy of over ${documentBytes} bytes` : undefined;
}

function sealedFault({ byteLength }: Uint8Array): string | undefined {
  const isGood = byteLength > 0 && byteLength <= IDENTITY_BOUNDS.sealedSecretBytes;
  return isGood ? undefined : "a bad sealed secret";
}

function textFault(text: string, what: string): string | undefined {
  return text.length > IDENTITY_BOUNDS.textCharacters ? `${what} too long` : undefined;
}

function isAscending(names: readonly string[]): boolean {
  return names.every((name, at) => at === 0 || (names[at - 1] ?? "") < name);
}

function hasTwins(names: readonly string[]): boolean {
  return new Set(names).size !== names.length;
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
