// Who may use a bucket: access control lists, ownership controls, public access block, and what
// CreateBucket sets of them. Actions: PutBucketAcl, GetBucketAcl, PutBucketOwnershipControls,
// GetBucketOwnershipControls, DeleteBucketOwnershipControls, PutPublicAccessBlock,
// GetPublicAccessBlock, DeletePublicAccessBlock. Row D8: a new bucket is closed.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { HeaderField } from "../../services/lib/s3/headers.ts";
import type { XmlElement } from "../../services/lib/s3/xml-reader.ts";
import { type Answer, Caller, textAt } from "./caller.ts";
import { newBucketName, startCluster, type TestCluster } from "./harness.ts";

const ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers";

let cluster: TestCluster;
let s3: Caller;

before(async () => {
  cluster = await startCluster();
  s3 = new Caller(cluster);
});
after(() => cluster.stop());

async function make(...headers: readonly HeaderField[]): Promise<string> {
  const bucket = newBucketName();
  const answer = await s3.call({ method: "PUT", target: `/${bucket}`, headers });
  assert.equal(answer.status, 200, answer.text);
  return bucket;
}

/** A bucket whose ACL counts and may be public. */
async function makeOpen(): Promise<string> {
  const bucket = await make(["x-amz-object-ownership", "ObjectWriter"]);
  await s3.call({ method: "DELETE", target: `/${bucket}?publicAccessBlock` });
  return bucket;
}

async function put(bucket: string, what: string, body: string): Promise<Answer> {
  return s3.call({ method: "PUT", target: `/${bucket}?${what}`, body });
}

function grantsOf(policy: XmlElement): string[] {
  const list = policy.children.find(({ name }) => name === "AccessControlList");
  assert.ok(list !== undefined);
  return list.children.map((grant) => {
    const who = textAt(grant, "Grantee", "ID") ?? textAt(grant, "Grantee", "URI");
    return `${who} ${textAt(grant, "Permission")}`;
  });
}

async function aclOf(bucket: string): Promise<{ owner: string; grants: string[] }> {
  const policy = (await s3.call({ target: `/${bucket}?acl` })).xml();
  return { owner: textAt(policy, "Owner", "ID") ?? "", grants: grantsOf(policy) };
}

function aclDocument(ownerId: string, grantee: string, permission: string): string {
  return (
    `<AccessControlPolicy><Owner><ID>${ownerId}</ID></Owner><AccessControlList><Grant>` +
    `<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser">` +
    `<ID>${grantee}</ID></Grantee><Permission>${permission}</Permission></Grant>` +
    "</AccessControlList></AccessControlPolicy>"
  );
}

function ownership(value: string): string {
  return `<OwnershipControls><Rule><ObjectOwnership>${value}</ObjectOwnership></Rule></OwnershipControls>`;
}

test("D8: a new bucket is its owner's alone, has ACLs off and blocks public access", async () => {
  const bucket = await make();
  const { owner, grants } = await aclOf(bucket);
  assert.deepEqual(grants, [`${owner} FULL_CONTROL`]);
  const controls = (await s3.call({ target: `/${bucket}?ownershipControls` })).xml();
  assert.equal(textAt(controls, "Rule", "ObjectOwnership"), "BucketOwnerEnforced");
  const block = (await s3.call({ target: `/${bucket}?publicAccessBlock` })).xml();
  assert.deepEqual(
    block.children.map(({ text }) => text),
    ["true", "true", "true", "true"],
  );
  if (cluster.stranger !== undefined) {
    assert.equal((await cluster.stranger.call({ target: `/${bucket}` })).code, "AccessDenied");
  }
});

test("where ACLs are off only the list that changes nothing is taken", async () => {
  const bucket = await make();
  const { owner } = await aclOf(bucket);
  const same = await put(bucket, "acl", aclDocument(owner, owner, "FULL_CONTROL"));
  assert.equal(same.status, 200, same.text);
  const other = await put(bucket, "acl", aclDocument(owner, "somebody_else", "READ"));
  assert.equal(other.code, "AccessControlListNotSupported");
  for (const [acl, status] of [
    ["private", 200],
    ["bucket-owner-full-control", 200],
    ["public-read", 400],
    ["authenticated-read", 400],
  ] as const) {
    const headers = [["x-amz-acl", acl]] as const;
    const answer = await s3.call({ method: "PUT", target: `/${bucket}?acl`, headers });
    assert.equal(answer.status, status, acl);
  }
  assert.deepEqual((await aclOf(bucket)).grants, [`${owner} FULL_CONTROL`]);
});

test("grants are put by document, by canned list and by headers", async () => {
  const bucket = await makeOpen();
  const { owner } = await aclOf(bucket);
  await put(bucket, "acl", aclDocument(owner, "name_org", "READ"));
  assert.deepEqual((await aclOf(bucket)).grants, ["name_org READ"]);
  const target = `/${bucket}?acl`;
  await s3.call({ method: "PUT", target, headers: [["x-amz-acl", "public-read-write"]] });
  assert.deepEqual((await aclOf(bucket)).grants, [
    `${owner} FULL_CONTROL`,
    `${ALL_USERS} READ`,
    `${ALL_USERS} WRITE`,
  ]);
  const headers = [
    ["x-amz-grant-read", `id="name_org", uri="${ALL_USERS}"`],
    ["x-amz-grant-full-control", `id=${owner}`],
  ] as const;
  assert.equal((await s3.call({ method: "PUT", target, headers })).status, 200);
  assert.deepEqual((await aclOf(bucket)).grants, [
    `${owner} FULL_CONTROL`,
    "name_org READ",
    `${ALL_USERS} READ`,
  ]);
  await s3.call({ method: "PUT", target, headers: [["x-amz-acl", "private"]] });
  assert.deepEqual((await aclOf(bucket)).grants, [`${owner} FULL_CONTROL`]);
});

