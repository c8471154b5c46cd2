// The consensus core's interface, in the shape of Ready: the host puts inputs in (propose, step,
// tick), asks `ready` what must be persisted, sent and applied, and reports when that has happened.
// The core decides nothing about disks, sockets or time, and holds no log beyond a short tail.
// Implemented by TiKV's raft-rs in WebAssembly (core/README.md); any Raft core can stand behind it.

import { WasmRaftCore } from "./core/binding.ts";
import type { RaftCoreModule } from "./core/runtime.ts";
import { compileRaftCore } from "./core/runtime.ts";

/** Node ids, group ids, indexes and terms are integers in [0, 2^53); ids are never 0. */
export type RaftId = number;

export type RaftRole = "follower" | "pre-candidate" | "candidate" | "leader";

/** `members` entries carry an encoded change of membership, for `applyMembers`. */
export type EntryKind = "normal" | "members";

export interface RaftEntry {
  readonly index: number;
  readonly term: number;
  readonly kind: EntryKind;
  /**
   * Empty in the entry a new leader appends, and in the `members` entry that leaves a joint state.
   */
  readonly data: Uint8Array;
}

export interface HardState {
  readonly term: number;
  /** The node voted for in `term`, 0 for none. */
  readonly vote: RaftId;
  readonly commit: number;
}

/**
 * Who takes part. `votersOutgoing` is empty outside a joint state. Lists are in ascending order.
 */
export interface ConfState {
  readonly voters: readonly RaftId[];
  readonly learners: readonly RaftId[];
  readonly votersOutgoing: readonly RaftId[];
  readonly learnersNext: readonly RaftId[];
  readonly autoLeave: boolean;
}

export interface MemberChange {
  readonly kind: "add-voter" | "add-learner" | "remove";
  readonly nodeId: RaftId;
}

export interface MembersProposal {
  /**
   * One change is applied at once, several by way of a joint state. None: leave the joint state.
   */
  readonly changes: readonly MemberChange[];
  /**
   * `auto` (default): joint only when needed, left by itself. `implicit`: always joint, left by
   * itself. `explicit`: always joint, left by a proposal without changes.
   */
  readonly transition?: "auto" | "implicit" | "explicit";
  /** Opaque to the core; comes back from `applyMembers` on every replica. */
  readonly context: Uint8Array;
}

export interface AppliedMembers {
  /** The membership from this entry on: store it together with the entry's effects. */
  readonly confState: ConfState;
  readonly changes: readonly MemberChange[];
  readonly context: Uint8Array;
}

/** Terms of a stretch of the log: entries from `firstIndex` up to the next run have `term`. */
export interface TermRun {
  readonly firstIndex: number;
  readonly term: number;
}

/**
 * How a group begins: its first voters open with the same `confState` and an empty log that starts
 * after index 1 of term 1 (snapshotIndex, snapshotTerm, appliedIndex 1; hardState term 1, vote 0,
 * commit 1). From that point on a later replica can only join through a snapshot, which carries the
 * membership: it opens with an empty `confState` and zeros everywhere, as a learner-to-be.
 */
export interface GroupOptions {
  readonly groupId: RaftId;
  /** This replica. Never reused after its disk was lost. */
  readonly nodeId: RaftId;
  /** A follower waits a random electionTicks..2*electionTicks-1. Must exceed `heartbeatTicks`. */
  readonly electionTicks: number;
  readonly heartbeatTicks: number;
  /** Both default to true. */
  readonly preVote?: boolean;
  readonly checkQuorum?: boolean;
  /** What the log store holds. `commit` may be lower than is known; it must lie inside the log. */
  readonly hardState: HardState;
  /** The membership as of `appliedIndex`. */
  readonly confState: ConfState;
  /** Effects up to here are durable; committed entries after it are handed out again. */
  readonly appliedIndex: number;
  /** The log holds entries after this index only; its term must be known (0 and 0: a new log). */
  readonly snapshotIndex: number;
  readonly snapshotTerm: number;
  /** The last index in the durable log (`snapshotIndex` when it is empty). */
  readonly lastIndex: number;
  /**
   * Terms of the durable log from snapshotIndex+1 to lastIndex, ascending. The part that `entries`
   * covers may be left out or given too.
   */
  readonly termRuns?: readonly TermRun[];
  /** Indexes of the `members` entries after `appliedIndex`; those in `entries` may be left out. */
  readonly membersIndexes?: readonly number[];
  /** The newest entries, contiguous and ending at `lastIndex`; older ones are fetched on demand. */
  readonly entries?: readonly RaftEntry[];
  /** Higher wins elections against lower when logs are equal; default 0. */
  readonly priority?: number;
  readonly bounds?: GroupBounds;
}

