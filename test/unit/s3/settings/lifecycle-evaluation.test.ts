// What lifecycle rules do and when: the examples of the user guide, filters, versions, uploads.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  type LifecycleRule,
  parseLifecycle,
} from "../../../../services/lib/s3/settings/lifecycle.ts";
import {
  abortHeaders,
  expirationHeaders,
  type LifecycleEntry,
  lifecycleAction,
  midnightAfter,
  uploadAbortion,
} from "../../../../services/lib/s3/settings/lifecycle-evaluation.ts";
import { body } from "./bodies.ts";

const DAY_MS = 86_400_000;
/** The moment of the user guide: 15 January 2014, 10:30 UTC. */
const WRITTEN_MS = Date.UTC(2014, 0, 15, 10, 30);
const DUE_MS = Date.UTC(2014, 0, 19);

const CURRENT: LifecycleEntry = {
  key: "logs/a",
  size: 10,
  tags: [{ key: "k", value: "v" }],
  storageClass: "STANDARD",
  modifiedMs: WRITTEN_MS,
  isLatest: true,
  isDeleteMarker: false,
  isOnlyVersion: true,
  noncurrentSinceMs: undefined,
  newerNoncurrent: 0,
};
const NONCURRENT: LifecycleEntry = {
  ...CURRENT,
  isLatest: false,
  isOnlyVersion: false,
  modifiedMs: 0,
  noncurrentSinceMs: WRITTEN_MS,
};
const MARKER: LifecycleEntry = { ...CURRENT, size: 0, tags: [], isDeleteMarker: true };

function rules(...texts: string[]): readonly LifecycleRule[] {
  const inner = texts.map((text) => `<Rule>${text}</Rule>`).join("");
  return parseLifecycle(body(`<LifecycleConfiguration>${inner}</LifecycleConfiguration>`), {
    makeId: (index) => `r${index}`,
    isStorageClass: () => true,
  });
}

function rule(action: string, filter = "", status = "Enabled"): string {
  return `<Filter>${filter}</Filter><Status>${status}</Status>${action}`;
}

const THREE_DAYS = "<Expiration><Days>3</Days></Expiration>";

function act(given: readonly LifecycleRule[], entry: LifecycleEntry, nowMs: number): string {
  const action = lifecycleAction(given, entry, { nowMs, daySeconds: 86_400 });
  return action.kind === "none" ? "none" : `${action.kind} ${action.ruleId}`;
}

describe("days", () => {
  test("end at the midnight after: three days from 15 January are 19 January", () => {
    assert.equal(midnightAfter(WRITTEN_MS, 3), DUE_MS);
    assert.equal(midnightAfter(Date.UTC(2014, 0, 15), 3), DUE_MS);
    assert.equal(midnightAfter(Date.UTC(2014, 0, 16) - 1, 3), DUE_MS);
    assert.equal(midnightAfter(10_500, 3, 1), 14_000);
    const given = rules(rule(THREE_DAYS));
    assert.equal(act(given, CURRENT, DUE_MS - 1), "none");
    assert.equal(act(given, CURRENT, DUE_MS), "expire-current r0");
    assert.equal(
      lifecycleAction(given, { ...CURRENT, modifiedMs: 10_500 }, { nowMs: 14_000, daySeconds: 1 })
        .kind,
      "expire-current",
    );
  });

  test("dates mean what they say, whatever the age", () => {
    const given = rules(rule("<Expiration><Date>2014-01-16</Date></Expiration>"));
    assert.equal(act(given, CURRENT, Date.UTC(2014, 0, 16) - 1), "none");
    assert.equal(act(given, CURRENT, Date.UTC(2014, 0, 16)), "expire-current r0");
    const later = { ...CURRENT, modifiedMs: Date.UTC(2015, 0, 1) };
    assert.equal(act(given, later, Date.UTC(2015, 0, 1)), "expire-current r0");
  });

  test("disabled rules do nothing; the earliest of several names itself", () => {
    assert.equal(act(rules(rule(THREE_DAYS, "", "Disabled")), CURRENT, DUE_MS), "none");
    const two = rules(rule(THREE_DAYS), rule("<Expiration><Days>1</Days></Expiration>"));
    assert.equal(act(two, CURRENT, DUE_MS), "expire-current r1");
  });
});

