// RaftCore over the WebAssembly core: each method writes its arguments, makes one call, reads its
// result. Decides nothing; what is decided about Raft is decided inside (src/group.rs).
import { assert } from "../../base/assert.ts";
import type {
  AppliedMembers,
  GroupBounds,
  GroupOptions,
  GroupStatus,
  MemberChange,
  MembersProposal,
  MessageHead,
  ProposeResult,
  RaftCore,
  RaftEntry,
  RaftId,
  ReadIndexResult,
  Ready,
  SnapshotMeta,
  StepResult,
} from "../core.ts";
import { ArgumentWriter, type ResultReader } from "./codec.ts";
import { readChanges, readHead, readProposed, readReady, readStatus } from "./results.ts";
import { CoreInstance, type Operation, type RaftCoreModule } from "./runtime.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

const DEFAULT_BOUNDS: Required<GroupBounds> = {
  messageBytesMax: 256 * KIB,
  inflightMessagesMax: 32,
  uncommittedBytesMax: 32 * MIB,
  committedBytesMax: MIB,
  tailEntriesMax: 1024,
  tailBytesMax: 2 * MIB,
};

const READ_RESULTS: readonly ReadIndexResult[] = ["asked", "no-leader", "not-ready", "exhausted"];

function transitionTag(transition: NonNullable<MembersProposal["transition"]>): number {
  return { auto: 0, implicit: 1, explicit: 2 }[transition];
}

function changeTag(kind: MemberChange["kind"]): number {
  return { "add-voter": 0, "add-learner": 1, remove: 2 }[kind];
}

function checkId(value: number, what: string): number {
  assert(Number.isSafeInteger(value) && value > 0, `not a ${what}: ${value}`);
  return value;
}

function checkIndex(value: number, what: string): number {
  assert(Number.isSafeInteger(value) && value >= 0, `not a ${what}: ${value}`);
  return value;
}

function writeBounds(writer: ArgumentWriter, given: GroupBounds | undefined): void {
  const bounds = { ...DEFAULT_BOUNDS, ...given };
  writer.integer(bounds.messageBytesMax);
  writer.count(bounds.inflightMessagesMax);
  // 32 bits is all that the core's own counter holds; its highest value would mean "no limit".
  assert(bounds.uncommittedBytesMax < 0xffff_ffff, "uncommittedBytesMax is out of range");
  writer.integer(bounds.uncommittedBytesMax);
  writer.integer(bounds.committedBytesMax);
  writer.count(bounds.tailEntriesMax);
  writer.count(bounds.tailBytesMax);
}

function writeOptions(writer: ArgumentWriter, options: GroupOptions): void {
  writer.integer(checkId(options.nodeId, "node id"));
  writer.count(options.electionTicks);
  writer.count(options.heartbeatTicks);
  writer.flag(options.preVote ?? true);
  writer.flag(options.checkQuorum ?? true);
  writer.signed(options.priority ?? 0);
  writer.integer(options.hardState.term);
  writer.integer(options.hardState.vote);
  writer.integer(options.hardState.commit);
  writer.confState(options.confState);
  writer.integer(options.appliedIndex);
  writer.integer(options.snapshotIndex);
  writer.integer(options.snapshotTerm);
  writer.integer(options.lastIndex);
  const runs = options.termRuns ?? [];
  writer.count(runs.length);
  for (const run of runs) {
    writer.integer(run.firstIndex);
    writer.integer(run.term);
  }
  writer.integers(options.membersIndexes ?? []);
  writer.entries(options.entries ?? []);
  writeBounds(writer, options.bounds);
}

export class WasmRaftCore implements RaftCore {
  readonly #instance: CoreInstance;
  readonly #writer = new ArgumentWriter();

  constructor(module: RaftCoreModule, seed: bigint) {
    this.#instance = new CoreInstance(module, seed);
  }

