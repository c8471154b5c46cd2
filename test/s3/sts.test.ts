// Temporary credentials on the S3 port: who gets them, what they can do, and when they end.
// Security cases 6 and 10: tokens that nobody signed, sessions that do more than their maker.
import assert from "node:assert/strict";
import { createHmac, generateKeyPairSync } from "node:crypto";
import { after, before, test } from "node:test";
import { SignJWT, UnsecuredJWT } from "jose";
import { CLIENT, OidcServer } from "../unit/gateway/identity/oidc-server.ts";
import { type Answer, type Caller, pathOf, textAt } from "./caller.ts";
import { makeBucket } from "./harness.ts";
import { IdentityGateway, type Keys } from "./identity-gateway.ts";

interface Temporary extends Keys {
  readonly sessionToken: string;
  readonly expiration: string;
}

let oidc: OidcServer;
let here: IdentityGateway;
let alice: Caller;
let aliceKeys: Keys;
let bucket: string;

before(async () => {
  oidc = await OidcServer.start();
  here = await IdentityGateway.start({
    identity: {
      tokens: true,
      oidc: [{ name: "campus", issuer: oidc.issuer, clientId: CLIENT.id, audiences: ["job"] }],
    },
  });
  aliceKeys = await here.createUser("alice_umich");
  alice = here.caller(aliceKeys);
  bucket = await makeBucket(alice);
  await alice.put(bucket, "key", "text");
});
after(async () => {
  await here.stop();
  await oidc.stop();
});

async function ask(
  caller: Caller,
  parameters: Readonly<Record<string, string>>,
  how: { readonly sign?: boolean; readonly session?: Temporary } = {},
): Promise<Answer> {
  const body = new URLSearchParams({ Version: "2011-06-15", ...parameters }).toString();
  const type = ["Content-Type", "application/x-www-form-urlencoded; charset=utf-8"] as const;
  const headers = [type, ...securityToken(how.session)];
  return caller.call({ method: "POST", target: "/", headers, body, sign: how.sign ?? true });
}

function securityToken(session: Temporary | undefined): (readonly [string, string])[] {
  return session === undefined ? [] : [["x-amz-security-token", session.sessionToken]];
}

function temporaryOf(answer: Answer): Temporary {
  assert.equal(answer.status, 200, answer.text);
  const action = answer.xml().children[0]?.name ?? "";
  const field = (name: string): string => textAt(answer.xml(), action, "Credentials", name) ?? "";
  return {
    accessKeyId: field("AccessKeyId"),
    secretAccessKey: field("SecretAccessKey"),
    sessionToken: field("SessionToken"),
    expiration: field("Expiration"),
  };
}

function codeOf(answer: Answer): string {
  return textAt(answer.xml(), "Error", "Code") ?? String(answer.status);
}

async function get(session: Temporary, key = "key"): Promise<string> {
  const headers = securityToken(session);
  const answer = await here.caller(session).call({ target: pathOf(bucket, key), headers });
  return answer.code ?? answer.text;
}

async function createRole(name: string, trust: object, allowed: object): Promise<string> {
  await here.services.editor.createRole({
    ...{ name, createdMs: 1n },
    trustPolicy: JSON.stringify({ Version: "2012-10-17", Statement: trust }),
    policies: [
      { name: "role", document: JSON.stringify({ Version: "2012-10-17", Statement: allowed }) },
    ],
  });
  return `arn:aws:iam:::role/${name}`;
}

const WHO = { Action: "GetCallerIdentity" };
const OWN = { Action: "GetSessionToken" };

test("says who asks, to whoever signs", async () => {
  const answer = await ask(alice, WHO);
  const result = "GetCallerIdentityResult";
  assert.equal(textAt(answer.xml(), result, "Arn"), "arn:aws:iam:::user/alice_umich");
  assert.equal(textAt(answer.xml(), result, "UserId"), "alice_umich");
  assert.equal(textAt(answer.xml(), result, "Account"), "000000000000");
  assert.equal(answer.headers.get("content-type"), "text/xml");
  assert.equal(codeOf(await ask(alice, WHO, { sign: false })), "MissingAuthenticationToken");
  const wrong = here.caller({ ...aliceKeys, secretAccessKey: "another" });
  assert.equal(codeOf(await ask(wrong, WHO)), "SignatureDoesNotMatch");
  const unknown = here.caller({ ...aliceKeys, accessKeyId: "DKNOSUCHKEY" });
  assert.equal(codeOf(await ask(unknown, WHO)), "InvalidClientTokenId");
});

