// Policies, signatures and answers of POST forms: the AWS example, every condition, every refusal.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { describe, test } from "node:test";
import { formAnswer } from "../../../../services/lib/s3/post-form/form-answer.ts";
import {
  FormFields,
  formHeaders,
  formKey,
} from "../../../../services/lib/s3/post-form/form-fields.ts";
import {
  checkFileLength,
  checkFormPolicy,
  parseFormPolicy,
} from "../../../../services/lib/s3/post-form/form-policy.ts";
import {
  parseFormClaim,
  verifyFormSignature,
} from "../../../../services/lib/s3/post-form/form-signature.ts";
import { expectS3Error } from "../expect-s3-error.ts";

type Fields = Readonly<Record<string, string>>;

function fieldsOf(values: Fields): FormFields {
  const fields = new FormFields();
  for (const [name, value] of Object.entries(values)) fields.add(name, value);
  return fields;
}

function encode(policy: unknown): string {
  const text = typeof policy === "string" ? policy : JSON.stringify(policy);
  return Buffer.from(text).toString("base64");
}

const VARIABLE = ["$", "{filename}"].join("");
const NOW_MS = Date.UTC(2015, 11, 29, 12);
const EXPIRATION = "2015-12-30T12:00:00.000Z";
const SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const OPTIONS = { secret: SECRET, region: "us-east-1", strictRegion: true };

/** The policy of the AWS page, byte for byte, with its line ends. */
const AWS_POLICY =
  `{ "expiration": "${EXPIRATION}",\r\n  "conditions": [\r\n` +
  '    {"bucket": "sigv4examplebucket"},\r\n' +
  '    ["starts-with", "$key", "user/user1/"],\r\n' +
  '    {"acl": "public-read"},\r\n' +
  '    {"success_action_redirect": "http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html"},\r\n' +
  '    ["starts-with", "$Content-Type", "image/"],\r\n' +
  '    {"x-amz-meta-uuid": "14365123651274"},\r\n' +
  '    {"x-amz-server-side-encryption": "AES256"},\r\n' +
  '    ["starts-with", "$x-amz-meta-tag", ""],\r\n\r\n' +
  '    {"x-amz-credential": "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request"},\r\n' +
  '    {"x-amz-algorithm": "AWS4-HMAC-SHA256"},\r\n' +
  '    {"x-amz-date": "20151229T000000Z" }\r\n  ]\r\n}';
const AWS_FIELDS: Fields = {
  key: `user/user1/${VARIABLE}`,
  acl: "public-read",
  success_action_redirect: "http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html",
  "Content-Type": "image/jpeg",
  "x-amz-meta-uuid": "14365123651274",
  "x-amz-server-side-encryption": "AES256",
  "X-Amz-Credential": "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request",
  "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
  "X-Amz-Date": "20151229T000000Z",
  "x-amz-meta-tag": "",
  Policy: encode(AWS_POLICY),
  "X-Amz-Signature": "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e",
};

describe("the example of the AWS page", () => {
  test("is signed, obeys its policy, and reads as a PutObject", () => {
    const fields = fieldsOf(AWS_FIELDS).withFileName("MyFilename.jpg");
    const claim = parseFormClaim(fields);
    assert.ok(claim.kind === "v4");
    assert.equal(claim.accessKeyId, "AKIAIOSFODNN7EXAMPLE");
    verifyFormSignature(claim, OPTIONS);
    const context = { bucket: "sigv4examplebucket", nowMs: NOW_MS };
    checkFormPolicy(parseFormPolicy(claim.policy), fields, context);
    assert.equal(formKey(fields), "user/user1/MyFilename.jpg");
    assert.deepEqual(
      [...formHeaders(fields).fields],
      [
        ["x-amz-acl", "public-read"],
        ["content-type", "image/jpeg"],
        ["x-amz-meta-uuid", "14365123651274"],
        ["x-amz-server-side-encryption", "AES256"],
        ["x-amz-meta-tag", ""],
      ],
    );
  });

  for (const change of [
    { acl: "private" },
    { "Content-Type": "text/html" },
    { "x-amz-meta-tag-2": "x" },
    { key: "user/user2/x" },
    { "x-amz-meta-uuid": "1" },
    { bucket: "sigv4examplebucket2" },
    { submit: "Upload" },
  ]) {
    test(`refuses ${JSON.stringify(change)}`, () => {
      const fields = fieldsOf({ ...AWS_FIELDS, ...change });
      const context = { bucket: "sigv4examplebucket", nowMs: NOW_MS };
      const policy = parseFormPolicy(fields.get("policy") ?? "");
      expectS3Error("AccessDenied", () => checkFormPolicy(policy, fields, context));
    });
  }
});

