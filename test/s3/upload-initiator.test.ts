// Who may go on with a multipart upload: whoever began it, the bucket's owner, and whom a policy
// allows; a grant lets nobody into the upload of another. Both sides of each. Source: Amazon S3
// user guide, "Multipart upload API and permissions".
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ALICE, BOB, type Stage, startStage } from "../security/watched-rows.ts";
import { type Answer, type Caller, pathOf, textAt } from "./caller.ts";
import { testUser } from "./watched-gateway.ts";

/** May use the bucket by no policy of its own. */
const CARL = testUser({ userId: "carl_msu" });
const SESSION = testUser({
  userId: "role/loader",
  name: "loader",
  ownsByName: false,
  policies: [
    {
      Version: "2012-10-17",
      Statement: [{ Effect: "Allow", Action: "s3:PutObject", Resource: "*" }],
    },
  ],
});

let stage: Stage;
let owner: Caller;
let alice: Caller;
let bob: Caller;

before(async () => {
  stage = await startStage([CARL, SESSION]);
  ({ owner } = stage);
  alice = stage.as(ALICE);
  bob = stage.as(BOB);
});
after(() => stage.stop());

/** A bucket whose list lets alice and bob write. */
async function sharedBucket(): Promise<string> {
  const bucket = await stage.bucket();
  const off = { method: "DELETE", target: `/${bucket}?ownershipControls` };
  assert.equal((await owner.call(off)).status, 204);
  const headers = [["x-amz-grant-write", 'id="alice_umich", id="bob_wayne"']] as const;
  const granted = await owner.call({ method: "PUT", target: `/${bucket}?acl`, headers });
  assert.equal(granted.status, 200, granted.text);
  return bucket;
}

async function begin(caller: Caller, bucket: string, key = "big"): Promise<string> {
  const answer = await caller.call({ method: "POST", target: `${pathOf(bucket, key)}?uploads` });
  assert.equal(answer.status, 200, answer.text);
  return textAt(answer.xml(), "UploadId") ?? "";
}

interface Place {
  readonly bucket: string;
  readonly id: string;
  readonly key?: string;
}

function part(caller: Caller, { bucket, id, key = "big" }: Place): Promise<Answer> {
  const target = `${pathOf(bucket, key)}?partNumber=1&uploadId=${id}`;
  return caller.call({ method: "PUT", target, body: "content" });
}

function partCopy(caller: Caller, { bucket, id }: Place, source: string): Promise<Answer> {
  const target = `${pathOf(bucket, "big")}?partNumber=1&uploadId=${id}`;
  const headers = [["x-amz-copy-source", source]] as const;
  return caller.call({ method: "PUT", target, headers });
}

function list(caller: Caller, { bucket, id, key = "big" }: Place): Promise<Answer> {
  return caller.call({ target: `${pathOf(bucket, key)}?uploadId=${id}` });
}

function abort(caller: Caller, { bucket, id, key = "big" }: Place): Promise<Answer> {
  const target = `${pathOf(bucket, key)}?uploadId=${id}`;
  return caller.call({ method: "DELETE", target });
}

async function complete(caller: Caller, place: Place, etag: string): Promise<Answer> {
  const { bucket, id, key = "big" } = place;
  const named = `<Part><PartNumber>1</PartNumber><ETag>${etag}</ETag></Part>`;
  const body = `<CompleteMultipartUpload>${named}</CompleteMultipartUpload>`;
  const target = `${pathOf(bucket, key)}?uploadId=${id}`;
  return caller.call({ method: "POST", target, body });
}

function etagOf(answer: Answer): string {
  return answer.headers.get("etag") ?? "";
}

test("whom a grant lets write goes on with his own upload, and with no other's", async () => {
  const bucket = await sharedBucket();
  const place = { bucket, id: await begin(bob, bucket) };
  for (const answer of [
    await part(alice, place),
    await list(alice, place),
    await complete(alice, place, '"0"'),
    await abort(alice, place),
    await part(stage.as(CARL), place),
    await abort(stage.as(CARL), place),
  ]) {
    assert.equal(answer.code, "AccessDenied", answer.text);
  }
  assert.equal((await alice.put(bucket, "of-alice", "x")).status, 200);
  const copied = await partCopy(alice, place, `/${bucket}/of-alice`);
  assert.equal(copied.code, "AccessDenied");
  const sent = await part(bob, place);
  assert.equal(sent.status, 200, sent.text);
  const listed = await list(bob, place);
  assert.equal(textAt(listed.xml(), "Initiator", "ID"), "bob_wayne");
  assert.equal(textAt(listed.xml(), "Initiator", "DisplayName"), BOB.displayName);
  const done = await complete(bob, place, etagOf(sent));
  assert.equal(done.status, 200, done.text);
  // The answer of a completed upload is the initiator's, too.
  assert.equal((await complete(bob, place, etagOf(sent))).text, done.text);
  assert.equal((await complete(alice, place, etagOf(sent))).code, "AccessDenied");
  assert.equal((await bob.get(bucket, "big")).text, "content");
});

