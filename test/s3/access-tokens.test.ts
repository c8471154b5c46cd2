// Access tokens in every place an access key can be: headers, presigned URLs, chunked bodies, old
// signatures, forms; with any secret or none. What they may not do, and that they are never shown.
// Rows D5 and D6 of the client lines.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { TokenAccess } from "../../services/lib/gen/dolium/record/v1/identity_pb.ts";
import { type Caller, pathOf } from "./caller.ts";
import { makeBucket } from "./harness.ts";
import { IdentityGateway } from "./identity-gateway.ts";
import { sendRaw } from "./raw-http.ts";

let here: IdentityGateway;
let token: string;
let alice: Caller;
let bucket: string;

before(async () => {
  here = await IdentityGateway.start({
    identity: { tokens: true },
    s3: { trustedProxies: ["127.0.0.1"] },
  });
  const keys = await here.createUser("alice_umich");
  bucket = await makeBucket(here.caller(keys));
  await here.caller(keys).put(bucket, "key", "text");
  token = await here.createToken("alice_umich");
  alice = here.caller({ accessKeyId: token, secretAccessKey: "dummy" });
});
after(() => here.stop());

for (const secretAccessKey of ["", "dummy", "a/longer+secret="]) {
  test(`a token is its user with the secret '${secretAccessKey}'`, async () => {
    const caller = here.caller({ accessKeyId: token, secretAccessKey });
    assert.equal((await caller.get(bucket, "key")).text, "text");
    assert.equal((await caller.put(bucket, "new", "body")).status, 200);
    const target = caller.presign({ target: pathOf(bucket, "key") });
    const answer = await caller.call({ target, sign: false });
    assert.equal(answer.text, "text");
  });
}

test("chunked bodies of a token are taken, with their checksums checked", async () => {
  const call = { target: pathOf(bucket, "chunked") };
  const chunks = [Buffer.alloc(70_000, "a"), Buffer.from("end")];
  const taken = await alice.send(alice.chunkedBytes(call, chunks));
  assert.equal(taken.status, 200, taken.text);
  assert.equal((await alice.get(bucket, "chunked")).body.byteLength, 70_003);
  const trailers = [["x-amz-checksum-crc32", "AAAAAA=="]] as const;
  const wrong = await alice.send(alice.chunkedBytes(call, chunks, { trailers }));
  assert.equal(wrong.code, "BadDigest");
});

test("what the body must hash to is checked all the same", async () => {
  const call = { method: "PUT", target: pathOf(bucket, "lie"), body: "told" };
  const lie = await alice.call({ ...call, wireBody: Buffer.from("sent") });
  assert.equal(lie.code, "XAmzContentSHA256Mismatch");
  const headers = [["Content-MD5", "1B2M2Y8AsgTpgAmY7PhCfg=="]] as const;
  assert.equal((await alice.call({ ...call, headers })).code, "BadDigest");
});

test("version 2 signatures: a token in the header and in a presigned URL", async () => {
  const head = (authorization: string): Buffer =>
    Buffer.from(
      [
        `GET ${pathOf(bucket, "key")} HTTP/1.1`,
        `Host: ${new URL(here.endpoint).host}`,
        `Date: ${new Date().toUTCString()}`,
        `Authorization: ${authorization}`,
        "\r\n",
      ].join("\r\n"),
    );
  const answer = await sendRaw(here.endpoint, head(`AWS ${token}:AAAAAAAAAAAAAAAAAAAAAAAAAAA=`));
  assert.equal(answer.text, "text");
  const expires = Math.floor(Date.now() / 1000) + 600;
  const query = `?AWSAccessKeyId=${token}&Expires=${expires}&Signature=any`;
  const presigned = { target: `${pathOf(bucket, "key")}${query}`, sign: false };
  assert.equal((await alice.call(presigned)).text, "text");
  const over = { target: presigned.target.replace(String(expires), "1000"), sign: false };
  assert.equal((await alice.call(over)).code, "AccessDenied");
});

test("a form of a token is taken within its policy, whatever its signature", async () => {
  const sent = async (key: string): Promise<number> => {
    const policy = Buffer.from(
      JSON.stringify({
        expiration: new Date(Date.now() + 600_000).toISOString(),
        conditions: [{ bucket }, ["eq", "$key", "form"]],
      }),
    ).toString("base64");
    const form = new FormData();
    const fields = { key, AWSAccessKeyId: token, policy, signature: "AAAA" };
    for (const [name, value] of Object.entries(fields)) form.set(name, value);
    form.set("file", new Blob(["from a form"]));
    return (await fetch(`${here.endpoint}/${bucket}`, { method: "POST", body: form })).status;
  };
  assert.equal(await sent("form"), 204);
  assert.equal(await sent("another"), 403);
  assert.equal((await alice.get(bucket, "form")).text, "from a form");
});

