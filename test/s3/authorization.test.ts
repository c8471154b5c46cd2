// What policies, lists and tags let others do with a bucket and its objects, and what a refusal
// tells: nothing about objects to those who may not list, and nothing before the right is proven.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import { OPERATIONS } from "../../services/gateway/operations.ts";
import { present } from "../../services/lib/base/assert.ts";
import type { HeaderField } from "../../services/lib/s3/headers.ts";
import { ROOT_USER } from "../unit/gateway/memory-gateway.ts";
import { type Answer, type Caller, pathOf } from "./caller.ts";
import { makeBucket, makeVersionedBucket } from "./harness.ts";
import { requestOf } from "./row-requests.ts";
import { startWatchedGateway, testUser, type WatchedGateway } from "./watched-gateway.ts";

const ALICE = testUser({ userId: "alice_umich", groups: ["staff_umich"] });
const BOB = testUser({ userId: "bob_wayne" });

let watched: WatchedGateway;
let owner: Caller;
let alice: Caller;
let bob: Caller;

before(async () => {
  watched = await startWatchedGateway({ users: [ALICE, BOB] });
  owner = watched.as(ROOT_USER);
  alice = watched.as(ALICE);
  bob = watched.as(BOB);
});
after(() => watched.stop());

type Fields = Readonly<Record<string, unknown>>;

