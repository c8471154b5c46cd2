// The table of replies: a command that comes again (its answer was lost) is answered from here
// instead of being applied twice. Replies are forgotten after ten minutes, or sooner when there are
// very many; which ones depends only on the replicated state, so every replica forgets the same at
// the same command.
import { create } from "@bufbuild/protobuf";
import {
  ReplyAgeSchema,
  type StoredReply,
  StoredReplySchema,
} from "../../lib/gen/dolium/record/v1/group_pb.ts";
import type { CommandContext } from "./context.ts";
import { replyAgeKey, replyKey, TABLE, tableRange } from "./keys.ts";
import { decodeRecord, insertRecord, putRecord, readRecord, type StateWriter } from "./records.ts";

export const REMEMBERED_MS = 600_000n;
/** Far more than any client can have in doubt at once. */
export const REPLIES_MAX = 131_072n;
/** Looked at with each command: more than come in, so that the table shrinks. */
const FORGOTTEN_AT_ONCE = 4;
const READ_AHEAD = 512;

interface Aged {
  readonly key: Uint8Array;
  readonly commandId: Uint8Array;
  readonly appliedMs: bigint;
}

export class ReplyTable {
  /** The oldest replies, oldest first: a window over the table that only speeds up finding them. */
  #oldest: Aged[] = [];
  #at = 0;

  find(view: StateWriter, commandId: Uint8Array): StoredReply | undefined {
    return readRecord(view, StoredReplySchema, replyKey(commandId));
  }

  remember(
    view: StateWriter,
    context: CommandContext,
    answer: { readonly commandId: Uint8Array; readonly reply: Uint8Array },
  ): void {
    const { commandId, reply } = answer;
    const stored = create(StoredReplySchema, { index: BigInt(context.index), reply });
    putRecord(view, StoredReplySchema, { key: replyKey(commandId), record: stored });
    const age = create(ReplyAgeSchema, { commandId, appliedMs: context.timeMs });
    insertRecord(view, ReplyAgeSchema, { key: replyAgeKey(context.index), record: age });
    context.count("replies", 1);
  }

  /** Forgets a few that are too old or too many. */
  async prune(view: StateWriter, context: CommandContext): Promise<void> {
    for (let count = 0; count < FORGOTTEN_AT_ONCE; count += 1) {
      const oldest = await this.#peek(view, context);
      if (oldest === undefined) return;
      const isOld = oldest.appliedMs + REMEMBERED_MS <= context.timeMs;
      if (!isOld && context.meta.replies <= REPLIES_MAX) return;
      view.delete(oldest.key);
      view.delete(replyKey(oldest.commandId));
      context.count("replies", -1);
      this.#at += 1;
    }
  }

  async #peek(view: StateWriter, context: CommandContext): Promise<Aged | undefined> {
    if (this.#at === this.#oldest.length && context.meta.replies > 0n) {
      const entries = await view.scan(tableRange(TABLE.replyAge), READ_AHEAD);
      this.#oldest = entries.map(([key, payload]) => ({
        key,
        ...decodeRecord(ReplyAgeSchema, payload),
      }));
      this.#at = 0;
    }
    return this.#oldest[this.#at];
  }
}
