// What a replicated service and the Raft host owe each other: the state machine the host drives,
// the group handle the service proposes through, the log the host writes, the sender it sends with.
import type {
  ConfState,
  EntryKind,
  HardState,
  MemberChange,
  RaftEntry,
  RaftId,
  RaftRole,
  TermRun,
} from "./core.ts";

export interface CommittedEntry {
  readonly index: number;
  readonly term: number;
  readonly kind: EntryKind;
  /**
   * Empty for the entry with which a new leader opens its term. Borrowed until `apply` resolves.
   */
  readonly data: Uint8Array;
  /** Set when a `members` entry took effect: opaque, to be stored in the same batch. */
  readonly confState?: Uint8Array;
}

/** Where a state stands: it holds the effects of every entry up to `index`, which had `term`. */
export interface StatePoint {
  readonly index: number;
  readonly term: number;
  /** Opaque membership as of `index`. Empty: none yet (a replica that waits for a snapshot). */
  readonly confState: Uint8Array;
}

/** A frozen state. `chunks` may be iterated several times, also at once; `close` frees it. */
export interface StateSnapshot extends StatePoint {
  /** At most SNAPSHOT_CHUNK_BYTES_MAX each. A chunk may be kept by the reader. */
  chunks(): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

/** At most this many bytes travel in one chunk of a snapshot. */
export const SNAPSHOT_CHUNK_BYTES_MAX = 512 * 1024;

/**
 * A replica's state. The host calls one method at a time (`snapshot`'s results live on beside later
 * calls) and never calls again after a rejection other than of `restore`. A new, empty state stands
 * at index 0, term 0, with an empty membership.
 */
export interface StateMachine {
  /** Everything up to here is applied; after opening, everything that is durably applied. */
  readonly appliedIndex: number;
  /** Term of the entry at `appliedIndex`. */
  readonly appliedTerm: number;
  /** The membership stored with `appliedIndex`. */
  confState(): Uint8Array;
  /**
   * Applies entries appliedIndex+1.., in order: all effects, the new index, its term and the last
   * `confState` in one atomic batch, which need not be power-safe yet. One reply per entry: empty
   * for `members` and empty entries. A refusal of the state machine is a reply, never an error;
   * rejecting fails this replica of the group for good.
   */
  apply(entries: readonly CommittedEntry[]): Promise<readonly Uint8Array[]>;
  /** Makes everything applied power-safe; resolves with its index. The log is cut only below it. */
  flush(): Promise<number>;
  snapshot(): Promise<StateSnapshot>;
  /**
   * Replaces the whole state by `chunks` (none: an empty state) at `point`. All or nothing: when it
   * rejects, `chunks` throws or the process dies, the former state is intact; power-safe when it
   * resolves. After it the state stands at `point`.
   */
  restore(point: StatePoint, chunks: AsyncIterable<Uint8Array>): Promise<void>;
}

export interface CallLimits {
  /** Milliseconds from now. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal;
}

export interface ProposeResponse {
  readonly index: number;
  readonly reply: Uint8Array;
}

export interface PeerStatus {
  readonly nodeId: RaftId;
  /** Entries it is known to lack. */
  readonly lagEntries: number;
  readonly state: "probe" | "replicate" | "snapshot";
  /** Heard of within the last election timeout. */
  readonly active: boolean;
}

export interface RaftGroupStatus {
  readonly groupId: number;
  readonly nodeId: RaftId;
  readonly role: RaftRole;
  readonly leader: RaftId | undefined;
  readonly term: number;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  readonly lastIndex: number;
  /** The log holds entries after this one. */
  readonly logStartIndex: number;
  readonly members: ConfState;
  /** Known to the leader only, empty elsewhere. */
  readonly peers: readonly PeerStatus[];
  /** Set when this replica has failed for good and takes no part any more. */
  readonly failure: string | undefined;
}

/** What cutting came to: the state's power-safe index; entries after `startIndex` stayed. */
export interface LogCut {
  readonly flushedIndex: number;
  readonly startIndex: number;
  readonly freedEntries: number;
  readonly freedBytes: number;
}

/**
 * One replica of one group. Errors of its methods:
 * - `not-leader`: nothing happened; `leaderHint` is the leader's node id in decimal when known.
 * - `exhausted`, `no-space`, `unavailable`, `conflict`, `invalid`: nothing happened.
 * - `timeout`: it may have happened or may yet happen.      - `aborted`: as timeout, by the signal.
 */
export interface RaftGroup {
  readonly groupId: number;
  isLeader(): boolean;
  leader(): RaftId | undefined;
  /** Resolves after the entry is committed and applied on this node. Leader only. */
  propose(data: Uint8Array, limits: CallLimits): Promise<ProposeResponse>;
  /**
   * A linearizable read point: resolves once this node, leader or follower, has applied everything
   * that was acknowledged anywhere before the call. Concurrent calls share a round.
   */
  readBarrier(limits: CallLimits): Promise<void>;
  /** Resolves once the change is committed and applied here. One at a time: else "conflict". */
  changeMembers(changes: readonly MemberChange[], limits: CallLimits): Promise<void>;
  /** Hands leadership over; resolves once another node leads, "timeout" when none does. */
  transferLeadership(to: RaftId, limits: CallLimits): Promise<void>;
  /**
   * Makes the state power-safe and cuts the log behind it, up to `upToIndex` at most; without one
   * the leader spares what a follower it hears of has yet to take ("not-leader" elsewhere).
   */
  cutLog(upToIndex: number | undefined): Promise<LogCut>;
  status(): RaftGroupStatus;
}

export interface RaftHostEvents {
  /** Leader or role changed. `leader` undefined: unknown. */
  leaderChanged?(groupId: number, leader: RaftId | undefined, isLeader: boolean): void;
  /** A membership took effect on this node. */
  membersChanged?(groupId: number, members: ConfState): void;
  /**
   * This replica of the group has failed: "corrupt" (it lost what it had acknowledged, or its state
   * is bad: rebuild under a new node id) or what its state machine threw. Other groups go on.
   */
  groupFailed?(groupId: number, error: unknown): void;
  /** The log or the core failed; every group has stopped. The process should restart. */
  failed(error: unknown): void;
}

/** Position of a group's log. Entries snapshotIndex+1..lastIndex are there, contiguous. */
export interface GroupLogState {
  readonly hardState: HardState;
  readonly snapshotIndex: number;
  readonly snapshotTerm: number;
  readonly lastIndex: number;
  readonly termRuns: readonly TermRun[];
  /** Indexes of entries of kind `members`, ascending. */
  readonly membersIndexes: readonly number[];
  /** A restore that was begun and not reported as finished. */
  readonly restoring: { readonly index: number; readonly term: number } | undefined;
  /** Payload bytes of the entries held. */
  readonly bytes: number;
}

/** One atomic change of one group's log; its parts take effect in this order. */
export interface LogWrite {
  readonly groupId: number;
  /** The log is emptied and starts after this index (a snapshot replaces it, or it is created). */
  readonly start?: { readonly index: number; readonly term: number };
  /** Notes that a restore of the state to this point begins; a `start`, or index 0, ends it. */
  readonly restoring?: { readonly index: number; readonly term: number };
  /**
   * Contiguous; replaces what the log holds from the first one's index on. Borrowed until settled.
   */
  readonly entries?: readonly RaftEntry[];
  readonly hardState?: HardState;
}

/** The durable log of all groups of one process. Methods throw StoreError "io" once it failed. */
export interface RaftLog {
  /** Groups with a log, ascending. */
  groups(): readonly number[];
  state(groupId: number): GroupLogState | undefined;
  /**
   * Resolves when all of `writes` are power-safe; they take effect in order, all or none. Calls
   * take effect in their order too, and concurrent ones share one sync. Rejects with "no-space"
   * (nothing changed, may be tried again) or "io" (a write or sync failed: the log is dead until
   * the process restarts).
   */
  append(writes: readonly LogWrite[]): Promise<void>;
  /**
   * Keeps `hardState` in mind and writes it with the next append; for changes of `commit` alone.
   */
  noteHardState(groupId: number, hardState: HardState): void;
  /**
   * Durable entries from `firstIndex` to `lastIndex`, at least one, stopping before `bytesMax` is
   * passed. "not-found" when the range is not (or no longer) held; "corrupt" when bytes are wrong.
   */
  entries(range: {
    readonly groupId: number;
    readonly firstIndex: number;
    readonly lastIndex: number;
    readonly bytesMax: number;
  }): Promise<RaftEntry[]>;
  /** Term of a durable entry, or of the one before the first. */
  term(groupId: number, index: number): number | undefined;
  /** What is held now: entries after `startIndex`. Zeros for an unknown group. */
  size(groupId: number): {
    readonly startIndex: number;
    readonly entryCount: number;
    readonly bytes: number;
  };
  /** The lowest index such that the entries after it are at most `count` and `bytes`. */
  keepPoint(groupId: number, count: number, bytes: number): number;
  /** Drops entries up to `index`, which must be applied power-safely. */
  compact(groupId: number, index: number): Promise<void>;
  remove(groupId: number): Promise<void>;
  close(): Promise<void>;
}

/** Messages of one group for one peer, in order, opaque. */
export interface Envelope {
  readonly groupId: number;
  readonly messages: readonly Uint8Array[];
}

export interface OutgoingSnapshot {
  readonly groupId: number;
  /** The encoded message that announces it; the receiver takes it before the first chunk. */
  readonly message: Uint8Array;
  readonly point: StatePoint;
  readonly chunks: AsyncIterable<Uint8Array>;
  readonly signal: AbortSignal;
}

/** How a host reaches other nodes. */
export interface RaftSender {
  /** Fire and forget, in order, may lose. Never throws and never blocks. */
  send(to: RaftId, envelopes: readonly Envelope[]): void;
  /** Resolves once the peer has the state in place; rejects when that failed or is unknown. */
  sendSnapshot(to: RaftId, snapshot: OutgoingSnapshot): Promise<void>;
}

export interface IncomingSnapshot {
  readonly groupId: number;
  readonly message: Uint8Array;
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** The receiving side of a host, called by the transport. */
export interface RaftReceiver {
  /** Takes messages in order. Unknown groups are ignored. "corrupt" when one cannot be decoded. */
  receive(from: RaftId, envelopes: readonly Envelope[]): void;
  /** Resolves once the state is in place (or was not needed); rejects when it is not. */
  receiveSnapshot(from: RaftId, snapshot: IncomingSnapshot): Promise<void>;
  /** Messages to `nodeId` were dropped or its connection broke. */
  reportUnreachable(nodeId: RaftId): void;
}
