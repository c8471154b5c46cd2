// Cross-origin requests. Actions: PutBucketCors, GetBucketCors, DeleteBucketCors; preflights and
// the headers of actual answers, good and bad.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { HeaderField } from "../../services/lib/s3/headers.ts";
import { type Answer, Caller, pathOf, textAt } from "./caller.ts";
import { makeBucket, newBucketName, startCluster, type TestCluster } from "./harness.ts";

const RULES =
  '<CORSConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">' +
  "<CORSRule><AllowedOrigin>https://*.example.org</AllowedOrigin><AllowedMethod>PUT</AllowedMethod>" +
  "<AllowedMethod>GET</AllowedMethod><AllowedHeader>x-amz-*</AllowedHeader>" +
  "<AllowedHeader>Content-Type</AllowedHeader><ExposeHeader>ETag</ExposeHeader>" +
  "<MaxAgeSeconds>600</MaxAgeSeconds></CORSRule>" +
  "<CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule>" +
  "</CORSConfiguration>";
const APP = "https://app.example.org";

let cluster: TestCluster;
let s3: Caller;
let bucket: string;

before(async () => {
  cluster = await startCluster();
  s3 = new Caller(cluster);
  bucket = await makeBucket(s3);
  const put = await s3.call({ method: "PUT", target: `/${bucket}?cors`, body: RULES });
  assert.equal(put.status, 200, put.text);
  await s3.put(bucket, "key", "content");
});
after(() => cluster.stop());

async function preflight(target: string, ...headers: readonly HeaderField[]): Promise<Answer> {
  return s3.call({ method: "OPTIONS", target, headers, sign: false });
}

test("rules are put, read back and deleted", async () => {
  const own = await makeBucket(s3);
  const target = `/${own}?cors`;
  assert.equal((await s3.call({ target })).code, "NoSuchCORSConfiguration");
  assert.equal((await s3.call({ method: "PUT", target, body: RULES })).status, 200);
  const document = (await s3.call({ target })).xml();
  assert.equal(document.name, "CORSConfiguration");
  assert.equal(document.children.length, 2);
  assert.equal(textAt(document, "CORSRule", "MaxAgeSeconds"), "600");
  assert.equal((await s3.call({ method: "DELETE", target })).status, 204);
  assert.equal((await s3.call({ target })).code, "NoSuchCORSConfiguration");
});

for (const [what, body, code] of [
  ["no rules", "<CORSConfiguration/>", "MalformedXML"],
  [
    "an unknown method",
    "<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin>" +
      "<AllowedMethod>PATCH</AllowedMethod></CORSRule></CORSConfiguration>",
    "InvalidRequest",
  ],
] as const) {
  test(`refuses ${what}`, async () => {
    const own = await makeBucket(s3);
    const answer = await s3.call({ method: "PUT", target: `/${own}?cors`, body });
    assert.equal(answer.code, code);
    assert.equal((await s3.call({ target: `/${own}?cors` })).code, "NoSuchCORSConfiguration");
  });
}

test("a preflight without credentials is told what is allowed", async () => {
  const answer = await preflight(
    pathOf(bucket, "key"),
    ["Origin", APP],
    ["Access-Control-Request-Method", "PUT"],
    ["Access-Control-Request-Headers", "X-Amz-Date, content-type"],
  );
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.body.byteLength, 0);
  assert.equal(answer.headers.get("access-control-allow-origin"), APP);
  assert.match(answer.headers.get("access-control-allow-methods") ?? "", /PUT/);
  assert.match(answer.headers.get("access-control-allow-headers") ?? "", /x-amz-date/);
  assert.equal(answer.headers.get("access-control-max-age"), "600");
  assert.equal(answer.headers.get("access-control-expose-headers"), "ETag");
  assert.match(answer.headers.get("vary") ?? "", /Origin/);
});

test("a preflight of what no rule allows is forbidden", async () => {
  const cases: readonly (readonly HeaderField[])[] = [
    [
      ["Origin", "https://example.com"],
      ["Access-Control-Request-Method", "PUT"],
    ],
    [
      ["Origin", APP],
      ["Access-Control-Request-Method", "DELETE"],
    ],
    [
      ["Origin", APP],
      ["Access-Control-Request-Method", "PUT"],
      ["Access-Control-Request-Headers", "x-other"],
    ],
  ];
  for (const headers of cases) {
    const answer = await preflight(pathOf(bucket, "key"), ...headers);
    assert.equal(answer.status, 403);
    assert.equal(answer.code, "AccessForbidden");
    assert.equal(answer.headers.get("access-control-allow-origin"), undefined);
  }
});

test("a preflight that is none, or of a bucket without rules, is refused", async () => {
  const target = `/${bucket}`;
  const noOrigin = await preflight(target, ["Access-Control-Request-Method", "GET"]);
  assert.equal(noOrigin.code, "BadRequest");
  const noMethod = await preflight(target, ["Origin", APP]);
  assert.equal(noMethod.code, "BadRequest");
  const asked = [
    ["Origin", APP],
    ["Access-Control-Request-Method", "GET"],
  ] as const;
  assert.equal((await preflight(`/${await makeBucket(s3)}`, ...asked)).code, "AccessForbidden");
  assert.equal((await preflight(`/${newBucketName()}`, ...asked)).code, "NoSuchBucket");
  assert.equal((await preflight("/", ...asked)).code, "AccessForbidden");
});

test("actual answers carry the headers of the first rule that fits", async () => {
  const target = pathOf(bucket, "key");
  const own = await s3.call({ target, headers: [["Origin", APP]] });
  assert.equal(own.text, "content");
  assert.equal(own.headers.get("access-control-allow-origin"), APP);
  assert.equal(own.headers.get("access-control-allow-credentials"), "true");
  assert.equal(own.headers.get("access-control-expose-headers"), "ETag");
  const any = await s3.call({ target, headers: [["Origin", "https://example.com"]] });
  assert.equal(any.headers.get("access-control-allow-origin"), "*");
  assert.equal(any.headers.get("access-control-allow-credentials"), undefined);
  const put = await s3.call({
    method: "PUT",
    target,
    headers: [["Origin", "https://example.com"]],
    body: "content",
  });
  assert.equal(put.status, 200);
  assert.equal(put.headers.get("access-control-allow-origin"), undefined);
  assert.match(put.headers.get("vary") ?? "", /Origin/);
});

test("errors carry them too, so that a page can read why", async () => {
  const headers = [["Origin", APP]] as const;
  const missing = await s3.call({ target: pathOf(bucket, "missing"), headers });
  assert.equal(missing.code, "NoSuchKey");
  assert.equal(missing.headers.get("access-control-allow-origin"), APP);
  const anonymous = await s3.call({ target: pathOf(bucket, "key"), headers, sign: false });
  assert.equal(anonymous.code, "AccessDenied");
  assert.equal(anonymous.headers.get("access-control-allow-origin"), APP);
});

test("requests of no origin, and to buckets without rules, get none", async () => {
  const plain = await s3.call({ target: pathOf(bucket, "key") });
  assert.equal(plain.headers.get("access-control-allow-origin"), undefined);
  const other = await makeBucket(s3);
  const answer = await s3.call({ target: `/${other}`, headers: [["Origin", APP]] });
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get("access-control-allow-origin"), undefined);
  const gone = await s3.call({ target: `/${newBucketName()}`, headers: [["Origin", APP]] });
  assert.equal(gone.code, "NoSuchBucket");
});
