// The state machine as Raft drives it: batches, replies to repeated commands, snapshots and
// restores, the digest, and bad bytes.
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { Versioning } from "../../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import { Outcome } from "../../../services/lib/gen/dolium/record/v1/command_pb.ts";
import { decodeChecked, encodeChecked } from "../../../services/metadata/state/checked-value.ts";
import { Digest } from "../../../services/metadata/state/digest.ts";
import { GroupState } from "../../../services/metadata/state/group-state.ts";
import { headKey, TABLE } from "../../../services/metadata/state/keys.ts";
import { readSnapshot, snapshotChunks } from "../../../services/metadata/state/snapshot-stream.ts";
import { type CommandKind, idOf, key, Machine, stateDeps, temporaryFolder } from "./harness.ts";

function inline(name: string, text = name) {
  const body = { case: "inline" as const, value: Buffer.from(text) };
  const version = { size: BigInt(text.length), etag: text, body };
  const value = { bucketId: 1, key: key(name), version };
  return { case: "putObject" as const, value };
}

async function etag(machine: Machine, name: string): Promise<string | undefined> {
  const value = { bucketId: 1, key: key(name) };
  return (await machine.query({ case: "getObject", value })).version?.etag;
}

async function* once(chunks: readonly Uint8Array[]): AsyncIterable<Uint8Array> {
  yield* chunks;
}

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return all;
}

test("a new state stands at index 0 and holds nothing", async (t) => {
  const { state } = await Machine.open(t);
  assert.deepEqual([state.appliedIndex, state.appliedTerm, state.confState().length], [0, 0, 0]);
  await state.audit(async () => undefined);
});

test("index, term and membership come back after a restart", async (t) => {
  const folder = join(await temporaryFolder(t), "group");
  const machine = await Machine.open(t, folder);
  await machine.execute(inline("a"));
  const confState = Buffer.from("members");
  const entries = [
    { index: 2, term: 3, kind: "members" as const, data: Buffer.from("x"), confState },
    { index: 3, term: 3, kind: "normal" as const, data: new Uint8Array(0) },
  ];
  const replies = await machine.state.apply(entries);
  assert.deepEqual(
    replies.map((reply) => reply.length),
    [0, 0],
  );
  assert.equal(await machine.state.flush(), 3);
  await machine.state.close();
  machine.state = await GroupState.open(stateDeps, folder);
  const { appliedIndex, appliedTerm } = machine.state;
  assert.deepEqual([appliedIndex, appliedTerm], [3, 3]);
  assert.equal(Buffer.compare(machine.state.confState(), confState), 0);
  assert.equal(await etag(machine, "a"), "a");
  await machine.audit();
  await machine.state.close();
});

test("entries out of order are our mistake", async (t) => {
  const { state } = await Machine.open(t);
  const entry = { index: 2, term: 1, kind: "normal" as const, data: new Uint8Array(0) };
  await assert.rejects(state.apply([entry]), /out of order/);
});

test("a command that comes again is answered from memory and not applied", async (t) => {
  const machine = await Machine.open(t);
  await machine.setVersioning(Versioning.ENABLED);
  const commandId = idOf(1);
  const first = await machine.execute(inline("a", "one"), commandId);
  await machine.execute(inline("a", "two"));
  const again = await machine.execute(inline("a", "one"), commandId);
  assert.deepEqual(again, first);
  assert.equal(await etag(machine, "a"), "two");
  const [same, twice] = await machine.applyData([
    machine.entry(inline("b"), idOf(2)),
    machine.entry(inline("b"), idOf(2)),
  ]);
  assert.deepEqual(same, twice);
  assert.equal((await machine.query({ case: "groupStats", value: {} })).versions, 3n);
});

