// One replica as a careful host runs it, with a disk and a state machine in memory: what is durable
// and what is not are kept apart, so that a restart loses exactly what a crash would lose. The
// state machine keeps the text of every entry it applied.
import assert from "node:assert/strict";
import {
  type ConfState,
  createRaftCore,
  type GroupBounds,
  type HardState,
  type OutgoingMessage,
  type RaftCore,
  type RaftCoreModule,
  type RaftEntry,
  type Ready,
  type TermRun,
} from "../../../services/lib/raft/core.ts";

export const GROUP = 1;

export interface LabState {
  readonly index: number;
  readonly confState: ConfState;
  readonly applied: readonly string[];
}

export interface Envelope {
  readonly message: OutgoingMessage;
  /** The state that a snapshot message stands for. */
  readonly state?: LabState;
}

export interface NodeOptions {
  readonly id: number;
  readonly seed: bigint;
  readonly module: RaftCoreModule;
  readonly voters: readonly number[];
  readonly bounds?: GroupBounds;
  readonly preVote?: boolean;
  readonly send: (envelope: Envelope) => void;
  readonly note: (line: string) => void;
}

export function textOf(data: Uint8Array): string {
  return Buffer.from(data).toString("utf8");
}

export function members(voters: readonly number[], learners: readonly number[] = []): ConfState {
  return { voters, learners, votersOutgoing: [], learnersNext: [], autoLeave: false };
}

/** What survives a crash. */
interface Disk {
  hardState: HardState;
  snapshotIndex: number;
  snapshotTerm: number;
  entries: RaftEntry[];
  state: LabState;
}

export class LabNode {
  readonly id: number;
  readonly disk: Disk;
  readonly options: NodeOptions;
  core: RaftCore;
  /** The state in memory; `disk.state` follows with `flush`. */
  state: LabState;
  readonly reads: string[] = [];
  #restarts = 0;
  #unpersisted: Ready[] = [];
  readonly #staged = new Map<number, LabState>();
  readonly #offers = new Map<number, LabState>();

  constructor(options: NodeOptions) {
    this.options = options;
    this.id = options.id;
    const begin = options.voters.length > 0 ? 1 : 0;
    this.disk = {
      hardState: { term: begin, vote: 0, commit: begin },
      snapshotIndex: begin,
      snapshotTerm: begin,
      entries: [],
      state: { index: begin, confState: members(options.voters), applied: [] },
    };
    this.state = this.disk.state;
    this.core = this.open(undefined);
  }

  get lastIndex(): number {
    return this.disk.snapshotIndex + this.disk.entries.length;
  }

  /** Opens the group from the disk with the newest `tail` entries (default: all). */
  open(tail: number | undefined): RaftCore {
    const { disk, options } = this;
    const core = createRaftCore({
      seed: options.seed + BigInt(options.id * 1000 + this.#restarts),
      module: options.module,
    });
    const held = tail === undefined ? disk.entries.length : Math.min(tail, disk.entries.length);
    core.openGroup({
      groupId: GROUP,
      nodeId: this.id,
      electionTicks: 10,
      heartbeatTicks: 1,
      preVote: options.preVote ?? true,
      hardState: disk.hardState,
      confState: disk.state.confState,
      appliedIndex: disk.state.index,
      snapshotIndex: disk.snapshotIndex,
      snapshotTerm: disk.snapshotTerm,
      lastIndex: this.lastIndex,
      termRuns: termRuns(disk.entries),
      membersIndexes: disk.entries.filter((e) => e.kind === "members").map((e) => e.index),
      entries: disk.entries.slice(disk.entries.length - held),
      ...(options.bounds === undefined ? {} : { bounds: options.bounds }),
    });
    return core;
  }

  /** Loses everything that is not on the disk. */
  restart(tail?: number): void {
    this.#restarts += 1;
    this.#unpersisted = [];
    this.#staged.clear();
    this.#offers.clear();
    this.state = this.disk.state;
    this.core = this.open(tail);
  }

  flush(): void {
    this.disk.state = this.state;
  }

  receive(envelope: Envelope): void {
    const { state } = envelope;
    if (state !== undefined) this.#staged.set(state.index, state);
    const result = this.core.step(GROUP, [envelope.message.bytes]);
    if (result.damage !== undefined) this.options.note(`${this.id} damage: ${result.damage}`);
  }

  /** Takes one Ready: sends what may go, applies what is committed, queues the rest. */
  take(): Ready | undefined {
    const ready = this.core.ready(GROUP);
    if (ready === undefined) return undefined;
    for (const message of ready.messages) this.#send(message);
    this.#unpersisted.push(ready);
    this.#apply(ready.committedEntries);
    for (const read of ready.readStates) this.reads.push(`${textOf(read.context)}@${read.index}`);
    for (const fetch of ready.entryFetches) {
      const from = fetch.firstIndex - this.disk.snapshotIndex - 1;
      const to = fetch.lastIndex - this.disk.snapshotIndex;
      // One entry at a time where the bound is small, as a host that reads in pieces would.
      const found = this.disk.entries.slice(Math.max(from, 0), to);
      const count = fetch.bytesMax < 100 ? 1 : found.length;
      this.core.provideEntries(GROUP, fetch.token, from < 0 ? [] : found.slice(0, count));
    }
    return ready;
  }

  /** Makes the first `count` queued Readys durable, then does what had to wait for that. */
  persist(count = this.#unpersisted.length): void {
    const batch = this.#unpersisted.splice(0, count);
    for (const ready of batch) this.#write(ready);
    const last = batch.at(-1);
    if (last === undefined) return;
    this.core.onPersisted(GROUP, last.number);
    for (const ready of batch) for (const message of ready.persistedMessages) this.#send(message);
  }

  #write(ready: Ready): void {
    const { disk } = this;
    if (ready.snapshot !== undefined) {
      const { index, term } = ready.snapshot;
      const staged = this.#staged.get(index);
      assert.ok(staged !== undefined, "the snapshot's state was streamed");
      this.state = staged;
      Object.assign(disk, {
        state: this.state,
        snapshotIndex: index,
        snapshotTerm: term,
        entries: [],
      });
    }
    const first = ready.entries[0];
    if (first !== undefined) {
      assert.ok(first.index > disk.state.index, "what is applied is never replaced");
      disk.entries = disk.entries.slice(0, first.index - disk.snapshotIndex - 1);
      assert.equal(first.index, this.lastIndex + 1, "the log has no hole");
      disk.entries.push(...ready.entries);
    }
    if (ready.hardState !== undefined) disk.hardState = ready.hardState;
  }

