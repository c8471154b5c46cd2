// The background check of stored states: the first pass comes soon after the start, since large
// stores open unread; what it finds fails the group's replica, and passes go on.
import assert from "node:assert/strict";
import { test } from "node:test";
import { StoreError } from "../../../services/lib/base/errors.ts";
import type { KvFactory } from "../../../services/lib/ports/kv.ts";
import { Audit, type AuditDeps } from "../../../services/metadata/audit.ts";
import { SimClock } from "../../sim/clock.ts";
import { recordingLog } from "../../sim/observers.ts";

const DAY_MS = 24 * 3600_000;

interface Scene {
  readonly clock: SimClock;
  readonly audit: Audit;
  readonly failed: string[];
  readonly verified: string[];
  isOpen: boolean;
  rotten: boolean;
}

function createScene(): Scene {
  const clock = new SimClock();
  const failed: string[] = [];
  const verified: string[] = [];
  const kvFactory: Pick<KvFactory, "verify"> = {
    verify: async (path) => {
      verified.push(`${path} at ${clock.monotonicMs()}`);
      if (scene.rotten) throw new StoreError("corrupt", "rot");
    },
  };
  const state = { storePath: "store", audit: async () => undefined };
  const deps: AuditDeps = {
    clock,
    log: recordingLog(),
    kvFactory,
    bytesPerSecond: 1024,
    auditMs: DAY_MS,
    groups: () => (scene.isOpen ? [{ groupId: 2, state }] : []),
    groupFailed: (groupId, error) => failed.push(`${groupId}: ${error.code}`),
  };
  const scene: Scene = {
    clock,
    audit: new Audit(deps),
    failed,
    verified,
    isOpen: false,
    rotten: false,
  };
  return scene;
}

test("the first pass comes soon after the replica is open, the next a day later", async () => {
  const scene = createScene();
  const { clock, audit, verified, failed } = scene;
  audit.start();
  await clock.run(60_000);
  assert.deepEqual(verified, [], "nothing is open yet");
  scene.isOpen = true;
  await clock.run(75_000);
  assert.equal(verified.length, 1);
  await clock.run(75_000 + DAY_MS - 30_000);
  assert.equal(verified.length, 1);
  scene.rotten = true;
  await clock.run(75_000 + DAY_MS);
  assert.equal(verified.length, 2);
  assert.deepEqual(failed, ["2: corrupt"]);
  await audit.close();
});

test("rot in a store that opened unread fails its group within the first pass", async () => {
  const scene = createScene();
  scene.isOpen = true;
  scene.rotten = true;
  scene.audit.start();
  await scene.clock.run(11_000);
  assert.deepEqual(scene.failed, ["2: corrupt"]);
  await scene.audit.close();
});
