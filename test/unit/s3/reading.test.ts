// Integers, dates, entity tags, ranges and conditions (groups A4 and D23 of the security page).
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { AssertionFailure } from "../../../services/lib/base/assert.ts";
import {
  evaluateCopy,
  evaluateDelete,
  evaluateIfRange,
  evaluateRead,
  evaluateWrite,
  parseCopyConditions,
  parseDeleteConditions,
  parseReadConditions,
  parseWriteCondition,
  type ReadOutcome,
} from "../../../services/lib/s3/conditions.ts";
import { md5Etag, parseEtagList, quoteEtag, unquoteEtag } from "../../../services/lib/s3/etag.ts";
import { type HeaderField, HeaderList } from "../../../services/lib/s3/headers.ts";
import {
  formatAmzDate,
  formatHttpDate,
  formatIsoDate,
  IsoDates,
  parseAmzDate,
  parseHttpDate,
  parseIsoDate,
} from "../../../services/lib/s3/http-date.ts";
import {
  checkCopySourceRange,
  formatContentRange,
  invalidRange,
  parseCopySourceRange,
  parseRange,
  resolveRange,
} from "../../../services/lib/s3/http-range.ts";
import {
  parseDecimal,
  parseDecimalWithin,
  parseHexadecimal,
} from "../../../services/lib/s3/integers.ts";
import { expectS3Error } from "./expect-s3-error.ts";

const NOW_MS = Date.UTC(2026, 0, 31);

function list(...fields: readonly HeaderField[]): HeaderList {
  return new HeaderList(fields);
}

describe("integers", () => {
  test("digits only, within 2^53-1", () => {
    assert.equal(parseDecimal("0"), 0);
    assert.equal(parseDecimal("007"), 7);
    assert.equal(parseDecimal("9007199254740991"), Number.MAX_SAFE_INTEGER);
    const bad = ["", " ", "1 ", "+1", "-1", "1e3", "0x10", "1.0", "12abc", "١", "1_0", "1\n"];
    for (const text of [...bad, "9007199254740992", "9".repeat(400)]) {
      assert.equal(parseDecimal(text), undefined, text);
    }
    assert.equal(parseDecimalWithin("5", 5, 6), 5);
    assert.equal(parseDecimalWithin("4", 5, 6), undefined);
    assert.equal(parseDecimalWithin("7", 5, 6), undefined);
    assert.equal(parseHexadecimal("fF"), 255);
    for (const text of ["", "0x1", "g", "-1", "20000000000000", "f".repeat(17)]) {
      assert.equal(parseHexadecimal(text), undefined, text);
    }
  });
});

describe("dates", () => {
  const TIME_MS = Date.UTC(1994, 10, 6, 8, 49, 37);

  test("the three forms of RFC 9110", () => {
    for (const text of [
      "Sun, 06 Nov 1994 08:49:37 GMT",
      "Sunday, 06-Nov-94 08:49:37 GMT",
      "Sun Nov  6 08:49:37 1994",
      "Sun, 06 Nov 1994 08:49:37 +0000",
      "6 Nov 1994 08:49:37 UTC",
    ]) {
      assert.equal(parseHttpDate(text, NOW_MS), TIME_MS, text);
    }
    assert.equal(formatHttpDate(TIME_MS + 999), "Sun, 06 Nov 1994 08:49:37 GMT");
  });

  test("two-digit years lie within fifty years ahead", () => {
    const year = (text: string): number =>
      new Date(parseHttpDate(`Sunday, 06-Nov-${text} 08:49:37 GMT`, NOW_MS) ?? 0).getUTCFullYear();
    assert.equal(year("76"), 2076);
    assert.equal(year("77"), 1977);
    assert.equal(year("00"), 2000);
  });

  test("AWS's forms", () => {
    assert.equal(parseAmzDate("19941106T084937Z"), TIME_MS);
    assert.equal(formatAmzDate(TIME_MS), "19941106T084937Z");
    assert.equal(formatIsoDate(TIME_MS), "1994-11-06T08:49:37.000Z");
    assert.equal(parseIsoDate("1994-11-06T08:49:37.123Z"), TIME_MS);
    assert.equal(parseIsoDate("1994-11-06T08:49:37Z"), TIME_MS);
  });

  test("refuses what is no date", () => {
    for (const text of [
      "",
      "now",
      "1994",
      "Sun, 31 Feb 2021 00:00:00 GMT",
      "Sun, 29 Feb 2021 00:00:00 GMT",
      "Sun, 06 Nov 1994 24:00:00 GMT",
      "Sun, 06 Nov 1994 08:60:00 GMT",
      "Sun, 06 Nov 1994 08:49:61 GMT",
      "Sun, 06 Nov 1994 08:49:37",
      "Sun, 06 nov 1994 08:49:37 GMT",
      "Sun, 00 Nov 1994 08:49:37 GMT",
      "Sun, 06 Nov 1994 08:49:37 PST",
      " Sun, 06 Nov 1994 08:49:37 GMT",
      "Sun Nov 31 08:49:37 1994",
    ]) {
      assert.equal(parseHttpDate(text, NOW_MS), undefined, text);
    }
    for (const text of [
      "",
      "19940231T000000Z",
      "19941106T084937",
      "1994-11-06T08:49:37Z",
      "19941306T000000Z",
    ]) {
      assert.equal(parseAmzDate(text), undefined, text);
    }
    assert.equal(parseIsoDate("1994-11-06"), undefined);
    assert.equal(parseIsoDate("1994-02-30T00:00:00Z"), undefined);
  });

  test("every second survives formatting", () => {
    const dates = new IsoDates();
    const seconds = fc.integer({ min: 0, max: 253_402_300_799 }).map((value) => value * 1000);
    fc.assert(
      fc.property(seconds, (ms) => {
        assert.equal(parseHttpDate(formatHttpDate(ms), NOW_MS), ms);
        assert.equal(parseAmzDate(formatAmzDate(ms)), ms);
        assert.equal(parseIsoDate(formatIsoDate(ms)), ms);
        assert.equal(dates.format(ms + (ms % 997)), formatIsoDate(ms + (ms % 997)));
        assert.equal(formatHttpDate(ms), new Date(ms).toUTCString());
      }),
    );
  });
});

