// A day of users of several organisations, all of them in the directory: buckets that are private
// to an identity, sharing by grants to `name_org`, revoking, groups, limits. Client rows D5, D7 to
// D9.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { UserLimitsSchema } from "../../services/lib/gen/dolium/record/v1/identity_pb.ts";
import { type Answer, type Caller, pathOf, textAt, textsOf } from "./caller.ts";
import { makeBucket, newBucketName } from "./harness.ts";
import { IdentityGateway } from "./identity-gateway.ts";

let cluster: IdentityGateway;
let alice: Caller;
let bob: Caller;

before(async () => {
  cluster = await IdentityGateway.start({
    s3: { objectOwnership: "ObjectWriter" },
    identity: { tokens: true },
  });
  const { editor } = cluster.services;
  await editor.createGroup({ name: "staff_umich", createdMs: 1n });
  const aliceKeys = await cluster.createUser("alice_umich", (user) => ({
    ...user,
    displayName: "Alice Adams",
    email: "alice@umich.example",
  }));
  const bobKeys = await cluster.createUser("bob_wayne", (user) => ({
    ...user,
    displayName: "Bob Brown",
    email: "bob@wayne.example",
    groups: ["staff_umich"],
  }));
  alice = cluster.caller(aliceKeys);
  bob = cluster.caller(bobKeys);
});
after(() => cluster.stop());

function aclOf(owner: string, ...grantees: readonly string[]): string {
  const xsi = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"';
  const grant = (grantee: string, permission: string): string =>
    `<Grant>${grantee}<Permission>${permission}</Permission></Grant>`;
  const own = `<Grantee ${xsi} xsi:type="CanonicalUser"><ID>${owner}</ID></Grantee>`;
  const grants = [grant(own, "FULL_CONTROL"), ...grantees.map((each) => grant(each, "READ"))];
  return (
    `<AccessControlPolicy><Owner><ID>${owner}</ID></Owner>` +
    `<AccessControlList>${grants.join("")}</AccessControlList></AccessControlPolicy>`
  );
}

function byId(id: string): string {
  const xsi = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"';
  return `<Grantee ${xsi} xsi:type="CanonicalUser"><ID>${id}</ID></Grantee>`;
}

function setAcl(caller: Caller, target: string, body: string): Promise<Answer> {
  return caller.call({ method: "PUT", target: `${target}?acl`, body });
}

test("D8 a new bucket is private to its identity", async () => {
  const bucket = await makeBucket(alice);
  await alice.put(bucket, "notes.txt", "of alice");
  const own = await alice.call({ target: "/" });
  assert.equal(textAt(own.xml(), "Owner", "ID"), "alice_umich");
  assert.match(own.text, new RegExp(bucket));
  assert.doesNotMatch((await bob.call({ target: "/" })).text, new RegExp(bucket));
  for (const target of [`/${bucket}`, `/${bucket}?acl`, pathOf(bucket, "notes.txt")]) {
    assert.equal((await bob.call({ target })).code, "AccessDenied", target);
  }
  assert.equal(
    (await bob.call({ method: "PUT", target: `/${bucket}` })).code,
    "BucketAlreadyExists",
  );
  assert.equal((await bob.put(bucket, "x", "x")).code, "AccessDenied");
});

test("D9 grants to name_org share a bucket and an object, and are taken back", async () => {
  const bucket = await makeBucket(alice);
  for (const key of ["shared.txt", "own.txt"]) await alice.put(bucket, key, `of ${key}`);
  const object = pathOf(bucket, "shared.txt");
  for (const target of [`/${bucket}`, object]) {
    const set = await setAcl(alice, target, aclOf("alice_umich", byId("bob_wayne")));
    assert.equal(set.status, 200, set.text);
  }
  const listed = await bob.call({ target: `/${bucket}` });
  assert.deepEqual(textsOf(listed.xml(), "Contents", "Key"), ["own.txt", "shared.txt"]);
  assert.equal((await bob.get(bucket, "shared.txt")).text, "of shared.txt");
  assert.equal((await bob.get(bucket, "own.txt")).code, "AccessDenied");
  assert.equal((await bob.put(bucket, "new", "x")).code, "AccessDenied");
  assert.equal((await setAcl(bob, object, aclOf("bob_wayne"))).code, "AccessDenied");
  const shown = await alice.call({ target: `${object}?acl` });
  assert.match(shown.text, /<DisplayName>Bob Brown<\/DisplayName>/);
  assert.match((await alice.call({ target: `/${bucket}?acl` })).text, /Bob Brown/);
  for (const target of [`/${bucket}`, object]) {
    assert.equal((await setAcl(alice, target, aclOf("alice_umich"))).status, 200);
  }
  assert.equal((await bob.call({ target: `/${bucket}` })).code, "AccessDenied");
  assert.equal((await bob.get(bucket, "shared.txt")).code, "AccessDenied");
});

test("grants reach who has the address, and groups; nobody else is taken", async () => {
  const bucket = await makeBucket(alice);
  await alice.put(bucket, "key", "x");
  const grant = async (header: string): Promise<Answer> => {
    const headers = [["x-amz-grant-read", header]] as const;
    return alice.call({ method: "PUT", target: `${pathOf(bucket, "key")}?acl`, headers });
  };
  assert.equal((await grant('emailAddress="Bob@Wayne.example"')).status, 200);
  assert.equal((await bob.get(bucket, "key")).text, "x");
  const stranger = await grant('emailAddress="nobody@nowhere.example"');
  assert.equal(stranger.code, "UnresolvableGrantByEmailAddress");
  const unknown = await grant('id="nobody_nowhere"');
  assert.deepEqual([unknown.status, unknown.code], [400, "InvalidArgument"]);
  assert.equal((await grant('uri="staff_msu"')).code, "InvalidArgument");
  assert.equal((await grant('uri="staff_umich"')).status, 200);
  assert.equal((await bob.get(bucket, "key")).text, "x");
  await cluster.change("bob_wayne", (user) => ({ ...user, groups: [] }));
  await cluster.services.directory.refresh();
  assert.equal((await bob.get(bucket, "key")).code, "AccessDenied");
});

