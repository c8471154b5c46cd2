// Groups B (8) to (13): the right is asked before anything is told, copies ask on both sides,
// denials and bounds come first, clients cannot say what only the server knows, and everybody who
// is nobody passes the public access block.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import type { HeaderField } from "../../services/lib/s3/headers.ts";
import { type Answer, type Call, type Caller, pathOf } from "../s3/caller.ts";
import { makeBucket, makeVersionedBucket } from "../s3/harness.ts";
import { statement, testUser } from "../s3/watched-gateway.ts";
import { ALICE, BOB, type Stage, startStage } from "./watched-rows.ts";

const EVERYTHING = statement({ Action: "s3:*", Resource: "*" });
/** Its session policy only denies, which allows nothing. */
const DENY_ONLY_SESSION = testUser({
  userId: "carol_msu",
  policies: [EVERYTHING],
  bounds: [statement({ Effect: "Deny", Action: "s3:PutObject", Resource: "*" })],
});
const BOUNDED_ADMIN = testUser({
  userId: "dora_msu",
  administrator: true,
  bounds: [statement({ Action: "s3:Get*", Resource: "*" })],
});
const DENIED_ADMIN = testUser({
  userId: "emil_msu",
  administrator: true,
  policies: [statement({ Effect: "Deny", Action: "s3:BypassGovernanceRetention", Resource: "*" })],
});
const GENEROUS = testUser({ userId: "fred_msu", policies: [EVERYTHING] });

let stage: Stage;
let owner: Caller;
let alice: Caller;

before(async () => {
  stage = await startStage([DENY_ONLY_SESSION, BOUNDED_ADMIN, DENIED_ADMIN, GENEROUS]);
  owner = stage.owner;
  alice = stage.as(ALICE);
});
after(() => stage.stop());

/** What an answer tells, without what is different in every answer and without the key itself. */
function told({ status, code, headers, text }: Answer): string {
  const names = [...headers.keys()].toSorted().join(" ");
  const body = text
    .replaceAll(/<(RequestId|HostId|Resource)>[^<]*</g, "<$1><")
    .replaceAll(/key|missing/g, "k");
  return JSON.stringify([status, code, names, body]);
}

const FUTURE = "Fri, 01 Dec 2090 16:00:00 GMT";
const PAST = "Sat, 01 Jan 2000 00:00:00 GMT";

test("(8) CVE-2024-36107 conditions, ranges and parts tell a stranger nothing", async () => {
  const bucket = await stage.bucket();
  const etag = (await owner.get(bucket, "key")).headers.get("etag") ?? "";
  const asked: readonly (readonly [query: string, headers: readonly HeaderField[]])[] = [
    ["", []],
    ["", [["If-Modified-Since", FUTURE]]],
    ["", [["If-Modified-Since", PAST]]],
    ["", [["If-Unmodified-Since", PAST]]],
    ["", [["If-None-Match", etag]]],
    ["", [["If-Match", '"no"']]],
    ["", [["Range", "bytes=1000-"]]],
    ["?partNumber=7", []],
    [`?versionId=${"0".repeat(32)}`, []],
    ["?tagging", []],
    ["?acl", []],
    ["?attributes", [["x-amz-object-attributes", "ETag"]]],
    ["?retention", []],
    ["?legal-hold", []],
  ];
  for (const sign of [true, false]) {
    for (const method of ["GET", "HEAD"]) {
      for (const [query, headers] of asked) {
        const ask = (key: string): Promise<Answer> =>
          alice.call({ method, target: pathOf(bucket, key) + query, headers, sign });
        stage.watched.reached();
        const [there, missing] = [await ask("key"), await ask("missing")];
        const shown = `${method} ${query} ${JSON.stringify(headers)}`;
        // HEAD of a sub-resource is no action, whoever asks.
        const status = there.status === 405 ? 405 : 403;
        assert.equal(there.status, status, shown);
        assert.equal(told(there), told(missing), shown);
        assert.deepEqual(stage.watched.reached(), [], shown);
      }
    }
  }
});

