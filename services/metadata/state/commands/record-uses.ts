// RecordUses: when access keys and tokens were last used. Gateways bring them late and out of
// order; the later time wins. No part of the directory: revisions stay.

import { utf8 } from "../../../lib/base/bytes.ts";
import type { RecordUses, Reply } from "../../../lib/gen/dolium/record/v1/command_pb.ts";
import { LastUseSchema } from "../../../lib/gen/dolium/record/v1/identity_pb.ts";
import { holderOf } from "../identities.ts";
import { lastUseKey, PROOF } from "../keys.ts";
import { accepted } from "../outcome.ts";
import { putRecord, readRecord, type StateWriter } from "../records.ts";

export function recordUses(view: StateWriter, { uses }: RecordUses): Reply {
  for (const record of uses) {
    const { id, usedMs } = record;
    if (holderOf(view, { kind: PROOF.id, value: utf8(id) }) === undefined) continue;
    const key = lastUseKey(id);
    const known = readRecord(view, LastUseSchema, key);
    if (known !== undefined && known.usedMs >= usedMs) continue;
    putRecord(view, LastUseSchema, { key, record });
  }
  return accepted();
}
