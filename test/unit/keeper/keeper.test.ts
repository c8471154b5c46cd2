// The keeper as a whole: its tasks run by themselves, two keepers share them, and one that is told
// to stop lets go of everything.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { KeeperDeps } from "../../../services/keeper/deps.ts";
import { Keeper } from "../../../services/keeper/keeper.ts";
import { withLease } from "../../../services/keeper/leases.ts";
import { utf8 } from "../../../services/lib/base/bytes.ts";
import { StoreError } from "../../../services/lib/base/errors.ts";
import { Versioning } from "../../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import { eventually } from "../../support/eventually.ts";
import { seededBytes } from "../../support/seeded-bytes.ts";
import { NEVER, Rig } from "./rig.ts";

function start(context: TestContext, rig: Rig, changes: Partial<KeeperDeps> = {}): Keeper {
  const config = { ...rig.deps.config, intervalMs: 20, reconcileIntervalMs: 50 };
  const lifecycle = { ...rig.deps.lifecycle, intervalMs: 100, daySeconds: 1 };
  const keeper = new Keeper(rig.with({ config, lifecycle, ...changes }));
  keeper.start();
  context.after(() => keeper.close());
  return keeper;
}

const RULES =
  "<LifecycleConfiguration><Rule><ID>a</ID><Filter><Prefix>tmp/</Prefix></Filter>" +
  "<Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>";

test("expired objects go, and their shards after them", async (t) => {
  const rig = await Rig.open(t, 3);
  const bucket = await rig.bucket("one", { lifecycle: RULES });
  await rig.putBody(bucket, "tmp/a", seededBytes("a", 100_000));
  await rig.putBody(bucket, "kept", seededBytes("b", 100_000));
  start(t, rig);
  await eventually("the shards are gone", 60_000, async () =>
    (await rig.shardCount()) === 3 ? true : undefined,
  );
  assert.deepEqual(await rig.keys(bucket), ["kept"]);
});

test("groups are told what a bucket's record says", async (t) => {
  const rig = await Rig.open(t);
  const { name, bucketId, ...bucket } = await rig.bucket("one");
  start(t, rig);
  const value = { name, bucketId, versioning: Versioning.ENABLED };
  await rig.execute(1, { case: "changeBucket", value });
  await eventually("versions have ids", 60_000, async () => {
    const reply = await rig.put({ name, bucketId, ...bucket }, "a");
    const put = reply.kind.case === "putObject" ? reply.kind.value : undefined;
    return put?.versionId.byteLength === 16 ? true : undefined;
  });
});

test("a task that fails is counted and tried again; the others go on", async (t) => {
  const rig = await Rig.open(t);
  await rig.bucket("one");
  rig.fault = (call) => {
    if (call === "listGarbage") throw new StoreError("denied", "broken");
  };
  start(t, rig);
  const failures = (): number =>
    rig.metrics.values.get('keeper_task_failures_total{task="garbage"}') ?? 0;
  await eventually("it failed twice", 60_000, async () => (failures() > 1 ? true : undefined));
  assert.equal(rig.metrics.values.get('keeper_task_failures_total{task="uploads"}'), undefined);
});

test("a keeper that stops gives its leases back, and another one goes on at once", async (t) => {
  const rig = await Rig.open(t);
  const bucket = await rig.bucket("one", { lifecycle: RULES });
  const first = start(t, rig);
  await eventually("it has begun", 60_000, async () =>
    rig.calls.includes("listOutbox") ? true : undefined,
  );
  await first.close();
  const lease = { metadata: rig.metadata, clock: rig.clock, log: rig.log };
  for (const task of ["garbage", "repair", "uploads", "orphans", "reconcile", "outbox"]) {
    const holder = { ...lease, holder: "test", leaseMs: 1000 };
    const done = await withLease(holder, `keeper/${task}`, async () => undefined, NEVER);
    assert.equal(done, true, task);
  }
  await rig.put(bucket, "tmp/a");
  start(t, rig);
  await eventually("it expires", 60_000, async () =>
    (await rig.keys(bucket)).length === 0 ? true : undefined,
  );
});

test("two keepers never do one task at once", async (t) => {
  const rig = await Rig.open(t);
  const { metadata } = rig;
  // One task alone asks so.
  let inside = 0;
  let most = 0;
  const watched = {
    execute: metadata.execute.bind(metadata),
    query: async (...question: Parameters<typeof metadata.query>) => {
      if (question[1].case !== "listGarbage") return metadata.query(...question);
      inside += 1;
      most = Math.max(most, inside);
      const answer = await metadata.query(...question);
      inside -= 1;
      return answer;
    },
  } as KeeperDeps["metadata"];
  start(t, rig, { metadata: watched });
  start(t, rig, { metadata: watched });
  const rounds = (): number => rig.calls.filter((call) => call === "listGarbage").length;
  await eventually("many rounds", 60_000, async () => (rounds() > 20 ? true : undefined));
  assert.equal(most, 1);
});

test("what status shows is JSON", async (t) => {
  const rig = await Rig.open(t);
  const keeper = new Keeper(rig.deps);
  assert.deepEqual(JSON.parse(keeper.details()), {
    searchedDisks: {},
    waitingRepairs: 0,
    repairPassDone: 0,
    verified: {},
  });
  assert.ok(utf8(keeper.details()).byteLength < 1000);
});
