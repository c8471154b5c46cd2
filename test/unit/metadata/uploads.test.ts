// Multipart uploads: parts and their replacement, completing (once, again, wrongly), aborting,
// listing.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type AbortUploadSchema,
  type CompleteUploadSchema,
  Outcome,
  type Reply,
} from "../../../services/lib/gen/dolium/record/v1/command_pb.ts";
import { idOf, key, Machine, manifestId, manifestOf } from "./harness.ts";

const UPLOAD = idOf(1, 11);
const NONE = new Uint8Array(0);
let manifests = 100;

function begin(machine: Machine, name = "k", uploadId = UPLOAD, bucketId = 1): Promise<Reply> {
  const upload = { bucketId, key: key(name), uploadId, owner: "ann", createdMs: 1n };
  return machine.execute({ case: "createUpload", value: { upload } });
}

interface PartSpec {
  readonly name?: string;
  readonly uploadId?: Uint8Array;
  readonly bucketId?: number;
  readonly id?: Uint8Array;
}

async function part(machine: Machine, partNumber: number, spec: PartSpec = {}) {
  manifests += 1;
  const id = spec.id ?? manifestId(machine.nowMs, manifests);
  const name = key(spec.name ?? "k");
  const manifest = manifestOf({ key: name, id });
  const value = {
    bucketId: spec.bucketId ?? 1,
    key: name,
    uploadId: spec.uploadId ?? UPLOAD,
    part: { partNumber, size: manifest.size, manifestId: id, md5: idOf(partNumber) },
    manifest,
  };
  return { id, reply: await machine.execute({ case: "putPart", value }) };
}

function complete(
  machine: Machine,
  parts: readonly (readonly [number, Uint8Array])[],
  more: Omit<Partial<MessageInitShape<typeof CompleteUploadSchema>>, "$typeName"> = {},
): Promise<Reply> {
  const references = parts.map(([partNumber, id]) => ({
    partNumber,
    size: 1000n,
    manifestId: id,
    md5: idOf(partNumber),
  }));
  const value = {
    bucketId: 1,
    key: key("k"),
    uploadId: UPLOAD,
    parts: references,
    version: { size: BigInt(1000 * parts.length), etag: "multi-2" },
    partsDigest: Buffer.from(parts.map(([number]) => number)),
    ...more,
  };
  return machine.execute({ case: "completeUpload", value });
}

function abort(
  machine: Machine,
  more: Omit<Partial<MessageInitShape<typeof AbortUploadSchema>>, "$typeName"> = {},
): Promise<Reply> {
  const value = { bucketId: 1, key: key("k"), uploadId: UPLOAD, ...more };
  return machine.execute({ case: "abortUpload", value });
}

const stats = (machine: Machine) => machine.query({ case: "groupStats", value: {} });
const upload = (machine: Machine, allParts = true) => {
  const value = { bucketId: 1, key: key("k"), uploadId: UPLOAD, allParts };
  return machine.query({ case: "getUpload", value });
};

test("an upload is created once, with the group's time", async (t) => {
  const machine = await Machine.open(t);
  assert.equal((await begin(machine)).outcome, Outcome.OK);
  assert.equal((await begin(machine)).outcome, Outcome.EXISTS);
  const answer = await upload(machine);
  assert.equal(answer.upload?.createdMs, BigInt(machine.nowMs - 1));
  assert.equal((await stats(machine)).uploads, 1n);
});

test("a part needs its upload, and replaces the earlier one of its number", async (t) => {
  const machine = await Machine.open(t);
  assert.equal((await part(machine, 1)).reply.outcome, Outcome.NO_SUCH_UPLOAD);
  await begin(machine);
  const other = await part(machine, 1, { name: "other" });
  assert.equal(other.reply.outcome, Outcome.NO_SUCH_UPLOAD);
  await part(machine, 2);
  const first = await part(machine, 1);
  const second = await part(machine, 1);
  const answer = await upload(machine);
  assert.deepEqual(
    answer.parts.map(({ partNumber }) => partNumber),
    [1, 2],
  );
  assert.equal(Buffer.compare(answer.parts[0]?.manifestId ?? NONE, second.id), 0);
  assert.equal(answer.upload?.touchedMs, answer.parts[0]?.modifiedMs);
  const value = { freedBeforeMs: BigInt(machine.nowMs + 10), limit: 10 };
  const { entries } = await machine.query({ case: "listGarbage", value });
  assert.equal(entries.length, 1);
  assert.equal(Buffer.compare(entries[0]?.manifestId ?? NONE, first.id), 0);
  const named = { bucketId: 1, key: key("k"), uploadId: UPLOAD, partNumbers: [2, 9, 2] };
  const some = await machine.query({ case: "getUpload", value: named });
  assert.deepEqual(
    some.parts.map(({ partNumber }) => partNumber),
    [2],
  );
});

