// One OpenID provider: what it says of itself, its keys, and whether an ID token is from it.
// Guarantees that a token which passes was signed by a key of the provider with a public-key
// algorithm, for one of our clients, and lives now (60 s of leeway). Source: OpenID Connect Core
// 1.0 section 3.1.3.7, OpenID Connect Discovery 1.0, RFC 8725.
import type { JSONWebKeySet, JWTPayload } from "jose";
import { fromUtf8 } from "../../lib/base/bytes.ts";
import { StoreError } from "../../lib/base/errors.ts";
import { isLoopback } from "../../lib/base/ip-address.ts";
import type { Clock } from "../../lib/ports/clock.ts";
import type { WebAnswer, WebClient, WebRequest } from "../../lib/ports/web.ts";

const LEEWAY_SECONDS = 60;
const METADATA_MS = 3_600_000;
/** An unknown key makes us ask for the keys anew, at most so often. */
const KEYS_MS_MIN = 30_000;
const DEADLINE_MS = 5000;
const ANSWER_BYTES_MAX = 262_144;
const TOKEN_CHARACTERS_MAX = 20_000;
/** None of them has a key that both sides know, and `none` is none. */
const ALGORITHMS = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
];

export interface OidcSettings {
  readonly name: string;
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** Claim that names the user. */
  readonly userClaim: string;
  /** Claim with the names of groups; empty: groups are not taken from the provider. */
  readonly groupsClaim: string;
  /** Appended to names of users: `alice` becomes `alice_umich`; empty: nothing is. */
  readonly organisation: string;
  readonly scopes: readonly string[];
  /** Audiences of tokens for AssumeRoleWithWebIdentity, besides the client id. */
  readonly audiences: readonly string[];
  /** Users that are not there are made. */
  readonly createUsers: boolean;
  /** A user of that name who is there already, without an account of the provider, gets it. */
  readonly linkUsers: boolean;
}

/** What a provider says of itself, as far as it is used. */
export interface ProviderMetadata {
  readonly authorizationEndpoint: string;
  readonly tokenEndpoint: string;
  readonly jwksUri: string;
  readonly methods: readonly string[];
}

export interface OidcDeps {
  readonly web: WebClient;
  readonly clock: Clock;
}

interface Kept<T> {
  readonly value: T;
  readonly atMs: number;
}

export interface IdTokenQuestion {
  readonly token: string;
  readonly audiences: readonly string[];
  /** What we sent; undefined where no sign-in of ours asked for the token. */
  readonly nonce: string | undefined;
}

export class OidcProvider {
  readonly settings: OidcSettings;
  readonly #deps: OidcDeps;
  #metadata: Kept<ProviderMetadata> | undefined;
  #keys: Kept<JSONWebKeySet> | undefined;

  /** Throws StoreError "invalid" for an issuer that is neither https nor http on loopback. */
  constructor(settings: OidcSettings, deps: OidcDeps) {
    this.settings = settings;
    this.#deps = deps;
    if (!isAllowedUrl(settings.issuer, settings.issuer)) {
      const message = `identity.oidc ${settings.name}: the issuer must be an https URL`;
      throw new StoreError("invalid", message);
    }
  }

  /** Throws StoreError "unavailable" when the provider does not say. */
  async metadata(): Promise<ProviderMetadata> {
    const nowMs = this.#deps.clock.monotonicMs();
    if (this.#metadata !== undefined && nowMs - this.#metadata.atMs < METADATA_MS) {
      return this.#metadata.value;
    }
    const { issuer } = this.settings;
    const url = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
    const value = readMetadata(await this.fetchJson({ url, method: "GET", headers: {} }), issuer);
    this.#metadata = { value, atMs: nowMs };
    return value;
  }

  /**
   * The claims of the token. Throws StoreError: "denied" for a token that does not count, with the
   * reason (one that is over: see isExpiredToken), "unavailable" when the keys cannot be had.
   */
  async verify(question: IdTokenQuestion): Promise<JWTPayload & { readonly sub: string }> {
    if (question.token.length > TOKEN_CHARACTERS_MAX) throw refused("the token is too long");
    const known = await this.#jwks(false);
    try {
      return await this.#verifyWith(known, question);
    } catch (error) {
      if (joseCode(error) !== "ERR_JWKS_NO_MATCHING_KEY") throw asRefusal(error);
    }
    try {
      return await this.#verifyWith(await this.#jwks(true), question);
    } catch (error) {
      throw asRefusal(error);
    }
  }

