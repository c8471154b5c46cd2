// The one gate for every kind of authentication claim: header, presigned URL and chunked bodies of
// Signature Version 4, header and presigned URL of Version 2, forms, access tokens, client
// certificates, and requests without any. Guarantees that an identity which leaves here holds the
// secret of its access key. An unknown key costs the same work as a wrong secret.
import { unreachable } from "../../lib/base/assert.ts";
import type { UserPrincipal } from "../../lib/iam/model.ts";
import { invalidArgument, isS3Error, S3Error } from "../../lib/s3/errors.ts";
import type { FormFields } from "../../lib/s3/post-form/form-fields.ts";
import { type FormClaim, verifyFormSignature } from "../../lib/s3/post-form/form-signature.ts";
import { type V2Claim, verifyV2 } from "../../lib/s3/sigv2/verify-v2.ts";
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
import type {
  Credential,
  CredentialQuestion,
  CredentialStore,
  SessionFacts,
} from "../dependencies.ts";
import { plainPrincipal } from "../identity/principal.ts";
import type { UserRates } from "../identity/rate-limits.ts";
import { publicName } from "../identity/tokens.ts";
import { isSigned, type S3Request } from "../request.ts";

/** As Pithos has it. Signatures cover every x-amz- header. */
const MASQUERADE_HEADER = "x-amz-masquerade-tenant";
const SIGNING_KEYS_MAX = 1024;
/** Stands in for the secret of an unknown access key. */
const NO_SECRET = "no such access key, so no secret either";

type V4Claim = V4HeaderClaim | V4QueryClaim;

export interface UserIdentity {
  readonly kind: "user";
  /** Fit for logs: of an access token its public name. */
  readonly accessKeyId: string;
  readonly userId: string;
  readonly displayName: string;
  readonly administrator: boolean;
  /** What is asked whether it may do something. */
  readonly principal: UserPrincipal;
  /** Own name, also of a service account; undefined in a role's session. */
  readonly userName?: string;
  /** What uses of the credential are recorded under. */
  readonly useId?: string;
  readonly rates?: UserRates;
  /** Set for temporary credentials. */
  readonly session?: SessionFacts;
  /** It showed an access token. */
  readonly isToken?: boolean;
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
  /** Administrators may act for others, whom they name in a header. */
  readonly masquerade: boolean;
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
   * Says who sent the request, or for whom it is sent. Throws S3Error: what parseAuthorization,
   * verifyV4 and verifyV2 throw, InvalidAccessKeyId; AccessDenied to who may not act for others.
   */
  async authenticate(request: S3Request, service?: ServiceOptions): Promise<Authenticated> {
    const authenticated = await this.#proven(request, service);
    if (service !== undefined || !request.headers.has(MASQUERADE_HEADER)) return authenticated;
    const identity = await this.#masked(request, authenticated.identity);
    return { ...authenticated, identity };
  }

  /** The identity that the header names, for an administrator who signed it with his own key. */
  async #masked(request: S3Request, operator: Identity): Promise<Identity> {
    const name = request.headers.get(MASQUERADE_HEADER) ?? "";
    if (!this.#settings.masquerade || !mayMasquerade(request, operator)) {
      throw new S3Error("AccessDenied", "This request may not be made for somebody else.");
    }
    const credential = await this.#credentials.ofUser?.(name, request);
    if (credential === undefined) {
      throw invalidArgument("There is no such user.", MASQUERADE_HEADER, name);
    }
    if (credential.refusal !== undefined) throw credential.refusal;
    // Logs show whose key it was.
    const { accessKeyId, useId } = operator;
    const identity = identityOf(credential, accessKeyId);
    return { ...identity, accessKeyId, ...(useId === undefined ? {} : { useId }) };
  }

  async #proven(request: S3Request, service: ServiceOptions | undefined): Promise<Authenticated> {
    const claim = parseAuthorization(request.headers, request.target.query);
    switch (claim.kind) {
      case "anonymous":
        return {
          identity: await this.#unsigned(request),
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
  async authenticateForm(
    claim: FormClaim,
    { request, fields }: { readonly request: S3Request; readonly fields: FormFields },
  ): Promise<Identity> {
    if (claim.kind === "anonymous") return { kind: "anonymous" };
    const { region, strictRegion } = this.#settings;
    const signingKeys = this.#signingKeys;
    const question = questionOf(request, fields.get("x-amz-security-token"));
    const { identity } = await this.#prove(claim, question, (proof) =>
      provenBy(proof, (secret) =>
        verifyFormSignature(claim, { secret, region, strictRegion, signingKeys }),
      ),
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
    const question = questionOf(request, securityTokenOf(claim, request));
    const { identity, verified } = await this.#prove(
      claim,
      question,
      (proof): VerifiedV4 =>
        proof === undefined
          ? verifyV4(claim, request, { ...options, secret: "", bearer: true })
          : verifyV4(claim, request, { ...options, secret: proof }),
    );
    return { identity, payload: verified.payload, chunkSigning: verified };
  }

  /** Version 2 signs no body: what is said about it is checked, but nobody vouches for it. */
  async #verifyV2(claim: V2Claim, request: S3Request): Promise<Authenticated> {
    const { style, bucket } = request.address;
    const hostBucket = style === "virtual-host" ? bucket : undefined;
    const question = questionOf(request, securityTokenOf(claim, request));
    const { identity } = await this.#prove(claim, question, (proof) =>
      provenBy(proof, (secret) =>
        verifyV2(claim, request, { secret, nowMs: request.receivedMs, hostBucket }),
      ),
    );
    return { identity, payload: unsignedPayload(request), chunkSigning: undefined };
  }

  /**
   * Whom the connection speaks for, by its client certificate. A browser shows that whoever made
   * the page that asks, so requests that a page of another origin may have caused are anonymous.
   */
  async #unsigned(request: S3Request): Promise<Identity> {
    if (isFromPage(request)) return { kind: "anonymous" };
    const credential = await this.#credentials.findUnsigned?.(questionOf(request, undefined));
    if (credential === undefined) return { kind: "anonymous" };
    if (credential.refusal !== undefined) throw credential.refusal;
    return identityOf(credential, "");
  }

  /**
   * Runs `verify` with the secret of the claim's key, or without one where the key is a token. For
   * an unknown key with a secret nobody has, so that the time taken says nothing; another complaint
   * (clock, scope) stands as for a known key.
   */
  async #prove<T>(
    { accessKeyId }: { readonly accessKeyId: string },
    question: CredentialQuestion,
    verify: (secret: string | undefined) => T,
  ): Promise<{ readonly identity: UserIdentity; readonly verified: T }> {
    const credential = await this.#credentials.find(accessKeyId, question);
    if (credential === undefined) throw unknownKey(accessKeyId, () => verify(NO_SECRET));
    const verified = verify(credential.secret);
    if (credential.refusal !== undefined) throw credential.refusal;
    return { identity: identityOf(credential, accessKeyId), verified };
  }
}