test("(8) writes under conditions tell a stranger nothing", async () => {
  const bucket = await stage.bucket();
  for (const method of ["PUT", "DELETE"]) {
    for (const header of [
      ["If-Match", '"no"'],
      ["If-None-Match", "*"],
    ] as const) {
      const ask = (key: string): Promise<Answer> => {
        const target = pathOf(bucket, key);
        return alice.call({
          method,
          target,
          headers: [header],
          ...(method === "PUT" ? { body: "x" } : {}),
        });
      };
      assert.equal(told(await ask("key")), told(await ask("missing")));
      assert.equal((await ask("key")).code, "AccessDenied");
    }
  }
});

/** Copies from `source` into a bucket of Alice, whole and as a part. */
async function copies(source: string, headers: readonly HeaderField[] = []): Promise<Answer[]> {
  const own = await makeBucket(alice);
  const all = [["x-amz-copy-source", source] as const, ...headers];
  const begun = await alice.call({ method: "POST", target: `${pathOf(own, "parts")}?uploads` });
  const id = /<UploadId>([^<]*)</.exec(begun.text)?.[1] ?? "";
  return [
    await alice.call({ method: "PUT", target: pathOf(own, "copy"), headers: all }),
    await alice.call({
      method: "PUT",
      target: `${pathOf(own, "parts")}?partNumber=1&uploadId=${id}`,
      headers: all,
    }),
  ];
}

test("(9) the source of a copy must be readable, by the action for its version", async () => {
  const bucket = await makeVersionedBucket(owner);
  const put = await owner.put(bucket, "key", "content");
  const version = put.headers.get("x-amz-version-id") ?? "";
  for (const source of [`${bucket}/key`, `/${bucket}/key?versionId=${version}`]) {
    for (const answer of await copies(source)) assert.equal(answer.code, "AccessDenied", source);
  }
  await stage.setPolicy(bucket, { Action: "s3:GetObject" });
  for (const answer of await copies(`${bucket}/key`)) assert.equal(answer.status, 200, answer.text);
  for (const answer of await copies(`${bucket}/key?versionId=${version}`)) {
    assert.equal(answer.code, "AccessDenied");
  }
  await stage.setPolicy(bucket, { Action: "s3:GetObjectVersion" });
  for (const answer of await copies(`${bucket}/key`)) assert.equal(answer.code, "AccessDenied");
  for (const answer of await copies(`${bucket}/key?versionId=${version}`)) {
    assert.equal(answer.status, 200, answer.text);
  }
});

test("(9) an encoded question mark is part of the key of the source, for one and all", async () => {
  const bucket = await makeVersionedBucket(owner);
  const put = await owner.put(bucket, "key", "content");
  const version = put.headers.get("x-amz-version-id") ?? "";
  const key = `key?versionId=${version}`;
  await stage.setPolicy(bucket, { Action: "s3:GetObjectVersion" });
  const source = `${bucket}/key%3FversionId%3D${version}`;
  for (const answer of await copies(source)) assert.equal(answer.code, "AccessDenied");
  await owner.put(bucket, key, "another object");
  await stage.setPolicy(bucket, {
    Action: "s3:GetObject",
    Resource: `arn:aws:s3:::${bucket}/key?versionId=*`,
  });
  for (const answer of await copies(source)) assert.equal(answer.status, 200, answer.text);
  for (const answer of await copies(`${bucket}/key`)) assert.equal(answer.code, "AccessDenied");
});

test("(9) conditions on a source that may not be read tell nothing", async () => {
  const bucket = await stage.bucket();
  for (const header of [
    ["x-amz-copy-source-if-match", '"no"'],
    ["x-amz-copy-source-if-modified-since", FUTURE],
  ] as const) {
    for (const key of ["key", "missing"]) {
      for (const answer of await copies(`${bucket}/${key}`, [header])) {
        assert.equal(answer.code, "AccessDenied", key);
      }
    }
  }
});

test("(9) CVE-2024-47866 an empty or broken source of a copy is a bad request", async () => {
  for (const source of ["", "/", "//", "bucket", "/bucket/", "%", "bucket/%ff", "?versionId=x"]) {
    for (const answer of await copies(source)) {
      assert.ok(answer.status >= 400 && answer.status < 500, `${source}: ${answer.text}`);
    }
  }
});