test("a presigned URL of a token ends when it says", async () => {
  const target = alice.presign({ target: pathOf(bucket, "key"), nowMs: Date.now() - 700_000 }, 600);
  assert.equal((await alice.call({ target, sign: false })).code, "AccessDenied");
});

test("unknown, disabled, expired and revoked tokens are refused", async () => {
  const disabled = await here.createToken("alice_umich", { disabled: true });
  const expired = await here.createToken("alice_umich", { expiresMs: 1000n });
  const flipped = `${token.slice(0, -1)}${token.endsWith("A") ? "B" : "A"}`;
  for (const [text, code] of [
    [disabled, "InvalidAccessKeyId"],
    [expired, "ExpiredToken"],
    [flipped, "InvalidAccessKeyId"],
  ] as const) {
    const caller = here.caller({ accessKeyId: text, secretAccessKey: "" });
    const answer = await caller.get(bucket, "key");
    assert.equal(answer.code, code);
    assert.ok(!answer.text.includes(text), "the answer shows the token");
  }
  const revoked = await here.createToken("alice_umich");
  const caller = here.caller({ accessKeyId: revoked, secretAccessKey: "" });
  assert.equal((await caller.get(bucket, "key")).status, 200);
  await here.change("alice_umich", (user) => ({ ...user, tokens: user.tokens.slice(0, 1) }));
  assert.equal((await caller.get(bucket, "key")).code, "InvalidAccessKeyId");
});

test("a token's scope bounds: buckets, reading, networks", async () => {
  const other = await makeBucket(alice);
  await alice.put(other, "key", "text");
  const scoped = async (options: Parameters<typeof here.createToken>[1]): Promise<Caller> => {
    const accessKeyId = await here.createToken("alice_umich", options);
    return here.caller({ accessKeyId, secretAccessKey: "" });
  };
  const reader = await scoped({ access: TokenAccess.READ });
  assert.equal((await reader.get(bucket, "key")).status, 200);
  assert.equal((await reader.put(bucket, "key2", "x")).code, "AccessDenied");
  const narrow = await scoped({ buckets: [bucket] });
  assert.equal((await narrow.put(bucket, "key2", "x")).status, 200);
  assert.equal((await narrow.get(other, "key")).code, "AccessDenied");
  const near = await scoped({ networks: ["127.0.0.0/8"] });
  assert.equal((await near.get(bucket, "key")).status, 200);
  const far = await scoped({ networks: ["10.0.0.0/8"] });
  assert.equal((await far.get(bucket, "key")).code, "AccessDenied");
});

test("over plain HTTP from elsewhere a token is refused unseen; over TLS it is taken", async () => {
  const target = pathOf(bucket, "key");
  const from = [["X-Forwarded-For", "203.0.113.9"]] as const;
  const open = await alice.call({ target, headers: from });
  assert.equal(open.code, "AccessDenied");
  assert.match(open.text, /over TLS only/);
  const unknown = here.caller({
    accessKeyId: `DT${"0".repeat(16)}${"A".repeat(32)}`,
    secretAccessKey: "",
  });
  assert.match((await unknown.call({ target, headers: from })).text, /over TLS only/);
  const secure = await alice.call({ target, headers: [...from, ["X-Forwarded-Proto", "https"]] });
  assert.equal(secure.status, 200);
});

test("where the operator allows it, tokens go over plain HTTP from everywhere", async () => {
  const lax = await IdentityGateway.start({
    identity: { tokens: true, tokensOverHttp: true },
    s3: { trustedProxies: ["127.0.0.1"] },
  });
  try {
    await lax.createUser("bob_wayne");
    const accessKeyId = await lax.createToken("bob_wayne");
    const bob = lax.caller({ accessKeyId, secretAccessKey: "" });
    const headers = [["X-Forwarded-For", "203.0.113.9"]] as const;
    assert.equal((await bob.call({ target: "/", headers })).status, 200);
  } finally {
    await lax.stop();
  }
});

test("tokens are off by default, and so is the mode without secrets", async () => {
  const strict = await IdentityGateway.start();
  try {
    await strict.createUser("bob_wayne");
    const accessKeyId = await strict.createToken("bob_wayne");
    for (const id of [accessKeyId, "bob_wayne"]) {
      const caller = strict.caller({ accessKeyId: id, secretAccessKey: "" });
      assert.equal((await caller.call({ target: "/" })).code, "InvalidAccessKeyId");
    }
  } finally {
    await strict.stop();
  }
});

