// Whom grants and policies name, with a directory, without one, and while it cannot be asked.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ANONYMOUS_ID } from "../../../services/gateway/data/access/caller.ts";
import {
  People,
  type PeopleDirectory,
  type PeopleView,
} from "../../../services/gateway/data/access/people.ts";
import { utf8 } from "../../../services/lib/base/bytes.ts";
import { isStoreError, StoreError } from "../../../services/lib/base/errors.ts";
import { type BucketPolicy, parsePolicy } from "../../../services/lib/s3/settings/policy.ts";

const ALICE = {
  name: "alice_umich",
  displayName: "Alice",
  limits: { bytesMax: 7n, objectsMax: 0n, bucketsMax: 1, noBuckets: false },
};
const VIEW: PeopleView = {
  user: (name) => (name === ALICE.name ? ALICE : undefined),
  group: (name) => (name === "staff" ? { name } : undefined),
  role: (name) => (name === "reader" ? { name } : undefined),
  byEmail: (email) => (email === "alice@umich.example" ? ALICE : undefined),
};

const there: PeopleDirectory = { view: async () => VIEW };
const away: PeopleDirectory = {
  view: async () => {
    throw new StoreError("unavailable", "nobody answers");
  },
};

function people(directory: PeopleDirectory | undefined, takesUnknown = false): People {
  return new People({ directory, takesUnknown });
}

function policyOf(principal: unknown): BucketPolicy {
  const fields = { Effect: "Allow", Principal: principal, Action: "s3:GetObject" };
  const Statement = [{ ...fields, Resource: "arn:aws:s3:::bucket/*" }];
  return parsePolicy(utf8(JSON.stringify({ Version: "2012-10-17", Statement })), "bucket");
}

test("grants are resolved by id, ARN, address and group", async () => {
  const resolve = people(there).resolver({});
  assert.equal(await resolve({ kind: "id", value: "alice_umich" }), "alice_umich");
  const arn = "arn:aws:iam::123456789012:user/team/alice_umich";
  assert.equal(await resolve({ kind: "id", value: arn }), "alice_umich");
  assert.equal(await resolve({ kind: "id", value: "root" }), "root");
  assert.equal(await resolve({ kind: "id", value: "nobody" }), undefined);
  assert.equal(await resolve({ kind: "email", value: "Alice@UMich.example" }), "alice_umich");
  assert.equal(await resolve({ kind: "email", value: "bob@wayne.example" }), undefined);
  assert.equal(await resolve({ kind: "group", value: "staff" }), "staff");
  assert.equal(await resolve({ kind: "group", value: "alice_umich" }), undefined);
});

test("without a directory, or by the setting, ids are taken as they are", async () => {
  for (const lenient of [people(undefined), people(there, true)]) {
    assert.equal(await lenient.resolver({})({ kind: "id", value: "nobody" }), "nobody");
    const policy = policyOf({ AWS: "arn:aws:iam:::user/nobody" });
    assert.equal(await lenient.unknownPrincipal(policy, {}), undefined);
  }
  const address = { kind: "email", value: "alice@umich.example" } as const;
  assert.equal(await people(undefined).resolver({})(address), undefined);
});

test("the first principal that nobody is", async () => {
  const known = [
    "*",
    { AWS: "*" },
    { AWS: ["arn:aws:iam:::user/alice_umich", "arn:aws:iam:::role/reader"] },
    { AWS: "arn:aws:sts:::assumed-role/reader/monday" },
    { CanonicalUser: "alice_umich" },
    { Service: "logging.s3.amazonaws.com" },
  ];
  for (const principal of known) {
    const policy = policyOf(principal);
    assert.equal(await people(there).unknownPrincipal(policy, {}), undefined);
  }
  const policy = policyOf({ AWS: ["arn:aws:iam:::user/alice_umich", "arn:aws:iam:::user/bob"] });
  const unknown = await people(there).unknownPrincipal(policy, {});
  assert.equal(unknown?.value, "arn:aws:iam:::user/bob");
});

test("a directory that cannot be asked refuses grants, and leaves names as ids", async () => {
  const gone = people(away);
  const isAway = (error: unknown): boolean => isStoreError(error, "unavailable");
  await assert.rejects(gone.resolver({})({ kind: "id", value: "alice_umich" }), isAway);
  await assert.rejects(gone.unknownPrincipal(policyOf({ CanonicalUser: "a" }), {}), isAway);
  await assert.rejects(gone.limitsOf("alice_umich", {}), isAway);
  assert.equal(await gone.limitsOf("root", {}), undefined);
  await gone.refresh({});
  assert.equal(gone.nameOf("alice_umich"), "alice_umich");
});

test("names shown are those of the last look", async () => {
  const all = people(there);
  assert.equal(all.nameOf("alice_umich"), "alice_umich");
  await all.refresh({});
  assert.equal(all.nameOf("alice_umich"), "Alice");
  assert.equal(all.nameOf("bob_wayne"), "bob_wayne");
  assert.equal(all.nameOf(ANONYMOUS_ID), "anonymous");
  assert.equal((await all.limitsOf("alice_umich", {}))?.bytesMax, 7n);
});
