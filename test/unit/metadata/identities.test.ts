// The directory of identities: compare-and-swap, what must be there, what only one may have, what
// is still needed, changes by revision, last uses, and keys sealed anew.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Outcome, type Reply } from "../../../services/lib/gen/dolium/record/v1/command_pb.ts";
import {
  IdentityKind,
  type IdentityRecord,
  type IdentityRecordSchema,
  TokenAccess,
  type UserRecordSchema,
} from "../../../services/lib/gen/dolium/record/v1/identity_pb.ts";
import { TABLE } from "../../../services/metadata/state/keys.ts";
import { IDENTITY_BOUNDS } from "../../../services/metadata/state/validate-identity.ts";
import { key, Machine } from "./harness.ts";

type KindInit = NonNullable<MessageInitShape<typeof IdentityRecordSchema>["kind"]>;
type UserInit = Exclude<MessageInitShape<typeof UserRecordSchema>, { $typeName: string }>;

const { OK, EXISTS, CONFLICT, TAKEN, IN_USE, NO_SUCH_IDENTITY, UNSPECIFIED } = Outcome;

function put(machine: Machine, kind: KindInit, expectedRevision = 0n): Promise<Reply> {
  const value = { record: { kind }, expectedRevision };
  return machine.execute({ case: "putIdentity", value });
}

function putUser(machine: Machine, user: UserInit, expectedRevision = 0n): Promise<Reply> {
  return put(machine, { case: "user", value: user }, expectedRevision);
}

const putGroup = (machine: Machine, name: string, attachedPolicies: string[] = []) =>
  put(machine, { case: "group", value: { name, attachedPolicies } });

const putPolicy = (machine: Machine, name: string) =>
  put(machine, { case: "policy", value: { name, document: "{}" } });

function remove(machine: Machine, kind: IdentityKind, name: string, expectedRevision = 0n) {
  const value = { kind, name, expectedRevision };
  return machine.execute({ case: "deleteIdentity", value });
}

function recordOf({ kind }: Reply): IdentityRecord {
  assert.ok(kind.case === "putIdentity");
  return kind.value.record ?? assert.fail("no record");
}

async function userOf(machine: Machine, name: string) {
  const value = { kind: IdentityKind.USER, name };
  const { record } = await machine.query({ case: "getIdentity", value });
  return record?.kind.case === "user" ? record.kind.value : undefined;
}

async function list(machine: Machine, afterRevision = 0n, limit = 1000) {
  const value = { afterRevision, limit };
  const { records, revision, truncated } = await machine.query({ case: "listIdentities", value });
  const names = records.map(({ kind }) => `${kind.case} ${kind.value?.name}`);
  return { names, revision, truncated };
}

const keyOf = (accessKeyId: string, sealed = "sealed") => ({
  accessKeyId,
  sealedSecret: key(sealed),
});

const tokenOf = (tokenId: string, fill: number) => ({
  tokenId,
  digest: Buffer.alloc(32, fill),
  access: TokenAccess.READ,
});

async function withUser(t: TestContext, user: Partial<UserInit> = {}): Promise<Machine> {
  const machine = await Machine.open(t);
  assert.equal((await putUser(machine, { name: "ann_org", ...user })).outcome, OK);
  return machine;
}

test("an entry is made once, changed by its revision, and told back", async (t) => {
  const machine = await withUser(t, { keys: [keyOf("KEY1")] });
  const first = await userOf(machine, "ann_org");
  assert.equal(first?.createdMs, BigInt(machine.nowMs));
  assert.equal(first?.keys[0]?.createdMs, BigInt(machine.nowMs));
  const again = await putUser(machine, { name: "ann_org" });
  assert.equal(again.outcome, EXISTS);
  assert.equal(recordOf(again).revision, 1n);
  const late = await putUser(machine, { name: "ann_org" }, 9n);
  assert.equal(late.outcome, CONFLICT);
  assert.equal(recordOf(late).revision, 1n);
  assert.equal((await putUser(machine, { name: "bob_org" }, 1n)).outcome, NO_SUCH_IDENTITY);
  const changed = await putUser(machine, { name: "ann_org", displayName: "Ann" }, 1n);
  assert.equal(changed.outcome, OK);
  assert.equal(recordOf(changed).revision, 2n);
  const second = await userOf(machine, "ann_org");
  assert.equal(second?.displayName, "Ann");
  assert.equal(second?.createdMs, first?.createdMs);
  assert.deepEqual(second?.keys, []);
});