/** The identity of whoever proved to have the credential; `accessKeyId` is what he showed. */
export function identityOf(credential: Credential, accessKeyId: string): UserIdentity {
  const { userId, displayName, administrator = false, publicId = accessKeyId } = credential;
  const { principal = plainPrincipal(userId, administrator) } = credential;
  const { userName, useId, rates, session, isToken } = credential;
  return {
    kind: "user",
    accessKeyId: publicId,
    userId,
    displayName,
    administrator,
    principal,
    ...(userName === undefined ? {} : { userName }),
    ...(useId === undefined ? {} : { useId }),
    ...(rates === undefined ? {} : { rates }),
    ...(session === undefined ? {} : { session }),
    ...(isToken === undefined ? {} : { isToken }),
  };
}

/** What a credential store is asked about the request. */
export function questionOf(
  request: S3Request,
  securityToken: string | undefined,
): CredentialQuestion {
  const { origin, receivedMs: nowMs, requestId } = request;
  return { securityToken, origin, nowMs, requestId };
}

/**
 * The session token, from where the signature covers it: a header (verifyV4 refuses unsigned ones,
 * Version 2 signs all x-amz-), or the query of a presigned URL, where each version spells it its
 * own way.
 */
function securityTokenOf(claim: AuthClaim, { headers, target }: S3Request): string | undefined {
  const header = headers.get("x-amz-security-token");
  const ofV4 = target.query.all("X-Amz-Security-Token");
  const ofV2 = target.query.all("x-amz-security-token");
  const [inQuery, ...more] = [...ofV4, ...ofV2];
  if (inQuery === undefined) return header;
  const isSigned = claim.kind === (ofV4.length === 1 ? "v4-query" : "v2-query");
  if (!isSigned || header !== undefined || more.length > 0) throw new S3Error("InvalidToken");
  return inQuery;
}

/** Runs a check that ends with the signature; without a secret, all of it but the signature. */
function provenBy(secret: string | undefined, verify: (secret: string) => void): void {
  try {
    verify(secret ?? NO_SECRET);
  } catch (error) {
    if (secret !== undefined || !isS3Error(error, "SignatureDoesNotMatch")) throw error;
  }
}

/** Nobody whose credential is bounded in any way gets past that by acting for another. */
function mayMasquerade(request: S3Request, operator: Identity): operator is UserIdentity {
  return (
    isSigned(request) &&
    operator.kind === "user" &&
    operator.administrator &&
    operator.principal.bounds.length === 0 &&
    operator.session === undefined &&
    operator.isToken !== true
  );
}

function isFromPage({ headers }: S3Request): boolean {
  const site = headers.get("sec-fetch-site");
  const isOwn = site === undefined || site === "none" || site === "same-origin";
  return headers.has("origin") || !isOwn;
}

function unknownKey(accessKeyId: string, verify: () => unknown): S3Error {
  try {
    verify();
  } catch (error) {
    if (!(error instanceof S3Error)) throw error;
    if (error.code !== "SignatureDoesNotMatch") return error;
  }
  return new S3Error("InvalidAccessKeyId", undefined, {
    details: [["AWSAccessKeyId", publicName(accessKeyId)]],
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
