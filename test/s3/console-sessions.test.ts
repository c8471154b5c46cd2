// Sessions of the console over two gateways of one cluster: what ends one, ends it at the other
// too, within the two seconds that the directory of users takes, and for good.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { ENDED_MAX } from "../../services/gateway/admin/sign-in/ended-sessions.ts";
import { EndedSessionSchema } from "../../services/lib/gen/dolium/record/v1/identity_pb.ts";
import { AdminCaller, namesOf, textOf } from "./admin-caller.ts";
import { textAt } from "./caller.ts";
import { IdentityGateway, type Keys, ROOT } from "./identity-gateway.ts";
import { MovedClock } from "./moved-clock.ts";

/** What the directory of another gateway may lag behind. */
const KNOWN_MS = 2000;
const HALF_A_DAY_MS = 12 * 3_600_000;

let one: IdentityGateway;
let other: IdentityGateway;
const clock = new MovedClock();
const otherClock = new MovedClock();
let root: AdminCaller;

before(async () => {
  one = await IdentityGateway.start({ admin: {}, clock });
  other = await one.beside({ admin: {}, clock: otherClock });
  root = callerOf(one, ROOT);
});
after(async () => {
  await other.stop();
  await one.stop();
});

function urlOf({ gateway }: IdentityGateway): string {
  return `http://${gateway.running.adminAddress}`;
}

function callerOf(at: IdentityGateway, keys: Keys): AdminCaller {
  return new AdminCaller(urlOf(at), keys, () => clock.wallMs());
}

function pass(ms: number): void {
  clock.aheadMs += ms;
  otherClock.aheadMs += ms;
}

interface Session {
  readonly cookie: string;
  readonly csrf: string;
}

async function makeUser(name: string): Promise<Keys> {
  const made = await root.post("/users", { name });
  assert.equal(made.status, 201, made.text);
  pass(KNOWN_MS);
  return {
    accessKeyId: textOf(made.json, "accessKeyId"),
    secretAccessKey: textOf(made.json, "secretAccessKey"),
  };
}

async function signIn(at: IdentityGateway, keys: Keys): Promise<Session> {
  const answer = await new AdminCaller(urlOf(at)).call("POST", "/session", { body: keys });
  assert.equal(answer.status, 200, answer.text);
  const set = answer.headers.get("set-cookie") ?? "";
  return { cookie: set.split(";")[0] ?? "", csrf: textOf(answer.json, "csrf") };
}

async function signOut(at: IdentityGateway, { cookie, csrf }: Session): Promise<void> {
  const headers = { cookie, "x-dolium-csrf": csrf };
  const answer = await new AdminCaller(urlOf(at)).call("DELETE", "/session", { headers });
  assert.equal(answer.status, 204, answer.text);
}

async function isIn(at: IdentityGateway, { cookie }: Session): Promise<boolean> {
  const answer = await new AdminCaller(urlOf(at)).get("/session", { headers: { cookie } });
  assert.ok(answer.status === 200 || answer.status === 401, answer.text);
  return answer.status === 200;
}

async function isInAnywhere(session: Session): Promise<boolean> {
  pass(KNOWN_MS);
  return (await isIn(one, session)) || (await isIn(other, session));
}

for (const who of ["leaver_umich", "root"]) {
  test(`signing out of one session of ${who} is known to every gateway, others stay`, async () => {
    const keys = who === "root" ? ROOT : await makeUser(who);
    const left = await signIn(one, keys);
    const kept = await signIn(one, keys);
    assert.equal(await isIn(other, left), true, "any gateway knows a session");
    await signOut(one, left);
    assert.equal(await isIn(one, left), false, "at once where it was ended");
    assert.equal(await isInAnywhere(left), false);
    assert.equal(await isIn(other, kept), true);
    // By the other gateway, twice: the second time there is nothing to end.
    await signOut(other, kept);
    await signOut(other, kept);
    assert.equal(await isInAnywhere(kept), false);
  });

  test(`ending all sessions of ${who} ends them at every gateway`, async () => {
    const keys = who === "root" ? ROOT : await makeUser(`all.${who}`);
    const name = who === "root" ? who : `all.${who}`;
    const sessions = [await signIn(one, keys), await signIn(other, keys)];
    const mine = sessions[0];
    assert.ok(mine !== undefined);
    const headers = { cookie: mine.cookie, "x-dolium-csrf": mine.csrf };
    const caller = new AdminCaller(urlOf(one));
    const answer = await caller.call("POST", `/users/${name}/sessions/revoke`, { headers });
    assert.equal(answer.status, 204, answer.text);
    for (const session of sessions) assert.equal(await isInAnywhere(session), false);
    assert.equal(await isIn(other, await signIn(other, keys)), true, "new ones count");
  });
}

test("nobody but administrators ends sessions of the root user", async () => {
  const keys = await makeUser("plain_umich");
  const caller = callerOf(other, keys);
  assert.equal((await caller.post("/users/root/sessions/revoke")).status, 403);
});

test("who is switched off is out everywhere, and his sessions stay over", async () => {
  const keys = await makeUser("off_umich");
  const session = await signIn(other, keys);
  assert.equal((await root.patch("/users/off_umich", { disabled: true })).status, 200);
  assert.equal(await isInAnywhere(session), false);
  assert.equal((await root.patch("/users/off_umich", { disabled: false })).status, 200);
  assert.equal(await isInAnywhere(session), false);
  assert.equal(await isIn(other, await signIn(one, keys)), true);
});

