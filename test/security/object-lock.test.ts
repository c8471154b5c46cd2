// Group B (14): object lock fails closed. What is locked goes on no way and for nobody, and where
// the settings of a bucket cannot be read, nothing is served or changed by guessing.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import { utf8 } from "../../services/lib/base/bytes.ts";
import { ROOT_GROUP } from "../../services/lib/clients/groups.ts";
import type { HeaderField } from "../../services/lib/s3/headers.ts";
import { type Call, type Caller, pathOf } from "../s3/caller.ts";
import { makeVersionedBucket } from "../s3/harness.ts";
import { ADMIN_USER } from "../unit/gateway/memory-gateway.ts";
import { ALICE, type Stage, startStage } from "./watched-rows.ts";

let stage: Stage;
let owner: Caller;

before(async () => {
  stage = await startStage();
  owner = stage.owner;
});
after(() => stage.stop());

const BYPASS = ["x-amz-bypass-governance-retention", "true"] as const;

function md5Of(body: string): HeaderField {
  return ["Content-MD5", createHash("md5").update(body).digest("base64")];
}

async function locked(...headers: readonly HeaderField[]): Promise<{ bucket: string; id: string }> {
  const bucket = await makeVersionedBucket(owner, true);
  const put = await owner.call({
    method: "PUT",
    target: pathOf(bucket, "key"),
    body: "content",
    headers: [md5Of("content"), ...headers],
  });
  assert.equal(put.status, 200, put.text);
  return { bucket, id: put.headers.get("x-amz-version-id") ?? "" };
}

function retention(mode: string): readonly HeaderField[] {
  const until = new Date(Date.now() + 86_400_000).toISOString();
  return [
    ["x-amz-object-lock-mode", mode],
    ["x-amz-object-lock-retain-until-date", until],
  ];
}

/** Ways by which a version could go, or its protection. */
function waysOut(bucket: string, id: string): readonly Call[] {
  const many = `<Delete><Object><Key>key</Key><VersionId>${id}</VersionId></Object></Delete>`;
  const sooner = new Date(Date.now() + 3_600_000).toISOString();
  const weaker = `<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>${sooner}</RetainUntilDate></Retention>`;
  const version = `versionId=${id}`;
  return [
    { method: "DELETE", target: `${pathOf(bucket, "key")}?${version}`, headers: [BYPASS] },
    { method: "POST", target: `/${bucket}?delete`, body: many, headers: [BYPASS, md5Of(many)] },
    {
      method: "PUT",
      target: `${pathOf(bucket, "key")}?retention&${version}`,
      body: weaker,
      headers: [BYPASS],
    },
    {
      method: "PUT",
      target: `${pathOf(bucket, "key")}?retention&${version}`,
      body: "<Retention/>",
      headers: [BYPASS],
    },
    { method: "DELETE", target: `/${bucket}` },
    {
      method: "PUT",
      target: `/${bucket}?versioning`,
      body: "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>",
    },
  ];
}

test("(14) a version under compliance goes for nobody and on no way", async () => {
  const { bucket, id } = await locked(...retention("COMPLIANCE"));
  for (const caller of [owner, stage.as(ADMIN_USER)]) {
    for (const way of waysOut(bucket, id)) {
      const answer = await caller.call(way);
      const isRefused = answer.status >= 400 || answer.text.includes("<Error>");
      assert.ok(isRefused, `${way.method} ${way.target}: ${answer.status} ${answer.text}`);
    }
  }
  const target = `${pathOf(bucket, "key")}?versionId=${id}`;
  assert.equal((await owner.call({ target })).text, "content");
});

