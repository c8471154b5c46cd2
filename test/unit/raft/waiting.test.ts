// Proposals and reads while they wait: who is told what, in which order, and where the bounds are.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isStoreError, StoreError } from "../../../services/lib/base/errors.ts";
import { decodeConfState, encodeConfState } from "../../../services/lib/raft/conf-state.ts";
import { Proposals, QUEUED_PROPOSALS_MAX } from "../../../services/lib/raft/proposals.ts";
import { ReadBarriers } from "../../../services/lib/raft/read-barriers.ts";

const LIMITS = { deadlineMs: 1000 };
const code = (wanted: StoreError["code"]) => (error: unknown) => isStoreError(error, wanted);
const bytes = (text: string): Uint8Array => Buffer.from(text);

/** A promise's fate as far as it is known after all callbacks ran. */
async function fate(promise: Promise<unknown>): Promise<string> {
  const settled = promise.then(
    () => "done",
    (error: unknown) => (error instanceof StoreError ? error.code : "untyped"),
  );
  return Promise.race([settled, new Promise<string>((resolve) => setImmediate(resolve, "waits"))]);
}

test("a proposal is done when its entry is applied, refused when another is", async () => {
  const proposals = new Proposals();
  const waits = ["a", "b", "c"].map((text) => proposals.add(bytes(text), LIMITS, 0));
  proposals.appended(proposals.take(), 7, 3);
  proposals.applied(7, 3, bytes("ra"));
  proposals.applied(8, 4, bytes("other"));
  assert.deepEqual(await waits[0], { index: 7, reply: bytes("ra") });
  await assert.rejects(waits[1] ?? Promise.resolve(), code("not-leader"));
  assert.equal(await fate(waits[2] ?? Promise.resolve()), "waits");
  proposals.close(new StoreError("unavailable", "stop"));
  await assert.rejects(waits[2] ?? Promise.resolve(), code("timeout"));
});

test("what was not appended is refused as not done, what was is unknown", async () => {
  const proposals = new Proposals();
  const appended = proposals.add(bytes("a"), LIMITS, 0);
  proposals.appended(proposals.take(), 1, 1);
  const queued = proposals.add(bytes("b"), LIMITS, 0);
  proposals.close(new StoreError("unavailable", "stop"));
  assert.equal(await fate(appended), "timeout");
  assert.equal(await fate(queued), "unavailable");
});

test("a proposal replaced at its index on this node only is unknown", async () => {
  const proposals = new Proposals();
  const first = proposals.add(bytes("a"), LIMITS, 0);
  proposals.appended(proposals.take(), 5, 2);
  const second = proposals.add(bytes("b"), LIMITS, 0);
  proposals.appended(proposals.take(), 5, 4);
  assert.equal(await fate(first), "timeout");
  assert.equal(await fate(second), "waits");
});

test("a snapshot over an entry leaves its proposal unknown", async () => {
  const proposals = new Proposals();
  const waits = ["a", "b"].map((text) => proposals.add(bytes(text), LIMITS, 0));
  proposals.appended(proposals.take(), 5, 2);
  proposals.skipped(5);
  assert.deepEqual(await Promise.all(waits.map(fate)), ["timeout", "waits"]);
});

test("deadlines end waits, and a lost leadership shortens them", async () => {
  const proposals = new Proposals();
  const long = proposals.add(bytes("a"), { deadlineMs: 60_000 }, 0);
  proposals.appended(proposals.take(), 1, 1);
  const queued = proposals.add(bytes("b"), LIMITS, 0);
  proposals.expire(999);
  assert.deepEqual([await fate(long), await fate(queued)], ["waits", "waits"]);
  proposals.expire(1000);
  assert.equal(await fate(queued), "timeout");
  proposals.hurry(2000);
  proposals.expire(2000);
  assert.equal(await fate(long), "timeout");
  assert.equal(proposals.pending, 0);
});

test("the queue is bounded", async () => {
  const proposals = new Proposals();
  const waits = Array.from({ length: QUEUED_PROPOSALS_MAX }, () =>
    proposals.add(bytes("x"), LIMITS, 0),
  );
  await assert.rejects(proposals.add(bytes("x"), LIMITS, 0), code("exhausted"));
  proposals.expire(5000);
  await Promise.allSettled(waits);
  assert.equal(await fate(proposals.add(bytes("x"), LIMITS, 5000)), "waits");
});

test("an aborted proposal is never appended", async () => {
  const proposals = new Proposals();
  const controller = new AbortController();
  const aborted = proposals.add(bytes("a"), { ...LIMITS, signal: controller.signal }, 0);
  const kept = proposals.add(bytes("b"), LIMITS, 0);
  controller.abort();
  await assert.rejects(aborted, code("aborted"));
  assert.deepEqual(
    proposals.take().map((one) => Buffer.from(one.data).toString()),
    ["b"],
  );
  assert.equal(await fate(kept), "waits");
});

test("reads of one turn share a round; later ones never join one already asked", async () => {
  const reads = new ReadBarriers(100);
  const asked: Uint8Array[] = [];
  const ask = (context: Uint8Array) => {
    asked.push(context);
    return "asked" as const;
  };
  const first = [reads.add(LIMITS, 0), reads.add(LIMITS, 0)];
  reads.flush(ask, 0);
  const later = reads.add(LIMITS, 0);
  assert.equal(asked.length, 1);
  reads.answered(asked[0] ?? bytes(""), 10, 9);
  assert.equal(await fate(first[0] ?? later), "waits");
  reads.applied(10);
  assert.deepEqual(await Promise.all(first.map(fate)), ["done", "done"]);
  assert.equal(await fate(later), "waits");
  reads.flush(ask, 0);
  assert.equal(asked.length, 2);
  reads.answered(asked[1] ?? bytes(""), 10, 10);
  assert.equal(await fate(later), "done");
});

test("a lost round is asked again; its late answer counts for nothing", async () => {
  const reads = new ReadBarriers(100);
  const asked: Uint8Array[] = [];
  const ask = (context: Uint8Array) => {
    asked.push(context);
    return "asked" as const;
  };
  const read = reads.add(LIMITS, 0);
  reads.flush(ask, 0);
  reads.expire(100);
  reads.flush(ask, 100);
  assert.equal(asked.length, 2);
  reads.answered(asked[0] ?? bytes(""), 1, 1);
  assert.equal(await fate(read), "waits");
  reads.answered(asked[1] ?? bytes(""), 1, 1);
  assert.equal(await fate(read), "done");
});

test("reads wait while nobody can be asked, until their deadline", async () => {
  const reads = new ReadBarriers(100);
  const read = reads.add(LIMITS, 0);
  reads.flush(() => "no-leader", 0);
  reads.flush(() => "not-ready", 10);
  assert.equal(await fate(read), "waits");
  reads.expire(1000);
  await assert.rejects(read, code("timeout"));
});

test("a membership survives encoding; other bytes are corrupt", () => {
  const membership = {
    voters: [1, 2 ** 48],
    learners: [7],
    votersOutgoing: [3],
    learnersNext: [9],
    autoLeave: true,
  };
  assert.deepEqual(decodeConfState(encodeConfState(membership)), membership);
  assert.throws(() => decodeConfState(bytes("\xff\xff")), code("corrupt"));
});
