// What `dolium bucket check` makes of facts: each thing that may be off, and the same thing when it
// is not. And what the verbs make of files and options before anything is sent.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type BucketFacts,
  type Fact,
  findingsOf,
} from "../../../services/cli/buckets/check-findings.ts";
import { lifecycleOf, ruleOf, withRule } from "../../../services/cli/buckets/lifecycle.ts";
import { opened } from "../../../services/cli/buckets/policy.ts";
import { websiteOf } from "../../../services/cli/buckets/settings.ts";

const DAY_MS = 86_400_000;

function is<T>(value: T): Fact<T> {
  return { kind: "known", value };
}

/** A bucket with which nothing is off. */
const WELL: BucketFacts = {
  nowMs: 1_000 * DAY_MS,
  staleMs: 7 * DAY_MS,
  versioning: is("Enabled"),
  lock: is(undefined),
  policyIsPublic: is(false),
  publicGrants: is([]),
  block: is({ policies: false, acls: false }),
  rules: is([]),
  emptyPrefixes: new Set(),
  encryption: is("AES256"),
  uploads: is({ count: 0, isMore: false, oldestMs: undefined }),
  quota: is({ bytes: 5, objects: 5, bytesMax: 0, objectsMax: 0 }),
  website: is(undefined),
};

/** "check: finding" of everything that is not well. */
function wrong(changes: Partial<BucketFacts>): string[] {
  return findingsOf({ ...WELL, ...changes }).flatMap(({ check, verdict, finding }) =>
    verdict === "ok" ? [] : [`${verdict} ${check}: ${finding}`],
  );
}

function matches(changes: Partial<BucketFacts>, ...patterns: readonly RegExp[]): void {
  const said = wrong(changes);
  assert.equal(said.length, patterns.length, said.join("\n"));
  for (const [at, pattern] of patterns.entries()) assert.match(said[at] ?? "", pattern);
}

test("nothing is off with a bucket that is well", () => {
  assert.deepEqual(wrong({}), []);
  assert.equal(findingsOf(WELL).length, 9);
});

test("public by policy or list, unless the block keeps people out", () => {
  matches({ policyIsPublic: is(true) }, /^off public policy/);
  matches({ publicGrants: is(["READ", "WRITE"]) }, /^off public ACL: .*READ, WRITE/);
  const block = is({ policies: true, acls: true });
  const both = { policyIsPublic: is(true), publicGrants: is(["READ"]), block };
  matches(both, /^note public policy/, /^note public ACL/);
});

test("versions that are not kept are told, and are off where locks want them", () => {
  matches({ versioning: is("never") }, /^note versioning/);
  matches({ versioning: is("Suspended") }, /^note versioning: .*suspended/);
  const lock = is({ hasDefault: true });
  matches({ versioning: is("Suspended"), lock }, /^off versioning/);
  matches({ lock: is({ hasDefault: false }) }, /^note object lock/);
  matches({ lock });
});

test("rules that can never match", () => {
  const rule = { ID: "r", Status: "Enabled", Filter: { Prefix: "" } } as const;
  const noncurrent = { ...rule, NoncurrentVersionExpiration: { NoncurrentDays: 1 } };
  matches({ rules: is([noncurrent]) });
  const never = is("never" as const);
  const versioning = /^note versioning/;
  matches(
    { rules: is([noncurrent]), versioning: never },
    versioning,
    /^off lifecycle: rule r .*old/,
  );
  const marker = { ...rule, Expiration: { ExpiredObjectDeleteMarker: true } };
  matches({ rules: is([marker]), versioning: never }, versioning, /^off lifecycle/);
  matches({ rules: is([{ ...rule, Status: "Disabled" }]) }, /^note lifecycle: rule r is switched/);
  const sized = (over: number, under: number): Partial<BucketFacts> => ({
    rules: is([
      {
        ...rule,
        Expiration: { Days: 1 },
        Filter: { And: { ObjectSizeGreaterThan: over, ObjectSizeLessThan: under } },
      },
    ]),
  });
  matches(sized(10, 11), /^off lifecycle: .*over 10 and under 11/);
  matches(sized(10, 12));
  const moves = (days: number): Partial<BucketFacts> => ({
    rules: is([
      { ...rule, Expiration: { Days: 30 }, Transitions: [{ Days: days, StorageClass: "GLACIER" }] },
    ]),
  });
  matches(moves(30), /^off lifecycle: .*before it moves them to GLACIER/);
  matches(moves(29));
  const below = { ...rule, Filter: { Prefix: "tmp/" }, Expiration: { Days: 1 } };
  matches({ rules: is([below]), emptyPrefixes: new Set(["tmp/"]) }, /^off lifecycle: .*"tmp\/"/);
  matches({ rules: is([below]), emptyPrefixes: new Set(["other/"]) });
});

