// Authentication claims: one mechanism, parsed strictly, everything else refused (groups A1, A2 and
// A4 of the security page).
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { isS3Error } from "../../../services/lib/s3/errors.ts";
import { HeaderList } from "../../../services/lib/s3/headers.ts";
import { QueryParameters } from "../../../services/lib/s3/query-parameters.ts";
import { type AuthClaim, parseAuthorization } from "../../../services/lib/s3/sigv4/claim.ts";
import { uriEncode } from "../../../services/lib/s3/uri-encoding.ts";
import { expectS3Error } from "./expect-s3-error.ts";

describe("header claims", () => {
  const claim = (value: string, query = ""): AuthClaim =>
    parseAuthorization(new HeaderList([["Authorization", value]]), QueryParameters.parse(query));
  const good = "Credential=AK/20260131/eu-1/s3/aws4_request, SignedHeaders=host, Signature=ab";

  test("version 4, with and without spaces, access keys with slashes", () => {
    const expected = {
      kind: "v4-header",
      accessKeyId: "AK",
      scope: { date: "20260131", region: "eu-1", service: "s3", terminal: "aws4_request" },
      signedHeaders: ["host"],
      signature: "ab",
    };
    assert.deepEqual(claim(`AWS4-HMAC-SHA256 ${good}`), expected);
    assert.deepEqual(claim(`AWS4-HMAC-SHA256   ${good.replaceAll(" ", "")}`), expected);
    const slashed = claim(`AWS4-HMAC-SHA256 ${good.replace("AK/", "ey/J=x/")}`);
    assert.ok(slashed.kind === "v4-header");
    assert.equal(slashed.accessKeyId, "ey/J=x");
  });

  test("version 2 is recognised", () => {
    assert.deepEqual(claim("AWS AKID:c2ln="), {
      kind: "v2-header",
      accessKeyId: "AKID",
      signature: "c2ln=",
    });
    for (const bad of ["AWS ", "AWS AKID", "AWS :sig", "AWS AKID:", "AWS A K:sig"]) {
      expectS3Error("InvalidArgument", () => claim(bad));
    }
  });

  test("no claim is anonymous", () => {
    const none = parseAuthorization(new HeaderList([]), QueryParameters.parse("Expires=1"));
    assert.deepEqual(none, { kind: "anonymous" });
  });

  for (const [from, to] of [
    ["Credential=AK/20260131/eu-1/s3/aws4_request", "Credential=AK/20260131/eu-1/s3"],
    ["Credential=AK/", "Credential=/"],
    ["Credential=AK/", "Credential=A K/"],
    ["Credential=AK/", `Credential=${"A".repeat(2049)}/`],
    ["Credential=", "credential="],
    ["SignedHeaders=host", "SignedHeaders="],
    ["SignedHeaders=host", "SignedHeaders=Host"],
    ["SignedHeaders=host", "SignedHeaders=host;"],
    ["SignedHeaders=host", "SignedHeaders=host;host"],
    ["SignedHeaders=host, ", ""],
    [", Signature=ab", ""],
    [", Signature=ab", ", Signature=ab, Signature=cd"],
    [", Signature=ab", ", Signature=ab, Extra=1"],
    [", Signature=ab", ", Signature=ab,"],
  ] as const) {
    test(`refuses ${JSON.stringify(to.slice(0, 40))} in place of ${JSON.stringify(from)}`, () => {
      const header = `AWS4-HMAC-SHA256 ${good.replace(from, to)}`;
      expectS3Error("AuthorizationHeaderMalformed", () => claim(header));
    });
  }

  test("refuses other schemes and several mechanisms", () => {
    for (const bad of [
      "Basic YTpi",
      "Bearer x",
      "",
      "AWS4-HMAC-SHA256",
      "AWS4-ECDSA-P256-SHA256 x",
    ]) {
      expectS3Error("InvalidArgument", () => claim(bad));
    }
    for (const query of [
      "X-Amz-Signature=1",
      "X-Amz-Algorithm=x",
      "Signature=1",
      "AWSAccessKeyId=1",
    ]) {
      expectS3Error("InvalidArgument", () => claim(`AWS4-HMAC-SHA256 ${good}`, query));
    }
    const both = QueryParameters.parse("X-Amz-Signature=1&AWSAccessKeyId=1");
    expectS3Error("InvalidArgument", () => parseAuthorization(new HeaderList([]), both));
  });
});

