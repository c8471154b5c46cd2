// A backup is whole or refused: any flipped byte, any cut, anything behind its end, groups left
// out. Nothing stands under its name before all of it does.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { StoreError } from "../../../services/lib/base/errors.ts";
import { BackupWriter } from "../../../services/metadata/backup/backup-file.ts";
import {
  backupId,
  readBackup,
  verifyBackup,
} from "../../../services/metadata/backup/backup-reader.ts";
import { Machine, stateDeps, temporaryFolder } from "./harness.ts";

const { disk } = stateDeps;
const HEADER = { format: 1, clusterId: "one", createdMs: 1_700_000_000_000, release: "1.0.0" };

async function written(
  context: TestContext,
  groups: readonly number[] = [2, 1],
  groupIds: readonly number[] = [2, 1],
): Promise<{ readonly folder: string; readonly path: string }> {
  const folder = await temporaryFolder(context);
  const machine = await Machine.open(context);
  const policies = [{ name: "p", dataShards: 2, parityShards: 1, failureDomain: "node" }];
  const value = { clusterId: "one", policies, defaultPolicy: "p", indexGroups: [2] };
  await machine.execute({ case: "initCluster", value });
  const place = { folder, name: "backup" };
  const writer = await BackupWriter.create(disk, place, { ...HEADER, groupIds });
  for (const groupId of groups) {
    const snapshot = await machine.state.snapshot();
    await writer.beginGroup({ groupId, index: snapshot.index, term: snapshot.term });
    for await (const chunk of snapshot.chunks()) await writer.chunk(chunk);
    await writer.endGroup();
    await snapshot.close();
  }
  assert.deepEqual(readdirSync(folder), ["backup.partial"]);
  await writer.finish();
  assert.deepEqual(readdirSync(folder), ["backup"]);
  return { folder, path: `${folder}/backup` };
}

async function refused(path: string, bytes: Uint8Array, what: string): Promise<void> {
  writeFileSync(path, bytes);
  await assert.rejects(
    verifyBackup(disk, path),
    (error) => error instanceof StoreError && ["corrupt", "invalid"].includes(error.code),
    what,
  );
}

test("what was written is read back, and has a name of its own", async (t) => {
  const { path } = await written(t);
  const summary = await verifyBackup(disk, path);
  assert.deepEqual(summary.header, { ...HEADER, groupIds: [2, 1] });
  assert.deepEqual(
    summary.groups.map(({ groupId, entries }) => [groupId, entries > 0]),
    [
      [2, true],
      [1, true],
    ],
  );
  const other = { ...summary, header: { ...summary.header, createdMs: 1 } };
  assert.equal(backupId(summary).byteLength, 16);
  assert.notDeepEqual(backupId(summary), backupId(other));
});

test("a flipped byte anywhere, a cut anywhere, and more at the end are refused", async (t) => {
  const { path } = await written(t);
  const good = readFileSync(path);
  for (let at = 0; at < good.byteLength; at += 1) {
    const bad = Buffer.from(good);
    bad[at] = (bad[at] ?? 0) ^ (1 << (at % 8));
    await refused(path, bad, `byte ${at} flipped`);
  }
  for (let length = 0; length < good.byteLength; length += 7) {
    await refused(path, good.subarray(0, length), `cut at ${length}`);
  }
  await refused(path, Buffer.concat([good, Buffer.alloc(1)]), "a byte more");
  writeFileSync(path, good);
  await verifyBackup(disk, path);
});

test("a backup without one of its groups, or whose root group is not last, is refused", async (t) => {
  for (const [groups, groupIds] of [
    [[1], [2, 1]],
    [
      [1, 2],
      [1, 2],
    ],
  ] as const) {
    const { path } = await written(t, groups, groupIds);
    await assert.rejects(verifyBackup(disk, path), { code: "corrupt" });
  }
});

test("a file that is there is not written over; what was given up leaves nothing", async (t) => {
  const { folder, path } = await written(t);
  const place = { folder, name: "backup" };
  const header = { ...HEADER, groupIds: [1] };
  await assert.rejects(BackupWriter.create(disk, place, header), { code: "exists" });
  const writer = await BackupWriter.create(disk, { folder, name: "other" }, header);
  await writer.abandon();
  assert.deepEqual(readdirSync(folder), ["backup"]);
  await assert.rejects(
    readBackup(disk, path, async () => undefined),
    { code: "internal" },
    "a group that nobody read",
  );
});
