// Access control lists of objects: canned, by header, by document, and what ownership makes of
// them. Actions: PutObjectAcl, GetObjectAcl, PutObject, CopyObject, CreateMultipartUpload.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Answer, Caller, pathOf, textAt } from "./caller.ts";
import { makeBucket, newBucketName, startCluster, type TestCluster } from "./harness.ts";

const ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers";

let cluster: TestCluster;
let s3: Caller;
let bucket: string;
let enforced: string;
let owner: string;

type Headers = readonly (readonly [string, string])[];

before(async () => {
  cluster = await startCluster();
  s3 = new Caller(cluster);
  bucket = newBucketName();
  const headers = [["x-amz-object-ownership", "ObjectWriter"]] as const;
  await s3.call({ method: "PUT", target: `/${bucket}`, headers });
  await s3.call({ method: "DELETE", target: `/${bucket}?publicAccessBlock` });
  enforced = await makeBucket(s3);
  await s3.put(bucket, "owner", "x");
  const list = await s3.call({ target: `${pathOf(bucket, "owner")}?acl` });
  owner = textAt(list.xml(), "Owner", "ID") ?? "";
  assert.notEqual(owner, "");
});
after(() => cluster.stop());

function put(key: string, headers: Headers, where = bucket): Promise<Answer> {
  return s3.call({ method: "PUT", target: pathOf(where, key), body: "content", headers });
}

function putAcl(key: string, options: { headers?: Headers; body?: string }, where = bucket) {
  return s3.call({ method: "PUT", target: `${pathOf(where, key)}?acl`, ...options });
}

/** `grantee permission`, in order. */
async function grantsOf(key: string, where = bucket): Promise<string[]> {
  const answer = await s3.call({ target: `${pathOf(where, key)}?acl` });
  assert.equal(answer.status, 200, answer.text);
  const list = answer.xml().children.find(({ name }) => name === "AccessControlList");
  return (list?.children ?? []).map((grant) => {
    const who = textAt(grant, "Grantee", "ID") ?? textAt(grant, "Grantee", "URI");
    return `${who} ${textAt(grant, "Permission")}`;
  });
}

test("an object without a list gives its owner full control", async () => {
  assert.deepEqual(await grantsOf("owner"), [`${owner} FULL_CONTROL`]);
});

test("lists come with a write, canned or by header", async () => {
  await put("canned", [["x-amz-acl", "public-read"]]);
  assert.deepEqual(await grantsOf("canned"), [`${owner} FULL_CONTROL`, `${ALL_USERS} READ`]);
  await put("granted", [
    ["x-amz-grant-read", `id="someone", uri="${ALL_USERS}"`],
    ["x-amz-grant-full-control", `id="${owner}"`],
  ]);
  assert.deepEqual(
    (await grantsOf("granted")).toSorted(),
    [`${ALL_USERS} READ`, `${owner} FULL_CONTROL`, "someone READ"].toSorted(),
  );
});

test("lists are replaced by header and by document, and read back", async () => {
  await put("changed", []);
  assert.equal((await putAcl("changed", { headers: [["x-amz-acl", "public-read"]] })).status, 200);
  assert.equal((await grantsOf("changed")).length, 2);
  const body =
    '<AccessControlPolicy xmlns="http://s3.amazonaws.com/doc/2006-03-01/">' +
    `<Owner><ID>${owner}</ID></Owner><AccessControlList><Grant>` +
    '<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser">' +
    "<ID>friend</ID></Grantee><Permission>READ</Permission></Grant></AccessControlList>" +
    "</AccessControlPolicy>";
  assert.equal((await putAcl("changed", { body })).status, 200);
  assert.deepEqual(await grantsOf("changed"), ["friend READ"]);
  const given = body.replace(`<ID>${owner}</ID>`, "<ID>friend</ID>");
  assert.equal((await putAcl("changed", { body: given })).code, "AccessDenied");
});

test("a copy does not take the list of its source", async () => {
  await put("listed", [["x-amz-acl", "public-read"]]);
  await put("copied", [["x-amz-copy-source", `/${bucket}/listed`]]);
  assert.deepEqual(await grantsOf("copied"), [`${owner} FULL_CONTROL`]);
});

test("refuses unknown lists, both kinds at once, and requests without any", async () => {
  await put("refused", []);
  const cases: readonly (readonly [{ headers?: Headers; body?: string }, string])[] = [
    [{ headers: [["x-amz-acl", "everyone"]] }, "InvalidArgument"],
    [{ headers: [["x-amz-grant-read", "nobody"]] }, "InvalidArgument"],
    [{ headers: [["x-amz-grant-read", 'uri="http://example.org/"']] }, "InvalidArgument"],
    [
      { headers: [["x-amz-grant-read", 'emailAddress="a@example.org"']] },
      "UnresolvableGrantByEmailAddress",
    ],
    [
      {
        headers: [
          ["x-amz-acl", "private"],
          ["x-amz-grant-read", 'id="a"'],
        ],
      },
      "InvalidRequest",
    ],
    [{ headers: [["x-amz-acl", "private"]], body: "<AccessControlPolicy/>" }, "UnexpectedContent"],
    [{ body: "<AccessControlPolicy/>" }, "MalformedACLError"],
    [{ body: "no document" }, "MalformedACLError"],
    [{}, "MissingSecurityHeader"],
  ];
  for (const [options, code] of cases) {
    const answer = await putAcl("refused", options);
    assert.equal(answer.code, code, JSON.stringify(options));
    assert.equal(answer.status, 400);
  }
  assert.deepEqual(await grantsOf("refused"), [`${owner} FULL_CONTROL`]);
  const missing = await putAcl("missing", { headers: [["x-amz-acl", "private"]] });
  assert.equal(missing.code, "NoSuchKey");
});

test("public lists are refused where the bucket blocks them", async () => {
  const own = newBucketName();
  const headers = [["x-amz-object-ownership", "ObjectWriter"]] as const;
  await s3.call({ method: "PUT", target: `/${own}`, headers });
  const body =
    "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls>" +
    "</PublicAccessBlockConfiguration>";
  await s3.call({ method: "PUT", target: `/${own}?publicAccessBlock`, body });
  const refused = await put("public", [["x-amz-acl", "public-read"]], own);
  assert.equal(refused.code, "AccessDenied");
  assert.equal((await put("private", [["x-amz-acl", "private"]], own)).status, 200);
  const list = { headers: [["x-amz-acl", "public-read"]] } as const;
  assert.equal((await putAcl("private", list, own)).code, "AccessDenied");
});

test("where the bucket's owner owns everything, only what changes nothing is accepted", async () => {
  for (const name of ["public-read", "authenticated-read", "bucket-owner-read"]) {
    const refused = await put("enforced", [["x-amz-acl", name]], enforced);
    assert.equal(refused.code, "AccessControlListNotSupported", name);
  }
  for (const name of ["private", "bucket-owner-full-control"]) {
    assert.equal((await put("enforced", [["x-amz-acl", name]], enforced)).status, 200, name);
  }
  const grant = [["x-amz-grant-read", 'id="someone"']] as const;
  assert.equal((await put("enforced", grant, enforced)).code, "AccessControlListNotSupported");
  const changed = await putAcl("enforced", { headers: [["x-amz-acl", "public-read"]] }, enforced);
  assert.equal(changed.code, "AccessControlListNotSupported");
  const same = await putAcl(
    "enforced",
    { headers: [["x-amz-acl", "bucket-owner-full-control"]] },
    enforced,
  );
  assert.equal(same.status, 200);
  assert.deepEqual(await grantsOf("enforced", enforced), [`${owner} FULL_CONTROL`]);
});
