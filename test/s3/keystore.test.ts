// Access keys of an operator's own store, asked for over HTTP: who gets in and as whom, how long an
// answer counts, and that a store which is slow, broken or away refuses nobody for good and holds
// up nobody whose key is known. Secrets of the store reach neither logs nor answers.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { type TemporaryFolder, temporaryFolder } from "../support/temporary-folder.ts";
import { Certificates } from "../unit/host/certificates.ts";
import { type Answer, type Caller, textAt } from "./caller.ts";
import { makeBucket } from "./harness.ts";
import { IdentityGateway } from "./identity-gateway.ts";
import { KeyStore } from "./key-store.ts";
import { MovedClock } from "./moved-clock.ts";

const SECRET = "secret+of/the=store";
const TOKEN = "token-of-the-gateway";
/** Far more than a slow machine takes for a test. */
const REMEMBER_MS = 3_600_000;
const ABSENT_MS = 60_000;
const PATIENCE_MS = 60_000;

let folder: TemporaryFolder;
let store: KeyStore;
let here: IdentityGateway;
let clock: MovedClock;
let count = 0;

before(async () => {
  folder = temporaryFolder("dolium-keystore-");
  writeFileSync(join(folder.path, "token"), `${TOKEN}\n`);
  store = await KeyStore.start();
  clock = new MovedClock();
  here = await IdentityGateway.start({ clock, identity: { keystore: settings() } });
  await here.createUser("alice_umich", (user) => ({ ...user, displayName: "Alice" }));
});
afterEach(() => {
  store.answer = undefined;
});
after(async () => {
  const told = JSON.stringify(here.log.lines);
  await here.stop();
  await store.stop();
  folder.remove();
  assert.ok(told.includes("the key store cannot be asked"), "something was logged");
  for (const secret of [SECRET, TOKEN]) assert.ok(!told.includes(secret), told);
});

function settings(changes: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    ...{ url: store.url, tokenFile: join(folder.path, "token"), timeoutMs: 30_000 },
    ...{ rememberMs: REMEMBER_MS, absentMs: ABSENT_MS },
    ...changes,
  };
}

/** Somebody with a key that nobody was asked about yet; in the store unless told. */
function holder(user = "alice_umich", isStored = true): { id: string; caller: Caller } {
  count += 1;
  const id = `STOREKEY${String(count).padStart(8, "0")}`;
  if (isStored) store.keys.set(id, { secretKey: SECRET, user });
  return { id, caller: here.caller({ accessKeyId: id, secretAccessKey: SECRET }) };
}

function list(caller: Caller): Promise<Answer> {
  return caller.call({ target: "/" });
}

/** Lets time pass; the date stays, since requests carry the real one. */
function pass(ms: number): void {
  clock.aheadMs += ms;
  clock.wrongMs = -clock.aheadMs;
}

function timesAsked(id: string): number {
  return store.asked.filter((one) => one === id).length;
}

test("a key of the store is its user of the directory, asked for once, with the token", async () => {
  const { id, caller } = holder();
  const bucket = await makeBucket(caller);
  const listed = await list(caller);
  assert.equal(textAt(listed.xml(), "Owner", "ID"), "alice_umich");
  assert.equal(textAt(listed.xml(), "Owner", "DisplayName"), "Alice");
  assert.equal((await caller.put(bucket, "key", "text")).status, 200);
  assert.equal((await caller.get(bucket, "key")).text, "text");
  const bob = await here.createUser("bob_wayne");
  assert.equal((await here.caller(bob).get(bucket, "key")).code, "AccessDenied");
  assert.equal(timesAsked(id), 1);
  assert.equal(store.shown, `Bearer ${TOKEN}`);
});

test("keys of the directory, tokens, temporary keys and paths are not asked for", async () => {
  const before = store.asked.length;
  const keys = await here.createUser("carol_msu");
  assert.equal((await list(here.caller(keys))).status, 200);
  const rgw = { RGW_TOKEN: { version: 1, type: "ldap", id: "alice", key: "her password" } };
  for (const accessKeyId of [
    `DT${"0".repeat(16)}${"A".repeat(32)}`,
    Buffer.from(JSON.stringify(rgw)).toString("base64"),
    "ASIAAAAAAAAAAAAAAAAA",
    "..",
    ".",
    "K".repeat(129),
    "a%2Fb",
  ]) {
    const answer = await list(here.caller({ accessKeyId, secretAccessKey: SECRET }));
    assert.equal(answer.code, "InvalidAccessKeyId", accessKeyId);
  }
  assert.deepEqual(store.asked.slice(before), []);
});

