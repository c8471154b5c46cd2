// Signature Version 2: the examples of the AWS documentation, and the refusal of everything that is
// not what was signed.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { describe, test } from "node:test";
import { type HeaderField, HeaderList } from "../../../services/lib/s3/headers.ts";
import { formatHttpDate, parseHttpDate } from "../../../services/lib/s3/http-date.ts";
import { parseRequestTarget } from "../../../services/lib/s3/request-target.ts";
import {
  stringToSignV2,
  type V2Claim,
  type V2Options,
  verifyV2,
} from "../../../services/lib/s3/sigv2/verify-v2.ts";
import { parseAuthorization } from "../../../services/lib/s3/sigv4/claim.ts";
import type { SignedRequest } from "../../../services/lib/s3/sigv4/verify.ts";
import { expectS3Error } from "./expect-s3-error.ts";

const SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE";

interface Call {
  readonly method: string;
  readonly target: string;
  readonly headers: readonly HeaderField[];
  readonly bucket?: string;
}

function parsed(call: Call): { readonly claim: V2Claim; readonly request: SignedRequest } {
  const target = parseRequestTarget(call.target);
  const headers = new HeaderList(call.headers);
  const claim = parseAuthorization(headers, target.query);
  assert.ok(claim.kind === "v2-header" || claim.kind === "v2-query", claim.kind);
  return { claim, request: { method: call.method, target, headers } };
}

function verify(call: Call, options: Partial<V2Options> = {}): void {
  const { claim, request } = parsed(call);
  const date = request.headers.get("date") ?? "";
  const nowMs = parseHttpDate(date, 0) ?? 0;
  verifyV2(claim, request, { secret: SECRET, nowMs, hostBucket: call.bucket, ...options });
}

function authorized(signature: string, ...fields: readonly HeaderField[]): HeaderField[] {
  return [["Authorization", `AWS ${ACCESS_KEY}:${signature}`], ...fields];
}

const EXAMPLES: readonly (Call & { readonly name: string })[] = [
  {
    name: "object GET",
    method: "GET",
    target: "/photos/puppy.jpg",
    bucket: "johnsmith",
    headers: authorized("bWq2s1WEIj+Ydj0vQ697zp+IXMU=", [
      "Date",
      "Tue, 27 Mar 2007 19:36:42 +0000",
    ]),
  },
  {
    name: "object PUT",
    method: "PUT",
    target: "/photos/puppy.jpg",
    bucket: "johnsmith",
    headers: authorized(
      "MyyxeRY7whkBe+bq8fHCL/2kKUg=",
      ["Content-Type", "image/jpeg"],
      ["Date", "Tue, 27 Mar 2007 21:15:45 +0000"],
    ),
  },
  {
    name: "list",
    method: "GET",
    target: "/?prefix=photos&max-keys=50&marker=puppy",
    bucket: "johnsmith",
    headers: authorized("htDYFYduRNen8P9ZfE/s9SuKy0U=", [
      "Date",
      "Tue, 27 Mar 2007 19:42:41 +0000",
    ]),
  },
  {
    name: "fetch of an ACL",
    method: "GET",
    target: "/?acl",
    bucket: "johnsmith",
    headers: authorized("c2WLPFtWHVgbEmeEG93a4cG37dM=", [
      "Date",
      "Tue, 27 Mar 2007 19:44:46 +0000",
    ]),
  },
  {
    name: "delete, path style",
    method: "DELETE",
    target: "/johnsmith/photos/puppy.jpg",
    headers: authorized("lx3byBScXR6KzyMaifNkardMwNk=", [
      "Date",
      "Tue, 27 Mar 2007 21:20:26 +0000",
    ]),
  },
  {
    name: "upload with metadata",
    method: "PUT",
    target: "/db-backup.dat.gz",
    bucket: "static.johnsmith.net",
    headers: authorized(
      "ilyl83RwaSoYIEdixDQcA4OnAnc=",
      ["Date", "Tue, 27 Mar 2007 21:06:08 +0000"],
      ["x-amz-acl", "public-read"],
      ["content-type", "application/x-download"],
      ["Content-MD5", "4gJE4saaMU4BqNR0kLY+lw=="],
      ["X-Amz-Meta-ReviewedBy", "joe@johnsmith.net"],
      ["X-Amz-Meta-ReviewedBy", "jane@johnsmith.net"],
      ["X-Amz-Meta-FileChecksum", "0x02661779"],
      ["X-Amz-Meta-ChecksumAlgorithm", "crc32"],
      ["Content-Disposition", "attachment; filename=database.dat"],
    ),
  },
  {
    name: "list of all buckets",
    method: "GET",
    target: "/",
    headers: authorized("qGdzdERIC03wnaRNKh6OqZehG9s=", [
      "Date",
      "Wed, 28 Mar 2007 01:29:59 +0000",
    ]),
  },
  {
    name: "unicode key, case of escapes kept",
    method: "GET",
    target: "/dictionary/fran%C3%A7ais/pr%c3%a9f%c3%a8re",
    headers: authorized("DNEZGsoieTZ92F3bUfSPQcbGmlM=", [
      "Date",
      "Wed, 28 Mar 2007 01:49:49 +0000",
    ]),
  },
];

