// Patterns of actions and resources: what they match, by example and against the oracle's
// recursion, and that no pattern is slow (SECURITY 27).
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { matchesAction, matchesResource } from "../../../services/lib/iam/wildcard.ts";
import { matchesPattern } from "../../../services/lib/s3/settings/policy-pattern.ts";
import { like } from "./oracle.ts";
import { variable } from "./setting.ts";

describe("what matches", () => {
  test("actions match without regard to case, resources with", () => {
    assert.equal(matchesAction("S3:get*", "s3:GetObject"), true);
    assert.equal(matchesAction("s3:Get?bject", "s3:GetObject"), true);
    assert.equal(matchesAction("s3:Get", "s3:GetObject"), false);
    assert.equal(matchesAction("*", "iam:CreateUser"), true);
    assert.equal(matchesResource("arn:aws:s3:::b/K*", "arn:aws:s3:::b/Key", undefined), true);
    assert.equal(matchesResource("arn:aws:s3:::b/K*", "arn:aws:s3:::b/key", undefined), false);
  });

  test("a star reaches over slashes, a question mark takes one code point", () => {
    const arn = (key: string) => `arn:aws:s3:::b/${key}`;
    assert.equal(matchesResource(arn("a*z"), arn("a/b/c/z"), undefined), true);
    for (const [pattern, key, expected] of [
      ["?", "\u{1f600}", true],
      ["??", "\u{1f600}", false],
      ["*?", "\u{1f600}", true],
      ["*??", "\u{1f600}", false],
      ["*\ude00", "\u{1f600}", false],
      ["\ud83d?", "\u{1f600}", false],
      ["\ud83d*", "\u{1f600}", false],
      ["a*a", "a", false],
      ["a*a", "aa", true],
      ["?", "", false],
      ["*", "", true],
      ["***", "x", true],
      ["*a", "ba\n", false],
      ["a*", "a\nb", true],
      [".", "x", false],
      ["[a]", "a", false],
    ] as const) {
      assert.equal(matchesPattern(pattern, key), expected, `${pattern} ${key}`);
    }
  });

  test("long ones", () => {
    const pattern = `*${"a?".repeat(40)}*${"b".repeat(70)}*c`;
    const [head, tail] = ["x".repeat(50) + "ay".repeat(40), "b".repeat(70)];
    assert.equal(matchesPattern(pattern, `${head}zz${tail}zzc`), true);
    assert.equal(matchesPattern(pattern, `${head}zz${tail.slice(1)}zzc`), false);
    assert.equal(matchesPattern(pattern, `${head.slice(0, -2)}zz${tail}zzc`), false);
    assert.equal(matchesPattern("?".repeat(64), "x".repeat(64)), true);
    assert.equal(matchesPattern("?".repeat(64), "x".repeat(63)), false);
  });

  test("partition, and the account of users, say nothing; other parts do", () => {
    const user = "arn:aws:iam:::user/bob_wayne";
    assert.equal(matchesResource("arn:aws:iam::111122223333:user/bob*", user, undefined), true);
    assert.equal(matchesResource("arn:aws-us-gov:s3:::b", "arn:aws:s3:::b", undefined), true);
    assert.equal(matchesResource("arn:aws:s3::111122223333:b", "arn:aws:s3:::b", undefined), false);
    assert.equal(matchesResource("arn:aws:sns:::b", "arn:aws:s3:::b", undefined), false);
  });

  test("variables", () => {
    const values = (key: string) => (key === "aws:username" ? "b*b" : undefined);
    const pattern = `arn:aws:s3:::b/${variable("aws:username")}/*`;
    assert.equal(matchesResource(pattern, "arn:aws:s3:::b/b*b/x", values), true);
    assert.equal(matchesResource(pattern, "arn:aws:s3:::b/bob/x", values), false);
    assert.equal(
      matchesResource(pattern, `arn:aws:s3:::b/${variable("aws:username")}/x`, undefined),
      true,
    );
    const absent = `arn:aws:s3:::b/${variable("aws:team")}*`;
    assert.equal(matchesResource(absent, "arn:aws:s3:::b/x", values), false);
  });

  test("as the oracle's recursion says", () => {
    const letters = fc.constantFrom("a", "b", "A", "/", "\u{1f600}", "\u00e9", "*", "?");
    const text = fc.array(letters, { maxLength: 9 }).map((each) => each.join(""));
    fc.assert(
      fc.property(text, text, (pattern, plain) => {
        assert.equal(matchesPattern(pattern, plain), like(pattern, plain));
      }),
      { numRuns: 5000 },
    );
  });
});

describe("no pattern is slow (SECURITY 27)", () => {
  const LENGTH = 1024;
  const run = (text: string) => text.repeat(LENGTH).slice(0, LENGTH);
  const cases: readonly (readonly [string, string, string])[] = [
    ["stars and letters", `${run("a*")}b`, run("a")],
    ["one star before half", `*${run("a").slice(LENGTH / 2)}b`, run("a")],
    ["stars only", `${run("*")}b`, run("a")],
    ["stars and marks", `${run("*?")}b`, run("a")],
    ["near misses", `*${run("aaaaaaab").slice(LENGTH / 2)}c`, run("aaaaaaab")],
    ["both long", `*${run("a")}*${run("a")}b`, run("a")],
  ];
  for (const [name, pattern, text] of cases) {
    test(`(27) 1 kB against 1 kB under a millisecond: ${name}`, () => {
      // The best of many: what the machine does besides is not the matcher's time.
      let best = Number.POSITIVE_INFINITY;
      for (let attempt = 0; attempt < 200; attempt += 1) {
        const started = process.hrtime.bigint();
        assert.equal(matchesPattern(pattern, text), false);
        best = Math.min(best, Number(process.hrtime.bigint() - started));
      }
      assert.ok(best < 1_000_000, `${best} ns`);
    });
  }
});
