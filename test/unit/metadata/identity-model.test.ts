// Random commands on the directory of identities: whatever is refused or let in, the tables beside
// the entries are what the entries say, nothing is anybody's twice, and who follows the changes in
// small pages knows what is there.
import assert from "node:assert/strict";
import { test } from "node:test";
import { toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { IdentityTables } from "../../../services/lib/clients/identity-view.ts";
import { Outcome } from "../../../services/lib/gen/dolium/record/v1/command_pb.ts";
import {
  IdentityKind,
  type IdentityRecord,
  IdentityRecordSchema,
  TokenAccess,
  type UserRecord,
  UserRecordSchema,
} from "../../../services/lib/gen/dolium/record/v1/identity_pb.ts";
import {
  PROOF,
  parseIdentityRevisionKey,
  proofKey,
  TABLE,
  type Table,
  tableRange,
} from "../../../services/metadata/state/keys.ts";
import { decodeRecord } from "../../../services/metadata/state/records.ts";
import { type CommandKind, Machine } from "./harness.ts";

const USERS = ["u1", "u2", "u3", "u4"];
const GROUPS = ["g1", "g2"];
const POLICIES = ["p1", "p2"];
const { USER, GROUP, POLICY } = IdentityKind;

type Dice = readonly [number, number, number, number];

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const some = (names: readonly string[], bits: number): string[] =>
  names.filter((_, at) => ((bits >> at) & 1) === 1);

/** A user with a few things out of a small choice, so that users want the same ones. */
function userOf([a, b, c, d]: Dice) {
  const name = USERS[a % USERS.length] ?? "u1";
  const keys = some(["K00", "K11", "K22"], b).map((accessKeyId) => ({
    accessKeyId,
    sealedSecret: Buffer.alloc(4, d),
  }));
  const tokens = some(["aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb"], c).map((tokenId) => ({
    tokenId,
    digest: Buffer.alloc(32, tokenId.charCodeAt(0)),
    access: TokenAccess.READ,
  }));
  const certificates = some(["1", "2"], d).map((text) => ({
    fingerprint: Buffer.alloc(32, Number(text)),
  }));
  return {
    name,
    keys,
    tokens,
    certificates,
    email: c % 5 === 0 ? "shared@example.org" : "",
    federated: d % 4 === 0 ? ["issuer 1"] : [],
    groups: some(GROUPS, a >> 2),
    attachedPolicies: some(POLICIES, b >> 3),
    boundary: d % 3 === 0 ? "p1" : "",
    parent: c % 7 === 0 && name !== "u1" ? "u1" : "",
  };
}

class Run {
  readonly machine: Machine;
  readonly follower = new IdentityTables();
  #outcomes = new Set<Outcome>();

  constructor(machine: Machine) {
    this.machine = machine;
  }

  get outcomes(): ReadonlySet<Outcome> {
    return this.#outcomes;
  }

  async step(what: number, dice: Dice): Promise<void> {
    const kind = await this.#command(what, dice);
    const { outcome } = await this.machine.execute(kind);
    assert.notEqual(outcome, Outcome.UNSPECIFIED);
    this.#outcomes.add(outcome);
  }

  async #command(what: number, dice: Dice): Promise<CommandKind> {
    const [a, b] = dice;
    const group = GROUPS[a % GROUPS.length] ?? "g1";
    const policy = POLICIES[a % POLICIES.length] ?? "p1";
    switch (what % 9) {
      case 0:
        return this.#put(POLICY, policy, {
          case: "policy",
          value: { name: policy, document: "{}" },
        });
      case 1: {
        const value = { name: group, attachedPolicies: some(POLICIES, b) };
        return this.#put(GROUP, group, { case: "group", value });
      }
      case 2:
        return this.#delete(b % 2 === 0 ? GROUP : POLICY, b % 2 === 0 ? group : policy);
      case 3:
        return this.#delete(USER, USERS[a % USERS.length] ?? "u1");
      case 4: {
        const ids = ["K00", "K11", "K22", "aaaaaaaaaaaaaaaa"];
        const uses = ids.map((id, at) => ({ id, usedMs: BigInt((b >> at) % 50) }));
        return { case: "recordUses", value: { uses } };
      }
      default: {
        const user = userOf(dice);
        return this.#put(USER, user.name, { case: "user", value: user });
      }
    }
  }

  /** Mostly with the revision that is there. */
  async #put(kind: IdentityKind, name: string, record: object): Promise<CommandKind> {
    const { record: present } = await this.machine.query({
      case: "getIdentity",
      value: { kind, name },
    });
    const expectedRevision = present?.revision ?? 0n;
    // Checked boundary: callers give one of the kinds of a record.
    const value = { record: { kind: record as never }, expectedRevision };
    return { case: "putIdentity", value };
  }

  #delete(kind: IdentityKind, name: string): CommandKind {
    return { case: "deleteIdentity", value: { kind, name } };
  }

  /** Takes in one page of changes. */
  async follow(limit: number): Promise<boolean> {
    const value = { afterRevision: this.follower.revision, limit };
    const page = await this.machine.query({ case: "listIdentities", value });
    for (const record of page.records) this.follower.take(record);
    this.follower.revision = page.revision;
    return page.truncated;
  }

  async #entries(table: Table) {
    return this.machine.state.read((view) => view.scan(tableRange(table), 10_000));
  }

  async check(): Promise<void> {
    const entries = await this.#entries(TABLE.identity);
    const records = entries.map(([, payload]) => decodeRecord(IdentityRecordSchema, payload));
    const users = records.flatMap(({ kind }) => (kind.case === "user" ? [kind.value] : []));
    await this.#checkProofs(users);
    await this.#checkReferences(records);
    await this.#checkRevisions(records);
    const ids = new Set(users.flatMap((user) => idsOf(user)));
    for (const [key] of await this.#entries(TABLE.lastUse)) {
      assert.ok(ids.has(Buffer.from(key.subarray(1)).toString()), "a use of nobody's key");
    }
    this.#checkFollower(users, records);
    await this.machine.audit();
  }

  async #checkProofs(users: readonly UserRecord[]): Promise<void> {
    const { id, tokenDigest, certificate, email, federated } = PROOF;
    const expected = users.flatMap((user) =>
      [
        ...idsOf(user).map((text) => proofKey({ kind: id, value: Buffer.from(text) })),
        ...user.tokens.map(({ digest }) => proofKey({ kind: tokenDigest, value: digest })),
        ...user.certificates.map(({ fingerprint }) =>
          proofKey({ kind: certificate, value: fingerprint }),
        ),
        ...(user.email === "" ? [] : [proofKey({ kind: email, value: Buffer.from(user.email) })]),
        ...user.federated.map((text) => proofKey({ kind: federated, value: Buffer.from(text) })),
      ].map((key) => `${hex(key)} ${user.name}`),
    );
    const stored = (await this.#entries(TABLE.proof)).map(
      ([key, payload]) => `${hex(key)} ${Buffer.from(payload).toString()}`,
    );
    assert.deepEqual(stored.sort(), expected.sort());
    assert.equal(new Set(stored.map((line) => line.split(" ")[0])).size, stored.length);
  }

  async #checkReferences(records: readonly IdentityRecord[]): Promise<void> {
    const there = new Set(
      records.flatMap(({ kind }) =>
        kind.case === "deleted" ? [] : [`${kind.case} ${kind.value?.name}`],
      ),
    );
    let count = 0;
    for (const { kind } of records) {
      const targets = new Set<string>();
      if (kind.case === "user" || kind.case === "group") {
        for (const name of kind.value.attachedPolicies) targets.add(`policy ${name}`);
      }
      if (kind.case === "user") {
        const { boundary, parent, groups } = kind.value;
        if (boundary !== "") targets.add(`policy ${boundary}`);
        if (parent !== "") targets.add(`user ${parent}`);
        for (const name of groups) targets.add(`group ${name}`);
      }
      for (const target of targets) assert.ok(there.has(target), `${target} is needed`);
      count += targets.size;
    }
    assert.equal((await this.#entries(TABLE.reference)).length, count);
  }

  async #checkRevisions(records: readonly IdentityRecord[]): Promise<void> {
    const keys = (await this.#entries(TABLE.identityRevision)).map(([key]) =>
      parseIdentityRevisionKey(key),
    );
    const listed = keys.map(({ revision, name }) => `${revision} ${name}`);
    const stored = records.map(({ revision, kind }) => `${revision} ${kind.value?.name}`);
    assert.deepEqual(listed.toSorted(), stored.toSorted());
    assert.equal(new Set(keys.map(({ revision }) => revision)).size, keys.length);
  }

  /** Who followed the changes knows the same, also by what users are known by. */
  #checkFollower(users: readonly UserRecord[], records: readonly IdentityRecord[]): void {
    const known = [...this.follower.users()].map((user) => hex(toBinary(UserRecordSchema, user)));
    assert.deepEqual(
      known.sort(),
      users.map((user) => hex(toBinary(UserRecordSchema, user))).sort(),
    );
    for (const { revision, kind } of records) {
      if (kind.case !== "user") continue;
      assert.equal(this.follower.revisionOf(USER, kind.value.name), revision);
    }
    const holders = new Map(
      users.flatMap(({ name, keys }) => keys.map(({ accessKeyId }) => [accessKeyId, name])),
    );
    for (const id of ["K00", "K11", "K22"]) {
      assert.equal(this.follower.byAccessKey(id)?.user.name, holders.get(id), id);
    }
    const shared = users.find(({ email }) => email !== "");
    assert.equal(this.follower.byEmail("shared@example.org")?.name, shared?.name);
    const federated = users.find((user) => user.federated.length > 0);
    assert.equal(this.follower.byFederated("issuer 1")?.name, federated?.name);
    for (const fill of [1, 2]) {
      const fingerprint = Buffer.alloc(32, fill);
      const holder = users.find(({ certificates }) =>
        certificates.some((one) => fingerprint.equals(one.fingerprint)),
      );
      assert.equal(this.follower.byCertificate(fingerprint)?.user.name, holder?.name);
    }
  }
}

function idsOf({ keys, tokens }: UserRecord): string[] {
  return [...keys.map(({ accessKeyId }) => accessKeyId), ...tokens.map(({ tokenId }) => tokenId)];
}

const dice = fc.nat({ max: 10_000 });
const step = fc.tuple(dice, fc.tuple(dice, dice, dice, dice), dice);
const program = fc.array(step, { minLength: 30, maxLength: 120 });

test("random changes leave the tables beside the directory as its entries say", async (t) => {
  const outcomes = new Set<Outcome>();
  await fc.assert(
    fc.asyncProperty(program, async (steps) => {
      const run = new Run(await Machine.open(t));
      for (const [what, four, follows] of steps) {
        await run.step(what, four);
        if (follows % 5 === 0) await run.follow(1 + (follows % 3));
      }
      while (await run.follow(2));
      await run.check();
      for (const outcome of run.outcomes) outcomes.add(outcome);
    }),
    { numRuns: 25, endOnFailure: true },
  );
  for (const outcome of [Outcome.OK, Outcome.TAKEN, Outcome.IN_USE, Outcome.NO_SUCH_IDENTITY]) {
    assert.ok(outcomes.has(outcome), `outcome ${outcome} was never met`);
  }
});