test("stale uploads, a quota nearly used up, no default encryption, a site nobody sees", () => {
  const open = (days: number, isMore = false): Partial<BucketFacts> => ({
    uploads: is({ count: 2, isMore, oldestMs: WELL.nowMs - days * DAY_MS }),
  });
  matches(open(6));
  matches(open(7), /^off uploads: 2 uploads open, the oldest for 7 days/);
  matches(open(8, true), /^off uploads: more than 2 uploads/);
  const quota = { bytes: 90, objects: 8, bytesMax: 100, objectsMax: 10 };
  matches({ quota: is(quota) }, /^off quota: .*90 B of 100 B/);
  matches({ quota: is({ ...quota, bytes: 89 }) });
  matches({ quota: is({ ...quota, bytes: 0, objects: 9 }) }, /^off quota: .*9 of 10 objects/);
  matches({ encryption: is(undefined) }, /^off encryption/);
  const site = is({ index: "index.html", isThere: true });
  matches({ website: site }, /^off website: .*nobody may read/);
  matches({ website: site, policyIsPublic: is(true) }, /^off public policy/);
  const block = is({ policies: true, acls: false });
  const hidden = { website: site, policyIsPublic: is(true), block };
  matches(hidden, /^note public policy/, /^off website: .*nobody may read/);
  matches({ website: is({ index: "i", isThere: false }) }, /^off website: .*"i" is not there/);
});

test("what may not be seen is unknown, and what a server does not have is a note", () => {
  matches(
    { encryption: { kind: "refused", why: "access denied" } },
    /^unknown encryption: .*denied/,
  );
  matches({ quota: { kind: "absent", why: "no quotas" } }, /^note quota/);
});

test("names and types that S3 does not know are refused with their place", () => {
  const rule = { ID: "once", Status: "Enabled", Filter: { Prefix: "" } };
  const read = (changes: object) => lifecycleOf({ Rules: [{ ...rule, ...changes }] });
  const date = "2031-05-06T00:00:00Z";
  assert.deepEqual(read({ Expiration: { Date: date } }).Rules[0]?.Expiration?.Date, new Date(date));
  assert.throws(() => read({ Expiraton: { Days: 1 } }), /Rules\[0\]\.Expiraton is no name/);
  assert.throws(
    () => read({ Expiration: { Days: "1" } }),
    /Rules\[0\]\.Expiration\.Days must be a n/,
  );
  assert.throws(() => read({ Expiration: { Date: "soon" } }), /Date must be a date/);
  assert.throws(() => read({ Transitions: {} }), /Transitions must be a list/);
  assert.throws(() => read({ Filter: [] }), /Filter must be an object/);
  assert.throws(() => lifecycleOf({ Rules: [] }), /must have a rule/);
  assert.throws(() => lifecycleOf([]), /the settings must be an object/);
  assert.throws(
    () => websiteOf({ IndexDocument: "index.html" }),
    /IndexDocument must be an object/,
  );
  assert.throws(() => websiteOf({ constructor: {} }), /constructor is no name/);
});

test("a rule from options replaces the one of its id in its place", () => {
  const first = ruleOf({ "expire-days": 30, prefix: "tmp/" });
  const second = ruleOf({ "abort-uploads-days": 7, id: "uploads" });
  const other = ruleOf({ "noncurrent-days": 31 });
  assert.ok(first !== undefined && second !== undefined && other !== undefined);
  assert.equal(ruleOf({ prefix: "tmp/" }), undefined);
  const both = withRule(withRule({ Rules: [] }, first), second);
  assert.deepEqual(both.Rules, [first, second]);
  assert.deepEqual(withRule(both, other).Rules, [other, second]);
});

test("a policy is opened once, whatever else it says, a single statement too", () => {
  const mine = { Sid: "Mine", Effect: "Deny" };
  const once = opened({ Version: "2008-10-17", Statement: mine }, "b", "");
  const twice = opened(once, "b", "www/");
  assert.equal(twice.Version, "2008-10-17");
  const { Statement } = twice;
  assert.ok(Array.isArray(Statement));
  assert.deepEqual(
    Statement.map(({ Sid, Resource }) => [Sid, Resource]),
    [
      ["Mine", undefined],
      ["DoliumPublicRead", "arn:aws:s3:::b/www/*"],
    ],
  );
});