export interface GroupBounds {
  /** Entry bytes in one append message. Default 256 KiB; at least one entry always goes. */
  readonly messageBytesMax?: number;
  /** Append messages on the way to one follower. Default 32. */
  readonly inflightMessagesMax?: number;
  /**
   * Proposed bytes not yet committed; beyond it `propose` answers `exhausted`, but one proposal is
   * always taken. Default 32 MiB; at least `messageBytesMax`.
   */
  readonly uncommittedBytesMax?: number;
  /** Bytes of `committedEntries` in one Ready. Default 1 MiB; at least one entry. */
  readonly committedBytesMax?: number;
  /** Newest entries kept inside the core even though persisted and applied. Default 1024. */
  readonly tailEntriesMax?: number;
  /** Their bytes, 128 counted for each on top of its data. Default 2 MiB. */
  readonly tailBytesMax?: number;
}

/**
 * `appended`: entries firstIndex.. (in order) are in this leader's log under `term`; they are
 * committed when entries with these indexes come back with this very term, lost otherwise.
 * `not-leader`: `leader` is 0 when unknown. `transferring`: leadership is being handed over.
 * `exhausted`: too many uncommitted bytes. `pending` and `invalid` are for `proposeMembers` only:
 * another change is not applied yet; the change makes no sense in the present membership.
 */
export type ProposeResult =
  | { readonly kind: "appended"; readonly firstIndex: number; readonly term: number }
  | { readonly kind: "not-leader"; readonly leader: RaftId }
  | { readonly kind: "transferring"; readonly to: RaftId }
  | { readonly kind: "exhausted" }
  | { readonly kind: "pending" }
  | { readonly kind: "invalid"; readonly reason: string };

/**
 * `asked`: a ReadState with the same context follows unless a message or the leader is lost.
 * `no-leader`: nobody to ask. `not-ready`: a new leader has not committed in its term yet.
 * `exhausted`: too many reads wait for their answer.
 */
export type ReadIndexResult = "asked" | "no-leader" | "not-ready" | "exhausted";

export interface StepResult {
  readonly stepped: number;
  /** Answers of nodes that are no members, messages for others, forwarded proposals. */
  readonly ignored: number;
  /**
   * Set when a message proves that this replica lost what it had acknowledged (its log is shorter
   * than the commit index the leader knows it to hold, or differs in a committed entry). That
   * message was not taken. The replica must stop and rejoin under a new node id.
   */
  readonly damage: string | undefined;
}

export type MessageKind =
  | "append"
  | "append-response"
  | "vote"
  | "vote-response"
  | "pre-vote"
  | "pre-vote-response"
  | "heartbeat"
  | "heartbeat-response"
  | "snapshot"
  | "timeout-now"
  | "transfer-leader"
  | "read-index"
  | "read-index-response"
  | "propose"
  | "local";

/** What a snapshot stands for; the state itself travels outside the core. */
export interface SnapshotMeta {
  readonly index: number;
  readonly term: number;
  readonly confState: ConfState;
  /** A short note of the sending host (an address, a digest); opaque to the core. */
  readonly context: Uint8Array;
}

/** The fields of an encoded message that a host needs for routing, limits and traces. */
export interface MessageHead {
  readonly from: RaftId;
  readonly to: RaftId;
  readonly kind: MessageKind;
  readonly term: number;
  readonly logTerm: number;
  readonly index: number;
  readonly commit: number;
  readonly reject: boolean;
  readonly entryCount: number;
  /** Only with kind `snapshot`. */
  readonly snapshot?: SnapshotMeta;
}

/**
 * A message to send. With kind `snapshot` the host first streams the state it offered at
 * `snapshot.index`, then sends `bytes`, and calls `reportSnapshot` when that succeeded or failed.
 * It may still name the offer before the present one: a host that has dropped that reports a
 * failure.
 */
export interface OutgoingMessage extends MessageHead {
  readonly bytes: Uint8Array;
}

