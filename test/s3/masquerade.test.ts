// Administrators who act for a user, by a header that their own key has signed: what comes of it is
// the user's, and nobody else gets in so. Client row A21 (a habit of Pithos).
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { NamedPolicySchema } from "../../services/lib/gen/dolium/record/v1/identity_pb.ts";
import { type Answer, type Caller, pathOf, textAt } from "./caller.ts";
import { makeBucket, newBucketName } from "./harness.ts";
import { IdentityGateway } from "./identity-gateway.ts";

const HEADER = "X-Amz-Masquerade-Tenant";
let here: IdentityGateway;
let alice: Caller;

before(async () => {
  here = await IdentityGateway.start({ s3: { masquerade: true } });
  alice = here.caller(
    await here.createUser("alice_umich", (user) => ({ ...user, displayName: "Alice" })),
  );
});
after(() => here.stop());

function listAs(caller: Caller, name: string, signed = true): Promise<Answer> {
  const headers = [[HEADER, name]] as const;
  return caller.call({ target: "/", headers, sign: signed });
}

test("the root user acts for a user: owner, rights and refusals are the user's", async () => {
  const headers = [[HEADER, "alice_umich"]] as const;
  const bucket = newBucketName();
  assert.equal(
    (await here.root.call({ method: "PUT", target: `/${bucket}`, headers })).status,
    200,
  );
  const target = pathOf(bucket, "key");
  const put = await here.root.call({ method: "PUT", target, body: "x", headers });
  assert.equal(put.status, 200, put.text);
  const listed = await listAs(here.root, "alice_umich");
  assert.equal(textAt(listed.xml(), "Owner", "ID"), "alice_umich");
  assert.equal(textAt(listed.xml(), "Owner", "DisplayName"), "Alice");
  assert.equal((await alice.get(bucket, "key")).text, "x");
  const own = await makeBucket(here.root);
  const closed = await here.root.call({ target: `/${own}`, headers });
  assert.equal(closed.code, "AccessDenied", "what alice may not, nobody may for her");
  const link = here.root.presign({ target: "/", headers: [[HEADER.toLowerCase(), "alice_umich"]] });
  const shown = await here.root.call({ target: link, headers, sign: false });
  assert.equal(textAt(shown.xml(), "Owner", "ID"), "alice_umich");
});

test("an administrator of the directory may, who is nobody's deputy himself", async () => {
  const administrator = await here.createUser("admin_umich", (user) => ({
    ...user,
    administrator: true,
  }));
  const answer = await listAs(here.caller(administrator), "alice_umich");
  assert.equal(textAt(answer.xml(), "Owner", "ID"), "alice_umich");
});

test("nobody else acts for another: users, the unsigned, and who is bounded", async () => {
  const bound = { Effect: "Allow", Action: "s3:*", Resource: "*" };
  const document = JSON.stringify({ Version: "2012-10-17", Statement: bound });
  await here.services.editor.createPolicy({ name: "storage", document });
  const bounded = await here.createUser("bounded_umich", (user) => ({
    ...user,
    administrator: true,
    boundary: "storage",
  }));
  const everything = JSON.stringify({
    Version: "2012-10-17",
    Statement: { Effect: "Allow", Action: "*", Resource: "*" },
  });
  const mighty = await here.createUser("mighty_umich", (user) => ({
    ...user,
    inlinePolicies: [create(NamedPolicySchema, { name: "all", document: everything })],
  }));
  for (const caller of [alice, here.caller(bounded), here.caller(mighty)]) {
    const answer = await listAs(caller, "alice_umich");
    assert.equal(answer.code, "AccessDenied", answer.text);
  }
  assert.equal((await listAs(here.root, "alice_umich", false)).code, "AccessDenied");
  // Signed without the header, which was put in on the way.
  const bytes = here.root.requestBytes({ target: "/" }).toString("latin1");
  const altered = bytes.replace("\r\n", `\r\n${HEADER}: alice_umich\r\n`);
  assert.equal((await here.root.send(Buffer.from(altered, "latin1"))).code, "AccessDenied");
});

test("who is not there, or may not sign in, is nobody to act for", async () => {
  await here.createUser("gone_umich", (user) => ({ ...user, disabled: true }));
  assert.equal((await listAs(here.root, "nobody_umich")).code, "InvalidArgument");
  assert.equal((await listAs(here.root, "")).code, "InvalidArgument");
  const disabled = await listAs(here.root, "gone_umich");
  assert.equal(disabled.status, 403, disabled.text);
});

test("without the setting the header is refused, to administrators too", async (t) => {
  const plain = await IdentityGateway.start();
  t.after(() => plain.stop());
  await plain.createUser("alice_umich");
  assert.equal((await listAs(plain.root, "alice_umich")).code, "AccessDenied");
  assert.equal((await plain.root.call({ target: "/" })).status, 200);
});
