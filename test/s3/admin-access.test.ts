// Who may call the admin API, and how he proves it: rights that nobody can hand to himself, bodies
// that are not what was signed, sessions of the console, sign-ins that are guessed. Secrets are in
// no answer but the one that makes them, and in no log.
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

const ALLOW = (action: string | string[], resource = "*") => ({
  Version: "2012-10-17",
  Statement: [{ Effect: "Allow", Action: action, Resource: resource }],
});

async function makeUser(name: string, policy?: unknown): Promise<Keys> {
  const made = await root.post("/users", { name, policy });
  assert.equal(made.status, 201, made.text);
  return {
    accessKeyId: textOf(made.json, "accessKeyId"),
    secretAccessKey: textOf(made.json, "secretAccessKey"),
  };
}

async function callerOf(name: string, policy?: unknown): Promise<AdminCaller> {
  return new AdminCaller(url, await makeUser(name, policy));
}

test("nobody who does not say who he is gets past sign-in and description", async () => {
  const nobody = new AdminCaller(url);
  for (const path of ["/users", "/users/root", "/buckets", "/cluster", "/events", "/trace"]) {
    assert.equal((await nobody.get(path)).status, 401, path);
  }
  assert.equal((await nobody.post("/users", { name: "evil_x" })).status, 401);
  assert.equal((await nobody.get("/openapi.json")).status, 200);
  assert.equal((await nobody.get("/docs")).status, 200);
  assert.equal((await nobody.get("/nowhere")).status, 404);
  assert.equal((await nobody.delete("/users")).status, 405);
});

test("a wrong secret, an unknown key and another body than was signed are refused", async () => {
  const wrong = new AdminCaller(url, { ...ROOT, secretAccessKey: "not the secret" });
  assert.equal((await wrong.get("/users")).code, "SignatureDoesNotMatch");
  const unknown = new AdminCaller(url, { ...ROOT, accessKeyId: "NOBODYSKEY0000000001" });
  assert.equal((await unknown.get("/users")).code, "InvalidAccessKeyId");
  const swapped = await root.call("POST", "/users", {
    text: '{"name":"good_x"}',
    wireText: '{"name":"evil_x"}',
  });
  assert.equal(swapped.status, 400, swapped.text);
  assert.equal((await root.get("/users/evil_x")).status, 404);
});

test("users see and manage themselves and nobody else", async () => {
  await makeUser("victim_umich");
  const self = await callerOf("self_umich");
  assert.equal((await self.get("/users/self_umich")).status, 200);
  assert.deepEqual(namesOf(await self.get("/users")), ["self_umich"]);
  assert.equal((await self.post("/users/self_umich/keys", {})).status, 201);
  assert.equal((await self.post("/users/self_umich/tokens", { name: "t" })).status, 201);
  assert.equal((await self.patch("/users/self_umich", { displayName: "Me" })).status, 200);
  const refusals = [
    self.get("/users/victim_umich"),
    self.post("/users/victim_umich/keys", {}),
    self.post("/users/victim_umich/tokens", { name: "t" }),
    self.get("/users/victim_umich/keys"),
    self.delete("/users/victim_umich"),
    self.post("/users/victim_umich/sessions/revoke"),
    self.get("/users/root"),
    self.post("/users/root/keys", {}),
    self.patch("/users/self_umich", { administrator: true }),
    self.patch("/users/self_umich", { email: "victim@umich.example" }),
    self.patch("/users/self_umich", { limits: { bytesMax: 0 } }),
    self.patch("/users/self_umich", { disabled: false }),
    self.put("/users/self_umich/policies/all", { document: ALLOW("*") }),
    self.put("/users/self_umich/attached/anything"),
    self.put("/groups/anything/members/self_umich"),
    self.post("/users", { name: "new_umich" }),
    self.post("/groups", { name: "new_umich" }),
    self.put("/policies/all", { document: ALLOW("*") }),
    self.put("/roles/all", { trustPolicy: ALLOW("*") }),
    self.get("/policies"),
    self.get("/roles"),
    self.get("/cluster"),
    self.get("/trace"),
    self.get("/live"),
    self.get("/events"),
    self.get("/support-bundle"),
    self.post("/cluster/nodes/storage-1/drain"),
    self.post("/policy/check", { user: "victim_umich", action: "s3:GetObject", resource: "*" }),
  ];
  for (const [at, answer] of (await Promise.all(refusals)).entries()) {
    assert.equal(answer.status, 403, `call ${at}: ${answer.text}`);
  }
});

