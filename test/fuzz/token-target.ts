// Access tokens and RGW tokens as access keys, and the networks of a token's scope: reading them
// throws nothing, and what is shown of one never holds its secret.
import assert from "node:assert/strict";
import { parseRgwToken } from "../../services/gateway/identity/rgw-token.ts";
import { isToken, publicName, tokenDigest } from "../../services/gateway/identity/tokens.ts";
import { TokenAccess } from "../../services/lib/gen/dolium/record/v1/identity_pb.ts";
import { evaluate } from "../../services/lib/iam/evaluate.ts";
import { tokenScopePolicy } from "../../services/lib/iam/token-scope.ts";
import { request, user } from "../unit/iam/setting.ts";
import type { FuzzTarget } from "./fuzz.ts";

const SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
const TOKEN = `DT0123456789abcdef${SECRET}`;

function rgwToken(change: Readonly<Record<string, unknown>> = {}): string {
  const token = { version: 1, type: "ldap", id: "bob_wayne", key: "a long secret", ...change };
  return Buffer.from(JSON.stringify({ RGW_TOKEN: token })).toString("base64");
}

/** base64 of an RGW token is damaged inside its JSON as well as outside. */
const JSON_TOKENS = [rgwToken(), rgwToken({ type: "dolium" })].map((text) =>
  Buffer.from(text, "base64"),
);

const NETWORKS = ["192.0.2.0/24", "2001:db8::/32", "0.0.0.0/0", "::ffff:192.0.2.0/120"];

const WORDS = [
  ...["DT", "RGW_TOKEN", "version", "type", "id", "key", "ldap", "ad", "dolium", "__proto__", "1"],
  ...["{", "}", '"', ":", ",", "[", "=", "==", "ey", "/32", "/0", "::", ".", "ffff", "%eth0"],
].map((word) => Buffer.from(word));

function scopeHolds(network: string): boolean {
  const token = {
    tokenId: "0123456789abcdef",
    buckets: [],
    access: TokenAccess.READ,
    networks: [network],
  };
  const principal = user("alice_umich", { bounds: [tokenScopePolicy(token)] });
  const context = new Map([["aws:sourceip", ["192.0.2.7"]]]);
  return evaluate(request({ principal, context })).allowed;
}

export const TOKEN_TARGET: FuzzTarget = {
  name: "token",
  seeds: [
    ...[TOKEN, rgwToken(), rgwToken({ type: "ad" }), ...NETWORKS].map((text) => Buffer.from(text)),
    ...JSON_TOKENS,
  ],
  words: WORDS,
  bytesMax: 4096,
  run: (input) => {
    const bytes = Buffer.from(input);
    const text = bytes.toString("latin1");
    tokenDigest(text);
    const shown = publicName(text);
    const isAccessToken = isToken(text);
    if (isAccessToken) assert.equal(shown.length, 18);
    const held = parseRgwToken(text) ?? parseRgwToken(bytes.toString("base64"));
    if (held !== undefined) {
      assert.ok(["dolium", "ldap", "ad"].includes(held.type));
      assert.ok(held.id.length > 0 && held.id.length <= 512);
      assert.ok(held.key.length > 0 && held.key.length <= 512);
    }
    if (parseRgwToken(text) !== undefined) assert.ok(shown.length < text.length / 2);
    const isOpen = scopeHolds(text);
    if (isAccessToken) return { word: "access token" };
    if (held !== undefined) return { word: `token of ${held.type}` };
    return { word: isOpen ? "network that holds" : "none" };
  },
};
