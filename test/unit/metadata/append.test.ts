// AppendObject and RenameObject: which body fits what is there, entity tags, what is refused, and
// that no shard is lost or freed that is still named.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { INLINE_BYTES_MAX } from "../../../services/lib/base/limits.ts";
import { Versioning } from "../../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import {
  type ConditionSchema,
  Outcome,
  type Reply,
} from "../../../services/lib/gen/dolium/record/v1/command_pb.ts";
import {
  ChecksumAlgorithm,
  ChecksumSchema,
  type VersionSchema,
} from "../../../services/lib/gen/dolium/record/v1/object_pb.ts";
import { TABLE } from "../../../services/metadata/state/keys.ts";
import { idOf, key, Machine, manifestId, manifestOf } from "./harness.ts";

type VersionInit = MessageInitShape<typeof VersionSchema>;
type Condition = MessageInitShape<typeof ConditionSchema>;

const md5 = (data: Uint8Array): Buffer => createHash("md5").update(data).digest();
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
let numbers = 0;

interface Appended {
  readonly name?: string;
  /** Bytes, or the length of a body in a manifest. */
  readonly body: Uint8Array | number;
  readonly whole?: boolean;
  readonly condition?: Condition;
  readonly version?: VersionInit;
  readonly wholeChecksums?: VersionInit["checksums"];
}

/** The bytes that a body in a manifest stands for. */
const written = (length: number): Buffer => Buffer.alloc(length, length);

function append(machine: Machine, offset: number, spec: Appended): Promise<Reply> {
  numbers += 1;
  const name = key(spec.name ?? "k");
  const id = manifestId(machine.nowMs, numbers);
  const isInline = typeof spec.body !== "number";
  const bytes = typeof spec.body === "number" ? written(spec.body) : spec.body;
  const manifest = manifestOf({ key: name, id, size: bytes.byteLength });
  const { condition, wholeChecksums } = spec;
  const value = {
    bucketId: 1,
    key: name,
    offset: BigInt(offset),
    version: {
      size: BigInt(bytes.byteLength),
      etag: hex(md5(bytes)),
      body: isInline
        ? { case: "inline" as const, value: bytes }
        : { case: "manifestId" as const, value: id },
      ...spec.version,
    },
    md5: md5(bytes),
    whole: spec.whole === true,
    event: "ObjectCreated:Put",
    ...(isInline ? {} : { manifest }),
    ...(condition === undefined ? {} : { condition }),
    ...(wholeChecksums === undefined ? {} : { wholeChecksums }),
  };
  return machine.execute({ case: "appendObject", value });
}

function grown(reply: Reply) {
  assert.equal(reply.outcome, Outcome.OK, reply.message);
  assert.ok(reply.kind.case === "appendObject");
  return reply.kind.value;
}

async function get(machine: Machine, name = "k") {
  return machine.query({
    case: "getObject",
    value: { bucketId: 1, key: key(name), withBody: true },
  });
}

async function inlineOf(machine: Machine, name = "k"): Promise<string> {
  const { version } = await get(machine, name);
  assert.ok(version?.body.case === "inline");
  return Buffer.from(version.body.value).toString();
}

async function garbage(machine: Machine): Promise<number> {
  const value = { freedBeforeMs: BigInt(machine.nowMs + 1000), limit: 1000 };
  return (await machine.query({ case: "listGarbage", value })).entries.length;
}

async function stats(machine: Machine) {
  const { versions, bytes } = await machine.query({ case: "groupStats", value: {} });
  return [versions, bytes];
}

const tagOf = (...lengths: number[]): string =>
  `${hex(md5(Buffer.concat(lengths.map((length) => md5(written(length))))))}-${lengths.length}`;

