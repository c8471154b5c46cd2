// Signing in by an OpenID provider: authorization code with PKCE, state and nonce. Nothing is kept
// here between the two steps: what must come back unchanged is sealed and given to the browser, so
// any gateway finishes what another began. Source: OpenID Connect Core 1.0 section 3.1, RFC 7636,
// RFC 9207, RFC 9700.
import { createHash } from "node:crypto";
import { StoreError } from "../../lib/base/errors.ts";
import type { Random } from "../../lib/ports/random.ts";
import type { ClusterKeys } from "../../lib/seal/cluster-keys.ts";
import { joseCode, type OidcDeps, OidcProvider, type OidcSettings } from "./oidc-provider.ts";
import { type Claims, type ProvisioningDeps, provisionUser } from "./provisioning.ts";
import { sameSecret } from "./same-secret.ts";
import { openText, sealText } from "./sealed-text.ts";

const SIGN_IN_MS = 600_000;
const SECRET_BYTES = 32;

export interface SignInDeps extends OidcDeps {
  readonly keys: ClusterKeys;
  readonly random: Random;
  readonly provisioning: ProvisioningDeps;
}

/** What the browser keeps, sealed, until the provider sends it back. */
interface SignInUnderWay {
  readonly provider: string;
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
  readonly redirectUri: string;
  readonly expiresMs: number;
}

export class OidcProviders {
  readonly #deps: SignInDeps;
  readonly #providers: ReadonlyMap<string, OidcProvider>;

  /** Throws StoreError "invalid" for bad issuers, and for names or issuers that repeat. */
  constructor(settings: readonly OidcSettings[], deps: SignInDeps) {
    this.#deps = deps;
    this.#providers = new Map(settings.map((one) => [one.name, new OidcProvider(one, deps)]));
    const issuers = new Set(settings.map(({ issuer }) => issuer));
    if (this.#providers.size < settings.length || issuers.size < settings.length) {
      throw new StoreError("invalid", "identity.oidc: a name or an issuer is there twice");
    }
  }

