// The password check against an LDAP server: a small one, which understands bind and unbind (RFC
// 4511) and tells what it was asked.
import assert from "node:assert/strict";
import { createServer, type Server, type Socket } from "node:net";
import { after, before, beforeEach, test } from "node:test";
import { createLdapCheck } from "../../../services/lib/host/ldap-check.ts";
import type { PasswordCheck } from "../../../services/lib/ports/web.ts";

const BIND_REQUEST = 0x60;
const PASSWORD = "right horse";
const DN = "uid=alice,ou=people,dc=example,dc=org";

let server: Server;
let port: number;
let binds: { readonly dn: string; readonly password: string }[] = [];
let answers = true;
const sockets = new Set<Socket>();

/** The element at `offset`: short and one- or two-byte long lengths are enough here. */
function element(bytes: Buffer, offset: number): { tag: number; value: Buffer; end: number } {
  const first = bytes.readUInt8(offset + 1);
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
  const length = lengthBytes === 0 ? first : bytes.readUIntBE(offset + 2, lengthBytes);
  const start = offset + 2 + lengthBytes;
  const value = bytes.subarray(start, start + length);
  return { tag: bytes.readUInt8(offset), value, end: start + length };
}

function serve(socket: Socket): void {
  sockets.add(socket);
  socket.on("error", () => socket.destroy());
  socket.on("data", (data) => {
    const bytes = typeof data === "string" ? Buffer.from(data) : data;
    const message = element(bytes, 0).value;
    const id = element(message, 0);
    const operation = element(message, id.end);
    if (operation.tag !== BIND_REQUEST || !answers) return;
    const version = element(operation.value, 0);
    const name = element(operation.value, version.end);
    const password = element(operation.value, name.end);
    const bind = { dn: name.value.toString(), password: password.value.toString() };
    binds.push(bind);
    // Success, as servers answer an empty password; else invalidCredentials.
    const isRight = bind.password === "" || (bind.dn === DN && bind.password === PASSWORD);
    const code = isRight ? 0 : 49;
    const idBytes = message.subarray(0, id.end);
    const result = Buffer.from([0x61, 7, 0x0a, 1, code, 0x04, 0, 0x04, 0]);
    socket.write(Buffer.concat([Buffer.from([0x30, idBytes.length + 9]), idBytes, result]));
  });
}

before(async () => {
  server = createServer(serve);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  port = typeof address === "object" ? (address?.port ?? 0) : 0;
});
after(async () => {
  for (const socket of sockets) socket.destroy();
  await new Promise<void>((resolve) => server.close(() => resolve()));
});
beforeEach(() => {
  binds = [];
  answers = true;
});

function check(
  changes: { readonly url?: string; readonly timeoutMs?: number } = {},
): PasswordCheck {
  return createLdapCheck({
    url: `ldap://127.0.0.1:${port}`,
    userDn: "uid={user},ou=people,dc=example,dc=org",
    ...{ startTls: false, caFile: "", timeoutMs: 30_000 },
    ...changes,
  });
}

test("a right password is right, a wrong one and another user's are not", async () => {
  assert.equal(await check().check("alice", PASSWORD), true);
  assert.equal(await check().check("alice", "wrong"), false);
  assert.equal(await check().check("bob", PASSWORD), false);
  assert.deepEqual(
    binds.map(({ dn }) => dn),
    [DN, DN, DN.replace("alice", "bob")],
  );
});

test("an empty password is never sent, because it would be taken", async () => {
  assert.equal(await check().check("alice", ""), false);
  assert.deepEqual(binds, []);
});

test("names that mean something in a distinguished name are refused", async () => {
  for (const name of [
    "alice,ou=admins",
    "a=b",
    "a+b",
    'a"b',
    "a\\2cb",
    "",
    "*",
    "a b",
    "#a",
    "a\0",
  ]) {
    await assert.rejects(check().check(name, PASSWORD), { code: "invalid" }, name);
  }
  assert.deepEqual(binds, []);
});

test("a server that is away or silent is unavailable, not a refusal", async () => {
  const away = check({ url: "ldap://127.0.0.1:1" });
  await assert.rejects(away.check("alice", PASSWORD), { code: "unavailable" });
  answers = false;
  const silent = check({ timeoutMs: 300 });
  await assert.rejects(silent.check("alice", PASSWORD), { code: "unavailable" });
});

test("settings that cannot work are refused at once", () => {
  const options = { startTls: false, caFile: "", timeoutMs: 1000 };
  const userDn = "uid={user},dc=example";
  for (const changes of [
    { url: "http://127.0.0.1", userDn },
    { url: "ldap://127.0.0.1", userDn: "uid=alice" },
  ]) {
    assert.throws(() => createLdapCheck({ ...options, ...changes }), { code: "invalid" });
  }
});
