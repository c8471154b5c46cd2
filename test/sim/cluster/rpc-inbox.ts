// What has arrived on one side of a call and was not read yet, and how that side ends. The window
// bounds what may lie unread: who sends more waits until something is taken.
import { assert } from "../../../services/lib/base/assert.ts";
import { type Deferred, deferred } from "../../../services/lib/base/bounded.ts";
import type { StoreError } from "../../../services/lib/base/errors.ts";

const WINDOW_MESSAGES = 4;

export class Inbox implements AsyncIterable<Uint8Array> {
  readonly #items: Uint8Array[] = [];
  #end: { readonly error: StoreError | undefined } | undefined;
  #reader: Deferred<Uint8Array | undefined> | undefined;
  /** Sent and not taken: on the way or lying here. */
  #outstanding = 0;
  #room: Deferred<void>[] = [];
  #isAbandoned = false;

  /** Counts a message that sets out; resolves when another may follow. */
  async reserve(): Promise<void> {
    this.#outstanding += 1;
    while (this.#outstanding > WINDOW_MESSAGES && this.#end === undefined && !this.#isAbandoned) {
      const room = deferred<void>();
      this.#room.push(room);
      await room.promise;
    }
  }

  /** The sender's end is over: nobody waits for room any more. */
  abandon(): void {
    this.#isAbandoned = true;
    this.#makeRoom();
  }

  push(bytes: Uint8Array): void {
    if (this.#end !== undefined) return;
    const reader = this.#reader;
    this.#reader = undefined;
    if (reader === undefined) {
      this.#items.push(bytes);
      return;
    }
    this.#taken();
    reader.resolve(bytes);
  }

  /** The first end counts; an error overtakes what lies here. */
  finish(error: StoreError | undefined): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    if (error !== undefined) this.#items.length = 0;
    this.#makeRoom();
    const reader = this.#reader;
    this.#reader = undefined;
    if (error === undefined) reader?.resolve(undefined);
    else reader?.reject(error);
  }

  /** The next message, or undefined at a good end. */
  read(): Promise<Uint8Array | undefined> {
    assert(this.#reader === undefined, "rpc: two reads at once");
    const item = this.#items.shift();
    if (item !== undefined) {
      this.#taken();
      return Promise.resolve(item);
    }
    if (this.#end?.error !== undefined) return Promise.reject(this.#end.error);
    if (this.#end !== undefined) return Promise.resolve(undefined);
    this.#reader = deferred();
    return this.#reader.promise;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      const bytes = await this.read();
      if (bytes === undefined) return;
      yield bytes;
    }
  }

  #taken(): void {
    this.#outstanding -= 1;
    this.#makeRoom();
  }

  #makeRoom(): void {
    const waiting = this.#room;
    this.#room = [];
    for (const room of waiting) room.resolve();
  }
}
