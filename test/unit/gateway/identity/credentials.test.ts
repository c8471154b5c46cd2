// Credentials where the directory or the cluster key is missing: the root user gets in, others get
// an error that says that it cannot be told, and nobody gets in by mistake.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { DirectoryCredentials } from "../../../../services/gateway/identity/credentials.ts";
import { DirectoryIdentities } from "../../../../services/gateway/identity/identities.ts";
import { Principals } from "../../../../services/gateway/identity/principal.ts";
import { FailureLimiter } from "../../../../services/gateway/identity/rate-limits.ts";
import { RgwTokenCheck } from "../../../../services/gateway/identity/rgw-token-check.ts";
import { StoreError } from "../../../../services/lib/base/errors.ts";
import type { DirectoryView } from "../../../../services/lib/clients/identity-directory.ts";
import { IdentityTables } from "../../../../services/lib/clients/identity-view.ts";
import { SecretBox } from "../../../../services/lib/clients/secret-box.ts";
import { IdentityRecordSchema } from "../../../../services/lib/gen/dolium/record/v1/identity_pb.ts";
import { createClock } from "../../../../services/lib/host/clock.ts";
import { createRandom } from "../../../../services/lib/host/random.ts";
import type { PasswordCheck } from "../../../../services/lib/ports/web.ts";
import { soleClusterKey } from "../../../../services/lib/seal/cluster-keys.ts";
import { identitySettings } from "../../../s3/identity-gateway.ts";
import { MemoryLog, MemoryMetrics } from "../memory-gateway.ts";

const ROOT = { accessKeyId: "ROOTKEY", secretAccessKey: "root's secret" };
const KEYS = soleClusterKey(new Uint8Array(32).fill(3));
const random = createRandom();
const clock = createClock();

const QUESTION = {
  securityToken: undefined,
  origin: { remoteAddress: "127.0.0.1", isSecure: false, certificate: undefined },
  nowMs: Date.now(),
  requestId: "1",
} as const;

/** A user `alice_umich` with the key `ALICEKEY` and the secret `hers`. */
function tables(): IdentityTables {
  const view = new IdentityTables();
  const box = new SecretBox(KEYS, random);
  const sealedSecret = box.sealSecret("alice_umich", "ALICEKEY", "hers");
  const user = { name: "alice_umich", keys: [{ accessKeyId: "ALICEKEY", sealedSecret }] };
  view.take(create(IdentityRecordSchema, { revision: 1n, kind: { case: "user", value: user } }));
  return view;
}

function credentialsOver(
  view: () => Promise<DirectoryView>,
  options: { readonly keys?: typeof KEYS; readonly passwords?: PasswordCheck } = {},
): DirectoryCredentials {
  const { keys = KEYS, passwords } = options;
  const secrets = new SecretBox(keys, random);
  const failures = new FailureLimiter(clock, new MemoryMetrics());
  const log = new MemoryLog();
  const organisation = "umich";
  const rgwTokens = new RgwTokenCheck({
    ...{ secrets, passwords, organisation, failures },
    ...{ clock, random, log },
  });
  const principals = new Principals();
  return new DirectoryCredentials(
    { root: ROOT, directory: { view }, secrets, keys, principals, rgwTokens },
    identitySettings({ tokens: true }),
  );
}

test("without the directory the root user gets in, others are told to come again", async () => {
  const credentials = credentialsOver(() =>
    Promise.reject(new StoreError("unavailable", "no directory")),
  );
  const root = await credentials.find(ROOT.accessKeyId, QUESTION);
  assert.equal(root?.principal?.administrator, true);
  for (const id of ["ALICEKEY", `DT${"0".repeat(16)}${"A".repeat(32)}`]) {
    await assert.rejects(credentials.find(id, QUESTION), { code: "unavailable" });
  }
});

test("another cluster key opens no secret, and says so", async () => {
  const view = tables();
  const right = await credentialsOver(async () => view).find("ALICEKEY", QUESTION);
  assert.equal(right?.secret, "hers");
  for (const current of [undefined, new Uint8Array(32).fill(4)]) {
    const credentials = credentialsOver(async () => view, { keys: soleClusterKey(current) });
    await assert.rejects(credentials.find("ALICEKEY", QUESTION), { code: "denied" });
  }
});

test("passwords of LDAP: asked once a minute, never for somebody else", async () => {
  const asked: string[] = [];
  const passwords: PasswordCheck = {
    check: async (name, password) => {
      asked.push(name);
      return password === "right";
    },
  };
  const view = tables();
  const credentials = credentialsOver(async () => view, { passwords });
  const found = async (id: string, key: string, type = "ldap"): Promise<string | undefined> => {
    const text = JSON.stringify({ RGW_TOKEN: { version: 1, type, id, key } });
    const accessKeyId = Buffer.from(text).toString("base64");
    return (await credentials.find(accessKeyId, QUESTION))?.userId;
  };
  assert.equal(await found("alice", "right"), "alice_umich");
  assert.equal(await found("alice", "right"), "alice_umich");
  assert.deepEqual(asked, ["alice"], "the second time it was known");
  assert.equal(await found("alice", "right", "ad"), "alice_umich");
  assert.equal(await found("alice", "wrong"), undefined);
  assert.equal(await found("bob", "right"), undefined, "no user of the directory");
  assert.deepEqual(asked, ["alice", "alice", "alice"]);
});

test("an LDAP server that is away is no wrong password", async () => {
  const passwords: PasswordCheck = {
    check: () => Promise.reject(new StoreError("unavailable", "away")),
  };
  const view = tables();
  const credentials = credentialsOver(async () => view, { passwords });
  const text = '{"RGW_TOKEN":{"version":1,"type":"ldap","id":"alice","key":"right"}}';
  const accessKeyId = Buffer.from(text).toString("base64");
  await assert.rejects(credentials.find(accessKeyId, QUESTION), { code: "ServiceUnavailable" });
});

test("signing in by key and secret: the right one, and nothing that needs no secret", async () => {
  const view = tables();
  const identities = new DirectoryIdentities(
    credentialsOver(async () => view),
    clock,
  );
  assert.equal((await identities.signIn("ALICEKEY", "hers"))?.userId, "alice_umich");
  const root = await identities.signIn(ROOT.accessKeyId, ROOT.secretAccessKey);
  assert.equal(root?.administrator, true);
  for (const [id, secret] of [
    ["ALICEKEY", "HERS"],
    ["ALICEKEY", ""],
    ["NOBODY", "hers"],
    ["NOBODY", ""],
    [ROOT.accessKeyId, "hers"],
    [`DT${"0".repeat(16)}${"A".repeat(32)}`, ""],
    ["ASIAAAAAAAAAAAAAAAAA", ""],
  ] as const) {
    assert.equal(await identities.signIn(id, secret), undefined, `${id} ${secret}`);
  }
  assert.equal((await identities.ofUser("alice_umich"))?.userId, "alice_umich");
  assert.equal(await identities.ofUser("nobody"), undefined);
  assert.equal((await identities.ofUser("root"))?.administrator, true);
});
