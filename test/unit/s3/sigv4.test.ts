// Verification of signatures, in headers and presigned URLs: whatever was signed cannot be changed,
// and nothing that matters may be left unsigned (groups A2 and A4 of the security page).
import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { describe, test } from "node:test";
import type { HeaderField } from "../../../services/lib/s3/headers.ts";
import { formatAmzDate, formatHttpDate } from "../../../services/lib/s3/http-date.ts";
import { parsePayloadHash } from "../../../services/lib/s3/sigv4/payload-hash.ts";
import { presign, signHeaders } from "../../../services/lib/s3/sigv4/sign.ts";
import { deriveSigningKey, SigningKeyCache } from "../../../services/lib/s3/sigv4/signing-key.ts";
import { expectS3Error } from "./expect-s3-error.ts";
import {
  BASE,
  type Call,
  IDENTITY,
  NOW_MS,
  SECRET,
  signedCall,
  verify,
  withHeader,
} from "./signed-calls.ts";

const MINUTE_MS = 60_000;

/** Signature over a canonical request written out in a test. */
function signByHand(canonical: string): string {
  const digest = createHash("sha256").update(canonical).digest("hex");
  const text = `AWS4-HMAC-SHA256\n20260131T235930Z\n20260131/eu-1/s3/aws4_request\n${digest}`;
  const key = deriveSigningKey(SECRET, { date: "20260131", region: "eu-1", service: "s3" });
  return createHmac("sha256", key).update(text).digest("hex");
}

function authorization(names: string, signature: string): string {
  return (
    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260131/eu-1/s3/aws4_request, " +
    `SignedHeaders=${names}, Signature=${signature}`
  );
}

/** Headers of BASE, signed over a canonical path given as it is. */
function signByForm(path: string): HeaderField[] {
  const names = "host;x-amz-content-sha256;x-amz-date";
  const signature = signByHand(
    `PUT\n${path}\n\nhost:h:9000\nx-amz-content-sha256:UNSIGNED-PAYLOAD\n` +
      `x-amz-date:20260131T235930Z\n\n${names}\nUNSIGNED-PAYLOAD`,
  );
  return [
    ...BASE.headers,
    ["x-amz-content-sha256", "UNSIGNED-PAYLOAD"],
    ["x-amz-date", "20260131T235930Z"],
    ["authorization", authorization(names, signature)],
  ];
}

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

  test("a request without a host is refused", () => {
    const call = signedCall("UNSIGNED-PAYLOAD", { ...BASE, headers: [] });
    const error = expectS3Error("AccessDenied", () => verify(call));
    assert.deepEqual(error.details, [["HeadersNotSigned", "host"]]);
  });

  test("runs of spaces count as one, in the order of names whatever the claim's", () => {
    const headers: HeaderField[] = [
      ["x-amz-meta-b", "1   2\t3"],
      ["Host", "h"],
      ["x-amz-date", "20260131T235930Z"],
      ["x-amz-content-sha256", "UNSIGNED-PAYLOAD"],
    ];
    const names = "x-amz-meta-b;host;x-amz-date;x-amz-content-sha256";
    const signature = signByHand(
      "GET\n/\n\nhost:h\nx-amz-content-sha256:UNSIGNED-PAYLOAD\nx-amz-date:20260131T235930Z\n" +
        `x-amz-meta-b:1 2 3\n\n${names}\nUNSIGNED-PAYLOAD`,
    );
    headers.push(["Authorization", authorization(names, signature)]);
    verify({ method: "GET", target: "/", headers });
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
    const signature = signByHand(canonical);
    headers.push(["Authorization", authorization("date;host;x-amz-content-sha256", signature)]);
    assert.equal(verify({ method: "GET", target: "/", headers }).amzDate, "20260131T235930Z");
  });

  test("a path may be signed as AWS encodes it, by segment, or as written", () => {
    const call: Call = { ...BASE, target: "/b/a%2Fb" };
    verify(signedCall("UNSIGNED-PAYLOAD", call));
    const written = signByHand(
      "GET\n/b/%c3%a9+!\n\nhost:h\nx-amz-content-sha256:UNSIGNED-PAYLOAD\n" +
        "x-amz-date:20260131T235930Z\n\nhost;x-amz-content-sha256;x-amz-date\nUNSIGNED-PAYLOAD",
    );
    const fields: HeaderField[] = [
      ["host", "h"],
      ["x-amz-content-sha256", "UNSIGNED-PAYLOAD"],
      ["x-amz-date", "20260131T235930Z"],
      ["authorization", authorization("host;x-amz-content-sha256;x-amz-date", written)],
    ];
    verify({ method: "GET", target: "/b/%c3%a9+!", headers: fields });
    expectS3Error("SignatureDoesNotMatch", () =>
      verify({ method: "GET", target: "/b/%C3%A9+!", headers: fields }),
    );
    const segments = { ...call, target: "/b/a%2fb" };
    verify({ ...segments, headers: signByForm("/b/a%2Fb") });
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