test("refuses forms that are not understood", async () => {
  assert.equal(codeOf(await ask(alice, { Action: "CreateUser" })), "InvalidAction");
  assert.equal(codeOf(await ask(alice, {})), "MissingParameter");
  assert.equal(codeOf(await ask(alice, { ...WHO, Version: "2010-05-08" })), "InvalidAction");
  for (const DurationSeconds of ["899", "129601", "1e3", "x", "-900"]) {
    assert.equal(codeOf(await ask(alice, { ...OWN, DurationSeconds })), "ValidationError");
  }
  const type = ["Content-Type", "application/x-www-form-urlencoded"] as const;
  const call = { method: "POST", target: "/", headers: [type] };
  const body = "Action=GetCallerIdentity";
  const lie = await alice.call({ ...call, body, wireBody: Buffer.from(`${body.slice(0, -1)}z`) });
  assert.equal(lie.status, 400, "an action of another name");
  const unsigned = await alice.call({ ...call, body, payloadHash: "UNSIGNED-PAYLOAD" });
  assert.equal(codeOf(unsigned), "SignatureDoesNotMatch");
  const forged = Buffer.from("Action=GetSessionToken&DurationSeconds=900");
  assert.equal(
    codeOf(await alice.call({ ...call, body: OWN.Action, wireBody: forged })),
    "SignatureDoesNotMatch",
  );
  const long = await alice.call({ ...call, body: `Action=${"x".repeat(70_000)}` });
  assert.equal(long.status, 400);
});

test("a session does what its user does, but makes no credentials", async () => {
  const session = temporaryOf(await ask(alice, { ...OWN, DurationSeconds: "900" }));
  assert.match(session.accessKeyId, /^ASIA[A-Z2-7]{16}$/);
  const leftMs = Date.parse(session.expiration) - Date.now();
  assert.ok(leftMs > 800_000 && leftMs <= 900_000, `${leftMs} ms are left`);
  assert.equal(await get(session), "text");
  const caller = here.caller(session);
  const who = await ask(caller, WHO, { session });
  assert.match(who.text, /user\/alice_umich/);
  assert.equal(codeOf(await ask(caller, OWN, { session })), "AccessDenied");
});

test("a session counts with its token only, and its token with it only", async () => {
  const session = temporaryOf(await ask(alice, OWN));
  const other = temporaryOf(await ask(alice, OWN));
  const target = pathOf(bucket, "key");
  const caller = here.caller(session);
  assert.equal((await caller.call({ target })).code, "InvalidAccessKeyId");
  assert.equal(await get({ ...session, sessionToken: other.sessionToken }), "InvalidToken");
  assert.equal(await get({ ...session, sessionToken: "AAAA" }), "InvalidToken");
  assert.equal(await get({ ...session, secretAccessKey: "guess" }), "SignatureDoesNotMatch");
  for (const at of [0, 10, 40, session.sessionToken.length - 2]) {
    const was = session.sessionToken.charAt(at);
    const changed =
      session.sessionToken.slice(0, at) +
      (was === "B" ? "C" : "B") +
      session.sessionToken.slice(at + 1);
    assert.equal(await get({ ...session, sessionToken: changed }), "InvalidToken", `at ${at}`);
  }
});

test("the token must be signed: in the header, and in a presigned URL", async () => {
  const session = temporaryOf(await ask(alice, OWN));
  const caller = here.caller(session);
  const bare = caller.requestBytes({ target: pathOf(bucket, "key") }).toString("latin1");
  const header = `x-amz-security-token: ${session.sessionToken}\r\n`;
  const added = bare.replace("\r\n", `\r\n${header}`);
  assert.equal((await caller.send(Buffer.from(added, "latin1"))).code, "AccessDenied");
  const query = `X-Amz-Security-Token=${session.sessionToken}`;
  const signed = caller.presign({ target: `${pathOf(bucket, "key")}?${query}` });
  assert.equal((await caller.call({ target: signed, sign: false })).text, "text");
  const unsigned = `${caller.presign({ target: pathOf(bucket, "key") })}&${query}`;
  const refused = await caller.call({ target: unsigned, sign: false });
  assert.equal(refused.code, "SignatureDoesNotMatch");
  const twice = await caller.call({
    target: signed,
    headers: securityToken(session),
    sign: false,
  });
  assert.equal(twice.status >= 400, true);
});

