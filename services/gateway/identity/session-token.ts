// Temporary credentials without a table: what they stand for, secret included, is sealed into the
// session token, which the client sends with every request. Guarantees that a token which opens was
// made by this cluster, for this access key; whether it still counts (time, user, revocation) is
// asked at every use, by credentials.ts.
import { base32 } from "../../lib/base/base32.ts";
import type { Random } from "../../lib/ports/random.ts";
import type { ClusterKeys } from "../../lib/seal/cluster-keys.ts";
import { openText, sealText } from "./sealed-text.ts";

const ACCESS_KEY_ID_PREFIX = "ASIA";
const ACCESS_KEY_ID_BYTES = 10;
const SECRET_BYTES = 30;
const VERSION = 1;
/** Sealed and in base64 it must fit into a header beside others. */
const POLICIES_CHARACTERS_MAX = 4096;

/** Whom a session is of. */
export type SessionSubject =
  | { readonly kind: "user"; readonly name: string }
  /** `binding`: digest of the root keys; other root keys end the session. */
  | { readonly kind: "root"; readonly binding: string }
  /** `name`: of the role. `user`: who assumed it; empty for somebody of an identity provider. */
  | {
      readonly kind: "role";
      readonly name: string;
      readonly sessionName: string;
      readonly user: string;
    };

export interface SessionClaims {
  readonly subject: SessionSubject;
  /** JSON of the session policies; what none of them allows is denied. Empty: no bound. */
  readonly policies: readonly string[];
  /** Milliseconds since 1970. */
  readonly issuedMs: number;
  readonly expiresMs: number;
}

export interface Session extends SessionClaims {
  readonly accessKeyId: string;
  readonly secret: string;
}

export interface TemporaryCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  readonly expiresMs: number;
}

/** Characters that session policies may have in all. */
export const SESSION_POLICY_CHARACTERS_MAX = POLICIES_CHARACTERS_MAX;

/** Makes credentials. Throws StoreError "denied" without a cluster key. */
export function newSession(
  keys: ClusterKeys,
  claims: SessionClaims,
  random: Random,
): TemporaryCredentials {
  const accessKeyId = `${ACCESS_KEY_ID_PREFIX}${base32(random.bytes(ACCESS_KEY_ID_BYTES))}`;
  const secretAccessKey = Buffer.from(random.bytes(SECRET_BYTES)).toString("base64url");
  const text = JSON.stringify({
    v: VERSION,
    a: accessKeyId,
    s: secretAccessKey,
    u: claims.subject,
    p: claims.policies,
    i: claims.issuedMs,
    e: claims.expiresMs,
  });
  const sessionToken = sealText(keys, { purpose: "session token", text }, random);
  return { accessKeyId, secretAccessKey, sessionToken, expiresMs: claims.expiresMs };
}

/** What the token says; undefined for what no gateway of this cluster sealed. */
export function openSession(keys: ClusterKeys, sessionToken: string): Session | undefined {
  const text = openText(keys, "session token", sessionToken);
  if (text === undefined) return undefined;
  // Checked boundary: only this module seals for the purpose; the version names the shape.
  const claims = JSON.parse(text) as {
    readonly v: number;
    readonly a: string;
    readonly s: string;
    readonly u: SessionSubject;
    readonly p: readonly string[];
    readonly i: number;
    readonly e: number;
  };
  if (claims.v !== VERSION) return undefined;
  const { a: accessKeyId, s: secret, u: subject, p: policies, i: issuedMs, e: expiresMs } = claims;
  return { accessKeyId, secret, subject, policies, issuedMs, expiresMs };
}

/** True for access key ids that only count together with a session token. */
export function isTemporaryKey(accessKeyId: string): boolean {
  return accessKeyId.startsWith(ACCESS_KEY_ID_PREFIX);
}
