// Claims and their verification: every refusal of groups A1-A4 of the security page, and two independent
// signers (npm aws4, the AWS SDK's) as oracles over random requests.
import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { describe, test } from "node:test";
import { SignatureV4 } from "@smithy/signature-v4";
import aws4 from "aws4";
import fc from "fast-check";
import { type HeaderField, HeaderList } from "../../../services/lib/s3/headers.ts";
import { formatAmzDate, formatHttpDate } from "../../../services/lib/s3/http-date.ts";
import { QueryParameters } from "../../../services/lib/s3/query-parameters.ts";
import { parseRequestTarget } from "../../../services/lib/s3/request-target.ts";
import { type AuthClaim, parseAuthorization } from "../../../services/lib/s3/sigv4/claim.ts";
import { parsePayloadHash } from "../../../services/lib/s3/sigv4/payload-hash.ts";
import { presign, signHeaders } from "../../../services/lib/s3/sigv4/sign.ts";
import { deriveSigningKey, SigningKeyCache } from "../../../services/lib/s3/sigv4/signing-key.ts";
import {
  type V4Options,
  type VerifiedV4,
  verifyV4,
} from "../../../services/lib/s3/sigv4/verify.ts";
import { uriEncode } from "../../../services/lib/s3/uri-encoding.ts";
import { expectS3Error } from "./expect-s3-error.ts";

const NOW_MS = Date.UTC(2026, 0, 31, 23, 59, 30);
const SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const IDENTITY = { accessKeyId: "AKIDEXAMPLE", secret: SECRET, region: "eu-1", nowMs: NOW_MS };
const MINUTE_MS = 60_000;

interface Call {
  readonly method: string;
  readonly target: string;
  readonly headers: readonly HeaderField[];
}

function verify(call: Call, options: Partial<V4Options> = {}): VerifiedV4 {
  const target = parseRequestTarget(call.target);
  const headers = new HeaderList(call.headers);
  const claim = parseAuthorization(headers, target.query);
  assert.ok(claim.kind === "v4-header" || claim.kind === "v4-query", claim.kind);
  return verifyV4(
    claim,
    { method: call.method, target, headers },
    { secret: SECRET, nowMs: NOW_MS, region: "eu-1", strictRegion: true, ...options },
  );
}

const BASE: Call = { method: "PUT", target: "/b/k?x=1", headers: [["Host", "h:9000"]] };

/** BASE signed by its headers, after `change` of what is sent. */
function signedCall(payloadHash = "UNSIGNED-PAYLOAD", call: Call = BASE): Call {
  return { ...call, headers: signHeaders(call, IDENTITY, payloadHash).headers };
}

function withHeader(call: Call, name: string, change: (value: string) => string): Call {
  const headers = call.headers.map(
    ([field, value]): HeaderField =>
      field.toLowerCase() === name ? [field, change(value)] : [field, value],
  );
  return { ...call, headers };
}

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