test("refuses lists that say two things, nothing, or something unknown", async () => {
  const bucket = await makeOpen();
  const { owner } = await aclOf(bucket);
  const target = `/${bucket}?acl`;
  const document = aclDocument(owner, "name_org", "READ");
  const cases: readonly (readonly [readonly HeaderField[], string, string])[] = [
    [[["x-amz-acl", "private"]], document, "UnexpectedContent"],
    [[["x-amz-acl", "open"]], "", "InvalidArgument"],
    [
      [
        ["x-amz-acl", "private"],
        ["x-amz-grant-read", "id=x"],
      ],
      "",
      "InvalidRequest",
    ],
    [[], "", "MissingSecurityHeader"],
    [[], "<AccessControlPolicy/>", "MalformedACLError"],
    [[], aclDocument("another_owner", "name_org", "READ"), "AccessDenied"],
    [[["x-amz-grant-read", "emailAddress=a@b.c"]], "", "UnresolvableGrantByEmailAddress"],
    [[["x-amz-grant-read", "uri=http://no.such/group"]], "", "InvalidArgument"],
  ];
  for (const [headers, body, code] of cases) {
    const answer = await s3.call({ method: "PUT", target, headers, body });
    assert.equal(answer.code, code, answer.text);
  }
  assert.deepEqual((await aclOf(bucket)).grants, [`${owner} FULL_CONTROL`]);
});

test("the public access block refuses public lists, and others pass", async () => {
  const bucket = await makeOpen();
  const block =
    "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls>" +
    "</PublicAccessBlockConfiguration>";
  assert.equal((await put(bucket, "publicAccessBlock", block)).status, 200);
  const target = `/${bucket}?acl`;
  const open = await s3.call({ method: "PUT", target, headers: [["x-amz-acl", "public-read"]] });
  assert.equal(open.code, "AccessDenied");
  const one = await s3.call({ method: "PUT", target, headers: [["x-amz-grant-read", "id=n_o"]] });
  assert.equal(one.status, 200);
  const gone = await s3.call({ method: "DELETE", target: `/${bucket}?publicAccessBlock` });
  assert.equal(gone.status, 204);
  const missing = await s3.call({ target: `/${bucket}?publicAccessBlock` });
  assert.equal(missing.code, "NoSuchPublicAccessBlockConfiguration");
  const again = await s3.call({ method: "PUT", target, headers: [["x-amz-acl", "public-read"]] });
  assert.equal(again.status, 200);
});

test("ACLs cannot go off while they grant something to others", async () => {
  const bucket = await makeOpen();
  await s3.call({
    method: "PUT",
    target: `/${bucket}?acl`,
    headers: [["x-amz-acl", "public-read"]],
  });
  const refused = await put(bucket, "ownershipControls", ownership("BucketOwnerEnforced"));
  assert.equal(refused.code, "InvalidBucketAclWithObjectOwnership");
  await s3.call({ method: "PUT", target: `/${bucket}?acl`, headers: [["x-amz-acl", "private"]] });
  const taken = await put(bucket, "ownershipControls", ownership("BucketOwnerEnforced"));
  assert.equal(taken.status, 200, taken.text);
  assert.equal((await put(bucket, "ownershipControls", ownership("Nobody"))).code, "MalformedXML");
  const target = `/${bucket}?ownershipControls`;
  assert.equal((await s3.call({ method: "DELETE", target })).status, 204);
  assert.equal((await s3.call({ target })).code, "OwnershipControlsNotFoundError");
});

test("CreateBucket takes ownership and grants together, or refuses both", async () => {
  const bucket = await make(
    ["x-amz-object-ownership", "BucketOwnerPreferred"],
    ["x-amz-grant-write", "id=name_org"],
  );
  assert.deepEqual((await aclOf(bucket)).grants, ["name_org WRITE"]);
  const refusals: readonly (readonly [readonly HeaderField[], string])[] = [
    [[["x-amz-acl", "public-read"]], "InvalidBucketAclWithObjectOwnership"],
    [[["x-amz-grant-read", "id=name_org"]], "InvalidBucketAclWithObjectOwnership"],
    [
      [
        ["x-amz-object-ownership", "ObjectWriter"],
        ["x-amz-acl", "public-read"],
      ],
      "InvalidBucketAclWithBlockPublicAccessError",
    ],
    [[["x-amz-object-ownership", "Mine"]], "InvalidArgument"],
    [[["x-amz-acl", "mine"]], "InvalidArgument"],
  ];
  for (const [headers, code] of refusals) {
    const target = `/${newBucketName()}`;
    assert.equal((await s3.call({ method: "PUT", target, headers })).code, code);
    assert.equal((await s3.call({ method: "HEAD", target })).status, 404);
  }
  await make(["x-amz-acl", "private"]);
});
