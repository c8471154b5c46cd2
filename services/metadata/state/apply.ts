// A replica's state as a state machine over a key-value store. A list of log entries becomes one
// atomic write: their effects, the index they bring the state to, the membership, and the digest of
// it all. The same log gives the same bytes on every replica. Every write is synced before the
// next: LevelDB's log then has at most a torn tail after a power cut that hits all replicas at
// once, and always opens.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { assert } from "../../lib/base/assert.ts";
import { copyBytes } from "../../lib/base/bytes.ts";
import { StoreError } from "../../lib/base/errors.ts";
import {
  DigestReplySchema,
  type LoggedCommand,
  LoggedCommandSchema,
  Outcome,
  type Reply,
  ReplySchema,
} from "../../lib/gen/dolium/record/v1/command_pb.ts";
import type { GroupMeta, ReplicaMark } from "../../lib/gen/dolium/record/v1/group_pb.ts";
import type { Kv } from "../../lib/ports/kv.ts";
import type { CommittedEntry } from "../../lib/raft/types.ts";
import { BatchView } from "./batch-view.ts";
import { applyCommand } from "./commands/command-table.ts";
import { CommandContext, readMeta, writeMeta } from "./context.ts";
import { Digest } from "./digest.ts";
import { ID_BYTES } from "./keys.ts";
import { accepted, refused } from "./outcome.ts";
import { markOperation, readMark } from "./replica-mark.ts";
import { ReplyTable } from "./replies.ts";
import { UsageLedger } from "./usage.ts";
import { commandFault } from "./validate.ts";

const NO_REPLY = new Uint8Array(0);

/** Applies entries to one store. Not concurrent: one call after another. */
export class Applier {
  readonly #kv: Kv;
  readonly #replies = new ReplyTable();
  #mark: ReplicaMark;

  constructor(kv: Kv) {
    this.#kv = kv;
    this.#mark = readMark(kv);
  }

  get mark(): ReplicaMark {
    return this.#mark;
  }

  /** Resolves when power-safe. After a rejection the applier must not be used again. */
  async apply(entries: readonly CommittedEntry[]): Promise<Uint8Array[]> {
    const view = new BatchView(this.#kv, new Digest(this.#mark.digest));
    const batch = new Batch(view, this.#replies, this.#mark);
    const replies: Uint8Array[] = [];
    for (const entry of entries) replies.push(await batch.apply(entry));
    const mark = batch.finish();
    await this.#kv.write([...view.operations(), markOperation(mark)], { sync: true });
    this.#mark = mark;
    return replies;
  }
}

class Batch {
  readonly #view: BatchView;
  readonly #replies: ReplyTable;
  readonly #mark: ReplicaMark;
  readonly #meta: GroupMeta;
  readonly #usage: UsageLedger;
  #isMetaChanged = false;

  constructor(view: BatchView, replies: ReplyTable, mark: ReplicaMark) {
    this.#view = view;
    this.#replies = replies;
    this.#mark = { ...mark };
    this.#meta = readMeta(view);
    this.#usage = new UsageLedger(view);
  }

  async apply(entry: CommittedEntry): Promise<Uint8Array> {
    const { index, term, kind, data, confState } = entry;
    assert(BigInt(index) === this.#mark.index + 1n, `apply: entry ${index} out of order`);
    this.#mark.index = BigInt(index);
    this.#mark.term = BigInt(term);
    if (confState !== undefined) this.#mark.confState = copyBytes(confState);
    if (kind === "members" || data.byteLength === 0) return NO_REPLY;
    return this.#command(index, decodeCommand(data));
  }

  finish(): ReplicaMark {
    this.#mark.digest = this.#settle();
    this.#mark.usageIndex = this.#mark.index;
    return this.#mark;
  }

  async #command(index: number, logged: LoggedCommand): Promise<Uint8Array> {
    const { commandId, nowMs, random, command } = logged;
    if (commandId.byteLength !== ID_BYTES || command === undefined) {
      return encodeReply(refused(Outcome.UNSPECIFIED, "a malformed command"));
    }
    const earlier = this.#replies.find(this.#view, commandId);
    if (earlier !== undefined) return copyBytes(earlier.reply);
    const context = new CommandContext(
      { index, nowMs, random, origin: command.origin },
      this.#meta,
      this.#usage,
    );
    this.#isMetaChanged = true;
    await this.#replies.prune(this.#view, context);
    const fault = commandFault(command);
    let reply: Reply;
    if (fault !== undefined) reply = refused(Outcome.UNSPECIFIED, fault);
    else if (command.kind.case === "digestMark") reply = this.#markDigest(index);
    else reply = await applyCommand(this.#view, command, context);
    const encoded = encodeReply(reply);
    this.#replies.remember(this.#view, context, { commandId, reply: encoded });
    return encoded;
  }

  #markDigest(index: number): Reply {
    const digest = this.#settle();
    this.#mark.markedIndex = BigInt(index);
    this.#mark.markedDigest = digest;
    return accepted({ case: "digest", value: create(DigestReplySchema, { digest }) });
  }

  #settle(): Uint8Array {
    if (this.#isMetaChanged) writeMeta(this.#view, this.#meta);
    this.#usage.write(this.#view);
    return this.#view.settle().bytes();
  }
}

function encodeReply(reply: Reply): Uint8Array {
  return toBinary(ReplySchema, reply);
}

function decodeCommand(data: Uint8Array): LoggedCommand {
  try {
    return fromBinary(LoggedCommandSchema, data);
  } catch (error) {
    throw new StoreError("corrupt", "a log entry does not decode", { cause: error });
  }
}