test("replies are forgotten after ten minutes, a few with each command", async (t) => {
  const machine = await Machine.open(t);
  await machine.setVersioning(Versioning.ENABLED);
  const commandId = idOf(1);
  await machine.execute(inline("a"), commandId);
  for (let at = 0; at < 6; at += 1) await machine.execute(inline("b"));
  machine.nowMs += 599_000;
  await machine.execute(inline("a"), commandId);
  const versions = async () => (await machine.query({ case: "groupStats", value: {} })).versions;
  assert.equal(await versions(), 7n);
  machine.nowMs += 60_000;
  await machine.execute(inline("c"));
  await machine.execute(inline("a"), commandId);
  assert.equal(await versions(), 9n);
  await machine.audit();
});

test("malformed commands are refused and change nothing else", async (t) => {
  const machine = await Machine.open(t);
  const bad: CommandKind[] = [
    inline(""),
    { case: "putObject" as const, value: { bucketId: 1, key: key("k") } },
    { case: "sealBucket" as const, value: {} },
    { case: "createUpload" as const, value: {} },
    { case: "putPart" as const, value: { bucketId: 1, key: key("k"), uploadId: idOf(1) } },
  ];
  for (const kind of bad) {
    const reply = await machine.execute(kind);
    assert.equal(reply.outcome, Outcome.UNSPECIFIED);
    assert.notEqual(reply.message, "");
  }
  const short = await machine.execute(inline("k"), Buffer.alloc(3));
  assert.equal(short.outcome, Outcome.UNSPECIFIED);
  assert.equal(await etag(machine, "k"), undefined);
});

test("the same log gives the same digest, however it is cut into batches", async (t) => {
  const machines = [await Machine.open(t), await Machine.open(t), await Machine.open(t)];
  const [writer] = machines;
  assert.ok(writer !== undefined);
  const datas: Uint8Array[] = [];
  for (let at = 0; at < 60; at += 1) {
    writer.nowMs += at % 7 === 0 ? 700_000 : 1;
    const mark = { case: "digestMark" as const, value: {} };
    datas.push(writer.entry(at % 11 === 5 ? mark : inline(`k${at % 9}`)));
  }
  const digests = [];
  for (const [at, machine] of machines.entries()) {
    const size = [1, 7, 60][at] ?? 1;
    const replies = [];
    for (let from = 0; from < datas.length; from += size) {
      replies.push(...(await machine.applyData(datas.slice(from, from + size))));
    }
    await machine.audit();
    const { digest, markedIndex, markedDigest } = machine.state.mark;
    assert.equal(markedIndex, 50n);
    digests.push([digest, markedDigest, replies].map((one) => JSON.stringify(one, bigints)));
  }
  assert.deepEqual(digests[0], digests[1]);
  assert.deepEqual(digests[0], digests[2]);
});

const bigints = (_: string, value: unknown): unknown =>
  typeof value === "bigint" ? String(value) : value;

test("a snapshot carries everything, and only what was there when it was taken", async (t) => {
  const machine = await Machine.open(t);
  await machine.setVersioning(Versioning.ENABLED);
  const log = { bucketId: 1, log: { lines: ["line"] } };
  await machine.execute({ case: "appendAccessLog", value: log });
  for (let at = 0; at < 300; at += 1) await machine.execute(inline(`k${at}`, "x".repeat(at * 30)));
  const snapshot = await machine.state.snapshot();
  await machine.execute(inline("later"));
  const chunks = await collect(snapshot.chunks());
  assert.ok(chunks.length > 1 && chunks.every((chunk) => chunk.byteLength <= 512 * 1024));
  assert.deepEqual(await collect(snapshot.chunks()), chunks, "it can be read again");
  const other = await Machine.open(t);
  await other.execute(inline("own"));
  const point = { index: snapshot.index, term: snapshot.term, confState: Buffer.from("c") };
  await other.state.restore(point, once(chunks));
  await snapshot.close();
  assert.equal(other.state.appliedIndex, 302);
  assert.equal(await etag(other, "own"), undefined);
  assert.equal(await etag(other, "later"), undefined);
  const value = { bucketId: 1, key: key("k299"), withBody: true };
  const { version } = await other.query({ case: "getObject", value });
  assert.equal(version?.body.value?.length, 299 * 30);
  const { entries } = await other.query({ case: "listOutbox", value: { limit: 10 } });
  assert.equal(entries.length, 1);
  assert.equal(await other.recordsOf(TABLE.bucketState), 1);
  await other.audit();
  const next = [inline("more"), inline("k1", "new")];
  const one = await machine.applyData(next.map((kind) => machine.entry(kind)));
  assert.equal(one.length, 2);
});

