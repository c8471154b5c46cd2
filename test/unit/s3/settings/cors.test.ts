// Cross-origin rules: the documents of the user guide, preflights and actual requests against them.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  answerPreflight,
  type CorsRule,
  corsDocument,
  corsResponseHeaders,
  parseCors,
  parsePreflight,
} from "../../../../services/lib/s3/settings/cors.ts";
import { expectS3Error } from "../expect-s3-error.ts";
import { body } from "./bodies.ts";

const VARY = ["Vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"];

function cors(...rules: string[]): Uint8Array {
  const inner = rules.map((rule) => `<CORSRule>${rule}</CORSRule>`).join("");
  return body(`<CORSConfiguration>${inner}</CORSConfiguration>`);
}

/** The two rules with which the user guide begins, and one with all elements. */
const GUIDE = cors(
  "<AllowedOrigin>http://www.example1.com</AllowedOrigin><AllowedMethod>PUT</AllowedMethod>" +
    "<AllowedMethod>POST</AllowedMethod><AllowedMethod>DELETE</AllowedMethod>" +
    "<AllowedHeader>*</AllowedHeader><MaxAgeSeconds>3000</MaxAgeSeconds>" +
    "<ExposeHeader>x-amz-server-side-encryption</ExposeHeader>" +
    "<ExposeHeader>ETag</ExposeHeader><ID>first</ID>",
  "<AllowedOrigin>http://*.example2.com</AllowedOrigin><AllowedMethod>PUT</AllowedMethod>" +
    "<AllowedHeader>x-amz-*</AllowedHeader><AllowedHeader>Range</AllowedHeader>",
  "<AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>",
);

describe("documents", () => {
  test("go round", () => {
    const rules = parseCors(GUIDE);
    assert.equal(rules.length, 3);
    assert.deepEqual(parseCors(body(corsDocument(rules))), rules);
    assert.equal(rules[0]?.id, "first");
    assert.equal(rules[0]?.maxAgeSeconds, 3000);
  });

  test("refuses what breaks the schema", () => {
    const origin = "<AllowedOrigin>*</AllowedOrigin>";
    const method = "<AllowedMethod>GET</AllowedMethod>";
    for (const bytes of [
      cors(),
      cors(origin),
      cors(method),
      cors(`${origin}${method}<MaxAgeSeconds>-1</MaxAgeSeconds>`),
      cors(`${origin}${method}<MaxAgeSeconds>2147483648</MaxAgeSeconds>`),
      cors(`${origin}${method}<Other/>`),
      cors(`${origin}${method}<AllowedOrigin></AllowedOrigin>`),
    ]) {
      expectS3Error("MalformedXML", () => parseCors(bytes));
    }
    const rule = origin + method;
    assert.equal(parseCors(cors(...Array<string>(100).fill(rule))).length, 100);
    for (const bytes of [
      cors(...Array<string>(101).fill(rule)),
      cors(`${origin}<AllowedMethod>PATCH</AllowedMethod>`),
      cors(`${origin}<AllowedMethod>get</AllowedMethod>`),
      cors(`${method}<AllowedOrigin>http://*.*.com</AllowedOrigin>`),
      cors(`${method}<AllowedOrigin>a b</AllowedOrigin>`),
      cors(`${rule}<AllowedHeader>x-*-*</AllowedHeader>`),
      cors(`${rule}<AllowedHeader>a:b</AllowedHeader>`),
      cors(`${rule}<ExposeHeader>x-amz-*</ExposeHeader>`),
      cors(`${rule}<ExposeHeader>a b</ExposeHeader>`),
      cors(`${rule}<ID>${"i".repeat(256)}</ID>`),
    ]) {
      expectS3Error("InvalidRequest", () => parseCors(bytes));
    }
  });
});

describe("preflight", () => {
  const rules = parseCors(GUIDE);
  const ask = (
    origin: string | undefined,
    requestMethod: string | undefined,
    requestHeaders?: string,
    against: readonly CorsRule[] | undefined = rules,
  ) =>
    answerPreflight(against, parsePreflight({ origin, requestMethod, requestHeaders }), "OBJECT");

  test("the first matching rule answers", () => {
    assert.deepEqual(ask("http://www.example1.com", "PUT", "Content-MD5, x-any"), [
      ["Access-Control-Allow-Origin", "http://www.example1.com"],
      ["Access-Control-Allow-Methods", "PUT, POST, DELETE"],
      ["Access-Control-Expose-Headers", "x-amz-server-side-encryption, ETag"],
      ["Access-Control-Allow-Credentials", "true"],
      ["Access-Control-Allow-Headers", "content-md5, x-any"],
      ["Access-Control-Max-Age", "3000"],
      VARY,
    ]);
    assert.deepEqual(ask("http://anywhere", "GET"), [
      ["Access-Control-Allow-Origin", "*"],
      ["Access-Control-Allow-Methods", "GET"],
      VARY,
    ]);
    const [allowed] = ask("http://a.example2.com", "PUT", "X-Amz-Date,range,");
    assert.deepEqual(allowed, ["Access-Control-Allow-Origin", "http://a.example2.com"]);
  });

  test("refuses other origins, methods and headers", () => {
    for (const call of [
      () => ask("http://www.example1.com.evil", "PUT"),
      () => ask("https://www.example1.com", "PUT"),
      () => ask("http://example2.com", "PUT"),
      () => ask("http://www.example1.com", "HEAD"),
      () => ask("http://a.example2.com", "PUT", "x-amz-date, cookie"),
      () => ask("http://anywhere", "GET", "range"),
      () => ask("http://anywhere", "GET", "a b"),
      () => ask("http://www.example1.com", "PUT", "a b"),
      () => answerPreflight(undefined, { origin: "o", method: "GET", headers: [] }, "BUCKET"),
    ]) {
      assert.equal(expectS3Error("AccessForbidden", call).status, 403);
    }
    for (const [origin, method] of [
      [undefined, "GET"],
      ["", "GET"],
      ["http://a\r\nb", "GET"],
      ["http://a", undefined],
      ["http://a", "get"],
      ["http://a", "OPTIONS"],
    ] as const) {
      expectS3Error("BadRequest", () => ask(origin, method));
    }
  });

  test("a wildcard stands for any text, also none, but not for less than its ends", () => {
    const one = (pattern: string): readonly CorsRule[] =>
      parseCors(
        cors(`<AllowedOrigin>${pattern}</AllowedOrigin><AllowedMethod>GET</AllowedMethod>`),
      );
    ask("http://ab", "GET", "", one("http://a*b"));
    ask("http://aXXb", "GET", "", one("http://a*b"));
    expectS3Error("AccessForbidden", () => ask("aba", "GET", "", one("ab*ba")));
    expectS3Error("AccessForbidden", () => ask("http://aXc", "GET", "", one("http://a*b")));
  });
});

describe("actual requests", () => {
  const rules = parseCors(GUIDE);

  test("get the headers of the rule, or only Vary", () => {
    assert.deepEqual(corsResponseHeaders(rules, "http://x.example2.com", "PUT"), [
      ["Access-Control-Allow-Origin", "http://x.example2.com"],
      ["Access-Control-Allow-Methods", "PUT"],
      ["Access-Control-Allow-Credentials", "true"],
      VARY,
    ]);
    for (const [origin, method] of [
      [undefined, "GET"],
      ["http://x.example3.com", "PUT"],
      ["http://x\n", "GET"],
    ] as const) {
      assert.deepEqual(corsResponseHeaders(rules, origin, method), [VARY]);
    }
  });
});