test("a policy names users, groups of nobody, and roles only as far as they exist", async () => {
  const bucket = await makeBucket(alice);
  const put = async (Principal: unknown): Promise<Answer> => {
    const fields = { Effect: "Allow", Action: "s3:GetObject", Principal };
    const Statement = [{ ...fields, Resource: `arn:aws:s3:::${bucket}/*` }];
    const body = JSON.stringify({ Version: "2012-10-17", Statement });
    return alice.call({ method: "PUT", target: `/${bucket}?policy`, body });
  };
  await cluster.services.editor.createRole({
    name: "reader",
    createdMs: 1n,
    trustPolicy: JSON.stringify({
      Version: "2012-10-17",
      Statement: [{ Effect: "Allow", Principal: { AWS: "*" }, Action: "sts:AssumeRole" }],
    }),
  });
  for (const principal of [
    { AWS: "arn:aws:iam:::user/bob_wayne" },
    { AWS: "arn:aws:iam::123456789012:user/bob_wayne" },
    { CanonicalUser: "bob_wayne" },
    { AWS: "arn:aws:iam:::role/reader" },
  ]) {
    const answer = await put(principal);
    assert.equal(answer.status, 204, JSON.stringify(principal) + answer.text);
  }
  for (const principal of [
    { AWS: "arn:aws:iam:::user/nobody_nowhere" },
    { AWS: "arn:aws:iam:::role/writer" },
    { AWS: "arn:aws:iam::123456789012:root" },
    { AWS: ["arn:aws:iam:::user/bob_wayne", "arn:aws:iam:::user/nobody_nowhere"] },
    { CanonicalUser: "nobody_nowhere" },
  ]) {
    const answer = await put(principal);
    assert.equal(answer.code, "MalformedPolicy", JSON.stringify(principal));
    assert.match(answer.text, /Invalid principal in policy/);
  }
});

test("D5 D7 a person with an identity in each organisation owns by each on its own", async () => {
  await cluster.createUser("alice_wayne");
  const host = new URL(cluster.endpoint).hostname;
  assert.equal(host, "127.0.0.1");
  const token = await cluster.createToken("alice_wayne");
  const second = cluster.caller({ accessKeyId: token, secretAccessKey: "" });
  const own = await makeBucket(second);
  assert.equal((await second.put(own, "key", "x")).status, 200);
  assert.equal((await alice.get(own, "key")).code, "AccessDenied");
  const ignored = cluster.caller({ accessKeyId: token, secretAccessKey: "any secret at all" });
  assert.equal((await ignored.get(own, "key")).text, "x");
  await cluster.change("alice_wayne", (user) => ({ ...user, tokens: [] }));
  await cluster.services.directory.refresh();
  assert.equal((await second.get(own, "key")).status, 403);
});

test("what a user may hold bounds what is put into its buckets, by whomever", async () => {
  const keys = await cluster.createUser("dora_msu", (user) => ({
    ...user,
    limits: create(UserLimitsSchema, { bytesMax: 1000n }),
  }));
  const dora = cluster.caller(keys);
  const bucket = await makeBucket(dora);
  const large = await dora.put(bucket, "large", Buffer.alloc(1001));
  assert.deepEqual([large.status, large.code], [403, "QuotaExceeded"]);
  assert.equal((await dora.put(bucket, "small", Buffer.alloc(1000))).status, 200);
  const begun = await dora.call({ method: "POST", target: `${pathOf(bucket, "parts")}?uploads` });
  const id = /<UploadId>([^<]*)</.exec(begun.text)?.[1] ?? "";
  const target = `${pathOf(bucket, "parts")}?partNumber=1&uploadId=${id}`;
  const part = await dora.call({ method: "PUT", target, body: Buffer.alloc(1001) });
  assert.equal(part.code, "QuotaExceeded");
  const headers = [["x-amz-grant-write", 'id="alice_umich"']] as const;
  await dora.call({ method: "PUT", target: `/${bucket}?acl`, headers });
  assert.equal((await alice.put(bucket, "guest", Buffer.alloc(1001))).code, "QuotaExceeded");
  const gone = await dora.call({ method: "DELETE", target: pathOf(bucket, "small") });
  assert.equal(gone.status, 204);
});

test("users may have as many buckets as they may, and some none", async () => {
  const keys = await cluster.createUser("carol_msu", (user) => ({
    ...user,
    limits: create(UserLimitsSchema, { bucketsMax: 2 }),
  }));
  const carol = cluster.caller(keys);
  const first = await makeBucket(carol);
  await makeBucket(carol);
  const third = await carol.call({ method: "PUT", target: `/${newBucketName()}` });
  assert.deepEqual([third.status, third.code], [400, "TooManyBuckets"]);
  assert.equal((await carol.call({ method: "PUT", target: `/${first}` })).status, 200);
  await cluster.change("carol_msu", (user) => ({
    ...user,
    limits: create(UserLimitsSchema, { noBuckets: true }),
  }));
  await cluster.services.directory.refresh();
  const none = await carol.call({ method: "PUT", target: `/${newBucketName()}` });
  assert.deepEqual([none.status, none.code], [403, "AccessDenied"]);
});