test("(9) whoever may not write the copy reads nothing of the source", async () => {
  const bucket = await stage.bucket([{ Action: "s3:GetObject" }]);
  const locked = await stage.bucket();
  stage.watched.reached();
  const headers = [["x-amz-copy-source", `${bucket}/key`]] as const;
  const copy = await alice.call({ method: "PUT", target: pathOf(locked, "copy"), headers });
  assert.equal(copy.code, "AccessDenied");
  assert.deepEqual(stage.watched.reached(), []);
});

test("(9) a policy can name the sources of copies", async () => {
  const [good, bad] = [
    await stage.bucket([{ Action: "s3:Get*" }]),
    await stage.bucket([{ Action: "s3:Get*" }]),
  ];
  const Condition = { StringLike: { "s3:x-amz-copy-source": [`${good}/*`, `/${good}/*`] } };
  const target = await stage.bucket([{ Action: "s3:PutObject", Condition }]);
  const copy = async (source: string): Promise<number> => {
    const headers = [["x-amz-copy-source", source]] as const;
    return (await alice.call({ method: "PUT", target: pathOf(target, "copy"), headers })).status;
  };
  assert.deepEqual([await copy(`${good}/key`), await copy(`/${good}/key`)], [200, 200]);
  assert.deepEqual([await copy(`${bad}/key`), await copy(`/${bad}/key`)], [403, 403]);
  assert.equal((await alice.put(target, "plain", "x")).code, "AccessDenied");
});

test("(10) an explicit denial wins over every allowance", async () => {
  const bucket = await stage.bucket([
    { Principal: "*", Action: "s3:GetObject" },
    { Effect: "Deny", Principal: { AWS: "arn:aws:iam:::user/fred_msu" }, Action: "s3:GetObject" },
  ]);
  assert.equal((await stage.as(BOB).get(bucket, "key")).status, 200);
  assert.equal((await stage.as(GENEROUS).get(bucket, "key")).code, "AccessDenied");
});

test("(10) CVE-2025-62506 a session policy that only denies allows nothing", async () => {
  const bucket = await stage.bucket();
  const carol = stage.as(DENY_ONLY_SESSION);
  assert.equal((await carol.get(bucket, "key")).code, "AccessDenied");
  assert.equal(
    (await carol.call({ method: "PUT", target: "/carols-own-bucket" })).code,
    "AccessDenied",
  );
  assert.equal((await carol.call({ target: "/" })).code, "AccessDenied");
});

test("(10) CVE-2024-24747 a bound holds administrators too", async () => {
  const bucket = await stage.bucket();
  const dora = stage.as(BOUNDED_ADMIN);
  assert.equal((await dora.get(bucket, "key")).status, 200);
  assert.equal((await dora.put(bucket, "key", "x")).code, "AccessDenied");
  assert.equal(
    (await dora.call({ method: "DELETE", target: pathOf(bucket, "key") })).code,
    "AccessDenied",
  );
});

/** An object under governance for a day; the ways to go past it. */
async function governed(): Promise<{ bucket: string; ways: readonly Call[] }> {
  const bucket = await makeVersionedBucket(owner, true);
  const until = new Date(Date.now() + 86_400_000).toISOString();
  const body = "content";
  const put = await owner.call({
    method: "PUT",
    target: pathOf(bucket, "key"),
    body,
    headers: [
      ["x-amz-object-lock-mode", "GOVERNANCE"],
      ["x-amz-object-lock-retain-until-date", until],
      ["Content-MD5", createHash("md5").update(body).digest("base64")],
    ],
  });
  assert.equal(put.status, 200, put.text);
  const id = put.headers.get("x-amz-version-id") ?? "";
  const bypass = ["x-amz-bypass-governance-retention", "true"] as const;
  const many = `<Delete><Object><Key>key</Key><VersionId>${id}</VersionId></Object></Delete>`;
  const md5 = ["Content-MD5", createHash("md5").update(many).digest("base64")] as const;
  const target = `${pathOf(bucket, "key")}?versionId=${id}`;
  const ways = [
    { method: "DELETE", target, headers: [bypass] },
    { method: "POST", target: `/${bucket}?delete`, body: many, headers: [bypass, md5] },
    {
      method: "PUT",
      target: `${pathOf(bucket, "key")}?retention&versionId=${id}`,
      body: "<Retention/>",
      headers: [bypass],
    },
  ];
  return { bucket, ways };
}

