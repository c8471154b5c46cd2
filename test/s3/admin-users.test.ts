// Users, keys, tokens, groups, policies and roles by the admin API, against the real directory:
// what is made counts at the S3 port at once, and what is taken away counts no more.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { AdminCaller, namesOf, textOf } from "./admin-caller.ts";
import { IdentityGateway, type Keys, ROOT } from "./identity-gateway.ts";

let cluster: IdentityGateway;
let root: AdminCaller;
let url: string;

before(async () => {
  cluster = await IdentityGateway.start({ admin: {}, identity: { tokens: true } });
  url = `http://${cluster.gateway.running.adminAddress}`;
  root = new AdminCaller(url, ROOT);
});
after(() => cluster.stop());

async function makeUser(name: string, more: Readonly<Record<string, unknown>> = {}): Promise<Keys> {
  const made = await root.post("/users", { name, ...more });
  assert.equal(made.status, 201, made.text);
  return {
    accessKeyId: textOf(made.json, "accessKeyId"),
    secretAccessKey: textOf(made.json, "secretAccessKey"),
  };
}

const READ_ALL = {
  Version: "2012-10-17",
  Statement: [{ Effect: "Allow", Action: "s3:Get*", Resource: "*" }],
};

test("a user that is made signs requests at once, and none after it was disabled", async () => {
  const keys = await makeUser("day_umich", { displayName: "Day", email: "Day@Umich.example" });
  const caller = cluster.caller(keys);
  assert.equal((await caller.call({ target: "/" })).status, 200);
  const shown = await root.get("/users/day_umich");
  assert.equal(shown.json.email, "day@umich.example");
  assert.equal(shown.text.includes(keys.secretAccessKey), false);
  assert.equal((await root.patch("/users/day_umich", { disabled: true })).status, 200);
  assert.equal((await caller.call({ target: "/" })).status, 403);
  assert.equal((await root.patch("/users/day_umich", { disabled: false })).status, 200);
  assert.equal((await caller.call({ target: "/" })).status, 200);
});

test("keys that are given are taken, those of others and bad ones are not", async () => {
  const given = { accessKeyId: "mine_own-1", secretAccessKey: "a secret of its own" };
  const keys = await makeUser("given_umich", given);
  assert.deepEqual(keys, given);
  assert.equal((await cluster.caller(keys).call({ target: "/" })).status, 200);
  const taken = await root.post("/users", { name: "other_umich", ...given });
  assert.equal(taken.status, 409);
  const short = await root.post("/users", { name: "third_umich", secretAccessKey: "short" });
  assert.equal(short.code, "InvalidArgument");
  const again = await root.post("/users", { name: "given_umich" });
  assert.equal(again.code, "UserAlreadyExists");
  assert.equal((await root.post("/users", { name: "root" })).status, 409);
  assert.equal((await root.post("/users", { name: "Capital" })).status, 400);
});

test("bodies with unknown fields, prototype names and wrong types are refused", async () => {
  const bodies = [
    '{"name":"x_umich","unknown":1}',
    '{"name":"x_umich","__proto__":{"administrator":true}}',
    '{"name":"x_umich","constructor":{}}',
    '{"name":["x_umich"]}',
    '{"name":"x_umich","administrator":"yes"}',
    "[]",
    '"x_umich"',
    '{"name":',
  ];
  for (const text of bodies) {
    const answer = await root.call("POST", "/users", { text });
    assert.equal(answer.status, 400, `${text}: ${answer.text}`);
  }
  assert.equal((await root.get("/users/x_umich")).code, "NoSuchUser");
});

