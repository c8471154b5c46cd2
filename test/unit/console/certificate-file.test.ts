// The certificate in a picked file: nothing of the file but the certificate comes out.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { certificateOf } from "../../../services/console/model/certificate-file.ts";

const BODY = "MIIBszCCAVmgAwIBAgIU\nQUJD";
const PEM = `-----BEGIN CERTIFICATE-----\n${BODY}\n-----END CERTIFICATE-----`;
const KEY = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMG\n-----END PRIVATE KEY-----";
const bytes = (text: string): Uint8Array => Buffer.from(text);

test("the first certificate of a text is taken, and nothing beside it", () => {
  for (const text of [PEM, `${KEY}\n${PEM}\n`, `Bag Attributes\r\n${PEM}\n${PEM}\n${KEY}`]) {
    assert.equal(certificateOf(bytes(text)), `${PEM}\n`);
  }
});

test("a file in DER becomes PEM of the same bytes", () => {
  const der = Buffer.concat([Buffer.from([0x30, 0x82]), randomBytes(700)]);
  const [first, ...rest] = certificateOf(der).trimEnd().split("\n");
  assert.equal(first, "-----BEGIN CERTIFICATE-----");
  assert.equal(rest.pop(), "-----END CERTIFICATE-----");
  assert.ok(rest.every((line) => line.length <= 64));
  assert.deepEqual(Buffer.from(rest.join(""), "base64"), der);
});

test("what holds no certificate is refused before anything is sent", () => {
  for (const text of ["", "hello", KEY, "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----"]) {
    assert.throws(() => certificateOf(bytes(text)), /no certificate/, text);
  }
  assert.throws(() => certificateOf(bytes(`0${KEY}`)), /no certificate/, "0 is 0x30 too");
  assert.throws(() => certificateOf(new Uint8Array(65_537)), /too large/);
});
