// Reads of a group's only voter ask the core once; with a second voter each one asks again, and a
// leader that cannot reach it answers none.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { isStoreError, type StoreError } from "../../../services/lib/base/errors.ts";
import { LoneReads } from "../../../services/lib/raft/lone-reads.ts";
import { ReadBarriers } from "../../../services/lib/raft/read-barriers.ts";
import { command, commands, createRig, LIMITS, type Rig } from "./rig.ts";

const code = (wanted: StoreError["code"]) => (error: unknown) => isStoreError(error, wanted);

/** How many of so many reads on the leader asked the core for a read index. */
async function askedBy(t: TestContext, rig: Rig, reads: number): Promise<number> {
  const add = t.mock.method(ReadBarriers.prototype, "add");
  for (let at = 0; at < reads; at += 1) {
    await rig.settle(rig.leader().group.readBarrier(LIMITS));
  }
  const count = add.mock.callCount();
  add.mock.restore();
  return count;
}

test("the only voter asks for a read index once, also after a restart", async (t) => {
  const rig = await createRig(1);
  await rig.settle(rig.leader().group.propose(command("a"), LIMITS));
  assert.equal(await askedBy(t, rig, 20), 1);
  assert.equal(await askedBy(t, rig, 20), 0);
  rig.node(1).crash("none");
  void rig.node(1).start();
  await rig.until(() => rig.node(1).group(1)?.isLeader() === true);
  assert.equal(await askedBy(t, rig, 20), 1);
  assert.deepEqual(commands(rig.node(1)), ["a"]);
});

test("one of several voters asks each time", async (t) => {
  const rig = await createRig(3);
  assert.equal(await askedBy(t, rig, 5), 5);
});

test("with a second voter the leader asks again, and is silent when it is cut off", async (t) => {
  const rig = await createRig(1);
  assert.equal(await askedBy(t, rig, 3), 1);
  const { group } = rig.leader();
  await rig.add(2);
  await rig.settle(group.changeMembers([{ kind: "add-learner", nodeId: 2 }], LIMITS));
  assert.equal(await askedBy(t, rig, 3), 1, "a learner does not vote");
  await rig.settle(group.changeMembers([{ kind: "add-voter", nodeId: 2 }], LIMITS));
  assert.equal(await askedBy(t, rig, 3), 3);
  rig.world.network.partition([1], [1, 2]);
  await assert.rejects(rig.settle(group.readBarrier({ deadlineMs: 800 })), code("timeout"));
  rig.world.network.heal();
  await rig.until(() => [1, 2].some((id) => rig.group(id).isLeader()));
  const leading = rig.leader().group;
  const other = leading === group ? 2 : 1;
  await rig.settle(leading.changeMembers([{ kind: "remove", nodeId: other }], LIMITS));
  assert.equal(await askedBy(t, rig, 3), 1);
  assert.deepEqual(rig.errors, []);
});

test("who gave up before is told so, and a failed replica answers nobody", async () => {
  const rig = await createRig(1);
  const { group, node } = rig.leader();
  await rig.settle(group.readBarrier(LIMITS));
  const late = { deadlineMs: 5000, signal: AbortSignal.abort() };
  await assert.rejects(group.readBarrier(late), code("aborted"));
  node.mayFail = true;
  node.disk.fault = (operation) => (operation.kind === "datasync" ? "io" : undefined);
  await assert.rejects(rig.settle(group.propose(command("a"), LIMITS)), code("timeout"));
  await assert.rejects(group.readBarrier(LIMITS), code("unavailable"));
});

test("a read that began under another leadership proves nothing about this one", () => {
  const lone = new LoneReads();
  const { era } = lone;
  lone.changed();
  lone.reached(era, () => true);
  assert.equal(lone.mayRead, false);
  lone.reached(lone.era, () => false);
  lone.reached(lone.era, () => true);
  assert.equal(lone.mayRead, false, "asked once");
  lone.changed();
  lone.reached(lone.era, () => true);
  assert.equal(lone.mayRead, true);
});
