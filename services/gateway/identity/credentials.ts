// Whose an access key is: the root keys of the configuration, keys and tokens of the directory,
// keys of the operator's own store, temporary credentials, tokens in the shape of Ceph's.
// Guarantees that what is disabled, expired or revoked in a directory at most 1.5 s old lets
// nobody in. Says nothing to the outside before the caller's proof held: what is known of a key
// comes out as a refusal, told after it.
import { createHash } from "node:crypto";
import { toSafeNumber } from "../../lib/base/bytes.ts";
import type { DirectoryView, IdentityDirectory } from "../../lib/clients/identity-directory.ts";
import type { SecretBox } from "../../lib/clients/secret-box.ts";
import type { AccessKey, UserRecord } from "../../lib/gen/dolium/record/v1/identity_pb.ts";
import { S3Error } from "../../lib/s3/errors.ts";
import type { ClusterKeys } from "../../lib/seal/cluster-keys.ts";
import type { Credential, CredentialQuestion, CredentialStore } from "../dependencies.ts";
import type { Keystore } from "./keystore.ts";
import type { Principals } from "./principal.ts";
import { plainPrincipal } from "./principal.ts";
import type { UserRates } from "./rate-limits.ts";
import { isPrivate } from "./request-origin.ts";
import { parseRgwToken, type RgwToken } from "./rgw-token.ts";
import type { RgwTokenCheck } from "./rgw-token-check.ts";
import { ROOT, sessionsFromMs, sessionsFromMsOf } from "./session-start.ts";
import { isTemporaryKey, openSession, type Session } from "./session-token.ts";
import { isToken, publicName, tokenDigest } from "./tokens.ts";

export interface RootKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface CredentialSettings {
  /** Access tokens count. */
  readonly tokens: boolean;
  /** They are taken over plain HTTP, from everywhere. */
  readonly tokensOverHttp: boolean;
  /** Anybody is whom he says; for clients of stores that check nothing. */
  readonly simple: boolean;
  /** Who sends requests without a signature, where `simple`; empty: nobody. */
  readonly defaultUser: string;
}

export interface CredentialDeps {
  readonly root: RootKeys;
  readonly directory: Pick<IdentityDirectory, "view">;
  readonly secrets: Pick<SecretBox, "openSecret">;
  readonly keys: ClusterKeys;
  readonly principals: Principals;
  readonly rgwTokens: RgwTokenCheck;
  /** Asked for keys that the directory does not hold. */
  readonly keystore?: Pick<Keystore, "find"> | undefined;
}

export class DirectoryCredentials implements CredentialStore {
  readonly #deps: CredentialDeps;
  readonly #settings: CredentialSettings;
  readonly #opened = new WeakMap<AccessKey, string>();
  readonly #rootBinding: string;

  constructor(deps: CredentialDeps, settings: CredentialSettings) {
    this.#deps = deps;
    this.#settings = settings;
    this.#rootBinding = rootBinding(deps.root);
  }

  /** Digest of the root keys, for the root user's sessions. */
  get rootBinding(): string {
    return this.#rootBinding;
  }

  async find(accessKeyId: string, question: CredentialQuestion): Promise<Credential | undefined> {
    if (isTemporaryKey(accessKeyId) && question.securityToken !== undefined) {
      return this.#ofSession(accessKeyId, question.securityToken, question);
    }
    if (question.securityToken !== undefined) throw new S3Error("InvalidToken");
    const { root } = this.#deps;
    if (accessKeyId === root.accessKeyId) return rootCredential(root.secretAccessKey);
    if (this.#settings.tokens && isToken(accessKeyId)) return this.#ofToken(accessKeyId, question);
    const rgwToken = this.#settings.tokens ? parseRgwToken(accessKeyId) : undefined;
    if (rgwToken !== undefined) return this.#ofRgwToken(rgwToken, accessKeyId, question);
    return this.#ofKey(accessKeyId, question);
  }

  /** The user as he would act with a key of his own; undefined when there is none of that name. */
  async ofUser(
    name: string,
    { requestId }: Pick<CredentialQuestion, "requestId">,
  ): Promise<Credential | undefined> {
    if (name === ROOT) return rootCredential(undefined);
    const view = await this.#deps.directory.view({ requestId });
    const user = view.user(name);
    return user && this.#credential(view, user, { secret: undefined, publicId: name });
  }

  async findUnsigned(question: CredentialQuestion): Promise<Credential | undefined> {
    const { certificate } = question.origin;
    if (certificate === undefined && !this.#settings.simple) return undefined;
    const view = await this.#view(question);
    const holder = certificate === undefined ? undefined : view.byCertificate(certificate);
    if (holder !== undefined) {
      const { expiresMs, fingerprint } = holder.certificate;
      if (isOver(expiresMs, question)) return undefined;
      const publicId = Buffer.from(fingerprint.subarray(0, 8)).toString("hex");
      return this.#credential(view, holder.user, { secret: undefined, publicId });
    }
    const user = this.#claimed(view, "");
    return user && this.#credential(view, user, { secret: undefined, publicId: user.name });
  }

  /**
   * Where nothing is checked: the user of that name, else the one for everybody. Whoever may do
   * everything proves who he is, whatever the setting.
   */
  #claimed(view: DirectoryView, name: string): UserRecord | undefined {
    const { simple, defaultUser } = this.#settings;
    if (!simple) return undefined;
    const named = name === "" ? undefined : view.user(name);
    const user = named ?? (defaultUser === "" ? undefined : view.user(defaultUser));
    return user?.administrator === false ? user : undefined;
  }

  async #ofKey(accessKeyId: string, question: CredentialQuestion): Promise<Credential | undefined> {
    const view = await this.#view(question);
    const found = view.byAccessKey(accessKeyId);
    if (found === undefined) {
      const user = this.#claimed(view, accessKeyId);
      if (user !== undefined) return this.#credential(view, user, { secret: undefined });
      return this.#ofKeystore(accessKeyId, question);
    }
    const { user, key } = found;
    if (key.disabled || isOver(key.expiresMs, question)) return undefined;
    const secret = this.#secretOf(user, key);
    return this.#credential(view, user, { secret, useId: accessKeyId });
  }

