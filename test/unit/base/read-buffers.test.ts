// Memory of reads is used again when every byte of it was given back, and not before; that of
// messages is freed then.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  adoptRead,
  giveBackRead,
  READ_BUFFER_BYTES_MIN,
  takeReadBuffer,
} from "../../../services/lib/base/read-buffers.ts";

/** A length that no other test takes. */
const LENGTH = READ_BUFFER_BYTES_MIN + 12_345;

test("a buffer comes again when all its bytes were given back, in whatever pieces", () => {
  const taken = takeReadBuffer(LENGTH);
  giveBackRead(taken.subarray(1000));
  assert.notEqual(takeReadBuffer(LENGTH).buffer, taken.buffer, "some bytes are still to be read");
  giveBackRead(new Uint8Array(taken.buffer, 0, 400));
  giveBackRead(taken.subarray(400, 999));
  assert.notEqual(takeReadBuffer(LENGTH).buffer, taken.buffer, "one byte is still to be read");
  giveBackRead(taken.subarray(999, 1000));
  const again = takeReadBuffer(LENGTH);
  assert.equal(again.buffer, taken.buffer);
  assert.equal(again.byteLength, LENGTH);
  assert.notEqual(takeReadBuffer(LENGTH).buffer, taken.buffer, "it is in use again");
});

test("what is given back twice while some of it is in use is a fault, and said so", () => {
  const taken = takeReadBuffer(LENGTH);
  giveBackRead(taken.subarray(0, LENGTH - 10));
  assert.throws(() => giveBackRead(taken.subarray(0, 20)), /more given back than taken/);
});

test("other memory, and small memory, is left alone", () => {
  const other = new Uint8Array(LENGTH);
  giveBackRead(other);
  assert.notEqual(takeReadBuffer(LENGTH).buffer, other.buffer);
  const small = takeReadBuffer(READ_BUFFER_BYTES_MIN - 1);
  giveBackRead(small);
  assert.notEqual(takeReadBuffer(READ_BUFFER_BYTES_MIN - 1).buffer, small.buffer);
});

test("memory that came with a message is freed when all that was wanted of it was given back", () => {
  const message = new Uint8Array(LENGTH + 20);
  const wanted = message.subarray(8, 8 + LENGTH);
  adoptRead(wanted);
  giveBackRead(wanted.subarray(0, 1000));
  assert.equal(message.byteLength, LENGTH + 20, "the rest is still to be read");
  giveBackRead(wanted.subarray(1000));
  assert.equal(message.byteLength, 0);
  assert.notEqual(takeReadBuffer(LENGTH).byteLength, 0);
});

test("a buffer taken here stays one that is used again, though a message carried it", () => {
  const taken = takeReadBuffer(LENGTH);
  adoptRead(taken.subarray(0, LENGTH - 1000));
  giveBackRead(taken);
  assert.equal(takeReadBuffer(LENGTH).buffer, taken.buffer);
});

test("what is kept is bounded, and the memory of the rest is freed at once", () => {
  const many = Array.from({ length: 40 }, () => takeReadBuffer(2 ** 20));
  for (const buffer of many) giveBackRead(buffer);
  const known = new Set(many.map(({ buffer }) => buffer));
  const again = Array.from({ length: 40 }, () => takeReadBuffer(2 ** 20));
  assert.equal(again.filter(({ buffer }) => known.has(buffer)).length, 16);
  assert.equal(many.filter(({ byteLength }) => byteLength === 0).length, 24);
});
