// Addresses and networks, and what is none.
import assert from "node:assert/strict";
import { test } from "node:test";
import { present } from "../../../services/lib/base/assert.ts";
import {
  addressBlock,
  hostAddress,
  isInRange,
  isLoopback,
  parseAddress,
  parseRange,
} from "../../../services/lib/base/ip-address.ts";

test("reads addresses of both kinds, and nothing else", () => {
  assert.equal(hostAddress("192.0.2.1"), 0xffff_c000_0201n);
  assert.equal(hostAddress("::ffff:192.0.2.1"), 0xffff_c000_0201n);
  assert.equal(hostAddress("::1"), 1n);
  assert.equal(hostAddress("::"), 0n);
  assert.equal(hostAddress("2001:db8::8:800:200c:417a"), 0x20010db80000000000080800200c417an);
  assert.equal(hostAddress("fe80::1%eth0"), (0xfe80n << 112n) + 1n);
  assert.equal(parseAddress("fe80::1%eth0"), undefined);
  for (const text of [
    ...["", "1.2.3", "1.2.3.4.5", "256.0.0.1", "01.2.3.4", "1.2.3.4 ", "0x7f.0.0.1", "a.b.c.d"],
    ...[":", ":::", "1::2::3", "12345::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "::1.2.3", "g::"],
    ...["1:2:3:4:5:6:7::8", "1.2.3.4::"],
  ]) {
    assert.equal(hostAddress(text), undefined, text);
  }
});

test("knows what is in a network", () => {
  const inside = (address: string, network: string): boolean =>
    isInRange(present(hostAddress(address), address), present(parseRange(network), network));
  assert.ok(inside("10.1.2.3", "10.0.0.0/8"));
  assert.ok(!inside("11.0.0.0", "10.0.0.0/8"));
  assert.ok(inside("192.0.2.129", "192.0.2.128/25"));
  assert.ok(!inside("192.0.2.127", "192.0.2.128/25"));
  assert.ok(inside("1.2.3.4", "0.0.0.0/0"));
  assert.ok(!inside("::1", "0.0.0.0/0"), "another kind of address");
  assert.ok(inside("2001:db8:ffff::1", "2001:db8::/32"));
  assert.ok(!inside("2001:db9::1", "2001:db8::/32"));
  assert.ok(inside("::ffff:10.1.2.3", "10.0.0.0/8"), "two forms, one address");
  assert.ok(inside("10.1.2.3", "::ffff:10.0.0.0/104"));
  assert.ok(inside("192.0.2.1", "192.0.2.1"));
  assert.ok(!inside("192.0.2.2", "192.0.2.1"));
  for (const text of ["10.0.0.0/33", "10.0.0.0/", "10.0.0.0/08", "10.0.0.0/-1", "::/129", "/8"]) {
    assert.equal(parseRange(text), undefined, text);
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
