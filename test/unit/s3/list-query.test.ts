// Parameters of listings: defaults, limits, tokens, and the refusal of everything else.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  encodeContinuationToken,
  parseListBuckets,
  parseListObjectsV1,
  parseListObjectsV2,
  parseListParts,
  parseListUploads,
  parseListVersions,
} from "../../../services/lib/s3/list-query.ts";
import { QueryParameters } from "../../../services/lib/s3/query-parameters.ts";
import { expectS3Error } from "./expect-s3-error.ts";

const PAGE = { prefix: "", delimiter: undefined, encodingType: undefined };

function query(text: string): QueryParameters {
  return QueryParameters.parse(text);
}

describe("defaults and values", () => {
  test("objects, version 1", () => {
    assert.deepEqual(parseListObjectsV1(query("")), { ...PAGE, maxKeys: 1000, marker: "" });
    assert.deepEqual(
      parseListObjectsV1(query("prefix=a%2F&delimiter=%2F&marker=b&max-keys=7&encoding-type=url")),
      { prefix: "a/", delimiter: "/", encodingType: "url", maxKeys: 7, marker: "b" },
    );
  });

  test("objects, version 2", () => {
    assert.deepEqual(parseListObjectsV2(query("list-type=2&delimiter=&start-after=&max-keys=")), {
      ...PAGE,
      maxKeys: 1000,
      startAfter: undefined,
      continuationToken: undefined,
      continueAfter: undefined,
      fetchOwner: false,
    });
    const token = encodeContinuationToken(Buffer.from("k/é"));
    const parsed = parseListObjectsV2(
      query(`start-after=a&fetch-owner=TRUE&continuation-token=${token}`),
    );
    assert.equal(parsed.fetchOwner, true);
    assert.equal(parsed.startAfter, "a");
    assert.equal(parsed.continuationToken, token);
    assert.equal(Buffer.from(parsed.continueAfter ?? []).toString(), "k/é");
  });

  test("versions, uploads, parts, buckets", () => {
    assert.deepEqual(parseListVersions(query("key-marker=k&version-id-marker=v")), {
      ...PAGE,
      maxKeys: 1000,
      keyMarker: "k",
      versionIdMarker: "v",
    });
    assert.deepEqual(parseListUploads(query("upload-id-marker=u&max-uploads=5")), {
      ...PAGE,
      maxUploads: 5,
      keyMarker: "",
      uploadIdMarker: undefined,
    });
    const marked = parseListUploads(query("key-marker=k&upload-id-marker=u"));
    assert.equal(marked.uploadIdMarker, "u");
    assert.deepEqual(parseListParts(query("uploadId=u&part-number-marker=20000&max-parts=2")), {
      uploadId: "u",
      maxParts: 2,
      partNumberMarker: 10_000,
      encodingType: undefined,
    });
    assert.equal(parseListParts(query("uploadId=u")).partNumberMarker, 0);
    assert.deepEqual(parseListBuckets(query("max-buckets=10000&prefix=p&bucket-region=r")), {
      prefix: "p",
      maxBuckets: 10_000,
      continueAfter: undefined,
      bucketRegion: "r",
    });
    assert.equal(parseListBuckets(query("")).maxBuckets, undefined);
  });

  test("page sizes are cut to 1,000; none is allowed", () => {
    const size = (text: string): number => parseListObjectsV2(query(`max-keys=${text}`)).maxKeys;
    assert.equal(size("0"), 0);
    assert.equal(size("1000"), 1000);
    assert.equal(size("1001"), 1000);
    assert.equal(size("2147483647"), 1000);
  });
});

describe("refusals", () => {
  for (const value of ["-1", "2147483648", "1e3", "0x10", "abc", "1.5", "%201", "9".repeat(30)]) {
    test(`sizes and markers of ${value}`, () => {
      expectS3Error("InvalidArgument", () => parseListObjectsV1(query(`max-keys=${value}`)));
      expectS3Error("InvalidArgument", () => parseListObjectsV2(query(`max-keys=${value}`)));
      expectS3Error("InvalidArgument", () => parseListVersions(query(`max-keys=${value}`)));
      expectS3Error("InvalidArgument", () => parseListUploads(query(`max-uploads=${value}`)));
      expectS3Error("InvalidArgument", () => parseListParts(query(`max-parts=${value}`)));
      expectS3Error("InvalidArgument", () => parseListParts(query(`part-number-marker=${value}`)));
      expectS3Error("InvalidArgument", () => parseListBuckets(query(`max-buckets=${value}`)));
    });
  }

  test("other values", () => {
    for (const size of ["0", "10001"]) {
      expectS3Error("InvalidArgument", () => parseListBuckets(query(`max-buckets=${size}`)));
    }
    for (const encoding of ["URL", "base64", "__proto__"]) {
      expectS3Error("InvalidArgument", () =>
        parseListObjectsV2(query(`encoding-type=${encoding}`)),
      );
      expectS3Error("InvalidArgument", () => parseListParts(query(`encoding-type=${encoding}`)));
    }
    expectS3Error("InvalidArgument", () => parseListObjectsV2(query("fetch-owner=yes")));
    expectS3Error("InvalidArgument", () => parseListVersions(query("version-id-marker=v")));
  });

  test("tokens that this service did not make", () => {
    for (const token of ["", "a", "AA", "Aa==", "%00", "Ag", `AQ${"A".repeat(5000)}`, "AR"]) {
      expectS3Error("InvalidArgument", () =>
        parseListObjectsV2(query(`continuation-token=${token}`)),
      );
      expectS3Error("InvalidArgument", () =>
        parseListBuckets(query(`continuation-token=${token}`)),
      );
    }
  });

  test("every token made is read back, in a query as it is", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1024 }), (key) => {
        const token = encodeContinuationToken(key);
        assert.match(token, /^[A-Za-z0-9_-]+$/);
        const { continueAfter } = parseListObjectsV2(query(`continuation-token=${token}`));
        assert.deepEqual(Buffer.from(continueAfter ?? []), Buffer.from(key));
      }),
    );
  });
});