test("an unknown key is InvalidAccessKeyId, and is not asked for again for a while", async () => {
  const { id, caller } = holder("alice_umich", false);
  for (let at = 0; at < 3; at += 1) {
    const answer = await list(caller);
    assert.deepEqual([answer.status, answer.code], [403, "InvalidAccessKeyId"]);
  }
  assert.equal(timesAsked(id), 1);
  store.keys.set(id, { secretKey: SECRET, user: "alice_umich" });
  pass(ABSENT_MS);
  assert.equal((await list(caller)).status, 200);
});

test("the secret is proven like every other", async () => {
  const { id } = holder();
  const wrong = here.caller({ accessKeyId: id, secretAccessKey: "another" });
  assert.equal((await list(wrong)).code, "SignatureDoesNotMatch");
});

test("users who are not of the directory, and administrators, get in by no key of the store", async () => {
  await here.createUser("admin_umich", (user) => ({ ...user, administrator: true }));
  for (const user of ["nobody_umich", "root", "admin_umich", "Alice_Umich"]) {
    assert.equal((await list(holder(user).caller)).code, "InvalidAccessKeyId", user);
  }
});

test("a disabled user is told so, by the proof of his key", async () => {
  await here.createUser("dora_msu", (user) => ({ ...user, disabled: true }));
  const { id, caller } = holder("dora_msu");
  const wrong = here.caller({ accessKeyId: id, secretAccessKey: "another" });
  assert.equal((await list(wrong)).code, "SignatureDoesNotMatch");
  const answer = await list(caller);
  assert.equal(answer.code, "AccessDenied");
  assert.match(answer.text, /disabled/);
  await here.change("dora_msu", (user) => ({ ...user, disabled: false }));
  assert.equal((await list(caller)).status, 200, "the directory says so, without asking the store");
  assert.equal(timesAsked(id), 1);
});

test("a revoked key counts until its time is over, and no longer", async () => {
  const { id, caller } = holder();
  assert.equal((await list(caller)).status, 200);
  store.keys.delete(id);
  assert.equal((await list(caller)).status, 200);
  pass(REMEMBER_MS);
  assert.equal((await list(caller)).code, "InvalidAccessKeyId");
  assert.equal(timesAsked(id), 2);
});

test("a key in use is asked for again before its time is over: new secrets come early", async () => {
  const { id, caller } = holder();
  assert.equal((await list(caller)).status, 200);
  store.keys.set(id, { secretKey: "a new secret", user: "alice_umich" });
  pass(REMEMBER_MS / 2);
  assert.equal((await list(caller)).status, 200, "it counts until the store has answered");
  const renewed = here.caller({ accessKeyId: id, secretAccessKey: "a new secret" });
  await eventually("the new secret", PATIENCE_MS, async () =>
    (await list(renewed)).status === 200 ? true : undefined,
  );
  assert.equal((await list(caller)).code, "SignatureDoesNotMatch");
  assert.equal(timesAsked(id), 2);
});

const BROKEN: Readonly<Record<string, (response: ServerResponse) => void>> = {
  "an error": (response) => void response.writeHead(500).end(SECRET),
  "a refusal of our token": (response) => void response.writeHead(401).end(SECRET),
  "a redirect": (response) => void response.writeHead(302, { Location: store.url }).end(),
  "no JSON": (response) => void response.end(`{"secretKey":"${SECRET}", ...`),
  "no text": (response) => void response.end(Buffer.from([0xff, 0xfe, 0x00])),
  "a list": (response) => void response.end(JSON.stringify([SECRET])),
  nothing: (response) => void response.end("null"),
  "no user": (response) => void response.end(JSON.stringify({ secretKey: SECRET })),
  "no secret": (response) => void response.end(JSON.stringify({ user: "alice_umich" })),
  "an empty secret": (response) =>
    void response.end(JSON.stringify({ secretKey: "", user: "alice_umich" })),
  "too much": (response) =>
    void response.end(
      JSON.stringify({ secretKey: SECRET, user: "alice_umich", more: "x".repeat(20_000) }),
    ),
  "no HTTP": (response) => void response.socket?.end(`${SECRET}\r\n\r\n`),
  "a closed connection": (response) => void response.socket?.destroy(),
};

