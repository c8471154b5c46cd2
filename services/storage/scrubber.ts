// Reads every shard of a disk, again and again, at a set rate, and puts what is damaged on the list
// of bad shards. It walks the index in order of names, remembers where it stands over restarts, and
// at the end of a pass has the index's own files checked.
import { StoreError, toStoreError } from "../lib/base/errors.ts";
import { type IndexEntry, placeOf } from "./index-entry.ts";
import { createPace, type Pace } from "./pace.ts";
import { verifyFrame } from "./segment-scan.ts";
import { verifyEntry, withFile } from "./shard-reader.ts";
import { nameBytes, nameFromBytes } from "./shard-types.ts";
import type { StoreContext } from "./store-context.ts";

export interface ScrubProgress {
  /** Passes completed by this process. */
  readonly passes: number;
  /** In the current pass, as far as this process saw it. */
  readonly shards: number;
  readonly bytes: number;
  readonly badShards: number;
  /** Share of the name space walked in the current pass, 0..1. */
  readonly share: number;
}

const PAGE = 64;

export class Scrubber {
  readonly #context: StoreContext;
  readonly #verifyIndex: () => Promise<void>;
  #position: Uint8Array;
  #progress = { passes: 0, shards: 0, bytes: 0, badShards: 0 };

  /** `position`: where an earlier process stood. `verifyIndex` checks the index's files. */
  constructor(context: StoreContext, position: Uint8Array, verifyIndex: () => Promise<void>) {
    this.#context = context;
    this.#position = position;
    this.#verifyIndex = verifyIndex;
  }

  /** The name after which the walk goes on; empty at the start. Checkpoints keep it. */
  get position(): Uint8Array {
    return this.#position;
  }

  get progress(): ScrubProgress {
    const [first = 0, second = 0] = this.#position;
    return { ...this.#progress, share: (first * 256 + second) / 65_536 };
  }

  /** Scrubs until `signal` fires; rejects with what the signal or the disk says. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, settings } = this.#context.parts;
    for (;;) {
      const startMs = clock.monotonicMs();
      await this.pass(signal);
      const leftMs = settings.scrubPassMsMin - (clock.monotonicMs() - startMs);
      if (leftMs > 0) await clock.sleep(leftMs, signal);
    }
  }

  /** Goes on from the position to the end of the names, once. */
  async pass(signal: AbortSignal): Promise<void> {
    const { clock, settings, index } = this.#context.parts;
    const pace = createPace(clock, { bytesPerSecond: settings.scrubBytesPerSecond, signal });
    for (;;) {
      if (signal.aborted) throw new StoreError("aborted", "scrub stopped");
      const after = this.#position.byteLength === 0 ? undefined : nameFromBytes(this.#position);
      const page = await index.list(after, PAGE);
      for (const entry of page) {
        await this.#check(entry, pace);
        this.#position = nameBytes(entry.shard.name);
      }
      if (page.length < PAGE) break;
    }
    await this.#verifyIndex();
    this.#position = new Uint8Array(0);
    const passes = this.#progress.passes + 1;
    this.#progress = { passes, shards: 0, bytes: 0, badShards: 0 };
  }

  async #check(entry: IndexEntry, pace: Pace): Promise<void> {
    const { metrics, label, index } = this.#context.parts;
    const now = index.get(entry.shard.name);
    // Deleted, moved or written anew since the page was read; the new place was checked when
    // written.
    if (now?.segment !== entry.segment || now.offset !== entry.offset) return;
    const problem =
      (await verifyEntry(this.#context, entry, "scrubber", pace)) ?? (await this.#frame(entry));
    metrics.scrubbedBytes.increment({ disk: label }, entry.shard.shardBytes);
    this.#progress.shards += 1;
    this.#progress.bytes += entry.shard.shardBytes;
    if (problem !== undefined) this.#progress.badShards += 1;
  }

  /** Header and footer are not needed to read the shard, but to find it again without the index. */
  async #frame(entry: IndexEntry): Promise<string | undefined> {
    const { segments } = this.#context.parts;
    try {
      const header = await segments.header(this.#context.segmentOf(entry));
      if (header === null) return undefined;
      const place = { ...placeOf(entry), nonce: header.nonce };
      const problem = await withFile(this.#context, entry, (file) => verifyFrame(file, place));
      if (problem !== undefined) this.#context.noteBad(entry, problem, "scrubber");
      return problem;
    } catch (error) {
      throw this.#context.readFailure(toStoreError(error, "io"), entry, "scrubber");
    }
  }
}