test("(10) CVE-2023-25812 a denial of going past governance is honoured, on every way", async () => {
  const { bucket, ways } = await governed();
  for (const way of ways) {
    const answer = await stage.as(DENIED_ADMIN).call(way);
    assert.match(answer.text, /AccessDenied/, way.target);
  }
  const Action = "s3:BypassGovernanceRetention";
  await stage.setPolicy(bucket, { Effect: "Deny", Principal: "*", Action });
  for (const way of ways) {
    for (const caller of [owner, stage.as(GENEROUS)]) {
      assert.match((await caller.call(way)).text, /AccessDenied/, way.target);
    }
  }
  assert.equal((await owner.get(bucket, "key")).status, 200);
});

test("(11) conditions that nobody knows are refused when they are put", async () => {
  const bucket = await stage.bucket();
  for (const Condition of [
    { StringSounds: { "aws:username": "alice" } },
    { "ForSomeValues:StringEquals": { "aws:username": "alice" } },
    { StringEquals: { nonsense: "x" } },
  ]) {
    const answer = await stage.setPolicy(bucket, { Action: "s3:GetObject", Condition });
    assert.equal(answer.code, "MalformedPolicy", JSON.stringify(Condition));
  }
});

test("(11) a key that is absent allows nothing, but under operators that are negated", async () => {
  for (const [Condition, status] of [
    [{ StringEquals: { "s3:x-amz-acl": "private" } }, 403],
    [{ StringNotEquals: { "s3:x-amz-acl": "public-read" } }, 200],
    [{ "ForAnyValue:StringNotEquals": { "s3:RequestObjectTagKeys": "x" } }, 403],
    [{ "ForAllValues:StringEquals": { "s3:RequestObjectTagKeys": "x" } }, 200],
    [{ Null: { "s3:x-amz-acl": "false" } }, 403],
    [{ StringEquals: { "s3:NoSuchKeyAtAll": "x" } }, 403],
  ] as const) {
    const bucket = await stage.bucket([{ Action: "s3:PutObject", Condition }]);
    const put = await alice.put(bucket, "new", "x");
    assert.equal(put.status, status, `${JSON.stringify(Condition)} ${put.text}`);
  }
});

test("(11) no header and no parameter of a client fills a key of the server", async () => {
  const keys: readonly (readonly [operator: string, key: string, value: string])[] = [
    ["IpAddress", "aws:SourceIp", "10.0.0.0/8"],
    ["Bool", "aws:SecureTransport", "true"],
    ["StringEquals", "aws:username", "bob_wayne"],
    ["StringEquals", "aws:userid", "bob_wayne"],
    ["StringEquals", "aws:PrincipalType", "Account"],
    ["ArnEquals", "aws:PrincipalArn", "arn:aws:iam:::user/bob_wayne"],
    ["StringEquals", "s3:ExistingObjectTag/class", "open"],
    ["StringEquals", "s3:authType", "POST"],
    ["StringEquals", "s3:signatureversion", "AWS"],
    ["DateLessThan", "aws:CurrentTime", "2000-01-01T00:00:00Z"],
  ];
  const lies: readonly HeaderField[] = [
    ["X-Forwarded-For", "10.0.0.1"],
    ["X-Real-IP", "10.0.0.1"],
    ["Forwarded", "for=10.0.0.1;proto=https"],
    ["X-Forwarded-Proto", "https"],
    ["aws-SourceIp", "10.0.0.1"],
    ["x-amz-meta-username", "bob_wayne"],
    ["username", "bob_wayne"],
    ["x-amz-tagging", "class=open"],
    ["x-amz-principal-arn", "arn:aws:iam:::user/bob_wayne"],
  ];
  const parameters = "?aws:SourceIp=10.0.0.1&aws:username=bob_wayne&authType=POST&userid=bob_wayne";
  for (const [operator, key, value] of keys) {
    const bucket = await stage.bucket([
      { Action: "s3:GetObject", Condition: { [operator]: { [key]: value } } },
    ]);
    const target = `${pathOf(bucket, "key")}${parameters}`;
    const answer = await alice.call({ target, headers: lies });
    assert.equal(answer.code, "AccessDenied", `${key}: ${answer.text}`);
  }
});

