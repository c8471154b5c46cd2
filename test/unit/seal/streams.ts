// Bytes as streams of views, for tests of sealing.

/** `count` bytes from `first` upwards, wrapping at 256. */
export function run(first: number, count: number): Uint8Array {
  return Uint8Array.from({ length: count }, (_, at) => (first + at) & 255);
}

/**
 * `bytes` in views of these lengths, over and over. Every view lies in the same memory, which is
 * filled anew for each: a consumer that keeps one too long reads the wrong bytes.
 */
export async function* viewsOf(
  bytes: Uint8Array,
  lengths: readonly number[],
): AsyncGenerator<Uint8Array, void, undefined> {
  const memory = new Uint8Array(Math.max(1, ...lengths));
  let at = 0;
  for (let turn = 0; at < bytes.byteLength; turn += 1) {
    const length = Math.min(lengths[turn % lengths.length] ?? 1, bytes.byteLength - at);
    const view = memory.subarray(0, length);
    view.set(bytes.subarray(at, at + length));
    yield view;
    at += length;
    memory.fill(0xee);
  }
}

export async function gathered(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const view of source) pieces.push(view);
  return Buffer.concat(pieces);
}
