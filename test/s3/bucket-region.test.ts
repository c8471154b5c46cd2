// HeadBucket says in which region to ask, in refusals too, since they have no body; whoever is not
// known learns the gateway's own, whatever the name, and so not which buckets there are.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  type MemoryGateway,
  OTHER_USER,
  startMemoryGateway,
} from "../unit/gateway/memory-gateway.ts";
import { Caller } from "./caller.ts";
import { callerOf, newBucketName } from "./harness.ts";

const REGION = "x-amz-bucket-region";

let gateway: MemoryGateway;
let s3: Caller;
const bucket = newBucketName();

before(async () => {
  gateway = await startMemoryGateway();
  s3 = callerOf(gateway);
  const body =
    "<CreateBucketConfiguration><LocationConstraint>eu-north-9</LocationConstraint>" +
    "</CreateBucketConfiguration>";
  const made = await s3.call({ method: "PUT", target: `/${bucket}`, body });
  assert.equal(made.status, 200, made.text);
});
after(() => gateway.stop());

test("a stranger is refused with the region of the bucket", async () => {
  const stranger = callerOf(gateway, OTHER_USER);
  const head = await stranger.call({ method: "HEAD", target: `/${bucket}` });
  assert.equal(head.status, 403);
  assert.deepEqual(head.headers.get(REGION), "eu-north-9");
  const list = await stranger.call({ target: `/${bucket}` });
  assert.equal(list.code, "AccessDenied");
  assert.equal(list.headers.has(REGION), false);
  const expected = [["x-amz-expected-bucket-owner", "somebody"]] as const;
  const other = await s3.call({ method: "HEAD", target: `/${bucket}`, headers: expected });
  assert.deepEqual([other.status, other.headers.get(REGION)], [403, "eu-north-9"]);
});

test("who is not known learns the region to sign for, of any name", async () => {
  const { accessKeyId } = OTHER_USER;
  const region = "us-east-1";
  const { endpoint } = s3.target;
  const liar = new Caller({ endpoint, accessKeyId, secretAccessKey: "wrong", region });
  for (const name of [bucket, newBucketName()]) {
    const call = { method: "HEAD", target: `/${name}` };
    const head = await liar.call(call);
    assert.deepEqual([head.status, head.headers.get(REGION)], [403, "us-east-1"]);
    assert.equal(head.text, "");
  }
  const unsigned = await s3.call({ method: "HEAD", target: `/${bucket}`, sign: false });
  const own = await s3.call({ method: "HEAD", target: `/${bucket}` });
  assert.equal(unsigned.status, 403);
  assert.equal(unsigned.headers.get(REGION), own.headers.get(REGION));
  const missing = { method: "HEAD", target: `/${newBucketName()}`, sign: false };
  assert.equal((await s3.call(missing)).status, 404);
});

test("a bucket that is not there has no region", async () => {
  const head = await s3.call({ method: "HEAD", target: `/${newBucketName()}` });
  assert.equal(head.status, 404);
  assert.equal(head.headers.has(REGION), false);
});

test("a signature for another region is told the right one", async () => {
  const strict = await startMemoryGateway({ strictRegion: true, region: "eu-central-1" });
  try {
    const head = await callerOf(strict).call({ method: "HEAD", target: `/${bucket}` });
    assert.deepEqual([head.status, head.headers.get(REGION)], [400, "eu-central-1"]);
    const target = callerOf(strict).presign({ method: "HEAD", target: `/${bucket}` });
    const signed = await callerOf(strict).call({ method: "HEAD", target, sign: false });
    assert.deepEqual([signed.status, signed.headers.get(REGION)], [400, "eu-central-1"]);
  } finally {
    await strict.stop();
  }
});