test("no token is in any log line, and presigned URLs keep theirs to themselves", async () => {
  await alice.call({ target: alice.presign({ target: pathOf(bucket, "key") }), sign: false });
  const lines = JSON.stringify([here.gateway.log.lines, here.log.lines], (_key, value: unknown) =>
    value instanceof Error ? `${value.message} ${value.stack ?? ""}` : value,
  );
  assert.ok(!lines.includes(token.slice(18)), "a token was logged");
  assert.ok(lines.includes(token.slice(0, 18)), "its public name was not");
});

test("Ceph's shape of a token: a secret or a token inside, checked against the directory", async () => {
  const keys = await here.createUser("carol_msu");
  const text = (id: string, key: string, type = "dolium"): string =>
    Buffer.from(JSON.stringify({ RGW_TOKEN: { version: 1, type, id, key } })).toString("base64");
  const ask = async (accessKeyId: string): Promise<string> => {
    const answer = await here.caller({ accessKeyId, secretAccessKey: "" }).call({ target: "/" });
    return answer.code ?? String(answer.status);
  };
  assert.equal(await ask(text("carol_msu", keys.secretAccessKey)), "200");
  assert.equal(await ask(text("alice_umich", token)), "200");
  assert.equal(await ask(text("carol_msu", "a guess")), "InvalidAccessKeyId");
  assert.equal(await ask(text("carol_msu", token)), "InvalidAccessKeyId", "another's token");
  assert.equal(await ask(text("nobody_msu", keys.secretAccessKey)), "InvalidAccessKeyId");
  assert.equal(await ask(text("carol_msu", "x", "ldap")), "InvalidAccessKeyId", "no LDAP here");
  assert.equal(
    await ask(text("carol_msu", keys.secretAccessKey, "keystone")),
    "InvalidAccessKeyId",
  );
  const lines = JSON.stringify(here.gateway.log.lines);
  assert.ok(!lines.includes(text("carol_msu", "a guess").slice(20)), "a password was logged");
});

test("guessing passwords in Ceph's shape is stopped", async () => {
  const guess = (key: string): Caller => {
    const text = JSON.stringify({ RGW_TOKEN: { version: 1, type: "dolium", id: "dora_msu", key } });
    return here.caller({ accessKeyId: Buffer.from(text).toString("base64"), secretAccessKey: "" });
  };
  const keys = await here.createUser("dora_msu");
  const headers = [
    ["X-Forwarded-For", "198.51.100.7"],
    ["X-Forwarded-Proto", "https"],
  ] as const;
  const codes: (string | undefined)[] = [];
  for (let at = 0; at < 12; at += 1) {
    codes.push((await guess(`guess ${at}`).call({ target: "/", headers })).code);
  }
  assert.equal(codes[0], "InvalidAccessKeyId");
  assert.equal(codes.at(-1), "SlowDown");
  const right = guess(keys.secretAccessKey);
  assert.equal((await right.call({ target: "/", headers })).code, "SlowDown", "even the right one");
  assert.equal((await right.call({ target: "/" })).status, 200, "from elsewhere it is taken");
});

test("without secrets, where the operator wants it: users by name, a default user", async () => {
  const open = await IdentityGateway.start({
    identity: { simple: true, defaultUser: "bob_wayne" },
  });
  try {
    assert.ok(open.log.lines.some(({ message }) => message.includes("NO SECRETS ARE CHECKED")));
    await open.createUser("bob_wayne");
    const keys = await open.createUser("eve_msu", (user) => ({ ...user, administrator: true }));
    const bob = open.caller({ accessKeyId: "bob_wayne", secretAccessKey: "anything" });
    const own = await makeBucket(bob);
    assert.equal((await bob.call({ target: `/${own}`, sign: false })).status, 200);
    const anybody = open.caller({ accessKeyId: "minioadmin", secretAccessKey: "minioadmin" });
    assert.equal((await anybody.call({ target: `/${own}` })).status, 200, "any key is bob");
    const eve = open.caller({ accessKeyId: "eve_msu", secretAccessKey: "anything" });
    assert.equal((await eve.call({ target: "/" })).code, "InvalidAccessKeyId");
    const wrong = open.caller({ ...keys, secretAccessKey: "anything" });
    assert.equal((await wrong.call({ target: "/" })).code, "SignatureDoesNotMatch");
    const headers = [["Origin", "https://evil.example"]] as const;
    const page = await bob.call({ target: `/${own}`, headers, sign: false });
    assert.equal(page.status, 403, "a page of another origin is nobody");
  } finally {
    await open.stop();
  }
});
