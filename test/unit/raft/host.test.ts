// The host by script: who answers what, when, and what happens to a proposal whose leader is lost.
// Paper: Ongaro and Ousterhout 2014 (extended version); thesis: Ongaro 2014.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isStoreError, type StoreError } from "../../../services/lib/base/errors.ts";
import { command, commands, createRig, LIMITS } from "./rig.ts";

const code = (wanted: StoreError["code"]) => (error: unknown) => isStoreError(error, wanted);

test("a proposal is answered after it is applied, and every replica applies it", async () => {
  const rig = await createRig(3);
  const { group, node } = rig.leader();
  const { index, reply } = await rig.settle(group.propose(command("a"), LIMITS));
  assert.equal(Buffer.from(reply).toString(), "did a");
  assert.equal(node.machine(1)?.list.find((one) => one.index === index)?.command, "a");
  await rig.until(() => [1, 2, 3].every((id) => commands(rig.node(id)).includes("a")));
});

test("a follower refuses proposals and names the leader", async () => {
  const rig = await createRig(3);
  const { node } = rig.leader();
  const follower = [1, 2, 3].find((id) => id !== node.id) ?? 0;
  await assert.rejects(rig.group(follower).propose(command("a"), LIMITS), (error) => {
    assert.ok(isStoreError(error, "not-leader"));
    assert.equal(error.leaderHint, String(node.id));
    return true;
  });
});

test("refuses empty and oversized proposals", async () => {
  const rig = await createRig(1);
  const { group } = rig.leader();
  await assert.rejects(group.propose(new Uint8Array(0), LIMITS), code("invalid"));
  await assert.rejects(group.propose(new Uint8Array(3_000_000), LIMITS), code("invalid"));
});

test("a lone voter leads at once and answers", async () => {
  const rig = await createRig(1);
  assert.ok(rig.clock.monotonicMs() < 100, `it took ${rig.clock.monotonicMs()} ms`);
  await rig.settle(rig.leader().group.propose(command("a"), LIMITS));
  await rig.settle(rig.leader().group.readBarrier(LIMITS));
});

test("proposals of one turn share one append and one sync", async () => {
  const rig = await createRig(1);
  const { group, node } = rig.leader();
  await rig.run(500);
  let syncs = 0;
  node.disk.fault = (operation) => {
    if (operation.kind === "datasync" && operation.path.startsWith("raft")) syncs += 1;
    return undefined;
  };
  const many = Array.from({ length: 200 }, (_, at) => group.propose(command(`c${at}`), LIMITS));
  const answers = await rig.settle(Promise.all(many));
  assert.equal(syncs, 1);
  const first = answers[0]?.index ?? 0;
  assert.deepEqual(
    answers.map((answer) => answer.index),
    many.map((_, at) => first + at),
  );
});

test("nothing is answered by a leader that cannot reach a majority (paper 5.3)", async () => {
  const rig = await createRig(3);
  const { group, node } = rig.leader();
  rig.world.network.partition([node.id], [1, 2, 3]);
  const proposed = group.propose(command("lost?"), LIMITS);
  const read = group.readBarrier({ deadlineMs: 800 });
  await assert.rejects(rig.settle(proposed), code("timeout"));
  await assert.rejects(rig.settle(read), code("timeout"));
  assert.equal(group.isLeader(), false, "CheckQuorum did not take leadership away");
});

test("a proposal that another leader overwrote is refused as not done (paper 5.4)", async () => {
  const rig = await createRig(3);
  const old = rig.leader();
  rig.world.network.partition([old.node.id], [1, 2, 3]);
  const proposed = old.group.propose(command("overwritten"), LIMITS);
  const refused = assert.rejects(proposed, code("not-leader"));
  const others = [1, 2, 3].filter((id) => id !== old.node.id);
  await rig.until(() => others.some((id) => rig.group(id).isLeader()));
  rig.world.network.heal();
  await rig.settle(rig.leader().group.propose(command("instead"), LIMITS));
  await rig.settle(refused);
  await rig.until(() => commands(old.node).includes("instead"));
  assert.equal(commands(old.node).includes("overwritten"), false);
});

test("a proposal whose leader is cut off is unknown within an election timeout", async () => {
  const rig = await createRig(3);
  const { group, node } = rig.leader();
  rig.world.network.partition([node.id], [1, 2, 3]);
  const begun = rig.clock.monotonicMs();
  const proposed = group.propose(command("a"), { deadlineMs: 60_000 });
  await assert.rejects(rig.settle(proposed), code("timeout"));
  assert.ok(rig.clock.monotonicMs() - begun < 2000);
});

test("reads on followers see what was acknowledged before (thesis 6.4)", async () => {
  const rig = await createRig(3);
  const { group, node } = rig.leader();
  const follower = [1, 2, 3].find((id) => id !== node.id) ?? 0;
  for (let round = 0; round < 5; round += 1) {
    await rig.settle(group.propose(command(`r${round}`), LIMITS));
    await rig.settle(rig.group(follower).readBarrier(LIMITS));
    assert.ok(commands(rig.node(follower)).includes(`r${round}`));
  }
});