test("a URL presigned with version 2 signs the token as if it were a header", async () => {
  const session = temporaryOf(await ask(alice, OWN));
  const path = pathOf(bucket, "key");
  const expires = String(Math.floor(Date.now() / 1000) + 600);
  const urlFor = (signedToken: string): string => {
    const text = `GET\n\n\n${expires}\nx-amz-security-token:${signedToken}\n${path}`;
    const Signature = createHmac("sha1", session.secretAccessKey).update(text).digest("base64");
    const query = new URLSearchParams({ AWSAccessKeyId: session.accessKeyId, Expires: expires });
    query.set("Signature", Signature);
    query.set("x-amz-security-token", session.sessionToken);
    return `${path}?${query}`;
  };
  const asked = async (target: string): Promise<Answer> => alice.call({ target, sign: false });
  assert.equal((await asked(urlFor(session.sessionToken))).text, "text");
  assert.equal((await asked(urlFor("another"))).code, "SignatureDoesNotMatch");
  const bare = urlFor(session.sessionToken).replace(/&x-amz-security-token=.*$/, "");
  assert.equal((await asked(bare)).code, "InvalidAccessKeyId");
  const inV4 = `${path}?x-amz-security-token=${session.sessionToken}`;
  const signedV4 = here.caller(session).presign({ target: inV4 });
  assert.equal((await asked(signedV4)).code, "InvalidToken");
});

test("sessions end: revoked, user disabled, user gone", async () => {
  const keys = await here.createUser("bob_wayne");
  const bob = here.caller(keys);
  const first = temporaryOf(await ask(bob, OWN));
  const who = async (session: Temporary): Promise<string> => {
    const answer = await ask(here.caller(session), WHO, { session });
    return answer.status === 200 ? "ok" : codeOf(answer);
  };
  assert.equal(await who(first), "ok");
  const sessionsFromMs = BigInt(Date.now() + 1);
  await here.change("bob_wayne", (user) => ({ ...user, sessionsFromMs }));
  assert.equal(await who(first), "ExpiredToken");
  await here.change("bob_wayne", (user) => ({ ...user, sessionsFromMs: 0n }));
  assert.equal(await who(first), "ok");
  await here.change("bob_wayne", (user) => ({ ...user, disabled: true }));
  assert.equal(await who(first), "AccessDenied");
  await here.services.editor.deleteUser("bob_wayne");
  assert.equal(await who(first), "ExpiredToken");
});

test("a role does no more than its boundary allows, and its sessions go with it", async () => {
  const most = {
    Version: "2012-10-17",
    Statement: { Effect: "Allow", Action: "s3:GetObject", Resource: `arn:aws:s3:::${bucket}/key` },
  };
  const { editor } = here.services;
  await editor.createPolicy({ name: "most", document: JSON.stringify(most) });
  const trust = { Effect: "Allow", Principal: { AWS: "*" }, Action: "sts:AssumeRole" };
  const allowed = { Effect: "Allow", Action: "s3:*", Resource: `arn:aws:s3:::${bucket}/*` };
  const RoleArn = await createRole("bounded", trust, allowed);
  await alice.put(bucket, "second", "text");
  const assume = { Action: "AssumeRole", RoleArn, RoleSessionName: "bounded" };
  const session = temporaryOf(await ask(alice, assume));
  assert.equal(await get(session, "second"), "text");
  await editor.changeRole("bounded", (role) => ({ ...role, boundary: "most" }));
  assert.equal(await get(session), "text");
  assert.equal(await get(session, "second"), "AccessDenied");
  await assert.rejects(editor.deletePolicy("most"), "a boundary is in use");
  await editor.deleteRole("bounded");
  const createdMs = BigInt(Date.now() + 60_000);
  await editor.createRole({
    ...{ name: "bounded", createdMs, trustPolicy: JSON.stringify({ ...most, Statement: trust }) },
    policies: [{ name: "role", document: JSON.stringify(most) }],
  });
  assert.equal(await get(session), "ExpiredToken", "another role of the same name");
  assert.equal(await get(temporaryOf(await ask(alice, assume))), "text", "a clock that is behind");
});

