// Reads every shard of a disk, again and again, at a set rate, and puts what is damaged on the list
// of bad shards. It walks the index in order of names, remembers where it stands and what it has
// done over restarts, and at the end of a pass has the index's own files checked.
import { isStoreError, StoreError, toStoreError } from "../lib/base/errors.ts";
import { type Checkpoint, type IndexEntry, placeOf, type ScrubRecord } from "./index-entry.ts";
import { createPace, type Pace } from "./pace.ts";
import { verifyFrame } from "./segment-scan.ts";
import { verifyEntry, withFile } from "./shard-reader.ts";
import { nameBytes, nameFromBytes } from "./shard-types.ts";
import type { StoreContext } from "./store-context.ts";

export interface ScrubProgress extends ScrubRecord {
  /** In the current pass, as far as this process saw it. */
  readonly shards: number;
  readonly bytes: number;
  readonly badShards: number;
  /** Share of the name space walked in the current pass, 0..1; 1 between passes. */
  readonly share: number;
}

/** What is kept with a checkpoint. */
type ScrubState = Pick<Checkpoint, "scrubbedTo" | "scrub">;

const PAGE = 64;
/** A position alone is worth a checkpoint only so often. */
const SAVE_EVERY_MS = 60_000;
const NOTHING_READ = { shards: 0, bytes: 0, badShards: 0 } as const;

export class Scrubber {
  readonly #context: StoreContext;
  readonly #verifyIndex: () => Promise<void>;
  /** The name after which the walk goes on; empty at the start. */
  #position: Uint8Array;
  #record: ScrubRecord;
  #read: { shards: number; bytes: number; badShards: number } = { ...NOTHING_READ };
  #isResting = false;
  /** Ends the pause between two passes. */
  #wake = new AbortController();
  #saved: ScrubState;
  #savedMs: number;

  /** `former`: what an earlier process left. `verifyIndex` checks the index's files. */
  constructor(context: StoreContext, former: ScrubState, verifyIndex: () => Promise<void>) {
    this.#context = context;
    this.#position = former.scrubbedTo;
    this.#record = former.scrub;
    this.#saved = former;
    this.#savedMs = context.parts.clock.monotonicMs();
    this.#verifyIndex = verifyIndex;
    this.#showGauges();
  }

  get progress(): ScrubProgress {
    const [first = 0, second = 0] = this.#position;
    const share = this.#isResting ? 1 : (first * 256 + second) / 65_536;
    return { ...this.#record, ...this.#read, share };
  }

  /** There is something that a restart would forget, and that is worth a checkpoint. */
  get isUnsaved(): boolean {
    if (this.#saved.scrub !== this.#record) return true;
    const isOld = this.#context.parts.clock.monotonicMs() - this.#savedMs >= SAVE_EVERY_MS;
    return isOld && this.#saved.scrubbedTo !== this.#position;
  }

  /** The state for a checkpoint that is being written. */
  takeState(): ScrubState {
    this.#saved = { scrubbedTo: this.#position, scrub: this.#record };
    this.#savedMs = this.#context.parts.clock.monotonicMs();
    return this.#saved;
  }

  /** Begins the pass of that number from the start, unless it or a later one was begun. */
  ask(pass: number): void {
    if (pass <= this.#record.askedBegun) return;
    this.#record = { ...this.#record, askedBegun: pass };
    this.#position = new Uint8Array(0);
    this.#read = { ...NOTHING_READ };
    this.#wake.abort();
  }

  /** Scrubs until `signal` fires; rejects with what the signal or the disk says. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, settings } = this.#context.parts;
    for (;;) {
      const startMs = clock.monotonicMs();
      this.#wake = new AbortController();
      await this.pass(signal);
      const leftMs = settings.scrubPassMsMin - (clock.monotonicMs() - startMs);
      if (leftMs > 0) await this.#rest(leftMs, signal);
    }
  }

  /** Goes on from the position to the end of the names, once. */
  async pass(signal: AbortSignal): Promise<void> {
    const { clock, settings, index } = this.#context.parts;
    const pace = createPace(clock, { bytesPerSecond: settings.scrubBytesPerSecond, signal });
    for (;;) {
      if (signal.aborted) throw new StoreError("aborted", "scrub stopped");
      const asked = this.#record.askedBegun;
      const after = this.#position.byteLength === 0 ? undefined : nameFromBytes(this.#position);
      const page = await index.list(after, PAGE);
      for (const entry of page) {
        await this.#check(entry, pace);
        // A pass that was asked for meanwhile begins with the first name.
        if (asked !== this.#record.askedBegun) break;
        this.#position = nameBytes(entry.shard.name);
      }
      this.#showGauges();
      if (asked !== this.#record.askedBegun || page.length === PAGE) continue;
      await this.#verifyIndex();
      if (asked === this.#record.askedBegun) break;
    }
    this.#complete();
  }

  #complete(): void {
    const { passes, askedBegun } = this.#record;
    this.#position = new Uint8Array(0);
    this.#record = {
      passes: passes + 1,
      completedMs: Math.floor(this.#context.parts.clock.wallMs()),
      askedBegun,
      askedDone: askedBegun,
    };
    this.#read = { ...NOTHING_READ };
    this.#showGauges();
  }

  async #rest(ms: number, signal: AbortSignal): Promise<void> {
    const wake = this.#wake.signal;
    if (wake.aborted) return;
    this.#isResting = true;
    this.#showGauges();
    try {
      await this.#context.parts.clock.sleep(ms, AbortSignal.any([signal, wake]));
    } catch (error) {
      if (signal.aborted || !isStoreError(error, "aborted")) throw error;
    } finally {
      this.#isResting = false;
    }
  }

  #showGauges(): void {
    const { metrics, label: disk } = this.#context.parts;
    metrics.scrubProgress.set(this.progress.share, { disk });
    metrics.scrubCompleted.set(this.#record.completedMs / 1000, { disk });
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
    this.#read.shards += 1;
    this.#read.bytes += entry.shard.shardBytes;
    if (problem !== undefined) this.#read.badShards += 1;
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