describe("documented examples", () => {
  for (const { name, ...call } of EXAMPLES) test(name, () => verify(call));

  test("query string", () => {
    const call = {
      method: "GET",
      target:
        `/photos/puppy.jpg?AWSAccessKeyId=${ACCESS_KEY}&Expires=1175139620` +
        "&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D",
      bucket: "johnsmith",
      headers: [],
    };
    verify(call, { nowMs: 1_175_139_620_000 });
    const error = expectS3Error("AccessDenied", () => verify(call, { nowMs: 1_175_139_620_001 }));
    assert.equal(error.message, "Request has expired");
    expectS3Error("SignatureDoesNotMatch", () => verify({ ...call, method: "PUT" }));
    const longer = call.target.replace("1175139620", "1175139621");
    expectS3Error("SignatureDoesNotMatch", () => verify({ ...call, target: longer }));
  });
});

describe("refusals", () => {
  const [example] = EXAMPLES;
  assert.ok(example);
  const date = "Tue, 27 Mar 2007 19:36:42 +0000";
  const good = "bWq2s1WEIj+Ydj0vQ697zp+IXMU=";

  test("whatever is signed cannot change", () => {
    const changes: Call[] = [
      { ...example, method: "PUT" },
      { ...example, target: "/photos/Puppy.jpg" },
      { ...example, target: "/photos/%70uppy.jpg" },
      { ...example, target: "/photos/puppy.jpg?acl" },
      { ...example, target: "/photos/puppy.jpg?versionId=1" },
      { ...example, target: "/photos/puppy.jpg?response-content-type=text%2Fhtml" },
      { ...example, bucket: "other" },
      { ...example, headers: [...example.headers, ["x-amz-acl", "public-read"]] },
      { ...example, headers: [...example.headers, ["Content-Type", "text/html"]] },
      { ...example, headers: [...example.headers, ["Content-MD5", "4gJE4saaMU4BqNR0kLY+lw=="]] },
      { ...example, headers: authorized(good, ["Date", date.replace("42", "43")]) },
    ];
    for (const call of changes) {
      const error = expectS3Error("SignatureDoesNotMatch", () => verify(call));
      assert.equal(new Map(error.details).get("SignatureProvided"), good);
    }
    expectS3Error("SignatureDoesNotMatch", () => verify(example, { secret: "x" }));
    expectS3Error("SignatureDoesNotMatch", () => verify(example, { hostBucket: undefined }));
  });

  test("signatures that are no digest", () => {
    for (const bad of ["x", "====", good.slice(0, -1), `${good}A`, good.toLowerCase(), "AAAA"]) {
      const call = { ...example, headers: authorized(bad, ["Date", date]) };
      expectS3Error("SignatureDoesNotMatch", () => verify(call));
    }
  });

  test("skew over fifteen minutes, no date", () => {
    const at = parseHttpDate(date, 0) ?? 0;
    for (const sign of [-1, 1]) {
      verify(example, { nowMs: at + sign * 900_000 });
      expectS3Error("RequestTimeTooSkewed", () => verify(example, { nowMs: at + sign * 900_001 }));
    }
    expectS3Error("AccessDenied", () => verify({ ...example, headers: authorized(good) }));
    const nonsense = authorized(good, ["Date", "yesterday"]);
    expectS3Error("AccessDenied", () => verify({ ...example, headers: nonsense }));
  });
});

describe("strings to sign", () => {
  function sign(text: string): string {
    return createHmac("sha1", SECRET).update(text).digest("base64");
  }

  test("x-amz-date takes the place of Date", () => {
    const date = formatHttpDate(1000);
    const signature = sign(`GET\n\n\n\nx-amz-date:${date}\n/b/k`);
    const headers = authorized(
      signature,
      ["x-amz-date", date],
      ["Date", formatHttpDate(9_999_000)],
    );
    verify({ method: "GET", target: "/b/k", headers }, { nowMs: 1000 });
  });

  test("a bucket alone may be signed with a slash at its end, a key may not", () => {
    const date = formatHttpDate(1000);
    for (const path of ["/b", "/b/"]) {
      const signature = sign(`GET\n\n\n${date}\n${path}?acl`);
      verify({ method: "GET", target: "/b?acl", headers: authorized(signature, ["Date", date]) });
    }
    const other = authorized(sign(`GET\n\n\n${date}\n/b/k/`), ["Date", date]);
    expectS3Error("SignatureDoesNotMatch", () =>
      verify({ method: "GET", target: "/b/k", headers: other }),
    );
  });

  test("sub-resources in order, decoded, with and without an equals sign", () => {
    const date = formatHttpDate(1000);
    const target = "/b/k?uploadId=a%2Fb%20%C3%A9&x=1&partNumber=2&acl=";
    for (const acl of ["acl", "acl="]) {
      const signature = sign(`PUT\n\n\n${date}\n/b/k?${acl}&partNumber=2&uploadId=a/b é`);
      verify({ method: "PUT", target, headers: authorized(signature, ["Date", date]) });
    }
    const { claim, request } = parsed({ method: "PUT", target, headers: authorized("x") });
    const text = stringToSignV2(claim, request, { path: "/h/b/k", keepEquals: false });
    assert.match(text, /\/h\/b\/k\?acl&partNumber=2&uploadId=/);
  });
});
