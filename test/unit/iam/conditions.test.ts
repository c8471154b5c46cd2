// Every operator of AWS's page on condition operators, row by row, with what its tables and
// examples say; the semantics of absent keys, sets and variables; and what cannot be compared.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { meetsCondition, type Truth } from "../../../services/lib/iam/conditions.ts";
import { CONDITION_OPERATORS } from "../../../services/lib/s3/settings/policy-conditions.ts";
import { identityPolicy, variable } from "./setting.ts";

const KEY = "aws:Key";

/** Whether a condition with `wanted` is met by a request that has `found`. */
function meets(
  operator: string,
  wanted: string | readonly string[],
  found: readonly string[] | undefined,
  variables: Readonly<Record<string, string>> = {},
): Truth {
  const statement = { Effect: "Allow", Action: "*", Resource: "*" };
  const policy = identityPolicy({ ...statement, Condition: { [operator]: { [KEY]: wanted } } });
  const [condition] = policy.statements[0]?.conditions ?? [];
  assert.ok(condition !== undefined);
  const context = new Map(found === undefined ? [] : [[KEY.toLowerCase(), found]]);
  return meetsCondition(condition, context, (key) => new Map(Object.entries(variables)).get(key));
}

type Row = readonly [operator: string, wanted: string, found: string, expected: Truth];

const IP6 = "2001:db8:1234:5678::/64";

