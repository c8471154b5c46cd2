// Whom to believe about addresses.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  isPrivate,
  originOf,
  TrustedProxies,
} from "../../../../services/gateway/identity/request-origin.ts";
import { HeaderList } from "../../../../services/lib/s3/headers.ts";

const PROXIES = new TrustedProxies(["10.0.0.0/8", "2001:db8::/32"]);

function origin(
  remoteAddress: string,
  headers: readonly (readonly [string, string])[],
  isSecure = false,
): string {
  const socket = { remoteAddress, isSecure, certificate: undefined };
  const found = originOf(socket, new HeaderList(headers), PROXIES);
  return `${found.remoteAddress} ${found.isSecure ? "secure" : "open"}`;
}

test("headers of proxies count only from trusted ones, from the end", () => {
  const spoof = [
    ["X-Forwarded-For", "127.0.0.1"],
    ["X-Forwarded-Proto", "https"],
  ] as const;
  assert.equal(origin("203.0.113.9", spoof), "203.0.113.9 open", "a client's own words");
  assert.equal(origin("10.0.0.1", spoof), "127.0.0.1 secure");
  const chain = [["X-Forwarded-For", "127.0.0.1, 198.51.100.7, 10.9.9.9"]] as const;
  assert.equal(origin("10.0.0.1", chain), "198.51.100.7 open", "the last one that is not ours");
  const ours = [["X-Forwarded-For", "10.1.1.1, 10.2.2.2"]] as const;
  assert.equal(origin("10.0.0.1", ours), "10.1.1.1 open", "all of them ours");
  const broken = [["X-Forwarded-For", "127.0.0.1, nonsense"]] as const;
  assert.equal(origin("10.0.0.1", broken), "10.0.0.1 open");
  const ports = [["X-Forwarded-For", "[2001:db9::1]:443"]] as const;
  assert.equal(origin("2001:db8::1", ports), "2001:db9::1 open");
  const twice = [["X-Forwarded-Proto", "https, http"]] as const;
  assert.equal(origin("10.0.0.1", twice), "10.0.0.1 open", "what the nearest one says");
  assert.equal(origin("10.0.0.1", [], true), "10.0.0.1 secure", "TLS ends here");
  assert.equal(origin("", spoof), " open", "the socket is gone");
});

test("the certificate of a proxy is not its client's", () => {
  const certificate = new Uint8Array(32);
  const socket = { remoteAddress: "10.0.0.1", isSecure: true, certificate };
  assert.equal(originOf(socket, new HeaderList([]), PROXIES).certificate, undefined);
  const direct = { ...socket, remoteAddress: "203.0.113.9" };
  assert.equal(originOf(direct, new HeaderList([]), PROXIES).certificate, certificate);
});

test("secrets may go over TLS or loopback, and networks must be networks", () => {
  const at = (remoteAddress: string, isSecure: boolean): boolean =>
    isPrivate({ remoteAddress, isSecure, certificate: undefined });
  assert.deepEqual(
    [at("203.0.113.9", true), at("127.0.0.1", false), at("203.0.113.9", false), at("", false)],
    [true, true, false, false],
  );
  assert.throws(() => new TrustedProxies(["10.0.0.0/40"]), { code: "invalid" });
});
