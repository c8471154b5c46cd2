// What each small operation asks of the metadata service: one call, and nothing again for the
// bucket that is known; and that requests without a body are held to what they sign of it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Caller, pathOf } from "../../s3/caller.ts";
import { makeBucket } from "../../s3/harness.ts";
import { type MemoryGateway, ROOT_USER, startMemoryGateway } from "./memory-gateway.ts";

let gateway: MemoryGateway;
let s3: Caller;
let bucket: string;

before(async () => {
  gateway = await startMemoryGateway();
  const { accessKeyId, secret } = ROOT_USER;
  s3 = new Caller({
    endpoint: `http://${gateway.running.address}`,
    accessKeyId,
    secretAccessKey: secret,
    region: "us-east-1",
  });
  bucket = await makeBucket(s3);
});
after(() => gateway.stop());

const OPERATIONS = [
  ["PUT", "", "putObject"],
  ["GET", "", "getObject"],
  ["HEAD", "", "getObject"],
  ["GET", "?list-type=2&prefix=k", "listObjects"],
  ["DELETE", "", "deleteObjects"],
] as const;

for (const [method, query, call] of OPERATIONS) {
  test(`${method} ${query === "" ? "of a small object" : query} is one call`, async () => {
    const target = query === "" ? pathOf(bucket, "key") : `/${bucket}${query}`;
    if (method !== "PUT")
      await s3.call({ method: "PUT", target: pathOf(bucket, "key"), body: "b" });
    const { calls } = gateway.metadata;
    calls.splice(0);
    const body = method === "PUT" ? { body: Buffer.alloc(4096, "b") } : {};
    const answer = await s3.call({ method, target, ...body });
    assert.ok(answer.status < 300, answer.text);
    // The record of the bucket may have become two seconds old just now.
    assert.deepEqual(
      calls.filter((one) => one !== "getBucket"),
      [call],
    );
  });
}

test("a request without a body whose signed hash is not that of nothing is refused", async () => {
  const nothing = Buffer.alloc(0);
  for (const method of ["GET", "DELETE"]) {
    const lie = { method, target: pathOf(bucket, "key"), body: "told", wireBody: nothing };
    const answer = await s3.call(lie);
    assert.equal(answer.code, "XAmzContentSHA256Mismatch", method);
  }
  const md5 = [["Content-MD5", "XrY7u+Ae7tCTyyK7j1rNww=="]] as const;
  const wrong = await s3.call({ method: "GET", target: pathOf(bucket, "key"), headers: md5 });
  assert.equal(wrong.code, "BadDigest");
});