test("small bodies grow as inline bytes, and keep what stands beside them", async (t) => {
  const machine = await Machine.open(t);
  const version = { headers: { contentType: "text/plain" }, tags: [{ name: "a", value: "b" }] };
  const first = grown(await append(machine, 0, { body: key("one"), version }));
  assert.equal(first.size, 3n);
  assert.equal(first.etag, hex(md5(key("one"))));
  const before = (await get(machine)).version;
  const second = grown(await append(machine, 3, { body: key("two") }));
  assert.equal(second.size, 6n);
  assert.equal(second.etag, hex(md5(key("onetwo"))));
  assert.equal(await inlineOf(machine), "onetwo");
  const after = (await get(machine)).version;
  assert.equal(after?.headers?.contentType, "text/plain");
  assert.equal(after?.tags[0]?.value, "b");
  assert.notEqual(hex(after?.versionId ?? key("")), hex(before?.versionId ?? key("")));
  assert.ok((after?.modifiedMs ?? 0n) > (before?.modifiedMs ?? 0n));
  assert.deepEqual(await stats(machine), [1n, 6n]);
  await machine.audit();
});

test("an append at another place is told where the object ends", async (t) => {
  const machine = await Machine.open(t);
  const missing = await append(machine, 5, { body: key("x") });
  assert.equal(missing.outcome, Outcome.WRONG_OFFSET);
  assert.ok(missing.kind.case === "appendObject");
  assert.equal(missing.kind.value.size, 0n);
  await append(machine, 0, { body: key("one") });
  for (const offset of [0, 2, 4]) {
    const reply = await append(machine, offset, { body: key("x") });
    assert.equal(reply.outcome, Outcome.WRONG_OFFSET);
    assert.ok(reply.kind.case === "appendObject");
    assert.equal(reply.kind.value.size, 3n);
  }
  assert.equal(await inlineOf(machine), "one");
});

test("bodies in manifests become parts; their tag is that of their MD5s", async (t) => {
  const machine = await Machine.open(t);
  grown(await append(machine, 0, { body: 1000, version: { bodyNonce: key("") } }));
  const two = grown(await append(machine, 1000, { body: 500 }));
  assert.equal(two.etag, tagOf(1000, 500));
  const three = grown(await append(machine, 1500, { body: 200 }));
  assert.equal(three.etag, tagOf(1000, 500, 200));
  assert.equal(three.size, 1700n);
  const { version, partList, manifests } = await get(machine);
  assert.equal(version?.size, 1700n);
  assert.deepEqual(
    partList?.parts.map(({ partNumber, size }) => [partNumber, size]),
    [
      [1, 1000n],
      [2, 500n],
      [3, 200n],
    ],
  );
  assert.equal(manifests.length, 3);
  assert.equal(await machine.recordsOf(TABLE.partList), 1);
  assert.equal(await garbage(machine), 0);
  assert.deepEqual(await stats(machine), [1n, 1700n]);
  await machine.execute({
    case: "deleteObjects",
    value: { bucketId: 1, targets: [{ key: key("k") }] },
  });
  assert.equal(await garbage(machine), 3);
  assert.equal(await machine.recordsOf(TABLE.partList), 0);
  assert.deepEqual(await stats(machine), [0n, 0n]);
  await machine.audit();
});

test("an upload's parts are appended to, under the list it has", async (t) => {
  const machine = await Machine.open(t);
  const uploadId = idOf(3);
  const place = { bucketId: 1, key: key("k"), uploadId };
  await machine.execute({ case: "createUpload", value: { upload: place } });
  const id = manifestId(machine.nowMs, 1000);
  const manifest = manifestOf({ key: key("k"), id, size: 700 });
  const part = { partNumber: 4, size: 700n, manifestId: id, md5: md5(written(700)) };
  await machine.execute({ case: "putPart", value: { ...place, part, manifest } });
  const value = { ...place, parts: [part], version: { size: 700n, etag: "m-1" } };
  const completed = await machine.execute({ case: "completeUpload", value });
  assert.equal(completed.outcome, Outcome.OK, completed.message);
  const { etag } = grown(await append(machine, 700, { body: 300 }));
  assert.equal(etag, tagOf(700, 300));
  const { partList } = await get(machine);
  assert.deepEqual(
    partList?.parts.map(({ partNumber }) => partNumber),
    [4, 5],
  );
});

