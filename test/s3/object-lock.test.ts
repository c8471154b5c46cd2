// Retention and legal hold of versions: set with a write or later, and what they forbid.
// Actions: PutObjectRetention, GetObjectRetention, PutObjectLegalHold, GetObjectLegalHold,
// PutObject, CopyObject, DeleteObject, DeleteObjects.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import { type Answer, Caller, pathOf, textAt } from "./caller.ts";
import { makeBucket, makeVersionedBucket, startCluster, type TestCluster } from "./harness.ts";

const HOUR_MS = 3_600_000;

let cluster: TestCluster;
let s3: Caller;
let bucket: string;

type Headers = readonly (readonly [string, string])[];
const BYPASS: Headers = [["x-amz-bypass-governance-retention", "true"]];

before(async () => {
  cluster = await startCluster();
  s3 = new Caller(cluster);
  bucket = await makeVersionedBucket(s3, true);
});
after(() => cluster.stop());

function inHours(hours: number): string {
  return new Date(Date.now() + hours * HOUR_MS).toISOString();
}

async function put(key: string, headers: Headers = [], where = bucket): Promise<Answer> {
  const body = "content";
  const md5 = createHash("md5").update(body).digest("base64");
  return s3.call({
    method: "PUT",
    target: pathOf(where, key),
    body,
    headers: [["Content-MD5", md5], ...headers],
  });
}

async function putVersion(key: string, headers: Headers = []): Promise<string> {
  const answer = await put(key, headers);
  assert.equal(answer.status, 200, answer.text);
  return answer.headers.get("x-amz-version-id") ?? "";
}

function lockHeaders(mode: string, hours: number): Headers {
  return [
    ["x-amz-object-lock-mode", mode],
    ["x-amz-object-lock-retain-until-date", inHours(hours)],
  ];
}

function remove(key: string, id: string, headers: Headers = []): Promise<Answer> {
  const target = `${pathOf(bucket, key)}?versionId=${id}`;
  return s3.call({ method: "DELETE", target, headers });
}

function retain(key: string, body: string, headers: Headers = []): Promise<Answer> {
  return s3.call({ method: "PUT", target: `${pathOf(bucket, key)}?retention`, body, headers });
}

function retention(mode: string, until: string): string {
  return `<Retention><Mode>${mode}</Mode><RetainUntilDate>${until}</RetainUntilDate></Retention>`;
}

function hold(key: string, status: string): Promise<Answer> {
  const body = `<LegalHold><Status>${status}</Status></LegalHold>`;
  return s3.call({ method: "PUT", target: `${pathOf(bucket, key)}?legal-hold`, body });
}

test("a retention comes with a write, is shown, and keeps the version from being deleted", async () => {
  const until = inHours(1);
  const id = await putVersion("governed", [
    ["x-amz-object-lock-mode", "GOVERNANCE"],
    ["x-amz-object-lock-retain-until-date", until],
  ]);
  const head = await s3.call({ method: "HEAD", target: pathOf(bucket, "governed") });
  assert.equal(head.headers.get("x-amz-object-lock-mode"), "GOVERNANCE");
  assert.equal(head.headers.get("x-amz-object-lock-retain-until-date"), until);
  const got = await s3.call({ target: `${pathOf(bucket, "governed")}?retention` });
  assert.equal(textAt(got.xml(), "Mode"), "GOVERNANCE");
  assert.equal(textAt(got.xml(), "RetainUntilDate"), until);
  const refused = await remove("governed", id);
  assert.equal(refused.status, 403);
  assert.equal(refused.code, "AccessDenied");
  // A marker hides it, which is no deletion.
  const marked = await s3.call({ method: "DELETE", target: pathOf(bucket, "governed") });
  assert.equal(marked.status, 204);
  assert.equal((await remove("governed", id, BYPASS)).status, 204);
});

test("compliance is not bypassed, and only extended", async () => {
  const id = await putVersion("complied", lockHeaders("COMPLIANCE", 1));
  assert.equal((await remove("complied", id, BYPASS)).code, "AccessDenied");
  const shorter = await retain("complied", retention("COMPLIANCE", inHours(0.5)), BYPASS);
  assert.equal(shorter.code, "AccessDenied");
  const weaker = await retain("complied", retention("GOVERNANCE", inHours(2)), BYPASS);
  assert.equal(weaker.code, "AccessDenied");
  assert.equal((await retain("complied", retention("COMPLIANCE", inHours(2)))).status, 200);
});

test("governance is shortened and lifted only by who bypasses it", async () => {
  const id = await putVersion("lifted", lockHeaders("GOVERNANCE", 2));
  assert.equal((await retain("lifted", retention("GOVERNANCE", inHours(3)))).status, 200);
  assert.equal((await retain("lifted", retention("GOVERNANCE", inHours(1)))).code, "AccessDenied");
  assert.equal((await retain("lifted", "<Retention/>")).code, "AccessDenied");
  assert.equal((await retain("lifted", "<Retention/>", BYPASS)).status, 200);
  const none = await s3.call({ target: `${pathOf(bucket, "lifted")}?retention` });
  assert.equal(none.code, "NoSuchObjectLockConfiguration");
  assert.equal((await remove("lifted", id)).status, 204);
});

