// A small OpenID provider on a free port of loopback: discovery, keys, a page where people say that
// it is them, and a token endpoint that checks the client, the code and its PKCE verifier. What it
// signs and sends back, and with what, tests may change.
import { createHash, randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from "jose";

interface Code {
  readonly challenge: string;
  readonly nonce: string;
  readonly redirectUri: string;
}

export const CLIENT = { id: "dolium-console", secret: "a client's secret/+" };

export class OidcServer {
  readonly issuer: string;
  /** Claims of tokens that the token endpoint gives. */
  claims: JWTPayload = { sub: "user-1", preferred_username: "Alice", name: "Alice A." };
  /** Over those of discovery. */
  discovery: Record<string, unknown> = {};
  /** In place of the nonce that was sent. */
  nonce: string | undefined;
  /** In place of the state that was sent. */
  state: string | undefined;
  /** Requests for the keys. */
  keyRequests = 0;
  readonly #server: Server;
  readonly #codes = new Map<string, Code>();
  #key: CryptoKey;
  #jwk: JWK;

  private constructor(server: Server, issuer: string, keys: { key: CryptoKey; jwk: JWK }) {
    this.#server = server;
    this.#key = keys.key;
    this.#jwk = keys.jwk;
    this.issuer = issuer;
  }

  /** `host`: "localhost" is another site than 127.0.0.1 to browsers. */
  static async start(host: "127.0.0.1" | "localhost" = "127.0.0.1"): Promise<OidcServer> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, host, resolve));
    const address = server.address();
    const port = typeof address === "object" ? (address?.port ?? 0) : 0;
    const oidc = new OidcServer(server, `http://${host}:${port}`, await newKeys());
    server.on("request", (request, response) => void oidc.#serve(request, response));
    return oidc;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  /** Signs with another key from now on, and shows that one only. */
  async newKey(): Promise<void> {
    const { key, jwk } = await newKeys();
    this.#key = key;
    this.#jwk = jwk;
  }

  /** The key it shows to everybody. */
  get jwk(): JWK {
    return this.#jwk;
  }

  /** A token for our client that lives five minutes, with changes; `null` leaves a claim out. */
  async token(changes: Readonly<Record<string, unknown>> = {}, key?: CryptoKey): Promise<string> {
    const nowSeconds = Math.floor(Date.now() / 1000);
    const all = {
      ...{ iss: this.issuer, aud: CLIENT.id, iat: nowSeconds, exp: nowSeconds + 300 },
      ...this.claims,
      ...changes,
    };
    const claims = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null));
    return new SignJWT(claims)
      .setProtectedHeader({ alg: "RS256", ...(this.#jwk.kid ? { kid: this.#jwk.kid } : {}) })
      .sign(key ?? this.#key);
  }

  /** What a browser does after its user signed in: the query that comes back to us. */
  authorize(location: string): URLSearchParams {
    const asked = new URL(location).searchParams;
    const code = randomBytes(8).toString("hex");
    this.#codes.set(code, {
      challenge: asked.get("code_challenge") ?? "",
      nonce: asked.get("nonce") ?? "",
      redirectUri: asked.get("redirect_uri") ?? "",
    });
    const state = this.state ?? asked.get("state") ?? "";
    return new URLSearchParams({ code, state, iss: this.issuer });
  }

  /** The page where somebody says that it is him: one link, or one that says no. */
  #page(location: string): string {
    const back = new URL(location).searchParams.get("redirect_uri") ?? "";
    const no = new URLSearchParams(this.authorize(location));
    no.delete("code");
    no.set("error", "access_denied");
    const yes = `${back}?${this.authorize(location)}`.replaceAll("&", "&amp;");
    return `<!doctype html><html lang="en"><title>Campus</title><h1>Campus sign-in</h1>
<a href="${yes}">It is me</a> <a href="${back}?${String(no).replaceAll("&", "&amp;")}">No</a>`;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const answer = (status: number, value: unknown): void => {
      response.writeHead(status, { "Content-Type": "application/json" });
      response.end(JSON.stringify(value));
    };
    const { pathname, href } = new URL(request.url ?? "/", this.issuer);
    switch (pathname) {
      case "/authorize":
        response.writeHead(200, { "Content-Type": "text/html; charset=utf-8" });
        response.end(this.#page(href));
        return;
      case "/.well-known/openid-configuration":
        return answer(200, {
          issuer: this.issuer,
          authorization_endpoint: `${this.issuer}/authorize`,
          token_endpoint: `${this.issuer}/token`,
          jwks_uri: `${this.issuer}/keys`,
          ...this.discovery,
        });
      case "/keys":
        this.keyRequests += 1;
        return answer(200, { keys: [this.#jwk] });
      case "/token": {
        const pieces: Buffer[] = [];
        for await (const piece of request) pieces.push(piece);
        const form = new URLSearchParams(Buffer.concat(pieces).toString());
        const token = await this.#exchange(form, request.headers.authorization ?? "");
        return token === undefined
          ? answer(400, { error: "invalid_grant" })
          : answer(200, { id_token: token, token_type: "Bearer", access_token: "-" });
      }
      default:
        return answer(404, {});
    }
  }

  async #exchange(form: URLSearchParams, authorization: string): Promise<string | undefined> {
    const code = this.#codes.get(form.get("code") ?? "");
    this.#codes.delete(form.get("code") ?? "");
    const expected = [CLIENT.id, CLIENT.secret].map(encodeURIComponent).join(":");
    const isClient = authorization === `Basic ${Buffer.from(expected).toString("base64")}`;
    const verifier = form.get("code_verifier") ?? "";
    const challenge = createHash("sha256").update(verifier).digest("base64url");
    const isRight =
      code !== undefined &&
      isClient &&
      form.get("grant_type") === "authorization_code" &&
      form.get("redirect_uri") === code.redirectUri &&
      challenge === code.challenge;
    return isRight ? this.token({ nonce: this.nonce ?? code.nonce }) : undefined;
  }
}

async function newKeys(): Promise<{ readonly key: CryptoKey; readonly jwk: JWK }> {
  const { privateKey, publicKey } = await generateKeyPair("RS256");
  const kid = randomBytes(4).toString("hex");
  return { key: privateKey, jwk: { ...(await exportJWK(publicKey)), kid, use: "sig" } };
}