test("(10) CVE-2021-43858 delegated rights make plain users and touch plain users only (CVE-2024-55949)", async () => {
  const desk = await callerOf("desk_umich", ALLOW("iam:*"));
  const made = await desk.post("/users", { name: "plain_umich" });
  assert.equal(made.status, 201, made.text);
  assert.equal((await desk.post("/users/plain_umich/keys", {})).status, 201);
  assert.equal(
    (await root.post("/users", { name: "boss_umich", administrator: true })).status,
    201,
  );
  await makeUser("rich_umich", ALLOW("s3:*"));
  const refusals = [
    desk.post("/users", { name: "a_umich", administrator: true }),
    desk.post("/users", { name: "a_umich", policy: ALLOW("*") }),
    desk.post("/users", { name: "a_umich", groups: ["g"] }),
    desk.post("/users", { name: "a_umich", attachedPolicies: ["p"] }),
    desk.post("/users", { name: "a_umich", parent: "boss_umich" }),
    desk.post("/users/boss_umich/keys", {}),
    desk.post("/users/rich_umich/keys", {}),
    desk.patch("/users/boss_umich", { disabled: true }),
    desk.delete("/users/boss_umich"),
    desk.patch("/users/desk_umich", { administrator: true }),
    desk.put("/users/desk_umich/policies/all", { document: ALLOW("*") }),
    desk.put("/policies/all", { document: ALLOW("*") }),
    desk.put("/groups/anything/members/desk_umich"),
    desk.put("/roles/all", { trustPolicy: ALLOW("*") }),
  ];
  for (const [at, answer] of (await Promise.all(refusals)).entries()) {
    assert.equal(answer.status, 403, `call ${at}: ${answer.text}`);
  }
});

test("an explicit denial stops even an administrator, and self-service", async () => {
  const deny = {
    Version: "2012-10-17",
    Statement: [{ Effect: "Deny", Action: "iam:CreateAccessKey", Resource: "*" }],
  };
  const denied = await callerOf("denied_umich", deny);
  assert.equal((await denied.post("/users/denied_umich/keys", {})).status, 403);
  assert.equal((await denied.get("/users/denied_umich")).status, 200);
  await root.patch("/users/denied_umich", { administrator: true });
  assert.equal((await denied.post("/users/denied_umich/keys", {})).status, 403);
  assert.equal((await denied.get("/policies")).status, 200);
});

test("a token of an administrator does no more here than its scope", async () => {
  assert.equal(
    (await root.post("/users", { name: "chief_umich", administrator: true })).status,
    201,
  );
  const made = await root.post("/users/chief_umich/tokens", { name: "t", access: "read" });
  const token = textOf(made.json, "token");
  const bearer = { headers: { authorization: `Bearer ${token}` } };
  const caller = new AdminCaller(url);
  assert.equal((await caller.get("/session", bearer)).json.user, "chief_umich");
  const text = '{"name":"t2"}';
  const path = "/users/chief_umich/tokens";
  assert.equal((await caller.call("POST", path, { text, ...bearer })).status, 403);
  const key = await caller.call("POST", "/users/chief_umich/keys", { text: "{}", ...bearer });
  assert.equal(key.status, 403, key.text);
  const bad = { headers: { authorization: `Bearer DT${"0".repeat(16)}${"A".repeat(32)}` } };
  assert.equal((await caller.get("/session", bad)).status, 403);
});