describe("signatures", () => {
  const change = (values: Fields) => {
    const claim = parseFormClaim(fieldsOf({ ...AWS_FIELDS, ...values }));
    assert.ok(claim.kind !== "anonymous");
    return () => verifyFormSignature(claim, OPTIONS);
  };

  test("version 4 refuses other policies, keys, scopes", () => {
    for (const values of [
      { Policy: encode(AWS_POLICY.replace("public-read", "private")) },
      { "X-Amz-Signature": "0".repeat(64) },
      { "X-Amz-Signature": "x" },
      { "X-Amz-Signature": (AWS_FIELDS["X-Amz-Signature"] ?? "").toUpperCase() },
    ]) {
      expectS3Error("SignatureDoesNotMatch", change(values));
    }
    const scope = (text: string) => ({ "X-Amz-Credential": `AKIAIOSFODNN7EXAMPLE/${text}` });
    for (const values of [
      scope("20151228/us-east-1/s3/aws4_request"),
      scope("20151229/eu-1/s3/aws4_request"),
      scope("20151229/us-east-1/sqs/aws4_request"),
      scope("20151229/us-east-1/s3/aws4"),
      { "X-Amz-Date": "20151229" },
    ]) {
      expectS3Error("InvalidArgument", change(values));
    }
  });

  test("version 2 is the base64 HMAC-SHA1 of the policy", () => {
    const policy = encode({ expiration: EXPIRATION, conditions: [] });
    const signature = createHmac("sha1", SECRET).update(policy).digest("base64");
    const claim = parseFormClaim(fieldsOf({ AWSAccessKeyId: "A", policy, signature }));
    assert.ok(claim.kind === "v2");
    verifyFormSignature(claim, OPTIONS);
    for (const other of ["", "x", createHmac("sha1", "x").update(policy).digest("base64")]) {
      expectS3Error("SignatureDoesNotMatch", () =>
        verifyFormSignature({ ...claim, signature: other }, OPTIONS),
      );
    }
  });

  test("claims: all their fields or none", () => {
    assert.deepEqual(parseFormClaim(fieldsOf({ key: "k" })), { kind: "anonymous" });
    const { Policy: _, ...noPolicy } = AWS_FIELDS;
    const { "X-Amz-Date": __, ...noDate } = AWS_FIELDS;
    for (const values of [
      { policy: "x" },
      noPolicy,
      noDate,
      { ...AWS_FIELDS, "X-Amz-Algorithm": "AWS4-HMAC-SHA512" },
      { ...AWS_FIELDS, "X-Amz-Credential": "a/b" },
      { ...AWS_FIELDS, Signature: "x" },
      { policy: "x", AWSAccessKeyId: "a" },
      { policy: "x", Signature: "a" },
      { AWSAccessKeyId: "a", Signature: "a" },
    ]) {
      expectS3Error("InvalidArgument", () => parseFormClaim(fieldsOf(values)));
    }
  });
});

describe("policies", () => {
  const parse = (...conditions: unknown[]) =>
    parseFormPolicy(encode({ expiration: EXPIRATION, conditions }));
  const check = (values: Fields, ...conditions: unknown[]) =>
    checkFormPolicy(parse(...conditions), fieldsOf(values), { bucket: "b", nowMs: NOW_MS });

  test("conditions of every kind", () => {
    check({ key: "a" }, ["eq", "$key", "a"]);
    check({ key: "a" }, { KEY: "a" });
    check({ key: "abc" }, ["Starts-With", "$Key", "a"]);
    check({ key: "" }, ["starts-with", "$key", ""]);
    check({}, { bucket: "b" });
    check({ bucket: "b" }, ["starts-with", "$bucket", ""]);
    check({ "x-ignore-me": "1", policy: "p", AWSAccessKeyId: "a", signature: "s" });
    check({ "content-type": "image/a,image/b" }, ["starts-with", "$Content-Type", "image/"]);
    check({ "content-type": "image/a" }, ["starts-with", "$Content-Type", "image/"]);
    const lists = { "content-type": "image/a,text/b" };
    for (const call of [
      () => check({ key: "b" }, ["eq", "$key", "a"]),
      () => check({ key: "ab" }, ["eq", "$key", "a"]),
      () => check({ key: "ba" }, ["starts-with", "$key", "a"]),
      () => check({}, { acl: "private" }),
      () => check({}, { bucket: "c" }),
      () => check({ bucket: "b" }),
      () => check({ key: "a" }),
      () => check(lists, ["starts-with", "$Content-Type", "image/"]),
      () => check({ key: "a" }, { key: "a" }, ["eq", "$key", "b"]),
    ]) {
      expectS3Error("AccessDenied", call);
    }
  });

  test("expire at their moment", () => {
    const policy = parse();
    const at = (nowMs: number) => checkFormPolicy(policy, fieldsOf({}), { bucket: "b", nowMs });
    at(Date.UTC(2015, 11, 30, 12) - 1);
    expectS3Error("AccessDenied", () => at(Date.UTC(2015, 11, 30, 12)));
  });

  test("ranges of length, the narrowest of several", () => {
    const range = parse(["content-length-range", 1, "10"], ["content-length-range", 0, 8]).length;
    assert.deepEqual(range, { min: 1, max: 8 });
    checkFileLength(range, 0, false);
    checkFileLength(range, 8, true);
    expectS3Error("EntityTooSmall", () => checkFileLength(range, 0, true));
    const error = expectS3Error("EntityTooLarge", () => checkFileLength(range, 9, false));
    assert.deepEqual(error.details, [
      ["ProposedSize", "9"],
      ["MaxSizeAllowed", "8"],
    ]);
    checkFileLength(undefined, 9e15, true);
  });

  test("base64 in lines is read", () => {
    const text = encode({ expiration: EXPIRATION, conditions: [] });
    assert.equal(parseFormPolicy(`${text.slice(0, 8)}\r\n${text.slice(8)}`).conditions.length, 0);
  });

  test("refuses what is no policy", () => {
    const conditions: unknown[] = [];
    for (const text of [
      "",
      "x",
      encode(""),
      encode("{"),
      encode("[]"),
      encode({ conditions }),
      encode({ expiration: EXPIRATION }),
      encode({ expiration: 1, conditions }),
      encode({ expiration: "tomorrow", conditions }),
      encode({ expiration: EXPIRATION, conditions: {} }),
      encode({ expiration: EXPIRATION, conditions, other: 1 }),
      encode({ expiration: EXPIRATION, conditions: Array(257).fill({ key: "a" }) }),
      Buffer.from([0x7b, 0xff, 0x7d]).toString("base64"),
    ]) {
      expectS3Error("InvalidPolicyDocument", () => parseFormPolicy(text));
    }
    for (const condition of [
      "x",
      null,
      { key: 1 },
      [],
      ["eq", "$key"],
      ["eq", "key", "a"],
      ["eq", "$key", 1],
      ["like", "$key", "a"],
      ["content-length-range", 2, 1],
      ["content-length-range", -1, 1],
      ["content-length-range", 0.5, 1],
      ["content-length-range", "a", "b"],
    ]) {
      expectS3Error("InvalidPolicyDocument", () => parse(condition));
    }
  });
});