describe("filters", () => {
  const matches = (filter: string, entry: LifecycleEntry = CURRENT) =>
    act(rules(rule(THREE_DAYS, filter)), entry, DUE_MS) !== "none";
  const tag = (key: string, value: string) => `<Tag><Key>${key}</Key><Value>${value}</Value></Tag>`;
  const size = (kind: string, bytes: number) =>
    `<ObjectSize${kind}Than>${bytes}</ObjectSize${kind}Than>`;

  test("prefix, tags, sizes, and all of them", () => {
    assert.equal(matches("<Prefix>logs/</Prefix>"), true);
    assert.equal(matches("<Prefix>log/</Prefix>"), false);
    assert.equal(matches(tag("k", "v")), true);
    assert.equal(matches(tag("k", "w")), false);
    assert.equal(matches(tag("K", "v")), false);
    assert.equal(matches(size("Greater", 9)), true);
    assert.equal(matches(size("Greater", 10)), false);
    assert.equal(matches(size("Less", 11)), true);
    assert.equal(matches(size("Less", 10)), false);
    const both = `<And><Prefix>logs/</Prefix>${tag("k", "v")}${size("Greater", 1)}</And>`;
    assert.equal(matches(both), true);
    assert.equal(matches(both, { ...CURRENT, tags: [] }), false);
    assert.equal(matches(both, { ...CURRENT, key: "x" }), false);
    assert.equal(matches(both, { ...CURRENT, size: 1 }), false);
  });
});

describe("versions", () => {
  const noncurrent = (inner: string) =>
    rules(rule(`<NoncurrentVersionExpiration>${inner}</NoncurrentVersionExpiration>`));

  test("noncurrent ones go by the day they became so", () => {
    const given = noncurrent("<NoncurrentDays>3</NoncurrentDays>");
    assert.equal(act(given, NONCURRENT, DUE_MS - 1), "none");
    assert.equal(act(given, NONCURRENT, DUE_MS), "remove-version r0");
    assert.equal(act(given, { ...NONCURRENT, isDeleteMarker: true }, DUE_MS), "remove-version r0");
    assert.equal(act(given, CURRENT, DUE_MS), "none");
    assert.equal(act(rules(rule(THREE_DAYS)), NONCURRENT, DUE_MS), "none");
  });

  test("as many newer ones are kept as the rule says", () => {
    const given = noncurrent(
      "<NoncurrentDays>3</NoncurrentDays><NewerNoncurrentVersions>2</NewerNoncurrentVersions>",
    );
    const outcomes = [0, 1, 2, 3].map((newerNoncurrent) =>
      act(given, { ...NONCURRENT, newerNoncurrent }, DUE_MS),
    );
    assert.deepEqual(outcomes, ["none", "none", "remove-version r0", "remove-version r0"]);
    assert.equal(act(given, { ...NONCURRENT, newerNoncurrent: 9 }, DUE_MS - 1), "none");
  });

  test("a delete marker goes when it hides nothing, at once or by days, not by a date", () => {
    const markers = rules(
      rule("<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"),
    );
    assert.equal(act(markers, MARKER, WRITTEN_MS), "remove-delete-marker r0");
    assert.equal(act(markers, { ...MARKER, isOnlyVersion: false }, WRITTEN_MS), "none");
    assert.equal(act(markers, CURRENT, WRITTEN_MS + DAY_MS), "none");
    const byDays = rules(rule(THREE_DAYS));
    assert.equal(act(byDays, MARKER, DUE_MS - 1), "none");
    assert.equal(act(byDays, MARKER, DUE_MS), "remove-delete-marker r0");
    assert.equal(act(byDays, { ...MARKER, isOnlyVersion: false }, DUE_MS), "none");
    const byDate = rules(rule("<Expiration><Date>2014-01-16</Date></Expiration>"));
    assert.equal(act(byDate, MARKER, DUE_MS), "none");
  });
});

