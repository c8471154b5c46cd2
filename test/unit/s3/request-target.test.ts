// Raw request targets, hosts and addressing: what is accepted keeps its bytes, the rest is refused.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  type Address,
  checkKey,
  parseBucketView,
  parseCopySource,
  parseServiceName,
  resolveAddress,
} from "../../../services/lib/s3/addressing.ts";
import { isValidBucketName } from "../../../services/lib/s3/bucket-name.ts";
import { isS3Error } from "../../../services/lib/s3/errors.ts";
import { HeaderList } from "../../../services/lib/s3/headers.ts";
import { QueryParameters } from "../../../services/lib/s3/query-parameters.ts";
import {
  parseAuthority,
  parseRequestTarget,
  requestAuthority,
} from "../../../services/lib/s3/request-target.ts";
import {
  encodeListingUrl,
  percentDecodeText,
  uriEncode,
} from "../../../services/lib/s3/uri-encoding.ts";
import { expectS3Error } from "./expect-s3-error.ts";

const SERVICE_NAMES = ["s3.example.org", "example.org:8081", "eu.s3.example.org"].map((name) => {
  const parsed = parseServiceName(name);
  assert.ok(parsed);
  return parsed;
});

function address(target: string, host = "10.0.0.1", basePaths: readonly string[] = []): Address {
  return resolveAddress(parseRequestTarget(target), parseAuthority(host), {
    serviceNames: SERVICE_NAMES,
    basePaths,
  });
}

describe("request target", () => {
  test("origin form keeps the path as written", () => {
    const target = parseRequestTarget("/b/../c%2e%2E//%2f/?a=1?b&acl");
    assert.equal(target.rawPath, "/b/../c%2e%2E//%2f/");
    assert.equal(target.rawQuery, "a=1?b&acl");
    assert.equal(target.authority, undefined);
    assert.equal(target.query.get("a"), "1?b");
    assert.equal(target.query.has("acl"), true);
  });

  test("absolute form names its host", () => {
    const target = parseRequestTarget("HTTP://Photos.S3.Example.org:80/a/../b?x");
    assert.deepEqual(target.authority, { name: "photos.s3.example.org", port: 80 });
    assert.equal(target.rawPath, "/a/../b");
    assert.equal(parseRequestTarget("http://h").rawPath, "/");
    assert.equal(parseRequestTarget("http://h?list-type=2").rawPath, "/");
    assert.equal(parseRequestTarget("http://h?list-type=2").query.get("list-type"), "2");
  });

  for (const bad of [
    "",
    "*",
    "bucket/key",
    "ftp://h/",
    "http://",
    "http:///x",
    "http://user@h/",
    "http://h:0/",
    "http://h:99999/",
    "/a b",
    "/a\r\nHost: x",
    "/a\u0000",
    "/a#fragment",
    "/a\u0100",
    "/?a=%",
    "/?a=%4",
    "/?a=%zz",
    "/?%ff=1",
    `/${"a".repeat(20_000)}`,
    `/?${"a&".repeat(300)}`,
  ]) {
    test(`refuses ${JSON.stringify(bad.slice(0, 24))}`, () => {
      expectS3Error("InvalidURI", () => parseRequestTarget(bad));
    });
  }

  test("query names of prototypes are names", () => {
    const query = QueryParameters.parse("__proto__=1&constructor=2&x=%2B+y&x=");
    assert.equal(query.get("__proto__"), "1");
    assert.equal(query.get("constructor"), "2");
    assert.equal(query.get("toString"), undefined);
    assert.deepEqual(query.all("x"), ["+ y", ""]);
    assert.equal(QueryParameters.parse(`${"&".repeat(1000)}acl`).has("acl"), true);
    assert.deepEqual(query.list[3], { name: "x", value: "", hasEquals: true });
  });
});