  get names(): readonly string[] {
    return [...this.#providers.keys()];
  }

  /** Where to send the browser, and what it must keep. Throws StoreError "not-found". */
  async begin(
    name: string,
    redirectUri: string,
  ): Promise<{ readonly location: string; readonly state: string }> {
    const provider = this.#provider(name);
    const { authorizationEndpoint } = await provider.metadata();
    const { clock, keys, random } = this.#deps;
    const secret = (): string => Buffer.from(random.bytes(SECRET_BYTES)).toString("base64url");
    const underWay: SignInUnderWay = {
      provider: name,
      state: secret(),
      nonce: secret(),
      verifier: secret(),
      redirectUri,
      expiresMs: clock.wallMs() + SIGN_IN_MS,
    };
    const url = new URL(authorizationEndpoint);
    const { clientId, scopes } = provider.settings;
    const challenge = createHash("sha256").update(underWay.verifier).digest("base64url");
    for (const [key, value] of [
      ["response_type", "code"],
      ["client_id", clientId],
      ["redirect_uri", redirectUri],
      ["scope", [...new Set(["openid", ...scopes])].join(" ")],
      ["state", underWay.state],
      ["nonce", underWay.nonce],
      ["code_challenge", challenge],
      ["code_challenge_method", "S256"],
    ] as const) {
      url.searchParams.set(key, value);
    }
    const text = JSON.stringify(underWay);
    return { location: url.href, state: sealText(keys, { purpose: "sign-in", text }, random) };
  }

  /**
   * The name of the user whom the provider sent back. Throws StoreError: "not-found" (no such
   * provider), "denied" with a reason for people, "unavailable" when the provider does not answer.
   */
  async finish(
    name: string,
    answer: {
      readonly query: URLSearchParams;
      readonly state: string;
      readonly redirectUri: string;
    },
  ): Promise<string> {
    const provider = this.#provider(name);
    const underWay = this.#underWay(name, answer);
    const { query } = answer;
    const issuer = query.get("iss");
    if (issuer !== null && issuer !== provider.settings.issuer) {
      throw denied("the answer is from another provider");
    }
    const failure = query.get("error");
    if (failure !== null) throw denied(`the provider refused: ${failure.slice(0, 100)}`);
    const code = query.get("code");
    if (code === null || code === "") throw denied("the provider sent no code");
    const token = await this.#exchange(provider, code, underWay);
    const { clientId } = provider.settings;
    const question = { token, audiences: [clientId], nonce: underWay.nonce };
    const claims = await provider.verify(question);
    const user = await provisionUser(this.#deps.provisioning, provider.settings, claims);
    return user.name;
  }

  /**
   * The claims of a token that some application got from one of the providers. Throws as
   * OidcProvider.verify.
   */
  async verifyToken(
    token: string,
  ): Promise<{ readonly provider: OidcSettings; readonly claims: Claims }> {
    const isKnown = this.#providers.size > 0;
    const issuer = isKnown ? await statedIssuer(token) : undefined;
    const provider = [...this.#providers.values()].find((one) => one.settings.issuer === issuer);
    if (provider === undefined) throw denied("the token is of no provider that is known here");
    const { clientId, audiences } = provider.settings;
    const question = { token, audiences: [clientId, ...audiences], nonce: undefined };
    return { provider: provider.settings, claims: await provider.verify(question) };
  }

  #provider(name: string): OidcProvider {
    const provider = this.#providers.get(name);
    if (provider !== undefined) return provider;
    throw new StoreError("not-found", "there is no such identity provider");
  }

  #underWay(
    name: string,
    {
      query,
      state,
      redirectUri,
    }: {
      readonly query: URLSearchParams;
      readonly state: string;
      readonly redirectUri: string;
    },
  ): SignInUnderWay {
    const text = openText(this.#deps.keys, "sign-in", state);
    if (text === undefined) throw denied("this browser began no sign-in");
    // Checked boundary: only `begin` seals for this purpose.
    const underWay = JSON.parse(text) as SignInUnderWay;
    const isSame = sameSecret(underWay.state, query.get("state") ?? "");
    if (!isSame || underWay.provider !== name || underWay.redirectUri !== redirectUri) {
      throw denied("the answer belongs to another sign-in");
    }
    if (underWay.expiresMs <= this.#deps.clock.wallMs()) throw denied("the sign-in took too long");
    return underWay;
  }

  async #exchange(
    provider: OidcProvider,
    code: string,
    { verifier, redirectUri }: SignInUnderWay,
  ): Promise<string> {
    const { tokenEndpoint, methods } = await provider.metadata();
    const { clientId, clientSecret } = provider.settings;
    const form = new URLSearchParams({
      grant_type: "authorization_code",
      code,
      redirect_uri: redirectUri,
      client_id: clientId,
      code_verifier: verifier,
    });
    const isBasic = clientSecret !== "" && methods.includes("client_secret_basic");
    if (clientSecret !== "" && !isBasic) form.set("client_secret", clientSecret);
    const credentials = [clientId, clientSecret].map(encodeURIComponent).join(":");
    const { id_token: token } = await provider.fetchJson({
      url: tokenEndpoint,
      method: "POST",
      headers: {
        "Content-Type": "application/x-www-form-urlencoded",
        Accept: "application/json",
        ...(isBasic
          ? { Authorization: `Basic ${Buffer.from(credentials).toString("base64")}` }
          : {}),
      },
      body: form.toString(),
    });
    if (typeof token === "string") return token;
    throw denied("the provider sent no ID token");
  }
}

/** What the token says before it is verified: only to choose who verifies it. */
async function statedIssuer(token: string): Promise<string | undefined> {
  const { decodeJwt } = await import("jose");
  try {
    return decodeJwt(token).iss;
  } catch (error) {
    if (joseCode(error) !== undefined) return undefined;
    throw error;
  }
}

function denied(reason: string): StoreError {
  return new StoreError("denied", reason);
}