interface Temporary extends Keys {
  readonly sessionToken: string;
}

/** Code of the refusal, or the answer's XML. */
async function askSts(at: IdentityGateway, action: string, keys: Keys | Temporary) {
  const token = "sessionToken" in keys ? keys.sessionToken : undefined;
  return at.caller(keys).call({
    method: "POST",
    target: "/",
    headers: [
      ["Content-Type", "application/x-www-form-urlencoded"],
      ...(token === undefined ? [] : ([["x-amz-security-token", token]] as const)),
    ],
    body: new URLSearchParams({ Version: "2011-06-15", Action: action }).toString(),
    nowMs: clock.wallMs(),
  });
}

async function temporaryKeys(at: IdentityGateway, keys: Keys): Promise<Temporary> {
  const answer = await askSts(at, "GetSessionToken", keys);
  assert.equal(answer.status, 200, answer.text);
  const field = (name: string): string =>
    textAt(answer.xml(), "GetSessionTokenResult", "Credentials", name) ?? "";
  return {
    accessKeyId: field("AccessKeyId"),
    secretAccessKey: field("SecretAccessKey"),
    sessionToken: field("SessionToken"),
  };
}

async function count(at: IdentityGateway, keys: Temporary): Promise<boolean> {
  const answer = await askSts(at, "GetCallerIdentity", keys);
  if (answer.status !== 200) assert.match(answer.text, /Expired/);
  return answer.status === 200;
}

test("another user of the same name has no session of the former one", async () => {
  const keys = await makeUser("name_umich");
  const session = await signIn(one, keys);
  const temporary = await temporaryKeys(one, keys);
  assert.equal(await count(other, temporary), true);
  await signOut(one, await signIn(one, keys));
  assert.equal((await root.delete("/users/name_umich")).status, 204);
  assert.equal(await isInAnywhere(session), false);
  const next = await makeUser("name_umich");
  assert.equal(await isInAnywhere(session), false);
  assert.equal(await count(one, temporary), false);
  assert.equal(await isIn(other, await signIn(one, next)), true);
  assert.equal(await count(other, await temporaryKeys(one, next)), true);
});

test("temporary credentials of the root user end with his sessions", async () => {
  const temporary = await temporaryKeys(one, ROOT);
  assert.equal(await count(other, temporary), true);
  assert.equal((await root.post("/users/root/sessions/revoke")).status, 204);
  pass(KNOWN_MS);
  assert.equal(await count(other, temporary), false);
  assert.equal(await count(other, await temporaryKeys(one, ROOT)), true);
});

test("a session at a gateway whose clock is behind counts from the start", async (t) => {
  const keys = await makeUser("behind_umich");
  t.after(() => {
    otherClock.wrongMs = 0;
  });
  otherClock.wrongMs = -60_000;
  const session = await signIn(other, keys);
  assert.equal(await isIn(other, session), true);
  assert.equal(await isIn(one, session), true);
});

test("a session is over after twelve hours, at every gateway", async () => {
  const keys = await makeUser("old_umich");
  const session = await signIn(one, keys);
  pass(HALF_A_DAY_MS - 60_000);
  assert.equal(await isIn(other, session), true);
  pass(60_000);
  assert.equal(await isInAnywhere(session), false);
});

test("a stream ends with the session that reads it", { timeout: 60_000 }, async () => {
  const session = await signIn(other, ROOT);
  const { cookie } = session;
  const url = `${urlOf(other)}/api/v1/live`;
  const stream = await fetch(url, { headers: { cookie } });
  assert.equal(stream.status, 200);
  const reader = stream.body?.getReader();
  assert.ok(reader !== undefined);
  await reader.read();
  await signOut(one, session);
  pass(KNOWN_MS);
  // A figure comes each second; one of them finds the session ended.
  const isEndedByItself = async (): Promise<boolean> => {
    for (;;) if ((await reader.read()).done) return true;
  };
  assert.equal(await isEndedByItself(), true);
  assert.equal((await fetch(url, { headers: { cookie } })).status, 401);
});

test("the list of ended sessions is bounded, and no ended session comes back", async () => {
  const keys = await makeUser("many_umich");
  const first = await signIn(one, keys);
  await signOut(one, first);
  const expiresMs = BigInt(Math.trunc(clock.wallMs()) + HALF_A_DAY_MS);
  await one.services.editor.changeSessions("many_umich", (sessions) => ({
    ...sessions,
    ended: [
      ...sessions.ended,
      ...Array.from({ length: ENDED_MAX - 1 }, () =>
        create(EndedSessionSchema, { digest: randomBytes(32), expiresMs }),
      ),
    ],
  }));
  await signOut(one, await signIn(one, keys));
  const view = await one.services.directory.refresh();
  const ended = view.sessions("many_umich")?.ended.length ?? 0;
  assert.ok(ended < ENDED_MAX, String(ended));
  assert.equal(await isInAnywhere(first), false);
  assert.equal(await isIn(one, await signIn(one, keys)), true);
  // What would be over by now needs no remembering.
  pass(2 * HALF_A_DAY_MS);
  await signOut(one, await signIn(one, keys));
  const left = (await one.services.directory.refresh()).sessions("many_umich")?.ended.length;
  assert.equal(left, 1);
});

test("ended sessions are in no list of users", async () => {
  assert.ok(!namesOf(await root.get("/users")).includes("root"));
  const all = await root.get("/users");
  assert.doesNotMatch(all.text, /ended|digest/);
});