test("any header and query is a claim or a client's error", () => {
  const piece = fc.oneof(
    fc.constantFrom("AWS4-HMAC-SHA256 ", "AWS ", "Credential=", "SignedHeaders=", "Signature="),
    fc.constantFrom(",", ";", "/", "=", ":", " ", "host", "AK/20260131/eu-1/s3/aws4_request"),
    fc.constantFrom("X-Amz-Algorithm=", "&", "X-Amz-Expires=9", "AWSAccessKeyId=", "Expires="),
    fc.stringMatching(/^[\x20-\x7e]{0,5}$/),
  );
  const text = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(""));
  fc.assert(
    fc.property(fc.option(text), text, (header, query) => {
      try {
        const fields = header === null ? [] : [["Authorization", header] as const];
        parseAuthorization(new HeaderList(fields), QueryParameters.parse(query));
      } catch (error) {
        assert.ok(isS3Error(error) && error.status < 500, String(error));
      }
    }),
    { numRuns: 500 },
  );
});

describe("query claims", () => {
  const presigned = new Map([
    ["X-Amz-Algorithm", "AWS4-HMAC-SHA256"],
    ["X-Amz-Credential", "AK/20260131/eu-1/s3/aws4_request"],
    ["X-Amz-Date", "20260131T235930Z"],
    ["X-Amz-Expires", "60"],
    ["X-Amz-SignedHeaders", "host"],
    ["X-Amz-Signature", "ab"],
  ]);
  const claim = (parameters: ReadonlyMap<string, string>, more = ""): AuthClaim => {
    const pairs = [...parameters].map(([name, value]) => `${name}=${uriEncode(value, false)}`);
    return parseAuthorization(new HeaderList([]), QueryParameters.parse(pairs.join("&") + more));
  };

  test("version 4", () => {
    const parsed = claim(presigned);
    assert.ok(parsed.kind === "v4-query");
    assert.equal(parsed.expiresSeconds, 60);
    assert.equal(parsed.amzDate, "20260131T235930Z");
  });

  for (const expires of [
    "",
    "abc",
    "1e3",
    "-1",
    "0",
    "604801",
    "+5",
    "1.5",
    "0x10",
    "99999999999999999999",
  ]) {
    test(`refuses X-Amz-Expires ${JSON.stringify(expires)}`, () => {
      const changed = new Map([...presigned, ["X-Amz-Expires", expires]]);
      expectS3Error("AuthorizationQueryParametersError", () => claim(changed));
    });
  }

  test("accepts both ends of X-Amz-Expires", () => {
    for (const expires of ["1", "604800"]) {
      assert.equal(claim(new Map([...presigned, ["X-Amz-Expires", expires]])).kind, "v4-query");
    }
  });

  test("every parameter is needed, once, in its own spelling", () => {
    for (const name of presigned.keys()) {
      const without = new Map([...presigned].filter(([other]) => other !== name));
      expectS3Error("AuthorizationQueryParametersError", () => claim(without));
      expectS3Error("AuthorizationQueryParametersError", () =>
        claim(presigned, `&${name}=${uriEncode(presigned.get(name) ?? "", false)}`),
      );
      expectS3Error("AuthorizationQueryParametersError", () =>
        claim(presigned, `&${name.toLowerCase()}=1`),
      );
    }
    const other = new Map([...presigned, ["X-Amz-Algorithm", "AWS4-HMAC-SHA1"]]);
    expectS3Error("AuthorizationQueryParametersError", () => claim(other));
  });

  test("version 2", () => {
    const v2 = new Map([
      ["AWSAccessKeyId", "AK"],
      ["Signature", "c2ln"],
      ["Expires", "1700000000"],
    ]);
    assert.deepEqual(claim(v2), {
      kind: "v2-query",
      accessKeyId: "AK",
      signature: "c2ln",
      expiresAtSeconds: 1_700_000_000,
    });
    for (const name of v2.keys()) {
      const without = new Map([...v2].filter(([other]) => other !== name));
      expectS3Error("AccessDenied", () => claim(without));
      expectS3Error("AccessDenied", () => claim(v2, `&${name}=1`));
    }
    expectS3Error("AccessDenied", () => claim(new Map([...v2, ["Expires", "1e9"]])));
  });
});
