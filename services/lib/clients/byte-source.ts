// Pulls an exact number of bytes out of a stream of views. Views are borrowed from the stream: they
// are copied into the caller's buffer before the next one is pulled.
import { StoreError } from "../base/errors.ts";

const EMPTY = new Uint8Array(0);

export class ByteSource {
  readonly #views: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = EMPTY;
  #ended = false;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#views = source[Symbol.asyncIterator]();
  }

  /** Fills all of `target`; throws StoreError "invalid" when the stream ends before. */
  async fill(target: Uint8Array): Promise<void> {
    let filled = 0;
    while (filled < target.byteLength) {
      if (this.#rest.byteLength === 0 && !(await this.#pull())) {
        throw new StoreError("invalid", "the body ended before its declared length");
      }
      const take = this.#rest.subarray(0, target.byteLength - filled);
      target.set(take, filled);
      filled += take.byteLength;
      this.#rest = this.#rest.subarray(take.byteLength);
    }
  }

  /** Throws StoreError "invalid" unless the stream ends here. */
  async expectEnd(): Promise<void> {
    if (this.#rest.byteLength > 0 || (await this.#pull())) {
      throw new StoreError("invalid", "the body is longer than its declared length");
    }
  }

  /** Tells the stream that no more is wanted. */
  async close(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    await this.#views.return?.();
  }

  async #pull(): Promise<boolean> {
    while (!this.#ended) {
      const result = await this.#views.next();
      if (result.done === true) {
        this.#ended = true;
      } else if (result.value.byteLength > 0) {
        this.#rest = result.value;
        return true;
      }
    }
    return false;
  }
}
