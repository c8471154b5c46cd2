// Secrets of access keys under the cluster key, and what a change of that key takes: former keys
// open, everything is sealed anew, as often as one likes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { IdentityEditor } from "../../../services/lib/clients/identity-editor.ts";
import { KmsDirectory } from "../../../services/lib/clients/kms-directory.ts";
import { rewrapAll } from "../../../services/lib/clients/rewrap-all.ts";
import { SecretBox } from "../../../services/lib/clients/secret-box.ts";
import { IdentityKind } from "../../../services/lib/gen/dolium/record/v1/identity_pb.ts";
import { createRandom } from "../../../services/lib/host/random.ts";
import {
  type ClusterKeys,
  NO_CLUSTER_KEYS,
  soleClusterKey,
} from "../../../services/lib/seal/cluster-keys.ts";
import { SimClock } from "../../sim/clock.ts";
import { MachineMetadata, refusedAs } from "./machine-metadata.ts";

const random = createRandom();
const OLD = Buffer.alloc(32, 1);
const NEW = Buffer.alloc(32, 2);
const changed: ClusterKeys = { current: NEW, former: [Buffer.alloc(32, 9), OLD] };
const SECRET = "wJalrXUtnFEMI-K7MDENG_bPxRfiCYEXAMPLEKEY";

const boxOf = (keys: ClusterKeys): SecretBox => new SecretBox(keys, random);

test("a secret opens for its user and id alone", () => {
  const box = boxOf(soleClusterKey(OLD));
  const sealed = box.sealSecret("ann_org", "KEY1", SECRET);
  assert.equal(box.openSecret("ann_org", "KEY1", sealed), SECRET);
  assert.ok(!Buffer.from(sealed).includes(SECRET));
  assert.notDeepEqual(box.sealSecret("ann_org", "KEY1", SECRET), sealed);
  const sealing = (user: string, id: string, bytes: Uint8Array) => () =>
    box.openSecret(user, id, bytes);
  assert.throws(sealing("bob_org", "KEY1", sealed), refusedAs("denied"));
  assert.throws(sealing("ann_org", "KEY2", sealed), refusedAs("denied"));
  assert.throws(sealing("ann_or", "gKEY1", sealed), refusedAs("denied"));
  const spoilt = Uint8Array.from(sealed);
  spoilt[40] = (spoilt[40] ?? 0) ^ 1;
  assert.throws(sealing("ann_org", "KEY1", spoilt), refusedAs("denied"));
  assert.throws(sealing("ann_org", "KEY1", sealed.subarray(0, 40)), refusedAs("corrupt"));
  for (const secret of ["", "ä", "x".repeat(128)]) {
    assert.equal(box.openSecret("a1", "K", box.sealSecret("a1", "K", secret)), secret);
  }
});

test("without a cluster key nothing is sealed or opened, and it says why", () => {
  const box = boxOf(NO_CLUSTER_KEYS);
  assert.equal(box.isConfigured, false);
  const sealed = boxOf(soleClusterKey(OLD)).sealSecret("ann_org", "KEY1", SECRET);
  const refused = refusedAs("denied", "encryption.clusterKey");
  assert.throws(() => box.sealSecret("ann_org", "KEY1", SECRET), refused);
  assert.throws(() => box.openSecret("ann_org", "KEY1", sealed), refused);
});

test("former keys open, the current one seals", () => {
  const sealed = boxOf(soleClusterKey(OLD)).sealSecret("ann_org", "KEY1", SECRET);
  const box = boxOf(changed);
  assert.equal(box.openSecret("ann_org", "KEY1", sealed), SECRET);
  assert.throws(
    () => boxOf(soleClusterKey(NEW)).openSecret("ann_org", "KEY1", sealed),
    refusedAs("denied", "another cluster key"),
  );
  const anew = box.sealSecret("ann_org", "KEY1", SECRET);
  assert.equal(boxOf(soleClusterKey(NEW)).openSecret("ann_org", "KEY1", anew), SECRET);
});

