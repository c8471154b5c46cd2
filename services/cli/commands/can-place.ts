// Whether a gateway could place a body now; what readiness means for writing.
import { toStoreError } from "../../lib/base/errors.ts";
import type { ClusterView } from "../../lib/clients/cluster-view.ts";

/** Undefined when a chunk could be placed full width, else why not. */
export function placeable(view: ClusterView, probe: Uint8Array): string | undefined {
  if (!view.isFresh() || view.epoch === 0) return "the cluster map";
  try {
    const { policy, disks } = view.place(view.defaultPolicy(), probe);
    const enough = view.enough(
      policy.name,
      disks.map((disk) => disk.diskId),
    );
    return enough ? undefined : "enough storage nodes";
  } catch (error) {
    return `storage: ${toStoreError(error).message}`;
  }
}