test("an aborted wait ends with aborted", async () => {
  const rig = await createRig(3);
  const { group, node } = rig.leader();
  rig.world.network.partition([node.id], [1, 2, 3]);
  const controller = new AbortController();
  const limits = { deadlineMs: 5000, signal: controller.signal };
  const waits = [group.propose(command("a"), limits), group.readBarrier(limits)];
  await rig.run(20);
  controller.abort();
  for (const wait of waits) await assert.rejects(wait, code("aborted"));
  const late = { deadlineMs: 5000, signal: AbortSignal.abort() };
  await assert.rejects(group.propose(command("b"), late), code("aborted"));
});

test("a disconnected node does not disturb the leader when it returns (thesis 9.6)", async () => {
  const rig = await createRig(3);
  const { node, group } = rig.leader();
  const other = [1, 2, 3].find((id) => id !== node.id) ?? 0;
  const { term } = group.status();
  rig.world.network.partition([other], [1, 2, 3]);
  await rig.run(5000);
  rig.world.network.heal();
  await rig.run(3000);
  assert.equal(rig.leader().node, node);
  assert.equal(group.status().term, term);
});

test("leadership moves when asked (thesis 3.10)", async () => {
  const rig = await createRig(3);
  const { node, group } = rig.leader();
  const target = [1, 2, 3].find((id) => id !== node.id) ?? 0;
  await rig.settle(group.transferLeadership(target, LIMITS));
  await rig.until(() => rig.group(target).isLeader());
  await assert.rejects(group.transferLeadership(node.id, LIMITS), code("not-leader"));
  await assert.rejects(rig.group(target).transferLeadership(99, LIMITS), code("invalid"));
});

test("a new node joins by snapshot as learner, is promoted, an old one is removed", async () => {
  const rig = await createRig(3, { keepEntries: 5 });
  const { group, node } = rig.leader();
  for (let at = 0; at < 30; at += 1) await rig.settle(group.propose(command(`c${at}`), LIMITS));
  const fresh = await rig.add(7);
  await rig.settle(group.changeMembers([{ kind: "add-learner", nodeId: 7 }], LIMITS));
  await rig.until(() => commands(fresh).length === 30);
  await rig.settle(group.changeMembers([{ kind: "add-voter", nodeId: 7 }], LIMITS));
  const old = [1, 2, 3].find((id) => id !== node.id) ?? 0;
  await rig.settle(group.changeMembers([{ kind: "remove", nodeId: old }], LIMITS));
  const voters = [1, 2, 3, 7].filter((id) => id !== old);
  await rig.until(() => rig.group(7).status().members.voters.join() === voters.join());
  await rig.settle(group.propose(command("after"), LIMITS));
  assert.deepEqual(rig.errors, []);
});

test("membership changes are refused where they make no sense", async () => {
  const rig = await createRig(3);
  const { group, node } = rig.leader();
  const follower = [1, 2, 3].find((id) => id !== node.id) ?? 0;
  const remove = [{ kind: "remove", nodeId: follower }] as const;
  await assert.rejects(rig.group(follower).changeMembers(remove, LIMITS), code("not-leader"));
  const everyone = [1, 2, 3].map((nodeId) => ({ kind: "remove" as const, nodeId }));
  await assert.rejects(group.changeMembers(everyone, LIMITS), code("invalid"));
  const first = group.changeMembers([{ kind: "add-learner", nodeId: 8 }], LIMITS);
  const second = group.changeMembers([{ kind: "add-learner", nodeId: 9 }], LIMITS);
  await assert.rejects(second, code("conflict"));
  await rig.settle(first);
});

test("the log is cut below what is flushed and a lagging follower gets a snapshot", async () => {
  const rig = await createRig(3, { keepEntries: 10 });
  const { group, node } = rig.leader();
  const slow = [1, 2, 3].find((id) => id !== node.id) ?? 0;
  rig.node(slow).crash("kill");
  for (let at = 0; at < 60; at += 1) await rig.settle(group.propose(command(`c${at}`), LIMITS));
  await rig.run(2000);
  assert.ok(group.status().logStartIndex > 30, `cut at ${group.status().logStartIndex}`);
  void rig.node(slow).start();
  await rig.until(() => commands(rig.node(slow)).length === 60);
  assert.deepEqual(rig.errors, []);
});

