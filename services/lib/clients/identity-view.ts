// All users, groups, policies and roles in memory, with what users are known by. Changes come in
// the order of revisions, pages at a time; a proof that moved from one user to another belongs to
// whoever's record says so last.
import { copyBytes, toHex } from "../base/bytes.ts";
import {
  type AccessKey,
  type AccessToken,
  type ClientCertificate,
  type GroupRecord,
  IdentityKind,
  type IdentityRecord,
  type ManagedPolicy,
  type RoleRecord,
  type SessionsRecord,
  type UserRecord,
} from "../gen/dolium/record/v1/identity_pb.ts";

/** The directory as it was a moment ago. A view that is kept moves on with the directory. */
export interface DirectoryView {
  readonly revision: bigint;
  user(name: string): UserRecord | undefined;
  group(name: string): GroupRecord | undefined;
  policy(name: string): ManagedPolicy | undefined;
  role(name: string): RoleRecord | undefined;
  /** Which sessions of the user were ended; undefined: none was. The root user's too. */
  sessions(user: string): SessionsRecord | undefined;
  users(): Iterable<UserRecord>;
  groups(): Iterable<GroupRecord>;
  policies(): Iterable<ManagedPolicy>;
  roles(): Iterable<RoleRecord>;
  byAccessKey(id: string): KeyHolder | undefined;
  /** `digest`: SHA-256 of the token. */
  byToken(digest: Uint8Array): TokenHolder | undefined;
  /** `fingerprint`: SHA-256 of the certificate's DER form. */
  byCertificate(fingerprint: Uint8Array): CertificateHolder | undefined;
  /** `email` in lower case. */
  byEmail(email: string): UserRecord | undefined;
  /** `account`: "issuer subject". */
  byFederated(account: string): UserRecord | undefined;
  /** What to expect when the entry is changed; undefined when there is none. */
  revisionOf(kind: IdentityKind, name: string): bigint | undefined;
}

export interface KeyHolder {
  readonly user: UserRecord;
  readonly key: AccessKey;
}

export interface TokenHolder {
  readonly user: UserRecord;
  readonly token: AccessToken;
}

export interface CertificateHolder {
  readonly user: UserRecord;
  readonly certificate: ClientCertificate;
}

interface Entry<T> {
  readonly value: T;
  readonly revision: bigint;
}

type Table<T> = Map<string, Entry<T>>;

/** Something of a user's that is his alone, by a text. */
type Held<T extends { readonly user: UserRecord }> = Map<string, T>;

export class IdentityTables implements DirectoryView {
  revision = 0n;
  readonly #users: Table<UserRecord> = new Map();
  readonly #groups: Table<GroupRecord> = new Map();
  readonly #policies: Table<ManagedPolicy> = new Map();
  readonly #roles: Table<RoleRecord> = new Map();
  readonly #sessions: Table<SessionsRecord> = new Map();
  readonly #keys: Held<KeyHolder> = new Map();
  readonly #tokens: Held<TokenHolder> = new Map();
  readonly #certificates: Held<CertificateHolder> = new Map();
  readonly #emails: Held<{ readonly user: UserRecord }> = new Map();
  readonly #federated: Held<{ readonly user: UserRecord }> = new Map();

  user(name: string): UserRecord | undefined {
    return this.#users.get(name)?.value;
  }

  group(name: string): GroupRecord | undefined {
    return this.#groups.get(name)?.value;
  }

  policy(name: string): ManagedPolicy | undefined {
    return this.#policies.get(name)?.value;
  }

  role(name: string): RoleRecord | undefined {
    return this.#roles.get(name)?.value;
  }

  sessions(user: string): SessionsRecord | undefined {
    return this.#sessions.get(user)?.value;
  }