test("(14) a legal hold holds against who may go past governance", async () => {
  const { bucket, id } = await locked(["x-amz-object-lock-legal-hold", "ON"]);
  const target = `${pathOf(bucket, "key")}?versionId=${id}`;
  for (const caller of [owner, stage.as(ADMIN_USER)]) {
    const gone = await caller.call({ method: "DELETE", target, headers: [BYPASS] });
    assert.equal(gone.code, "AccessDenied", gone.text);
  }
  const body = "<LegalHold><Status>OFF</Status></LegalHold>";
  const lift = {
    method: "PUT",
    target: `${pathOf(bucket, "key")}?legal-hold&versionId=${id}`,
    body,
  };
  await stage.setPolicy(
    bucket,
    { Action: "s3:*Object*" },
    {
      Effect: "Deny",
      Principal: "*",
      Action: "s3:PutObjectLegalHold",
    },
  );
  assert.equal((await stage.as(ALICE).call(lift)).code, "AccessDenied");
  assert.equal((await owner.call(lift)).code, "AccessDenied");
  assert.equal((await owner.call({ target })).text, "content");
});

test("(14) who may delete versions may not go past governance for that", async () => {
  const { bucket, id } = await locked(...retention("GOVERNANCE"));
  await stage.setPolicy(bucket, { Action: ["s3:DeleteObject*", "s3:PutObjectRetention"] });
  const alice = stage.as(ALICE);
  for (const way of waysOut(bucket, id).slice(0, 4)) {
    assert.match((await alice.call(way)).text, /AccessDenied/, way.target);
    const plain = { ...way, headers: (way.headers ?? []).filter(([name]) => name !== BYPASS[0]) };
    assert.match((await alice.call(plain)).text, /AccessDenied/, way.target);
  }
  const target = `${pathOf(bucket, "key")}?versionId=${id}`;
  assert.equal((await owner.call({ target })).text, "content");
});

/** Breaks a stored setting of the bucket, as damage or another release would. */
async function breakSetting(bucket: string, name: string): Promise<void> {
  const { metadata } = stage.watched;
  const found = await metadata.query<"getBucket">(ROOT_GROUP, {
    case: "getBucket",
    value: { name: bucket },
  });
  const { bucketId = 0, revision = 0n } = found.bucket ?? {};
  const settings = [{ name, document: utf8("this is not what it was") }];
  const value = { name: bucket, bucketId, expectedRevision: revision, settings };
  await metadata.execute(ROOT_GROUP, { case: "changeBucket", value });
  // The gateway learns of it as of every change that another gateway makes.
  await owner.call({ method: "HEAD", target: `/${bucket}` });
}

const LISTS_COUNT =
  "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>";

for (const setting of ["policy", "acl", "ownership", "public-access-block"]) {
  test(`(14) a stored ${setting} that cannot be read opens nothing to anybody`, async () => {
    const bucket = await stage.bucket([{ Principal: "*", Action: "s3:*" }]);
    const target = `/${bucket}?ownershipControls`;
    await owner.call({ method: "PUT", target, body: LISTS_COUNT });
    assert.equal((await stage.as(ALICE).get(bucket, "key")).status, 200);
    await breakSetting(bucket, setting);
    for (const sign of [true, false]) {
      for (const call of [
        { target: pathOf(bucket, "key") },
        { target: `/${bucket}?versions` },
        { method: "DELETE", target: pathOf(bucket, "key") },
      ]) {
        const answer = await stage.as(ALICE).call({ ...call, sign });
        assert.equal(answer.status, 500, `${JSON.stringify(call)}: ${answer.text}`);
      }
    }
  });
}

test("(14) while an object lock cannot be read, the last that could be holds", async () => {
  const { bucket, id } = await locked(...retention("GOVERNANCE"));
  const rule =
    "<Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Days>1</Days></DefaultRetention></Rule>";
  const body = `<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>${rule}</ObjectLockConfiguration>`;
  const set = await owner.call({ method: "PUT", target: `/${bucket}?object-lock`, body });
  assert.equal(set.status, 200, set.text);
  await breakSetting(bucket, "object-lock");
  const put = await owner.put(bucket, "new", "x");
  if (put.status === 200) {
    const head = await owner.call({ method: "HEAD", target: pathOf(bucket, "new") });
    assert.equal(head.headers.get("x-amz-object-lock-mode"), "COMPLIANCE");
  } else {
    assert.equal(put.status, 500, put.text);
  }
  const target = `${pathOf(bucket, "key")}?versionId=${id}`;
  assert.ok((await owner.call({ method: "DELETE", target })).status >= 400);
  assert.equal((await owner.call({ target })).text, "content");
});