test("names of each kind are apart; a policy knows when it was changed", async (t) => {
  const machine = await withUser(t);
  for (const reply of [
    await putGroup(machine, "ann_org"),
    await putPolicy(machine, "ann_org"),
    await put(machine, { case: "role", value: { name: "ann_org", trustPolicy: "{}" } }),
  ]) {
    assert.equal(reply.outcome, OK);
  }
  assert.deepEqual((await list(machine)).names, [
    "user ann_org",
    "group ann_org",
    "policy ann_org",
    "role ann_org",
  ]);
  const value = { name: "ann_org", document: "{ }" };
  const { kind } = recordOf(await put(machine, { case: "policy", value }, 3n));
  assert.ok(kind.case === "policy");
  assert.ok(kind.value.createdMs < kind.value.updatedMs);
});

test("what an entry names must be there", async (t) => {
  const machine = await withUser(t);
  const refused: UserInit[] = [
    { name: "bob_org", groups: ["staff"] },
    { name: "bob_org", attachedPolicies: ["readers"] },
    { name: "bob_org", boundary: "readers" },
    { name: "bob_org", parent: "carl_org" },
  ];
  for (const user of refused) {
    assert.equal((await putUser(machine, user)).outcome, NO_SUCH_IDENTITY, JSON.stringify(user));
  }
  assert.equal((await putGroup(machine, "staff", ["readers"])).outcome, NO_SUCH_IDENTITY);
  await putPolicy(machine, "readers");
  await putGroup(machine, "staff", ["readers"]);
  const all = { groups: ["staff"], attachedPolicies: ["readers"], boundary: "readers" };
  const made = await putUser(machine, { name: "bob_org", ...all, parent: "ann_org" });
  assert.equal(made.outcome, OK);
  // A service account of a service account is none.
  const nested = await putUser(machine, { name: "carl_org", parent: "bob_org" });
  assert.equal(nested.outcome, NO_SUCH_IDENTITY);
  await putUser(machine, { name: "dora_org" });
  const turned = await putUser(machine, { name: "ann_org", parent: "dora_org" }, 1n);
  assert.equal(turned.outcome, IN_USE);
});

test("ids, tokens, certificates, addresses and accounts are one user's only", async (t) => {
  const own: Partial<UserInit> = {
    keys: [keyOf("KEY1")],
    tokens: [tokenOf("0123456789abcdef", 1)],
    certificates: [{ fingerprint: Buffer.alloc(32, 2) }],
    email: "ann@example.org",
    federated: ["https://idp 1"],
  };
  const machine = await withUser(t, own);
  const taken: Partial<UserInit>[] = [
    { keys: [keyOf("KEY1")] },
    // Keys and tokens share their ids, since last uses are kept by id.
    { keys: [keyOf("0123456789abcdef")] },
    { tokens: [tokenOf("0123456789abcdef", 3)] },
    { tokens: [tokenOf("aaaaaaaaaaaaaaaa", 1)] },
    { certificates: [{ fingerprint: Buffer.alloc(32, 2) }] },
    { email: "ann@example.org" },
    { federated: ["https://idp 1"] },
  ];
  for (const part of taken) {
    const { outcome } = await putUser(machine, { name: "bob_org", ...part });
    assert.equal(outcome, TAKEN, Object.keys(part).join());
  }
  // Kept by the one who has them, free once he has not.
  assert.equal((await putUser(machine, { name: "ann_org", ...own }, 1n)).outcome, OK);
  assert.equal((await putUser(machine, { name: "ann_org", ...own, keys: [] }, 2n)).outcome, OK);
  assert.equal((await putUser(machine, { name: "bob_org", keys: [keyOf("KEY1")] })).outcome, OK);
  assert.equal((await remove(machine, IdentityKind.USER, "ann_org")).outcome, OK);
  const { keys: _taken, ...rest } = own;
  assert.equal((await putUser(machine, { name: "carl_org", ...rest })).outcome, OK);
});