test("a part begun before the fence is refused", async (t) => {
  const machine = await Machine.open(t);
  await begin(machine);
  const id = manifestId(machine.nowMs, 1);
  await machine.execute({ case: "advanceFence", value: { fenceMs: BigInt(machine.nowMs + 1) } });
  assert.equal((await part(machine, 1, { id })).reply.outcome, Outcome.FENCED);
});

test("completing makes a version of the named parts and frees the others", async (t) => {
  const machine = await Machine.open(t);
  await begin(machine);
  const one = await part(machine, 1);
  await part(machine, 2);
  const three = await part(machine, 3);
  const reply = await complete(machine, [
    [1, one.id],
    [3, three.id],
  ]);
  assert.equal(reply.outcome, Outcome.OK, reply.message);
  const value = { bucketId: 1, key: key("k"), withBody: true };
  const answer = await machine.query({ case: "getObject", value });
  assert.equal(answer.version?.etag, "multi-2");
  assert.deepEqual(
    answer.partList?.parts.map(({ partNumber }) => partNumber),
    [1, 3],
  );
  assert.equal(answer.manifests.length, 2);
  const { uploads, garbageEntries, versions, bytes } = await stats(machine);
  assert.deepEqual([uploads, garbageEntries, versions, bytes], [0n, 1n, 1n, 2000n]);
  await machine.audit();
});

test("an object of parts answers only the manifests of the wanted bytes", async (t) => {
  const machine = await Machine.open(t);
  await begin(machine);
  const parts: [number, Uint8Array][] = [];
  for (const number of [1, 2, 5]) parts.push([number, (await part(machine, number)).id]);
  await complete(machine, parts);
  const ask = async (range: object): Promise<number[]> => {
    const value = { bucketId: 1, key: key("k"), withBody: true, ...range };
    const answer = await machine.query({ case: "getObject", value });
    return answer.manifests.map((manifest) =>
      parts.findIndex(([, id]) => Buffer.compare(id, manifest.manifestId) === 0),
    );
  };
  assert.deepEqual(await ask({}), [0, 1, 2]);
  assert.deepEqual(await ask({ firstByte: 999n, lastByte: 1000n }), [0, 1]);
  assert.deepEqual(await ask({ firstByte: 2000n }), [2]);
  assert.deepEqual(await ask({ suffixLength: 1001n }), [1, 2]);
  assert.deepEqual(await ask({ suffixLength: 9999n }), [0, 1, 2]);
  assert.deepEqual(await ask({ partNumber: 5 }), [2]);
  assert.deepEqual(await ask({ partNumber: 3 }), []);
  assert.deepEqual(await ask({ firstByte: 5000n }), []);
});

test("deleting an object of parts frees all of them", async (t) => {
  const machine = await Machine.open(t);
  await begin(machine);
  const one = await part(machine, 1);
  const two = await part(machine, 2);
  await complete(machine, [
    [1, one.id],
    [2, two.id],
  ]);
  const value = { bucketId: 1, targets: [{ key: key("k") }] };
  await machine.execute({ case: "deleteObjects", value });
  const after = await stats(machine);
  assert.deepEqual([after.garbageEntries, after.versions, after.bytes], [2n, 0n, 0n]);
  await machine.audit();
});

test("a missing, replaced or resized part refuses the whole completion", async (t) => {
  const machine = await Machine.open(t);
  await begin(machine);
  const old = await part(machine, 1);
  const one = await part(machine, 1);
  const replaced = await complete(machine, [[1, old.id]]);
  assert.equal(replaced.outcome, Outcome.INVALID_PART);
  const missing = await complete(machine, [
    [1, one.id],
    [2, one.id],
  ]);
  assert.equal(missing.outcome, Outcome.INVALID_PART);
  const sized = [{ partNumber: 1, size: 999n, manifestId: one.id }];
  const version = { size: 999n, etag: "x" };
  const resized = await complete(machine, [[1, one.id]], { parts: sized, version });
  assert.equal(resized.outcome, Outcome.INVALID_PART);
  assert.equal((await stats(machine)).uploads, 1n);
  assert.equal((await complete(machine, [[1, one.id]])).outcome, Outcome.OK);
});

