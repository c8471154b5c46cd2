// The pure decisions of a replica: states of storage nodes by silence, digests by majority,
// recovery, conditions of configuration, ids and the identity file.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { StoreError } from "../../../services/lib/base/errors.ts";
import { NodeState } from "../../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import { createDisk } from "../../../services/lib/host/node-disk.ts";
import { createRandom } from "../../../services/lib/host/random.ts";
import { nextState } from "../../../services/metadata/cluster-service.ts";
import { checkConfig, type MetadataConfig } from "../../../services/metadata/config.ts";
import { judgeDigest } from "../../../services/metadata/digest-watch.ts";
import { freshIdentity, IdentityFile } from "../../../services/metadata/identity.ts";
import { recoveryOf } from "../../../services/metadata/recovery.ts";
import { isIdOf, nameHash, newReplicaId } from "../../../services/metadata/replica-id.ts";
import { temporaryFolder } from "./harness.ts";

const times = { suspectAfterMs: 3000, downAfterMs: 5000, outAfterMs: 60_000 };
const { UP, SUSPECT, DOWN, OUT, DRAINING } = NodeState;

test("silence makes a node suspect, down, out; a heartbeat brings it up", () => {
  const after = (state: NodeState, silentMs: number, isHeard = true) =>
    nextState(state, { silentMs, isHeard }, times);
  assert.equal(after(UP, 2999), UP);
  assert.equal(after(UP, 3001), SUSPECT);
  assert.equal(after(SUSPECT, 5001), DOWN);
  assert.equal(after(UP, 5001), DOWN);
  assert.equal(after(DOWN, 60_001), OUT);
  assert.equal(after(DOWN, 4000), DOWN);
  for (const state of [SUSPECT, DOWN, OUT]) assert.equal(after(state, 10), UP);
  assert.equal(after(OUT, 4000), OUT);
  for (const silentMs of [0, 4000, 6000, 70_000]) assert.equal(after(DRAINING, silentMs), DRAINING);
});

test("a node that says that it leaves is suspect at once, and up when it says so no more", () => {
  const leaving = { silentMs: 10, isHeard: true, isLeaving: true };
  assert.equal(nextState(UP, leaving, times), SUSPECT);
  assert.equal(nextState(SUSPECT, leaving, times), SUSPECT);
  assert.equal(nextState(SUSPECT, { ...leaving, silentMs: 5001 }, times), DOWN);
  assert.equal(nextState(SUSPECT, { ...leaving, isLeaving: false }, times), UP);
  for (const state of [DOWN, DRAINING]) assert.equal(nextState(state, leaving, times), state);
});

test("a new leader that heard nobody leaves states as they are during its grace", () => {
  const unheard = { silentMs: 100, isHeard: false };
  for (const state of [UP, SUSPECT, DOWN, OUT, DRAINING]) {
    assert.equal(nextState(state, unheard, times), state);
  }
  assert.equal(nextState(UP, { silentMs: 5001, isHeard: false }, times), DOWN);
});

test("a digest is wrong only when a majority of all replicas agrees on another", () => {
  const [x, y, z] = [Uint8Array.of(1), Uint8Array.of(2), Uint8Array.of(3)];
  assert.ok(x !== undefined && y !== undefined && z !== undefined);
  assert.equal(judgeDigest(x, [x], 3), "agrees");
  assert.equal(judgeDigest(x, [x, y], 3), "agrees");
  assert.equal(judgeDigest(x, [y, y], 3), "differs");
  assert.equal(judgeDigest(x, [y], 3), "unknown");
  assert.equal(judgeDigest(x, [y, z], 3), "unknown");
  assert.equal(judgeDigest(x, [], 3), "unknown");
  assert.equal(judgeDigest(x, [y], 2), "unknown");
  assert.equal(judgeDigest(x, [y, y, x], 5), "unknown");
  assert.equal(judgeDigest(x, [y, y, y], 5), "differs");
  assert.equal(judgeDigest(x, [], 1), "agrees");
});