test("a role is for whom its trust policy names, and does what its policies say", async () => {
  const RoleArn = await createRole(
    "reader",
    {
      Effect: "Allow",
      Principal: { AWS: "arn:aws:iam:::user/carol_msu" },
      Action: "sts:AssumeRole",
    },
    { Effect: "Allow", Action: "s3:*", Resource: [`arn:aws:s3:::${bucket}/*`] },
  );
  const carolKeys = await here.createUser("carol_msu");
  const carol = here.caller(carolKeys);
  const role = { Action: "AssumeRole", RoleArn, RoleSessionName: "backup" };
  assert.equal(codeOf(await ask(alice, role)), "AccessDenied", "not named");
  assert.equal(codeOf(await ask(here.root, role)), "AccessDenied", "administrators neither");
  const missing = { ...role, RoleArn: "arn:aws:iam:::role/missing" };
  assert.equal(codeOf(await ask(carol, missing)), "AccessDenied");
  for (const RoleSessionName of ["", "x", "a b", "a/b", "x".repeat(65)]) {
    assert.equal((await ask(carol, { ...role, RoleSessionName })).status, 400);
  }
  const answer = await ask(carol, role);
  const session = temporaryOf(answer);
  const arn = textAt(answer.xml(), "AssumeRoleResult", "AssumedRoleUser", "Arn");
  assert.equal(arn, "arn:aws:sts:::assumed-role/reader/backup");
  assert.equal(await get(session), "text");
  const caller = here.caller(session);
  const headers = securityToken(session);
  const listed = await caller.call({ target: `/${bucket}`, headers });
  assert.equal(listed.code, "AccessDenied", "the role may not list");
  const made = await caller.call({ method: "PUT", target: `/own-${bucket}`, headers });
  assert.equal(made.code, "AccessDenied", "and owns nothing");
  assert.equal(codeOf(await ask(caller, OWN, { session })), "AccessDenied");
  // The sessions of a user who is disabled end under every name.
  await here.change("carol_msu", (user) => ({ ...user, disabled: true }));
  assert.equal(await get(session), "ExpiredToken");
});

test("a session policy narrows, and never widens", async () => {
  const RoleArn = await createRole(
    "writer",
    {
      Effect: "Allow",
      Principal: { AWS: "arn:aws:iam:::user/alice_umich" },
      Action: "sts:AssumeRole",
    },
    {
      Effect: "Allow",
      Action: ["s3:GetObject", "s3:PutObject"],
      Resource: `arn:aws:s3:::${bucket}/*`,
    },
  );
  const role = { Action: "AssumeRole", RoleArn, RoleSessionName: "job" };
  const policy = (Action: string): string =>
    JSON.stringify({
      Version: "2012-10-17",
      Statement: { Effect: "Allow", Action, Resource: "*" },
    });
  const narrow = temporaryOf(await ask(alice, { ...role, Policy: policy("s3:PutObject") }));
  assert.equal(await get(narrow), "AccessDenied", "the session policy leaves reading out");
  const wide = temporaryOf(await ask(alice, { ...role, Policy: policy("s3:*") }));
  assert.equal(await get(wide), "text");
  const deleted = await here
    .caller(wide)
    .call({ method: "DELETE", target: pathOf(bucket, "key"), headers: securityToken(wide) });
  assert.equal(deleted.code, "AccessDenied", "the role leaves deleting out");
  const denying = JSON.stringify({
    Version: "2012-10-17",
    Statement: { Effect: "Deny", Action: "s3:DeleteObject", Resource: "*" },
  });
  const none = temporaryOf(await ask(alice, { ...role, Policy: denying }));
  assert.equal(await get(none), "AccessDenied", "what is not allowed is not open");
  assert.equal(codeOf(await ask(alice, { ...role, Policy: "{" })), "MalformedPolicyDocument");
  const long = policy("s3:GetObject").replace("s3:", `${" ".repeat(3000)}s3:`);
  assert.equal((await ask(alice, { ...role, Policy: long })).status, 400);
});

