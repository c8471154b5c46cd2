// Object lock: documents and headers both ways, periods, dates, and all that is refused.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type HeaderField, HeaderList } from "../../../../services/lib/s3/headers.ts";
import {
  defaultRetainUntilMs,
  legalHoldDocument,
  lockResponseHeaders,
  objectLockDocument,
  parseBypassGovernance,
  parseLegalHold,
  parseLockHeaders,
  parseObjectLock,
  parseRetention,
  retentionDocument,
} from "../../../../services/lib/s3/settings/object-lock.ts";
import { expectS3Error } from "../expect-s3-error.ts";
import { body, documentText } from "./bodies.ts";

const NOW_MS = Date.UTC(2026, 1, 28, 12);

function configuration(rule: string): Uint8Array {
  const enabled = "<ObjectLockEnabled>Enabled</ObjectLockEnabled>";
  return body(`<ObjectLockConfiguration>${enabled}${rule}</ObjectLockConfiguration>`);
}

function rule(inner: string): Uint8Array {
  return configuration(`<Rule><DefaultRetention>${inner}</DefaultRetention></Rule>`);
}

function retention(date: string, mode = "COMPLIANCE"): Uint8Array {
  const inner = `<Mode>${mode}</Mode><RetainUntilDate>${date}</RetainUntilDate>`;
  return body(`<Retention>${inner}</Retention>`);
}

describe("configuration", () => {
  test("goes round", () => {
    const all = [
      undefined,
      { mode: "GOVERNANCE", days: 1, years: undefined },
      { mode: "COMPLIANCE", days: undefined, years: 100 },
      { mode: "COMPLIANCE", days: 36_500, years: undefined },
    ] as const;
    for (const defaultRetention of all) {
      const parsed = parseObjectLock(body(objectLockDocument({ defaultRetention })));
      assert.deepEqual(parsed, { defaultRetention });
    }
    assert.equal(
      objectLockDocument({ defaultRetention: undefined }),
      documentText("ObjectLockConfiguration", "<ObjectLockEnabled>Enabled</ObjectLockEnabled>"),
    );
  });

  test("refuses bad shapes and periods", () => {
    for (const text of [
      "<ObjectLockConfiguration/>",
      "<ObjectLockConfiguration><ObjectLockEnabled>Disabled</ObjectLockEnabled></ObjectLockConfiguration>",
    ]) {
      expectS3Error("MalformedXML", () => parseObjectLock(body(text)));
    }
    for (const inner of [
      "",
      "<Mode>GOVERNANCE</Mode>",
      "<Days>1</Days>",
      "<Mode>governance</Mode><Days>1</Days>",
      "<Mode>GOVERNANCE</Mode><Days>1</Days><Years>1</Years>",
      "<Mode>GOVERNANCE</Mode><Days>x</Days>",
    ]) {
      expectS3Error("MalformedXML", () => parseObjectLock(rule(inner)));
    }
    expectS3Error("MalformedXML", () => parseObjectLock(configuration("<Rule/>")));
    for (const period of [
      "<Days>0</Days>",
      "<Days>-1</Days>",
      "<Days>36501</Days>",
      "<Years>0</Years>",
      "<Years>101</Years>",
    ]) {
      const inner = `<Mode>GOVERNANCE</Mode>${period}`;
      expectS3Error("InvalidArgument", () => parseObjectLock(rule(inner)));
    }
  });

  test("years are calendar years, days are 24 hours", () => {
    const mode = "COMPLIANCE";
    assert.equal(
      defaultRetainUntilMs({ mode, days: 2, years: undefined }, NOW_MS),
      Date.UTC(2026, 2, 2, 12),
    );
    assert.equal(
      defaultRetainUntilMs({ mode, days: undefined, years: 3 }, NOW_MS),
      Date.UTC(2029, 1, 28, 12),
    );
  });
});

describe("retention and legal hold", () => {
  test("go round, milliseconds kept", () => {
    const given = { mode: "GOVERNANCE", retainUntilMs: NOW_MS + 1 } as const;
    assert.deepEqual(parseRetention(body(retentionDocument(given)), NOW_MS), given);
    assert.equal(parseRetention(body("<Retention/>"), NOW_MS), undefined);
    for (const on of [true, false]) assert.equal(parseLegalHold(body(legalHoldDocument(on))), on);
  });

  test("forms of dates", () => {
    const until = (text: string) => parseRetention(retention(text), NOW_MS)?.retainUntilMs;
    const expected = Date.UTC(2030, 0, 2, 3, 4, 5);
    for (const text of ["2030-01-02T03:04:05Z", "2030-01-02T03:04:05.000+00:00"]) {
      assert.equal(until(text), expected);
    }
    assert.equal(until("2030-01-02T03:04:05.069Z"), expected + 69);
    assert.equal(until("2030-01-02T03:04:05.069000001Z"), expected + 70);
  });

  test("refuses the past, now, bad dates and modes", () => {
    for (const date of ["2026-02-28T12:00:00Z", "2001-01-01T00:00:00Z"]) {
      expectS3Error("InvalidArgument", () => parseRetention(retention(date), NOW_MS));
    }
    for (const date of ["", "tomorrow", "2030-02-30T00:00:00Z", "2030-01-01"]) {
      expectS3Error("MalformedXML", () => parseRetention(retention(date), NOW_MS));
    }
    const future = "2030-01-01T00:00:00Z";
    expectS3Error("MalformedXML", () => parseRetention(retention(future, "governance"), NOW_MS));
    const noDate = "<Retention><Mode>GOVERNANCE</Mode></Retention>";
    expectS3Error("MalformedXML", () => parseRetention(body(noDate), NOW_MS));
    for (const text of ["<LegalHold/>", "<LegalHold><Status>on</Status></LegalHold>"]) {
      expectS3Error("MalformedXML", () => parseLegalHold(body(text)));
    }
  });
});

describe("headers", () => {
  const parse = (...fields: HeaderField[]) => parseLockHeaders(new HeaderList(fields), NOW_MS);
  const mode: HeaderField = ["x-amz-object-lock-mode", "GOVERNANCE"];
  const date: HeaderField = ["x-amz-object-lock-retain-until-date", "2030-01-01T00:00:00.000Z"];
  const hold: HeaderField = ["x-amz-object-lock-legal-hold", "ON"];

  test("what is read is what is told", () => {
    assert.deepEqual(parse(), { retention: undefined, legalHold: undefined });
    assert.deepEqual(lockResponseHeaders(parse(mode, date, hold)), [mode, date, hold]);
    assert.deepEqual(lockResponseHeaders(parse(hold)), [hold]);
    assert.deepEqual(lockResponseHeaders(parse()), []);
  });

  test("refuses halves and unknown values", () => {
    expectS3Error("InvalidArgument", () => parse(mode));
    expectS3Error("InvalidArgument", () => parse(date));
    expectS3Error("InvalidArgument", () => parse(["x-amz-object-lock-mode", "X"], date));
    expectS3Error("InvalidArgument", () => parse(mode, [date[0], "soon"]));
    expectS3Error("InvalidArgument", () => parse(mode, [date[0], "2026-01-01T00:00:00Z"]));
    expectS3Error("InvalidArgument", () => parse([hold[0], "on"]));
  });

  test("bypass", () => {
    const bypass = (value: string) =>
      parseBypassGovernance(new HeaderList([["x-amz-bypass-governance-retention", value]]));
    assert.equal(bypass("true"), true);
    assert.equal(bypass("True"), true);
    assert.equal(bypass("false"), false);
    assert.equal(bypass("1"), false);
    assert.equal(parseBypassGovernance(new HeaderList([])), false);
  });
});