  #apply(entries: readonly RaftEntry[]): void {
    for (const entry of entries) {
      assert.equal(entry.index, this.state.index + 1, "entries are applied in order");
      const applied = [...this.state.applied, `${entry.index}@${entry.term} ${textOf(entry.data)}`];
      let { confState } = this.state;
      if (entry.kind === "members") {
        confState = this.core.applyMembers(GROUP, entry.data).confState;
        applied[applied.length - 1] = `${entry.index}@${entry.term} members`;
        this.options.note(`${this.id} members ${describeMembers(confState)}`);
      }
      this.state = { index: entry.index, confState, applied };
    }
    if (entries.length > 0) this.core.onApplied(GROUP, this.state.index);
  }

  #send(message: OutgoingMessage): void {
    if (message.snapshot === undefined) {
      this.options.send({ message });
    } else {
      // The offer may have been replaced since the core made the message.
      const state = this.#offers.get(message.snapshot.index);
      assert.ok(state !== undefined, "only what was offered is sent");
      this.options.send({ message, state });
    }
  }

  offer(): void {
    this.#offers.set(this.state.index, this.state);
    const { index, confState } = this.state;
    this.core.offerSnapshot(GROUP, { index, confState, context: Buffer.from(`from ${this.id}`) });
  }

  /** Cuts the log up to what is durably applied, or to `index` if that is lower. */
  compact(index: number): void {
    const { disk } = this;
    const to = Math.min(index, disk.state.index);
    if (to <= disk.snapshotIndex) return;
    this.core.compactTo(GROUP, to);
    const cut = disk.entries[to - disk.snapshotIndex - 1];
    assert.ok(cut !== undefined, "the log is cut inside");
    disk.entries = disk.entries.slice(to - disk.snapshotIndex);
    disk.snapshotIndex = to;
    disk.snapshotTerm = cut.term;
  }
}

function termRuns(entries: readonly RaftEntry[]): TermRun[] {
  const runs: TermRun[] = [];
  for (const { index, term } of entries) {
    if (runs.at(-1)?.term !== term) runs.push({ firstIndex: index, term });
  }
  return runs;
}

export function describeMembers(state: ConfState): string {
  const parts = [`voters ${state.voters.join(" ")}`];
  if (state.votersOutgoing.length > 0) parts.push(`leaving ${state.votersOutgoing.join(" ")}`);
  if (state.learners.length > 0) parts.push(`learners ${state.learners.join(" ")}`);
  if (state.learnersNext.length > 0) parts.push(`then learners ${state.learnersNext.join(" ")}`);
  if (state.autoLeave) parts.push("auto-leave");
  return parts.join(", ");
}
