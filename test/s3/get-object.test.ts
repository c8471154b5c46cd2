// GetObject and HeadObject, by their pages of the Amazon S3 API reference: ranges, parts,
// conditions, response overrides, and what HEAD leaves out.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { type Answer, Caller, pathOf } from "./caller.ts";
import { makeBucket, startCluster, type TestCluster } from "./harness.ts";
import { sendRaw } from "./raw-http.ts";

const SIZE = 250_000;
const BODY = randomBytes(SIZE);
const ETAG = `"${createHash("md5").update(BODY).digest("hex")}"`;

let cluster: TestCluster;
let s3: Caller;
let bucket: string;
let target: string;

before(async () => {
  cluster = await startCluster();
  s3 = new Caller(cluster);
  bucket = await makeBucket(s3);
  target = pathOf(bucket, "object");
  assert.equal((await s3.put(bucket, "object", BODY)).status, 200);
  assert.equal((await s3.put(bucket, "empty", "")).status, 200);
});
after(() => cluster.stop());

function range(value: string): Promise<Answer> {
  return s3.call({ target, headers: [["Range", value]] });
}

test("answers the headers of the object", async () => {
  const answer = await s3.call({ target });
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get("etag"), ETAG);
  assert.equal(answer.headers.get("accept-ranges"), "bytes");
  assert.equal(answer.headers.get("content-length"), String(SIZE));
  assert.equal(answer.headers.get("content-range"), undefined);
  assert.match(answer.headers.get("last-modified") ?? "", / GMT$/);
  assert.match(answer.headers.get("date") ?? "", / GMT$/);
});

test("HEAD answers the headers of GET and no body", async () => {
  const get = await s3.call({ target });
  const head = await s3.call({ method: "HEAD", target });
  assert.equal(head.status, 200);
  assert.equal(head.body.byteLength, 0);
  for (const name of ["etag", "content-length", "content-type", "last-modified", "accept-ranges"]) {
    assert.equal(head.headers.get(name), get.headers.get(name), name);
  }
});

test("HEAD of what is missing has no body either", async () => {
  for (const path of [pathOf(bucket, "missing"), "/no-such-bucket-here/key"]) {
    const bytes = s3.requestBytes({
      method: "HEAD",
      target: path,
      headers: [["Connection", "close"]],
    });
    const head = await sendRaw(cluster.endpoint, bytes, true);
    assert.equal(head.status, 404);
    assert.equal(head.body.byteLength, 0);
  }
});

const RANGES: readonly (readonly [string, number, number])[] = [
  ["bytes=0-0", 0, 0],
  ["bytes=0-99", 0, 99],
  ["bytes=99999-100001", 99_999, 100_001],
  ["bytes=249999-", 249_999, 249_999],
  ["bytes=100-999999999", 100, SIZE - 1],
  ["bytes=-1", SIZE - 1, SIZE - 1],
  ["bytes=-999999999", 0, SIZE - 1],
];
for (const [value, first, last] of RANGES) {
  test(`serves ${value}`, async () => {
    const answer = await range(value);
    assert.equal(answer.status, 206);
    assert.equal(answer.headers.get("content-range"), `bytes ${first}-${last}/${SIZE}`);
    assert.equal(answer.headers.get("content-length"), String(last - first + 1));
    assert.deepEqual(answer.body, BODY.subarray(first, last + 1));
    const head = await s3.call({ method: "HEAD", target, headers: [["Range", value]] });
    assert.equal(head.status, 206);
    assert.equal(head.headers.get("content-range"), `bytes ${first}-${last}/${SIZE}`);
  });
}

for (const value of [`bytes=${SIZE}-`, `bytes=${SIZE}-${SIZE + 1}`, "bytes=-0"]) {
  test(`answers 416 to ${value}`, async () => {
    const answer = await range(value);
    assert.equal(answer.status, 416);
    assert.equal(answer.code, "InvalidRange");
    assert.match(answer.text, new RegExp(`<ActualObjectSize>${SIZE}</ActualObjectSize>`));
  });
}

test("answers 416 to a range of an empty object", async () => {
  const headers = [["Range", "bytes=0-0"]] as const;
  assert.equal((await s3.call({ target: pathOf(bucket, "empty"), headers })).status, 416);
});

for (const value of ["bytes=5-4", "bytes=a-b", "lines=0-1", "bytes=0-1,5-6", "bytes=0x1-2", ""]) {
  test(`ignores the range ${JSON.stringify(value)}`, async () => {
    const answer = await range(value);
    assert.equal(answer.status, 200);
    assert.equal(answer.body.byteLength, SIZE);
  });
}

test("decides conditions before any byte", async () => {
  const past = "Thu, 01 Dec 1994 16:00:00 GMT";
  const future = "Fri, 01 Dec 2090 16:00:00 GMT";
  const cases: readonly (readonly [readonly (readonly [string, string])[], number])[] = [
    [[["If-Match", ETAG]], 200],
    [[["If-Match", '"other"']], 412],
    [[["If-Match", "*"]], 200],
    [[["If-None-Match", ETAG]], 304],
    [[["If-None-Match", '"other"']], 200],
    [[["If-None-Match", `"other", ${ETAG}`]], 304],
    [[["If-Modified-Since", past]], 200],
    [[["If-Modified-Since", future]], 304],
    [[["If-Unmodified-Since", past]], 412],
    [[["If-Unmodified-Since", future]], 200],
    [
      [
        ["If-Match", ETAG],
        ["If-Unmodified-Since", past],
      ],
      200,
    ],
    [
      [
        ["If-None-Match", '"other"'],
        ["If-Modified-Since", future],
      ],
      200,
    ],
    [[["If-Modified-Since", "no date"]], 200],
  ];
  for (const [headers, status] of cases) {
    const answer = await s3.call({ target, headers });
    assert.equal(answer.status, status, JSON.stringify(headers));
    if (status === 304) {
      assert.equal(answer.body.byteLength, 0);
      assert.equal(answer.headers.get("etag"), ETAG);
    }
    if (status === 412) assert.equal(answer.code, "PreconditionFailed");
    const head = await s3.call({ method: "HEAD", target, headers });
    assert.equal(head.status, status);
  }
});

