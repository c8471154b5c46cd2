// The pace of a request body: idle and slow clients are cut, a slow consumer is not blamed on the
// client.
import assert from "node:assert/strict";
import { test } from "node:test";
import { RequestBody } from "../../../services/gateway/data/request-body.ts";
import type { Clock } from "../../../services/lib/ports/clock.ts";
import { isS3Error } from "../../../services/lib/s3/errors.ts";

const PACE = { idleTimeoutMs: 1000, minimumBytesPerSecond: 100, rateWindowMs: 2000 };

/** A clock that stands still until it is told to move. */
class HandClock implements Clock {
  nowMs = 0;
  readonly #timers = new Map<object, { readonly dueMs: number; readonly run: () => void }>();

  wallMs(): number {
    return this.nowMs;
  }

  monotonicMs(): number {
    return this.nowMs;
  }

  sleep(): Promise<void> {
    throw new Error("nobody sleeps here");
  }

  after(ms: number, run: () => void): { cancel(): void } {
    const id = {};
    this.#timers.set(id, { dueMs: this.nowMs + ms, run });
    return { cancel: () => this.#timers.delete(id) };
  }

  move(ms: number): void {
    this.nowMs += ms;
    for (const [id, { dueMs, run }] of [...this.#timers]) {
      if (dueMs > this.nowMs || !this.#timers.delete(id)) continue;
      run();
    }
  }
}

interface Piece {
  readonly bytes: number;
  /** Time the client takes for it. */
  readonly ms: number;
}

function bodyOf(
  clock: HandClock,
  pieces: readonly Piece[],
): { body: RequestBody; starts: number[] } {
  const starts: number[] = [];
  async function* views(): AsyncGenerator<Uint8Array> {
    for (const { bytes, ms } of pieces) {
      clock.move(ms);
      // Let an expired timer win, as it would on a socket.
      await new Promise(setImmediate);
      yield new Uint8Array(bytes);
    }
  }
  const body = new RequestBody({
    views: () => views()[Symbol.asyncIterator](),
    contentLength: pieces.reduce((sum, { bytes }) => sum + bytes, 0),
    isChunked: false,
    onStart: () => starts.push(clock.nowMs),
    clock,
    pace: PACE,
  });
  return { body, starts };
}

async function readAll(body: RequestBody, perView: () => void = () => undefined): Promise<number> {
  let bytes = 0;
  for await (const view of body.read()) {
    bytes += view.byteLength;
    perView();
  }
  return bytes;
}

function isTimeout(error: unknown): boolean {
  return isS3Error(error, "RequestTimeout");
}

test("reads a body that keeps its pace", async () => {
  const clock = new HandClock();
  const { body, starts } = bodyOf(clock, Array(10).fill({ bytes: 100, ms: 500 }));
  assert.equal(body.isFinished, false);
  assert.equal(await readAll(body), 1000);
  assert.equal(body.isFinished, true);
  assert.equal(body.receivedBytes, 1000);
  assert.equal(starts.length, 1);
});

test("cuts a body that stops", async () => {
  const clock = new HandClock();
  const { body } = bodyOf(clock, [
    { bytes: 100, ms: 10 },
    { bytes: 100, ms: 1001 },
  ]);
  await assert.rejects(readAll(body), isTimeout);
  assert.equal(body.isFinished, false);
});

test("cuts a body that trickles, though it never stops", async () => {
  const { body } = bodyOf(new HandClock(), Array(100).fill({ bytes: 1, ms: 900 }));
  await assert.rejects(readAll(body), isTimeout);
  assert.ok(body.receivedBytes <= 3);
});

test("does not count the time our own side takes", async () => {
  const clock = new HandClock();
  const { body } = bodyOf(clock, Array(5).fill({ bytes: 100, ms: 10 }));
  assert.equal(await readAll(body, () => clock.move(60_000)), 500);
});

test("an empty body is finished and never started", async () => {
  const { body, starts } = bodyOf(new HandClock(), []);
  assert.equal(body.isEmpty, true);
  assert.equal(body.isFinished, true);
  assert.equal(await readAll(body), 0);
  assert.deepEqual(starts, []);
});

test("discards within its bounds", async () => {
  const short = bodyOf(new HandClock(), Array(5).fill({ bytes: 100, ms: 0 })).body;
  await short.discard(10_000, 1000);
  assert.equal(short.isFinished, true);
  const long = bodyOf(new HandClock(), Array(500).fill({ bytes: 100, ms: 0 })).body;
  await long.discard(1000, 1000);
  assert.equal(long.isFinished, false);
  const slow = bodyOf(new HandClock(), Array(500).fill({ bytes: 100, ms: 400 })).body;
  await slow.discard(1_000_000, 1000);
  assert.equal(slow.isFinished, false);
});
