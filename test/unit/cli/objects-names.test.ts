// Paths, patterns, sizes, times and names of the object verbs: what is understood, and what is
// refused before anything is sent.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { UsageError } from "../../../services/cli/command-line.ts";
import { contentTypeOf } from "../../../services/cli/objects/content-type.ts";
import { downloadName } from "../../../services/cli/objects/download-name.ts";
import {
  formatFileTime,
  isSameTime,
  parseFileTime,
} from "../../../services/cli/objects/file-time.ts";
import { treeLines } from "../../../services/cli/objects/key-tree.ts";
import {
  folderPrefix,
  lastName,
  parseBucket,
  parseLocation,
  parseObject,
  parseTransfer,
} from "../../../services/cli/objects/location.ts";
import { globMatcher, pathFilter } from "../../../services/cli/objects/path-filter.ts";
import {
  parseDuration,
  parsePairs,
  parseRange,
  parseSize,
  parseTime,
} from "../../../services/cli/objects/quantities.ts";
import { shown, shownSize } from "../../../services/cli/objects/shown-text.ts";

const nothingHere = (): boolean => false;

test("paths in buckets, local paths and streams are told apart", () => {
  assert.deepEqual(parseLocation("s3://b/k/e"), { kind: "remote", bucket: "b", key: "k/e" });
  assert.deepEqual(parseLocation("b//../k"), { kind: "remote", bucket: "b", key: "/../k" });
  assert.deepEqual(parseLocation("b"), { kind: "remote", bucket: "b", key: "" });
  for (const path of ["/a", "./a", "../a", ".", ".."]) {
    assert.deepEqual(parseLocation(path), { kind: "local", path });
  }
  assert.deepEqual(parseLocation("-"), { kind: "stream" });
  assert.throws(() => parseLocation(""), UsageError);
  assert.throws(() => parseLocation("s3:///key"), UsageError);
  assert.throws(() => parseObject("s3://b/"), UsageError);
  assert.throws(() => parseObject("./file"), UsageError);
  assert.throws(() => parseBucket("b/k"), UsageError);
});

test("a bare name that is a file here is local only beside an s3:// path", () => {
  const exists = (path: string): boolean => path === "file";
  const { sources } = parseTransfer(["file", "s3://b/"], exists);
  assert.deepEqual(sources, [{ kind: "local", path: "./file" }]);
  assert.throws(() => parseTransfer(["file", "b/k"], exists), /is a file here and may be a bucket/);
  const plain = parseTransfer(["b/k", "c/k"], nothingHere);
  assert.deepEqual(plain.destination, { kind: "remote", bucket: "c", key: "k" });
  assert.throws(() => parseTransfer(["b/k"], nothingHere), UsageError);
});

test("folders end with a slash, and the last name follows the last one", () => {
  assert.equal(folderPrefix(""), "");
  assert.equal(folderPrefix("a"), "a/");
  assert.equal(folderPrefix("a/"), "a/");
  assert.equal(lastName({ kind: "remote", bucket: "b", key: "a/b" }), "b");
  assert.equal(lastName({ kind: "remote", bucket: "b", key: "a/" }), "");
  assert.equal(lastName({ kind: "local", path: "./x/y/" }), "y");
});

test("patterns match as shells do, stars over slashes too", () => {
  const cases: readonly (readonly [string, string, boolean])[] = [
    ["*", "a/b", true],
    ["*.txt", "a/b.txt", true],
    ["*.txt", "a.txt.gz", false],
    ["a?c", "abc", true],
    ["a?c", "a😀c", true],
    ["a?c", "ac", false],
    ["[a-c]x", "bx", true],
    ["[!a-c]x", "bx", false],
    ["[!a-c]x", "dx", true],
    ["[]]", "]", true],
    ["\\*", "*", true],
    ["\\*", "a", false],
    ["a**b", "a/x/b", true],
    ["", "", true],
    ["", "a", false],
  ];
  for (const [pattern, name, expected] of cases) {
    assert.equal(globMatcher(pattern)(name), expected, `${pattern} on ${name}`);
  }
  assert.throws(() => globMatcher("a[b"), UsageError);
});

test("no pattern takes long", () => {
  const matches = globMatcher(`${"*a".repeat(30)}b`);
  assert.equal(matches("a".repeat(20_000)), false);
});

test("the last pattern that matches decides, and a first include starts from nothing", () => {
  const include = (pattern: string) => ({ takes: true, pattern });
  const exclude = (pattern: string) => ({ takes: false, pattern });
  assert.equal(pathFilter([])("a"), true);
  assert.equal(pathFilter([include("*.txt")])("a.gz"), false);
  assert.equal(pathFilter([exclude("*.txt")])("a.gz"), true);
  const only = pathFilter([exclude("*"), include("*.txt")]);
  assert.deepEqual(["a.txt", "a.gz"].map(only), [true, false]);
  const but = pathFilter([include("*.txt"), exclude("tmp/*")]);
  assert.deepEqual(["a.txt", "tmp/a.txt", "a.gz"].map(but), [true, false, false]);
});