test("keys are made, switched off and on, and deleted", async () => {
  await makeUser("keys_umich");
  const made = await root.post("/users/keys_umich/keys", { description: "laptop", expires: "30d" });
  assert.equal(made.status, 201, made.text);
  const id = textOf(made.json, "accessKeyId");
  const caller = cluster.caller({
    accessKeyId: id,
    secretAccessKey: textOf(made.json, "secretAccessKey"),
  });
  assert.equal((await caller.call({ target: "/" })).status, 200);
  assert.equal((await root.patch(`/users/keys_umich/keys/${id}`, { disabled: true })).status, 200);
  assert.equal((await caller.call({ target: "/" })).status, 403);
  assert.equal((await root.patch(`/users/keys_umich/keys/${id}`, { disabled: false })).status, 200);
  assert.equal((await caller.call({ target: "/" })).status, 200);
  assert.equal((await root.delete(`/users/keys_umich/keys/${id}`)).status, 204);
  assert.equal((await caller.call({ target: "/" })).status, 403);
  assert.equal((await root.delete(`/users/keys_umich/keys/${id}`)).code, "NoSuchAccessKey");
  const past = await root.post("/users/keys_umich/keys", { expires: "2001-01-01T00:00:00Z" });
  assert.equal(past.status, 400);
  assert.equal((await root.post("/users/keys_umich/keys", { expires: "soon" })).status, 400);
});

test("tokens are shown once, narrow what they say, are rotated and revoked", async () => {
  const keys = await makeUser("token_umich");
  const owner = cluster.caller(keys);
  assert.equal((await owner.call({ method: "PUT", target: "/token-umich-data" })).status, 200);
  const wish = { name: "laptop", expires: "30d", access: "read", buckets: ["token-umich-data"] };
  const made = await root.post("/users/token_umich/tokens", wish);
  assert.equal(made.status, 201, made.text);
  const token = textOf(made.json, "token");
  const reader = cluster.caller({ accessKeyId: token, secretAccessKey: "whatever" });
  assert.equal((await reader.call({ target: "/token-umich-data" })).status, 200);
  assert.equal((await reader.put("token-umich-data", "x", "y")).status, 403);
  const listed = await root.get("/users/token_umich/tokens");
  assert.deepEqual(namesOf(listed), ["laptop"]);
  assert.equal(listed.text.includes(token), false);
  const id = textOf(made.json, "id");
  const rotated = await root.post(`/users/token_umich/tokens/${id}/rotate`, { overlap: "1h" });
  assert.equal(rotated.status, 201, rotated.text);
  const next = textOf(rotated.json, "token");
  assert.notEqual(next, token);
  for (const accessKeyId of [token, next]) {
    const both = cluster.caller({ accessKeyId, secretAccessKey: "x" });
    assert.equal((await both.call({ target: "/token-umich-data" })).status, 200);
  }
  assert.equal((await root.delete(`/users/token_umich/tokens/${id}`)).status, 204);
  assert.equal((await reader.call({ target: "/token-umich-data" })).status, 403);
});

test("groups carry policies to their members, and go only when they are empty", async () => {
  const keys = await makeUser("member_umich");
  assert.equal((await root.post("/groups", { name: "readers_umich" })).status, 201);
  assert.equal((await root.post("/groups", { name: "readers_umich" })).code, "GroupAlreadyExists");
  const put = await root.put("/groups/readers_umich/policies/all", { document: READ_ALL });
  assert.equal(put.status, 204, put.text);
  assert.equal((await root.put("/groups/readers_umich/members/member_umich")).status, 204);
  assert.equal((await root.put("/groups/readers_umich/members/nobody_x")).code, "NoSuchUser");
  const group = await root.get("/groups/readers_umich");
  assert.deepEqual(group.json.members, ["member_umich"]);
  const question = { user: "member_umich", action: "s3:GetObject", resource: "arn:aws:s3:::a/b" };
  const check = await root.post("/policy/check", question);
  assert.equal(check.json.allowed, true);
  assert.match(String(check.json.explanation), /readers_umich/);
  const member = new AdminCaller(url, keys);
  assert.equal((await member.post("/policy/check", question)).status, 200);
  assert.equal((await root.delete("/groups/readers_umich")).code, "DeleteConflict");
  assert.equal((await root.delete("/groups/readers_umich/members/member_umich")).status, 204);
  assert.equal((await root.post("/policy/check", question)).json.allowed, false);
  assert.equal((await root.delete("/groups/readers_umich")).status, 204);
});

