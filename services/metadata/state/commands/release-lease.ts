// ReleaseLease: gives a lease back. The record stays, so that tokens go on growing. Releasing what
// is not held (any more) changes nothing.
import { LeaseRecordSchema } from "../../../lib/gen/dolium/record/v1/cluster_pb.ts";
import {
  Outcome,
  type ReleaseLease,
  type Reply,
} from "../../../lib/gen/dolium/record/v1/command_pb.ts";
import { leaseKey } from "../keys.ts";
import { accepted, refused } from "../outcome.ts";
import { putRecord, readRecord, type StateWriter } from "../records.ts";

export function releaseLease(view: StateWriter, command: ReleaseLease): Reply {
  const { name, holder, token } = command;
  const key = leaseKey(name);
  const present = readRecord(view, LeaseRecordSchema, key);
  if (present === undefined || present.holder !== holder || present.token !== token) {
    return refused(Outcome.CONFLICT, `the lease ${name} is not held under this token`);
  }
  putRecord(view, LeaseRecordSchema, { key, record: { ...present, holder: "", expiresMs: 0n } });
  return accepted();
}
