// Reads the core's results into the interface's records: the counterpart of src/report.rs. Fields
// are read in the order in which they are written there.

import { unreachable } from "../../base/assert.ts";
import type {
  EntryFetch,
  GroupStatus,
  HardState,
  MemberChange,
  MessageHead,
  MessageKind,
  OutgoingMessage,
  PeerProgress,
  ProposeResult,
  RaftRole,
  Ready,
  SnapshotMeta,
  SoftState,
} from "../core.ts";
import type { ResultReader } from "./codec.ts";

const ROLES: readonly RaftRole[] = ["follower", "pre-candidate", "candidate", "leader"];
const PEER_STATES: readonly PeerProgress["state"][] = ["probe", "replicate", "snapshot"];
const CHANGE_KINDS: readonly MemberChange["kind"][] = ["add-voter", "add-learner", "remove"];
/** By number of eraftpb.MessageType. */
const MESSAGE_KINDS: readonly MessageKind[] = [
  "local",
  "local",
  "propose",
  "append",
  "append-response",
  "vote",
  "vote-response",
  "snapshot",
  "heartbeat",
  "heartbeat-response",
  "local",
  "local",
  "local",
  "transfer-leader",
  "timeout-now",
  "read-index",
  "read-index-response",
  "pre-vote",
  "pre-vote-response",
];
const PROPOSE_KINDS: readonly ProposeResult["kind"][] = [
  "appended",
  "not-leader",
  "transferring",
  "exhausted",
  "pending",
  "invalid",
];

export function readProposed(reader: ResultReader): ProposeResult {
  const kind = reader.oneOf(PROPOSE_KINDS);
  switch (kind) {
    case "appended":
      return { kind, firstIndex: reader.integer(), term: reader.integer() };
    case "not-leader":
      return { kind, leader: reader.integer() };
    case "transferring":
      return { kind, to: reader.integer() };
    case "exhausted":
    case "pending":
      return { kind };
    case "invalid":
      return { kind, reason: reader.text() };
    default:
      return unreachable(kind);
  }
}

export function readChanges(reader: ResultReader): MemberChange[] {
  return reader.list(() => ({ kind: reader.oneOf(CHANGE_KINDS), nodeId: reader.integer() }));
}

function readSnapshot(reader: ResultReader): SnapshotMeta {
  return {
    index: reader.integer(),
    term: reader.integer(),
    confState: reader.confState(),
    context: reader.blob(),
  };
}

export function readHead(reader: ResultReader): MessageHead {
  const head = {
    kind: reader.oneOf(MESSAGE_KINDS),
    from: reader.integer(),
    to: reader.integer(),
    term: reader.integer(),
    logTerm: reader.integer(),
    index: reader.integer(),
    commit: reader.integer(),
    reject: reader.flag(),
    entryCount: reader.count(),
  };
  return head.kind === "snapshot" ? { ...head, snapshot: readSnapshot(reader) } : head;
}

function readMessages(reader: ResultReader): OutgoingMessage[] {
  return reader.list(() => ({ ...readHead(reader), bytes: reader.blob() }));
}

function readFetch(reader: ResultReader): EntryFetch {
  return {
    token: reader.integer(),
    firstIndex: reader.integer(),
    lastIndex: reader.integer(),
    bytesMax: reader.integer(),
    purpose: reader.flag() ? "apply" : "append",
  };
}

function readHardState(reader: ResultReader): HardState {
  return { term: reader.integer(), vote: reader.integer(), commit: reader.integer() };
}

function readSoftState(reader: ResultReader): SoftState {
  return { leader: reader.integer(), role: reader.oneOf(ROLES) };
}

export function readReady(reader: ResultReader): Ready {
  const number = reader.integer();
  const mustSync = reader.flag();
  const hardState = reader.flag() ? readHardState(reader) : undefined;
  const softState = reader.flag() ? readSoftState(reader) : undefined;
  const snapshot = reader.flag() ? readSnapshot(reader) : undefined;
  return {
    number,
    mustSync,
    ...(hardState === undefined ? {} : { hardState }),
    ...(softState === undefined ? {} : { softState }),
    ...(snapshot === undefined ? {} : { snapshot }),
    entries: reader.entries(),
    messages: readMessages(reader),
    persistedMessages: readMessages(reader),
    committedEntries: reader.entries(),
    readStates: reader.list(() => ({ index: reader.integer(), context: reader.blob() })),
    entryFetches: reader.list(() => readFetch(reader)),
    snapshotRequests: reader.list(() => ({ to: reader.integer(), minIndex: reader.integer() })),
  };
}

export function readStatus(reader: ResultReader): GroupStatus {
  return {
    role: reader.oneOf(ROLES),
    leader: reader.integer(),
    term: reader.integer(),
    vote: reader.integer(),
    commit: reader.integer(),
    applied: reader.integer(),
    persisted: reader.integer(),
    firstIndex: reader.integer(),
    lastIndex: reader.integer(),
    confState: reader.confState(),
    committedInTerm: reader.flag(),
    transferee: reader.integer(),
    peers: reader.list(() => ({
      nodeId: reader.integer(),
      match: reader.integer(),
      next: reader.integer(),
      state: reader.oneOf(PEER_STATES),
      recentActive: reader.flag(),
      paused: reader.flag(),
      pendingSnapshot: reader.integer(),
    })),
    uncommittedBytes: reader.integer(),
    tailEntries: reader.count(),
    tailBytes: reader.count(),
  };
}
