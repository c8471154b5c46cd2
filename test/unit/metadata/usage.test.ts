// What a group knows of its buckets' contents: by bucket, after each kind of command, after a
// snapshot of a sender that did not keep it, and what becomes of writes beyond a quota.
import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Versioning } from "../../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import { Outcome } from "../../../services/lib/gen/dolium/record/v1/command_pb.ts";
import { FrozenView } from "../../../services/metadata/state/frozen-view.ts";
import { GroupState } from "../../../services/metadata/state/group-state.ts";
import { readMark } from "../../../services/metadata/state/replica-mark.ts";
import { snapshotChunks } from "../../../services/metadata/state/snapshot-stream.ts";
import {
  idOf,
  key,
  Machine,
  manifestId,
  manifestOf,
  stateDeps,
  temporaryFolder,
} from "./harness.ts";
import { stripUsage } from "./usage-checks.ts";

interface Size {
  readonly objects?: bigint;
  readonly versions?: bigint;
  readonly bytes?: bigint;
  readonly uploadBytes?: bigint;
}

async function usageOf(machine: Machine, bucketId = 1) {
  const value = { bucketIds: [bucketId] };
  const { entries } = await machine.query({ case: "bucketUsage", value });
  const { objects, versions, bytes, uploadBytes } = entries[0]?.usage ?? assert.fail();
  return { objects, versions, bytes, uploadBytes };
}

async function expectUsage(machine: Machine, size: Size, bucketId = 1): Promise<void> {
  const nothing = { objects: 0n, versions: 0n, bytes: 0n, uploadBytes: 0n };
  assert.deepEqual(await usageOf(machine, bucketId), { ...nothing, ...size });
}

/** Drives one machine with bodies of given sizes. */
class Writer {
  readonly machine: Machine;
  #numbers = 0;

  constructor(machine: Machine) {
    this.machine = machine;
  }

  static async open(t: TestContext): Promise<Writer> {
    return new Writer(await Machine.open(t));
  }

  #manifest(name: string, size: number) {
    this.#numbers += 1;
    const id = manifestId(this.machine.nowMs, this.#numbers);
    return manifestOf({ key: key(name), id, size });
  }

  async put(name: string, size: number, bucketId = 1): Promise<Outcome> {
    const manifest = this.#manifest(name, size);
    const body = { case: "manifestId" as const, value: manifest.manifestId };
    const version = { size: BigInt(size), etag: "e", body };
    const value = { bucketId, key: key(name), version, manifest };
    return (await this.machine.execute({ case: "putObject", value })).outcome;
  }

  async delete(name: string, versionId: Uint8Array = new Uint8Array(0)): Promise<Outcome> {
    const value = { bucketId: 1, targets: [{ key: key(name), versionId }] };
    return (await this.machine.execute({ case: "deleteObjects", value })).outcome;
  }

  async begin(name: string, upload: number): Promise<Outcome> {
    const value = { upload: { bucketId: 1, key: key(name), uploadId: idOf(upload) } };
    return (await this.machine.execute({ case: "createUpload", value })).outcome;
  }

  async part(name: string, upload: number, part: Part): Promise<Outcome> {
    const { number: partNumber, size } = part;
    const manifest = this.#manifest(name, size);
    const { manifestId: id } = manifest;
    part.manifestId = id;
    const value = {
      bucketId: 1,
      key: key(name),
      uploadId: idOf(upload),
      part: { partNumber, size: BigInt(size), manifestId: id },
      manifest,
    };
    return (await this.machine.execute({ case: "putPart", value })).outcome;
  }

  async complete(name: string, upload: number, parts: readonly Part[]): Promise<Outcome> {
    const size = parts.reduce((sum, part) => sum + BigInt(part.size), 0n);
    const value = {
      bucketId: 1,
      key: key(name),
      uploadId: idOf(upload),
      version: { size, etag: "e-1" },
      parts: parts.map(({ number: partNumber, size: bytes, manifestId: id }) => ({
        partNumber,
        size: BigInt(bytes),
        manifestId: id,
      })),
    };
    return (await this.machine.execute({ case: "completeUpload", value })).outcome;
  }