test("the same completion again is answered alike, another one is not", async (t) => {
  const machine = await Machine.open(t);
  await begin(machine);
  const one = await part(machine, 1);
  const first = await complete(machine, [[1, one.id]]);
  const again = await complete(machine, [[1, one.id]]);
  assert.ok(first.kind.case === "completeUpload" && again.kind.case === "completeUpload");
  assert.equal(again.outcome, Outcome.OK);
  assert.equal(Buffer.compare(again.kind.value.versionId, first.kind.value.versionId), 0);
  assert.equal(again.kind.value.earlier?.etag, "multi-2");
  assert.equal((await stats(machine)).versions, 1n);
  const other = await complete(machine, [[1, one.id]], { partsDigest: Buffer.from("other") });
  assert.equal(other.outcome, Outcome.NO_SUCH_UPLOAD);
  const answer = await upload(machine);
  assert.equal(answer.upload, undefined);
  assert.equal(answer.completed?.size, 1000n);
  assert.equal((await begin(machine)).outcome, Outcome.EXISTS);
});

test("completed uploads are forgotten after a day", async (t) => {
  const machine = await Machine.open(t);
  await begin(machine);
  const one = await part(machine, 1);
  await complete(machine, [[1, one.id]]);
  machine.nowMs += 25 * 3600_000;
  const uploadId = idOf(2, 11);
  await begin(machine, "k", uploadId);
  const two = await part(machine, 1, { uploadId });
  assert.equal((await upload(machine)).completed?.etag, "multi-2");
  const reply = await complete(machine, [[1, two.id]], { uploadId });
  assert.equal(reply.outcome, Outcome.OK);
  assert.equal((await upload(machine)).completed, undefined);
  await machine.audit();
});

test("a false condition refuses the completion and leaves the upload", async (t) => {
  const machine = await Machine.open(t);
  await begin(machine);
  const one = await part(machine, 1);
  const absent = { condition: { ifMatch: ["x"] } };
  assert.equal((await complete(machine, [[1, one.id]], absent)).outcome, Outcome.NO_SUCH_KEY);
  assert.equal((await stats(machine)).uploads, 1n);
  const fine = { condition: { ifAbsent: true } };
  assert.equal((await complete(machine, [[1, one.id]], fine)).outcome, Outcome.OK);
});

test("aborting frees every part; the cleaner only aborts what nobody touched", async (t) => {
  const machine = await Machine.open(t);
  assert.equal((await abort(machine)).outcome, Outcome.NO_SUCH_UPLOAD);
  await begin(machine);
  await part(machine, 1);
  await part(machine, 7);
  const touched = (await upload(machine)).upload?.touchedMs ?? 0n;
  const early = await abort(machine, { ifUntouchedSinceMs: touched - 1n });
  assert.equal(early.outcome, Outcome.CONFLICT);
  assert.equal((await abort(machine, { ifUntouchedSinceMs: touched })).outcome, Outcome.OK);
  const { uploads, garbageEntries } = await stats(machine);
  assert.deepEqual([uploads, garbageEntries], [0n, 2n]);
  assert.equal((await part(machine, 1)).reply.outcome, Outcome.NO_SUCH_UPLOAD);
  await machine.audit();
});

test("uploads of a sealed bucket can only be aborted", async (t) => {
  const machine = await Machine.open(t);
  await begin(machine);
  const one = await part(machine, 1);
  await machine.execute({ case: "sealBucket", value: { bucketId: 1 } });
  assert.equal((await part(machine, 2)).reply.outcome, Outcome.SEALED);
  assert.equal((await complete(machine, [[1, one.id]])).outcome, Outcome.SEALED);
  assert.equal((await begin(machine, "x", idOf(5))).outcome, Outcome.SEALED);
  await assert.rejects(upload(machine), { code: "sealed" });
  const value = { untouchedSinceMs: BigInt(machine.nowMs), limit: 10 };
  const { uploads } = await machine.query({ case: "listUploads", value });
  assert.equal(uploads.length, 1);
  assert.equal((await abort(machine)).outcome, Outcome.OK);
});