describe("entity tags", () => {
  test("quoting", () => {
    assert.equal(quoteEtag("a"), '"a"');
    assert.equal(unquoteEtag('"a"'), "a");
    assert.equal(unquoteEtag('W/"a"'), "a");
    assert.equal(unquoteEtag("a"), "a");
    assert.equal(unquoteEtag('"'), '"');
    assert.throws(() => quoteEtag('"a"'), AssertionFailure);
    assert.equal(md5Etag(Buffer.alloc(16, 1)), "01".repeat(16));
    assert.throws(() => md5Etag(Buffer.alloc(15)), AssertionFailure);
  });

  test("lists", () => {
    assert.equal(parseEtagList(" * "), "*");
    assert.deepEqual(parseEtagList('"a,b", W/"c" ,, d'), [
      { tag: "a,b", weak: false },
      { tag: "c", weak: true },
      { tag: "d", weak: false },
    ]);
    assert.deepEqual(parseEtagList(""), []);
    const many = parseEtagList('"a",'.repeat(5000));
    assert.equal(many.length, 256);
  });
});

describe("ranges", () => {
  const resolve = (header: string, size: number): unknown => {
    const spec = parseRange(header);
    return spec === undefined ? "whole" : resolveRange(spec, size);
  };

  test("first to last, open, suffix", () => {
    assert.deepEqual(resolve("bytes=0-9", 100), { first: 0, last: 9 });
    assert.deepEqual(resolve("BYTES = 5-5", 100), { first: 5, last: 5 });
    assert.deepEqual(resolve("bytes=90-", 100), { first: 90, last: 99 });
    assert.deepEqual(resolve("bytes=90-900", 100), { first: 90, last: 99 });
    assert.deepEqual(resolve("bytes=-10", 100), { first: 90, last: 99 });
    assert.deepEqual(resolve("bytes=-1000", 100), { first: 0, last: 99 });
    assert.deepEqual(resolve(`bytes=0-${"9".repeat(30)}`, 100), { first: 0, last: 99 });
    assert.equal(formatContentRange({ first: 0, last: 9 }, 100), "bytes 0-9/100");
    assert.throws(() => formatContentRange({ first: 0, last: 100 }, 100), AssertionFailure);
  });

  test("outside the object", () => {
    for (const [header, size] of [
      ["bytes=100-", 100],
      ["bytes=100-200", 100],
      [`bytes=${"9".repeat(30)}-`, 100],
      ["bytes=-0", 100],
      ["bytes=0-0", 0],
      ["bytes=0-", 0],
      ["bytes=-5", 0],
    ] as const) {
      assert.equal(resolve(header, size), "unsatisfiable", header);
    }
    const error = invalidRange("bytes=100-", 100);
    assert.equal(error.status, 416);
    assert.deepEqual(error.details, [
      ["RangeRequested", "bytes=100-"],
      ["ActualObjectSize", "100"],
    ]);
  });

  test("what is no single range is ignored", () => {
    for (const header of [
      "",
      "bytes",
      "bytes=",
      "bytes=-",
      "bytes=9-5",
      "bytes=a-b",
      "bytes=0x1-2",
      "bytes=1e1-",
      "bytes=--1",
      "bytes=0-1,2-3",
      "bytes=0-1,",
      "items=0-1",
      "bytes 0-1",
      `bytes=${"0-1,".repeat(10_000)}`,
    ]) {
      assert.equal(resolve(header, 100), "whole", header.slice(0, 30));
    }
    assert.equal(parseRange(undefined), undefined);
  });

  test("any resolved range lies in the object", () => {
    fc.assert(
      fc.property(fc.string(), fc.nat(), fc.nat(), fc.nat(), (noise, first, last, size) => {
        for (const header of [
          noise,
          `bytes=${noise}`,
          `bytes=${first}-${last}`,
          `bytes=-${last}`,
        ]) {
          const spec = parseRange(header);
          if (spec === undefined) continue;
          const range = resolveRange(spec, size);
          if (range === "unsatisfiable") continue;
          assert.ok(range.first >= 0 && range.first <= range.last && range.last < size);
        }
      }),
    );
  });

  test("copy ranges are strict", () => {
    assert.deepEqual(parseCopySourceRange("bytes=0-9"), { first: 0, last: 9 });
    for (const bad of [
      "",
      "bytes=0-",
      "bytes=-5",
      "bytes=9-5",
      "bytes=0-1,2-3",
      "0-9",
      "bytes=0-9 ",
    ]) {
      expectS3Error("InvalidArgument", () => parseCopySourceRange(bad));
    }
    checkCopySourceRange({ first: 0, last: 9 }, 10);
    expectS3Error("InvalidArgument", () => checkCopySourceRange({ first: 0, last: 10 }, 10));
  });
});

