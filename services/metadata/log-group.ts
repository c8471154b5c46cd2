// Where one group's log entries lie in the segment files, and what else its log says. Built by
// replay, then changed only by what is durable. Indexes are contiguous; a hole is "corrupt" on
// replay and a failed assertion afterwards.
import { assert, present } from "../lib/base/assert.ts";
import { StoreError } from "../lib/base/errors.ts";
import type { EntryKind, HardState, TermRun } from "../lib/raft/core.ts";
import type { GroupLogState } from "../lib/raft/types.ts";
import type { GroupMeta } from "./log-format.ts";
import type { Segment } from "./log-segment.ts";

export interface EntryPosition {
  readonly segment: Segment;
  /** Of the record's header. */
  readonly offset: number;
  readonly payloadBytes: number;
  readonly term: number;
  readonly kind: EntryKind;
}

const NEW_HARD_STATE: HardState = { term: 0, vote: 0, commit: 0 };

export class GroupLog {
  readonly groupId: number;
  #snapshotIndex = 0;
  #snapshotTerm = 0;
  /** Index of `#positions[0]`, or where it would be. */
  #firstIndex = 1;
  #positions: EntryPosition[] = [];
  #bytes = 0;
  #hardState = NEW_HARD_STATE;
  #restoring: { readonly index: number; readonly term: number } | undefined;

  constructor(groupId: number) {
    this.groupId = groupId;
  }

  /** A group first met in the middle of its life: entries before were in segments that are gone. */
  static fromMeta(groupId: number, meta: GroupMeta): GroupLog {
    const group = new GroupLog(groupId);
    group.#snapshotIndex = meta.snapshotIndex;
    group.#snapshotTerm = meta.snapshotTerm;
    group.#firstIndex = meta.lastIndex + 1;
    group.#hardState = { term: meta.hardTerm, vote: meta.vote, commit: meta.commit };
    group.note({ index: meta.restoringIndex, term: meta.restoringTerm });
    return group;
  }

  get snapshotIndex(): number {
    return this.#snapshotIndex;
  }

  get lastIndex(): number {
    return this.#firstIndex + this.#positions.length - 1;
  }

  get entryCount(): number {
    return this.#positions.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get hardState(): HardState {
    return this.#hardState;
  }

  set hardState(hardState: HardState) {
    this.#hardState = hardState;
  }

  /** The oldest segment that holds an entry of this group. */
  get oldestSegment(): Segment | undefined {
    return this.#positions[0]?.segment;
  }

  start(index: number, term: number): void {
    this.#snapshotIndex = index;
    this.#snapshotTerm = term;
    this.#firstIndex = index + 1;
    this.#positions = [];
    this.#bytes = 0;
    this.#restoring = undefined;
  }

  note(restoring: { readonly index: number; readonly term: number }): void {
    this.#restoring = restoring.index === 0 ? undefined : restoring;
  }

  /** Puts the entry at `index`; what the log held from there on is gone. */
  put(index: number, position: EntryPosition): void {
    assert(index > this.#snapshotIndex, `log: entry ${index} lies below the cut`);
    if (index > this.lastIndex + 1) {
      throw new StoreError("corrupt", `log of group ${this.groupId}: a hole before ${index}`);
    }
    if (index < this.#firstIndex) {
      this.#truncate(0);
      this.#firstIndex = index;
    } else {
      this.#truncate(index - this.#firstIndex);
    }
    this.#positions.push(position);
    this.#bytes += position.payloadBytes;
  }

  /** Forgets entries up to `index`. `term`: of the entry at `index`. */
  cut(index: number, term: number): void {
    if (index <= this.#snapshotIndex) return;
    if (index > this.lastIndex) {
      throw new StoreError(
        "corrupt",
        `log of group ${this.groupId}: cut at ${index}, past its end`,
      );
    }
    this.#snapshotIndex = index;
    this.#snapshotTerm = term;
    if (index < this.#firstIndex) return;
    const dropped = this.#positions.splice(0, index + 1 - this.#firstIndex);
    for (const position of dropped) this.#bytes -= position.payloadBytes;
    this.#firstIndex = index + 1;
  }

  /** Checks, after a replay, that nothing is missing between the cut and the first entry held. */
  verifyComplete(): void {
    if (this.#firstIndex > this.#snapshotIndex + 1) {
      const missing = `${this.#snapshotIndex + 1}..${this.#firstIndex - 1}`;
      throw new StoreError(
        "corrupt",
        `log of group ${this.groupId}: entries ${missing} are missing`,
      );
    }
  }

  position(index: number): EntryPosition | undefined {
    return index < this.#firstIndex ? undefined : this.#positions[index - this.#firstIndex];
  }

  term(index: number): number | undefined {
    if (index === this.#snapshotIndex) return this.#snapshotTerm;
    return this.position(index)?.term;
  }

  keepPoint(count: number, bytes: number): number {
    let index = this.lastIndex;
    let kept = 0;
    const lowest = Math.max(this.#snapshotIndex, this.lastIndex - count);
    while (index > lowest) {
      kept += present(this.position(index), "entry").payloadBytes;
      if (kept > bytes) break;
      index -= 1;
    }
    return index;
  }

  meta(): GroupMeta {
    return {
      snapshotIndex: this.#snapshotIndex,
      snapshotTerm: this.#snapshotTerm,
      lastIndex: this.lastIndex,
      hardTerm: this.#hardState.term,
      vote: this.#hardState.vote,
      commit: this.#hardState.commit,
      restoringIndex: this.#restoring?.index ?? 0,
      restoringTerm: this.#restoring?.term ?? 0,
    };
  }

  state(): GroupLogState {
    const termRuns: TermRun[] = [];
    const membersIndexes: number[] = [];
    this.#positions.forEach((position, at) => {
      const index = this.#firstIndex + at;
      if (termRuns.at(-1)?.term !== position.term) {
        termRuns.push({ firstIndex: index, term: position.term });
      }
      if (position.kind === "members") membersIndexes.push(index);
    });
    return {
      hardState: this.#hardState,
      snapshotIndex: this.#snapshotIndex,
      snapshotTerm: this.#snapshotTerm,
      lastIndex: this.lastIndex,
      termRuns,
      membersIndexes,
      restoring: this.#restoring,
      bytes: this.#bytes,
    };
  }

  #truncate(count: number): void {
    for (const position of this.#positions.splice(count)) this.#bytes -= position.payloadBytes;
  }
}