test("a snapshot that is cut short or changed leaves the former state as it was", async (t) => {
  const machine = await Machine.open(t);
  for (let at = 0; at < 50; at += 1) await machine.execute(inline(`k${at}`));
  const snapshot = await machine.state.snapshot();
  const whole = Buffer.concat(await collect(snapshot.chunks()));
  await snapshot.close();
  const folder = join(await temporaryFolder(t), "group");
  const other = await Machine.open(t, folder);
  await other.execute(inline("own"));
  const point = { index: 50, term: 1, confState: Buffer.from("c") };
  const attempt = (bytes: Uint8Array) => other.state.restore(point, once([bytes]));
  for (const length of [1, 8, 20, whole.length - 1, whole.length - 20]) {
    await assert.rejects(attempt(whole.subarray(0, length)), { code: "corrupt" });
  }
  await assert.rejects(attempt(Buffer.concat([whole, Buffer.from("x")])), { code: "corrupt" });
  for (let at = 0; at < whole.length; at += 97) {
    const bad = Buffer.from(whole);
    bad[at] = (bad[at] ?? 0) ^ 0x20;
    await assert.rejects(attempt(bad), { code: "corrupt" });
  }
  assert.equal(await etag(other, "own"), "own");
  assert.equal((await readdir(folder)).filter((name) => name.startsWith("state-")).length, 1);
  await other.execute(inline("own", "two"));
  await other.audit();
  await other.state.restore(point, once([]));
  assert.deepEqual([other.state.appliedIndex, await etag(other, "own")], [50, undefined]);
  await other.audit();
  await other.state.close();
});

test("a store left by a restore that did not end is removed on opening", async (t) => {
  const folder = join(await temporaryFolder(t), "group");
  const machine = await Machine.open(t, folder);
  await machine.execute(inline("a"));
  await machine.state.close();
  const left = await stateDeps.kvFactory.open(`${folder}/state-2`);
  await left.write([{ type: "put", key: key("x"), value: key("y") }], { sync: true });
  await left.close();
  machine.state = await GroupState.open(stateDeps, folder);
  assert.equal(await etag(machine, "a"), "a");
  assert.deepEqual((await readdir(folder)).sort(), ["current", "state-1"]);
  await machine.state.close();
});

test("a pointer or store that is gone is corrupt, not a new state", async (t) => {
  const folder = join(await temporaryFolder(t), "group");
  const machine = await Machine.open(t, folder);
  await machine.execute(inline("a"));
  await machine.state.close();
  await stateDeps.kvFactory.destroy(`${folder}/state-1`);
  await assert.rejects(GroupState.open(stateDeps, folder), { code: "corrupt" });
});

test("closing ends long readers as unavailable, and waits for short ones", async (t) => {
  const machine = await Machine.open(t);
  for (let at = 0; at < 50; at += 1) await machine.execute(inline(`k${at}`, "x".repeat(30_000)));
  const snapshot = await machine.state.snapshot();
  const reading = snapshot.chunks()[Symbol.asyncIterator]();
  await reading.next();
  await machine.state.close();
  const drain = async (): Promise<void> => {
    for (;;) if ((await reading.next()).done === true) return;
  };
  await assert.rejects(drain(), { code: "unavailable" });
  await snapshot.close();
  await assert.rejects(
    machine.state.read(() => 1),
    { code: "unavailable" },
  );
});