test("an access token makes no session, which would lose its scope", async () => {
  const accessKeyId = await here.createToken("alice_umich");
  const caller = here.caller({ accessKeyId, secretAccessKey: "" });
  assert.equal((await ask(caller, WHO)).status, 200);
  assert.equal(codeOf(await ask(caller, OWN)), "AccessDenied");
  const role = { RoleArn: "arn:aws:iam:::role/writer", RoleSessionName: "job" };
  assert.equal(codeOf(await ask(caller, { Action: "AssumeRole", ...role })), "AccessDenied");
});

test("a token of the identity provider becomes a role, as its trust policy says", async () => {
  const host = oidc.issuer.replace("http://", "");
  const RoleArn = await createRole(
    "campus",
    {
      Effect: "Allow",
      Principal: { Federated: `arn:aws:iam::123456789012:oidc-provider/${host}` },
      Action: "sts:AssumeRoleWithWebIdentity",
      Condition: { StringEquals: { [`${host}:aud`]: "job", [`${host}:sub`]: "user-1" } },
    },
    { Effect: "Allow", Action: "s3:GetObject", Resource: `arn:aws:s3:::${bucket}/*` },
  );
  const assume = async (WebIdentityToken: string): Promise<Answer> => {
    const names = { Action: "AssumeRoleWithWebIdentity", RoleArn, RoleSessionName: "job" };
    return ask(alice, { ...names, WebIdentityToken }, { sign: false });
  };
  const good = await assume(await oidc.token({ aud: "job" }));
  assert.equal(await get(temporaryOf(good)), "text");
  const result = "AssumeRoleWithWebIdentityResult";
  assert.equal(textAt(good.xml(), result, "SubjectFromWebIdentityToken"), "user-1");
  const nowSeconds = Math.floor(Date.now() / 1000);
  const stranger = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const forgedKey = await crypto.subtle.importKey(
    "pkcs8",
    new Uint8Array(stranger.privateKey.export({ type: "pkcs8", format: "der" })),
    { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
    false,
    ["sign"],
  );
  const claims = { iss: oidc.issuer, aud: "job", sub: "user-1", iat: nowSeconds };
  const withNone = new UnsecuredJWT({ ...claims, exp: nowSeconds + 300 }).encode();
  // The public key as the key of an HMAC.
  const confused = await new SignJWT({ ...claims, exp: nowSeconds + 300 })
    .setProtectedHeader({ alg: "HS256", kid: oidc.jwk.kid ?? "" })
    .sign(Buffer.from(JSON.stringify(oidc.jwk)));
  const refusals: readonly (readonly [string, string, string])[] = [
    ["another subject", await oidc.token({ aud: "job", sub: "user-2" }), "AccessDenied"],
    ["another audience of ours", await oidc.token(), "AccessDenied"],
    ["somebody else's audience", await oidc.token({ aud: "other" }), "InvalidIdentityToken"],
    [
      "another issuer",
      await oidc.token({ aud: "job", iss: "https://evil" }),
      "InvalidIdentityToken",
    ],
    ["no subject", await oidc.token({ aud: "job", sub: null }), "InvalidIdentityToken"],
    ["no end", await oidc.token({ aud: "job", exp: null }), "InvalidIdentityToken"],
    ["over", await oidc.token({ aud: "job", exp: nowSeconds - 120 }), "ExpiredTokenException"],
    ["not yet", await oidc.token({ aud: "job", nbf: nowSeconds + 3600 }), "InvalidIdentityToken"],
    [
      "from the future",
      await oidc.token({ aud: "job", iat: nowSeconds + 3600 }),
      "InvalidIdentityToken",
    ],
    ["another's key", await oidc.token({ aud: "job" }, forgedKey), "InvalidIdentityToken"],
    ["no signature", withNone, "InvalidIdentityToken"],
    ["confused algorithm", confused, "InvalidIdentityToken"],
    ["no token", "abc", "InvalidIdentityToken"],
    ["no token either", "a.b.c", "InvalidIdentityToken"],
  ];
  for (const [what, token, code] of refusals) {
    assert.equal(codeOf(await assume(token)), code, what);
  }
  const justOver = Math.floor(Date.now() / 1000) - 10;
  const leeway = await assume(await oidc.token({ aud: "job", exp: justOver }));
  assert.equal(leeway.status, 200, "a minute of leeway for clocks");
});
