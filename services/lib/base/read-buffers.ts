// Memory for large reads, used again: fresh memory costs page faults when it is filled and as much
// again when it is given back, together more than reading and checking what is in it. A buffer is
// free again when every one of its bytes was given back, each once, by whoever got it last. Nobody
// must: what is not given back in full is left to the garbage collector, so that who forgets costs
// time; but who gives back bytes that are still to be read serves wrong ones.
import { assert } from "./assert.ts";
import { FreeBuffers, freeMemory } from "./free-buffers.ts";

/** Smaller ones are not worth it. */
export const READ_BUFFER_BYTES_MIN = 128 * 1024;
/** Free buffers of this process. */
const KEPT_BYTES_MAX = 16 * 1024 * 1024;

const free = new FreeBuffers<Uint8Array>();
/** Bytes that were not given back yet, of buffers that are in use. */
const outstanding = new WeakMap<ArrayBufferLike, number>();
/** Memory that came with a message: it is freed, not used again. */
const adopted = new WeakSet<ArrayBufferLike>();

/** A buffer of its own memory with anything in it: the taker fills it before others see it. */
export function takeReadBuffer(byteLength: number): Uint8Array {
  if (byteLength < READ_BUFFER_BYTES_MIN) return new Uint8Array(byteLength);
  const buffer = free.take(byteLength) ?? Buffer.allocUnsafeSlow(byteLength);
  assert(buffer.byteLength === buffer.buffer.byteLength, "read buffers: memory of its own");
  outstanding.set(buffer.buffer, byteLength);
  return buffer;
}

/**
 * Nobody reads the bytes of `view` any more, nor any other view of them; told once of each byte.
 * Does nothing for memory that was not taken here.
 */
export function giveBackRead(view: Uint8Array): void {
  const { buffer } = view;
  const before = outstanding.get(buffer);
  if (before === undefined) return;
  const left = before - view.byteLength;
  assert(left >= 0, "read buffers: more given back than taken");
  if (left > 0) {
    outstanding.set(buffer, left);
    return;
  }
  outstanding.delete(buffer);
  if (adopted.delete(buffer)) {
    freeMemory(new Uint8Array(buffer));
    return;
  }
  free.put(new Uint8Array(buffer));
  free.shrinkTo(KEPT_BYTES_MAX);
}

/**
 * `view` is what is wanted of a message's own memory: that is freed once all of `view` was given
 * back.
 */
export function adoptRead(view: Uint8Array): void {
  const { buffer } = view;
  if (view.byteLength < READ_BUFFER_BYTES_MIN || outstanding.has(buffer)) return;
  outstanding.set(buffer, view.byteLength);
  adopted.add(buffer);
}
