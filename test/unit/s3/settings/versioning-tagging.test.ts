// Versioning and tagging: what is accepted is written back the same, limits hold on both sides.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { HeaderList } from "../../../../services/lib/s3/headers.ts";
import {
  BUCKET_TAG_LIMITS,
  LIFTED_TAG_LIMITS,
  OBJECT_TAG_LIMITS,
  parseTagging,
  parseTaggingDirective,
  parseTaggingHeader,
  taggingCountHeader,
  taggingDocument,
} from "../../../../services/lib/s3/settings/tagging.ts";
import {
  parseVersioning,
  versioningDocument,
} from "../../../../services/lib/s3/settings/versioning.ts";
import { expectS3Error } from "../expect-s3-error.ts";
import { body, documentText } from "./bodies.ts";

function tagging(inner: string): Uint8Array {
  return body(`<Tagging><TagSet>${inner}</TagSet></Tagging>`);
}

function tag(key: string, value = "v"): string {
  return `<Tag><Key>${key}</Key><Value>${value}</Value></Tag>`;
}

function tagsOf(count: number): string {
  return Array.from({ length: count }, (_, index) => tag(`k${index}`)).join("");
}

describe("versioning", () => {
  test("both statuses go round; never set is an empty element", () => {
    for (const status of ["Enabled", "Suspended"] as const) {
      assert.equal(parseVersioning(body(versioningDocument(status))), status);
    }
    assert.equal(versioningDocument(undefined), documentText("VersioningConfiguration", ""));
    const off = "<MfaDelete>Disabled</MfaDelete><Status> Enabled\n</Status>";
    const given = `<VersioningConfiguration>${off}</VersioningConfiguration>`;
    assert.equal(parseVersioning(body(given)), "Enabled");
  });

  test("refuses no status, unknown ones, MFA delete", () => {
    const parse = (inner: string) => () =>
      parseVersioning(body(`<VersioningConfiguration>${inner}</VersioningConfiguration>`));
    expectS3Error("IllegalVersioningConfigurationException", parse(""));
    expectS3Error("MalformedXML", parse("<Status>enabled</Status>"));
    expectS3Error("MalformedXML", parse("<Status>Enabled</Status><Status>Enabled</Status>"));
    expectS3Error("MalformedXML", parse("<Status>Enabled</Status><X/>"));
    const mfa = "<Status>Enabled</Status><MfaDelete>Enabled</MfaDelete>";
    expectS3Error("NotImplemented", parse(mfa));
    expectS3Error("MalformedXML", () => parseVersioning(body("<Versioning/>")));
  });
});

describe("tagging documents", () => {
  test("go round with every character S3 allows", () => {
    const tags = [
      { key: "Projekt+-=._:/@ 9é", value: "" },
      { key: "k", value: "日本 x" },
    ];
    assert.deepEqual(parseTagging(body(taggingDocument(tags)), OBJECT_TAG_LIMITS), tags);
    assert.equal(taggingDocument([]), documentText("Tagging", "<TagSet></TagSet>"));
  });

  test("counts: 10 for objects, 50 for buckets, 256 when lifted", () => {
    assert.equal(parseTagging(tagging(tagsOf(10)), OBJECT_TAG_LIMITS).length, 10);
    assert.equal(parseTagging(tagging(tagsOf(50)), BUCKET_TAG_LIMITS).length, 50);
    assert.equal(parseTagging(tagging(tagsOf(256)), LIFTED_TAG_LIMITS).length, 256);
    for (const [count, limits] of [
      [11, OBJECT_TAG_LIMITS],
      [51, BUCKET_TAG_LIMITS],
      [257, LIFTED_TAG_LIMITS],
    ] as const) {
      const error = expectS3Error("BadRequest", () => parseTagging(tagging(tagsOf(count)), limits));
      assert.match(error.message, limits.subject === "Bucket" ? /^Bucket tag/ : /^Object tags/);
    }
  });

  test("lengths in UTF-16 units, characters, reserved prefix; lifted they pass", () => {
    const fine = [tag("k".repeat(128), "v".repeat(256)), tag("😀".repeat(0) + "𝒜".repeat(64))];
    for (const inner of fine) parseTagging(tagging(inner), OBJECT_TAG_LIMITS);
    const bad = [
      tag("k".repeat(129)),
      tag("k", "v".repeat(257)),
      tag("𝒜".repeat(65)),
      tag("a*b"),
      tag("k", "😀"),
      tag("k", "a\nb"),
      tag("aws:x"),
      tag("AWS:x"),
    ];
    for (const inner of bad) {
      expectS3Error("InvalidTag", () => parseTagging(tagging(inner), OBJECT_TAG_LIMITS));
      assert.equal(parseTagging(tagging(inner), LIFTED_TAG_LIMITS).length, 1);
    }
    expectS3Error("InvalidTag", () => parseTagging(tagging(tag("")), LIFTED_TAG_LIMITS));
    expectS3Error("BadRequest", () =>
      parseTagging(tagging(tag("k", "v".repeat(32 * 1024))), LIFTED_TAG_LIMITS),
    );
  });

  test("repeated keys are InvalidTag, broken documents MalformedXML", () => {
    const twice = tagging(tag("k") + tag("k", "w"));
    expectS3Error("InvalidTag", () => parseTagging(twice, OBJECT_TAG_LIMITS));
    expectS3Error("InvalidTag", () => parseTagging(twice, LIFTED_TAG_LIMITS));
    for (const text of [
      "",
      "<Tagging/>",
      "<Tagging><TagSet/><TagSet/></Tagging>",
      "<Tagging><TagSet><Tag><Key>k</Key></Tag></TagSet></Tagging>",
      "<Tagging><TagSet><Tag><Value>v</Value></Tag></TagSet></Tagging>",
      "<Tagging><TagSet><Tags/></TagSet></Tagging>",
    ]) {
      expectS3Error("MalformedXML", () => parseTagging(body(text), OBJECT_TAG_LIMITS));
    }
  });
});

