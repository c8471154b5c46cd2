// Bucket policies: what S3 accepts is read, what it refuses is refused, what is public is found.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type BucketPolicy, parsePolicy } from "../../../../services/lib/s3/settings/policy.ts";
import { matchesPattern } from "../../../../services/lib/s3/settings/policy-pattern.ts";
import {
  isPublicPolicy,
  policyStatusDocument,
} from "../../../../services/lib/s3/settings/policy-status.ts";
import { expectS3Error } from "../expect-s3-error.ts";
import { body, documentText } from "./bodies.ts";

/** A policy variable. */
const VARIABLE = ["$", "{aws:username}"].join("");

const STATEMENT = {
  Sid: "s",
  Effect: "Allow",
  Principal: "*",
  Action: "s3:GetObject",
  Resource: "arn:aws:s3:::b/*",
};

function parse(policy: unknown): BucketPolicy {
  return parsePolicy(body(JSON.stringify(policy)), "b");
}

function withStatement(change: Readonly<Record<string, unknown>>): BucketPolicy {
  return parse({ Version: "2012-10-17", Statement: [{ ...STATEMENT, ...change }] });
}

describe("accepted", () => {
  test("a statement with everything", () => {
    const policy = withStatement({
      Principal: { AWS: ["arn:aws:iam::111122223333:user/jan_physics", "111122223333"] },
      Action: ["s3:GetObject", "s3:Put*", "s3:ListBucket"],
      Resource: ["arn:aws:s3:::b", `arn:aws:s3:::b/a/${VARIABLE}/*`],
      Condition: {
        "ForAnyValue:StringLikeIfExists": { "aws:PrincipalTag/x": ["a*", "b"] },
        Bool: { "aws:SecureTransport": false },
        NumericLessThan: { "s3:max-keys": 10 },
      },
    });
    assert.deepEqual(policy, {
      version: "2012-10-17",
      id: undefined,
      statements: [
        {
          sid: "s",
          effect: "Allow",
          principals: {
            isNegated: false,
            values: [
              { type: "AWS", value: "arn:aws:iam::111122223333:user/jan_physics" },
              { type: "AWS", value: "111122223333" },
            ],
          },
          actions: { isNegated: false, values: ["s3:GetObject", "s3:Put*", "s3:ListBucket"] },
          resources: {
            isNegated: false,
            values: ["arn:aws:s3:::b", `arn:aws:s3:::b/a/${VARIABLE}/*`],
          },
          conditions: [
            {
              operator: "StringLike",
              qualifier: "ForAnyValue",
              ifExists: true,
              key: "aws:PrincipalTag/x",
              values: ["a*", "b"],
            },
            {
              operator: "Bool",
              qualifier: undefined,
              ifExists: false,
              key: "aws:SecureTransport",
              values: ["false"],
            },
            {
              operator: "NumericLessThan",
              qualifier: undefined,
              ifExists: false,
              key: "s3:max-keys",
              values: ["10"],
            },
          ],
        },
      ],
    });
  });

  test("one statement without a list, an older version, an id, negated lists", () => {
    const { Sid: _, ...bare } = STATEMENT;
    assert.equal(parse({ Id: "i", Statement: bare }).version, "2008-10-17");
    const { Principal, Action, Resource, ...rest } = STATEMENT;
    const [negated] = parse({
      Statement: { ...rest, NotPrincipal: Principal, NotAction: Action, NotResource: Resource },
    }).statements;
    const lists = [negated?.principals, negated?.actions, negated?.resources];
    assert.deepEqual(
      lists.map((list) => list?.isNegated),
      [true, true, true],
    );
    for (const resource of ["arn:aws:s3:::*", "arn:aws:s3:::b*", "arn:aws:s3:::?/x"]) {
      assert.equal(withStatement({ Resource: resource }).statements.length, 1);
    }
    withStatement({ Principal: { CanonicalUser: "abc" } });
    withStatement({ Principal: { AWS: "arn:aws:iam:::user/jan_physics" } });
  });

  test("20 KB, and not a byte more", () => {
    const text = JSON.stringify({ Statement: [STATEMENT] });
    const padded = (bytes: number) => body(text.padEnd(bytes, " "));
    assert.equal(parsePolicy(padded(20 * 1024), "b").statements.length, 1);
    expectS3Error("PolicyTooLarge", () => parsePolicy(padded(20 * 1024 + 1), "b"));
  });
});