describe("verification by header", () => {
  test("gives what the body needs", () => {
    const hash = createHash("sha256").update("x").digest();
    const verified = verify(signedCall(hash.toString("hex")));
    assert.deepEqual(verified.payload, { kind: "hashed", sha256: hash });
    assert.equal(verified.scope, "20260131/eu-1/s3/aws4_request");
    assert.equal(verified.amzDate, "20260131T235930Z");
    assert.equal(verified.accessKeyId, IDENTITY.accessKeyId);
    assert.deepEqual(verify(signedCall("STREAMING-UNSIGNED-PAYLOAD-TRAILER")).payload, {
      kind: "chunked",
      signed: false,
      trailer: true,
    });
  });

  test("refuses every change of what was signed", () => {
    const call = signedCall();
    const changes: Call[] = [
      { ...call, method: "GET" },
      { ...call, target: "/b/k2?x=1" },
      { ...call, target: "/b/k?x=2" },
      { ...call, target: "/b/k?x=1&acl" },
      { ...call, target: "/b/k?x=1&X-Amz-Foo=1" },
      { ...call, target: "/b/./k?x=1" },
      { ...call, target: "/b//k?x=1" },
      withHeader(call, "host", () => "h:9001"),
      withHeader(call, "x-amz-content-sha256", () => "0".repeat(64)),
      withHeader(call, "authorization", (value) => value.slice(0, -1)),
      withHeader(call, "authorization", (value) => `${value}0`),
      withHeader(call, "authorization", (value) =>
        value.replace(/.$/, (end) => (end === "0" ? "1" : "0")),
      ),
      withHeader(call, "authorization", (value) =>
        value.replace(/[0-9a-f]{64}$/, (signature) => signature.toUpperCase()),
      ),
      withHeader(call, "authorization", (value) => value.replace("eu-1", "eu-2")),
      withHeader(call, "x-amz-date", () => formatAmzDate(NOW_MS - 1000)),
    ];
    for (const changed of changes) {
      const error = expectS3Error("SignatureDoesNotMatch", () =>
        verify(changed, { strictRegion: false }),
      );
      const details = new Map(error.details);
      assert.match(details.get("StringToSign") ?? "", /^AWS4-HMAC-SHA256\n2026/);
      assert.match(details.get("CanonicalRequest") ?? "", /^(PUT|GET)\n\/b/);
      assert.equal(details.has("SignatureProvided"), true);
    }
    expectS3Error("SignatureDoesNotMatch", () => verify(call, { secret: "other" }));
    expectS3Error("SignatureDoesNotMatch", () => verify(call, { secret: "" }));
  });

  test("refuses scopes of another date, region, service or terminal", () => {
    const scope = (from: string, to: string): Call =>
      withHeader(signedCall(), "authorization", (value) => value.replace(from, to));
    expectS3Error("AuthorizationHeaderMalformed", () => verify(scope("/20260131/", "/20260130/")));
    expectS3Error("AuthorizationHeaderMalformed", () => verify(scope("/s3/", "/iam/")));
    expectS3Error("AuthorizationHeaderMalformed", () => verify(scope("aws4_request", "aws5")));
    const error = expectS3Error("AuthorizationHeaderMalformed", () =>
      verify(signedCall(), { region: "us-east-1" }),
    );
    assert.deepEqual(error.details, [["Region", "us-east-1"]]);
    assert.match(error.message, /'eu-1' is wrong; expecting 'us-east-1'/);
    verify(signedCall(), { region: "us-east-1", strictRegion: false });
  });

  test("allows fifteen minutes of skew either way, no more", () => {
    const call = signedCall();
    for (const sign of [-1, 1]) {
      verify(call, { nowMs: NOW_MS + sign * 15 * MINUTE_MS });
      const error = expectS3Error("RequestTimeTooSkewed", () =>
        verify(call, { nowMs: NOW_MS + sign * (15 * MINUTE_MS + 1) }),
      );
      assert.equal(new Map(error.details).get("MaxAllowedSkewMilliseconds"), "900000");
    }
  });

  test("refuses unsigned host and x-amz- headers, allows others", () => {
    const call = signedCall();
    const added: Call = { ...call, headers: [...call.headers, ["x-amz-acl", "public-read"]] };
    const error = expectS3Error("AccessDenied", () => verify(added));
    assert.deepEqual(error.details, [["HeadersNotSigned", "x-amz-acl"]]);
    const noHost = withHeader(call, "authorization", (value) => value.replace("=host;", "="));
    assert.match(expectS3Error("AccessDenied", () => verify(noHost)).message, /not signed/);
    verify({ ...call, headers: [...call.headers, ["User-Agent", "x"], ["Range", "bytes=0-1"]] });
  });

  test("needs a date and a payload hash", () => {
    const without = (name: string): Call => {
      const call = signedCall();
      return { ...call, headers: call.headers.filter(([field]) => field.toLowerCase() !== name) };
    };
    expectS3Error("AccessDenied", () => verify(without("x-amz-date")));
    expectS3Error("InvalidRequest", () => verify(without("x-amz-content-sha256")));
    for (const date of ["", "20260131", "2026-01-31T23:59:30Z", "20260231T000000Z", "yesterday"]) {
      const call = withHeader(signedCall(), "x-amz-date", () => date);
      expectS3Error("AccessDenied", () => verify(call));
    }
  });

  test("takes the Date header where there is no x-amz-date", () => {
    const date = formatHttpDate(NOW_MS);
    const headers: HeaderField[] = [
      ["Host", "h"],
      ["Date", date],
      ["x-amz-content-sha256", "UNSIGNED-PAYLOAD"],
    ];
    const canonical =
      `GET\n/\n\ndate:${date}\nhost:h\nx-amz-content-sha256:UNSIGNED-PAYLOAD\n\n` +
      "date;host;x-amz-content-sha256\nUNSIGNED-PAYLOAD";
    const digest = createHash("sha256").update(canonical).digest("hex");
    const text = `AWS4-HMAC-SHA256\n20260131T235930Z\n20260131/eu-1/s3/aws4_request\n${digest}`;
    const key = deriveSigningKey(SECRET, { date: "20260131", region: "eu-1", service: "s3" });
    const signature = createHmac("sha256", key).update(text).digest("hex");
    headers.push([
      "Authorization",
      "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260131/eu-1/s3/aws4_request, " +
        `SignedHeaders=date;host;x-amz-content-sha256, Signature=${signature}`,
    ]);
    assert.equal(verify({ method: "GET", target: "/", headers }).amzDate, "20260131T235930Z");
  });

  test("an encoded slash may be signed either way", () => {
    const call: Call = { ...BASE, target: "/b/a%2Fb" };
    verify(signedCall("UNSIGNED-PAYLOAD", call));
    const plain = signHeaders({ ...BASE, target: "/b/a/b" }, IDENTITY, "UNSIGNED-PAYLOAD");
    verify({ ...call, headers: plain.headers });
  });

  test("payload hashes", () => {
    assert.deepEqual(parsePayloadHash("STREAMING-AWS4-HMAC-SHA256-PAYLOAD"), {
      kind: "chunked",
      signed: true,
      trailer: false,
    });
    for (const bad of ["", "unsigned-payload", "0".repeat(63), "g".repeat(64), "STREAMING-X"]) {
      expectS3Error("InvalidArgument", () => verify(signedCall(bad)));
    }
    expectS3Error("NotImplemented", () =>
      parsePayloadHash("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"),
    );
  });
});

