// Headers of server-side encryption: what is taken, what is refused, and that a client's key is not
// repeated in an error.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import {
  asksForEncryption,
  parseBucketKeyEnabled,
  parseClientKey,
  parseRequestedEncryption,
  refuseManagedEncryption,
} from "../../../services/lib/s3/encryption-headers.ts";
import { isS3Error } from "../../../services/lib/s3/errors.ts";
import { type HeaderField, HeaderList } from "../../../services/lib/s3/headers.ts";

const METHOD = "x-amz-server-side-encryption";
const KEY = Buffer.alloc(32, 0x5a);
const MD5 = createHash("md5").update(KEY).digest("base64");

function list(...fields: readonly HeaderField[]): HeaderList {
  return new HeaderList(fields);
}

function clientKey(changes: Readonly<Record<string, string | undefined>> = {}): HeaderField[] {
  const values = { algorithm: "AES256", key: KEY.toString("base64"), "key-MD5": MD5, ...changes };
  return Object.entries(values).flatMap(([name, value]) =>
    value === undefined ? [] : [[`${METHOD}-customer-${name}`, value] as const],
  );
}

function refused(work: () => unknown, code: string, argument?: string): void {
  assert.throws(work, (error) => {
    assert.ok(isS3Error(error), String(error));
    assert.equal(error.code, code);
    if (argument !== undefined) {
      assert.deepEqual(error.details[0], ["ArgumentName", argument]);
    }
    const told = JSON.stringify([error.message, error.details]);
    assert.ok(!told.includes(KEY.toString("base64")), "the key is in the error");
    return true;
  });
}

test("a write without the headers asks for nothing", () => {
  assert.equal(parseRequestedEncryption(list(["content-type", "a/b"])), undefined);
});

test("the three kinds are understood", () => {
  assert.deepEqual(parseRequestedEncryption(list([METHOD, "AES256"])), { kind: "sse-s3" });
  assert.deepEqual(parseRequestedEncryption(list([METHOD, "aws:kms"])), {
    kind: "sse-kms",
    keyId: undefined,
    context: "",
  });
  const context = Buffer.from('{"team":"pay","x":""}').toString("base64");
  assert.deepEqual(
    parseRequestedEncryption(
      list(
        [METHOD, "aws:kms"],
        [`${METHOD}-aws-kms-key-id`, "alias/payroll"],
        [`${METHOD}-context`, context],
      ),
    ),
    { kind: "sse-kms", keyId: "alias/payroll", context },
  );
  const own = parseRequestedEncryption(list(...clientKey()));
  assert.equal(own?.kind, "sse-c");
});

test("a bucket key is asked for in words", () => {
  const name = `${METHOD}-bucket-key-enabled`;
  assert.equal(parseBucketKeyEnabled(list()), undefined);
  assert.equal(parseBucketKeyEnabled(list([name, "TRUE"])), true);
  assert.equal(parseBucketKeyEnabled(list([name, "false"])), false);
  refused(() => parseBucketKeyEnabled(list([name, "yes"])), "InvalidArgument", name);
});

test("methods that are none are refused", () => {
  for (const method of ["aes256", "AES128", "", "aws:kms,AES256"]) {
    refused(() => parseRequestedEncryption(list([METHOD, method])), "InvalidArgument", METHOD);
  }
  refused(() => parseRequestedEncryption(list([METHOD, "aws:kms:dsse"])), "NotImplemented");
});

test("headers of SSE-KMS go with SSE-KMS only", () => {
  const keyId = `${METHOD}-aws-kms-key-id`;
  refused(() => parseRequestedEncryption(list([keyId, "payroll"])), "InvalidArgument", keyId);
  const both = list([METHOD, "AES256"], [keyId, "payroll"]);
  refused(() => parseRequestedEncryption(both), "InvalidArgument", keyId);
});

test("a context that is no map of strings in base64 is refused", () => {
  const encode = (text: string): string => Buffer.from(text).toString("base64");
  const bad = [
    "{}",
    encode("[]"),
    encode("null"),
    encode('"a"'),
    encode('{"a":1}'),
    encode("{"),
    Buffer.from([0x7b, 0xff, 0x7d]).toString("base64"),
    encode(`{"a":"${"x".repeat(7000)}"}`),
  ];
  for (const context of bad) {
    refused(
      () => parseRequestedEncryption(list([METHOD, "aws:kms"], [`${METHOD}-context`, context])),
      "InvalidArgument",
      `${METHOD}-context`,
    );
  }
});

test("a client's key goes with no other method", () => {
  refused(
    () => parseRequestedEncryption(list([METHOD, "AES256"], ...clientKey())),
    "InvalidArgument",
    METHOD,
  );
});

test("a client's key must be whole, of 32 bytes, and have the digest that was said", () => {
  const cases: readonly (readonly [Record<string, string | undefined>, string, string?])[] = [
    [{ algorithm: undefined }, "InvalidArgument", `${METHOD}-customer-algorithm`],
    [{ algorithm: "AES128" }, "InvalidEncryptionAlgorithmError"],
    [{ algorithm: "aws:kms" }, "InvalidEncryptionAlgorithmError"],
    [{ key: undefined }, "InvalidArgument", `${METHOD}-customer-key`],
    [{ key: "" }, "InvalidArgument", `${METHOD}-customer-key`],
    [{ key: KEY.subarray(1).toString("base64") }, "InvalidArgument", `${METHOD}-customer-key`],
    [{ key: KEY.toString("hex") }, "InvalidArgument", `${METHOD}-customer-key`],
    [{ key: `${KEY.toString("base64")}=` }, "InvalidArgument", `${METHOD}-customer-key`],
    [{ "key-MD5": undefined }, "InvalidArgument", `${METHOD}-customer-key-md5`],
    [{ "key-MD5": "AAAAAAAAAAAAAAAAAAAAAA==" }, "InvalidArgument", `${METHOD}-customer-key-md5`],
    [{ "key-MD5": "no" }, "InvalidArgument", `${METHOD}-customer-key-md5`],
  ];
  for (const [changes, code, argument] of cases) {
    refused(() => parseClientKey(list(...clientKey(changes)), "target"), code, argument);
  }
});

test("the key of a copy's source is another than that of its target", () => {
  const source = clientKey().map<HeaderField>(([name, value]) => [
    name.replace("x-amz-", "x-amz-copy-source-"),
    value,
  ]);
  assert.equal(parseClientKey(list(...source), "target"), undefined);
  assert.equal(Buffer.compare(parseClientKey(list(...source), "source")?.key ?? MD5_NONE, KEY), 0);
  assert.equal(parseClientKey(list(...clientKey()), "source"), undefined);
  assert.ok(!asksForEncryption(list(...source)));
  assert.ok(asksForEncryption(list(...clientKey({ key: undefined }))));
  assert.ok(asksForEncryption(list([METHOD, "AES256"])));
});
const MD5_NONE = Buffer.alloc(0);

test("reads and parts take no method", () => {
  for (const name of ["", "-aws-kms-key-id", "-context", "-bucket-key-enabled"]) {
    refused(
      () => refuseManagedEncryption(list([`${METHOD}${name}`, "x"])),
      "InvalidArgument",
      `${METHOD}${name}`,
    );
  }
  refuseManagedEncryption(list(...clientKey()));
});