test("a legal hold forbids deletion until it is off, bypass or not", async () => {
  const id = await putVersion("held", [["x-amz-object-lock-legal-hold", "ON"]]);
  const target = `${pathOf(bucket, "held")}?legal-hold`;
  assert.equal(textAt((await s3.call({ target })).xml(), "Status"), "ON");
  const head = await s3.call({ method: "HEAD", target: pathOf(bucket, "held") });
  assert.equal(head.headers.get("x-amz-object-lock-legal-hold"), "ON");
  assert.equal((await remove("held", id, BYPASS)).code, "AccessDenied");
  assert.equal((await hold("held", "OFF")).status, 200);
  assert.equal(textAt((await s3.call({ target })).xml(), "Status"), "OFF");
  assert.equal((await remove("held", id)).status, 204);
});

test("DeleteObjects tells a locked version apart from the others", async () => {
  const locked = await putVersion("one", lockHeaders("GOVERNANCE", 1));
  const free = await putVersion("two");
  const object = (key: string, id: string): string =>
    `<Object><Key>${key}</Key><VersionId>${id}</VersionId></Object>`;
  const body = `<Delete>${object("one", locked)}${object("two", free)}</Delete>`;
  const md5 = createHash("md5").update(body).digest("base64");
  const call = { method: "POST", target: `/${bucket}?delete`, body };
  const mixed = await s3.call({ ...call, headers: [["Content-MD5", md5]] });
  const [first, second] = mixed.xml().children;
  assert.equal(first?.name, "Error");
  assert.ok(first !== undefined && textAt(first, "Code") === "AccessDenied");
  assert.equal(second?.name, "Deleted");
  const bypassed = await s3.call({ ...call, headers: [["Content-MD5", md5], ...BYPASS] });
  assert.ok(bypassed.xml().children.every(({ name }) => name === "Deleted"));
});

test("copies bring their own lock, not that of their source", async () => {
  await putVersion("locked-source", lockHeaders("GOVERNANCE", 1));
  const source = ["x-amz-copy-source", `/${bucket}/locked-source`] as const;
  const target = pathOf(bucket, "copied");
  await s3.call({ method: "PUT", target, headers: [source] });
  assert.equal((await s3.call({ target: `${target}?retention` })).status, 404);
  const headers = [source, ...lockHeaders("GOVERNANCE", 1)];
  const copied = await s3.call({ method: "PUT", target, headers });
  assert.equal(copied.status, 200, copied.text);
  assert.equal((await s3.call({ target: `${target}?retention` })).status, 200);
  const id = copied.headers.get("x-amz-version-id") ?? "";
  assert.equal((await remove("copied", id, BYPASS)).status, 204);
});

test("refuses half a lock, dates that are past, unknown modes, and bodies without digest", async () => {
  const cases: readonly (readonly [Headers, string])[] = [
    [[["x-amz-object-lock-mode", "GOVERNANCE"]], "InvalidArgument"],
    [[["x-amz-object-lock-retain-until-date", inHours(1)]], "InvalidArgument"],
    [lockHeaders("GOVERNANCE", -1), "InvalidArgument"],
    [lockHeaders("governance", 1), "InvalidArgument"],
    [[["x-amz-object-lock-legal-hold", "on"]], "InvalidArgument"],
  ];
  for (const [headers, code] of cases) {
    const refused = await put("refused", headers);
    assert.equal(refused.status, 400, JSON.stringify(headers));
    assert.equal(refused.code, code);
  }
  const headers = lockHeaders("GOVERNANCE", 1);
  const target = pathOf(bucket, "refused");
  const bare = await s3.call({ method: "PUT", target, body: "content", headers });
  assert.equal(bare.code, "InvalidRequest");
  assert.equal((await s3.get(bucket, "refused")).status, 404);
  await putVersion("documents");
  assert.equal((await retain("documents", retention("NONE", inHours(1)))).code, "MalformedXML");
  assert.equal(
    (await retain("documents", retention("GOVERNANCE", inHours(-1)))).code,
    "InvalidArgument",
  );
  assert.equal((await hold("documents", "MAYBE")).code, "MalformedXML");
  assert.equal((await hold("missing", "ON")).code, "NoSuchKey");
});

test("a bucket without object lock takes none", async () => {
  const plain = await makeBucket(s3);
  const refused = await put("key", lockHeaders("GOVERNANCE", 1), plain);
  assert.equal(refused.status, 400);
  assert.equal(refused.code, "InvalidRequest");
  await put("key", [], plain);
  for (const query of ["retention", "legal-hold"]) {
    const target = `${pathOf(plain, "key")}?${query}`;
    assert.equal((await s3.call({ target })).code, "InvalidRequest");
  }
});
