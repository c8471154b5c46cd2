// Signing in by an identity provider, against a provider on loopback: the way in, what sends it
// astray, and which user of the directory comes out.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { afterEach, beforeEach, test } from "node:test";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { isStoreError } from "../../../../services/lib/base/errors.ts";
import { IdentityGateway } from "../../../s3/identity-gateway.ts";
import { CLIENT, OidcServer } from "./oidc-server.ts";

const REDIRECT = "https://store.example/_console/callback";

let oidc: OidcServer;
let here: IdentityGateway;

beforeEach(async () => {
  oidc = await OidcServer.start();
});
afterEach(async () => {
  await here.stop();
  await oidc.stop();
});

async function start(changes: Readonly<Record<string, unknown>> = {}): Promise<void> {
  const client = { clientId: CLIENT.id, clientSecret: CLIENT.secret };
  const settings = { name: "campus", issuer: oidc.issuer, organisation: "umich", ...client };
  const all = { createUsers: true, ...settings, ...changes };
  here = await IdentityGateway.start({ identity: { oidc: [all] } });
}

async function signIn(): Promise<string> {
  const { location, state } = await here.services.oidc.begin("campus", REDIRECT);
  return here.services.oidc.finish("campus", {
    query: oidc.authorize(location),
    state,
    redirectUri: REDIRECT,
  });
}

/** What went wrong: code and words. */
async function refusal(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    if (isStoreError(error)) return `${error.code}: ${error.message}`;
    throw error;
  }
  throw new Error("it was not refused");
}

test("the browser is sent to the provider with state, nonce and PKCE, and no secret", async () => {
  await start();
  const { location, state } = await here.services.oidc.begin("campus", REDIRECT);
  const url = new URL(location);
  assert.equal(url.origin, oidc.issuer);
  const query = url.searchParams;
  assert.equal(query.get("response_type"), "code");
  assert.equal(query.get("code_challenge_method"), "S256");
  assert.match(query.get("scope") ?? "", /\bopenid\b/);
  assert.match(query.get("state") ?? "", /^[\w-]{43}$/);
  assert.match(query.get("nonce") ?? "", /^[\w-]{43}$/);
  assert.ok(!location.includes(encodeURIComponent(CLIENT.secret)));
  assert.ok(!state.includes(query.get("nonce") ?? "-"), "what comes back is sealed");
  assert.match(await refusal(here.services.oidc.begin("other", REDIRECT)), /^not-found/);
});

test("who is new is made a user of his organisation; who comes again is the same", async () => {
  await start();
  assert.equal(await signIn(), "alice_umich");
  const view = await here.services.directory.refresh();
  const user = view.user("alice_umich");
  assert.equal(user?.displayName, "Alice A.");
  assert.deepEqual(user?.federated, [`${oidc.issuer} user-1`]);
  assert.equal(user?.administrator, false);
  // The account counts, not what it calls itself by now.
  oidc.claims = { ...oidc.claims, preferred_username: "alison" };
  assert.equal(await signIn(), "alice_umich");
});

test("a name that somebody has already is not taken over", async () => {
  await start();
  await here.createUser("alice_umich");
  assert.match(await refusal(signIn()), /^denied: there is a user alice_umich already/);
});

test("where names are enough, a plain user is linked, an administrator is not", async () => {
  await start({ linkUsers: true });
  await here.createUser("alice_umich");
  assert.equal(await signIn(), "alice_umich");
  await here.createUser("eve_umich", (user) => ({ ...user, administrator: true }));
  oidc.claims = { sub: "user-2", preferred_username: "eve" };
  assert.match(await refusal(signIn()), /^denied/);
});

test("who may not be made, is disabled, or has no good name stays outside", async () => {
  await start({ createUsers: false });
  assert.match(await refusal(signIn()), /^denied: there is no user alice_umich/);
  await here.createUser("bob_umich", (user) => ({
    ...user,
    disabled: true,
    federated: [`${oidc.issuer} user-2`],
  }));
  oidc.claims = { sub: "user-2", preferred_username: "bob" };
  assert.match(await refusal(signIn()), /^denied: the user bob_umich is disabled/);
  for (const name of ["", "../etc", "a b", "-x", "x".repeat(70), 7, null]) {
    oidc.claims = { sub: "user-3", preferred_username: name };
    assert.match(await refusal(signIn()), /^denied/, String(name));
  }
});

test("groups follow the provider, as far as there are such groups", async () => {
  await start({ groupsClaim: "groups" });
  for (const name of ["readers", "writers"]) {
    await here.services.editor.createGroup({ name, createdMs: 1n });
  }
  const groupsAfter = async (groups: unknown): Promise<readonly string[]> => {
    oidc.claims = { sub: "user-1", preferred_username: "alice", groups };
    await signIn();
    return (await here.services.directory.refresh()).user("alice_umich")?.groups ?? [];
  };
  assert.deepEqual(await groupsAfter(["writers", "readers", "strangers", 7]), [
    "readers",
    "writers",
  ]);
  assert.deepEqual(await groupsAfter(["readers"]), ["readers"]);
  assert.deepEqual(await groupsAfter("writers"), ["readers"], "no list, no change");
  assert.deepEqual(await groupsAfter([]), []);
});