describe("fields and answers", () => {
  test("the name of the file stands in for its variable everywhere, and is no pattern", () => {
    const fields = fieldsOf({ key: `a/${VARIABLE}/${VARIABLE}`, acl: "x" }).withFileName("$&$1");
    assert.equal(formKey(fields), "a/$&$1/$&$1");
  });

  test("keys", () => {
    expectS3Error("UserKeyMustBeSpecified", () => formKey(fieldsOf({})));
    expectS3Error("UserKeyMustBeSpecified", () => formKey(fieldsOf({ key: "" })));
    expectS3Error("KeyTooLongError", () => formKey(fieldsOf({ key: "é".repeat(513) })));
  });

  test("headers: bytes of values, the type of the part, no control characters", () => {
    const headers = formHeaders(fieldsOf({ "x-amz-meta-a": "é", other: "x" }), "text/css");
    assert.equal(headers.get("x-amz-meta-a"), "\u00c3\u00a9");
    assert.equal(headers.get("content-type"), "text/css");
    assert.equal(headers.has("other"), false);
    expectS3Error("InvalidArgument", () => formHeaders(fieldsOf({ expires: "a\r\nb" })));
  });

  test("statuses and redirects", () => {
    const stored = { location: "http://h/b/k%20", bucket: "b", key: "k &", etag: "e" };
    const answer = (values: Fields) => formAnswer(fieldsOf(values), stored);
    assert.equal(answer({}).status, 204);
    assert.equal(answer({ success_action_status: "500" }).status, 204);
    assert.equal(answer({ success_action_status: "200" }).body, undefined);
    assert.equal(
      answer({ success_action_status: "201" }).body,
      '<?xml version="1.0" encoding="UTF-8"?>\n<PostResponse><Location>http://h/b/k%20</Location>' +
        "<Bucket>b</Bucket><Key>k &amp;</Key><ETag>&quot;e&quot;</ETag></PostResponse>",
    );
    const added = "bucket=b&key=k%20%26&etag=%22e%22";
    const to = (url: string) => answer({ success_action_redirect: url }).headers[0];
    assert.deepEqual(to("http://x/a"), ["Location", `http://x/a?${added}`]);
    assert.deepEqual(to("https://x/a?q=1#f"), ["Location", `https://x/a?q=1&${added}#f`]);
    assert.equal(answer({ redirect: "http://x/" }).status, 303);
    for (const url of ["", "/a", "javascript:alert(1)", "http://", "ftp://x/"]) {
      assert.equal(answer({ success_action_redirect: url }).status, 204, url);
    }
    assert.deepEqual(to("http://x/\r\nSet-Cookie: a"), [
      "Location",
      `http://x/Set-Cookie:%20a?${added}`,
    ]);
  });
});