describe("read conditions", () => {
  const MODIFIED_MS = Date.UTC(2026, 0, 10, 12, 0, 0);
  const subject = { etag: "e", lastModifiedMs: MODIFIED_MS + 500 };
  const before = formatHttpDate(MODIFIED_MS - 1000);
  const same = formatHttpDate(MODIFIED_MS);
  const read = (...fields: readonly HeaderField[]): ReadOutcome =>
    evaluateRead(parseReadConditions(list(...fields), NOW_MS), subject);

  const TABLE: readonly (readonly [ReadOutcome, ...HeaderField[]])[] = [
    ["proceed"],
    ["proceed", ["If-Match", '"e"']],
    ["proceed", ["If-Match", "e"]],
    ["proceed", ["If-Match", '"x", "e"']],
    ["proceed", ["If-Match", "*"]],
    ["precondition-failed", ["If-Match", '"x"']],
    ["precondition-failed", ["If-Match", 'W/"e"']],
    ["precondition-failed", ["If-Match", ""]],
    ["not-modified", ["If-None-Match", '"e"']],
    ["not-modified", ["If-None-Match", 'W/"e"']],
    ["not-modified", ["If-None-Match", "*"]],
    ["proceed", ["If-None-Match", '"x"']],
    ["not-modified", ["If-Modified-Since", same]],
    ["proceed", ["If-Modified-Since", before]],
    ["proceed", ["If-Unmodified-Since", same]],
    ["precondition-failed", ["If-Unmodified-Since", before]],
    // Dates that are none are ignored.
    ["proceed", ["If-Unmodified-Since", "yesterday"]],
    ["proceed", ["If-Modified-Since", "2026"]],
    // The combinations that the S3 reference spells out.
    ["proceed", ["If-Match", '"e"'], ["If-Unmodified-Since", before]],
    ["not-modified", ["If-None-Match", '"e"'], ["If-Modified-Since", before]],
    ["proceed", ["If-None-Match", '"x"'], ["If-Modified-Since", same]],
    ["precondition-failed", ["If-Match", '"x"'], ["If-None-Match", '"e"']],
    ["not-modified", ["If-Match", '"e"'], ["If-None-Match", '"e"']],
    ["precondition-failed", ["If-Unmodified-Since", before], ["If-None-Match", '"e"']],
  ];
  for (const [outcome, ...fields] of TABLE) {
    test(`${JSON.stringify(fields)} is ${outcome}`, () => assert.equal(read(...fields), outcome));
  }

  test("If-Range takes the strong tag or the exact time", () => {
    const counts = (header: string | undefined): boolean =>
      evaluateIfRange(header, subject, NOW_MS);
    for (const header of [undefined, '"e"', same]) assert.equal(counts(header), true);
    const after = formatHttpDate(MODIFIED_MS + 1000);
    for (const header of ['W/"e"', '"x"', "*", "", '"e", "e"', before, after]) {
      assert.equal(counts(header), false, header);
    }
  });

  test("copy sources have the same with a prefix, and 412 only", () => {
    const copy = (...fields: readonly HeaderField[]): string =>
      evaluateCopy(parseCopyConditions(list(...fields), NOW_MS), subject);
    assert.equal(copy(["x-amz-copy-source-if-match", '"e"']), "proceed");
    assert.equal(copy(["x-amz-copy-source-if-none-match", '"e"']), "precondition-failed");
    assert.equal(copy(["x-amz-copy-source-if-modified-since", same]), "precondition-failed");
    assert.equal(copy(["x-amz-copy-source-if-unmodified-since", before]), "precondition-failed");
    assert.equal(copy(["if-match", '"x"']), "proceed");
  });
});