test("what is still needed is not deleted", async (t) => {
  const machine = await Machine.open(t);
  await putPolicy(machine, "readers");
  await putPolicy(machine, "most");
  await putGroup(machine, "staff", ["readers"]);
  await putUser(machine, { name: "ann_org", groups: ["staff"], boundary: "most" });
  await putUser(machine, { name: "robot_org", parent: "ann_org" });
  const { USER, GROUP, POLICY } = IdentityKind;
  const inUse: readonly (readonly [IdentityKind, string])[] = [
    [POLICY, "readers"],
    [POLICY, "most"],
    [GROUP, "staff"],
    [USER, "ann_org"],
  ];
  for (const [kind, name] of inUse) {
    assert.equal((await remove(machine, kind, name)).outcome, IN_USE, name);
  }
  assert.equal((await remove(machine, USER, "nobody_org")).outcome, NO_SUCH_IDENTITY);
  assert.equal((await remove(machine, USER, "robot_org", 1n)).outcome, CONFLICT);
  assert.equal((await remove(machine, USER, "robot_org", 5n)).outcome, OK);
  for (const [kind, name] of inUse.toReversed()) {
    assert.equal((await remove(machine, kind, name)).outcome, OK, name);
  }
  assert.equal((await remove(machine, USER, "ann_org")).outcome, NO_SUCH_IDENTITY);
  assert.equal(await machine.recordsOf(TABLE.reference), 0);
});

test("a user who owns buckets stays; owners of buckets change", async (t) => {
  const machine = await withUser(t);
  await machine.execute({
    case: "initCluster",
    value: {
      clusterId: "c",
      policies: [{ name: "standard", dataShards: 2, parityShards: 1 }],
      defaultPolicy: "standard",
      placementGroupCount: 8,
      indexGroups: [2],
    },
  });
  const bucket = { name: "books", owner: "ann_org" };
  assert.equal((await machine.execute({ case: "createBucket", value: bucket })).outcome, OK);
  assert.equal((await remove(machine, IdentityKind.USER, "ann_org")).outcome, IN_USE);
  const change = { name: "books", bucketId: 1, owner: "bob_org" };
  const changed = await machine.execute({ case: "changeBucket", value: change });
  assert.ok(changed.kind.case === "changeBucket");
  assert.equal(changed.kind.value.bucket?.owner, "bob_org");
  assert.equal(changed.kind.value.bucket?.revision, 2n);
  const owned = async (owner: string): Promise<string[]> => {
    const value = { owner, limit: 10 };
    const { buckets } = await machine.query({ case: "listBuckets", value });
    return buckets.map(({ name }) => name);
  };
  assert.deepEqual(await owned("ann_org"), []);
  assert.deepEqual(await owned("bob_org"), ["books"]);
  assert.equal((await remove(machine, IdentityKind.USER, "ann_org")).outcome, OK);
  // Without an owner in the change it stays, and nothing changed means no revision.
  const same = await machine.execute({
    case: "changeBucket",
    value: { name: "books", bucketId: 1 },
  });
  assert.ok(same.kind.case === "changeBucket");
  assert.equal(same.kind.value.bucket?.revision, 2n);
  await machine.execute({ case: "removeBucket", value: { name: "books", bucketId: 1 } });
  assert.equal(await machine.recordsOf(TABLE.ownedBucket), 0);
});