/** Operator, value of the policy, value of the request, outcome. */
const ROWS: readonly Row[] = [
  ["StringEquals", "JohnDoe", "JohnDoe", true],
  ["StringEquals", "JohnDoe", "johndoe", false],
  ["StringEquals", "J*", "JohnDoe", false],
  ["StringEquals", "J*", "J*", true],
  ["StringEquals", "", "", true],
  ["StringNotEquals", "JohnDoe", "JohnDoe", false],
  ["StringNotEquals", "JohnDoe", "johndoe", true],
  ["StringEqualsIgnoreCase", "JohnDoe", "jOHNdOE", true],
  ["StringEqualsIgnoreCase", "JohnDoe", "JohnDo", false],
  ["StringNotEqualsIgnoreCase", "JohnDoe", "jOHNdOE", false],
  ["StringNotEqualsIgnoreCase", "JohnDoe", "Jane", true],
  ["StringLike", "home/*", "home/x/y", true],
  ["StringLike", "home/*", "Home/x", false],
  ["StringLike", "h?me/", "home/", true],
  ["StringLike", "h?me/", "hme/", false],
  ["StringLike", "*", "", true],
  ["StringLike", "", "", true],
  ["StringLike", "*.example.com/*", "https://www.example.com/a", true],
  ["StringNotLike", "home/*", "home/x", false],
  ["StringNotLike", "home/*", "work/x", true],
  ["NumericEquals", "10", "10", true],
  ["NumericEquals", "10", "10.0", true],
  ["NumericEquals", "10", "010", true],
  ["NumericEquals", "9007199254740993", "9007199254740992", false],
  ["NumericEquals", "0.1", "0.10", true],
  ["NumericNotEquals", "10", "11", true],
  ["NumericNotEquals", "10", "10", false],
  ["NumericLessThan", "10", "9.999999999", true],
  ["NumericLessThan", "10", "10", false],
  ["NumericLessThan", "10", "-11", true],
  ["NumericLessThanEquals", "10", "10", true],
  ["NumericLessThanEquals", "10", "11", false],
  ["NumericGreaterThan", "10", "11", true],
  ["NumericGreaterThan", "10", "10", false],
  ["NumericGreaterThan", "9", "10", true],
  ["NumericGreaterThanEquals", "10", "10", true],
  ["NumericGreaterThanEquals", "10", "9", false],
  ["DateEquals", "2020-01-01T00:00:01Z", "2020-01-01T00:00:01Z", true],
  ["DateEquals", "2020-01-01T00:00:01Z", "2020-01-01T01:00:01+01:00", true],
  ["DateEquals", "2020-01-01T00:00:01Z", "1577836801", true],
  ["DateEquals", "2020-01-01", "2020-01-01T00:00:00Z", true],
  ["DateEquals", "2020", "2020-01-01T00:00Z", true],
  ["DateNotEquals", "2020-01-01", "2020-01-02", true],
  ["DateNotEquals", "2020-01-01", "2020-01-01", false],
  ["DateLessThan", "2020-01-01T00:00:00Z", "2019-12-31T23:59:59Z", true],
  ["DateLessThan", "2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z", false],
  ["DateLessThan", "2020-01-01T00:00:00Z", "2019-12-31T23:59:59.999Z", true],
  ["DateLessThanEquals", "2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z", true],
  ["DateLessThanEquals", "2020-01-01T00:00:00Z", "2020-01-01T00:00:01Z", false],
  ["DateGreaterThan", "2020-01-01T00:00:00Z", "2020-01-01T00:00:01Z", true],
  ["DateGreaterThan", "2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z", false],
  ["DateGreaterThanEquals", "2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z", true],
  ["DateGreaterThanEquals", "2020-01-01T00:00:00Z", "2019-01-01T00:00:00Z", false],
  ["Bool", "true", "true", true],
  ["Bool", "true", "True", true],
  ["Bool", "true", "false", false],
  ["Bool", "false", "false", true],
  ["BinaryEquals", "QmluYXJ5VmFsdWVJbkJhc2U2NA==", "QmluYXJ5VmFsdWVJbkJhc2U2NA==", true],
  ["BinaryEquals", "QmluYXJ5VmFsdWVJbkJhc2U2NA==", "YWFh", false],
  ["IpAddress", "203.0.113.0/24", "203.0.113.77", true],
  ["IpAddress", "203.0.113.0/24", "203.0.114.1", false],
  ["IpAddress", "203.0.113.7", "203.0.113.7", true],
  ["IpAddress", "203.0.113.7", "203.0.113.8", false],
  ["IpAddress", "203.0.113.77/24", "203.0.113.1", true],
  ["IpAddress", "0.0.0.0/0", "8.8.8.8", true],
  ["IpAddress", "0.0.0.0/0", "2001:db8::1", false],
  ["IpAddress", "::/0", "2001:db8::1", true],
  ["IpAddress", IP6, "2001:db8:1234:5678::1", true],
  ["IpAddress", IP6, "2001:DB8:1234:5678:ffff:ffff:ffff:ffff", true],
  ["IpAddress", IP6, "2001:db8:1234:5679::1", false],
  ["IpAddress", "203.0.113.0/24", "::ffff:203.0.113.77", true],
  ["IpAddress", "::ffff:203.0.113.0/120", "203.0.113.77", true],
  ["IpAddress", "::1", "0:0:0:0:0:0:0:1", true],
  ["IpAddress", "64:ff9b::192.0.2.33", "64:ff9b::c000:221", true],
  ["NotIpAddress", "203.0.113.0/24", "203.0.113.77", false],
  ["NotIpAddress", "203.0.113.0/24", "203.0.114.1", true],
  ["NotIpAddress", IP6, "10.0.0.1", true],
  [
    "ArnEquals",
    "arn:aws:sns:us-east-1:123456789012:topic",
    "arn:aws:sns:us-east-1:123456789012:topic",
    true,
  ],
  ["ArnEquals", "arn:aws:sns:*:123456789012:t*", "arn:aws:sns:us-east-1:123456789012:topic", true],
  ["ArnLike", "arn:aws:sns:*:123456789012:t?pic", "arn:aws:sns:us-east-1:123456789012:topic", true],
  ["ArnLike", "arn:aws:s3:::data*", "arn:aws:s3:::data/a:b", true],
  ["ArnLike", "arn:aws:*:data", "arn:aws:sns:us-east-1:1:data", undefined],
  ["ArnLike", "arn:*:*:*:*:topic", "arn:aws:sns:us-east-1:1:topic", true],
  ["ArnLike", "arn:aws:sns:*:topic:x", "arn:aws:sns:us-east-1:1:topic", false],
  ["ArnLike", "arn:aws:iam::111122223333:user/bob", "arn:aws:iam:::user/bob", true],
  ["ArnLike", "*", "arn:aws:sns:us-east-1:1:topic", true],
  ["ArnLike", "arn:aws:s3:::data", "data", false],
  ["ArnNotEquals", "arn:aws:s3:::data", "arn:aws:s3:::data", false],
  ["ArnNotEquals", "arn:aws:s3:::data", "arn:aws:s3:::other", true],
  ["ArnNotLike", "arn:aws:s3:::d*", "arn:aws:s3:::data", false],
  ["ArnNotLike", "arn:aws:s3:::d*", "arn:aws:s3:::other", true],
];

