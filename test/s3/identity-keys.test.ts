// Access keys of users of the directory: who gets in, as whom, and who does not any more.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import {
  type NamedPolicy,
  NamedPolicySchema,
  UserLimitsSchema,
} from "../../services/lib/gen/dolium/record/v1/identity_pb.ts";
import { textAt } from "./caller.ts";
import { makeBucket } from "./harness.ts";
import { IdentityGateway, ROOT } from "./identity-gateway.ts";

let here: IdentityGateway;

before(async () => {
  here = await IdentityGateway.start();
});
after(() => here.stop());

function policy(name: string, statement: object): NamedPolicy {
  const document = JSON.stringify({ Version: "2012-10-17", Statement: statement });
  return create(NamedPolicySchema, { name, document });
}

test("a user of the directory owns what he makes, and shows his display name", async () => {
  const keys = await here.createUser("alice_umich", (user) => ({ ...user, displayName: "Alice" }));
  const alice = here.caller(keys);
  const bucket = await makeBucket(alice);
  const listed = await alice.call({ target: "/" });
  assert.equal(textAt(listed.xml(), "Owner", "ID"), "alice_umich");
  assert.equal(textAt(listed.xml(), "Owner", "DisplayName"), "Alice");
  assert.equal((await alice.put(bucket, "key", "text")).status, 200);
  assert.equal((await here.root.get(bucket, "key")).status, 200, "the root user administrates");
  const bob = here.caller(await here.createUser("bob_wayne"));
  assert.equal((await bob.get(bucket, "key")).code, "AccessDenied");
});

test("several keys of a user all work, each until it is disabled, expired or gone", async () => {
  const first = here.caller(await here.createUser("carol_msu"));
  const second = here.caller(await here.createKey("carol_msu"));
  const expired = here.caller(await here.createKey("carol_msu", { expiresMs: 1000n }));
  const disabled = here.caller(await here.createKey("carol_msu", { disabled: true }));
  for (const one of [first, second]) assert.equal((await one.call({ target: "/" })).status, 200);
  for (const one of [expired, disabled]) {
    const answer = await one.call({ target: "/" });
    assert.equal(answer.status, 403);
    assert.equal(answer.code, "InvalidAccessKeyId");
  }
  await here.change("carol_msu", (user) => ({ ...user, keys: user.keys.slice(1) }));
  assert.equal((await first.call({ target: "/" })).code, "InvalidAccessKeyId");
  assert.equal((await second.call({ target: "/" })).status, 200);
});

test("a wrong secret is refused as such, also of a disabled user", async () => {
  const keys = await here.createUser("dora_msu", (user) => ({ ...user, disabled: true }));
  const wrong = here.caller({ ...keys, secretAccessKey: "another" });
  assert.equal((await wrong.call({ target: "/" })).code, "SignatureDoesNotMatch");
  // That he is disabled is for himself to know.
  const answer = await here.caller(keys).call({ target: "/" });
  assert.equal(answer.code, "AccessDenied");
  assert.match(answer.text, /disabled/);
  await here.change("dora_msu", (user) => ({ ...user, disabled: false }));
  assert.equal((await here.caller(keys).call({ target: "/" })).status, 200);
});

test("an administrator of the directory uses what others own, a plain user does not", async () => {
  const bucket = await makeBucket(here.root);
  await here.root.put(bucket, "key", "text");
  const keys = await here.createUser("eve_umich", (user) => ({ ...user, administrator: true }));
  assert.equal((await here.caller(keys).get(bucket, "key")).status, 200);
  await here.change("eve_umich", (user) => ({ ...user, administrator: false }));
  assert.equal((await here.caller(keys).get(bucket, "key")).code, "AccessDenied");
});

test("policies of a user and of his groups allow, his boundary bounds", async () => {
  const bucket = await makeBucket(here.root);
  await here.root.put(bucket, "key", "text");
  const arn = `arn:aws:s3:::${bucket}`;
  const read = { Effect: "Allow", Action: ["s3:GetObject"], Resource: `${arn}/*` };
  await here.services.editor.createGroup({
    ...{ name: "readers", createdMs: 1n },
    policies: [policy("read", read)],
  });
  await here.services.editor.createPolicy({
    name: "write",
    document: policy("write", { ...read, Action: "s3:PutObject" }).document,
    ...{ createdMs: 1n, updatedMs: 1n },
  });
  const keys = await here.createUser("finn_wayne");
  const finn = here.caller(keys);
  assert.equal((await finn.get(bucket, "key")).status, 403);
  await here.change("finn_wayne", (user) => ({ ...user, groups: ["readers"] }));
  assert.equal((await finn.get(bucket, "key")).status, 200);
  assert.equal((await finn.put(bucket, "other", "x")).status, 403);
  await here.change("finn_wayne", (user) => ({ ...user, attachedPolicies: ["write"] }));
  assert.equal((await finn.put(bucket, "other", "x")).status, 200);
  await here.change("finn_wayne", (user) => ({ ...user, boundary: "write" }));
  assert.equal((await finn.get(bucket, "key")).status, 403, "the boundary leaves reading out");
  assert.equal((await finn.put(bucket, "other", "x")).status, 200);
});