describe("tagging headers", () => {
  test("are query parameters, with plus and %20 for a space", () => {
    assert.deepEqual(parseTaggingHeader("tag1=Value%20x&b+c=&d&", OBJECT_TAG_LIMITS), [
      { key: "tag1", value: "Value x" },
      { key: "b c", value: "" },
      { key: "d", value: "" },
    ]);
    assert.deepEqual(parseTaggingHeader("", OBJECT_TAG_LIMITS), []);
    assert.deepEqual(parseTaggingHeader("%C3%A9=a=b", OBJECT_TAG_LIMITS), [
      { key: "é", value: "a=b" },
    ]);
  });

  test("whatever URLSearchParams writes is read back", () => {
    const text = fc.stringMatching(/^[a-zA-Z0-9 +\-=._:/@é日]{1,20}$/);
    fc.assert(
      fc.property(fc.uniqueArray(text, { maxLength: 10 }), text, (keys, value) => {
        const tags = keys.filter((key) => !key.startsWith("aws:")).map((key) => ({ key, value }));
        const header = new URLSearchParams(tags.map((each) => [each.key, each.value])).toString();
        assert.deepEqual(parseTaggingHeader(header, OBJECT_TAG_LIMITS), tags);
      }),
    );
  });

  test("bad escapes and repeated keys are InvalidArgument, bad tags InvalidTag", () => {
    for (const text of ["a=%2", "a=%ff", "%zz", "a=1&a=2", "a&%61=2"]) {
      const error = expectS3Error("InvalidArgument", () =>
        parseTaggingHeader(text, OBJECT_TAG_LIMITS),
      );
      assert.deepEqual(error.details[0], ["ArgumentName", "x-amz-tagging"]);
    }
    expectS3Error("InvalidTag", () => parseTaggingHeader("=v", OBJECT_TAG_LIMITS));
    expectS3Error("InvalidTag", () => parseTaggingHeader("a%2A=v", OBJECT_TAG_LIMITS));
    const eleven = Array.from({ length: 11 }, (_, index) => `k${index}`).join("&");
    expectS3Error("BadRequest", () => parseTaggingHeader(eleven, OBJECT_TAG_LIMITS));
  });

  test("count and directive", () => {
    assert.deepEqual(taggingCountHeader(0), []);
    assert.deepEqual(taggingCountHeader(3), [["x-amz-tagging-count", "3"]]);
    const directive = (value: string) =>
      parseTaggingDirective(new HeaderList([["x-amz-tagging-directive", value]]));
    assert.equal(parseTaggingDirective(new HeaderList([])), "COPY");
    assert.equal(directive("REPLACE"), "REPLACE");
    expectS3Error("InvalidArgument", () => directive("replace"));
  });
});
