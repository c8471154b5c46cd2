// From metadata to shards: walks all manifests of all groups and asks the storage nodes for every
// shard that one names. A pass is begun once in `verifyIntervalMs`, whichever keeper does it; its
// result stands in the lease.
import type { PassReport } from "../../lib/clients/verify/verification-report.ts";
import type { KeeperDeps } from "../deps.ts";
import type { HeldLease } from "../leases.ts";
import { Pace } from "../pace.ts";
import { compareShards, NOTHING_COMPARED, SHARDS_LABELS, sumOf } from "./compare-shards.ts";
import { readNote, writeNote } from "./pass-note.ts";
import { type VerifyMetrics, verifyMetrics } from "./verify-metrics.ts";

export class ManifestAudit {
  readonly #deps: KeeperDeps;
  readonly #metrics: VerifyMetrics;
  #report: PassReport | undefined;

  constructor(deps: KeeperDeps) {
    this.#deps = deps;
    this.#metrics = verifyMetrics(deps.metrics);
  }

  /** Of the last pass that came to its end, here or at another keeper. */
  get report(): PassReport | undefined {
    return this.#report;
  }

  /** A pass, when one is due. */
  async round(signal: AbortSignal, lease: HeldLease): Promise<void> {
    const { clock, config, view } = this.#deps;
    this.#report = readNote(lease.note) ?? this.#report;
    const dueMs = (this.#report?.atMs ?? 0) + config.verifyIntervalMs;
    if (this.#report !== undefined && clock.wallMs() < dueMs) return;
    await view.refresh();
    const pace = new Pace(clock, config.verifyShardsPerSecond);
    let total = NOTHING_COMPARED;
    for (const groupId of view.indexGroups()) {
      const run = { groupId, pace, signal, metrics: this.#metrics };
      total = sumOf(total, await compareShards(this.#deps, run));
      if (signal.aborted) return;
    }
    const { looked, problems } = total;
    this.#report = { atMs: clock.wallMs(), looked, problems };
    this.#metrics.lastPass.set(clock.wallMs() / 1000, SHARDS_LABELS);
    await lease.write(writeNote(this.#report));
  }
}