test("data is given up only when the others can do without it", () => {
  const corrupt = new StoreError("corrupt", "rot");
  const ofState = { groupId: 2, error: corrupt, isOfState: true };
  const ofLog = { groupId: undefined, error: corrupt, isOfState: false };
  const alone = { replicaCount: 1, canReplay: false, othersServe: false };
  const three = { replicaCount: 3, canReplay: false, othersServe: true };
  assert.equal(recoveryOf(ofState, { ...alone, canReplay: true }).kind, "replay");
  assert.equal(recoveryOf(ofState, alone).kind, "keep");
  assert.equal(recoveryOf(ofLog, alone).kind, "keep");
  assert.equal(recoveryOf(ofState, three).kind, "rejoin");
  assert.equal(recoveryOf(ofLog, { ...three, canReplay: true }).kind, "rejoin");
  assert.equal(recoveryOf(ofLog, { ...three, othersServe: false }).kind, "wait");
  const io = { groupId: 2, error: new StoreError("io", "disk"), isOfState: true };
  assert.equal(recoveryOf(io, { ...three, canReplay: true }).kind, "reopen");
  assert.equal(recoveryOf({ ...io, groupId: undefined }, three).kind, "wait");
});

test("ids tell the name, never repeat, and fit 48 bits", () => {
  const random = createRandom();
  const ids = new Set<number>();
  for (let at = 0; at < 1000; at += 1) {
    const id = newReplicaId("metadata-0", random);
    assert.ok(id > 0 && id < 2 ** 48 && Number.isSafeInteger(id));
    assert.ok(isIdOf(id, "metadata-0") && !isIdOf(id, "metadata-1"));
    ids.add(id);
  }
  assert.ok(ids.size > 995);
  assert.equal(nameHash("metadata-0"), nameHash("metadata-0"));
});

function config(change: Partial<MetadataConfig>): MetadataConfig {
  return {
    name: "a",
    address: "a:1",
    dataDir: "/nowhere",
    peers: [
      { name: "a", address: "a:1" },
      { name: "b", address: "b:1" },
    ],
    clusterId: "",
    indexGroupCount: 1,
    cluster: {
      policies: [
        { name: "p", dataShards: 2, parityShards: 1, failureDomain: "node", cellBytes: 1024 },
      ],
      defaultPolicy: "p",
      placementGroupCount: 1,
    },
    ...change,
  };
}

test("a configuration that cannot work is refused with the reason", () => {
  assert.equal(checkConfig(config({ times: { outAfterMs: 5 } })).outAfterMs, 5);
  const twice = [
    { name: "a", address: "a:1" },
    { name: "a", address: "a:2" },
  ];
  const bad: [Partial<MetadataConfig>, RegExp][] = [
    [{ name: "c" }, /c is not in the list/],
    [{ peers: twice }, /a is listed twice/],
    [{ indexGroupCount: 0 }, /an index group/],
    [{ cluster: { policies: [], defaultPolicy: "p", placementGroupCount: 1 } }, /p is not defined/],
  ];
  for (const [change, reason] of bad) {
    assert.throws(() => checkConfig(config(change)), { code: "invalid", message: reason });
  }
});

test("an identity is durable before it is used, and never guessed when unreadable", async (t) => {
  const folder = await temporaryFolder(t);
  const disk = createDisk("/");
  const first = await IdentityFile.open(disk, folder, () => freshIdentity(77));
  await first.update({ clusterId: "c", groupIds: [1, 2] });
  const again = await IdentityFile.open(disk, folder, () => assert.fail("not needed"));
  assert.deepEqual(again.value, first.value);
  assert.deepEqual([again.value.replicaId, again.value.clusterId], [77, "c"]);
  const path = `${folder}/identity`;
  const text = await readFile(path, "utf8");
  for (const bad of [text.replace("77", "78"), text.slice(0, -1), "", `${text}x`]) {
    await writeFile(path, bad);
    const opening = IdentityFile.open(disk, folder, () => freshIdentity(1));
    await assert.rejects(opening, { code: "corrupt" });
  }
});