  /** A call on a group with at most one number and no further arguments. */
  #plain(operation: Operation, groupId: RaftId, number = 0): ResultReader {
    checkIndex(number, "number");
    return this.#instance.call(operation, checkId(groupId, "group id"), number);
  }

  #with(operation: Operation, groupId: RaftId, number = 0): ResultReader {
    checkIndex(number, "number");
    return this.#instance.call(operation, checkId(groupId, "group id"), number, this.#writer);
  }

  openGroup(options: GroupOptions): void {
    writeOptions(this.#writer.begin(), options);
    this.#with("open_group", options.groupId).end();
  }

  closeGroup(groupId: RaftId): void {
    this.#plain("close_group", groupId).end();
  }

  groups(): RaftId[] {
    return this.#instance.call("groups", 0).integers();
  }

  propose(groupId: RaftId, datas: readonly Uint8Array[]): ProposeResult {
    assert(datas.length > 0, "a proposal holds at least one entry");
    const writer = this.#writer.begin();
    writer.count(datas.length);
    for (const data of datas) {
      assert(data.byteLength > 0, "an entry is not empty");
      writer.blob(data);
    }
    return readProposed(this.#with("propose", groupId));
  }

  proposeMembers(groupId: RaftId, proposal: MembersProposal): ProposeResult {
    const writer = this.#writer.begin();
    writer.byte(transitionTag(proposal.transition ?? "auto"));
    writer.count(proposal.changes.length);
    for (const change of proposal.changes) {
      writer.byte(changeTag(change.kind));
      writer.integer(checkId(change.nodeId, "node id"));
    }
    writer.blob(proposal.context);
    return readProposed(this.#with("propose_members", groupId));
  }

  applyMembers(groupId: RaftId, data: Uint8Array): AppliedMembers {
    this.#writer.begin().blob(data);
    const reader = this.#with("apply_members", groupId);
    const confState = reader.confState();
    return { confState, changes: readChanges(reader), context: reader.blob() };
  }

  readIndex(groupId: RaftId, context: Uint8Array): ReadIndexResult {
    this.#writer.begin().blob(context);
    return this.#with("read_index", groupId).oneOf(READ_RESULTS);
  }

  step(groupId: RaftId, messages: readonly Uint8Array[]): StepResult {
    const writer = this.#writer.begin();
    writer.count(messages.length);
    for (const message of messages) writer.blob(message);
    const reader = this.#with("step", groupId);
    const stepped = reader.count();
    const ignored = reader.count();
    const damaged = reader.flag();
    const reason = reader.text();
    return { stepped, ignored, damage: damaged ? reason : undefined };
  }

  tick(groupId: RaftId): void {
    this.#plain("tick", groupId).end();
  }

  tickAll(): void {
    this.#instance.call("tick_all", 0).end();
  }

  readyGroups(): RaftId[] {
    return this.#instance.call("ready_groups", 0).integers();
  }

  ready(groupId: RaftId): Ready | undefined {
    const reader = this.#plain("ready", groupId);
    if (reader.empty) return undefined;
    const ready = readReady(reader);
    reader.end();
    return ready;
  }

  onPersisted(groupId: RaftId, number: number): void {
    this.#plain("on_persisted", groupId, number).end();
  }

  onApplied(groupId: RaftId, index: number): void {
    this.#plain("on_applied", groupId, index).end();
  }

  compactTo(groupId: RaftId, index: number): void {
    this.#plain("compact_to", groupId, index).end();
  }

  provideEntries(groupId: RaftId, token: number, entries: readonly RaftEntry[]): void {
    this.#writer.begin().entries(entries);
    this.#with("provide_entries", groupId, token).end();
  }

  offerSnapshot(groupId: RaftId, snapshot: Omit<SnapshotMeta, "term"> | undefined): void {
    const writer = this.#writer.begin();
    writer.flag(snapshot !== undefined);
    if (snapshot !== undefined) {
      writer.integer(snapshot.index);
      writer.confState(snapshot.confState);
      writer.blob(snapshot.context);
    }
    this.#with("offer_snapshot", groupId).end();
  }

  campaign(groupId: RaftId): void {
    this.#plain("campaign", groupId).end();
  }

  transferLeader(groupId: RaftId, nodeId: RaftId): boolean {
    return this.#plain("transfer_leader", groupId, checkId(nodeId, "node id")).flag();
  }

  reportUnreachable(groupId: RaftId, nodeId: RaftId): void {
    this.#plain("report_unreachable", groupId, checkId(nodeId, "node id")).end();
  }

  reportSnapshot(groupId: RaftId, nodeId: RaftId, delivered: boolean): void {
    this.#writer.begin().flag(delivered);
    this.#with("report_snapshot", groupId, checkId(nodeId, "node id")).end();
  }

  requestSnapshot(groupId: RaftId): boolean {
    return this.#plain("request_snapshot", groupId).flag();
  }

  setPriority(groupId: RaftId, priority: number): void {
    assert(Number.isSafeInteger(priority), `not a priority: ${priority}`);
    this.#instance.call("set_priority", checkId(groupId, "group id"), priority).end();
  }

  status(groupId: RaftId): GroupStatus {
    const reader = this.#plain("status", groupId);
    const status = readStatus(reader);
    reader.end();
    return status;
  }

  inspect(message: Uint8Array): MessageHead {
    this.#writer.begin().blob(message);
    return readHead(this.#instance.call("inspect", 0, 0, this.#writer));
  }

  memoryBytes(): number {
    return this.#instance.memoryBytes;
  }
}