export interface ReadState {
  /** Once everything up to here is applied, the read that asked with `context` may be answered. */
  readonly index: number;
  readonly context: Uint8Array;
}

/**
 * The core needs log entries that it no longer holds. Answer with `provideEntries`: entries from
 * `firstIndex` on, at least one, at most up to `lastIndex`, stopping near `bytesMax`.
 */
export interface EntryFetch {
  readonly token: number;
  readonly firstIndex: number;
  readonly lastIndex: number;
  readonly bytesMax: number;
  /** `append`: to send to a follower. `apply`: committed entries to hand out after a restart. */
  readonly purpose: "append" | "apply";
}

/**
 * A follower needs a snapshot of index `minIndex` or more. Answer with `offerSnapshot` (again a
 * fresh one after every membership change); until then that follower waits.
 */
export interface SnapshotRequest {
  readonly to: RaftId;
  readonly minIndex: number;
}

/**
 * What has to be done now. Handle in this order, per group and in order of `number`:
 * 1. send `messages` (they imply nothing that is not durable yet);
 * 2. persist `snapshot` if present (it replaces state and log), then `entries` (an entry replaces
 *    what the log holds from its index on), then `hardState`; with fdatasync if `mustSync`;
 * 3. then call `onPersisted(number)` and send `persistedMessages`; several Readys may be persisted
 *    at once and reported by the last number. With a snapshot, "persisted" means that its state is
 *    in place and durable; that counts as applied up to `snapshot.index`;
 * 4. apply `committedEntries` (they are durable here already) and call `onApplied`.
 * The core may be driven on between 2 and 3: further Readys only queue behind.
 * Byte arrays of one Ready are views of one buffer: copy what is kept long.
 */
export interface Ready {
  readonly number: number;
  readonly hardState?: HardState;
  readonly softState?: SoftState;
  readonly entries: readonly RaftEntry[];
  readonly snapshot?: SnapshotMeta;
  readonly messages: readonly OutgoingMessage[];
  readonly persistedMessages: readonly OutgoingMessage[];
  readonly committedEntries: readonly RaftEntry[];
  readonly readStates: readonly ReadState[];
  readonly entryFetches: readonly EntryFetch[];
  readonly snapshotRequests: readonly SnapshotRequest[];
  readonly mustSync: boolean;
}

export interface SoftState {
  /** 0 when unknown. */
  readonly leader: RaftId;
  readonly role: RaftRole;
}

export interface PeerProgress {
  readonly nodeId: RaftId;
  readonly match: number;
  readonly next: number;
  readonly state: "probe" | "replicate" | "snapshot";
  /** Heard of within the last election timeout. */
  readonly recentActive: boolean;
  /** No more is sent until it answers. */
  readonly paused: boolean;
  /** The index of the snapshot on its way, 0 for none. */
  readonly pendingSnapshot: number;
}

export interface GroupStatus {
  readonly role: RaftRole;
  readonly leader: RaftId;
  readonly term: number;
  readonly vote: RaftId;
  readonly commit: number;
  readonly applied: number;
  readonly persisted: number;
  /** First and last index of the log; first is last+1 when it is empty. */
  readonly firstIndex: number;
  readonly lastIndex: number;
  readonly confState: ConfState;
  /** A leader with an entry of its own term committed; only such a leader answers reads. */
  readonly committedInTerm: boolean;
  /** The node leadership is being handed to, 0 for none. */
  readonly transferee: RaftId;
  /** Known to leaders only; empty elsewhere. Ascending by node. */
  readonly peers: readonly PeerProgress[];
  readonly uncommittedBytes: number;
  /** Log tail held inside the core. */
  readonly tailEntries: number;
  readonly tailBytes: number;
}

/**
 * One instance of the core; it hosts many groups. Calls are synchronous and never re-entrant.
 * Byte arguments are copied in, results are fresh copies owned by the caller.
 * Every method throws StoreError `not-found` for a group that is not open and `invalid` for
 * arguments that do not fit its state (nothing has changed), and AssertionFailure for a number that
 * is no id, index or count. A broken invariant inside throws AssertionFailure and kills the
 * instance: every further call throws it too, and only a new instance opened from persisted state
 * helps.
 */