test("changes come by revision, deletions among them, in pages", async (t) => {
  const machine = await withUser(t);
  await putUser(machine, { name: "bob_org" });
  await putUser(machine, { name: "carl_org" });
  assert.deepEqual(await list(machine), {
    names: ["user ann_org", "user bob_org", "user carl_org"],
    revision: 3n,
    truncated: false,
  });
  await remove(machine, IdentityKind.USER, "bob_org");
  await putUser(machine, { name: "ann_org", disabled: true }, 1n);
  assert.deepEqual(await list(machine, 3n), {
    names: ["deleted bob_org", "user ann_org"],
    revision: 5n,
    truncated: false,
  });
  // Who knows nothing need not hear of what is gone.
  assert.deepEqual((await list(machine)).names, ["user carl_org", "user ann_org"]);
  assert.deepEqual(await list(machine, 2n, 2), {
    names: ["user carl_org", "deleted bob_org"],
    revision: 4n,
    truncated: true,
  });
  assert.deepEqual(await list(machine, 5n), { names: [], revision: 5n, truncated: false });
  // A name that was deleted may be taken again.
  assert.equal((await putUser(machine, { name: "bob_org" })).outcome, OK);
  assert.deepEqual((await list(machine, 5n)).names, ["user bob_org"]);
  assert.equal((await list(machine, 3n)).names.length, 2);
});

test("pages end before they are too large for a message", async (t) => {
  const machine = await Machine.open(t);
  const document = "x".repeat(IDENTITY_BOUNDS.documentBytes);
  const policies = ["a", "b", "c", "d", "e", "f", "g", "h"].map((name) => ({ name, document }));
  for (let at = 0; at < 6; at += 1) {
    assert.equal((await putUser(machine, { name: `user${at}`, policies })).outcome, OK);
  }
  const first = await list(machine);
  assert.ok(first.truncated);
  assert.equal(first.names.length, 4);
  assert.equal((await list(machine, first.revision)).names.length, 2);
});

test("last uses: the later one stays, of ids that somebody has", async (t) => {
  const machine = await withUser(t, {
    keys: [keyOf("KEY1")],
    tokens: [tokenOf("0123456789abcdef", 1)],
  });
  const use = (id: string, usedMs: bigint) => ({
    id,
    usedMs,
    origin: "::1",
    action: "s3:GetObject",
  });
  const uses = [use("KEY1", 5n), use("0123456789abcdef", 6n), use("GONE", 7n)];
  await machine.execute({ case: "recordUses", value: { uses } });
  await machine.execute({ case: "recordUses", value: { uses: [use("KEY1", 4n)] } });
  const ids = ["KEY1", "0123456789abcdef", "GONE"];
  const told = async () => {
    const answer = await machine.query({ case: "listUses", value: { ids } });
    return answer.uses.map(({ id, usedMs }) => `${id} ${usedMs}`);
  };
  assert.deepEqual(await told(), ["KEY1 5", "0123456789abcdef 6"]);
  assert.equal((await list(machine)).revision, 1n);
  // What is gone from the user is forgotten; another who gets the id begins anew.
  await putUser(machine, { name: "ann_org", keys: [keyOf("KEY1")] }, 1n);
  assert.deepEqual(await told(), ["KEY1 5"]);
  await remove(machine, IdentityKind.USER, "ann_org");
  assert.deepEqual(await told(), []);
  assert.equal(await machine.recordsOf(TABLE.lastUse), 0);
  const tooMany = Array.from({ length: 1001 }, () => "KEY1");
  await assert.rejects(machine.query({ case: "listUses", value: { ids: tooMany } }), /over 1000/);
});

