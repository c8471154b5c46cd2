// Disks whose recovery left something out, or whose index had to be made anew, say that they are in
// doubt: all shards that manifests place there are asked for at once instead of at the next audit
// of everything, and once more a while later, since an upload that was under way may commit after
// the first look. Then the disk is told that its doubt is settled. A look that a silent node spoils
// is done again.
import { isStoreError } from "../../lib/base/errors.ts";
import type { DiskAddress } from "../../lib/clients/shard-client.ts";
import type { KeeperDeps } from "../deps.ts";
import { Pace } from "../pace.ts";
import { compareShards, NOTHING_COMPARED, sumOf } from "./compare-shards.ts";
import { type VerifyMetrics, verifyMetrics } from "./verify-metrics.ts";

/** The second look comes so long after the first. */
export const SECOND_LOOK_MS = 60_000;

interface Doubt {
  readonly doubtMs: bigint;
  /** Monotonic; undefined until a first look came to its end. */
  firstLookMs: number | undefined;
}

export class DoubtfulDisks {
  readonly #deps: KeeperDeps;
  readonly #metrics: VerifyMetrics;
  readonly #doubts = new Map<number, Doubt>();

  constructor(deps: KeeperDeps) {
    this.#deps = deps;
    this.#metrics = verifyMetrics(deps.metrics);
  }

  /** Asks every disk; looks at those that are in doubt when that is due. */
  async round(signal: AbortSignal): Promise<void> {
    const { view, log } = this.#deps;
    await view.refresh();
    const disks = view.map().nodes.flatMap((node) => node.disks.map(({ diskId }) => diskId));
    for (const diskId of disks) {
      const disk = view.addressOf(diskId);
      if (signal.aborted) return;
      if (disk === undefined) continue;
      try {
        await this.#visit(disk, signal);
      } catch (error) {
        if (signal.aborted || !isStoreError(error)) throw error;
        log.debug("doubts of a disk not settled", { diskId, reason: error.message });
      }
    }
  }

  async #visit(disk: DiskAddress, signal: AbortSignal): Promise<void> {
    const { shards, clock } = this.#deps;
    const { diskId } = disk;
    const doubtMs = await shards.doubt(disk);
    if (doubtMs === 0n) {
      this.#doubts.delete(diskId);
      return;
    }
    let doubt = this.#doubts.get(diskId);
    if (doubt?.doubtMs !== doubtMs) doubt = { doubtMs, firstLookMs: undefined };
    this.#doubts.set(diskId, doubt);
    const { firstLookMs } = doubt;
    if (firstLookMs !== undefined && clock.monotonicMs() < firstLookMs + SECOND_LOOK_MS) return;
    const begunMs = clock.monotonicMs();
    if (!(await this.#look(diskId, signal))) return;
    if (firstLookMs === undefined) doubt.firstLookMs = begunMs;
    else await shards.doubt(disk, doubtMs);
  }

  /** True when the node answered for every shard. */
  async #look(diskId: number, signal: AbortSignal): Promise<boolean> {
    const { view, clock, config, log } = this.#deps;
    const pace = new Pace(clock, config.verifyShardsPerSecond);
    const metrics = this.#metrics;
    let total = NOTHING_COMPARED;
    for (const groupId of view.indexGroups()) {
      const run = { groupId, onDisk: diskId, pace, signal, metrics };
      total = sumOf(total, await compareShards(this.#deps, run));
      if (signal.aborted) return false;
    }
    log.info("a disk in doubt was compared with the manifests", { diskId, ...total });
    return total.silent === 0;
  }
}
