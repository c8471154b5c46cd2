// Changes of the directory through its editor: two at once both count, lists come in any order, and
// each refusal has its code.
import assert from "node:assert/strict";
import { test } from "node:test";
import { IdentityEditor } from "../../../services/lib/clients/identity-editor.ts";
import { IdentityKind } from "../../../services/lib/gen/dolium/record/v1/identity_pb.ts";
import { MachineMetadata, refusedAs } from "./machine-metadata.ts";

const sealedSecret = Buffer.from("sealed");

test("entries of every kind are made, changed and deleted", async (t) => {
  const editor = new IdentityEditor({ metadata: new MachineMetadata(t).client });
  const policy = await editor.createPolicy({ name: "readers", document: "{}" });
  assert.ok(policy.createdMs > 0n);
  const changed = await editor.changePolicy("readers", (one) => ({ ...one, document: "[]" }));
  assert.equal(changed.document, "[]");
  assert.ok(changed.updatedMs > policy.updatedMs);
  assert.equal(changed.createdMs, policy.createdMs);
  await editor.createGroup({ name: "staff" });
  const group = await editor.changeGroup("staff", (one) => ({
    ...one,
    attachedPolicies: ["readers"],
  }));
  assert.deepEqual(group.attachedPolicies, ["readers"]);
  await editor.createRole({ name: "visitor", trustPolicy: "{}" });
  const role = await editor.changeRole("visitor", (one) => ({ ...one, description: "d" }));
  assert.equal(role.description, "d");
  await editor.createUser({ name: "ann_org", groups: ["staff"] });
  const user = await editor.changeUser("ann_org", (one) => ({ ...one, groups: [] }));
  assert.deepEqual(user.groups, []);
  await editor.deleteUser("ann_org");
  await editor.deleteRole("visitor");
  await editor.deleteGroup("staff");
  await editor.deletePolicy("readers");
  await assert.rejects(editor.deletePolicy("readers"), refusedAs("not-found"));
});

test("lists of names may come in any order", async (t) => {
  const editor = new IdentityEditor({ metadata: new MachineMetadata(t).client });
  for (const name of ["b", "a"]) await editor.createPolicy({ name, document: "{}" });
  for (const name of ["y", "x"]) await editor.createGroup({ name, attachedPolicies: ["b", "a"] });
  const user = await editor.createUser({
    name: "ann_org",
    groups: ["y", "x"],
    attachedPolicies: ["b", "a"],
    policies: ["d", "c"].map((name) => ({ name, document: "{}" })),
    federated: ["i 2", "i 1"],
  });
  assert.deepEqual(user.groups, ["x", "y"]);
  assert.deepEqual(user.attachedPolicies, ["a", "b"]);
  assert.deepEqual(
    user.policies.map(({ name }) => name),
    ["c", "d"],
  );
  assert.deepEqual(user.federated, ["i 1", "i 2"]);
});

test("changes at once all count", async (t) => {
  const editor = new IdentityEditor({ metadata: new MachineMetadata(t).client });
  await editor.createUser({ name: "ann_org" });
  const ids = ["KEY0", "KEY1", "KEY2", "KEY3", "KEY4", "KEY5"];
  await Promise.all(
    ids.map((accessKeyId) =>
      editor.changeUser("ann_org", (user) => {
        const { keys } = user;
        const [key] = [{ accessKeyId, sealedSecret }];
        return { ...user, keys: [...keys, { ...emptyKey, ...key }] };
      }),
    ),
  );
  const user = await editor.changeUser("ann_org", (one) => one);
  assert.deepEqual(user.keys.map(({ accessKeyId }) => accessKeyId).toSorted(), ids);
});

const emptyKey = {
  $typeName: "dolium.record.v1.AccessKey",
  createdMs: 0n,
  disabled: false,
  description: "",
  expiresMs: 0n,
} as const;

test("refusals have their codes", async (t) => {
  const service = new MachineMetadata(t);
  const editor = new IdentityEditor({ metadata: service.client });
  await editor.createUser({ name: "ann_org", keys: [{ accessKeyId: "KEY1", sealedSecret }] });
  await editor.createGroup({ name: "staff" });
  await editor.createUser({ name: "bob_org", groups: ["staff"] });
  const key = { accessKeyId: "KEY1", sealedSecret };
  await assert.rejects(editor.createUser({ name: "ann_org" }), refusedAs("exists", "ann_org"));
  await assert.rejects(
    editor.createUser({ name: "carl_org", keys: [key] }),
    refusedAs("exists", "access key"),
  );
  await assert.rejects(
    editor.createUser({ name: "carl_org", groups: ["nobody"] }),
    refusedAs("not-found", "group nobody"),
  );
  await assert.rejects(editor.createUser({ name: "root" }), refusedAs("invalid", "root"));
  await assert.rejects(
    editor.changeUser("carl_org", (user) => user),
    refusedAs("not-found", "user carl_org"),
  );
  await assert.rejects(editor.deleteGroup("staff"), refusedAs("conflict", "members"));
  await assert.rejects(editor.deleteUser("carl_org"), refusedAs("not-found"));
  await assert.rejects(
    editor.changeUser("ann_org", (user) => ({ ...user, name: "dora_org" })),
    refusedAs("invalid", "name"),
  );
  const mistake = new Error("of the caller");
  await assert.rejects(
    editor.changeUser("ann_org", () => {
      throw mistake;
    }),
    mistake,
  );
  service.down();
  await assert.rejects(editor.deleteUser("ann_org"), refusedAs("unavailable"));
});

test("an entry that others change all the time is given up", async (t) => {
  const service = new MachineMetadata(t);
  const editor = new IdentityEditor({ metadata: service.client });
  await editor.createUser({ name: "ann_org" });
  const machine = await service.machine(1);
  let isOurs = true;
  service.before = async (what) => {
    if (what !== "putIdentity" || !isOurs) return;
    isOurs = false;
    const value = { kind: IdentityKind.USER, name: "ann_org" };
    const { record } = await machine.query({ case: "getIdentity", value });
    const { revision = 0n, kind } = record ?? assert.fail();
    const put = { record: { kind }, expectedRevision: revision };
    await machine.execute({ case: "putIdentity", value: put });
    isOurs = true;
  };
  await assert.rejects(
    editor.changeUser("ann_org", (user) => ({ ...user, disabled: true })),
    refusedAs("conflict", "by others"),
  );
});