test("an answer that belongs to another sign-in, browser, provider or page is refused", async () => {
  await start();
  const { oidc: providers } = here.services;
  const mine = await providers.begin("campus", REDIRECT);
  const other = await providers.begin("campus", REDIRECT);
  const finish = (query: URLSearchParams, state: string, redirectUri = REDIRECT): Promise<string> =>
    providers.finish("campus", { query, state, redirectUri });
  const query = oidc.authorize(mine.location);
  const changed = (name: string, value: string): URLSearchParams => {
    const copy = new URLSearchParams(query);
    copy.set(name, value);
    return copy;
  };
  assert.match(await refusal(finish(query, other.state)), /another sign-in/);
  assert.match(await refusal(finish(query, "")), /began no sign-in/);
  assert.match(await refusal(finish(query, `${mine.state.slice(0, -2)}AA`)), /began no sign-in/);
  assert.match(await refusal(finish(query, mine.state, "https://evil/")), /another sign-in/);
  assert.match(await refusal(finish(changed("state", "x"), mine.state)), /another sign-in/);
  assert.match(await refusal(finish(changed("iss", "https://evil"), mine.state)), /provider/);
  assert.match(await refusal(finish(changed("error", "access_denied"), mine.state)), /refused/);
  assert.match(await refusal(finish(changed("code", ""), mine.state)), /no code/);
  assert.match(await refusal(finish(changed("code", "guess"), mine.state)), /^denied/);
  // A session token of ours is no sign-in of ours.
  assert.equal(await finish(query, mine.state), "alice_umich");
  assert.match(await refusal(finish(query, mine.state)), /^denied/, "a code counts once");
});

test("(6) CVE-2024-48916 CVE-2026-33322 a token counts with its provider's own signature only", async () => {
  await start();
  const verify = (token: string) => here.services.oidc.verifyToken(token);
  const good = await oidc.token();
  assert.equal((await verify(good)).claims.sub, "user-1");
  const [, body = "", signature = ""] = good.split(".");
  const encode = (value: unknown): string =>
    Buffer.from(JSON.stringify(value)).toString("base64url");
  const publicKey = Buffer.from(JSON.stringify(oidc.jwk));
  const mac = (head: string, key: Uint8Array): string =>
    createHmac("sha256", key).update(`${head}.${body}`).digest("base64url");
  const [none, hs256] = [encode({ alg: "none" }), encode({ alg: "HS256", kid: oidc.jwk.kid })];
  const own = await generateKeyPair("RS256", { extractable: true });
  const embedded = await new SignJWT({ iss: oidc.issuer, aud: CLIENT.id, sub: "user-1" })
    .setProtectedHeader({ alg: "RS256", jwk: await exportJWK(own.publicKey) })
    .setExpirationTime("5m")
    .sign(own.privateKey);
  const cases = {
    "no signature": `${none}.${body}.`,
    "the name of no algorithm in capitals": `${encode({ alg: "NONE" })}.${body}.`,
    "a signature under no algorithm": `${none}.${body}.${signature}`,
    "the public key as a secret": `${hs256}.${body}.${mac(hs256, publicKey)}`,
    "the client's secret": `${hs256}.${body}.${mac(hs256, Buffer.from(CLIENT.secret))}`,
    "the root user's secret": `${hs256}.${body}.${mac(hs256, Buffer.from("root's own secret"))}`,
    "a key of one's own": await oidc.token({}, own.privateKey),
    "a key that the token brings": embedded,
    "no end": await oidc.token({ exp: null }),
    "an end that is over": await oidc.token({ exp: Math.floor(Date.now() / 1000) - 600 }),
    "a body that was changed": good.replace(body, encode({ iss: oidc.issuer, sub: "root" })),
  };
  for (const [what, token] of Object.entries(cases)) {
    assert.match(await refusal(verify(token)), /^denied/, what);
  }
});

test("an ID token with another nonce, or for another client, is refused", async () => {
  await start();
  oidc.claims = { ...oidc.claims, aud: "another-client" };
  assert.match(await refusal(signIn()), /^denied/);
  const { aud: _aud, ...claims } = oidc.claims;
  oidc.claims = { ...claims, aud: [CLIENT.id, "another"] };
  assert.match(await refusal(signIn()), /another client/);
  oidc.claims = { ...claims, aud: [CLIENT.id, "another"], azp: CLIENT.id };
  assert.equal(await signIn(), "alice_umich");
  oidc.nonce = "of another sign-in";
  assert.match(await refusal(signIn()), /nonce/);
});

test("keys of the provider are kept, and asked for anew when they change", async () => {
  await start();
  await signIn();
  await signIn();
  assert.equal(oidc.keyRequests, 1);
  await oidc.newKey();
  // At most once in half a minute: so strangers' tokens cannot make us ask.
  assert.match(await refusal(signIn()), /^denied/);
  assert.equal(oidc.keyRequests, 1);
});

test("(34) a provider that calls itself otherwise, or names unsafe places, is not believed", async () => {
  await start();
  const begin = (): Promise<unknown> => here.services.oidc.begin("campus", REDIRECT);
  oidc.discovery = { issuer: "https://evil.example" };
  assert.match(await refusal(begin()), /another issuer/);
  oidc.discovery = { jwks_uri: "http://169.254.169.254/keys" };
  await begin();
  assert.match(await refusal(here.services.oidc.verifyToken(await oidc.token())), /unsafe/);
});

test("settings that cannot be right are refused at the start", async () => {
  await start();
  const settings = { name: "a", clientId: "x" };
  for (const oidcSettings of [
    [{ ...settings, issuer: "http://provider.example" }],
    [{ ...settings, issuer: "file:///etc/passwd" }],
    [
      { ...settings, issuer: "https://one.example" },
      { ...settings, name: "b", issuer: "https://one.example" },
    ],
  ]) {
    const started = IdentityGateway.start({ identity: { oidc: oidcSettings } });
    assert.match(await refusal(started), /^invalid/);
  }
});