test("whoever began an upload lists and aborts it without a permission to", async () => {
  const bucket = await stage.bucket([{ Action: "s3:PutObject" }]);
  const place = { bucket, id: await begin(alice, bucket) };
  assert.equal((await part(alice, place)).status, 200);
  assert.equal((await list(bob, place)).code, "AccessDenied");
  assert.equal((await abort(bob, place)).code, "AccessDenied");
  assert.equal((await list(alice, place)).status, 200);
  assert.equal((await abort(alice, place)).status, 204);
  assert.equal((await list(alice, place)).code, "NoSuchUpload");
  // Whether there is such an upload is nothing for those who may not write.
  assert.equal((await abort(bob, place)).code, "AccessDenied");
});

test("the right to write taken away, the initiator may abort, and no more", async () => {
  const bucket = await stage.bucket([{ Action: "s3:PutObject" }]);
  const place = { bucket, id: await begin(alice, bucket) };
  const sent = await part(alice, place);
  assert.equal((await owner.call({ method: "DELETE", target: `/${bucket}?policy` })).status, 204);
  assert.equal((await part(alice, place)).code, "AccessDenied");
  assert.equal((await complete(alice, place, etagOf(sent))).code, "AccessDenied");
  assert.equal((await abort(alice, place)).status, 204);
});

test("the bucket's owner goes on with every upload, unless he denies it to himself", async () => {
  const bucket = await sharedBucket();
  const place = { bucket, id: await begin(bob, bucket) };
  const sent = await part(owner, place);
  assert.equal(sent.status, 200, sent.text);
  assert.equal((await list(owner, place)).status, 200);
  assert.equal((await complete(owner, place, etagOf(sent))).status, 200);
  const other = { bucket, id: await begin(bob, bucket) };
  assert.equal((await abort(owner, other)).status, 204);
});

test("a policy lets others in, and keeps the initiator out", async () => {
  const actions = ["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"];
  const both = { AWS: ["arn:aws:iam:::user/alice_umich", "arn:aws:iam:::user/bob_wayne"] };
  const bucket = await stage.bucket([{ Action: actions, Principal: both }]);
  const place = { bucket, id: await begin(alice, bucket) };
  const sent = await part(bob, place);
  assert.equal(sent.status, 200, sent.text);
  assert.equal((await list(bob, place)).status, 200);
  assert.equal((await complete(bob, place, etagOf(sent))).status, 200);
  const other = { bucket, id: await begin(alice, bucket) };
  const denied = await stage.setPolicy(
    bucket,
    { Action: "s3:PutObject" },
    { Effect: "Deny", Action: actions.slice(1), Principal: "*" },
  );
  assert.equal(denied.status, 204, denied.text);
  assert.equal((await abort(alice, other)).code, "AccessDenied");
  assert.equal((await list(alice, other)).code, "AccessDenied");
});

test("a session of a role is the initiator by the name of its role", async () => {
  const bucket = await stage.bucket();
  const session = stage.as(SESSION);
  const place = { bucket, id: await begin(session, bucket) };
  assert.equal(textAt((await list(session, place)).xml(), "Initiator", "ID"), "role/loader");
  assert.equal((await abort(bob, place)).code, "AccessDenied");
  assert.equal((await abort(session, place)).status, 204);
});

test("nobody known begins no upload, though everybody may write", async () => {
  const bucket = await sharedBucket();
  const headers = [
    ["x-amz-grant-write", 'uri="http://acs.amazonaws.com/groups/global/AllUsers"'],
  ] as const;
  const open = await owner.call({ method: "PUT", target: `/${bucket}?acl`, headers });
  assert.equal(open.status, 200, open.text);
  const target = pathOf(bucket, "open");
  const put = { method: "PUT", target, body: "x", sign: false };
  assert.equal((await owner.call(put)).status, 200);
  const begun = { method: "POST", target: `${target}?uploads`, sign: false };
  assert.equal((await owner.call(begun)).code, "AccessDenied");
  const id = await begin(bob, bucket);
  const part = `${pathOf(bucket, "big")}?partNumber=1&uploadId=${id}`;
  const sent = { method: "PUT", target: part, body: "x", sign: false };
  assert.equal((await owner.call(sent)).code, "AccessDenied");
});

test("listings of uploads name who began each, beside who will own the object", async () => {
  const bucket = await stage.bucket([{ Action: "s3:PutObject" }]);
  await begin(alice, bucket, "a");
  await begin(owner, bucket, "b");
  const answer = await owner.call({ target: `/${bucket}?uploads` });
  const uploads = answer.xml().children.filter(({ name }) => name === "Upload");
  const named = uploads.map((upload) => [
    textAt(upload, "Key"),
    textAt(upload, "Initiator", "ID"),
    textAt(upload, "Owner", "ID"),
  ]);
  const root = named[1]?.[1];
  assert.deepEqual(named, [
    ["a", "alice_umich", root],
    ["b", root, root],
  ]);
  assert.notEqual(root, "alice_umich");
});

test("what may be no upload is refused like one of another, but told to those who may write", async () => {
  const bucket = await sharedBucket();
  for (const id of ["0".repeat(32), "nonsense"]) {
    assert.equal((await abort(bob, { bucket, id })).code, "NoSuchUpload", id);
    assert.equal((await part(bob, { bucket, id })).code, "NoSuchUpload", id);
    assert.equal((await list(owner, { bucket, id })).code, "NoSuchUpload", id);
  }
  const strange = await abort(stage.as(CARL), { bucket, id: "0".repeat(32) });
  assert.equal(strange.code, "AccessDenied");
});