test("only what is still sealed as expected is sealed anew", async (t) => {
  const machine = await withUser(t, { keys: [keyOf("KEY1", "one"), keyOf("KEY2", "two")] });
  const wrappedKey = key("old");
  await machine.execute({
    case: "putKmsKey",
    value: { name: "payroll", expectedVersions: 0, wrappedKey },
  });
  const secret = (accessKeyId: string, expected: string) => ({
    user: "ann_org",
    accessKeyId,
    expected: key(expected),
    sealedSecret: key("new"),
  });
  const named = (expected: string, version = 1) => ({
    name: "payroll",
    version,
    expected: key(expected),
    wrappedKey: key("new"),
  });
  const rewrap = async (value: {
    namedKeys?: ReturnType<typeof named>[];
    secrets?: ReturnType<typeof secret>[];
  }) => {
    assert.equal((await machine.execute({ case: "rewrapKeys", value })).outcome, OK);
    const user = await userOf(machine, "ann_org");
    const { keys } = await machine.query({ case: "listKmsKeys", value: {} });
    const bytes = [
      ...(user?.keys.map(({ sealedSecret }) => sealedSecret) ?? []),
      ...keys.flatMap(({ versions }) => versions.map((one) => one.wrappedKey)),
    ];
    return bytes.map((one) => Buffer.from(one).toString());
  };
  assert.deepEqual(await rewrap({ namedKeys: [named("other"), named("old", 2)] }), [
    "one",
    "two",
    "old",
  ]);
  const wrong = [
    secret("KEY1", "two"),
    secret("KEY3", "one"),
    { ...secret("KEY1", "one"), user: "b" },
  ];
  assert.deepEqual(await rewrap({ secrets: wrong }), ["one", "two", "old"]);
  assert.equal((await list(machine)).revision, 1n);
  const all = {
    namedKeys: [named("old")],
    secrets: [secret("KEY1", "one"), secret("KEY2", "two")],
  };
  assert.deepEqual(await rewrap(all), ["new", "new", "new"]);
  assert.equal((await list(machine)).revision, 2n);
  assert.deepEqual(await rewrap(all), ["new", "new", "new"]);
  assert.equal((await list(machine)).revision, 2n);
});

const TOO_LONG = "x".repeat(1001);

const BAD_USERS: readonly Partial<UserInit>[] = [
  ...["", "a", "root", "Ann_org", "ann org", "-ann", "ann-", "x".repeat(64)].map((name) => ({
    name,
  })),
  { parent: "ann_org" },
  { email: "Ann@example.org" },
  { email: "ann" },
  { displayName: TOO_LONG },
  { groups: ["b", "a"] },
  { groups: ["a", "a"] },
  { groups: ["a b"] },
  { groups: Array.from({ length: 101 }, (_, at) => `g${1000 + at}`) },
  { attachedPolicies: ["b", "a"] },
  { boundary: "a/b" },
  { policies: [{ name: "p", document: "" }] },
  { policies: [{ name: "p", document: "x".repeat(20_481) }] },
  { policies: ["b", "a"].map((name) => ({ name, document: "{}" })) },
  { keys: [keyOf("ab")] },
  { keys: [keyOf("a b c")] },
  { keys: [keyOf("K".repeat(129))] },
  { keys: [keyOf(`DT${"0".repeat(16)}${"A".repeat(32)}`)] },
  { keys: [keyOf("ASIAABCDEFGHIJKLMNOP")] },
  { keys: [{ accessKeyId: "KEY1" }] },
  { keys: [keyOf("KEY1"), keyOf("KEY1")] },
  { keys: [{ ...keyOf("KEY1"), description: TOO_LONG }] },
  { keys: Array.from({ length: 101 }, (_, at) => keyOf(`KEY${at}`)) },
  { tokens: [tokenOf("0123456789ABCDEF", 1)] },
  { tokens: [{ ...tokenOf("0123456789abcdef", 1), digest: Buffer.alloc(31) }] },
  { tokens: [{ ...tokenOf("0123456789abcdef", 1), access: TokenAccess.UNSPECIFIED }] },
  { tokens: [{ ...tokenOf("0123456789abcdef", 1), buckets: [""] }] },
  { tokens: [tokenOf("0123456789abcdef", 1), tokenOf("aaaaaaaaaaaaaaaa", 1)] },
  { keys: [keyOf("0123456789abcdef")], tokens: [tokenOf("0123456789abcdef", 1)] },
  { certificates: [{ fingerprint: Buffer.alloc(20) }] },
  { certificates: [1, 1].map((fill) => ({ fingerprint: Buffer.alloc(32, fill) })) },
  { federated: ["issuer"] },
  { federated: ["b 1", "a 1"] },
  {
    policies: Array.from({ length: 14 }, (_, at) => ({
      name: `p${10 + at}`,
      document: "x".repeat(20_000),
    })),
  },
];

const digest = (first: number) => ({ digest: Uint8Array.of(first, ...new Uint8Array(31)) });