test("sizes, time spans, dates, ranges and pairs", () => {
  assert.equal(parseSize("size", "512"), 512);
  assert.equal(parseSize("size", "8MiB"), 8_388_608);
  assert.equal(parseSize("size", "1.5k"), 1536);
  assert.equal(parseSize("size", "8MB"), 8_000_000);
  assert.equal(parseDuration("expires", "90"), 90);
  assert.equal(parseDuration("expires", "7d"), 604_800);
  assert.equal(parseTime("newer", "1h", 3_600_000), 0);
  assert.equal(parseTime("newer", "1970-01-02", 0), 86_400_000);
  assert.equal(parseTime("newer", "1970-01-01T01:00:00+01:00", 5), 0);
  assert.equal(parseRange("0-99"), "bytes=0-99");
  assert.equal(parseRange("-5"), "bytes=-5");
  assert.deepEqual({ ...parsePairs("tags", ["a=b=c", "d="]) }, { a: "b=c", d: "" });
  for (const text of ["", "-1", "1x", "8 XB", "9999999999P"]) {
    assert.throws(() => parseSize("size", text), UsageError, text);
  }
  for (const text of ["", "1y", "-1", "1.5h"]) {
    assert.throws(() => parseDuration("expires", text), UsageError, text);
  }
  for (const text of ["yesterday", "2026-13-01", "2026-01-01T25:00:00Z"]) {
    assert.throws(() => parseTime("newer", text, 0), UsageError, text);
  }
  for (const text of ["", "-", "5-4", "a-b", "1-2,4-5"]) {
    assert.throws(() => parseRange(text), UsageError, text);
  }
  assert.throws(() => parsePairs("tags", ["=a"]), UsageError);
});

test("keys that lead out of a folder, or to a name read otherwise, become no file", () => {
  const refused = [
    "",
    "/etc/passwd",
    "../a",
    "a/../../b",
    "a/..",
    "./a",
    "a//b",
    "a/./b",
    "a\0b",
    "x".repeat(256),
    "//",
  ];
  for (const key of refused)
    assert.equal(downloadName(key, 1).kind, "refused", JSON.stringify(key));
  assert.equal(downloadName("a/", 3).kind, "refused");
  assert.deepEqual(downloadName("a/", 0), { kind: "folder", name: "a" });
  for (const key of ["a", "a/b c", "..a", "a..", "...", "a\\..\\b", "\u202e", "a\nb"]) {
    assert.deepEqual(downloadName(key, 1), { kind: "file", name: key });
  }
});

test("whatever a key is, its file lies in the folder and names the key back", () => {
  const segment = fc.oneof(fc.constantFrom("", ".", "..", "a", "\\", "\0"), fc.string());
  fc.assert(
    fc.property(fc.array(segment, { maxLength: 6 }), (segments) => {
      const name = downloadName(segments.join("/"), 1);
      if (name.kind !== "file") return;
      const url = new URL(`file:///folder/${encodeURI(name.name).replaceAll(/[?#]/g, "_")}`);
      assert.ok(url.pathname.startsWith("/folder/"), url.pathname);
      assert.equal(name.name, segments.join("/"));
    }),
  );
});

test("what others named is shown without moving the cursor or turning the line", () => {
  assert.equal(shown("a\u001b[2Jb\r\n\u202ec\u0085"), "a\\x1b[2Jb\\r\\n\\u202ec\\x85");
  assert.equal(shown("ä/ё 😀"), "ä/ё 😀");
  assert.equal(shownSize(1023), "1023 B");
  assert.equal(shownSize(1536), "1.5 KiB");
});

test("file times survive their text to the nanosecond's neighbourhood", () => {
  assert.equal(formatFileTime(1_700_000_000_123_456_789n), "1700000000.123456789");
  assert.equal(formatFileTime(-1_500_000_000n), "-1.500000000");
  assert.equal(parseFileTime("-1.5"), -1500);
  fc.assert(
    fc.property(fc.bigInt(-(10n ** 18n), 4n * 10n ** 18n), (ns) => {
      const ms = parseFileTime(formatFileTime(ns));
      assert.ok(ms !== undefined && isSameTime(ms, Number(ns) / 1e6));
    }),
  );
  for (const text of ["", "x", "1e9", "1.", undefined])
    assert.equal(parseFileTime(text), undefined);
  assert.equal(isSameTime(1000, 1002), false);
});

test("a tree names each folder once", () => {
  const keys = ["a", "b/c", "b/d/e", "b/d/f", "g/", "g/h"];
  let former: readonly string[] = [];
  const lines: string[] = [];
  for (const key of keys) {
    const segments = key.split("/");
    lines.push(...treeLines(former, segments, ""));
    former = segments;
  }
  assert.deepEqual(lines, [
    "  a",
    "  b/",
    "    c",
    "    d/",
    "      e",
    "      f",
    "  g/",
    "    h",
  ]);
});

test("media types go by the ending", () => {
  assert.equal(contentTypeOf("a/B.HTML"), "text/html");
  assert.equal(contentTypeOf("a/html"), undefined);
});
