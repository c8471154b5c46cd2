// The one gate for every kind of authentication claim: header, presigned URL and chunked bodies of
// Signature Version 4, header and presigned URL of Version 2, and requests without any. Guarantees
// that an identity which leaves here holds the secret of its access key. An unknown key costs the
// same work as a wrong secret.
import { unreachable } from "../../lib/base/assert.ts";
import type { UserPrincipal } from "../../lib/iam/model.ts";
import { S3Error } from "../../lib/s3/errors.ts";
import { type FormClaim, verifyFormSignature } from "../../lib/s3/post-form/form-signature.ts";
import { type V2Claim, verifyV2 } from "../../lib/s3/sigv2/verify-v2.ts";
import type { ChunkSigning } from "../../lib/s3/sigv4/chunk-signature.ts";
import {
  parseAuthorization,
  type V4HeaderClaim,
  type V4QueryClaim,
} from "../../lib/s3/sigv4/claim.ts";
import { type PayloadClaim, parsePayloadHash } from "../../lib/s3/sigv4/payload-hash.ts";
import { SigningKeyCache } from "../../lib/s3/sigv4/signing-key.ts";
import { verifyV4 } from "../../lib/s3/sigv4/verify.ts";
import type { CredentialStore } from "../dependencies.ts";
import { plainPrincipal } from "../identity/principal.ts";
import type { S3Request } from "../request.ts";

const SIGNING_KEYS_MAX = 1024;
/** Stands in for the secret of an unknown access key. */
const NO_SECRET = "no such access key, so no secret either";

type V4Claim = V4HeaderClaim | V4QueryClaim;

export interface UserIdentity {
  readonly kind: "user";
  readonly accessKeyId: string;
  readonly userId: string;
  readonly displayName: string;
  readonly administrator: boolean;
  /** What is asked whether it may do something. */
  readonly principal: UserPrincipal;
}

export type Identity = { readonly kind: "anonymous" } | UserIdentity;

export interface Authenticated {
  readonly identity: Identity;
  /** What was signed about the body. */
  readonly payload: PayloadClaim;
  /** From where the signatures of chunks go on; undefined when nothing was signed. */
  readonly chunkSigning: ChunkSigning | undefined;
}

/** What other services of AWS than S3 do differently. */
export interface ServiceOptions {
  /** Services that a signature of Version 4 may be made for. */
  readonly services: ReadonlySet<string>;
  /** SHA-256 of the body in hex, where clients sign it without sending it. */
  readonly bodySha256: string;
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
   * Says who sent the request. Throws S3Error: what parseAuthorization, verifyV4 and verifyV2
   * throw, and InvalidAccessKeyId.
   */
  async authenticate(request: S3Request, service?: ServiceOptions): Promise<Authenticated> {
    const claim = parseAuthorization(request.headers, request.target.query);
    switch (claim.kind) {
      case "anonymous":
        return {
          identity: { kind: "anonymous" },
          payload: unsignedPayload(request),
          chunkSigning: undefined,
        };
      case "v4-header":
      case "v4-query":
        return this.#verifyV4(claim, request, service);
      case "v2-header":
      case "v2-query":
        return this.#verifyV2(claim, request);
      default:
        return unreachable(claim);
    }
  }

  /** Says who signed a form. Throws as authenticate, and what verifyFormSignature throws. */
  async authenticateForm(claim: FormClaim): Promise<Identity> {
    if (claim.kind === "anonymous") return { kind: "anonymous" };
    const { region, strictRegion } = this.#settings;
    const signingKeys = this.#signingKeys;
    const { identity } = await this.#prove(claim, (secret) =>
      verifyFormSignature(claim, { secret, region, strictRegion, signingKeys }),
    );
    return identity;
  }

  async #verifyV4(
    claim: V4Claim,
    request: S3Request,
    service: ServiceOptions | undefined,
  ): Promise<Authenticated> {
    const options = {
      nowMs: request.receivedMs,
      region: this.#settings.region,
      strictRegion: this.#settings.strictRegion,
      signingKeys: this.#signingKeys,
      ...service,
    };
    const { identity, verified } = await this.#prove(claim, (secret) =>
      verifyV4(claim, request, { ...options, secret }),
    );
    return { identity, payload: verified.payload, chunkSigning: verified };
  }

  /** Version 2 signs no body: what is said about it is checked, but nobody vouches for it. */
  async #verifyV2(claim: V2Claim, request: S3Request): Promise<Authenticated> {
    const { style, bucket } = request.address;
    const hostBucket = style === "virtual-host" ? bucket : undefined;
    const { identity } = await this.#prove(claim, (secret) =>
      verifyV2(claim, request, { secret, nowMs: request.receivedMs, hostBucket }),
    );
    return { identity, payload: unsignedPayload(request), chunkSigning: undefined };
  }

  /**
   * Runs `verify` with the secret of the claim's key. For an unknown key with a secret nobody has,
   * so that the time taken says nothing; another complaint (clock, scope) stands as for a known
   * key.
   */
  async #prove<T>(
    claim: { readonly accessKeyId: string },
    verify: (secret: string) => T,
  ): Promise<{ readonly identity: UserIdentity; readonly verified: T }> {
    const { accessKeyId } = claim;
    const credential = await this.#credentials.find(accessKeyId);
    if (credential === undefined) throw unknownKey(accessKeyId, () => verify(NO_SECRET));
    const verified = verify(credential.secret);
    const { userId, displayName, administrator = false } = credential;
    const { principal = plainPrincipal(userId, administrator) } = credential;
    return {
      identity: { kind: "user", accessKeyId, userId, displayName, administrator, principal },
      verified,
    };
  }
}

function unknownKey(accessKeyId: string, verify: () => unknown): S3Error {
  try {
    verify();
  } catch (error) {
    if (!(error instanceof S3Error)) throw error;
    if (error.code !== "SignatureDoesNotMatch") return error;
  }
  return new S3Error("InvalidAccessKeyId", undefined, {
    details: [["AWSAccessKeyId", accessKeyId]],
  });
}

/** Where the body is not signed it may still be sent with unsigned chunks and trailers. */
function unsignedPayload(request: S3Request): PayloadClaim {
  const value = request.headers.get("x-amz-content-sha256");
  if (value === undefined) return { kind: "unsigned" };
  const payload = parsePayloadHash(value);
  if (payload.kind === "chunked" && payload.signed) {
    throw new S3Error("AccessDenied", "A signed payload needs a signed request.");
  }
  return payload;
}