describe("rows", () => {
  for (const [operator, wanted, found, expected] of ROWS) {
    test(`${operator} ${wanted}: ${found} is ${String(expected)}`, () => {
      if (expected === undefined) {
        assert.throws(() => meets(operator, wanted, [found]), { code: "MalformedPolicy" });
        return;
      }
      assert.equal(meets(operator, wanted, [found]), expected);
    });
  }

  test("every operator has some", () => {
    const tested = new Set(ROWS.map(([operator]) => operator)).add("Null");
    assert.deepEqual(CONDITION_OPERATORS.toSorted(), [...tested].toSorted());
  });
});

describe("values", () => {
  test("of the policy are alternatives; for a negated operator none may be met", () => {
    assert.equal(meets("StringEquals", ["a", "b"], ["b"]), true);
    assert.equal(meets("StringEquals", ["a", "b"], ["c"]), false);
    assert.equal(meets("StringNotEquals", ["a", "b"], ["b"]), false);
    assert.equal(meets("StringNotEquals", ["a", "b"], ["c"]), true);
    assert.equal(meets("NotIpAddress", ["10.0.0.0/8", "::1"], ["10.1.1.1"]), false);
    assert.equal(meets("StringEquals", [], ["a"]), false);
    assert.equal(meets("StringNotEquals", [], ["a"]), true);
  });

  test("of the request that no operator can compare leave it open", () => {
    for (const [operator, wanted, found] of [
      ["NumericLessThan", "10", "x"],
      ["NumericNotEquals", "10", ""],
      ["NumericEquals", "10", "1e1"],
      ["NumericEquals", "10", "0xa"],
      ["NumericEquals", "10", "Infinity"],
      ["DateLessThan", "2020-01-01", "yesterday"],
      ["DateEquals", "2020-03-01", "2020-02-30"],
      ["Bool", "true", "1"],
      ["IpAddress", "10.0.0.0/8", "10.1.1"],
      ["NotIpAddress", "10.0.0.0/8", "10.1.1.1.evil.example"],
      ["IpAddress", "10.0.0.0/8", "10.0.0.01"],
      ["IpAddress", "10.0.0.0/8", "fe80::1%eth0"],
      ["BinaryEquals", "YWFh", "%%%"],
    ] as const) {
      assert.equal(meets(operator, wanted, [found]), undefined, `${operator} ${found}`);
    }
    assert.equal(meets("IpAddress", ["10.0.0.0/8", "::1"], ["10.1.1.1"]), true);
  });

  test("of the policy that its operator cannot compare are refused", () => {
    for (const [operator, wanted] of [
      ["NumericLessThan", "ten"],
      ["NumericLessThan", ""],
      ["NumericLessThan", "1e3"],
      ["DateEquals", "2020-13-01"],
      ["DateEquals", "2020-02-30"],
      ["DateEquals", "2020-01-01T00:00:00"],
      ["Bool", "yes"],
      ["Null", "maybe"],
      ["IpAddress", "10.0.0.0/33"],
      ["IpAddress", "10.0.0.0/8/8"],
      ["IpAddress", "10.0.0.256"],
      ["IpAddress", "::1/129"],
      ["IpAddress", "1::2::3"],
      ["IpAddress", "12345::"],
      ["IpAddress", "1:2:3:4:5:6:7"],
      ["IpAddress", "1:2:3:4:5:6:7:8::"],
      ["IpAddress", "10.0.0.*"],
      ["NotIpAddress", "localhost"],
      ["BinaryEquals", "not base64"],
      ["ArnLike", "user/bob"],
      ["ArnLike", `arn:aws:s3:${variable("aws:x")}::data`],
    ] as const) {
      assert.throws(() => meets(operator, wanted, ["x"]), { code: "MalformedPolicy" }, wanted);
    }
  });
});

