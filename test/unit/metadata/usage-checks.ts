// The usage of buckets against the model, and a store made into what an earlier release would have
// left: without usage, and with the digest that such a store has.
import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { ReplicaMarkSchema } from "../../../services/lib/gen/dolium/record/v1/group_pb.ts";
import type { Kv, KvEntry } from "../../../services/lib/ports/kv.ts";
import { Digest } from "../../../services/metadata/state/digest.ts";
import { GroupState } from "../../../services/metadata/state/group-state.ts";
import { TABLE, tableRange } from "../../../services/metadata/state/keys.ts";
import { markOperation, readMark } from "../../../services/metadata/state/replica-mark.ts";
import { type Machine, stateDeps } from "./harness.ts";
import type { Model } from "./model.ts";

async function usageEntries(kv: Kv): Promise<KvEntry[]> {
  const iterator = kv.iterate(tableRange(TABLE.usage));
  try {
    return await iterator.next(10_000);
  } finally {
    await iterator.close();
  }
}

/** Closes the machine's store and takes the usage out; gives the store's folder. */
export async function stripUsage(machine: Machine): Promise<string> {
  const path = machine.state.storePath;
  await machine.state.close();
  const kv = await stateDeps.kvFactory.open(path);
  const mark = readMark(kv);
  const digest = new Digest(mark.digest);
  const entries = await usageEntries(kv);
  for (const [key, stored] of entries) digest.subtract(key, stored);
  const older = create(ReplicaMarkSchema, { ...mark, usageIndex: 0n, digest: digest.bytes() });
  const deletes = entries.map(([key]) => ({ type: "delete", key }) as const);
  await kv.write([...deletes, markOperation(older)], { sync: true });
  await kv.close();
  return path;
}

/** Fails unless the group's usage of the bucket is what the model counts. */
export async function compareUsage(machine: Machine, model: Model, bucketId: number) {
  const value = { bucketIds: [bucketId, 999] };
  const { entries } = await machine.query({ case: "bucketUsage", value });
  const [usage, none] = entries.map((entry) => entry.usage);
  const { objects, versions, bytes, uploadBytes } = usage ?? assert.fail("no usage");
  assert.deepEqual({ objects, versions, bytes, uploadBytes }, model.usage());
  assert.equal(none?.versions, 0n);
  assert.equal(await machine.recordsOf(TABLE.usage), versions + uploadBytes > 0n ? 1 : 0);
}

/** Fails unless a store without usage comes to the same bytes when it is opened. */
export async function compareRecount(machine: Machine, model: Model, bucketId: number) {
  const digestHex = (): string => Buffer.from(machine.state.mark.digest).toString("hex");
  const kept = digestHex();
  const path = await stripUsage(machine);
  machine.state = await GroupState.open(stateDeps, path.slice(0, path.lastIndexOf("/")));
  await compareUsage(machine, model, bucketId);
  assert.equal(digestHex(), kept);
  await machine.audit();
}
