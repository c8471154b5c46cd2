// Two independent signers, npm aws4 and the one of the AWS SDK, as oracles over random requests.
import { createHash, createHmac } from "node:crypto";
import { describe, test } from "node:test";
import { SignatureV4 } from "@smithy/signature-v4";
import aws4 from "aws4";
import fc from "fast-check";
import { formatAmzDate } from "../../../services/lib/s3/http-date.ts";
import { uriEncode } from "../../../services/lib/s3/uri-encoding.ts";
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

const text = fc
  .string({ unit: "binary", minLength: 1, maxLength: 30 })
  .filter((value) => value.isWellFormed());
const headerValue = fc.stringMatching(/^[\x21-\x7e]([\x20-\x7e]{0,20}[\x21-\x7e])?$/);
/** Both signers keep parameters in plain objects, which have no place for this name. */
const parameterName = text.filter((name) => name !== "__proto__");
const requests = fc.record({
  method: fc.constantFrom("GET", "PUT", "POST", "DELETE", "HEAD"),
  key: text,
  query: fc.array(fc.tuple(parameterName, text), { maxLength: 4 }),
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
        const pairs = [...new Map(query)];
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
