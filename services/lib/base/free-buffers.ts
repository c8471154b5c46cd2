// Buffers kept for use again, by length. What is in them is undefined; whoever puts one in must
// know that nobody reads it any more.

export class FreeBuffers<B extends Uint8Array> {
  /** The length put last stands at the end. */
  readonly #byLength = new Map<number, B[]>();
  #bytes = 0;

  /** A kept buffer of exactly `length` bytes; undefined where there is none. */
  take(length: number): B | undefined {
    const found = this.#byLength.get(length)?.pop();
    if (found !== undefined) this.#bytes -= length;
    return found;
  }

  put(buffer: B): void {
    const { byteLength } = buffer;
    const list = this.#byLength.get(byteLength) ?? [];
    list.push(buffer);
    this.#byLength.delete(byteLength);
    this.#byLength.set(byteLength, list);
    this.#bytes += byteLength;
  }

  /** Lets go of buffers, of lengths not put for long first, until all fit `bytesMax`. */
  shrinkTo(bytesMax: number): void {
    for (const [length, list] of this.#byLength) {
      while (this.#bytes > bytesMax) {
        const buffer = list.pop();
        if (buffer === undefined) break;
        this.#bytes -= length;
        freeMemory(buffer);
      }
      if (list.length === 0) this.#byLength.delete(length);
    }
  }
}

/**
 * Gives the memory of `buffer` back to the system now, where it has all of it, instead of with one
 * of the next collections: those count objects and leave large memory behind small ones for long.
 * Views of it are empty from here on.
 */
export function freeMemory({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}