test("a service account with policies of its own is not its user", async () => {
  await makeUser("parent_umich");
  const wish = { name: "robot_umich", parent: "parent_umich", policy: ALLOW("s3:GetObject") };
  const made = await root.post("/users", wish);
  assert.equal(made.status, 201, made.text);
  const robot = new AdminCaller(url, {
    accessKeyId: textOf(made.json, "accessKeyId"),
    secretAccessKey: textOf(made.json, "secretAccessKey"),
  });
  assert.equal((await robot.post("/users/parent_umich/keys", {})).status, 403);
  assert.equal((await robot.post("/users/parent_umich/tokens", { name: "t" })).status, 403);
  assert.equal((await robot.post("/users/robot_umich/keys", {})).status, 403);
});

test("addresses signed for the session of a service account act as that account", async () => {
  const parent = await makeUser("owner_umich");
  assert.equal(
    (await cluster.caller(parent).call({ method: "PUT", target: "/owned-x" })).status,
    200,
  );
  assert.equal((await cluster.caller(parent).put("owned-x", "a", "secret")).status, 200);
  const policy = ALLOW("s3:ListAllMyBuckets");
  const made = await root.post("/users", { name: "clerk_umich", parent: "owner_umich", policy });
  assert.equal(made.status, 201, made.text);
  const fetchBy = async (keys: Keys): Promise<number> => {
    const { cookie, csrf } = await signIn(keys);
    const signed = await new AdminCaller(url).call("POST", "/presign", {
      body: { method: "GET", bucket: "owned-x", key: "a" },
      headers: { cookie, "x-dolium-csrf": csrf },
    });
    assert.equal(signed.status, 200, signed.text);
    return (await fetch(textOf(signed.json, "url"))).status;
  };
  assert.equal(await fetchBy(parent), 200);
  const clerk = {
    accessKeyId: textOf(made.json, "accessKeyId"),
    secretAccessKey: textOf(made.json, "secretAccessKey"),
  };
  assert.equal(await fetchBy(clerk), 403);
  const unsigned = await new AdminCaller(url, parent).post("/presign", {
    method: "GET",
    bucket: "owned-x",
    key: "a",
  });
  assert.equal(unsigned.status, 403, "keys sign for themselves");
});

async function signIn(keys: Keys): Promise<{ cookie: string; csrf: string }> {
  const answer = await new AdminCaller(url).call("POST", "/session", { body: keys });
  assert.equal(answer.status, 200, answer.text);
  const set = answer.headers.get("set-cookie") ?? "";
  assert.match(set, /HttpOnly/);
  assert.match(set, /SameSite=Strict/);
  return { cookie: set.split(";")[0] ?? "", csrf: textOf(answer.json, "csrf") };
}

test("a session of the console needs its token and its own pages for every change", async () => {
  const keys = await makeUser("console_umich");
  const { cookie, csrf } = await signIn(keys);
  const caller = new AdminCaller(url);
  const me = await caller.get("/session", { headers: { cookie } });
  assert.equal(me.json.user, "console_umich");
  assert.equal(me.json.csrf, csrf);
  const path = "/users/console_umich/keys";
  const attempts: readonly (readonly [number, Record<string, string>])[] = [
    [403, { cookie }],
    [403, { cookie, "x-dolium-csrf": "wrong" }],
    [403, { cookie, "x-dolium-csrf": csrf, origin: "https://evil.example" }],
    [403, { cookie, "x-dolium-csrf": csrf, "sec-fetch-site": "cross-site" }],
    [401, { "x-dolium-csrf": csrf }],
    [401, { cookie: `${cookie}x`, "x-dolium-csrf": csrf }],
    [401, { cookie: `${cookie}; ${cookie}`, "x-dolium-csrf": csrf }],
    [201, { cookie, "x-dolium-csrf": csrf, origin: url }],
  ];
  for (const [status, headers] of attempts) {
    const answer = await caller.call("POST", path, { text: "{}", headers });
    assert.equal(answer.status, status, `${JSON.stringify(headers)}: ${answer.text}`);
  }
});