test("a log is cut when asked, but for what a follower that is heard of has yet to take", async () => {
  const rig = await createRig(3);
  const { group, node } = rig.leader();
  const proposeMany = async (from: number, to: number): Promise<void> => {
    for (let at = from; at < to; at += 1) {
      await rig.settle(group.propose(command(`c${at}`), LIMITS));
    }
  };
  await proposeMany(0, 30);
  await rig.run(500);
  const first = await rig.settle(group.cutLog(undefined));
  const { lastIndex, logStartIndex } = group.status();
  assert.deepEqual(first, { ...first, flushedIndex: lastIndex, startIndex: lastIndex });
  assert.equal(logStartIndex, lastIndex);
  assert.ok(first.freedEntries >= 30 && first.freedBytes > 0, JSON.stringify(first));
  const nothing = await rig.settle(group.cutLog(undefined));
  assert.deepEqual([nothing.freedEntries, nothing.freedBytes], [0, 0]);

  const slow = [1, 2, 3].find((id) => id !== node.id) ?? 0;
  rig.world.network.partition([slow], [1, 2, 3]);
  await proposeMany(30, 32);
  const second = await rig.settle(group.cutLog(undefined));
  assert.ok(second.startIndex <= lastIndex + 1, "cut away what the follower lacks");
  rig.world.network.heal();
  await rig.until(() => commands(rig.node(slow)).length === 32);

  const follower = rig.group(slow);
  await assert.rejects(follower.cutLog(undefined), code("not-leader"));
  const third = await rig.settle(follower.cutLog(lastIndex));
  assert.equal(third.startIndex, lastIndex);
  assert.deepEqual(rig.errors, []);
});

test("a snapshot that breaks off is tried again and the follower recovers", async () => {
  const rig = await createRig(3, { keepEntries: 5, snapshotIdleMs: 400 });
  const { group, node } = rig.leader();
  const slow = [1, 2, 3].find((id) => id !== node.id) ?? 0;
  rig.world.network.partition([slow], [1, 2, 3]);
  for (let at = 0; at < 80; at += 1) await rig.settle(group.propose(command(`c${at}`), LIMITS));
  await rig.run(1000);
  for (let round = 0; round < 12; round += 1) {
    rig.world.network.heal();
    await rig.run(60 + round * 10);
    rig.world.network.partition([slow], [1, 2, 3]);
    await rig.run(30);
  }
  rig.world.network.heal();
  await rig.until(() => commands(rig.node(slow)).length === 80);
  await rig.settle(rig.group(slow).readBarrier(LIMITS));
  assert.deepEqual(rig.errors, []);
});

test("a full disk refuses proposals, and they are taken again when there is room", async () => {
  const rig = await createRig(1);
  const { group, node } = rig.leader();
  await rig.run(300);
  node.disk.fault = (operation) =>
    operation.kind === "write" && operation.path.startsWith("raft") ? "no-space" : undefined;
  const stuck = group.propose(command("waits"), LIMITS);
  await rig.run(200);
  await assert.rejects(group.propose(command("refused"), LIMITS), code("no-space"));
  node.disk.fault = undefined;
  await rig.settle(stuck);
  await rig.settle(group.propose(command("taken"), LIMITS));
  assert.deepEqual(commands(node), ["waits", "taken"]);
});

test("a leader whose disk is full hands leadership over", async () => {
  const rig = await createRig(3);
  const { group, node } = rig.leader();
  await rig.run(300);
  node.disk.fault = (operation) =>
    operation.kind === "write" && operation.path.startsWith("raft") ? "no-space" : undefined;
  const stuck = group.propose(command("a"), LIMITS);
  stuck.catch(() => undefined);
  const others = [1, 2, 3].filter((id) => id !== node.id);
  await rig.until(() => others.some((id) => rig.group(id).isLeader()));
  const taken = others.find((id) => rig.group(id).isLeader()) ?? 0;
  await rig.settle(rig.group(taken).propose(command("b"), LIMITS));
  node.disk.fault = undefined;
  await rig.until(() => commands(node).includes("b"));
  assert.deepEqual(rig.errors, []);
});

test("a failed sync stops the node; what was on its way is unknown", async () => {
  const rig = await createRig(3);
  const { group, node } = rig.leader();
  node.mayFail = true;
  node.disk.fault = (operation) => (operation.kind === "datasync" ? "io" : undefined);
  const proposed = group.propose(command("a"), LIMITS);
  await assert.rejects(rig.settle(proposed), code("timeout"));
  assert.equal(node.up, false);
  await assert.rejects(group.propose(command("b"), LIMITS), code("unavailable"));
  await assert.rejects(group.readBarrier(LIMITS), code("unavailable"));
  node.disk.fault = undefined;
  await rig.until(() => [1, 2, 3].some((id) => rig.node(id).group(1)?.isLeader() === true));
});

test("a full power cut forgets nothing that was acknowledged (paper 5.1)", async () => {
  const rig = await createRig(3);
  for (let at = 0; at < 10; at += 1) {
    await rig.settle(rig.leader().group.propose(command(`c${at}`), LIMITS));
  }
  for (const id of [1, 2, 3]) rig.node(id).crash("none");
  for (const id of [1, 2, 3]) void rig.node(id).start();
  await rig.until(() => [1, 2, 3].some((id) => rig.node(id).group(1)?.isLeader() === true));
  await rig.settle(rig.leader().group.readBarrier(LIMITS));
  assert.equal(commands(rig.leader().node).length, 10);
});
