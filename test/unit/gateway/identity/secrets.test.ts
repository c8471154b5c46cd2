// Small secrets: tokens, sealed texts, sessions, and what logs are told of them.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { withoutSecrets } from "../../../../services/gateway/identity/redaction.ts";
import { parseRgwToken } from "../../../../services/gateway/identity/rgw-token.ts";
import { sameSecret } from "../../../../services/gateway/identity/same-secret.ts";
import { openText, sealText } from "../../../../services/gateway/identity/sealed-text.ts";
import { newSession, openSession } from "../../../../services/gateway/identity/session-token.ts";
import { isToken, newToken, publicName } from "../../../../services/gateway/identity/tokens.ts";
import { createRandom } from "../../../../services/lib/host/random.ts";
import { soleClusterKey } from "../../../../services/lib/seal/cluster-keys.ts";

const random = createRandom();
const keys = soleClusterKey(new Uint8Array(32).fill(7));
const others = soleClusterKey(new Uint8Array(32).fill(8));

test("a token has its form, its public name, and a digest that is all that is kept", () => {
  const { token, tokenId, digest } = newToken(random);
  assert.match(token, /^DT[0-9a-f]{16}[A-Z2-7]{32}$/);
  assert.ok(isToken(token));
  assert.equal(publicName(token), `DT${tokenId}`);
  assert.deepEqual(Buffer.from(digest), createHash("sha256").update(token).digest());
  for (const text of [`${token} `, token.toLowerCase(), token.slice(0, -1), `x${token}`, ""]) {
    assert.ok(!isToken(text), text);
  }
});

test("Ceph's tokens are read strictly, and nothing throws", () => {
  const write = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64");
  const good = { version: 1, type: "ldap", id: "alice", key: "secret" };
  assert.deepEqual(parseRgwToken(write({ RGW_TOKEN: good })), {
    type: "ldap",
    id: "alice",
    key: "secret",
  });
  const pretty = Buffer.from(JSON.stringify({ RGW_TOKEN: good }, null, 4)).toString("base64");
  assert.equal(parseRgwToken(pretty)?.id, "alice", "as radosgw-token writes it");
  for (const changed of [
    ...[{ version: 2 }, { version: "1" }, { type: "none" }, { type: "__proto__" }],
    ...[{ id: "" }, { id: 7 }, { key: "" }, { key: null }, { key: "x".repeat(600) }],
  ]) {
    assert.equal(parseRgwToken(write({ RGW_TOKEN: { ...good, ...changed } })), undefined);
  }
  for (const value of [null, [], 7, "text", {}, { RGW_TOKEN: [] }, { RGW_TOKEN: null }]) {
    assert.equal(parseRgwToken(write(value)), undefined);
  }
  assert.equal(parseRgwToken('{"__proto__":{"RGW_TOKEN":1}}'), undefined);
  fc.assert(
    fc.property(fc.string(), (text) => {
      parseRgwToken(text);
      parseRgwToken(`ey${Buffer.from(text).toString("base64")}`);
    }),
  );
});

test("sealed texts open for their purpose and key only, and no changed one does", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "grapheme" }),
      fc.nat(),
      fc.integer({ min: 0, max: 7 }),
      (text, at, bit) => {
        const wellFormed = text.toWellFormed();
        const sealed = sealText(keys, { purpose: "sign-in", text: wellFormed }, random);
        assert.equal(openText(keys, "sign-in", sealed), wellFormed);
        assert.equal(openText(keys, "session token", sealed), undefined);
        assert.equal(openText(others, "sign-in", sealed), undefined);
        const bytes = Buffer.from(sealed, "base64url");
        const index = at % bytes.byteLength;
        bytes[index] = (bytes[index] ?? 0) ^ (1 << bit);
        assert.equal(openText(keys, "sign-in", bytes.toString("base64url")), undefined);
      },
    ),
    { numRuns: 200 },
  );
  const former = { current: new Uint8Array(32).fill(9), former: [new Uint8Array(32).fill(7)] };
  const sealed = sealText(keys, { purpose: "sign-in", text: "text" }, random);
  assert.equal(openText(former, "sign-in", sealed), "text", "a former key opens");
  for (const junk of ["", "A", "!", `${sealed}=`, `${sealed}A`, "A".repeat(20_000), "é"]) {
    assert.equal(openText(keys, "sign-in", junk), undefined);
  }
  const none = soleClusterKey(undefined);
  const seal = (): string => sealText(none, { purpose: "sign-in", text: "" }, random);
  assert.throws(seal, { code: "denied" });
});

test("a session's token holds what it stands for, and no other sealed text is one", () => {
  const subject = { kind: "user", name: "alice_umich" } as const;
  const claims = { subject, policies: ["{}"], issuedMs: 1000, expiresMs: 2000 };
  const made = newSession(keys, claims, random);
  assert.match(made.accessKeyId, /^ASIA[A-Z2-7]{16}$/);
  assert.equal(made.secretAccessKey.length, 40);
  const { accessKeyId, secretAccessKey: secret } = made;
  assert.deepEqual(openSession(keys, made.sessionToken), { ...claims, accessKeyId, secret });
  assert.equal(openSession(others, made.sessionToken), undefined);
  const signIn = sealText(keys, { purpose: "sign-in", text: JSON.stringify(claims) }, random);
  assert.equal(openSession(keys, signIn), undefined);
});

test("(7) secrets are compared whatever their lengths", () => {
  assert.ok(sameSecret("", ""));
  assert.ok(sameSecret("gleich", "gleich"));
  for (const other of ["", "gleic", "gleich ", "Gleich"]) assert.ok(!sameSecret("gleich", other));
});

test("(33) request targets are told to logs without what opens doors", () => {
  const { token } = newToken(random);
  const scope = "20260101%2Fus-east-1%2Fs3%2Faws4_request";
  const target = `/b/k?X-Amz-Credential=${token}%2F${scope}&X-Amz-Signature=abc&X-Amz-Date=1`;
  const expected = `/b/k?X-Amz-Credential=${publicName(token)}%2F${scope}`;
  assert.equal(withoutSecrets(target), `${expected}&X-Amz-Signature=-&X-Amz-Date=1`);
  const rgw = Buffer.from('{"RGW_TOKEN":{"key":"password"}}').toString("base64");
  const old = `/b?AWSAccessKeyId=${encodeURIComponent(rgw)}&Signature=x&Expires=1`;
  assert.equal(
    withoutSecrets(old),
    `/b?AWSAccessKeyId=${rgw.slice(0, 8)}...&Signature=-&Expires=1`,
  );
  const session = "/b?x-amz-security-token=abc&acl";
  assert.equal(withoutSecrets(session), "/b?x-amz-security-token=-&acl");
  const plain = "/b/k?prefix=Signature&X-Amz-Credential=AKIDEXAMPLE/20260101/r/s3/aws4_request";
  assert.equal(withoutSecrets(plain), plain);
});