describe("transitions", () => {
  const step = (days: number, name: string) =>
    `<Transition><Days>${days}</Days><StorageClass>${name}</StorageClass></Transition>`;
  const given = rules(
    rule(`${step(1, "COOL")}${step(2, "COLD")}<Expiration><Days>3</Days></Expiration>`),
  );
  const classAt = (nowMs: number, storageClass = "STANDARD") => {
    const entry = { ...CURRENT, storageClass };
    const action = lifecycleAction(given, entry, { nowMs, daySeconds: 86_400 });
    return action.kind === "transition" ? action.storageClass : action.kind;
  };

  test("the last one due counts, removal comes before it", () => {
    assert.equal(classAt(DUE_MS - 2 * DAY_MS - 1), "none");
    assert.equal(classAt(DUE_MS - 2 * DAY_MS), "COOL");
    assert.equal(classAt(DUE_MS - DAY_MS), "COLD");
    assert.equal(classAt(DUE_MS - DAY_MS, "COLD"), "none");
    assert.equal(classAt(DUE_MS), "expire-current");
    assert.equal(act(given, { ...MARKER, isOnlyVersion: false }, DUE_MS - DAY_MS), "none");
  });

  test("of noncurrent versions", () => {
    const old = rules(
      rule(
        "<NoncurrentVersionTransition><NoncurrentDays>3</NoncurrentDays><StorageClass>COLD</StorageClass></NoncurrentVersionTransition>",
      ),
    );
    assert.equal(act(old, NONCURRENT, DUE_MS - 1), "none");
    assert.equal(act(old, NONCURRENT, DUE_MS), "transition r0");
    assert.equal(act(old, CURRENT, DUE_MS), "none");
  });
});

describe("uploads and headers", () => {
  const abort = (days: number) =>
    `<AbortIncompleteMultipartUpload><DaysAfterInitiation>${days}</DaysAfterInitiation></AbortIncompleteMultipartUpload>`;
  const given = rules(
    rule(abort(3), "<Prefix>logs/</Prefix>"),
    rule(abort(1), "<Prefix>other/</Prefix>"),
    rule(abort(1), "", "Disabled"),
  );
  const upload = { key: "logs/x", initiatedMs: WRITTEN_MS };

  test("uploads end after their days", () => {
    const at = (nowMs: number) => uploadAbortion(given, upload, { nowMs, daySeconds: 86_400 });
    assert.equal(at(DUE_MS - 1), undefined);
    assert.deepEqual(at(DUE_MS), { ruleId: "r0", dueMs: DUE_MS });
    assert.deepEqual(abortHeaders(given, upload), [
      ["x-amz-abort-date", "Sun, 19 Jan 2014 00:00:00 GMT"],
      ["x-amz-abort-rule-id", "r0"],
    ]);
    assert.deepEqual(abortHeaders(given, { ...upload, key: "x" }), []);
  });

  test("x-amz-expiration tells the earliest expiration, and an encoded id", () => {
    const expiring = rules(
      `<ID>a "b"</ID>${rule(THREE_DAYS)}`,
      rule("<Expiration><Days>9</Days></Expiration>"),
      rule("<Expiration><Days>1</Days></Expiration>", "<Prefix>x</Prefix>"),
    );
    assert.deepEqual(expirationHeaders(expiring, CURRENT), [
      ["x-amz-expiration", 'expiry-date="Sun, 19 Jan 2014 00:00:00 GMT", rule-id="a%20%22b%22"'],
    ]);
    assert.deepEqual(expirationHeaders(given, CURRENT), []);
  });
});