describe("absent keys", () => {
  const negated = ["StringNotEquals", "StringNotLike", "StringNotEqualsIgnoreCase"];
  test("do not meet an operator, and meet a negated one", () => {
    for (const absent of [undefined, []]) {
      for (const operator of ["StringEquals", "StringLike", "StringEqualsIgnoreCase"]) {
        assert.equal(meets(operator, "*", absent), false, operator);
        assert.equal(meets(`${operator}IfExists`, "*", absent), true, operator);
      }
      for (const operator of negated) assert.equal(meets(operator, "*", absent), true, operator);
      assert.equal(meets("NumericLessThan", "10", absent), false);
      assert.equal(meets("NumericNotEquals", "10", absent), true);
      assert.equal(meets("DateNotEquals", "2020", absent), true);
      assert.equal(meets("Bool", "false", absent), false);
      assert.equal(meets("BoolIfExists", "true", absent), true);
      assert.equal(meets("IpAddress", "0.0.0.0/0", absent), false);
      assert.equal(meets("NotIpAddress", "0.0.0.0/0", absent), true);
      assert.equal(meets("ArnNotLike", "*", absent), true);
    }
  });

  test("Null asks for them", () => {
    assert.equal(meets("Null", "true", undefined), true);
    assert.equal(meets("Null", "true", []), true);
    assert.equal(meets("Null", "true", ["a"]), false);
    assert.equal(meets("Null", "false", ["a"]), true);
    assert.equal(meets("Null", "false", undefined), false);
    assert.equal(meets("Null", ["true", "false"], ["a"]), true);
  });

  test("an unknown operator cannot be told", () => {
    const condition = {
      operator: "Resembles",
      qualifier: undefined,
      ifExists: true,
      key: KEY,
      values: ["a"],
    };
    assert.equal(meetsCondition(condition, new Map(), undefined), undefined);
  });
});

describe("sets (SECURITY 11)", () => {
  const tags = ["DataClass", "Owner"];
  const rows: readonly (readonly [string, readonly string[] | undefined, boolean])[] = [
    ["ForAllValues:StringEquals", undefined, true],
    ["ForAllValues:StringEquals", ["Owner"], true],
    ["ForAllValues:StringEquals", ["Owner", "DataClass"], true],
    ["ForAllValues:StringEquals", ["Owner", "Dept"], false],
    ["ForAllValues:StringNotEquals", undefined, true],
    ["ForAllValues:StringNotEquals", ["Owner", "DataClass"], false],
    ["ForAllValues:StringNotEquals", ["Owner", "Dept"], false],
    ["ForAllValues:StringNotEquals", ["Dept", "SIC"], true],
    ["ForAnyValue:StringEquals", undefined, false],
    ["ForAnyValue:StringEquals", ["Dept"], false],
    ["ForAnyValue:StringEquals", ["Dept", "Owner"], true],
    ["ForAnyValue:StringNotEquals", undefined, false],
    ["ForAnyValue:StringNotEquals", ["Owner", "DataClass"], false],
    ["ForAnyValue:StringNotEquals", ["Dept", "DataClass"], true],
    ["ForAnyValue:StringNotEquals", ["Dept", "SIC", "DataClass"], true],
    ["ForAnyValue:StringEqualsIfExists", undefined, false],
    ["ForAnyValue:StringNotEqualsIfExists", undefined, false],
    ["ForAllValues:StringEqualsIfExists", undefined, true],
    ["StringEquals", ["Dept", "Owner"], true],
    ["StringNotEquals", ["Dept", "Owner"], false],
    ["StringNotEquals", ["Dept", "SIC"], true],
  ];
  for (const [operator, found, expected] of rows) {
    test(`${operator} of ${JSON.stringify(found)} is ${expected}`, () => {
      assert.equal(meets(operator, tags, found), expected);
    });
  }

  test("one value that cannot be compared leaves it open, unless others settle it", () => {
    assert.equal(meets("ForAllValues:NumericLessThan", "10", ["1", "x"]), undefined);
    assert.equal(meets("ForAllValues:NumericLessThan", "10", ["11", "x"]), false);
    assert.equal(meets("ForAnyValue:NumericLessThan", "10", ["1", "x"]), true);
    assert.equal(meets("ForAnyValue:NumericNotEquals", "10", ["10", "x"]), undefined);
  });
});

