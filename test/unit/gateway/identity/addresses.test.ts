// Addresses, networks, and whom to believe about them.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  addressBlock,
  isInNetwork,
  isLoopback,
  parseIp,
  parseNetwork,
} from "../../../../services/gateway/identity/ip-network.ts";
import {
  isPrivate,
  originOf,
  TrustedProxies,
} from "../../../../services/gateway/identity/request-origin.ts";
import { present } from "../../../../services/lib/base/assert.ts";
import { HeaderList } from "../../../../services/lib/s3/headers.ts";

test("reads addresses of both kinds, and nothing else", () => {
  assert.deepEqual(parseIp("192.0.2.1"), { bits: 32, value: 0xc0000201n });
  assert.deepEqual(parseIp("::ffff:192.0.2.1"), { bits: 32, value: 0xc0000201n });
  assert.deepEqual(parseIp("::1"), { bits: 128, value: 1n });
  assert.deepEqual(parseIp("::"), { bits: 128, value: 0n });
  assert.deepEqual(parseIp("2001:db8::8:800:200c:417a"), {
    bits: 128,
    value: 0x20010db80000000000080800200c417an,
  });
  assert.deepEqual(parseIp("fe80::1%eth0"), { bits: 128, value: (0xfe80n << 112n) + 1n });
  for (const text of [
    ...["", "1.2.3", "1.2.3.4.5", "256.0.0.1", "01.2.3.4", "1.2.3.4 ", "0x7f.0.0.1", "a.b.c.d"],
    ...[":", ":::", "1::2::3", "12345::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "::1.2.3", "g::"],
    ...["1:2:3:4:5:6:7::8", "1.2.3.4::"],
  ]) {
    assert.equal(parseIp(text), undefined, text);
  }
});

test("knows what is in a network", () => {
  const inside = (address: string, network: string): boolean =>
    isInNetwork(present(parseIp(address), address), present(parseNetwork(network), network));
  assert.ok(inside("10.1.2.3", "10.0.0.0/8"));
  assert.ok(!inside("11.0.0.0", "10.0.0.0/8"));
  assert.ok(inside("192.0.2.129", "192.0.2.128/25"));
  assert.ok(!inside("192.0.2.127", "192.0.2.128/25"));
  assert.ok(inside("1.2.3.4", "0.0.0.0/0"));
  assert.ok(!inside("::1", "0.0.0.0/0"), "another kind of address");
  assert.ok(inside("2001:db8:ffff::1", "2001:db8::/32"));
  assert.ok(!inside("2001:db9::1", "2001:db8::/32"));
  assert.ok(inside("192.0.2.1", "192.0.2.1"));
  assert.ok(!inside("192.0.2.2", "192.0.2.1"));
  for (const text of ["10.0.0.0/33", "10.0.0.0/", "10.0.0.0/08", "10.0.0.0/-1", "::/129", "/8"]) {
    assert.equal(parseNetwork(text), undefined, text);
  }
});

test("loopback, and what counts as one address", () => {
  for (const text of ["127.0.0.1", "127.255.0.1", "::1", "::ffff:127.0.0.1"]) {
    assert.ok(isLoopback(text), text);
  }
  for (const text of ["128.0.0.1", "::2", "", "localhost"]) assert.ok(!isLoopback(text), text);
  assert.equal(addressBlock("2001:db8::1"), addressBlock("2001:db8::ffff:1"));
  assert.notEqual(addressBlock("2001:db8:0:1::1"), addressBlock("2001:db8::1"));
  assert.notEqual(addressBlock("192.0.2.1"), addressBlock("192.0.2.2"));
});

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