  async #verifyWith(
    keys: JSONWebKeySet,
    { token, audiences, nonce }: IdTokenQuestion,
  ): Promise<JWTPayload & { readonly sub: string }> {
    // Loaded by the first token only: most gateways never see one.
    const { createLocalJWKSet, jwtVerify } = await import("jose");
    const { payload } = await jwtVerify(token, createLocalJWKSet(keys), {
      algorithms: ALGORITHMS,
      issuer: this.settings.issuer,
      audience: [...audiences],
      clockTolerance: LEEWAY_SECONDS,
      currentDate: new Date(this.#deps.clock.wallMs()),
      requiredClaims: ["exp", "iat", "sub"],
    });
    const { sub, aud, azp, iat = 0 } = payload;
    if (typeof sub !== "string" || sub === "") throw refused("the token names nobody");
    if (iat * 1000 > this.#deps.clock.wallMs() + LEEWAY_SECONDS * 1000) {
      throw refused("the token is from the future");
    }
    const isForOthers = Array.isArray(aud) && aud.length > 1;
    if (isForOthers && (typeof azp !== "string" || !audiences.includes(azp))) {
      throw refused("the token was made for another client");
    }
    if (nonce !== undefined && payload.nonce !== nonce) throw refused("the nonce is another one");
    return { ...payload, sub };
  }

  async #jwks(isAnew: boolean): Promise<JSONWebKeySet> {
    const nowMs = this.#deps.clock.monotonicMs();
    const age = this.#keys === undefined ? Number.POSITIVE_INFINITY : nowMs - this.#keys.atMs;
    const kept = this.#keys?.value;
    if (kept !== undefined && age < (isAnew ? KEYS_MS_MIN : METADATA_MS)) return kept;
    const { jwksUri } = await this.metadata();
    const value = readKeys(await this.fetchJson({ url: jwksUri, method: "GET", headers: {} }));
    this.#keys = { value, atMs: nowMs };
    return value;
  }

  /**
   * The JSON object at a URL of the provider: its own host may be anywhere, as the operator named
   * it; another that it names must be a public one. Throws StoreError "unavailable", "denied".
   */
  async fetchJson(
    request: Pick<WebRequest, "url" | "method" | "headers" | "body">,
  ): Promise<Readonly<Record<string, unknown>>> {
    const { issuer } = this.settings;
    if (!isAllowedUrl(request.url, issuer)) throw refused("the provider names an unsafe URL");
    const answer = await this.#deps.web.fetch({
      ...request,
      deadlineMs: DEADLINE_MS,
      bytesMax: ANSWER_BYTES_MAX,
      publicOnly: new URL(request.url).host !== new URL(issuer).host,
    });
    return readJson(answer);
  }
}

/** https, or http where the issuer is on loopback itself: for tests and trials on one machine. */
function isAllowedUrl(text: string, issuer: string): boolean {
  if (!URL.canParse(text) || !URL.canParse(issuer)) return false;
  const url = new URL(text);
  if (url.protocol === "https:") return true;
  const { hostname, protocol } = new URL(issuer);
  const isLocal = hostname === "localhost" || isLoopback(hostname.replace(/^\[|\]$/g, ""));
  return url.protocol === "http:" && protocol === "http:" && isLocal && url.hostname === hostname;
}

function readJson({ status, body }: WebAnswer): Readonly<Record<string, unknown>> {
  if (status === 400 || status === 401) throw refused("the provider refused what we sent");
  if (status !== 200) throw new StoreError("unavailable", `the provider answered ${status}`);
  let value: unknown;
  try {
    value = JSON.parse(fromUtf8(body) ?? "");
  } catch (error) {
    throw new StoreError("unavailable", "the provider's answer is no JSON", { cause: error });
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  throw new StoreError("unavailable", "the provider's answer is no JSON object");
}

function readMetadata(fields: Readonly<Record<string, unknown>>, issuer: string): ProviderMetadata {
  const {
    issuer: stated,
    authorization_endpoint: authorizationEndpoint,
    token_endpoint: tokenEndpoint,
    jwks_uri: jwksUri,
    token_endpoint_auth_methods_supported: methods,
  } = fields;
  if (stated !== issuer) throw refused("the provider calls itself by another issuer");
  if (
    typeof authorizationEndpoint !== "string" ||
    typeof tokenEndpoint !== "string" ||
    typeof jwksUri !== "string"
  ) {
    throw new StoreError("unavailable", "the provider does not name its endpoints");
  }
  const known = Array.isArray(methods) ? methods : ["client_secret_basic"];
  return {
    authorizationEndpoint,
    tokenEndpoint,
    jwksUri,
    methods: known.filter((method) => typeof method === "string"),
  };
}

function readKeys({ keys }: Readonly<Record<string, unknown>>): JSONWebKeySet {
  if (!Array.isArray(keys)) throw new StoreError("unavailable", "the provider has no keys");
  // Checked boundary: jose examines each key before it is used.
  return { keys: keys as JSONWebKeySet["keys"] };
}

function refused(reason: string): StoreError {
  return new StoreError("denied", reason);
}

/** Why the token does not count; what else went wrong stays as it is. */
function asRefusal(error: unknown): unknown {
  const code = joseCode(error);
  if (code !== undefined) {
    return new StoreError("denied", `the token does not count: ${code}`, { cause: error });
  }
  return error;
}

/** Whether a token was refused for nothing but its age. */
export function isExpiredToken(error: unknown): boolean {
  return error instanceof StoreError && joseCode(error.cause) === "ERR_JWT_EXPIRED";
}

/** The code of an error about a token ("ERR_JWT_EXPIRED", "ERR_JWS_INVALID"), or undefined. */
export function joseCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  const { code } = error;
  return typeof code === "string" && /^ERR_J(?:W|OSE)/.test(code) ? code : undefined;
}