test("a value that changed, or stands under another key, is noticed by reads and audits", async (t) => {
  const folder = join(await temporaryFolder(t), "group");
  for (const how of ["flip", "swap", "old", "lost"] as const) {
    const machine = await Machine.open(t, `${folder}-${how}`);
    await machine.execute(inline("a"));
    await machine.execute(inline("b"));
    await machine.state.close();
    const kv = await stateDeps.kvFactory.open(`${folder}-${how}/state-1`);
    const [a, b] = [headKey(1, key("a")), headKey(1, key("b"))];
    const [one, two] = [kv.get(a), kv.get(b)];
    assert.ok(one !== undefined && two !== undefined);
    const flipped = Buffer.from(one);
    flipped[9] = (flipped[9] ?? 0) ^ 1;
    const old = encodeChecked(a, decodeChecked(b, two));
    const value = { flip: flipped, swap: two, old, lost: undefined }[how];
    await kv.write([
      value === undefined ? { type: "delete", key: a } : { type: "put", key: a, value },
    ]);
    await kv.close();
    machine.state = await GroupState.open(stateDeps, `${folder}-${how}`);
    if (how === "flip" || how === "swap") {
      await assert.rejects(etag(machine, "a"), { code: "corrupt" });
      await assert.rejects(machine.execute(inline("a")), { code: "corrupt" });
    }
    await assert.rejects(machine.audit(), { code: "corrupt" });
    const { damage } = machine.state;
    assert.equal(damage?.code, "corrupt");
    await machine.state.close();
  }
});

test("checked values hold any payload, and only under their own key", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1 }), fc.uint8Array(), fc.nat(), (name, payload, at) => {
      const stored = encodeChecked(name, payload);
      assert.equal(Buffer.compare(decodeChecked(name, stored), payload), 0);
      const bad = Buffer.from(stored);
      const byte = at % bad.length;
      bad[byte] = (bad[byte] ?? 0) ^ (1 << (at % 8));
      assert.throws(() => decodeChecked(name, bad), { code: "corrupt" });
      const other = Buffer.concat([name, Uint8Array.of(0)]);
      assert.throws(() => decodeChecked(other, stored), { code: "corrupt" });
    }),
  );
  assert.throws(() => decodeChecked(key("k"), Uint8Array.of(1, 2)), { code: "corrupt" });
});

test("a digest depends on what is in the set, not on the order or the way there", () => {
  const entries = fc.uniqueArray(fc.tuple(fc.uint8Array({ minLength: 1 }), fc.uint8Array()), {
    selector: ([name]) => Buffer.from(name).toString("hex"),
    minLength: 1,
  });
  fc.assert(
    fc.property(entries, fc.nat(), (set, at) => {
      const stored = set.map(([name, payload]) => [name, encodeChecked(name, payload)] as const);
      const [forwards, backwards, without] = [new Digest(), new Digest(), new Digest()];
      for (const [name, value] of stored) forwards.add(name, value);
      for (const [name, value] of stored.toReversed()) backwards.add(name, value);
      assert.deepEqual(forwards.bytes(), backwards.bytes());
      const gone = at % stored.length;
      stored.forEach(([name, value], index) => {
        if (index !== gone) without.add(name, value);
      });
      assert.notDeepEqual(without.bytes(), forwards.bytes());
      const [name, value] = stored[gone] ?? assert.fail();
      const resumed = new Digest(forwards.bytes());
      resumed.subtract(name, value);
      assert.deepEqual(resumed.bytes(), without.bytes());
    }),
  );
});

test("a snapshot stream of nothing is the empty state", async (t) => {
  const machine = await Machine.open(t);
  const reader = readSnapshot(once([]));
  assert.deepEqual((await reader.next()).value, new Digest().bytes());
  const chunks = await machine.state.read((view) => collect(snapshotChunks(view)));
  const again = readSnapshot(once(chunks));
  assert.deepEqual((await again.next()).value, new Digest().bytes());
});
