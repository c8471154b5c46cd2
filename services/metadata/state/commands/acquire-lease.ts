// AcquireLease: granted when the lease is free, ran out by the leaders' clocks, or is the holder's
// own (then it is renewed under its token). A new holder gets a larger token than any before.
import { create } from "@bufbuild/protobuf";
import {
  type LeaseRecord,
  LeaseRecordSchema,
} from "../../../lib/gen/dolium/record/v1/cluster_pb.ts";
import {
  type AcquireLease,
  LeaseReplySchema,
  Outcome,
  type Reply,
} from "../../../lib/gen/dolium/record/v1/command_pb.ts";
import type { CommandContext } from "../context.ts";
import { leaseKey } from "../keys.ts";
import { accepted, type ReplyKind, refused } from "../outcome.ts";
import { putRecord, readRecord, type StateWriter } from "../records.ts";

export function acquireLease(
  view: StateWriter,
  command: AcquireLease,
  context: CommandContext,
): Reply {
  const { name, holder, ttlMs } = command;
  const key = leaseKey(name);
  const present = readRecord(view, LeaseRecordSchema, key);
  const isHeld =
    present !== undefined && present.holder !== "" && present.expiresMs > context.nowMs;
  if (isHeld && present.holder !== holder) {
    return refused(Outcome.HELD, `held by ${present.holder}`, leaseKind(present));
  }
  const token = isHeld ? present.token : (present?.token ?? 0n) + 1n;
  const expiresMs = context.nowMs + ttlMs;
  const note = command.note ?? present?.note ?? new Uint8Array(0);
  const record = create(LeaseRecordSchema, { name, holder, expiresMs, token, note });
  putRecord(view, LeaseRecordSchema, { key, record });
  return accepted(leaseKind(record));
}

function leaseKind(lease: LeaseRecord): ReplyKind {
  return { case: "lease", value: create(LeaseReplySchema, { lease }) };
}