test("(11) a retention and tags that are put are those of the body, not of headers", async () => {
  const bucket = await makeVersionedBucket(owner, true);
  const Condition = { StringEquals: { "s3:object-lock-mode": "GOVERNANCE" } };
  await stage.setPolicy(bucket, { Action: ["s3:PutObjectRetention"], Condition });
  await owner.put(bucket, "key", "x");
  const retain = (mode: string, headers: readonly HeaderField[] = []): Promise<Answer> => {
    const until = new Date(Date.now() + 3_600_000).toISOString();
    const body = `<Retention><Mode>${mode}</Mode><RetainUntilDate>${until}</RetainUntilDate></Retention>`;
    return alice.call({
      method: "PUT",
      target: `${pathOf(bucket, "key")}?retention`,
      body,
      headers,
    });
  };
  const lie = [["x-amz-object-lock-mode", "GOVERNANCE"]] as const;
  assert.equal((await retain("COMPLIANCE")).code, "AccessDenied");
  assert.equal((await retain("COMPLIANCE", lie)).code, "AccessDenied");
  assert.equal((await retain("GOVERNANCE")).status, 200);
});

test("(12) a stranger reaches no bucket of another by any of its names", async () => {
  const bucket = await stage.bucket();
  const host = new URL(owner.target.endpoint).host;
  for (const target of [
    `/${bucket}`,
    `/${bucket}/`,
    `//${bucket}`,
    `/./${bucket}`,
    `/${bucket}?list-type=2`,
  ]) {
    const answer = await alice.call({ target, host });
    assert.ok(answer.status >= 400 && answer.status < 500, `${target}: ${answer.status}`);
  }
  const listed = await alice.call({ target: "/" });
  assert.doesNotMatch(listed.text, new RegExp(bucket));
});

test("(13) CVE-2016-7031 nobody lists versions or reads past the public access block", async () => {
  const bucket = await makeVersionedBucket(owner);
  await owner.put(bucket, "key", "x");
  const drop = { method: "DELETE", target: `/${bucket}?publicAccessBlock` };
  assert.equal((await owner.call(drop)).status, 204);
  const controls =
    "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>";
  await owner.call({ method: "PUT", target: `/${bucket}?ownershipControls`, body: controls });
  const open = [["x-amz-acl", "public-read"]] as const;
  await owner.call({ method: "PUT", target: `/${bucket}?acl`, headers: open });
  await owner.call({ method: "PUT", target: `${pathOf(bucket, "key")}?acl`, headers: open });
  const targets = ["", "?versions", "?list-type=2", "?uploads"].map(
    (query) => `/${bucket}${query}`,
  );
  targets.push(pathOf(bucket, "key"), `/${bucket}?browser=true`);
  const statuses = async (): Promise<number[]> => {
    const all: number[] = [];
    for (const target of targets) all.push((await owner.call({ target, sign: false })).status);
    return all;
  };
  const set = async (...names: readonly string[]): Promise<void> => {
    const fields = names.map((name) => `<${name}>true</${name}>`).join("");
    const body = `<PublicAccessBlockConfiguration>${fields}</PublicAccessBlockConfiguration>`;
    const answer = await owner.call({
      method: "PUT",
      target: `/${bucket}?publicAccessBlock`,
      body,
    });
    assert.equal(answer.status, 200, answer.text);
  };
  assert.deepEqual(await statuses(), [200, 200, 200, 200, 200, 200]);
  await set("IgnorePublicAcls");
  assert.deepEqual(await statuses(), [403, 403, 403, 403, 403, 403]);
  await owner.call(drop);
  await owner.call({
    method: "PUT",
    target: `/${bucket}?acl`,
    headers: [["x-amz-acl", "private"]],
  });
  const shut = [["x-amz-acl", "private"]] as const;
  await owner.call({ method: "PUT", target: `${pathOf(bucket, "key")}?acl`, headers: shut });
  const Action = ["s3:ListBucket*", "s3:GetObject*"];
  assert.equal((await stage.setPolicy(bucket, { Principal: "*", Action })).status, 204);
  assert.deepEqual(await statuses(), [200, 200, 200, 200, 200, 200]);
  await set("RestrictPublicBuckets");
  assert.deepEqual(await statuses(), [403, 403, 403, 403, 403, 403]);
  assert.equal((await stage.as(BOB).call({ target: `/${bucket}?versions` })).code, "AccessDenied");
  assert.equal((await owner.call({ target: `/${bucket}?versions` })).status, 200);
});