test("evaluates conditions before the range", async () => {
  const headers = [
    ["If-None-Match", ETAG],
    ["Range", `bytes=${SIZE}-`],
  ] as const;
  assert.equal((await s3.call({ target, headers })).status, 304);
});

test("treats an object put at once as one part", async () => {
  const answer = await s3.call({ target: `${target}?partNumber=1` });
  assert.equal(answer.status, 206);
  assert.equal(answer.headers.get("content-range"), `bytes 0-${SIZE - 1}/${SIZE}`);
  assert.equal(answer.headers.get("x-amz-mp-parts-count"), undefined);
  const second = await s3.call({ target: `${target}?partNumber=2` });
  assert.equal(second.status, 416);
  assert.equal(second.code, "InvalidPartNumber");
});

test("refuses part numbers that are none, and a part with a range", async () => {
  for (const part of ["0", "10001", "1e1", "-1", "", "0x1", "9007199254740993"]) {
    const answer = await s3.call({ target: `${target}?partNumber=${part}` });
    assert.equal(answer.status, 400, part);
    assert.equal(answer.code, "InvalidArgument", part);
  }
  const headers = [["Range", "bytes=0-1"]] as const;
  const both = await s3.call({ target: `${target}?partNumber=1`, headers });
  assert.equal(both.status, 400);
  assert.equal(both.code, "InvalidRequest");
});

test("gives a checksum with the whole object only", async () => {
  const path = pathOf(bucket, "summed");
  const sum = createHash("sha256").update("summed").digest("base64");
  const put = { method: "PUT", target: path, body: "summed" };
  await s3.call({ ...put, headers: [["x-amz-checksum-sha256", sum]] });
  const mode = ["x-amz-checksum-mode", "ENABLED"] as const;
  for (const method of ["GET", "HEAD"]) {
    const whole = await s3.call({ method, target: path, headers: [mode] });
    assert.equal(whole.headers.get("x-amz-checksum-sha256"), sum);
    assert.equal(whole.headers.get("x-amz-checksum-type"), "FULL_OBJECT");
    const piece = await s3.call({ method, target: path, headers: [mode, ["Range", "bytes=0-1"]] });
    assert.equal(piece.headers.get("x-amz-checksum-sha256"), undefined);
    const plain = await s3.call({ method, target: path });
    assert.equal(plain.headers.get("x-amz-checksum-sha256"), undefined);
  }
});

test("overrides response headers of a signed request", async () => {
  const query =
    "response-content-type=text%2Fhtml&response-cache-control=no-store&response-expires=0";
  const answer = await s3.call({ target: `${target}?${query}` });
  assert.equal(answer.headers.get("content-type"), "text/html");
  assert.equal(answer.headers.get("cache-control"), "no-store");
  assert.equal(answer.headers.get("expires"), "0");
  const injected = await s3.call({ target: `${target}?response-content-type=a%0d%0ax-evil:1` });
  assert.equal(injected.status, 400);
  assert.equal(injected.headers.get("x-evil"), undefined);
});

test("answers missing objects and versions", async () => {
  const missing = await s3.get(bucket, "missing");
  assert.equal(missing.status, 404);
  assert.equal(missing.code, "NoSuchKey");
  assert.match(missing.text, /<Key>missing<\/Key>/);
  assert.match(missing.headers.get("content-type") ?? "", /application\/xml/);
  assert.equal((await s3.call({ target: `${target}?versionId=null` })).status, 200);
  const version = await s3.call({ target: `${target}?versionId=${"0".repeat(32)}` });
  assert.equal(version.status, 404);
  assert.equal(version.code, "NoSuchVersion");
  for (const id of ["", "abc"]) {
    const refused = await s3.call({ target: `${target}?versionId=${id}` });
    assert.equal(refused.code, "InvalidArgument", id);
  }
  assert.equal((await s3.get("no-such-bucket-here", "key")).code, "NoSuchBucket");
});

test("serves a presigned URL, and not an expired or a changed one", async () => {
  const host = new URL(cluster.endpoint).host;
  const fetchAt = (path: string): ReturnType<typeof sendRaw> =>
    sendRaw(cluster.endpoint, `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  const good = await fetchAt(s3.presign({ target }));
  assert.equal(good.status, 200);
  assert.deepEqual(good.body, BODY);
  const expired = await fetchAt(s3.presign({ target, nowMs: Date.now() - 7_200_000 }, 3600));
  assert.equal(expired.status, 403);
  assert.match(expired.text, /Request has expired/);
  const added = await fetchAt(`${s3.presign({ target })}&response-content-type=text/html`);
  assert.equal(added.status, 403);
  assert.match(added.text, /SignatureDoesNotMatch/);
});