describe("verification of presigned URLs", () => {
  const call = { ...BASE, target: presign(BASE, IDENTITY, 3600) };

  test("within its life", () => {
    assert.equal(verify(call).payload.kind, "unsigned");
    verify(call, { nowMs: NOW_MS + 3600_000 });
    verify(call, { nowMs: NOW_MS - 15 * MINUTE_MS });
  });

  test("refuses expired and future URLs", () => {
    const late = expectS3Error("AccessDenied", () => verify(call, { nowMs: NOW_MS + 3600_001 }));
    assert.equal(late.message, "Request has expired");
    assert.deepEqual(
      late.details.map(([name]) => name),
      ["X-Amz-Expires", "Expires", "ServerTime"],
    );
    const early = expectS3Error("AccessDenied", () =>
      verify(call, { nowMs: NOW_MS - 15 * MINUTE_MS - 1 }),
    );
    assert.match(early.message, /not yet valid/);
  });

  test("refuses a swapped method, added, dropped or changed parameters", () => {
    expectS3Error("SignatureDoesNotMatch", () => verify({ ...call, method: "GET" }));
    for (const [from, to] of [
      ["x=1", "x=2"],
      ["x=1&", ""],
      ["X-Amz-Expires=3600", "X-Amz-Expires=7200"],
      ["&X-Amz-Signature", "&acl&X-Amz-Signature"],
      ["/b/k", "/b/K"],
    ] as const) {
      const target = call.target.replace(from, to);
      assert.notEqual(target, call.target);
      expectS3Error("SignatureDoesNotMatch", () => verify({ ...call, target }));
    }
    expectS3Error("AuthorizationQueryParametersError", () =>
      verify({ ...call, target: call.target.replace("X-Amz-Date=2026", "X-Amz-Date=x") }),
    );
    expectS3Error("AuthorizationQueryParametersError", () => verify(call, { region: "x" }));
  });

  test("refuses x-amz- headers that were not signed", () => {
    const headers: HeaderField[] = [...BASE.headers, ["x-amz-acl", "public-read"]];
    expectS3Error("AccessDenied", () => verify({ ...call, headers }));
    verify({ ...call, headers, target: presign({ ...BASE, headers }, IDENTITY, 60) });
  });

  test("takes the payload hash from the query or a signed header, not from both", () => {
    const hash = "0".repeat(64);
    const headers: HeaderField[] = [...BASE.headers, ["x-amz-content-sha256", hash]];
    const inQuery = { ...BASE, target: `/b/k?X-Amz-Content-Sha256=${hash}` };
    // The documented canonical request ends with the value itself.
    expectS3Error("SignatureDoesNotMatch", () =>
      verify({ ...BASE, target: presign(inQuery, IDENTITY, 60) }),
    );
    const unsigned = { ...BASE, target: "/b/k?X-Amz-Content-Sha256=UNSIGNED-PAYLOAD" };
    verify({ ...BASE, target: presign(unsigned, IDENTITY, 60) });
    expectS3Error("AuthorizationQueryParametersError", () =>
      verify({ ...BASE, headers, target: presign({ ...unsigned, headers }, IDENTITY, 60) }),
    );
  });
});

describe("signing keys", () => {
  test("the cache gives the derived key and stays bounded", () => {
    const cache = new SigningKeyCache(2);
    const scope = { date: "20260131", region: "eu-1", service: "s3" };
    for (const secret of ["a", "b", "a", "c", "a"]) {
      assert.deepEqual(cache.get(secret, scope), deriveSigningKey(secret, scope));
    }
    assert.equal(cache.size, 2);
    assert.notDeepEqual(cache.get("a", { ...scope, region: "eu-2" }), cache.get("a", scope));
    const signingKeys = new SigningKeyCache(10);
    verify(signedCall(), { signingKeys });
    verify(signedCall(), { signingKeys });
    expectS3Error("SignatureDoesNotMatch", () =>
      verify(signedCall(), { signingKeys, secret: "x" }),
    );
  });
});

