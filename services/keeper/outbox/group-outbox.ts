// The outbox of one index group: what its commits left to be carried out, in the order of the
// commits. An entry stays until it is finished; finishing one that is gone changes nothing.
import { assert } from "../../lib/base/assert.ts";
import { StoreError } from "../../lib/base/errors.ts";
import { Outcome } from "../../lib/gen/dolium/record/v1/command_pb.ts";
import type { OutboxEntry } from "../../lib/gen/dolium/record/v1/group_pb.ts";
import type { KeeperDeps } from "../deps.ts";

/** Sequences in one FinishOutbox. */
const FINISHED_MAX = 10_000;

export class GroupOutbox {
  readonly groupId: number;
  /** The last entry that the router has seen: readers go as far as this. */
  head = 0n;
  readonly #metadata: KeeperDeps["metadata"];
  readonly #carriedOut = new Set<bigint>();

  constructor(metadata: KeeperDeps["metadata"], groupId: number) {
    this.#metadata = metadata;
    this.groupId = groupId;
  }

  /** The next entries, ascending; empty at the end. */
  async page(afterSequence: bigint, limit: number): Promise<readonly OutboxEntry[]> {
    const kind = { case: "listOutbox", value: { afterSequence, limit } } as const;
    const { entries } = await this.#metadata.query(this.groupId, kind);
    return entries;
  }

  /** Resolves when the entries are gone for good, all of them in one step. */
  async finish(sequences: readonly bigint[]): Promise<void> {
    assert(sequences.length <= FINISHED_MAX, "finishOutbox: too many at once");
    if (sequences.length === 0) return;
    const value = { sequences: [...sequences] };
    const reply = await this.#metadata.execute(this.groupId, { case: "finishOutbox", value });
    const { outcome, message } = reply;
    if (outcome !== Outcome.OK) throw new StoreError("conflict", `finishOutbox: ${message}`);
  }

  /** Notes entries that are carried out; the next `flush` finishes them. */
  carriedOut(sequences: readonly bigint[]): void {
    for (const sequence of sequences) this.#carriedOut.add(sequence);
  }

  /** Finishes what was noted; what cannot be now stays noted. */
  async flush(): Promise<void> {
    while (this.#carriedOut.size > 0) {
      const sequences = [...this.#carriedOut].slice(0, FINISHED_MAX);
      await this.finish(sequences);
      for (const sequence of sequences) this.#carriedOut.delete(sequence);
    }
  }
}