describe("host", () => {
  test("an agreeing Host is taken", () => {
    const target = parseRequestTarget("http://B.example.org:443/k");
    const headers = new HeaderList([["Host", "b.example.org"]]);
    assert.deepEqual(requestAuthority(target, headers), { name: "b.example.org", port: undefined });
    assert.equal(requestAuthority(parseRequestTarget("/"), new HeaderList([])), undefined);
  });

  test("a contradicting Host is refused", () => {
    const target = parseRequestTarget("http://a.example.org/k");
    for (const host of ["b.example.org", "a.example.org:8080"]) {
      expectS3Error("InvalidArgument", () =>
        requestAuthority(target, new HeaderList([["Host", host]])),
      );
    }
  });

  for (const host of [
    "",
    "a b",
    "a/b",
    "user@h",
    "h:port",
    "h:-1",
    "[::1",
    "-a.b",
    "a..b",
    "é.x",
  ]) {
    test(`refuses Host ${JSON.stringify(host)}`, () => {
      expectS3Error("InvalidArgument", () =>
        requestAuthority(parseRequestTarget("/"), new HeaderList([["Host", host]])),
      );
    });
  }

  test("accepts names, addresses and ports", () => {
    assert.deepEqual(parseAuthority("[2001:DB8::1]:9000"), { name: "[2001:db8::1]", port: 9000 });
    assert.deepEqual(parseAuthority("a.b."), { name: "a.b", port: undefined });
    assert.deepEqual(parseAuthority("my_bucket.h:"), { name: "my_bucket.h", port: undefined });
  });
});

describe("addressing", () => {
  const path = (bucket: string, key: string | undefined): Address => ({
    style: "path",
    bucket,
    key,
  });

  test("path style", () => {
    assert.deepEqual(address("/"), { style: "service", bucket: undefined, key: undefined });
    assert.deepEqual(address("/b"), path("b", undefined));
    assert.deepEqual(address("/b/"), path("b", undefined));
    assert.deepEqual(address("/b/k/"), path("b", "k/"));
    assert.deepEqual(address("/b//"), path("b", "/"));
    assert.deepEqual(address("/b/a//b"), path("b", "a//b"));
    assert.deepEqual(address("/b/../c"), path("b", "../c"));
    assert.deepEqual(address("/b/%2e%2e/%2E"), path("b", "../."));
    assert.deepEqual(address("/b/a%252f"), path("b", "a%2f"));
    assert.deepEqual(address("/b/a+b%20c%00"), path("b", "a+b c\u0000"));
    assert.deepEqual(address("/__proto__/__proto__"), path("__proto__", "__proto__"));
  });

  test("virtual-host style under several names", () => {
    const hosted = (bucket: string, key: string | undefined): Address => ({
      style: "virtual-host",
      bucket,
      key,
    });
    assert.deepEqual(address("/", "photos.s3.example.org"), hosted("photos", undefined));
    assert.deepEqual(address("/k", "Photos.S3.Example.org:444"), hosted("photos", "k"));
    assert.deepEqual(address("//", "my.photos.s3.example.org"), hosted("my.photos", "/"));
    assert.deepEqual(address("/k", "b.eu.s3.example.org"), hosted("b", "k"));
    assert.deepEqual(address("/k", "b.example.org:8081"), hosted("b", "k"));
    const reversed = { serviceNames: SERVICE_NAMES.toReversed() };
    const european = parseAuthority("b.eu.s3.example.org");
    assert.equal(resolveAddress(parseRequestTarget("/k"), european, reversed).bucket, "b");
    assert.equal(address("/b/k", "b.example.org").style, "path");
    assert.equal(address("/b/k", "b.example.org:8082").style, "path");
    assert.deepEqual(address("/b/k", "eu.s3.example.org"), path("b", "k"));
    assert.deepEqual(address("/b/k", "xs3.example.org"), path("b", "k"));
  });

  test("base paths are taken off whole segments only", () => {
    const base = ["/api/v1/s3/"];
    assert.equal(address("/api/v1/s3", "h", base).style, "service");
    assert.deepEqual(address("/api/v1/s3/b/k", "h", base), path("b", "k"));
    assert.deepEqual(address("/api/v1/s3x/b", "h", base), path("api", "v1/s3x/b"));
    assert.equal(address("/api/v1/s3/k", "b.s3.example.org", base).key, "api/v1/s3/k");
  });

  test("refuses what cannot be a key", () => {
    for (const bad of [
      "/b/%ff",
      "/b/%c0%af",
      "/b/%ed%a0%80",
      "/b/%",
      "/b/%g0",
      "/%80/k",
      "/b/\u00ff",
    ]) {
      expectS3Error("InvalidURI", () => address(bad));
    }
    expectS3Error("InvalidBucketName", () => address("//k"));
    const longest = "é".repeat(512);
    assert.equal(address(`/b/${encodeURIComponent(longest)}`).key, longest);
    expectS3Error("KeyTooLongError", () => address(`/b/${encodeURIComponent(longest)}a`));
    expectS3Error("InvalidURI", () => checkKey("\ud800"));
    expectS3Error("InvalidURI", () => checkKey(""));
  });

  test("any key survives encoding in a path, distinct keys stay distinct", () => {
    const key = fc
      .string({ unit: "binary", minLength: 1, maxLength: 200 })
      .filter((text) => text.isWellFormed());
    fc.assert(
      fc.property(key, key, fc.boolean(), (one, other, keepSlash) => {
        assert.equal(address(`/b/${uriEncode(one, keepSlash)}`).key, one);
        assert.equal(address(`/${uriEncode(one, keepSlash)}`, "b.s3.example.org").key, one);
        assert.equal(uriEncode(one, false) === uriEncode(other, false), one === other);
      }),
    );
  });

  test("any target either parses or is refused as a client's error", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.string(), (target, host) => {
        try {
          address(`/${target}`, host);
        } catch (error) {
          assert.ok(isS3Error(error) && error.status === 400, String(error));
        }
      }),
    );
  });
});