function arns(bucket: string): string[] {
  return [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`];
}

/** Sets the policy of a bucket: each statement is about the bucket and all its objects. */
async function setPolicy(bucket: string, ...statements: readonly Fields[]): Promise<void> {
  const body = JSON.stringify({
    Version: "2012-10-17",
    Statement: statements.map((fields) => ({
      Effect: "Allow",
      Principal: { AWS: "arn:aws:iam:::user/alice_umich" },
      Resource: arns(bucket),
      ...fields,
    })),
  });
  const answer = await owner.call({ method: "PUT", target: `/${bucket}?policy`, body });
  assert.equal(answer.status, 204, answer.text);
}

async function openBucket(...statements: readonly Fields[]): Promise<string> {
  const bucket = await makeBucket(owner);
  await owner.call({ method: "DELETE", target: `/${bucket}?publicAccessBlock` });
  if (statements.length > 0) await setPolicy(bucket, ...statements);
  return bucket;
}

/** A bucket where lists count and writers own what they write. */
async function listedBucket(): Promise<string> {
  const bucket = await openBucket();
  const body =
    "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>";
  const set = await owner.call({ method: "PUT", target: `/${bucket}?ownershipControls`, body });
  assert.equal(set.status, 200, set.text);
  return bucket;
}

async function grant(caller: Caller, target: string, ...headers: HeaderField[]): Promise<Answer> {
  const answer = await caller.call({ method: "PUT", target: `${target}?acl`, headers });
  assert.equal(answer.status, 200, answer.text);
  return answer;
}

test("a missing object is told to those who may list, and nothing else is told to others", async () => {
  const reading = ["s3:GetObject*", "s3:PutObjectTagging", "s3:PutObject"];
  for (const [actions, missing] of [
    [reading, 403],
    [[...reading, "s3:ListBucket"], 404],
  ] as const) {
    const bucket = await openBucket({ Action: actions });
    await owner.put(bucket, "there", "x");
    const attributes = [["x-amz-object-attributes", "ETag"]] as const;
    const tagging = "<Tagging><TagSet/></Tagging>";
    for (const call of [
      { query: "" },
      { query: "", method: "HEAD" },
      { query: "", headers: [["If-Match", '"a"']] as const },
      { query: "?attributes", headers: attributes },
      { query: "?acl" },
      { query: "?tagging" },
      { query: "?tagging", method: "PUT", body: tagging },
    ]) {
      const { query, ...rest } = call;
      const shown = `${JSON.stringify(call)} ${String(actions)}`;
      const target = pathOf(bucket, "missing") + query;
      assert.equal((await alice.call({ ...rest, target })).status, missing, shown);
      const there = await alice.call({ ...rest, target: pathOf(bucket, "there") + query });
      const isPut = rest.headers?.[0]?.[0] === "If-Match";
      assert.equal(there.status, isPut ? 412 : 200, shown + there.text);
      assert.equal((await bob.call({ ...rest, target })).status, 403, shown);
    }
    const source = [["x-amz-copy-source", `/${bucket}/missing`]] as const;
    const copy = { method: "PUT", target: pathOf(bucket, "copy"), headers: source };
    assert.equal((await alice.call(copy)).status, missing, String(actions));
  }
});

test("a delete marker is a missing object to those who may not list", async () => {
  const bucket = await makeVersionedBucket(owner);
  await setPolicy(bucket, { Action: ["s3:GetObject"] });
  await owner.put(bucket, "gone", "x");
  await owner.call({ method: "DELETE", target: pathOf(bucket, "gone") });
  const answer = await alice.get(bucket, "gone");
  assert.equal(answer.code, "AccessDenied");
  assert.equal(answer.headers.has("x-amz-delete-marker"), false);
  const own = await owner.get(bucket, "gone");
  assert.deepEqual([own.code, own.headers.get("x-amz-delete-marker")], ["NoSuchKey", "true"]);
});

test("a version needs the permission for versions", async () => {
  const bucket = await makeVersionedBucket(owner);
  const put = await owner.put(bucket, "key", "first");
  const version = `?versionId=${put.headers.get("x-amz-version-id") ?? ""}`;
  const target = pathOf(bucket, "key");
  const statuses = async (): Promise<number[]> => [
    (await alice.call({ target })).status,
    (await alice.call({ target: target + version })).status,
  ];
  await setPolicy(bucket, { Action: "s3:GetObject" });
  assert.deepEqual(await statuses(), [200, 403]);
  await setPolicy(bucket, { Action: "s3:GetObjectVersion" });
  assert.deepEqual(await statuses(), [403, 200]);
  const id = put.headers.get("x-amz-version-id") ?? "";
  const Condition = { StringEquals: { "s3:VersionId": id } };
  await setPolicy(bucket, { Action: "s3:GetObjectVersion", Condition });
  assert.deepEqual(await statuses(), [403, 200]);
  const second = await owner.put(bucket, "key", "second");
  const other = `?versionId=${second.headers.get("x-amz-version-id") ?? ""}`;
  assert.equal((await alice.call({ target: target + other })).status, 403);
});

test("the tags of the version that is there decide, allowing and denying", async () => {
  const Condition = { StringEquals: { "s3:ExistingObjectTag/class": "open" } };
  const bucket = await openBucket({ Action: "s3:GetObject*", Condition });
  const put = (key: string, tags: string): Promise<Answer> =>
    owner.call({
      method: "PUT",
      target: pathOf(bucket, key),
      body: key,
      headers: [["x-amz-tagging", tags]],
    });
  await put("open", "class=open");
  await put("closed", "class=closed");
  assert.equal((await alice.get(bucket, "open")).text, "open");
  assert.equal((await alice.get(bucket, "closed")).code, "AccessDenied");
  assert.equal((await alice.get(bucket, "missing")).code, "AccessDenied");
  // No header can play the stored tag.
  for (const name of ["x-amz-tagging", "s3-existingobjecttag-class", "x-amz-existing-object-tag"]) {
    const lying = await alice.get(bucket, "closed", [[name, "class=open"]]);
    assert.equal(lying.code, "AccessDenied", name);
  }
  const target = `${pathOf(bucket, "open")}?acl`;
  assert.equal((await alice.call({ target })).status, 200);
  await setPolicy(
    bucket,
    { Action: "s3:GetObject" },
    { Effect: "Deny", Principal: "*", Action: "s3:GetObject", Condition },
  );
  assert.equal((await alice.get(bucket, "open")).code, "AccessDenied");
  assert.equal((await owner.get(bucket, "open")).code, "AccessDenied");
  assert.equal((await alice.get(bucket, "closed")).text, "closed");
});

test("the tags that a request brings decide, from header and document", async () => {
  const Condition = {
    StringEquals: { "s3:RequestObjectTag/project": "x" },
    "ForAllValues:StringEquals": { "s3:RequestObjectTagKeys": ["project"] },
  };
  const bucket = await openBucket(
    { Action: ["s3:PutObjectTagging"], Condition },
    { Action: "s3:PutObject" },
  );
  const put = async (tags: string): Promise<number> => {
    const headers = [["x-amz-tagging", tags]] as const;
    const call = { method: "PUT", target: pathOf(bucket, "key"), body: "x", headers };
    return (await alice.call(call)).status;
  };
  assert.deepEqual(
    [await put("project=x"), await put("project=y"), await put("project=x&more=1")],
    [200, 403, 403],
  );
  const tag = async (value: string, headers: readonly HeaderField[] = []): Promise<number> => {
    const body = `<Tagging><TagSet><Tag><Key>project</Key><Value>${value}</Value></Tag></TagSet></Tagging>`;
    const target = `${pathOf(bucket, "key")}?tagging`;
    return (await alice.call({ method: "PUT", target, body, headers })).status;
  };
  assert.deepEqual([await tag("x"), await tag("y")], [200, 403]);
  assert.equal(await tag("y", [["x-amz-tagging", "project=x"]]), 403);
});

test("a write is not let in by tags that the object to be does not have", async () => {
  const Condition = { StringEquals: { "s3:ExistingObjectTag/class": "open" } };
  const bucket = await openBucket({ Action: "s3:*", Condition }, { Action: "s3:ListBucket" });
  const target = pathOf(bucket, "new");
  for (const call of [
    { method: "PUT", target, body: "x" },
    { method: "POST", target: `${target}?uploads` },
    { method: "PUT", target, headers: [["x-amz-copy-source", `${bucket}/new`]] as const },
    { method: "PUT", target: `${target}?tagging`, body: "<Tagging><TagSet/></Tagging>" },
    { method: "DELETE", target },
  ]) {
    assert.equal((await alice.call(call)).code, "AccessDenied", JSON.stringify(call));
  }
  assert.equal((await alice.get(bucket, "new")).code, "NoSuchKey");
  assert.equal((await owner.get(bucket, "new")).code, "NoSuchKey");
});

test("where lists count, what a guest wrote is its own, and its list says who reads it", async () => {
  const bucket = await listedBucket();
  await grant(owner, `/${bucket}`, ["x-amz-grant-write", 'id="bob_wayne"']);
  assert.equal((await alice.put(bucket, "no", "x")).code, "AccessDenied");
  assert.equal((await bob.put(bucket, "of-bob", "x")).status, 200);
  assert.equal((await bob.get(bucket, "of-bob")).text, "x");
  assert.equal((await owner.get(bucket, "of-bob")).code, "AccessDenied");
  assert.equal((await owner.get(bucket, "missing")).code, "NoSuchKey");
  const target = pathOf(bucket, "of-bob");
  await grant(bob, target, ["x-amz-grant-read", 'id="alice_umich"']);
  assert.equal((await alice.get(bucket, "of-bob")).text, "x");
  // An owner needs no grant to read.
  assert.equal((await bob.get(bucket, "of-bob")).text, "x");
  await grant(bob, target, ["x-amz-acl", "bucket-owner-full-control"]);
  assert.equal((await owner.get(bucket, "of-bob")).text, "x");
  assert.equal((await alice.get(bucket, "of-bob")).code, "AccessDenied");
  const given = [["x-amz-acl", "bucket-owner-full-control"]] as const;
  const put = { method: "PUT", target: pathOf(bucket, "given"), body: "y", headers: given };
  assert.equal((await bob.call(put)).status, 200);
  assert.equal((await owner.get(bucket, "given")).text, "y");
  // The bucket's owner may always delete.
  assert.equal((await owner.call({ method: "DELETE", target })).status, 204);
});

test("grants to everybody, to all users and to a group reach exactly those", async () => {
  const bucket = await listedBucket();
  const uri = (name: string): string => `uri="http://acs.amazonaws.com/groups/global/${name}"`;
  for (const [key, header] of [
    ["all", uri("AllUsers")],
    ["users", uri("AuthenticatedUsers")],
  ] as const) {
    await owner.put(bucket, key, "x");
    await grant(owner, pathOf(bucket, key), ["x-amz-grant-read", header]);
  }
  const read = async (key: string): Promise<number[]> => [
    (await alice.get(bucket, key)).status,
    (await alice.call({ target: pathOf(bucket, key), sign: false })).status,
  ];
  assert.deepEqual(await read("all"), [200, 200]);
  assert.deepEqual(await read("users"), [200, 403]);
  const block =
    "<PublicAccessBlockConfiguration><IgnorePublicAcls>true</IgnorePublicAcls></PublicAccessBlockConfiguration>";
  const target = `/${bucket}?publicAccessBlock`;
  await owner.call({ method: "PUT", target, body: block });
  assert.deepEqual(await read("all"), [403, 403]);
});

test("a public list of a bucket lets everybody list and learn what is missing", async () => {
  const bucket = await listedBucket();
  await owner.put(bucket, "key", "x");
  await grant(owner, `/${bucket}`, ["x-amz-acl", "public-read"]);
  const get = (key: string): Promise<Answer> =>
    alice.call({ target: pathOf(bucket, key), sign: false });
  assert.equal((await alice.call({ target: `/${bucket}`, sign: false })).status, 200);
  assert.equal((await get("key")).code, "AccessDenied");
  assert.equal((await get("missing")).code, "NoSuchKey");
});

test("anybody may write where everybody may, and owns it as nobody", async () => {
  const bucket = await listedBucket();
  await grant(owner, `/${bucket}`, ["x-amz-acl", "public-read-write"]);
  const target = pathOf(bucket, "of-nobody");
  const put = await alice.call({ method: "PUT", target, body: "x", sign: false });
  assert.equal(put.status, 200, put.text);
  const shown = await owner.call({ target: `/${bucket}?list-type=2&fetch-owner=true` });
  assert.match(shown.text, /<ID>65a011a29cdf8ec533ec3d1ccaae921c<\/ID>/);
  assert.equal((await alice.call({ target: "/", sign: false })).code, "AccessDenied");
});

test("each key of a multi-object delete is decided on its own", async () => {
  const bucket = await openBucket();
  await setPolicy(bucket, {
    Action: "s3:DeleteObject",
    Resource: `arn:aws:s3:::${bucket}/alice/*`,
  });
  for (const key of ["alice/a", "bob/b"]) await owner.put(bucket, key, "x");
  const keys = ["alice/a", "bob/b", "alice/../bob/b"];
  const objects = keys.map((key) => `<Object><Key>${key}</Key></Object>`).join("");
  const body = `<Delete>${objects}</Delete>`;
  const headers = [["Content-MD5", createHash("md5").update(body).digest("base64")]] as const;
  const call = { method: "POST", target: `/${bucket}?delete`, body, headers };
  const answer = await alice.call(call);
  assert.equal(answer.status, 200);
  assert.match(answer.text, /<Deleted><Key>alice\/a<\/Key>/);
  assert.match(answer.text, /<Error><Key>bob\/b<\/Key><Code>AccessDenied</);
  assert.equal((await owner.get(bucket, "bob/b")).status, 200);
  watched.reached();
  const strange = await bob.call(call);
  assert.equal(strange.text.match(/<Code>AccessDenied</g)?.length, keys.length);
  assert.deepEqual(watched.reached(), []);
});

test("a form that nobody signed uploads only where everybody may, by what it says", async () => {
  const row = present(
    OPERATIONS.find(({ name }) => name === "PostObject"),
    "row of forms",
  );
  const closed = await openBucket();
  const post = (bucket: string): Promise<Answer> =>
    owner.call({ ...requestOf(row, bucket), sign: false });
  watched.reached();
  assert.equal((await post(closed)).code, "AccessDenied");
  assert.deepEqual(watched.reached(), []);
  const Resource = `arn:aws:s3:::${closed}/other/*`;
  await setPolicy(closed, { Principal: "*", Action: "s3:PutObject", Resource });
  assert.equal((await post(closed)).code, "AccessDenied");
  const open = await openBucket({ Principal: "*", Action: "s3:PutObject" });
  assert.equal((await post(open)).status, 204);
  assert.equal((await owner.get(open, "key")).text, "content");
  const Condition = { StringEquals: { "s3:authType": "POST" } };
  const signed = await openBucket({ Principal: "*", Action: "s3:PutObject", Condition });
  assert.equal((await post(signed)).code, "AccessDenied");
});

test("requesters of a bucket whose requesters pay must say so", async () => {
  const bucket = await openBucket({ Principal: "*", Action: ["s3:GetObject", "s3:ListBucket"] });
  await owner.put(bucket, "key", "x");
  const body =
    "<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>";
  await owner.call({ method: "PUT", target: `/${bucket}?requestPayment`, body });
  const payer = [["x-amz-request-payer", "requester"]] as const;
  for (const target of [pathOf(bucket, "key"), `/${bucket}`]) {
    assert.equal((await alice.call({ target })).code, "AccessDenied");
    assert.equal((await alice.call({ target, headers: payer })).status, 200);
    assert.equal((await alice.call({ target, headers: payer, sign: false })).code, "AccessDenied");
    assert.equal((await owner.call({ target })).status, 200);
  }
});

test("a prefix, a size of pages and an address bound what may be listed", async () => {
  const bucket = await openBucket({
    Action: "s3:ListBucket",
    Condition: {
      StringLike: { "s3:prefix": "home/alice/*" },
      NumericLessThanEquals: { "s3:max-keys": "10" },
      IpAddress: { "aws:SourceIp": "127.0.0.0/8" },
    },
  });
  const list = async (query: string, headers: readonly HeaderField[] = []): Promise<number> =>
    (await alice.call({ target: `/${bucket}?list-type=2${query}`, headers })).status;
  assert.equal(await list("&prefix=home/alice/&max-keys=10"), 200);
  assert.equal(await list("&prefix=home/alice/&max-keys=11"), 403);
  assert.equal(await list("&prefix=home/&max-keys=10"), 403);
  assert.equal(await list("&max-keys=10", [["prefix", "home/alice/"]]), 403);
  await setPolicy(bucket, {
    Action: "s3:ListBucket",
    Condition: { IpAddress: { "aws:SourceIp": "10.0.0.0/8" } },
  });
  for (const name of ["X-Forwarded-For", "Forwarded", "aws-SourceIp", "aws:SourceIp"]) {
    if (name.includes(":")) continue;
    assert.equal(await list("", [[name, "10.0.0.1"]]), 403, name);
  }
});

test("a condition on what is replaced or deleted needs the right to read it", async () => {
  const bucket = await openBucket({ Action: ["s3:PutObject", "s3:DeleteObject"] });
  const etag = (await owner.put(bucket, "key", "x")).headers.get("etag") ?? "";
  const target = pathOf(bucket, "key");
  const match = [["If-Match", etag]] as const;
  for (const method of ["PUT", "DELETE"]) {
    const call = { method, target, ...(method === "PUT" ? { body: "x" } : {}) };
    assert.equal((await alice.call({ ...call, headers: match })).code, "AccessDenied", method);
  }
  const body = "<CompleteMultipartUpload/>";
  const complete = { method: "POST", target: `${target}?uploadId=${"0".repeat(32)}`, body };
  assert.equal((await alice.call({ ...complete, headers: match })).code, "AccessDenied");
  await setPolicy(bucket, { Action: ["s3:PutObject", "s3:DeleteObject", "s3:GetObject"] });
  const put = { method: "PUT", target, body: "x", headers: match };
  assert.equal((await alice.call(put)).status, 200);
  assert.equal((await alice.call({ method: "DELETE", target, headers: match })).status, 204);
});

test("headers of a write are bound by conditions on them", async () => {
  const bucket = await openBucket(
    { Action: ["s3:PutObject", "s3:PutObjectAcl"] },
    {
      Effect: "Deny",
      Action: "s3:PutObject",
      Condition: { StringNotEquals: { "s3:x-amz-storage-class": "STANDARD_IA" } },
    },
  );
  const put = async (...headers: HeaderField[]): Promise<number> =>
    (await alice.call({ method: "PUT", target: pathOf(bucket, "key"), body: "x", headers })).status;
  assert.equal(await put(), 403);
  assert.equal(await put(["x-amz-storage-class", "STANDARD"]), 403);
  assert.equal(await put(["x-amz-storage-class", "STANDARD_IA"]), 200);
});

test("the owner of a bucket gets its policy back, whatever the policy denies", async () => {
  const bucket = await openBucket();
  await setPolicy(bucket, { Effect: "Deny", Principal: "*", Action: "s3:*" });
  assert.equal((await owner.get(bucket, "key")).code, "AccessDenied");
  assert.equal((await owner.call({ target: `/${bucket}?policy` })).status, 200);
  const drop = await owner.call({ method: "DELETE", target: `/${bucket}?policy` });
  assert.equal(drop.status, 204);
  assert.equal((await owner.get(bucket, "key")).code, "NoSuchKey");
});

test("refusals are counted by action and rule", async () => {
  const bucket = await makeBucket(owner);
  const series = 'authorization_denied_total{action="s3:GetBucketCORS",rule="no-rule-allows"}';
  const { values } = watched.gateway.metrics;
  const earlier = values.get(series) ?? 0;
  assert.equal((await bob.call({ target: `/${bucket}?cors` })).code, "AccessDenied");
  assert.equal(values.get(series), earlier + 1);
});
