// Tags of buckets. Actions: PutBucketTagging, GetBucketTagging, DeleteBucketTagging. Row C17.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startGatewayOver } from "../unit/gateway/memory-gateway.ts";
import { Caller, textsOf } from "./caller.ts";
import { callerOf, makeBucket, newBucketName, startCluster, type TestCluster } from "./harness.ts";
import { StateMetadata } from "./state-metadata.ts";

let cluster: TestCluster;
let s3: Caller;

before(async () => {
  cluster = await startCluster();
  s3 = new Caller(cluster);
});
after(() => cluster.stop());

function tagging(...tags: readonly (readonly [string, string])[]): string {
  const set = tags.map(([key, value]) => `<Tag><Key>${key}</Key><Value>${value}</Value></Tag>`);
  return `<Tagging><TagSet>${set.join("")}</TagSet></Tagging>`;
}

async function tagsOf(caller: Caller, bucket: string): Promise<string[]> {
  const document = (await caller.call({ target: `/${bucket}?tagging` })).xml();
  const set = document.children.find(({ name }) => name === "TagSet");
  assert.ok(set !== undefined, document.name);
  const values = textsOf(set, "Tag", "Value");
  return textsOf(set, "Tag", "Key").map((key, index) => `${key}=${values[index]}`);
}

test("tags are put, replaced, read and deleted", async () => {
  const bucket = await makeBucket(s3);
  const target = `/${bucket}?tagging`;
  const body = tagging(["project", "x + y"], ["owner", ""]);
  const put = await s3.call({ method: "PUT", target, body });
  assert.equal(put.status, 204, put.text);
  assert.deepEqual(await tagsOf(s3, bucket), ["project=x + y", "owner="]);
  await s3.call({ method: "PUT", target, body: tagging(["only", "one"]) });
  assert.deepEqual(await tagsOf(s3, bucket), ["only=one"]);
  assert.equal((await s3.call({ method: "DELETE", target })).status, 204);
  assert.equal((await s3.call({ target })).code, "NoSuchTagSet");
  assert.equal((await s3.call({ method: "DELETE", target })).status, 204);
});

test("C17: a bucket without tags answers NoSuchTagSet", async () => {
  const bucket = await makeBucket(s3);
  const answer = await s3.call({ target: `/${bucket}?tagging` });
  assert.equal(answer.status, 404);
  assert.equal(answer.code, "NoSuchTagSet");
  const empty = tagging();
  assert.equal(
    (await s3.call({ method: "PUT", target: `/${bucket}?tagging`, body: empty })).status,
    204,
  );
  assert.equal((await s3.call({ target: `/${bucket}?tagging` })).code, "NoSuchTagSet");
});

test("C17: by setting it answers an empty set, as Alluxio does", async () => {
  const metadata = await StateMetadata.open();
  const gateway = await startGatewayOver(metadata, { emptyTagSet: "alluxio" });
  try {
    const own = callerOf(gateway);
    assert.deepEqual(await tagsOf(own, await makeBucket(own)), []);
  } finally {
    await gateway.stop();
    await metadata.close();
  }
});

for (const [what, body, code] of [
  ["repeated keys", tagging(["a", "1"], ["a", "2"]), "InvalidTag"],
  ["a reserved key", tagging(["aws:x", "1"]), "InvalidTag"],
  ["no TagSet", "<Tagging/>", "MalformedXML"],
  [
    "51 tags",
    tagging(...Array.from({ length: 51 }, (_, index) => [`k${index}`, "v"] as const)),
    "BadRequest",
  ],
] as const) {
  test(`refuses ${what}`, async () => {
    const bucket = await makeBucket(s3);
    const answer = await s3.call({ method: "PUT", target: `/${bucket}?tagging`, body });
    assert.equal(answer.code, code);
    assert.equal((await s3.call({ target: `/${bucket}?tagging` })).code, "NoSuchTagSet");
  });
}

test("CreateBucket keeps the tags in its body", async () => {
  const bucket = newBucketName();
  const body =
    "<CreateBucketConfiguration><Tags><Tag><Key>team</Key><Value>blue</Value></Tag></Tags>" +
    "</CreateBucketConfiguration>";
  assert.equal((await s3.call({ method: "PUT", target: `/${bucket}`, body })).status, 200);
  assert.deepEqual(await tagsOf(s3, bucket), ["team=blue"]);
});

test("a stranger neither reads nor changes tags", async (t) => {
  const { stranger } = cluster;
  if (stranger === undefined) return t.skip("one user only");
  const bucket = await makeBucket(s3);
  for (const method of ["GET", "PUT", "DELETE"]) {
    const body = method === "PUT" ? tagging(["a", "b"]) : "";
    const answer = await stranger.call({ method, target: `/${bucket}?tagging`, body });
    assert.equal(answer.code, "AccessDenied", method);
  }
});

test("changes made at once all get their turn", async () => {
  const bucket = await makeBucket(s3);
  const answers = await Promise.all([
    s3.call({ method: "PUT", target: `/${bucket}?tagging`, body: tagging(["a", "b"]) }),
    s3.call({
      method: "PUT",
      target: `/${bucket}?requestPayment`,
      body: "<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>",
    }),
    s3.call({
      method: "PUT",
      target: `/${bucket}?versioning`,
      body: "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
    }),
  ]);
  assert.deepEqual(
    answers.map(({ status }) => status),
    [204, 200, 200],
  );
  assert.deepEqual(await tagsOf(s3, bucket), ["a=b"]);
  assert.match((await s3.call({ target: `/${bucket}?requestPayment` })).text, /Requester/);
  assert.match((await s3.call({ target: `/${bucket}?versioning` })).text, /Enabled/);
});