test("an inline body that outgrows itself is written anew, if nobody was faster", async (t) => {
  const machine = await Machine.open(t);
  await append(machine, 0, { body: key("one") });
  const added = INLINE_BYTES_MAX;
  const alone = await append(machine, 3, { body: added });
  assert.equal(alone.outcome, Outcome.CONFLICT);
  const tooLong = await append(machine, 3, { body: Buffer.alloc(added) });
  assert.equal(tooLong.outcome, Outcome.CONFLICT);
  const unread = await append(machine, 3, { body: added + 3, whole: true });
  assert.equal(unread.outcome, Outcome.UNSPECIFIED);
  const read = (await get(machine)).version?.versionId ?? assert.fail();
  await append(machine, 3, { body: key("!") });
  const condition = { ifVersionId: read };
  const late = await append(machine, 4, { body: added + 4, whole: true, condition });
  assert.equal(late.outcome, Outcome.PRECONDITION_FAILED);
  const ifVersionId = (await get(machine)).version?.versionId ?? assert.fail();
  const whole = { body: added + 4, whole: true, condition: { ifVersionId } };
  const { etag, size } = grown(await append(machine, 4, whole));
  assert.equal(etag, hex(md5(written(added + 4))));
  assert.equal(size, BigInt(added + 4));
  const { version, manifests } = await get(machine);
  assert.equal(version?.body.case, "manifestId");
  assert.equal(manifests.length, 1);
  grown(await append(machine, added + 4, { body: 10 }));
  assert.equal((await get(machine)).partList?.parts.length, 2);
  assert.equal(await machine.recordsOf(TABLE.body), 0);
  await machine.audit();
});

test("a sealed inline body is written anew, its data key stays", async (t) => {
  const machine = await Machine.open(t);
  const sealed = { size: 1n, encryption: { wrappedKey: idOf(8) } };
  const version = { ...sealed, bodyNonce: idOf(1) };
  grown(await append(machine, 0, { body: Buffer.alloc(17), version }));
  const alone = await append(machine, 1, { body: Buffer.alloc(17), version });
  assert.equal(alone.outcome, Outcome.CONFLICT);
  const ifVersionId = (await get(machine)).version?.versionId ?? assert.fail();
  const next = { size: 2n, bodyNonce: idOf(2) };
  const whole = {
    body: Buffer.alloc(18, 7),
    whole: true,
    version: next,
    condition: { ifVersionId },
  };
  grown(await append(machine, 1, whole));
  const after = (await get(machine)).version;
  assert.equal(hex(after?.encryption?.wrappedKey ?? key("")), hex(idOf(8)));
  assert.equal(hex(after?.bodyNonce ?? key("")), hex(idOf(2)));
  assert.ok(after?.body.case === "inline");
  assert.equal(after.body.value[17], 7);
});

test("parts keep their own nonces", async (t) => {
  const machine = await Machine.open(t);
  const sealed = (size: number, nonce: number): VersionInit => ({
    size: BigInt(size),
    bodyNonce: idOf(nonce),
  });
  grown(await append(machine, 0, { body: 1016, version: sealed(1000, 1) }));
  grown(await append(machine, 1000, { body: 516, version: sealed(500, 2) }));
  const { version, partList } = await get(machine);
  assert.equal(version?.bodyNonce.byteLength, 0);
  assert.deepEqual(
    partList?.parts.map(({ size, bodyNonce }) => [size, hex(bodyNonce)]),
    [
      [1000n, hex(idOf(1))],
      [500n, hex(idOf(2))],
    ],
  );
});

test("an empty object takes any body, and adding nothing changes nothing", async (t) => {
  const machine = await Machine.open(t);
  grown(await append(machine, 0, { body: key("") }));
  const before = (await get(machine)).version;
  grown(await append(machine, 0, { body: key("") }));
  assert.equal(
    hex((await get(machine)).version?.versionId ?? key("")),
    hex(before?.versionId ?? key("x")),
  );
  const { etag } = grown(await append(machine, 0, { body: 300 }));
  assert.equal(etag, hex(md5(written(300))));
  assert.equal((await get(machine)).version?.body.case, "manifestId");
  // An empty body in a manifest is freed with it.
  await append(machine, 0, { name: "m", body: 0 });
  grown(await append(machine, 0, { name: "m", body: key("x") }));
  assert.equal(await inlineOf(machine, "m"), "x");
  assert.equal(await machine.recordsOf(TABLE.manifest), 1);
  // And so is an empty upload, list and all.
  const place = { bucketId: 1, key: key("u"), uploadId: idOf(3) };
  await machine.execute({ case: "createUpload", value: { upload: place } });
  const id = manifestId(machine.nowMs, 2000);
  const part = { partNumber: 1, manifestId: id };
  const manifest = manifestOf({ key: key("u"), id, size: 0 });
  await machine.execute({ case: "putPart", value: { ...place, part, manifest } });
  const value = { ...place, parts: [part], version: { etag: "m-1" } };
  const completed = await machine.execute({ case: "completeUpload", value });
  assert.equal(completed.outcome, Outcome.OK, completed.message);
  grown(await append(machine, 0, { name: "u", body: key("y") }));
  assert.equal(await inlineOf(machine, "u"), "y");
  assert.equal(await machine.recordsOf(TABLE.manifest), 1);
  assert.equal(await machine.recordsOf(TABLE.partList), 0);
  await machine.audit();
});

