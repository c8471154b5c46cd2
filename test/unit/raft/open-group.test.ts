// Log and state of a replica after crashes at every point of its creation and of a snapshot's
// arrival; and what must never be opened again.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isStoreError } from "../../../services/lib/base/errors.ts";
import { encodeConfState, initialMembers } from "../../../services/lib/raft/conf-state.ts";
import { createRaftCore } from "../../../services/lib/raft/core.ts";
import { groupOptions, prepareGroup } from "../../../services/lib/raft/open-group.ts";
import type { LogStore } from "../../../services/metadata/log-store.ts";
import { type CrashMode, SimDisk } from "../../sim/disk.ts";
import { type Applied, ListMachine } from "../../sim/raft/machine.ts";
import { createSimRandom } from "../../sim/random.ts";
import { entries, openLog } from "../metadata/log-rig.ts";

const MODES: readonly CrashMode[] = ["all", "none", "random", "torn"];
const TIMING = { nodeId: 1, electionTicks: 10, heartbeatTicks: 2 };
const corrupt = (error: unknown): boolean => isStoreError(error, "corrupt");
const confState = encodeConfState(initialMembers([1, 2, 3]));

interface Replica {
  readonly log: LogStore;
  readonly machine: ListMachine;
}

async function openBoth(disk: SimDisk): Promise<Replica> {
  const log = await openLog(disk);
  const watch = (): void => undefined;
  return { log, machine: await ListMachine.open({ disk, path: "state", watch, flushLies: false }) };
}

async function openReplica(disk: SimDisk, bootstrap?: readonly number[]): Promise<Replica> {
  const replica = await openBoth(disk);
  await prepareGroup({ groupId: 1, ...replica, ...(bootstrap ? { bootstrap } : {}) });
  createRaftCore({ seed: 1n }).openGroup(groupOptions({ groupId: 1, ...replica }, TIMING));
  return replica;
}

async function* stateOf(list: readonly Applied[]): AsyncIterable<Uint8Array> {
  yield Buffer.from(JSON.stringify(list));
}

/** The steps of Group for an arriving snapshot at index 9 of term 3. */
async function takeSnapshot({ log, machine }: Replica): Promise<void> {
  const point = { index: 9, term: 3 };
  await log.append([{ groupId: 1, restoring: point }]);
  const list = [{ index: 9, term: 3, command: "from the snapshot" }];
  await machine.restore({ ...point, confState }, stateOf(list));
  const hardState = { term: 4, vote: 2, commit: 9 };
  await log.append([{ groupId: 1, start: point, entries: entries(10, 11, 4), hardState }]);
}

async function everyCrash(
  prepare: (disk: SimDisk) => Promise<void>,
  work: (disk: SimDisk) => Promise<void>,
  check: (disk: SimDisk, where: string) => Promise<void>,
): Promise<void> {
  const counted = new SimDisk();
  await prepare(counted);
  const before = counted.changeCount;
  await work(counted);
  assert.ok(counted.changeCount > before + 3);
  for (let change = before + 1; change <= counted.changeCount; change += 1) {
    for (const mode of MODES) {
      const disk = new SimDisk({ random: createSimRandom(change) });
      await prepare(disk);
      disk.crashAfter(change, mode);
      await work(disk).catch((error: unknown) => assert.ok(isStoreError(error, "io")));
      // The log's last seal is written behind the caller's back: the crash may still be to come.
      disk.kill();
      await check(disk, `change ${change}, mode ${mode}`);
    }
  }
}

test("a group's beginning survives a crash at any point", async () => {
  await everyCrash(
    () => Promise.resolve(),
    async (disk) => {
      await openReplica(disk, [1, 2, 3]);
    },
    async (disk, where) => {
      const { log, machine } = await openReplica(disk, [1, 2, 3]);
      assert.equal(machine.appliedIndex, 1, where);
      assert.deepEqual(machine.confState(), Buffer.from(confState), where);
      assert.equal(log.state(1)?.snapshotIndex, 1, where);
      assert.deepEqual(log.state(1)?.hardState, { term: 1, vote: 0, commit: 1 }, where);
    },
  );
});

test("a replica that waits to be added opens empty", async () => {
  const disk = new SimDisk();
  await openReplica(disk);
  const { log, machine } = await openReplica(disk);
  assert.equal(machine.appliedIndex, 0);
  assert.equal(log.state(1)?.lastIndex, 0);
});

test("a snapshot's arrival survives a crash at any point, as a whole or not at all", async () => {
  const outcomes = new Set<number>();
  await everyCrash(
    async (disk) => {
      const { log } = await openReplica(disk, [1, 2, 3]);
      await log.append([{ groupId: 1, entries: entries(2, 5, 2) }]);
      const hardState = { term: 2, vote: 3, commit: 1 };
      await log.append([{ groupId: 1, hardState }]);
    },
    async (disk) => takeSnapshot(await openBoth(disk)),
    async (disk, where) => {
      const { log, machine } = await openReplica(disk);
      const state = log.state(1);
      outcomes.add(machine.appliedIndex);
      assert.equal(state?.restoring, undefined, where);
      if (machine.appliedIndex === 9) {
        assert.equal(state?.snapshotIndex, 9, where);
        assert.equal(machine.list[0]?.command, "from the snapshot", where);
      } else {
        assert.equal(machine.appliedIndex, 1, where);
        assert.equal(state?.lastIndex, 5, where);
        assert.deepEqual(state?.hardState, { term: 2, vote: 3, commit: 1 }, where);
      }
    },
  );
  assert.deepEqual([...outcomes].sort(), [1, 9]);
});

test("a replica that lost part of what it held is corrupt", async () => {
  async function prepared(): Promise<Replica & { readonly disk: SimDisk }> {
    const disk = new SimDisk();
    const replica = await openReplica(disk, [1, 2, 3]);
    await replica.log.append([{ groupId: 1, entries: entries(2, 8, 2) }]);
    const committed = entries(2, 6, 2);
    await replica.machine.apply(committed);
    await replica.machine.flush();
    return { ...replica, disk };
  }
  const noLog = await prepared();
  await noLog.log.remove(1);
  await assert.rejects(openReplica(noLog.disk), corrupt);
  const shortLog = await prepared();
  await shortLog.log.append([
    { groupId: 1, start: { index: 1, term: 1 }, entries: entries(2, 4, 2) },
  ]);
  await assert.rejects(openReplica(shortLog.disk), corrupt);
  const otherTerm = await prepared();
  await otherTerm.log.append([{ groupId: 1, entries: entries(5, 8, 3) }]);
  await assert.rejects(openReplica(otherTerm.disk), corrupt);
  const noState = await prepared();
  await noState.log.compact(1, 6);
  await noState.disk.remove("state");
  await assert.rejects(openReplica(noState.disk), corrupt);
  const uncommitted = await prepared();
  await uncommitted.log.append([{ groupId: 1, hardState: { term: 2, vote: 0, commit: 12 } }]);
  await assert.rejects(openReplica(uncommitted.disk), corrupt);
  await openReplica((await prepared()).disk);
});

test("a group without voters is refused", async () => {
  await assert.rejects(openReplica(new SimDisk(), []), (error) => isStoreError(error, "invalid"));
});
