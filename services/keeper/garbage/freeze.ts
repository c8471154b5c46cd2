// The cluster-wide stop of garbage collection: asked of the root group before anything is deleted,
// and set by the keeper itself when what it is about to delete turns out to be in use.
import { toHex } from "../../lib/base/bytes.ts";
import { StoreError } from "../../lib/base/errors.ts";
import type { GarbageFreezeInfo } from "../../lib/clients/cluster-view.ts";
import { ROOT_GROUP } from "../../lib/clients/groups.ts";
import { Outcome } from "../../lib/gen/dolium/record/v1/command_pb.ts";
import type { KeeperDeps } from "../deps.ts";

type FreezeDeps = Pick<KeeperDeps, "view" | "metadata" | "log">;

/** As the root group says now. Throws when it does not answer: then nothing may be deleted. */
export async function freezeNow({
  view,
}: Pick<FreezeDeps, "view">): Promise<GarbageFreezeInfo | undefined> {
  await view.refresh();
  return view.garbageFreeze();
}

/** Resolves once no keeper will begin to delete any more. Throws when that could not be made so. */
export async function freezeGarbage(deps: FreezeDeps, reason: string): Promise<void> {
  const kind = { case: "setGarbageFreeze", value: { frozen: true, reason } } as const;
  const reply = await deps.metadata.execute(ROOT_GROUP, kind);
  if (reply.outcome !== Outcome.OK) throw new StoreError("conflict", reply.message);
  await deps.view.refresh();
  deps.log.error("garbage is frozen", new StoreError("corrupt", reason));
}

/** For a reason that people read: a shard with its disk. */
export function shardText(chunkId: Uint8Array, shardIndex: number, diskId: number): string {
  return `shard ${toHex(chunkId)}/${shardIndex} on disk ${diskId}`;
}