test("small additions to a body in manifests come in a manifest", async (t) => {
  const machine = await Machine.open(t);
  grown(await append(machine, 0, { body: 1000 }));
  assert.equal((await append(machine, 1000, { body: key("x") })).outcome, Outcome.CONFLICT);
  const ifVersionId = (await get(machine)).version?.versionId ?? assert.fail();
  const whole = { body: 1001, whole: true, condition: { ifVersionId } };
  assert.equal((await append(machine, 1000, whole)).outcome, Outcome.CONFLICT);
});

test("checksums are of the whole, where they are given", async (t) => {
  const machine = await Machine.open(t);
  const sum = (byte: number) =>
    create(ChecksumSchema, { algorithm: ChecksumAlgorithm.CRC32, value: Uint8Array.of(byte) });
  grown(await append(machine, 0, { body: 100, version: { checksums: [sum(1)] } }));
  const more = { body: 50, version: { checksums: [sum(2)] } };
  grown(await append(machine, 100, { ...more, wholeChecksums: [sum(3)] }));
  const { version, partList } = await get(machine);
  assert.equal(version?.checksums[0]?.value[0], 3);
  assert.deepEqual(
    partList?.parts.map(({ checksums }) => checksums[0]?.value[0]),
    [1, 2],
  );
  grown(await append(machine, 150, more));
  assert.equal((await get(machine)).version?.checksums.length, 0);
});

test("ten thousand parts are the most", async (t) => {
  const machine = await Machine.open(t);
  const uploadId = idOf(3);
  const place = { bucketId: 1, key: key("k"), uploadId };
  await machine.execute({ case: "createUpload", value: { upload: place } });
  const parts = Array.from({ length: 9999 }, (_, at) => ({
    partNumber: at + 1,
    size: 1n,
    manifestId: manifestId(machine.nowMs, 100_000 + at),
    md5: idOf(at),
  }));
  const datas = parts.map((part) => {
    const manifest = manifestOf({ key: key("k"), id: part.manifestId, size: 1 });
    return machine.entry({ case: "putPart", value: { ...place, part, manifest } });
  });
  await machine.applyData(datas);
  const value = { ...place, parts, version: { size: 9999n, etag: "m-9999" } };
  const completed = await machine.execute({ case: "completeUpload", value });
  assert.equal(completed.outcome, Outcome.OK, completed.message);
  assert.match(grown(await append(machine, 9999, { body: 10 })).etag, /-10000$/);
  assert.equal((await append(machine, 10_009, { body: 10 })).outcome, Outcome.CONFLICT);
});

test("versioned buckets, false conditions, fences and faulty commands are refused", async (t) => {
  const machine = await Machine.open(t);
  await append(machine, 0, { body: key("one") });
  const condition = { ifMatch: ["other"] };
  const failed = await append(machine, 3, { body: key("x"), condition });
  assert.equal(failed.outcome, Outcome.PRECONDITION_FAILED);
  const value = {
    bucketId: 1,
    key: key("k"),
    version: { body: { case: "inline", value: key("") } },
  };
  const bare = await machine.execute({ case: "appendObject", value: { ...value, version: {} } });
  assert.equal(bare.outcome, Outcome.UNSPECIFIED);
  const fenceMs = BigInt(machine.nowMs + 1000);
  await machine.execute({ case: "advanceFence", value: { fenceMs } });
  assert.equal((await append(machine, 3, { body: 10 })).outcome, Outcome.FENCED);
  machine.nowMs += 2000;
  await machine.setVersioning(Versioning.ENABLED);
  assert.equal((await append(machine, 3, { body: key("x") })).outcome, Outcome.CONFLICT);
  assert.equal(await inlineOf(machine), "one");
});

