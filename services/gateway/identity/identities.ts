// Who somebody is, apart from signed requests of S3: a session of the console, a sign-in with key
// and secret, a bearer token. Each comes out as the identity that a signed request of his would
// have.
import { createHash } from "node:crypto";
import type { Clock } from "../../lib/ports/clock.ts";
import type { Credential, CredentialQuestion, CredentialStore } from "../dependencies.ts";
import { identityOf, questionOf, type UserIdentity } from "../plugins/authentication.ts";
import type { S3Request } from "../request.ts";
import { parseRgwToken } from "./rgw-token.ts";
import { sameSecret } from "./same-secret.ts";
import { isToken } from "./tokens.ts";

/** Compared with where there is no such key, so that it takes the same time. */
const NO_SECRET = createHash("sha256").update("no such access key").digest("hex");

export interface UserCredentials extends CredentialStore {
  /** The user as he would act with a key of his own; undefined when there is none of that name. */
  ofUser(
    name: string,
    question: Pick<CredentialQuestion, "requestId">,
  ): Promise<Credential | undefined>;
}

const NOWHERE = {
  securityToken: undefined,
  origin: { remoteAddress: "", isSecure: false, certificate: undefined },
  requestId: "",
} as const;

export class DirectoryIdentities {
  readonly #credentials: UserCredentials;
  readonly #clock: Clock;

  constructor(credentials: UserCredentials, clock: Clock) {
    this.#credentials = credentials;
    this.#clock = clock;
  }

  /** Undefined when he is not there or disabled. */
  async ofUser(name: string): Promise<UserIdentity | undefined> {
    const credential = await this.#credentials.ofUser(name, { requestId: "" });
    return living(credential, name);
  }

  /** Whoever has this key and this secret; undefined otherwise, after the same time. */
  async signIn(accessKeyId: string, secret: string): Promise<UserIdentity | undefined> {
    // What proves itself, or counts with a session token only, is no key to sign in with.
    const isKey = !isToken(accessKeyId) && parseRgwToken(accessKeyId) === undefined;
    const question = { ...NOWHERE, nowMs: this.#clock.wallMs() };
    const found = isKey ? await this.#credentials.find(accessKeyId, question) : undefined;
    const isRight = sameSecret(secret, found?.secret ?? NO_SECRET);
    if (!isRight || found?.secret === undefined) return undefined;
    return living(found, accessKeyId);
  }

  /** Whoever has this access token. Throws S3Error when it must not come this way. */
  async ofToken(token: string, request: S3Request): Promise<UserIdentity | undefined> {
    if (!isToken(token)) return undefined;
    const credential = await this.#credentials.find(token, questionOf(request, undefined));
    // Off: it was looked for among the keys, which never have its form without a secret.
    if (credential === undefined || credential.secret !== undefined) return undefined;
    if (credential.refusal !== undefined) throw credential.refusal;
    return living(credential, token);
  }
}

function living(credential: Credential | undefined, id: string): UserIdentity | undefined {
  if (credential === undefined || credential.refusal !== undefined) return undefined;
  return identityOf(credential, id);
}