function tooManySessions() {
  return Array.from({ length: IDENTITY_BOUNDS.endedSessions + 1 }, (_, at) => digest(at));
}

test("ended sessions are kept by user, the root user's too, and go with their user", async (t) => {
  const machine = await Machine.open(t);
  await putUser(machine, { name: "ann_org" });
  for (const name of ["ann_org", "root"]) {
    const ended = [{ ...digest(1), expiresMs: 9n }];
    const kind = { case: "sessions", value: { name, fromMs: 7n, ended } } as const;
    const made = recordOf(await put(machine, kind));
    assert.equal((await put(machine, kind)).outcome, EXISTS);
    assert.equal((await put(machine, kind, made.revision)).outcome, OK);
  }
  assert.equal((await remove(machine, IdentityKind.USER, "ann_org")).outcome, OK);
  const value = { kind: IdentityKind.SESSIONS, name: "ann_org" };
  assert.equal((await machine.query({ case: "getIdentity", value })).record, undefined);
  assert.deepEqual((await list(machine)).names, ["sessions root"]);
});

test("the boundary of a role must be there, and stays as long", async (t) => {
  const machine = await Machine.open(t);
  const role = { name: "visitor", trustPolicy: "{}", boundary: "most" };
  assert.equal((await put(machine, { case: "role", value: role })).outcome, NO_SUCH_IDENTITY);
  await putPolicy(machine, "most");
  const made = recordOf(await put(machine, { case: "role", value: role }));
  assert.equal((await remove(machine, IdentityKind.POLICY, "most")).outcome, IN_USE);
  const unbound = { case: "role", value: { ...role, boundary: "" } } as const;
  assert.equal((await put(machine, unbound, made.revision)).outcome, OK);
  assert.equal((await remove(machine, IdentityKind.POLICY, "most")).outcome, OK);
});

test("what is not well formed never comes in", async (t) => {
  const machine = await Machine.open(t);
  for (const [at, bad] of BAD_USERS.entries()) {
    const { outcome } = await putUser(machine, { name: "ann_org", ...bad });
    assert.equal(outcome, UNSPECIFIED, `${at} ${Object.keys(bad).join()}`);
  }
  const others: KindInit[] = [
    { case: "group", value: { name: "" } },
    { case: "group", value: { name: "a/b" } },
    { case: "policy", value: { name: "p" } },
    { case: "role", value: { name: "r" } },
    { case: "role", value: { name: "r", trustPolicy: "{}", sessionSecondsMax: 43_201 } },
    { case: "role", value: { name: "r", trustPolicy: "{}", boundary: "a/b" } },
    { case: "sessions", value: { name: "A" } },
    { case: "sessions", value: { name: "root", ended: [{ digest: new Uint8Array(31) }] } },
    { case: "sessions", value: { name: "root", ended: [digest(2), digest(1)] } },
    { case: "sessions", value: { name: "root", ended: [digest(1), digest(1)] } },
    { case: "sessions", value: { name: "root", ended: tooManySessions() } },
    { case: "deleted", value: { kind: IdentityKind.USER, name: "ann_org" } },
  ];
  for (const [at, kind] of others.entries()) {
    assert.equal((await put(machine, kind)).outcome, UNSPECIFIED, `${at}`);
  }
  const revised = {
    record: { revision: 1n, kind: { case: "group", value: { name: "g" } } },
  } as const;
  const bad = [
    await machine.execute({ case: "putIdentity", value: revised }),
    await machine.execute({ case: "putIdentity", value: {} }),
    await machine.execute({ case: "putIdentity", value: { record: {} } }),
    await remove(machine, IdentityKind.UNSPECIFIED, "a"),
    await machine.execute({ case: "recordUses", value: { uses: [{ id: "" }] } }),
    await machine.execute({ case: "rewrapKeys", value: { secrets: [{ user: "ann_org" }] } }),
  ];
  for (const { outcome } of bad) assert.equal(outcome, UNSPECIFIED);
  assert.deepEqual(await list(machine), { names: [], revision: 0n, truncated: false });
});