describe("variables", () => {
  const values = { "aws:username": "bob_wayne", "aws:useragent": "*" };

  test("stand for the value of their key", () => {
    const wanted = `home/${variable("aws:username")}/`;
    assert.equal(meets("StringEquals", wanted, ["home/bob_wayne/"], values), true);
    assert.equal(meets("StringLike", `${wanted}*`, ["home/bob_wayne/x"], values), true);
    assert.equal(meets("StringLike", `${wanted}*`, ["home/carl_msu/x"], values), false);
    assert.equal(meets("StringEquals", variable("AWS:UserName"), ["bob_wayne"], values), true);
    const arn = `arn:aws:iam:::user/${variable("aws:username")}`;
    assert.equal(meets("ArnEquals", arn, ["arn:aws:iam:::user/bob_wayne"], values), true);
  });

  test("never act as patterns", () => {
    const wanted = variable("aws:useragent");
    assert.equal(meets("StringLike", wanted, ["anything"], values), false);
    assert.equal(meets("StringLike", wanted, ["*"], values), true);
    assert.equal(meets("StringLike", `a${wanted}*`, ["a*b"], values), true);
    assert.equal(meets("StringLike", `a${wanted}*`, ["aab"], values), false);
  });

  test("characters by themselves, and defaults", () => {
    assert.equal(meets("StringLike", `a${variable("*")}`, ["a*"]), true);
    assert.equal(meets("StringLike", `a${variable("*")}`, ["ab"]), false);
    assert.equal(meets("StringLike", `a${variable("?")}`, ["ab"]), false);
    assert.equal(meets("StringEquals", variable("$"), ["$"]), true);
    assert.equal(meets("StringEquals", variable("aws:team, 'all'"), ["all"]), true);
    assert.equal(meets("StringEquals", variable("aws:username, 'all'"), ["all"], values), false);
  });

  test("without a value compare with nothing, not even where that would be wanted", () => {
    assert.equal(meets("StringEquals", variable("aws:team"), [""]), false);
    assert.equal(meets("StringLike", `*${variable("aws:team")}*`, ["x"]), false);
    assert.equal(meets("StringNotEquals", variable("aws:team"), ["x"]), undefined);
    assert.equal(meets("StringNotEquals", [variable("aws:team"), "x"], ["x"]), false);
    for (const name of ["__proto__", "constructor", "toString"]) {
      assert.equal(meets("StringLike", variable(`aws:${name}`), ["x"]), false);
    }
  });

  test("malformed ones are refused", () => {
    for (const inside of ["", "aws", "aws:", "aws:a b", "aws:x, y", "aws:x, 'y", "*?"]) {
      const wanted = variable(inside);
      assert.throws(() => meets("StringLike", wanted, ["x"]), { code: "MalformedPolicy" }, inside);
    }
    assert.throws(() => meets("StringLike", "a$" + "{b", ["x"]), { code: "MalformedPolicy" });
  });
});