test("an upload of ten thousand parts is completed and deleted in one command each", async (t) => {
  const machine = await Machine.open(t);
  await begin(machine);
  const parts: [number, Uint8Array][] = [];
  const datas: Uint8Array[] = [];
  for (let number = 1; number <= 10_000; number += 1) {
    const id = manifestId(machine.nowMs, number);
    parts.push([number, id]);
    const manifest = manifestOf({ key: key("k"), id });
    const piece = { partNumber: number, size: manifest.size, manifestId: id };
    const value = { bucketId: 1, key: key("k"), uploadId: UPLOAD, part: piece, manifest };
    datas.push(machine.entry({ case: "putPart", value }));
  }
  for (let at = 0; at < datas.length; at += 1000) {
    await machine.applyData(datas.slice(at, at + 1000));
  }
  const listed = { bucketId: 1, key: key("k"), uploadId: UPLOAD, limit: 2000 };
  const page = await machine.query({
    case: "listParts",
    value: { ...listed, afterPartNumber: 9_500 },
  });
  assert.deepEqual([page.parts.length, page.truncated], [500, false]);
  const long = await machine.query({ case: "listParts", value: listed });
  assert.deepEqual([long.parts.length, long.truncated], [1000, true]);
  assert.equal((await complete(machine, parts)).outcome, Outcome.OK);
  const answer = await machine.query({
    case: "getObject",
    value: { bucketId: 1, key: key("k"), withBody: true },
  });
  assert.deepEqual([answer.partList?.parts.length, answer.manifests.length], [10_000, 100]);
  const value = { bucketId: 1, targets: [{ key: key("k") }] };
  await machine.execute({ case: "deleteObjects", value });
  assert.equal((await stats(machine)).garbageEntries, 10_000n);
  await machine.audit();
});

test("uploads are listed by key and id, with common prefixes and markers", async (t) => {
  const machine = await Machine.open(t);
  for (const [at, name] of ["a/1", "a/2", "b", "b", "c/1", "d"].entries()) {
    await begin(machine, name, idOf(at, 3));
  }
  await begin(machine, "other", idOf(99, 3), 2);
  const list = async (query: object) => {
    const answer = await machine.query({
      case: "listUploads",
      value: { bucketId: 1, limit: 100, ...query },
    });
    const uploads = answer.uploads.map((one) => Buffer.from(one.key).toString("latin1"));
    const prefixes = answer.commonPrefixes.map((one) => Buffer.from(one).toString("latin1"));
    return { uploads, prefixes, answer };
  };
  assert.deepEqual((await list({})).uploads, ["a/1", "a/2", "b", "b", "c/1", "d"]);
  const delimiter = key("/");
  const grouped = await list({ delimiter });
  assert.deepEqual(
    [grouped.uploads, grouped.prefixes],
    [
      ["b", "b", "d"],
      ["a/", "c/"],
    ],
  );
  assert.deepEqual((await list({ prefix: key("a/") })).uploads, ["a/1", "a/2"]);
  assert.deepEqual((await list({ keyMarker: key("b") })).uploads, ["c/1", "d"]);
  assert.deepEqual((await list({ limit: 0 })).uploads, []);
  const seen: string[] = [];
  let keyMarker: Uint8Array = NONE;
  let uploadIdMarker: Uint8Array = NONE;
  for (let pages = 0; pages < 10; pages += 1) {
    const page = await list({ delimiter, limit: 1, keyMarker, uploadIdMarker });
    seen.push(...page.uploads, ...page.prefixes);
    if (!page.answer.truncated) break;
    keyMarker = page.answer.nextKeyMarker;
    uploadIdMarker = page.answer.nextUploadIdMarker;
  }
  assert.deepEqual(seen, ["a/", "b", "b", "c/", "d"]);
  await assert.rejects(list({ bucketId: 0 }), { code: "invalid" });
});

test("the cleaner pages through stale uploads of all buckets", async (t) => {
  const machine = await Machine.open(t);
  for (let at = 0; at < 7; at += 1) await begin(machine, `k${at % 2}`, idOf(at, 3), 1 + (at % 3));
  const untouchedSinceMs = BigInt(machine.nowMs);
  await begin(machine, "fresh", idOf(50, 3), 2);
  const seen = new Set<string>();
  let markers: object = {};
  for (let pages = 0; pages < 20; pages += 1) {
    const value = { untouchedSinceMs, limit: 2, ...markers };
    const page = await machine.query({ case: "listUploads", value });
    for (const one of page.uploads) seen.add(Buffer.from(one.uploadId).toString("hex"));
    if (!page.truncated) break;
    markers = { keyMarker: page.nextKeyMarker, uploadIdMarker: page.nextUploadIdMarker };
  }
  assert.equal(seen.size, 7);
});