test("after a change of the cluster key everything is sealed anew, once", async (t) => {
  const service = new MachineMetadata(t);
  const metadata = service.client;
  const clock = new SimClock();
  const kmsOf = (keys: ClusterKeys) => new KmsDirectory({ metadata, clock, random }, keys);
  const old = kmsOf(soleClusterKey(OLD));
  await old.create("payroll");
  await old.rotate("payroll");
  const versions = [await old.version("payroll", 1), await old.version("payroll", 2)];
  const editor = new IdentityEditor({ metadata });
  const box = boxOf(soleClusterKey(OLD));
  const users = Array.from({ length: 230 }, (_, at) => `user${at}`);
  // Made beside each other; every second one has two keys.
  for (const [at, name] of users.entries()) {
    const ids = at % 2 === 0 ? [`KEY-${at}`] : [`KEY-${at}`, `KEX-${at}`];
    const keys = ids.map((accessKeyId) => ({
      accessKeyId,
      sealedSecret: box.sealSecret(name, accessKeyId, `secret of ${accessKeyId}`),
    }));
    await editor.createUser({ name, keys });
  }
  // Both keys are known while it goes on: what was named before opens as ever.
  const during = await kmsOf(changed).version("payroll", 1);
  assert.deepEqual([...during.key], [...(versions[0]?.key ?? [])]);
  const deps = { metadata, random, clusterKeys: changed };
  assert.deepEqual(await rewrapAll(deps), { namedKeys: 2, secrets: 345, unopened: [] });
  assert.deepEqual(await rewrapAll(deps), { namedKeys: 0, secrets: 0, unopened: [] });
  const kms = kmsOf(soleClusterKey(NEW));
  for (const { version, key } of versions) {
    assert.deepEqual([...(await kms.version("payroll", version)).key], [...key]);
  }
  const machine = await service.machine(1);
  const value = { kind: IdentityKind.USER, name: "user229" };
  const { record } = await machine.query({ case: "getIdentity", value });
  assert.ok(record?.kind.case === "user");
  const now = boxOf(soleClusterKey(NEW));
  for (const { accessKeyId, sealedSecret } of record.kind.value.keys) {
    const secret = now.openSecret("user229", accessKeyId, sealedSecret);
    assert.equal(secret, `secret of ${accessKeyId}`);
  }
});

test("what was interrupted goes on, and what no key opens is named", async (t) => {
  const service = new MachineMetadata(t);
  const metadata = service.client;
  const clock = new SimClock();
  await new KmsDirectory({ metadata, clock, random }, soleClusterKey(OLD)).create("payroll");
  const lost = Buffer.alloc(32, 7);
  await new KmsDirectory({ metadata, clock, random }, soleClusterKey(lost)).create("lost");
  const editor = new IdentityEditor({ metadata });
  const keyOf = (key: Uint8Array, accessKeyId: string) => ({
    accessKeyId,
    sealedSecret: boxOf(soleClusterKey(key)).sealSecret("ann_org", accessKeyId, SECRET),
  });
  await editor.createUser({ name: "ann_org", keys: [keyOf(OLD, "KEY1"), keyOf(lost, "KEY2")] });
  const deps = { metadata, random, clusterKeys: changed };
  let rewraps = 0;
  service.before = async (what) => {
    if (what !== "rewrapKeys") return;
    rewraps += 1;
    if (rewraps === 2) service.down();
    if (rewraps === 2) await service.before(what);
  };
  await assert.rejects(rewrapAll(deps), refusedAs("unavailable"));
  service.up();
  const unopened = ["version 1 of the key lost", "the secret of the access key KEY2 of ann_org"];
  assert.deepEqual(await rewrapAll(deps), { namedKeys: 0, secrets: 1, unopened });
  assert.deepEqual(await rewrapAll(deps), { namedKeys: 0, secrets: 0, unopened });
  await assert.rejects(
    rewrapAll({ ...deps, clusterKeys: { current: undefined, former: [OLD] } }),
    refusedAs("denied", "no cluster key"),
  );
});
