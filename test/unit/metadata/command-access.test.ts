// What each role may propose, and for whom; who is not known by a certificate is as before.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { isStoreError } from "../../../services/lib/base/errors.ts";
import {
  PEER_ROLES,
  type PeerIdentity,
  type PeerRole,
} from "../../../services/lib/base/peer-identity.ts";
import { CommandSchema } from "../../../services/lib/gen/dolium/record/v1/command_pb.ts";
import {
  COMMAND_ROLES,
  checkCommandAccess,
  checkHeartbeat,
} from "../../../services/metadata/command-access.ts";

const caller = (role: PeerRole, name = "storage-1"): PeerIdentity => ({
  cluster: "test",
  role,
  name,
});
const isDenied = (error: unknown): boolean => isStoreError(error, "denied");

/** Names of all commands, as the contract has them. */
const NAMES = CommandSchema.oneofs.flatMap(({ fields }) => fields.map((one) => one.localName));

test("every command has its row", () => {
  assert.ok(NAMES.length >= 35);
  assert.deepEqual(Object.keys(COMMAND_ROLES).toSorted(), NAMES.toSorted());
});

test("storage nodes propose nothing but themselves, replicas nothing at all", () => {
  const of = (role: PeerRole): string[] =>
    Object.entries(COMMAND_ROLES).flatMap(([name, roles]) => (roles.includes(role) ? [name] : []));
  assert.deepEqual(of("storage"), ["registerNode"]);
  assert.deepEqual(of("metadata"), []);
  assert.deepEqual(of("admin"), ["putKmsKey", "rewrapKeys", "setGarbageFreeze", "importState"]);
  assert.ok(!of("keeper").includes("putIdentity"));
  assert.ok(!of("gateway").includes("finishGarbage"));
});

test("what a role may not propose is refused", () => {
  const command = create(CommandSchema, { kind: { case: "finishGarbage", value: {} } });
  for (const role of PEER_ROLES) {
    if (role === "keeper") checkCommandAccess(caller(role), command);
    else assert.throws(() => checkCommandAccess(caller(role), command), isDenied, role);
  }
  checkCommandAccess(undefined, command);
});

test("a storage node registers under its own name, and is heard under it", () => {
  const named = (name: string) =>
    create(CommandSchema, { kind: { case: "registerNode", value: { name } } });
  checkCommandAccess(caller("storage"), named("storage-1"));
  assert.throws(() => checkCommandAccess(caller("storage"), named("storage-2")), isDenied);
  checkHeartbeat(caller("storage"), { role: "storage", name: "storage-1" });
  checkHeartbeat(caller("gateway", "gateway"), { role: "gateway", name: "gateway-7" });
  checkHeartbeat(undefined, { role: "storage", name: "storage-2" });
  const others = [
    { role: "storage", name: "storage-2" },
    { role: "gateway", name: "storage-1" },
  ];
  for (const other of others) {
    assert.throws(() => checkHeartbeat(caller("storage"), other), isDenied);
  }
});