  async append(name: string, offset: number, size: number): Promise<Outcome> {
    const manifest = this.#manifest(name, size);
    const body = { case: "manifestId" as const, value: manifest.manifestId };
    const value = {
      bucketId: 1,
      key: key(name),
      offset: BigInt(offset),
      version: { size: BigInt(size), etag: "e", body },
      manifest,
      md5: idOf(1),
    };
    return (await this.machine.execute({ case: "appendObject", value })).outcome;
  }
}

interface Part {
  readonly number: number;
  readonly size: number;
  manifestId: Uint8Array;
}

const partOf = (number: number, size: number): Part => ({
  number,
  size,
  manifestId: new Uint8Array(0),
});

const { OK, QUOTA_EXCEEDED } = Outcome;

test("every kind of write counts in its own bucket", async (t) => {
  const writer = await Writer.open(t);
  const { machine } = writer;
  await writer.put("a", 100);
  await writer.put("a", 40);
  await writer.put("b", 5, 2);
  await expectUsage(machine, { objects: 1n, versions: 1n, bytes: 40n });
  await expectUsage(machine, { objects: 1n, versions: 1n, bytes: 5n }, 2);
  await writer.begin("m", 7);
  const parts = [partOf(1, 10), partOf(2, 20), partOf(3, 30)];
  for (const part of parts) await writer.part("m", 7, part);
  const replaced = partOf(2, 25);
  await writer.part("m", 7, replaced);
  await expectUsage(machine, { objects: 1n, versions: 1n, bytes: 40n, uploadBytes: 65n });
  assert.equal(await writer.complete("m", 7, [parts[0] ?? replaced, replaced]), OK);
  await expectUsage(machine, { objects: 2n, versions: 2n, bytes: 75n });
  await writer.append("a", 40, 3);
  await expectUsage(machine, { objects: 2n, versions: 2n, bytes: 78n });
  const rename = { bucketId: 1, sourceKey: key("a"), targetKey: key("m") };
  await machine.execute({ case: "renameObject", value: rename });
  await expectUsage(machine, { objects: 1n, versions: 1n, bytes: 43n });
  await writer.begin("n", 8);
  await writer.part("n", 8, partOf(1, 11));
  const abort = { bucketId: 1, key: key("n"), uploadId: idOf(8) };
  await machine.execute({ case: "abortUpload", value: abort });
  await writer.delete("m");
  await expectUsage(machine, {});
  await expectUsage(machine, { objects: 1n, versions: 1n, bytes: 5n }, 2);
});

test("versions and delete markers count, objects only where clients see one", async (t) => {
  const writer = await Writer.open(t);
  const { machine } = writer;
  await writer.put("a", 1);
  await machine.setVersioning(Versioning.ENABLED);
  await writer.put("a", 2);
  await writer.delete("a");
  await expectUsage(machine, { versions: 3n, bytes: 3n });
  const head = await machine.query({ case: "getObject", value: { bucketId: 1, key: key("a") } });
  assert.equal(head.version?.deleteMarker, true);
  await writer.delete("a", head.version?.versionId);
  await expectUsage(machine, { objects: 1n, versions: 2n, bytes: 3n });
  await writer.delete("a", key("null"));
  await expectUsage(machine, { objects: 1n, versions: 1n, bytes: 2n });
});

test("a snapshot of a sender that kept no usage is counted as it comes", async (t) => {
  const writer = await Writer.open(t);
  const { machine } = writer;
  await writer.put("a", 100);
  await writer.begin("m", 7);
  await writer.part("m", 7, partOf(1, 10));
  const kept = { digest: machine.state.mark.digest, usage: await usageOf(machine) };
  const kv = await stateDeps.kvFactory.open(await stripUsage(machine));
  const view = new FrozenView(kv.snapshot());
  let restored: GroupState | undefined;
  const folder = await temporaryFolder(t, async () => restored?.close());
  restored = await GroupState.open(stateDeps, join(folder, "group"));
  const { index, term, confState } = readMark(kv);
  const point = { index: Number(index), term: Number(term), confState };
  await restored.restore(point, snapshotChunks(view));
  await view.close();
  await kv.close();
  machine.state = restored;
  assert.deepEqual(await usageOf(machine), kept.usage);
  assert.deepEqual([...restored.mark.digest], [...kept.digest]);
  assert.equal(restored.mark.usageIndex, index);
  await machine.audit();
});

