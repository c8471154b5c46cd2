// The one gate for every kind of authentication claim: header, presigned URL and chunked bodies of
// Signature Version 4, and requests without any. Guarantees that an identity which leaves here
// holds the secret of its access key. An unknown key costs the same work as a wrong secret.
import { unreachable } from "../../lib/base/assert.ts";
import { S3Error } from "../../lib/s3/errors.ts";
import type { ChunkSigning } from "../../lib/s3/sigv4/chunk-signature.ts";
import {
  type AuthClaim,
  parseAuthorization,
  type V4HeaderClaim,
  type V4QueryClaim,
} from "../../lib/s3/sigv4/claim.ts";
import { type PayloadClaim, parsePayloadHash } from "../../lib/s3/sigv4/payload-hash.ts";
import { SigningKeyCache } from "../../lib/s3/sigv4/signing-key.ts";
import { type VerifiedV4, verifyV4 } from "../../lib/s3/sigv4/verify.ts";
import type { CredentialStore } from "../dependencies.ts";
import type { S3Request } from "../request.ts";

const SIGNING_KEYS_MAX = 1024;
/** Stands in for the secret of an unknown access key. */
const NO_SECRET = "no such access key, so no secret either";

export interface UserIdentity {
  readonly kind: "user";
  readonly accessKeyId: string;
  readonly userId: string;
  readonly displayName: string;
  readonly administrator: boolean;
}

export type Identity = { readonly kind: "anonymous" } | UserIdentity;

export interface Authenticated {
  readonly identity: Identity;
  /** What was signed about the body. */
  readonly payload: PayloadClaim;
  /** From where the signatures of chunks go on; undefined when nothing was signed. */
  readonly chunkSigning: ChunkSigning | undefined;
}

export interface AuthenticationSettings {
  readonly region: string;
  readonly strictRegion: boolean;
}

export class Authentication {
  readonly #credentials: CredentialStore;
  readonly #settings: AuthenticationSettings;
  readonly #signingKeys = new SigningKeyCache(SIGNING_KEYS_MAX);

  constructor(credentials: CredentialStore, settings: AuthenticationSettings) {
    this.#credentials = credentials;
    this.#settings = settings;
  }

  /**
   * Says who sent the request. Throws S3Error: what parseAuthorization and verifyV4 throw,
   * InvalidAccessKeyId, and InvalidRequest for Signature Version 2.
   */
  async authenticate(request: S3Request): Promise<Authenticated> {
    const claim = parseAuthorization(request.headers, request.target.query);
    switch (claim.kind) {
      case "anonymous":
        return {
          identity: { kind: "anonymous" },
          payload: anonymousPayload(request),
          chunkSigning: undefined,
        };
      case "v4-header":
      case "v4-query":
        return this.#verify(claim, request);
      case "v2-header":
      case "v2-query":
        throw new S3Error(
          "InvalidRequest",
          "The authorization mechanism you have provided is not supported. " +
            "Please use AWS4-HMAC-SHA256.",
        );
      default:
        return unreachable(claim);
    }
  }

  async #verify(claim: V4HeaderClaim | V4QueryClaim, request: S3Request): Promise<Authenticated> {
    const credential = await this.#credentials.find(claim.accessKeyId);
    const options = {
      nowMs: request.receivedMs,
      region: this.#settings.region,
      strictRegion: this.#settings.strictRegion,
      signingKeys: this.#signingKeys,
    };
    if (credential === undefined) {
      throw unknownKey(claim, () => verifyV4(claim, request, { ...options, secret: NO_SECRET }));
    }
    const verified = verifyV4(claim, request, { ...options, secret: credential.secret });
    return {
      identity: {
        kind: "user",
        accessKeyId: claim.accessKeyId,
        userId: credential.userId,
        displayName: credential.displayName,
        administrator: credential.administrator === true,
      },
      payload: verified.payload,
      chunkSigning: verified,
    };
  }
}

/**
 * The refusal of an unknown access key. Verifies against a secret nobody has, so that the time
 * taken says nothing; another complaint of the verifier (clock, scope) stands as for a known key.
 */
function unknownKey(claim: AuthClaim, verify: () => VerifiedV4): S3Error {
  try {
    verify();
  } catch (error) {
    if (!(error instanceof S3Error)) throw error;
    if (error.code !== "SignatureDoesNotMatch") return error;
  }
  const accessKeyId = claim.kind === "anonymous" ? "" : claim.accessKeyId;
  return new S3Error("InvalidAccessKeyId", undefined, {
    details: [["AWSAccessKeyId", accessKeyId]],
  });
}

/** Without a signature a body may still be sent with unsigned chunks and trailers. */
function anonymousPayload(request: S3Request): PayloadClaim {
  const value = request.headers.get("x-amz-content-sha256");
  if (value === undefined) return { kind: "unsigned" };
  const payload = parsePayloadHash(value);
  if (payload.kind === "chunked" && payload.signed) {
    throw new S3Error("AccessDenied", "A signed payload needs a signed request.");
  }
  return payload;
}
