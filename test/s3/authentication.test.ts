// Who may ask: header signatures, chunked bodies, anonymous requests, other users. Refusals carry
// AWS's codes, and nothing is told to a caller who may not know it.
import assert from "node:assert/strict";
import { createHash, createHmac, randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { crc32 } from "node:zlib";
import { Caller, headBytes, pathOf, toAnswer } from "./caller.ts";
import { makeBucket, startCluster, type TestCluster } from "./harness.ts";
import { sendRaw } from "./raw-http.ts";

let cluster: TestCluster;
let s3: Caller;
let bucket: string;

before(async () => {
  cluster = await startCluster();
  s3 = new Caller(cluster);
  bucket = await makeBucket(s3);
  await s3.put(bucket, "object", "content");
});
after(() => cluster.stop());

test("denies anonymous requests, whatever they ask for", async () => {
  const calls = [
    { target: "/" },
    { target: `/${bucket}` },
    { target: pathOf(bucket, "object") },
    { target: pathOf(bucket, "missing") },
    { target: `/${bucket}?policy` },
    { method: "PUT", target: pathOf(bucket, "new"), body: "x" },
    { method: "DELETE", target: pathOf(bucket, "object") },
  ];
  for (const call of calls) {
    const answer = await s3.call({ ...call, sign: false });
    assert.equal(answer.status, 403, JSON.stringify(call));
    assert.equal(answer.code, "AccessDenied");
  }
  const body = "<Delete><Object><Key>object</Key></Object></Delete>";
  const headers = [["Content-MD5", createHash("md5").update(body).digest("base64")]] as const;
  const many = { method: "POST", target: `/${bucket}?delete`, body, headers, sign: false };
  assert.match((await s3.call(many)).text, /<Key>object<\/Key><Code>AccessDenied<\/Code>/);
  // That there is no such bucket is told to everybody.
  const nowhere = await s3.call({ target: "/no-such-bucket-here/key", sign: false });
  assert.equal(nowhere.code, "NoSuchBucket");
  assert.equal((await s3.get(bucket, "object")).text, "content");
});

test("denies before it evaluates conditions", async () => {
  const headers = [["If-Modified-Since", "Fri, 01 Dec 2090 16:00:00 GMT"]] as const;
  const answer = await s3.call({ target: pathOf(bucket, "object"), headers, sign: false });
  assert.equal(answer.status, 403);
});

test("refuses an unknown access key and a wrong secret", async () => {
  const target = pathOf(bucket, "object");
  const unknown = new Caller({ ...cluster, accessKeyId: "NOSUCHKEY" });
  const first = await unknown.call({ target });
  assert.equal(first.status, 403);
  assert.equal(first.code, "InvalidAccessKeyId");
  const wrong = new Caller({ ...cluster, secretAccessKey: "wrong" });
  const second = await wrong.call({ target });
  assert.equal(second.status, 403);
  assert.equal(second.code, "SignatureDoesNotMatch");
  assert.match(second.text, /<StringToSign>/);
});

test("refuses clocks more than 15 minutes off", async () => {
  const target = pathOf(bucket, "object");
  for (const offMs of [-16 * 60_000, 16 * 60_000]) {
    const answer = await s3.call({ target, nowMs: Date.now() + offMs });
    assert.equal(answer.status, 403);
    assert.equal(answer.code, "RequestTimeTooSkewed");
  }
  assert.equal((await s3.call({ target, nowMs: Date.now() - 14 * 60_000 })).status, 200);
});

/** A Version 2 signature over what the "Signing and Authenticating REST Requests" page names. */
function version2(lines: readonly string[]): string {
  return createHmac("sha1", cluster.secretAccessKey).update(lines.join("\n")).digest("base64");
}

test("accepts version 2 signatures in the header, and refuses forged and old ones", async () => {
  const host = new URL(cluster.endpoint).host;
  const now = new Date().toUTCString();
  const past = new Date(Date.now() - 3_600_000).toUTCString();
  const send = async (date: string, signature: string) => {
    const authorization = `AWS ${cluster.accessKeyId}:${signature}`;
    const fields = [
      ["Host", host],
      ["Date", date],
      ["Authorization", authorization],
    ] as const;
    return toAnswer(await sendRaw(cluster.endpoint, headBytes("GET", "/", fields)));
  };
  const good = await send(now, version2(["GET", "", "", now, "/"]));
  assert.equal(good.status, 200, good.text);
  const forged = await send(now, "AAAAAAAAAAAAAAAAAAAAAAAAAAA=");
  assert.deepEqual([forged.status, forged.code], [403, "SignatureDoesNotMatch"]);
  const old = await send(past, version2(["GET", "", "", past, "/"]));
  assert.deepEqual([old.status, old.code], [403, "RequestTimeTooSkewed"]);
});

test("accepts version 2 presigned URLs until they expire", async () => {
  const host = new URL(cluster.endpoint).host;
  const send = async (expires: number, signed: number) => {
    const signature = encodeURIComponent(version2(["GET", "", "", String(signed), "/"]));
    const query = `AWSAccessKeyId=${cluster.accessKeyId}&Expires=${expires}&Signature=${signature}`;
    const head = headBytes("GET", `/?${query}`, [["Host", host]]);
    return toAnswer(await sendRaw(cluster.endpoint, head));
  };
  const soon = Math.floor(Date.now() / 1000) + 60;
  assert.equal((await send(soon, soon)).status, 200);
  assert.equal((await send(soon + 60, soon)).code, "SignatureDoesNotMatch");
  const passed = soon - 120;
  assert.deepEqual([(await send(passed, passed)).status], [403]);
});

test("refuses two Authorization headers, and headers that are not signed", async () => {
  const host = new URL(cluster.endpoint).host;
  const once = s3.requestBytes({ target: "/" }).toString("latin1");
  const line = /Authorization: .*\r\n/.exec(once)?.[0] ?? "";
  const twice = toAnswer(await sendRaw(cluster.endpoint, once.replace(line, line + line)));
  assert.equal(twice.status, 400);
  assert.equal(twice.code, "InvalidArgument");
  const extra = once.replace(`Host: ${host}`, `Host: ${host}\r\nx-amz-meta-a: b`);
  const unsigned = toAnswer(await sendRaw(cluster.endpoint, extra));
  assert.equal(unsigned.status, 403);
  assert.equal(unsigned.code, "AccessDenied");
});

test("keeps one user's buckets from another", async (context) => {
  const { stranger } = cluster;
  if (stranger === undefined) {
    context.skip("the cluster has one user");
    return;
  }
  const calls = [
    { target: `/${bucket}` },
    { method: "HEAD", target: `/${bucket}` },
    { target: pathOf(bucket, "object") },
    { target: pathOf(bucket, "missing") },
    { method: "PUT", target: pathOf(bucket, "object"), body: "x" },
    { method: "DELETE", target: pathOf(bucket, "object") },
    { method: "DELETE", target: `/${bucket}` },
    { target: `/${bucket}?location` },
  ];
  for (const call of calls) {
    const answer = await stranger.call(call);
    assert.equal(answer.status, 403, JSON.stringify(call));
  }
  const list = await stranger.call({ target: "/" });
  assert.equal(list.status, 200);
  assert.ok(!list.text.includes(bucket));
  const own = await makeBucket(stranger);
  const copy = await stranger.call({
    method: "PUT",
    target: pathOf(own, "stolen"),
    headers: [["x-amz-copy-source", `/${bucket}/object`]],
  });
  assert.equal(copy.status, 403);
  assert.equal(copy.code, "AccessDenied");
  const taken = await stranger.call({ method: "PUT", target: `/${bucket}` });
  assert.equal(taken.status, 409);
  assert.equal(taken.code, "BucketAlreadyExists");
});

test("takes signed chunks", async () => {
  const chunks = [randomBytes(65_536), randomBytes(65_536), randomBytes(1000)];
  const target = pathOf(bucket, "chunked");
  const answer = await s3.send(s3.chunkedBytes({ target }, chunks));
  assert.equal(answer.status, 200, answer.text);
  const get = await s3.call({ target });
  assert.deepEqual(get.body, Buffer.concat(chunks));
  assert.equal(get.headers.get("content-encoding"), undefined);
});

test("refuses altered, missing and reordered chunks, and keeps nothing", async () => {
  const chunks = [Buffer.alloc(8192, "a"), Buffer.alloc(8192, "b"), Buffer.alloc(100, "c")];
  const target = pathOf(bucket, "chunk-lies");
  const good = s3.chunkedBytes({ target }, chunks);
  const altered = Buffer.from(good);
  // Runs that long stand in the body only: hex digits of signatures hold shorter ones by chance.
  altered[good.indexOf("b".repeat(100)) + 10] = 0x78;
  const first = await s3.send(altered);
  assert.equal(first.status, 403);
  assert.equal(first.code, "SignatureDoesNotMatch");
  const at = good.indexOf("2000;chunk-signature", good.indexOf("a".repeat(100)));
  const reordered = Buffer.from(good);
  const pieceBytes = at - good.indexOf("2000;chunk-signature");
  const start = at - pieceBytes;
  good.copy(reordered, start, at, at + pieceBytes);
  good.copy(reordered, at, start, at);
  assert.equal((await s3.send(reordered)).status, 403);
  const wrongLength = s3.chunkedBytes({ target }, chunks, { decodedLength: 20_000 });
  const third = await s3.send(wrongLength);
  assert.equal(third.status, 400);
  assert.equal(third.code, "IncompleteBody");
  assert.equal((await s3.call({ target })).status, 404);
});

test("verifies checksums in trailers", async () => {
  const body = randomBytes(20_000);
  const digest = Buffer.alloc(4);
  digest.writeUInt32BE(crc32(body));
  const target = pathOf(bucket, "trailer");
  const right = [["x-amz-checksum-crc32", digest.toString("base64")]] as const;
  const good = await s3.send(s3.chunkedBytes({ target }, [body], { trailers: right }));
  assert.equal(good.status, 200, good.text);
  assert.equal(good.headers.get("x-amz-checksum-crc32"), digest.toString("base64"));
  const wrong = [["x-amz-checksum-crc32", "AAAAAA=="]] as const;
  const other = pathOf(bucket, "trailer-wrong");
  const bad = await s3.send(s3.chunkedBytes({ target: other }, [body], { trailers: wrong }));
  assert.equal(bad.status, 400);
  assert.equal(bad.code, "BadDigest");
  assert.equal((await s3.call({ target: other })).status, 404);
});

test("checks the expected owner of a bucket", async () => {
  const target = pathOf(bucket, "object");
  const headers = [["x-amz-expected-bucket-owner", "somebody_else"]] as const;
  const answer = await s3.call({ target, headers });
  assert.equal(answer.status, 403);
  assert.equal(answer.code, "AccessDenied");
});