const text = fc
  .string({ unit: "binary", minLength: 1, maxLength: 30 })
  .filter((value) => value.isWellFormed());
const headerValue = fc.stringMatching(/^[\x21-\x7e]([\x20-\x7e]{0,20}[\x21-\x7e])?$/);
const requests = fc.record({
  method: fc.constantFrom("GET", "PUT", "POST", "DELETE", "HEAD"),
  key: text,
  query: fc.array(fc.tuple(text, text), { maxLength: 4 }),
  meta: headerValue,
});

describe("oracles", () => {
  class Sha256 {
    readonly #hash;
    constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
      const key = typeof secret === "string" ? secret : toBuffer(secret);
      this.#hash = key === undefined ? createHash("sha256") : createHmac("sha256", key);
    }
    update(data: string | Uint8Array): void {
      this.#hash.update(data);
    }
    async digest(): Promise<Uint8Array> {
      return this.#hash.digest();
    }
    reset(): void {
      throw new Error("not used");
    }
  }

  function toBuffer(data: ArrayBuffer | ArrayBufferView | undefined): Buffer | undefined {
    if (data === undefined) return undefined;
    return ArrayBuffer.isView(data)
      ? Buffer.from(data.buffer, data.byteOffset, data.byteLength)
      : Buffer.from(data);
  }

  const smithy = new SignatureV4({
    credentials: { accessKeyId: IDENTITY.accessKeyId, secretAccessKey: SECRET },
    region: "eu-1",
    service: "s3",
    sha256: Sha256,
    uriEscapePath: false,
  });

  function encodeQuery(pairs: readonly (readonly [string, string])[]): string {
    return pairs
      .map(([name, value]) => `${uriEncode(name, false)}=${uriEncode(value, false)}`)
      .join("&");
  }

  test("the AWS SDK's signer, headers and presigned", async () => {
    await fc.assert(
      fc.asyncProperty(requests, fc.boolean(), async ({ method, key, query, meta }, inQuery) => {
        // The SDK holds queries as objects: names once, in its own order.
        const pairs = [...new Map(query.filter(([name]) => name !== "__proto__"))];
        const path = `/b/${uriEncode(key, true)}`;
        const request = {
          method,
          protocol: "http:",
          hostname: "h",
          port: 9000,
          path,
          query: Object.fromEntries(pairs),
          headers: {
            host: "h:9000",
            "x-amz-meta-a": meta,
            "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
          },
        };
        const signingDate = new Date(NOW_MS);
        const signed = inQuery
          ? await smithy.presign(request, {
              signingDate,
              expiresIn: 100,
              unhoistableHeaders: new Set(["x-amz-meta-a", "x-amz-content-sha256"]),
            })
          : await smithy.sign(request, { signingDate });
        const sent = Object.entries(signed.query ?? {}).map(
          ([name, value]) => [name, String(value)] as const,
        );
        verify({
          method,
          target: `${path}?${encodeQuery(sent)}`,
          headers: Object.entries(signed.headers),
        });
      }),
      { numRuns: 60 },
    );
  });

  test("npm aws4, headers", () => {
    fc.assert(
      fc.property(requests, ({ method, key, query, meta }) => {
        const path = `/b/${uriEncode(key, true)}?${encodeQuery(query)}`;
        const signed = aws4.sign(
          {
            host: "h",
            method,
            path,
            service: "s3",
            region: "eu-1",
            headers: { "X-Amz-Date": formatAmzDate(NOW_MS), "x-amz-meta-a": meta },
          },
          { accessKeyId: IDENTITY.accessKeyId, secretAccessKey: SECRET },
        );
        // aws4 drops dot segments of S3 paths from what it signs; S3 does not.
        fc.pre(!/(^|\/)\.{0,2}(\/|$)/.test(key) && new Map(query).size === query.length);
        verify({ method, target: signed.path, headers: Object.entries(signed.headers) });
      }),
      { numRuns: 100 },
    );
  });

  test("our own signer round trips, and any flipped character of it is refused", () => {
    fc.assert(
      fc.property(requests, fc.nat(63), ({ method, key, query, meta }, position) => {
        const target = `/b/${uriEncode(key, true)}?${encodeQuery(query)}`;
        const call: Call = { method, target, headers: [...BASE.headers, ["x-amz-meta-a", meta]] };
        const signed = signedCall("UNSIGNED-PAYLOAD", call);
        verify(signed);
        const changed = withHeader(signed, "authorization", (value) => {
          const index = value.length - 64 + position;
          const digit = value.charAt(index) === "f" ? "e" : "f";
          return value.slice(0, index) + digit + value.slice(index + 1);
        });
        expectS3Error("SignatureDoesNotMatch", () => verify(changed));
      }),
    );
  });
});
