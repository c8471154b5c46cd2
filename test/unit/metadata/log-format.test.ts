// Golden bytes of the Raft log: a newer release must read what an older one wrote. The fixture
// changes only together with the format's version.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { AssertionFailure } from "../../../services/lib/base/assert.ts";
import { fromHex, toHex } from "../../../services/lib/base/bytes.ts";
import {
  checksumSeed,
  decodeRecord,
  decodeSegmentHeader,
  encodeRecordHeader,
  encodeSegmentHeader,
  RECORD_TYPES,
  segmentName,
  segmentNumber,
} from "../../../services/metadata/log-format.ts";
import { SimDisk } from "../../sim/disk.ts";
import { createSimRandom } from "../../sim/random.ts";
import { openLog, plain, readAll } from "./log-rig.ts";

const FIXTURE = join(import.meta.dirname, "../../fixtures/raft-log/segments-v1.json");
const golden: Readonly<Record<string, string>> = JSON.parse(readFileSync(FIXTURE, "utf8"));

/** Every type of record, in two segments. */
async function writeAll(disk: SimDisk): Promise<void> {
  const log = await openLog(disk, { segmentBytes: 700, random: createSimRandom(20260101) });
  const entry = (index: number, term: number, kind: "normal" | "members", text: string) => ({
    index,
    term,
    kind,
    data: Buffer.from(text),
  });
  await log.append([
    { groupId: 1, start: { index: 1, term: 1 }, hardState: { term: 1, vote: 0, commit: 1 } },
    { groupId: 2 ** 33, start: { index: 0, term: 0 } },
  ]);
  const first = [entry(2, 1, "normal", "first"), entry(3, 2, "members", "change")];
  await log.append([{ groupId: 1, entries: first, hardState: { term: 2, vote: 7, commit: 2 } }]);
  await log.append([{ groupId: 2 ** 33, restoring: { index: 2 ** 40, term: 5 } }]);
  await log.compact(1, 2);
  await log.append([{ groupId: 3, start: { index: 9, term: 3 } }]);
  await log.remove(3);
  await log.append([{ groupId: 1, entries: [entry(4, 2, "normal", "")] }]);
  await log.append([{ groupId: 1, entries: [entry(4, 3, "normal", "replaced")] }]);
  await log.close();
}

function bytesOf(disk: SimDisk): Record<string, string> {
  return Object.fromEntries(disk.filePaths().map((path) => [path, toHex(disk.content(path))]));
}

test("the log writes the golden bytes", async () => {
  const disk = new SimDisk();
  await writeAll(disk);
  assert.deepEqual(bytesOf(disk), golden);
});

test("the golden bytes are read back", async () => {
  const disk = new SimDisk();
  await disk.mkdir("raft");
  for (const [path, hex] of Object.entries(golden)) {
    const file = await disk.open(path, "create");
    await file.write([fromHex(hex) ?? new Uint8Array(0)], 0);
    await file.close();
  }
  const log = await openLog(disk);
  assert.deepEqual(log.groups(), [1, 2 ** 33]);
  assert.deepEqual(log.state(2 ** 33)?.restoring, { index: 2 ** 40, term: 5 });
  const { hardState, snapshotIndex, snapshotTerm } = log.state(1) ?? {};
  assert.deepEqual(hardState, { term: 2, vote: 7, commit: 2 });
  assert.deepEqual([snapshotIndex, snapshotTerm], [2, 1]);
  assert.deepEqual(plain(await readAll(log, 1)), ["3/2/members/change", "4/3/normal/replaced"]);
});

test("a record with any byte changed, cut short, or of another segment is no record", () => {
  const seed = checksumSeed(new Uint8Array(16).fill(1));
  const record = {
    type: RECORD_TYPES.entry,
    endOfBatch: true,
    batch: 5,
    groupId: 1,
    index: 2 ** 52,
    term: 3,
    payload: Buffer.from("payload"),
  };
  const { header } = encodeRecordHeader(record, 77, seed);
  const bytes = Buffer.concat([header, record.payload]);
  assert.deepEqual(decodeRecord(bytes, 0, seed)?.record, record);
  assert.equal(decodeRecord(bytes, 0, seed)?.previousChecksum, 77);
  for (let at = 0; at < bytes.byteLength; at += 1) {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ 0x10;
    assert.equal(decodeRecord(changed, 0, seed), undefined, `byte ${at}`);
    assert.equal(decodeRecord(bytes.subarray(0, at), 0, seed), undefined, `cut at ${at}`);
  }
  assert.equal(decodeRecord(bytes, 0, seed + 1), undefined);
  const negative = { ...record, index: -1 };
  assert.throws(() => encodeRecordHeader(negative, 0, seed), AssertionFailure);
});

test("a segment header with any byte changed is none", () => {
  const nonce = new Uint8Array(16).fill(9);
  const header = { number: 3, firstBatch: 12, previousChecksum: 5, nonce };
  const bytes = encodeSegmentHeader(header);
  const decoded = decodeSegmentHeader(bytes);
  assert.equal(decoded.kind, "header");
  for (let at = 0; at < bytes.byteLength; at += 1) {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ 0x01;
    assert.equal(decodeSegmentHeader(changed).kind, "bad", `byte ${at}`);
  }
});

test("segment names carry their number, other names none", () => {
  assert.equal(segmentNumber(segmentName(17)), 17);
  for (const other of ["segment-17.raft", `${segmentName(17)}.copy`, "LOCK", ""]) {
    assert.equal(segmentNumber(other), undefined, other);
  }
});