describe("refused", () => {
  test("what is no policy", () => {
    for (const text of ["", "[]", "null", "x", '"{}"', "{", "{}x", "\u00ef\u00bb\u00bf{}"]) {
      expectS3Error("MalformedPolicy", () => parsePolicy(body(text), "b"));
    }
    expectS3Error("MalformedPolicy", () => parsePolicy(Uint8Array.from([0x7b, 0xff, 0x7d]), "b"));
    for (const policy of [
      {},
      { Version: "2012-10-17" },
      { Version: "2026-01-01", Statement: STATEMENT },
      { Version: 1, Statement: STATEMENT },
      { Id: 1, Statement: STATEMENT },
      { Statement: [] },
      { Statement: "x" },
      { Statement: [null] },
      { Statement: STATEMENT, Other: 1 },
      { Statement: [STATEMENT, STATEMENT] },
    ]) {
      expectS3Error("MalformedPolicy", () => parse(policy));
    }
    const proto = body('{"__proto__": {"Statement": []}, "constructor": 1}');
    expectS3Error("MalformedPolicy", () => parsePolicy(proto, "b"));
  });

  const changes: readonly Readonly<Record<string, unknown>>[] = [
    { Effect: "allow" },
    { Effect: undefined },
    { Sid: 1 },
    { Other: 1 },
    { Principal: undefined },
    { NotPrincipal: "*" },
    { Principal: "jan" },
    { Principal: ["*"] },
    { Principal: {} },
    { Principal: { AWS: "jan" } },
    { Principal: { AWS: [] } },
    { Principal: { AWS: 1 } },
    { Principal: { Jan: "*" } },
    { Action: undefined },
    { NotAction: "s3:*" },
    { Action: [] },
    { Action: "GetObject" },
    { Action: "iam:CreateUser" },
    { Action: "s3:" },
    { Resource: undefined },
    { NotResource: "arn:aws:s3:::b" },
    { Resource: "b/*" },
    { Resource: "arn:aws:s3:::c/*" },
    { Resource: "arn:aws:s3:::bb*/*" },
    { Resource: "arn:aws:sqs:::b" },
    { Resource: ["arn:aws:s3:::b/*", "arn:aws:s3:::c/*"] },
    { Resource: "arn:aws:s3:::b" },
    { Action: "s3:ListBucket" },
    { Condition: [] },
    { Condition: { Equals: { "aws:x": "y" } } },
    { Condition: { NullIfExists: { "aws:x": "y" } } },
    { Condition: { "ForSome:StringLike": { "aws:x": "y" } } },
    { Condition: { StringEquals: "x" } },
    { Condition: { StringEquals: { x: "y" } } },
    { Condition: { StringEquals: { "aws:x": null } } },
    { Condition: { StringEquals: { "aws:x": [["y"]] } } },
    { Condition: { IpAddress: { "aws:SourceIp": "1.2.3.4/x" } } },
    { Principal: { AWS: "arn:aws:iam:::user/*" } },
    { Resource: `arn:aws:s3:::b/${VARIABLE.slice(0, 5)}` },
  ];
  for (const change of changes) {
    test(`a statement with ${JSON.stringify(change)}`, () => {
      expectS3Error("MalformedPolicy", () => withStatement(change));
    });
  }
});

describe("patterns", () => {
  test("match as a regular expression does", () => {
    const text = fc.stringMatching(/^[ab]{0,8}$/);
    const pattern = fc.stringMatching(/^[ab*?]{0,8}$/);
    fc.assert(
      fc.property(pattern, text, (wild, plain) => {
        const expression = wild.replaceAll("*", ".*").replaceAll("?", ".");
        assert.equal(matchesPattern(wild, plain), new RegExp(`^${expression}$`).test(plain));
      }),
    );
  });

  test("a hostile pattern ends soon", () => {
    const started = process.hrtime.bigint();
    assert.equal(matchesPattern(`${"a*".repeat(500)}b`, "a".repeat(5000)), false);
    assert.ok(process.hrtime.bigint() - started < 10_000_000_000n);
  });
});

describe("public", () => {
  const on = (operator: string, key: string, value: unknown) =>
    isPublicPolicy(withStatement({ Condition: { [operator]: { [key]: value } } }));

  test("everybody is, a fixed principal is not, a Deny never", () => {
    assert.equal(isPublicPolicy(withStatement({})), true);
    assert.equal(isPublicPolicy(withStatement({ Principal: { AWS: "*" } })), true);
    assert.equal(isPublicPolicy(withStatement({ Effect: "Deny" })), false);
    assert.equal(isPublicPolicy(withStatement({ Principal: { AWS: "111122223333" } })), false);
    const { Principal: _, ...rest } = STATEMENT;
    const others = parse({ Statement: { ...rest, NotPrincipal: { AWS: "111122223333" } } });
    assert.equal(isPublicPolicy(others), true);
  });

  test("fixed values of the right keys keep it from being so", () => {
    assert.equal(on("StringEquals", "aws:SourceVpc", "vpc-91237329"), false);
    assert.equal(on("StringLike", "aws:SourceVpc", "vpc-*"), true);
    assert.equal(on("StringEquals", "aws:SourceVpc", ["vpc-1", VARIABLE]), true);
    assert.equal(on("StringNotEquals", "aws:SourceVpc", "vpc-1"), true);
    assert.equal(on("StringEqualsIfExists", "aws:SourceVpc", "vpc-1"), true);
    assert.equal(on("ForAllValues:StringEquals", "aws:SourceVpc", "vpc-1"), true);
    assert.equal(on("StringEquals", "aws:UserAgent", "x"), true);
    assert.equal(on("StringEquals", "AWS:principalorgid", "o-1"), false);
    const point = (account: string) => `arn:aws:s3:us-west-2:${account}:accesspoint/*`;
    assert.equal(on("ArnLike", "s3:DataAccessPointArn", point("123456789012")), false);
    assert.equal(on("ArnLike", "s3:DataAccessPointArn", point("*")), true);
  });

  test("address ranges must be narrow", () => {
    for (const [range, expected] of [
      ["10.0.0.0/8", false],
      ["192.0.2.1", false],
      ["0.0.0.0/1", true],
      ["0.0.0.0/0", true],
      ["2001:db8::/32", false],
      ["2000::/3", true],
    ] as const) {
      assert.equal(on("IpAddress", "aws:SourceIp", range), expected, range);
    }
    assert.equal(on("IpAddress", "aws:SourceIp", ["192.0.2.1", "0.0.0.0/0"]), true);
    assert.equal(on("NotIpAddress", "aws:SourceIp", "192.0.2.1"), true);
  });

  test("status document", () => {
    const expected = documentText("PolicyStatus", "<IsPublic>TRUE</IsPublic>");
    assert.equal(policyStatusDocument(true), expected);
    assert.match(policyStatusDocument(false), /FALSE/);
  });
});
