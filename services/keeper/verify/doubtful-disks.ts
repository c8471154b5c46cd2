// Disks whose recovery left something out, or whose index had to be made anew, say that they are in
// doubt: all shards that manifests place there are asked for at once instead of at the next audit
// of everything, and once more a while later, since an upload that was under way may commit after
// the first look. Then the disk is told that its doubt is settled. A look that a silent node spoils
// is done again.
import { mapBounded } from "../../lib/base/bounded.ts";
import { isStoreError } from "../../lib/base/errors.ts";
import type { DiskAddress } from "../../lib/clients/shard-client.ts";
import type { KeeperDeps } from "../deps.ts";
import { Pace } from "../pace.ts";
import { compareShards, NOTHING_COMPARED, sumOf } from "./compare-shards.ts";
import { type VerifyMetrics, verifyMetrics } from "./verify-metrics.ts";

/** The second look comes so long after the first. */
export const SECOND_LOOK_MS = 60_000;
/** Silent ones take their deadline each: a rack of them must not hold up the others. */
const ASKED_AT_ONCE = 16;

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

  /**
   * Asks all disks side by side; looks at those that are in doubt, one after the other, when that
   * is due.
   */
  async round(signal: AbortSignal): Promise<void> {
    const { view, shards } = this.#deps;
    await view.refresh();
    const disks = view
      .map()
      .nodes.flatMap((node) => node.disks.flatMap(({ diskId }) => view.addressOf(diskId) ?? []));
    const doubtful: { readonly disk: DiskAddress; readonly doubtMs: bigint }[] = [];
    await mapBounded(disks, ASKED_AT_ONCE, (disk) =>
      this.#unlessSilent(disk, signal, async () => {
        const doubtMs = signal.aborted ? undefined : await shards.doubt(disk);
        if (doubtMs === 0n) this.#doubts.delete(disk.diskId);
        else if (doubtMs !== undefined) doubtful.push({ disk, doubtMs });
      }),
    );
    for (const { disk, doubtMs } of doubtful) {
      if (signal.aborted) return;
      await this.#unlessSilent(disk, signal, () => this.#visit(disk, doubtMs, signal));
    }
  }

  /** A disk that does not answer is asked again in the next round. */
  async #unlessSilent(
    { diskId }: DiskAddress,
    signal: AbortSignal,
    work: () => Promise<void>,
  ): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (signal.aborted || !isStoreError(error)) throw error;
      this.#deps.log.debug("doubts of a disk not settled", { diskId, reason: error.message });
    }
  }

  async #visit(disk: DiskAddress, doubtMs: bigint, signal: AbortSignal): Promise<void> {
    const { shards, clock } = this.#deps;
    const { diskId } = disk;
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