  users(): Iterable<UserRecord> {
    return valuesOf(this.#users);
  }

  groups(): Iterable<GroupRecord> {
    return valuesOf(this.#groups);
  }

  policies(): Iterable<ManagedPolicy> {
    return valuesOf(this.#policies);
  }

  roles(): Iterable<RoleRecord> {
    return valuesOf(this.#roles);
  }

  byAccessKey(id: string): KeyHolder | undefined {
    return this.#keys.get(id);
  }

  byToken(digest: Uint8Array): TokenHolder | undefined {
    return this.#tokens.get(toHex(digest));
  }

  byCertificate(fingerprint: Uint8Array): CertificateHolder | undefined {
    return this.#certificates.get(toHex(fingerprint));
  }

  byEmail(email: string): UserRecord | undefined {
    return this.#emails.get(email)?.user;
  }

  byFederated(account: string): UserRecord | undefined {
    return this.#federated.get(account)?.user;
  }

  revisionOf(kind: IdentityKind, name: string): bigint | undefined {
    return this.#tableOf(kind)?.get(name)?.revision;
  }

  /** Takes in a changed entry. */
  take({ revision, kind }: IdentityRecord): void {
    switch (kind.case) {
      case "user":
        this.#takeUser(kind.value, revision);
        return;
      case "group":
        this.#groups.set(kind.value.name, { value: kind.value, revision });
        return;
      case "policy":
        this.#policies.set(kind.value.name, { value: kind.value, revision });
        return;
      case "role":
        this.#roles.set(kind.value.name, { value: kind.value, revision });
        return;
      case "sessions":
        this.#sessions.set(kind.value.name, { value: unpinnedSessions(kind.value), revision });
        return;
      case "deleted": {
        const { kind: deleted, name } = kind.value;
        if (deleted === IdentityKind.USER) this.#forgetUser(name);
        this.#tableOf(deleted)?.delete(name);
        return;
      }
      default:
        // A kind that a later release made means nothing to this one.
        return;
    }
  }

  #tableOf(kind: IdentityKind): Table<unknown> | undefined {
    switch (kind) {
      case IdentityKind.USER:
        return this.#users;
      case IdentityKind.GROUP:
        return this.#groups;
      case IdentityKind.POLICY:
        return this.#policies;
      case IdentityKind.ROLE:
        return this.#roles;
      case IdentityKind.SESSIONS:
        return this.#sessions;
      default:
        return undefined;
    }
  }

  #takeUser(record: UserRecord, revision: bigint): void {
    const user = unpinned(record);
    const { name, keys, tokens, certificates, email, federated } = user;
    this.#forgetUser(name);
    this.#users.set(name, { value: user, revision });
    for (const key of keys) this.#keys.set(key.accessKeyId, { user, key });
    for (const token of tokens) this.#tokens.set(toHex(token.digest), { user, token });
    for (const certificate of certificates) {
      this.#certificates.set(toHex(certificate.fingerprint), { user, certificate });
    }
    if (email !== "") this.#emails.set(email, { user });
    for (const account of federated) this.#federated.set(account, { user });
  }

  #forgetUser(name: string): void {
    const former = this.#users.get(name)?.value;
    if (former === undefined) return;
    const { keys, tokens, certificates, email, federated } = former;
    for (const { accessKeyId } of keys) forget(this.#keys, accessKeyId, former);
    for (const { digest } of tokens) forget(this.#tokens, toHex(digest), former);
    for (const { fingerprint } of certificates) {
      forget(this.#certificates, toHex(fingerprint), former);
    }
    forget(this.#emails, email, former);
    for (const account of federated) forget(this.#federated, account, former);
  }
}

/** The user with bytes of its own: decoded ones are views that keep the whole message. */
function unpinned(user: UserRecord): UserRecord {
  return {
    ...user,
    keys: user.keys.map((key) => ({ ...key, sealedSecret: copyBytes(key.sealedSecret) })),
    tokens: user.tokens.map((token) => ({ ...token, digest: copyBytes(token.digest) })),
    certificates: user.certificates.map((certificate) => ({
      ...certificate,
      fingerprint: copyBytes(certificate.fingerprint),
    })),
  };
}

function unpinnedSessions(sessions: SessionsRecord): SessionsRecord {
  const { ended } = sessions;
  return { ...sessions, ended: ended.map((one) => ({ ...one, digest: copyBytes(one.digest) })) };
}

function* valuesOf<T>(table: Table<T>): Generator<T, void> {
  for (const { value } of table.values()) yield value;
}

/** What is another user's by now stays. */
function forget<T extends { readonly user: UserRecord }>(
  held: Held<T>,
  text: string,
  user: UserRecord,
): void {
  if (held.get(text)?.user === user) held.delete(text);
}