function rename(machine: Machine, from: string, to: string, more: object = {}): Promise<Reply> {
  const value = { bucketId: 1, sourceKey: key(from), targetKey: key(to), ...more };
  return machine.execute({ case: "renameObject", value });
}

test("a rename takes the object over, bytes, tags and all, and frees what it replaces", async (t) => {
  const machine = await Machine.open(t);
  const version = { tags: [{ name: "a", value: "b" }] };
  await append(machine, 0, { name: "a", body: key("one"), version });
  await append(machine, 0, { name: "b", body: 500 });
  const before = (await get(machine, "a")).version;
  assert.equal((await rename(machine, "a", "b")).outcome, Outcome.OK);
  assert.equal((await get(machine, "a")).version, undefined);
  assert.equal(await inlineOf(machine, "b"), "one");
  const after = (await get(machine, "b")).version;
  assert.deepEqual(after?.tags, before?.tags);
  assert.equal(after?.modifiedMs, before?.modifiedMs);
  assert.equal(await garbage(machine), 1);
  assert.deepEqual(await stats(machine), [1n, 3n]);
  await append(machine, 0, { name: "c", body: 400 });
  assert.equal((await rename(machine, "c", "d")).outcome, Outcome.OK);
  assert.equal((await get(machine, "d")).manifests.length, 1);
  grown(await append(machine, 400, { name: "d", body: 100 }));
  await machine.audit();
});

test("a rename goes on where every condition on both objects holds", async (t) => {
  const machine = await Machine.open(t);
  await append(machine, 0, { name: "a", body: key("one") });
  await append(machine, 0, { name: "b", body: key("two") });
  const nowS = BigInt(Math.floor(machine.nowMs / 1000));
  const condition = {
    ifNoneMatch: ["other"],
    ifModifiedSinceS: nowS - 1n,
    ifUnmodifiedSinceS: nowS,
  };
  const both = { sourceCondition: condition, targetCondition: condition };
  assert.equal((await rename(machine, "a", "b", both)).outcome, Outcome.OK);
  assert.equal(await inlineOf(machine, "b"), "one");
  const absent = { targetCondition: { ifUnmodifiedSinceS: 0n, ifNoneMatch: ["*"] } };
  assert.equal((await rename(machine, "b", "c", absent)).outcome, Outcome.OK);
});

test("a rename is refused without source, against conditions, onto itself, and with versioning", async (t) => {
  const machine = await Machine.open(t);
  assert.equal((await rename(machine, "a", "b")).outcome, Outcome.NO_SUCH_KEY);
  await append(machine, 0, { name: "a", body: key("one") });
  await append(machine, 0, { name: "b", body: key("two") });
  const absent = { targetCondition: { ifAbsent: true } };
  assert.equal((await rename(machine, "a", "b", absent)).outcome, Outcome.PRECONDITION_FAILED);
  const nowS = BigInt(Math.floor(machine.nowMs / 1000));
  for (const condition of [
    { ifMatch: ["other"] },
    { ifNoneMatch: ["*"] },
    { ifModifiedSinceS: nowS },
    { ifUnmodifiedSinceS: nowS - 1n },
  ]) {
    for (const more of [{ sourceCondition: condition }, { targetCondition: condition }]) {
      const refused = await rename(machine, "a", "b", more);
      assert.equal(refused.outcome, Outcome.PRECONDITION_FAILED, Object.keys(condition).join());
    }
  }
  const newer = { targetCondition: { ifModifiedSinceS: 0n } };
  assert.equal((await rename(machine, "a", "absent", newer)).outcome, Outcome.NO_SUCH_KEY);
  assert.equal((await rename(machine, "a", "a")).outcome, Outcome.UNSPECIFIED);
  assert.equal((await rename(machine, "a", "")).outcome, Outcome.UNSPECIFIED);
  await machine.setVersioning(Versioning.SUSPENDED);
  assert.equal((await rename(machine, "a", "b")).outcome, Outcome.CONFLICT);
  assert.equal(await inlineOf(machine, "a"), "one");
  assert.equal(await inlineOf(machine, "b"), "two");
});