for (const [what, answer] of Object.entries(BROKEN)) {
  test(`a store that answers with ${what} is away: 503, until it answers again`, async () => {
    const { caller } = holder();
    store.answer = answer;
    const refused = await list(caller);
    assert.deepEqual([refused.status, refused.code], [503, "ServiceUnavailable"]);
    assert.ok(!refused.text.includes(SECRET), refused.text);
    store.answer = undefined;
    assert.equal((await list(caller)).status, 200, "a failure is not remembered");
  });
}

test("while the store is away known keys go on, for their time and no longer", async () => {
  const { id, caller } = holder();
  const own = here.caller(await here.createUser("erin_wayne"));
  assert.equal((await list(caller)).status, 200);
  store.answer = (response) => void response.writeHead(500).end();
  pass(REMEMBER_MS / 2);
  assert.equal((await list(caller)).status, 200);
  await eventually("the early question", PATIENCE_MS, async () =>
    timesAsked(id) === 2 ? true : undefined,
  );
  assert.equal((await list(caller)).status, 200, "that it failed takes nothing away");
  pass(REMEMBER_MS / 2);
  assert.equal((await list(caller)).code, "ServiceUnavailable");
  assert.equal((await list(own)).status, 200, "keys of the directory need no store");
  assert.equal((await list(here.root)).status, 200);
});

test("a store that is silent is waited for so long and no longer, and holds up nobody else", async () => {
  const slow = await here.beside({ identity: { keystore: settings({ timeoutMs: 300 }) } });
  try {
    const { id } = holder();
    const keys = { accessKeyId: id, secretAccessKey: SECRET };
    store.answer = () => undefined;
    const waiting = list(slow.caller(keys));
    assert.equal((await list(slow.root)).status, 200);
    const answer = await waiting;
    assert.deepEqual([answer.status, answer.code], [503, "ServiceUnavailable"]);
    store.answer = undefined;
    assert.equal((await list(slow.caller(keys))).status, 200);
  } finally {
    await slow.stop();
  }
});

test("nobody at that address is a store that is away", async () => {
  const gone = await KeyStore.start();
  await gone.stop();
  const alone = await here.beside({ identity: { keystore: settings({ url: gone.url }) } });
  try {
    const keys = { accessKeyId: "STOREKEYNOBODY", secretAccessKey: SECRET };
    assert.equal((await list(alone.caller(keys))).code, "ServiceUnavailable");
    assert.equal((await list(alone.root)).status, 200);
  } finally {
    await alone.stop();
  }
});

test("a token that changes is shown at the next question", async () => {
  writeFileSync(join(folder.path, "token"), "another-token");
  assert.equal((await list(holder().caller)).status, 200);
  assert.equal(store.shown, "Bearer another-token");
  writeFileSync(join(folder.path, "token"), TOKEN);
});

test("over TLS the store must prove itself by the authority that is set", async () => {
  const certificates = await Certificates.make();
  const files = await certificates.issue("store", ["IP:127.0.0.1"]);
  const tls = {
    cert: readFileSync(files.certificate, "utf8"),
    key: readFileSync(files.key, "utf8"),
  };
  const secure = await KeyStore.start(tls);
  secure.keys.set("STOREKEYTLS", { secretKey: SECRET, user: "alice_umich" });
  const keys = { accessKeyId: "STOREKEYTLS", secretAccessKey: SECRET };
  try {
    for (const [caFile, status] of [
      [certificates.authority, 200],
      ["", 503],
    ] as const) {
      const keystore = settings({ url: secure.url, caFile });
      const gateway = await here.beside({ identity: { keystore } });
      assert.equal((await list(gateway.caller(keys))).status, status);
      await gateway.stop();
    }
    assert.deepEqual(
      secure.asked,
      ["STOREKEYTLS"],
      "nothing was sent to who did not prove himself",
    );
  } finally {
    await secure.stop();
    await certificates.remove();
  }
});

test("files that are not there stop the start", async () => {
  for (const name of ["tokenFile", "caFile"]) {
    const keystore = settings({ [name]: join(folder.path, "none") });
    await assert.rejects(here.beside({ identity: { keystore } }), new RegExp(name));
  }
});

test("without the setting nobody is asked", async () => {
  const plain = await here.beside();
  try {
    const { id } = holder();
    const answer = await list(plain.caller({ accessKeyId: id, secretAccessKey: SECRET }));
    assert.equal(answer.code, "InvalidAccessKeyId");
    assert.equal(timesAsked(id), 0);
  } finally {
    await plain.stop();
  }
});