  /**
   * A key of the operator's own store. Administrators have theirs in the directory: whoever can
   * write to the store does not come to own the cluster.
   */
  async #ofKeystore(
    accessKeyId: string,
    question: CredentialQuestion,
  ): Promise<Credential | undefined> {
    const found = await this.#deps.keystore?.find(accessKeyId);
    if (found === undefined) return undefined;
    const view = await this.#view(question);
    const user = view.user(found.userName);
    if (user === undefined || user.administrator) return undefined;
    return this.#credential(view, user, { secret: found.secret });
  }

  async #ofToken(token: string, question: CredentialQuestion): Promise<Credential | undefined> {
    this.#refuseInTheOpen(question);
    const view = await this.#view(question);
    const found = view.byToken(tokenDigest(token));
    if (found === undefined || found.token.disabled) return undefined;
    const { user, token: record } = found;
    const refusal = isOver(record.expiresMs, question) ? new S3Error("ExpiredToken") : undefined;
    return this.#credential(view, user, {
      secret: undefined,
      principal: this.#deps.principals.ofToken(view, user, record),
      publicId: publicName(token),
      useId: record.tokenId,
      isToken: true,
      ...(refusal === undefined ? {} : { refusal }),
    });
  }

  async #ofRgwToken(
    rgwToken: RgwToken,
    accessKeyId: string,
    question: CredentialQuestion,
  ): Promise<Credential | undefined> {
    this.#refuseInTheOpen(question);
    const view = await this.#view(question);
    const found = await this.#deps.rgwTokens.userOf(rgwToken, view, question.origin);
    if (found === undefined) return undefined;
    const { user, token } = found;
    const proof = { secret: undefined, publicId: publicName(accessKeyId), isToken: true };
    if (token === undefined) return this.#credential(view, user, proof);
    const principal = this.#deps.principals.ofToken(view, user, token);
    return this.#credential(view, user, { ...proof, principal, useId: token.tokenId });
  }

  async #ofSession(
    accessKeyId: string,
    securityToken: string,
    question: CredentialQuestion,
  ): Promise<Credential> {
    const session = openSession(this.#deps.keys, securityToken);
    if (session === undefined || session.accessKeyId !== accessKeyId) {
      throw new S3Error("InvalidToken");
    }
    const { issuedMs, expiresMs } = session;
    const isExpired = expiresMs <= question.nowMs;
    const found = isExpired ? undefined : await this.#ofSubject(session, question);
    const { subject } = session;
    const user =
      subject.kind === "root" ? ROOT : subject.kind === "user" ? subject.name : subject.user;
    const facts = { secret: session.secret, session: { user, issuedMs, expiresMs } };
    if (found !== undefined) return { ...found, ...facts };
    return { ...nobody(), ...facts, refusal: new S3Error("ExpiredToken") };
  }

  /** Undefined when the session was revoked, or its subject is gone. */
  async #ofSubject(
    session: Session,
    question: CredentialQuestion,
  ): Promise<Credential | undefined> {
    const { subject, secret } = session;
    const { principals } = this.#deps;
    if (subject.kind === "root") {
      if (subject.binding !== this.#rootBinding) return undefined;
      if (isRevoked(session, sessionsFromMsOf(await this.#view(question), ROOT))) return undefined;
      return { ...rootCredential(secret), principal: principals.ofRootSession(session) };
    }
    const view = await this.#view(question);
    if (subject.kind === "user") {
      const user = view.user(subject.name);
      if (user === undefined || isRevoked(session, sessionsFromMs(user))) return undefined;
      const principal = principals.ofUserSession(view, user, session);
      return this.#credential(view, user, { secret, principal });
    }
    const role = view.role(subject.name);
    if (role === undefined || isRevoked(session, role.createdMs)) return undefined;
    const { sessionName } = subject;
    const principal = principals.ofRoleSession(view, role, { ...session, sessionName });
    const { userId } = principal;
    const displayName = `${role.name}/${sessionName}`;
    const credential = { secret, userId, displayName, administrator: false, principal };
    if (subject.user === "") return credential;
    // Whose sessions are revoked has none left under another name either.
    if (isRevoked(session, sessionsFromMsOf(view, subject.user))) return undefined;
    if (subject.user === ROOT) return credential;
    const user = view.user(subject.user);
    if (user === undefined || user.disabled) return undefined;
    return { ...credential, rates: ratesOf(view, user) };
  }

  #credential(
    view: DirectoryView,
    user: UserRecord,
    how: Pick<Credential, "secret"> & Partial<Credential>,
  ): Credential {
    const { principal = this.#deps.principals.ofUser(view, user) } = how;
    const parent = user.parent === "" ? undefined : view.user(user.parent);
    const isDisabled = user.disabled || (user.parent !== "" && parent?.disabled !== false);
    const refusal = how.refusal ?? (isDisabled ? disabled() : undefined);
    return {
      ...how,
      userId: principal.userId,
      displayName: displayNameOf(parent ?? user),
      administrator: principal.administrator,
      principal,
      userName: user.name,
      rates: ratesOf(view, user),
      ...(refusal === undefined ? {} : { refusal }),
    };
  }

  /** Throws StoreError "denied" when the cluster key does not open it. */
  #secretOf(user: UserRecord, key: AccessKey): string {
    const known = this.#opened.get(key);
    if (known !== undefined) return known;
    const { accessKeyId, sealedSecret } = key;
    const secret = this.#deps.secrets.openSecret(user.name, accessKeyId, sealedSecret);
    this.#opened.set(key, secret);
    return secret;
  }

  /** Before anything is looked up: a token that was shown in the open is known to others. */
  #refuseInTheOpen({ origin }: CredentialQuestion): void {
    if (this.#settings.tokensOverHttp || isPrivate(origin)) return;
    throw new S3Error("AccessDenied", "Access tokens are taken over TLS only.");
  }

  async #view({ requestId }: CredentialQuestion): Promise<DirectoryView> {
    return this.#deps.directory.view({ requestId });
  }
}

function rootCredential(secret: string | undefined): Credential {
  const principal = plainPrincipal(ROOT, true);
  return {
    secret,
    userId: ROOT,
    displayName: ROOT,
    administrator: true,
    principal,
    userName: ROOT,
  };
}

/** Of a session that does not count any more; its holder is told so. */
function nobody(): Omit<Credential, "secret"> {
  return { userId: "", displayName: "", principal: plainPrincipal("", false) };
}

function disabled(): S3Error {
  return new S3Error("AccessDenied", "The user is disabled.");
}

/** Ties sessions of the root user to its keys: new keys end them. */
function rootBinding({ accessKeyId, secretAccessKey }: RootKeys): string {
  const text = `root session\0${accessKeyId}\0${secretAccessKey}`;
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}

function isOver(expiresMs: bigint, { nowMs }: CredentialQuestion): boolean {
  return expiresMs !== 0n && expiresMs <= BigInt(Math.trunc(nowMs));
}

function isRevoked({ issuedMs }: Session, fromMs: bigint): boolean {
  return BigInt(issuedMs) < fromMs;
}

export function displayNameOf({ name, displayName }: UserRecord): string {
  return displayName === "" ? name : displayName;
}

/** A service account shares the limits of its user. */
function ratesOf(view: DirectoryView, user: UserRecord): UserRates {
  const { limits } = (user.parent === "" ? undefined : view.user(user.parent)) ?? user;
  return {
    requestsPerSecond: limits?.requestsPerSecond ?? 0,
    uploadBytesPerSecond: toSafeNumber(limits?.uploadBytesPerSecond ?? 0n),
    downloadBytesPerSecond: toSafeNumber(limits?.downloadBytesPerSecond ?? 0n),
  };
}
