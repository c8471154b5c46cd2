// Header lists, stored headers, response overrides: prototype names, repeats, injection, limits.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type HeaderField, HeaderList, trimSpace } from "../../../services/lib/s3/headers.ts";
import {
  collectResponseOverrides,
  collectSystemHeaders,
  collectUserMetadata,
  hasAwsChunkedEncoding,
  userMetadataHeaders,
} from "../../../services/lib/s3/object-headers.ts";
import { QueryParameters } from "../../../services/lib/s3/query-parameters.ts";
import { expectS3Error } from "./expect-s3-error.ts";

function list(...fields: readonly HeaderField[]): HeaderList {
  return new HeaderList(fields);
}

describe("header list", () => {
  test("names are case-insensitive, values trimmed, repeats joined in order", () => {
    const headers = HeaderList.fromRaw(["X-A", " 1\t", "x-a", "2", "HOST", "h"]);
    assert.equal(headers.get("x-a"), "1,2");
    assert.deepEqual(headers.all("x-a"), ["1", "2"]);
    assert.equal(headers.get("host"), "h");
    assert.deepEqual([...headers.names()], ["x-a", "host"]);
    assert.equal(trimSpace("\u00a0 x \u00a0"), "\u00a0 x \u00a0");
  });

  test("prototype names are ordinary", () => {
    const headers = list(["__proto__", "1"], ["x-amz-meta-__proto__", "2"]);
    assert.equal(headers.get("__proto__"), "1");
    assert.equal(headers.get("constructor"), undefined);
    assert.equal(headers.has("tostring"), false);
    assert.deepEqual(collectUserMetadata(headers), [{ name: "__proto__", value: "2" }]);
  });

  for (const name of ["Host", "Authorization", "Content-Length", "x-amz-date", "Content-MD5"]) {
    test(`refuses ${name} twice, even when equal`, () => {
      expectS3Error("InvalidArgument", () => list([name, "1"], [name.toLowerCase(), "1"]));
    });
  }

  test("refuses control characters, bad names and too many bytes", () => {
    for (const value of ["a\r\nb", "a\nb", "a\u0000", "\u007f", "\u0100"]) {
      expectS3Error("InvalidArgument", () => list(["x", value]));
    }
    for (const name of ["", "a b", "a:b", "é"]) {
      expectS3Error("InvalidArgument", () => list([name, "1"]));
    }
    expectS3Error("RequestHeaderSectionTooLarge", () => list(["x", "a".repeat(33_000)]));
  });
});

describe("system headers", () => {
  test("are collected, aws-chunked is taken out", () => {
    const headers = list(
      ["Content-Type", "text/plain"],
      ["Content-Encoding", "AWS-chunked, gzip"],
      ["Content-Encoding", "br"],
      ["Cache-Control", "no-cache"],
      ["Content-Disposition", "attachment"],
      ["Content-Language", "de"],
      ["Expires", "whenever"],
    );
    assert.deepEqual(collectSystemHeaders(headers), {
      contentType: "text/plain",
      contentEncoding: "gzip,br",
      contentLanguage: "de",
      contentDisposition: "attachment",
      cacheControl: "no-cache",
      expires: "whenever",
      websiteRedirectLocation: undefined,
    });
    assert.equal(hasAwsChunkedEncoding(headers), true);
    assert.equal(
      collectSystemHeaders(list(["content-encoding", "aws-chunked"])).contentEncoding,
      undefined,
    );
    assert.equal(hasAwsChunkedEncoding(list(["content-encoding", "x-aws-chunked"])), false);
  });

  test("a redirect must be a path or an http URL", () => {
    const name = "x-amz-website-redirect-location";
    for (const good of ["/x", "http://h/", "https://h/"]) {
      assert.equal(collectSystemHeaders(list([name, good])).websiteRedirectLocation, good);
    }
    for (const bad of ["x", "javascript:alert(1)", "ftp://h"]) {
      expectS3Error("InvalidRedirectLocation", () => collectSystemHeaders(list([name, bad])));
    }
  });
});

describe("user metadata", () => {
  test("limit of 2 KB, settable, 0 is none", () => {
    const at = (bytes: number): HeaderList => list(["x-amz-meta-a", "b".repeat(bytes - 1)]);
    assert.equal(collectUserMetadata(at(2048)).length, 1);
    expectS3Error("MetadataTooLarge", () => collectUserMetadata(at(2049)));
    assert.equal(collectUserMetadata(at(9000), 0).length, 1);
    expectS3Error("MetadataTooLarge", () => collectUserMetadata(at(11), 10));
    expectS3Error("InvalidArgument", () => collectUserMetadata(list(["x-amz-meta-", "v"])));
  });

  test("the example of the AWS user guide", () => {
    const bytes = Buffer.from("ÄMÄZÕÑ S3", "utf8").toString("latin1");
    const metadata = collectUserMetadata(list(["x-amz-meta-NonASCII", bytes]));
    assert.deepEqual(userMetadataHeaders(metadata), [
      ["x-amz-meta-nonascii", "=?UTF-8?B?w4PChE3Dg8KEWsODwpXDg8KRIFMz?="],
    ]);
  });

  test("encoded words and ASCII go out as they came; every output is a clean header", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const value = Buffer.from(text, "utf8").toString("latin1");
        let headers: HeaderList;
        try {
          headers = list(["x-amz-meta-v", value]);
        } catch {
          return;
        }
        const fields = userMetadataHeaders(collectUserMetadata(headers, 0));
        assert.match(fields[0]?.[1] ?? "", /^[\t\x20-\x7e]*$/);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII is what is tested
        if (/^[\u0000-\u007f]*$/.test(value)) assert.equal(fields[0]?.[1], trimSpace(value));
      }),
    );
    const word = "=?UTF-8?Q?=C3=84?=";
    assert.deepEqual(userMetadataHeaders([{ name: "a", value: word }]), [["x-amz-meta-a", word]]);
  });
});

describe("response overrides", () => {
  const query = (text: string): QueryParameters => QueryParameters.parse(text);

  test("signed reads may override", () => {
    const text = "response-content-type=text%2Fhtml&response-cache-control=no-store&x=1";
    assert.deepEqual(collectResponseOverrides(query(text), true), [
      ["Content-Type", "text/html"],
      ["Cache-Control", "no-store"],
    ]);
    assert.deepEqual(collectResponseOverrides(query("x=1"), false), []);
  });

  test("anonymous reads and header injection are refused", () => {
    expectS3Error("InvalidRequest", () =>
      collectResponseOverrides(query("response-expires=1"), false),
    );
    for (const value of ["a%0d%0aSet-Cookie:x", "%00", "%0a", "%E2%82%AC"]) {
      expectS3Error("InvalidArgument", () =>
        collectResponseOverrides(query(`response-content-disposition=${value}`), true),
      );
    }
  });
});