describe("write conditions", () => {
  test("absent, present, matching", () => {
    assert.deepEqual(parseWriteCondition(list()), { kind: "none" });
    const absent = parseWriteCondition(list(["If-None-Match", "*"]));
    assert.equal(evaluateWrite(absent, undefined), "proceed");
    assert.equal(evaluateWrite(absent, "e"), "precondition-failed");
    const present = parseWriteCondition(list(["If-Match", "*"]));
    assert.equal(evaluateWrite(present, undefined), "no-such-key");
    assert.equal(evaluateWrite(present, "e"), "proceed");
    for (const text of ['"e"', "e"]) {
      const match = parseWriteCondition(list(["If-Match", text]));
      assert.equal(evaluateWrite(match, "e"), "proceed");
      assert.equal(evaluateWrite(match, "x"), "precondition-failed");
      assert.equal(evaluateWrite(match, undefined), "no-such-key");
    }
    assert.equal(evaluateWrite({ kind: "none" }, undefined), "proceed");
  });

  test("what S3 lacks is refused, not ignored", () => {
    for (const fields of [
      [["If-None-Match", '"e"']],
      [["If-Match", '"e", "f"']],
      [["If-Match", 'W/"e"']],
      [["If-Match", ""]],
      [
        ["If-Match", '"e"'],
        ["If-None-Match", "*"],
      ],
      [["If-Modified-Since", formatHttpDate(0)]],
      [["If-Unmodified-Since", formatHttpDate(0)]],
    ] satisfies HeaderField[][]) {
      expectS3Error("NotImplemented", () => parseWriteCondition(list(...fields)));
    }
  });

  test("deletes", () => {
    const time = formatHttpDate(NOW_MS);
    const subject = { etag: "e", lastModifiedMs: NOW_MS + 7, size: 5 };
    const run = (...fields: readonly HeaderField[]): string =>
      evaluateDelete(parseDeleteConditions(list(...fields), NOW_MS), subject);
    assert.equal(run(), "proceed");
    assert.equal(run(["If-Match", '"e"'], ["x-amz-if-match-size", "5"]), "proceed");
    assert.equal(run(["x-amz-if-match-last-modified-time", time]), "proceed");
    assert.equal(run(["x-amz-if-match-size", "6"]), "precondition-failed");
    assert.equal(run(["If-Match", '"x"'], ["x-amz-if-match-size", "5"]), "precondition-failed");
    const earlier = formatHttpDate(NOW_MS - 1000);
    assert.equal(run(["x-amz-if-match-last-modified-time", earlier]), "precondition-failed");
    const conditions = parseDeleteConditions(list(["If-Match", "*"]), NOW_MS);
    assert.equal(evaluateDelete(conditions, undefined), "no-such-key");
    assert.equal(evaluateDelete(parseDeleteConditions(list(), NOW_MS), undefined), "proceed");
    for (const [name, value] of [
      ["x-amz-if-match-size", "-1"],
      ["x-amz-if-match-size", ""],
      ["x-amz-if-match-last-modified-time", "x"],
    ] as const) {
      expectS3Error("InvalidArgument", () => parseDeleteConditions(list([name, value]), NOW_MS));
    }
    expectS3Error("NotImplemented", () =>
      parseDeleteConditions(list(["If-None-Match", "*"]), NOW_MS),
    );
  });
});