test("managed policies are put, attached, and go only when nobody has them", async () => {
  await makeUser("managed_umich");
  const put = await root.put("/policies/reading", { document: READ_ALL, description: "to read" });
  assert.equal(put.status, 200, put.text);
  assert.equal((await root.put("/users/managed_umich/attached/reading")).status, 204);
  assert.equal((await root.put("/users/managed_umich/attached/unknown")).code, "NoSuchPolicy");
  assert.equal((await root.delete("/policies/reading")).code, "DeleteConflict");
  const shown = await root.get("/policies/reading");
  assert.deepEqual(shown.json.document, READ_ALL);
  assert.equal((await root.delete("/users/managed_umich/attached/reading")).status, 204);
  assert.equal((await root.delete("/users/managed_umich/attached/reading")).code, "NoSuchPolicy");
  assert.equal((await root.delete("/policies/reading")).status, 204);
  const bad = { document: { Version: "2012-10-17", Statement: [{ Effect: "Maybe" }] } };
  assert.equal((await root.put("/policies/bad", bad)).code, "MalformedPolicyDocument");
  assert.equal((await root.post("/policy/validate", bad)).code, "MalformedPolicyDocument");
  assert.equal((await root.post("/policy/validate", { document: READ_ALL })).status, 200);
});

test("roles are put with who may assume them, changed and deleted", async () => {
  const trustPolicy = {
    Version: "2012-10-17",
    Statement: [
      { Effect: "Allow", Principal: { AWS: "arn:aws:iam:::user/root" }, Action: "sts:AssumeRole" },
    ],
  };
  const made = await root.put("/roles/reader", { trustPolicy, sessionSecondsMax: 3600 });
  assert.equal(made.status, 200, made.text);
  assert.deepEqual(namesOf(await root.get("/roles")), ["reader"]);
  assert.equal((await root.put("/roles/reader/policies/all", { document: READ_ALL })).status, 204);
  const changed = await root.put("/roles/reader", { trustPolicy, description: "reads" });
  assert.equal(changed.json.description, "reads");
  assert.deepEqual(changed.json.policies, [{ name: "all", document: READ_ALL }]);
  assert.equal((await root.delete("/roles/reader")).status, 204);
  assert.equal((await root.get("/roles/reader")).code, "NoSuchRole");
});

test("lists come in pages, in order of name", async () => {
  for (const name of ["page_c", "page_a", "page_b"]) await makeUser(name, { withoutKey: false });
  const names: string[] = [];
  let after: unknown = "page_";
  while (typeof after === "string") {
    const page = await root.get(`/users?limit=2&after=${after}`);
    names.push(...namesOf(page));
    after = page.json.next;
  }
  assert.deepEqual(
    names.filter((name) => name.startsWith("page_")),
    ["page_a", "page_b", "page_c"],
  );
  for (const limit of ["0", "1001", "x", "-1"]) {
    assert.equal((await root.get(`/users?limit=${limit}`)).status, 400, limit);
  }
});

test("buckets are shown with what they hold, get quotas and other owners", async () => {
  const keys = await makeUser("owner_umich");
  await makeUser("heir_umich");
  const owner = new AdminCaller(url, keys);
  const made = await owner.post("/buckets", { name: "admin-made" });
  assert.equal(made.status, 201, made.text);
  assert.equal(made.json.owner, "owner_umich");
  const s3 = cluster.caller(keys);
  assert.equal((await s3.put("admin-made", "a", "12345")).status, 200);
  const shown = await owner.get("/buckets/admin-made");
  assert.deepEqual(shown.json.usage, { objects: 1, versions: 1, bytes: 5, uploadBytes: 0 });
  assert.deepEqual(namesOf(await owner.get("/buckets")), ["admin-made"]);
  assert.equal((await owner.patch("/buckets/admin-made", { quota: { bytes: 9 } })).status, 403);
  const quota = await root.patch("/buckets/admin-made", { quota: { bytes: 9 } });
  assert.deepEqual(quota.json.quota, { bytes: 9, objects: 0 });
  assert.equal((await s3.put("admin-made", "b", "123456")).code, "QuotaExceeded");
  assert.equal((await owner.patch("/buckets/admin-made", { owner: "heir_umich" })).status, 403);
  const given = await root.patch("/buckets/admin-made", { owner: "heir_umich" });
  assert.equal(given.json.owner, "heir_umich");
  assert.equal((await owner.get("/buckets/admin-made")).status, 403);
  assert.equal((await root.delete("/buckets/admin-made")).code, "BucketNotEmpty");
  assert.equal((await root.delete("/users/heir_umich")).code, "DeleteConflict");
});