test("a write beyond the quota is refused, one that makes the bucket smaller is not", async (t) => {
  const writer = await Writer.open(t);
  const { machine } = writer;
  await writer.put("a", 90);
  await machine.configure({ quotaBytes: 100n });
  assert.equal(await writer.put("b", 11), QUOTA_EXCEEDED);
  assert.equal(await writer.put("b", 10), OK);
  assert.equal(await writer.put("c", 1), QUOTA_EXCEEDED);
  assert.equal(await writer.put("c", 0), OK);
  assert.equal(await writer.append("b", 10, 1), QUOTA_EXCEEDED);
  assert.equal(await writer.append("d", 0, 1), QUOTA_EXCEEDED);
  // What is replaced is taken off.
  assert.equal(await writer.put("a", 91), QUOTA_EXCEEDED);
  assert.equal(await writer.put("a", 90), OK);
  await machine.configure({ quotaBytes: 50n });
  assert.equal(await writer.put("a", 80), OK);
  assert.equal(await writer.put("b", 11), QUOTA_EXCEEDED);
  assert.equal(await writer.delete("a"), OK);
  assert.equal(await writer.put("b", 50), OK);
  await expectUsage(machine, { objects: 2n, versions: 2n, bytes: 50n });
  await machine.configure({});
  assert.equal(await writer.put("z", 1000), OK);
});

test("parts count against the quota once, as parts or as the object", async (t) => {
  const writer = await Writer.open(t);
  const { machine } = writer;
  await machine.configure({ quotaBytes: 100n });
  assert.equal(await writer.begin("m", 7), OK);
  const first = partOf(1, 60);
  assert.equal(await writer.part("m", 7, first), OK);
  assert.equal(await writer.part("m", 7, partOf(2, 41)), QUOTA_EXCEEDED);
  const second = partOf(2, 40);
  assert.equal(await writer.part("m", 7, second), OK);
  assert.equal(await writer.put("b", 1), QUOTA_EXCEEDED);
  assert.equal(await writer.begin("n", 8), QUOTA_EXCEEDED);
  // The same number again takes the place of the former part.
  assert.equal(await writer.part("m", 7, partOf(2, 41)), QUOTA_EXCEEDED);
  assert.equal(await writer.part("m", 7, second), OK);
  assert.equal(await writer.complete("m", 7, [first, second]), OK);
  await expectUsage(machine, { objects: 1n, versions: 1n, bytes: 100n });
});

test("a quota of objects counts versions and delete markers, and lets deletes pass", async (t) => {
  const writer = await Writer.open(t);
  const { machine } = writer;
  await machine.configure({ quotaObjects: 2n });
  assert.equal(await writer.put("a", 1), OK);
  assert.equal(await writer.begin("m", 7), OK);
  const part = partOf(1, 5);
  assert.equal(await writer.part("m", 7, part), OK);
  assert.equal(await writer.put("b", 1), OK);
  assert.equal(await writer.put("c", 1), QUOTA_EXCEEDED);
  assert.equal(await writer.append("c", 0, 1), QUOTA_EXCEEDED);
  assert.equal(await writer.begin("c", 8), QUOTA_EXCEEDED);
  assert.equal(await writer.complete("m", 7, [part]), QUOTA_EXCEEDED);
  assert.equal(await writer.put("a", 500), OK);
  assert.equal(await writer.append("a", 500, 1), OK);
  await machine.configure({ quotaObjects: 2n, versioning: Versioning.ENABLED });
  assert.equal(await writer.put("a", 1), QUOTA_EXCEEDED);
  assert.equal(await writer.delete("a"), OK);
  await expectUsage(machine, { objects: 1n, versions: 3n, bytes: 502n, uploadBytes: 5n });
});

test("a query for more buckets than an answer holds is refused", async (t) => {
  const machine = await Machine.open(t);
  const value = { bucketIds: Array.from({ length: 1001 }, (_, at) => at + 1) };
  await assert.rejects(machine.query({ case: "bucketUsage", value }), /over 1000 buckets/);
});