test("sessions end with signing out, revocation and the user", async () => {
  const keys = await makeUser("leaver_umich");
  const caller = new AdminCaller(url);
  const isIn = async (cookie: string): Promise<boolean> =>
    (await caller.get("/session", { headers: { cookie } })).status === 200;
  const first = await signIn(keys);
  const out = { cookie: first.cookie, "x-dolium-csrf": first.csrf };
  assert.equal((await caller.call("DELETE", "/session", { headers: out })).status, 204);
  assert.equal(await isIn(first.cookie), false);
  const second = await signIn(keys);
  assert.equal(await isIn(second.cookie), true);
  assert.equal((await root.post("/users/leaver_umich/sessions/revoke")).status, 204);
  assert.equal(await isIn(second.cookie), false);
  const third = await signIn(keys);
  await root.patch("/users/leaver_umich", { disabled: true });
  assert.equal(await isIn(third.cookie), false);
});

test("pages of other sites cannot sign anybody in", async () => {
  const headers = { origin: "https://evil.example" };
  const answer = await new AdminCaller(url).call("POST", "/session", {
    body: await makeUser("login_umich"),
    headers,
  });
  assert.equal(answer.status, 403);
});

test("(33) secrets and tokens are in no log and in no later answer", async () => {
  const keys = await makeUser("canary_umich");
  const made = await root.post("/users/canary_umich/tokens", { name: "t" });
  const token = textOf(made.json, "token");
  await signIn(keys);
  await root.get("/users");
  await new AdminCaller(url).get("/session", { headers: { authorization: `Bearer ${token}` } });
  const shown = await root.get("/users/canary_umich");
  const events = await root.get("/events");
  const logs = JSON.stringify(cluster.gateway.log.lines) + JSON.stringify(cluster.log.lines);
  for (const secret of [keys.secretAccessKey, token]) {
    for (const text of [logs, shown.text, events.text]) assert.equal(text.includes(secret), false);
  }
  const audit = cluster.gateway.log.lines.filter(({ fields }) => fields.audit === true);
  assert.ok(audit.some(({ fields }) => fields.action === "CreateToken" && fields.actor === "root"));
});

test("(39) answers forbid framing, sniffing and storing", async () => {
  const { headers } = await root.get("/session");
  assert.equal(headers.get("x-frame-options"), "DENY");
  assert.equal(headers.get("x-content-type-options"), "nosniff");
  assert.equal(headers.get("cache-control"), "no-store");
  assert.match(headers.get("content-security-policy") ?? "", /default-src 'none'/);
  assert.equal(headers.get("access-control-allow-origin"), null);
});

test("the same API is on the S3 port, and buckets under other names are untouched", async () => {
  const { endpoint } = cluster;
  const answer = await fetch(`${endpoint}/_admin/api/v1/session`);
  assert.equal(answer.status, 401);
  const page = await fetch(`${endpoint}/_console/`);
  assert.equal(page.status, 503);
  assert.match(await page.text(), /ConsoleNotBuilt/);
  assert.equal((await fetch(`${endpoint}/_consoles/`)).status, 400);
  const form = await fetch(`${endpoint}/_admin/`, { method: "POST", body: "Action=ListUsers" });
  assert.equal(form.status, 405);
});

test("(7) CVE-2026-33419 guessing is slowed down by address", async () => {
  const guess = { accessKeyId: ROOT.accessKeyId, secretAccessKey: "a guess" };
  let status = 0;
  for (let tries = 0; tries < 30 && status !== 429; tries += 1) {
    const answer = await new AdminCaller(url).call("POST", "/session", { body: guess });
    ({ status } = answer);
    assert.ok(status === 401 || status === 429, answer.text);
  }
  assert.equal(status, 429);
  const right = await new AdminCaller(url).call("POST", "/session", { body: ROOT });
  assert.equal(right.status, 429);
});