export interface RaftCore {
  /**
   * Throws `exists` when open already, `invalid` when the parts do not fit together, `corrupt` when
   * they show that the log lost something (it ends before `commit` or `appliedIndex`, or has a
   * hole).
   */
  openGroup(options: GroupOptions): void;
  closeGroup(groupId: RaftId): void;
  /** Ids of the open groups, ascending. */
  groups(): RaftId[];

  /** All `datas` go into one append. At least one, none of them empty; leader only. */
  propose(groupId: RaftId, datas: readonly Uint8Array[]): ProposeResult;
  proposeMembers(groupId: RaftId, proposal: MembersProposal): ProposeResult;
  /**
   * Call for each committed entry of kind `members`, in order, before `onApplied` covers it, unless
   * the host decides (on every replica alike) to refuse the change. Throws `invalid` for a change
   * that does not fit the membership: every replica gets the same answer, and it has no effect.
   */
  applyMembers(groupId: RaftId, data: Uint8Array): AppliedMembers;
  /** Asks for a linearizable read; followers forward to their leader. Answers carry `context`. */
  readIndex(groupId: RaftId, context: Uint8Array): ReadIndexResult;

  /** Takes messages from peers, in order. Throws `corrupt` and takes none when one is malformed. */
  step(groupId: RaftId, messages: readonly Uint8Array[]): StepResult;
  tick(groupId: RaftId): void;
  tickAll(): void;

  /** Ids of groups with something to do, ascending. */
  readyGroups(): RaftId[];
  ready(groupId: RaftId): Ready | undefined;
  /** Ready `number` and all before it are durable. */
  onPersisted(groupId: RaftId, number: number): void;
  /** Everything up to `index` is applied. */
  onApplied(groupId: RaftId, index: number): void;

  /** The log up to and including `index` was or will be cut; `index` must be applied. */
  compactTo(groupId: RaftId, index: number): void;
  /**
   * Answers an EntryFetch. An empty list drops it (the core asks again when it still needs them).
   * Tokens that are no longer outstanding are ignored. Throws `corrupt` for entries that are not
   * those of the log.
   */
  provideEntries(groupId: RaftId, token: number, entries: readonly RaftEntry[]): void;
  /**
   * Names the snapshot that the host can stream: state after applying `index` (at most the applied
   * index) and the membership at that point. Replaces the one offered before; `undefined` withdraws
   * it. An offer older than the log's start changes nothing.
   */
  offerSnapshot(groupId: RaftId, snapshot: Omit<SnapshotMeta, "term"> | undefined): void;

  /** Starts an election now (no effect on a leader or a learner). */
  campaign(groupId: RaftId): void;
  /**
   * Hands leadership to `nodeId`, when that is possible within an election timeout. False when this
   * is not the leader or `nodeId` not another voter.
   */
  transferLeader(groupId: RaftId, nodeId: RaftId): boolean;
  /** The last message to `nodeId` was not delivered. */
  reportUnreachable(groupId: RaftId, nodeId: RaftId): void;
  /** The snapshot to `nodeId` arrived (its message was delivered) or failed. Never leave it out. */
  reportSnapshot(groupId: RaftId, nodeId: RaftId, delivered: boolean): void;
  /**
   * A follower asks its leader for a snapshot because its state is lost; it is asked as soon as
   * that is possible, and a snapshot follows in a Ready. False on a leader: hand over first.
   */
  requestSnapshot(groupId: RaftId): boolean;
  setPriority(groupId: RaftId, priority: number): void;

  status(groupId: RaftId): GroupStatus;
  /** Reads the head of an encoded message. Throws `corrupt` when it cannot be decoded. */
  inspect(message: Uint8Array): MessageHead;
  /** Bytes of WebAssembly memory held (never shrinks). */
  memoryBytes(): number;
}

export interface RaftCoreOptions {
  /**
   * Seeds election timeouts: the same seed and the same calls give the same trace. 64 bits count.
   */
  readonly seed: bigint;
  /** Defaults to the built core; compile once where many instances are made (`compileRaftCore`). */
  readonly module?: RaftCoreModule;
}

/**
 * A new instance without groups: about 1.2 MiB, some milliseconds when it must be compiled first.
 */
export function createRaftCore(options: RaftCoreOptions): RaftCore {
  return new WasmRaftCore(options.module ?? compileRaftCore(), options.seed);
}

export { compileRaftCore, type RaftCoreModule };