describe("copy source", () => {
  test("with and without slash, encoded, with a version", () => {
    assert.deepEqual(parseCopySource("b/k"), { bucket: "b", key: "k", versionId: undefined });
    assert.deepEqual(parseCopySource("/b/a%2Fb%3FversionId=x?versionId=v%31"), {
      bucket: "b",
      key: "a/b?versionId=x",
      versionId: "v1",
    });
    assert.equal(parseCopySource("b%2Fk+1").key, "k+1");
    assert.equal(parseCopySource("b//k").key, "/k");
    for (const encoded of ["%2Fb%2Fa%20b", "%2fb/a%20b"]) {
      assert.deepEqual(parseCopySource(encoded), { bucket: "b", key: "a b", versionId: undefined });
    }
    assert.equal(parseCopySource("%2Fb%2F%2Fk").key, "/k");
    assert.deepEqual(parseCopySource("b/k?versionId=x?versionId=y"), {
      bucket: "b",
      key: "k?versionId=x",
      versionId: "y",
    });
  });

  test("refuses what names no object", () => {
    for (const bad of ["", "/", "b", "b/", "//k", "/%2Fk", "%2F", "%2Fb%2F", "b/k?versionId="]) {
      expectS3Error("InvalidArgument", () => parseCopySource(bad));
    }
    expectS3Error("InvalidURI", () => parseCopySource("b/%ff"));
    expectS3Error("KeyTooLongError", () => parseCopySource(`b/${"k".repeat(1025)}`));
  });
});

test("listing encoding decodes to the key in form encoding", () => {
  assert.equal(encodeListingUrl("a b/c+d*é\u0001"), "a+b/c%2Bd*%C3%A9%01");
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (text) => {
      assert.equal(percentDecodeText(encodeListingUrl(text), true), text.toWellFormed());
    }),
  );
});

test("views of buckets (row C2)", () => {
  assert.deepEqual(parseBucketView("a:b:c"), { bucket: "a", prefix: "b/c/" });
  assert.deepEqual(parseBucketView("a:b c"), { bucket: "a", prefix: "b c/" });
  assert.equal(parseBucketView("abc"), undefined);
  for (const bad of [":b", "a:", "a::b", "a:b/c", ":"]) {
    expectS3Error("InvalidBucketName", () => parseBucketView(bad));
  }
});

test("bucket names", () => {
  for (const good of ["abc", "a-b", "my.bucket.2", "1.2.3", "a".repeat(63), "12345", "a--b"]) {
    assert.equal(isValidBucketName(good), true, good);
  }
  const bad = ["", "ab", "a".repeat(64), "Abc", "a_b", "-ab", "ab-", ".ab", "ab.", "a..b", "a.-b"];
  bad.push(
    "a-.b",
    "192.168.5.4",
    "xn--abc",
    "abc-s3alias",
    "abc--ol-s3",
    "a/b",
    "a b",
    "abc\n",
    "äbc",
  );
  bad.push("sthree-x", "amzn-s3-demo-x", "abc.mrap", "abc--x-s3", "__proto__");
  for (const name of bad) assert.equal(isValidBucketName(name), false, name);
});