test("a service account does what it and its user may, and never administrates", async () => {
  const owner = await here.createUser("gina_umich", (user) => ({ ...user, administrator: true }));
  const bucket = await makeBucket(here.caller(owner));
  const foreign = await makeBucket(here.root);
  await here.caller(owner).put(bucket, "key", "text");
  const account = here.caller(
    await here.createUser("gina-backup_umich", (user) => ({ ...user, parent: "gina_umich" })),
  );
  assert.equal((await account.get(bucket, "key")).status, 200, "as its user");
  assert.equal((await account.put(foreign, "key", "x")).status, 403, "without administration");
  const everything = { Effect: "Allow", Action: "s3:GetObject", Resource: "*" };
  await here.change("gina-backup_umich", (user) => ({
    ...user,
    policies: [policy("read", everything)],
  }));
  assert.equal((await account.get(bucket, "key")).status, 200);
  assert.equal((await account.put(bucket, "key", "x")).status, 403, "not in its own policy");
  assert.equal((await account.get(foreign, "key")).status, 403, "not in its user's rights");
  await here.change("gina_umich", (user) => ({ ...user, disabled: true }));
  assert.equal((await account.get(bucket, "key")).code, "AccessDenied", "its user is disabled");
});

test("a session token beside an ordinary key is refused", async () => {
  const headers = [["x-amz-security-token", "something"]] as const;
  assert.equal((await here.root.call({ target: "/", headers })).code, "InvalidToken");
});

test("the last use of a key is written down, the root key's is not", async () => {
  const keys = await here.createUser("hugo_msu");
  assert.equal((await here.caller(keys).call({ target: "/" })).status, 200);
  await here.services.uses.flush();
  const ids = [keys.accessKeyId, ROOT.accessKeyId];
  const { uses } = await here.query({ case: "listUses", value: { ids } });
  const use = uses.find(({ id }) => id === keys.accessKeyId);
  assert.equal(use?.action, "s3:ListBuckets");
  assert.equal(use?.origin, "127.0.0.1");
  assert.equal(
    uses.find(({ id }) => id === ROOT.accessKeyId),
    undefined,
  );
});

test("requests past a user's rate are told to slow down, another user's are not", async () => {
  const limits = create(UserLimitsSchema, { requestsPerSecond: 1 });
  const ida = here.caller(await here.createUser("ida_umich", (user) => ({ ...user, limits })));
  const answers = await Promise.all(Array.from({ length: 40 }, () => ida.call({ target: "/" })));
  const slowed = answers.filter(({ code }) => code === "SlowDown");
  const served = answers.filter(({ status }) => status === 200);
  assert.equal(slowed.length + served.length, 40);
  assert.ok(served.length >= 1, `${served.length} were served`);
  assert.ok(slowed.length >= 1, "none was slowed down");
  assert.ok(slowed.every(({ status }) => status === 503));
  assert.equal((await here.root.call({ target: "/" })).status, 200);
});

test("asking for sessions counts as well", async () => {
  const limits = create(UserLimitsSchema, { requestsPerSecond: 1 });
  const kim = here.caller(await here.createUser("kim_umich", (user) => ({ ...user, limits })));
  const headers = [["Content-Type", "application/x-www-form-urlencoded"]] as const;
  const call = { method: "POST", target: "/", headers, body: "Action=GetCallerIdentity" };
  const answers = await Promise.all(Array.from({ length: 40 }, () => kim.call(call)));
  const codes = answers.map(({ xml }) => textAt(xml(), "Error", "Code") ?? "ok");
  assert.ok(codes.filter((code) => code === "ok").length >= 1, codes.join());
  assert.ok(codes.includes("Throttling"), codes.join());
});

test("bodies of a user with a byte rate are paced, in both directions", async () => {
  const limits = create(UserLimitsSchema, {
    uploadBytesPerSecond: 200_000n,
    downloadBytesPerSecond: 200_000n,
  });
  const jon = here.caller(await here.createUser("jon_wayne", (user) => ({ ...user, limits })));
  const bucket = await makeBucket(jon);
  const body = Buffer.alloc(400_000, "x");
  const startMs = performance.now();
  assert.equal((await jon.put(bucket, "key", body)).status, 200);
  const putMs = performance.now() - startMs;
  // A second's worth may come at once, the other takes its second.
  assert.ok(putMs >= 900, `the upload took ${putMs} ms`);
  const answer = await jon.get(bucket, "key");
  const getMs = performance.now() - startMs - putMs;
  assert.deepEqual(answer.body, body);
  assert.ok(getMs >= 900, `the download took ${getMs} ms`);
});
