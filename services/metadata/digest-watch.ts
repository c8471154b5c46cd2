// Compares the replicas' digests. Each group's leader marks an index every minute; every replica
// then asks the others what digest they had there. One that differs from a majority has been wrong
// without any checksum noticing: it fails itself and is rebuilt from the others. A minority never
// changes a majority.
import { equalBytes } from "../lib/base/bytes.ts";
import { StoreError, toStoreError } from "../lib/base/errors.ts";
import type { Clock, Timer } from "../lib/ports/clock.ts";
import type { Log } from "../lib/ports/log.ts";
import type { Counter, Metrics } from "../lib/ports/metrics.ts";
import type { Transport } from "../lib/ports/transport.ts";
import type { MetadataConfig } from "./config.ts";
import { askPeers, groupsOf } from "./peer-status.ts";
import type { Proposer } from "./proposer.ts";
import type { Replica, ReplicaGroup } from "./replica.ts";

export interface DigestWatchDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly transport: Transport;
  readonly proposer: Proposer;
  readonly config: MetadataConfig;
  readonly digestMs: number;
  readonly replica: () => Replica | undefined;
  readonly groupFailed: (groupId: number, error: StoreError) => void;
}

/** Looks so many times between two marks: the others apply a mark a moment later or earlier. */
const LOOKS_PER_MARK = 6;

export type DigestVerdict = "agrees" | "differs" | "unknown";

/**
 * `mine` against `others` (digests at the same index), of `replicaCount` replicas: "differs" when a
 * majority of all agrees on another one, "agrees" when a majority, this one counted, has mine.
 */
export function judgeDigest(
  mine: Uint8Array,
  others: readonly Uint8Array[],
  replicaCount: number,
): DigestVerdict {
  const majority = Math.floor(replicaCount / 2) + 1;
  const same = others.filter((digest) => equalBytes(digest, mine)).length;
  if (same + 1 >= majority) return "agrees";
  const isOutvoted = others.some(
    (digest) =>
      !equalBytes(digest, mine) &&
      others.filter((other) => equalBytes(other, digest)).length >= majority,
  );
  return isOutvoted ? "differs" : "unknown";
}

export class DigestWatch {
  readonly #deps: DigestWatchDeps;
  readonly #mismatches: Counter;
  /** By group: the marked index that was settled last. */
  readonly #settled = new Map<number, bigint>();
  #looks = 0;
  #timer: Timer | undefined;
  #working: Promise<void> | undefined;
  #isClosed = false;

  constructor(deps: DigestWatchDeps) {
    this.#deps = deps;
    this.#mismatches = deps.metrics.counter("metadata_digest_mismatches_total", {
      help: "Times this replica's state differed from that of the others.",
      labels: ["group"],
    });
  }

  start(): void {
    if (this.#isClosed) return;
    this.#timer = this.#deps.clock.after(this.#deps.digestMs / LOOKS_PER_MARK, () => {
      this.#working = this.look().finally(() => {
        this.#working = undefined;
        this.start();
      });
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    await this.#working;
  }

  /** Marks where this replica leads and a mark is due; compares where there is a new mark. */
  async look(): Promise<void> {
    const groups = this.#deps.replica()?.groups() ?? [];
    if (this.#looks % LOOKS_PER_MARK === 0) {
      for (const group of groups) await this.#mark(group);
    }
    this.#looks += 1;
    await this.compare(groups);
  }

  async compare(groups: readonly ReplicaGroup[]): Promise<void> {
    const { config, log } = this.#deps;
    const open = groups.filter(
      ({ groupId, state }) => this.#settled.get(groupId) !== state.mark.markedIndex,
    );
    if (open.length === 0 || config.peers.length === 1) return;
    const answers = await askPeers(this.#deps, config);
    for (const { groupId, state } of open) {
      const { markedIndex, markedDigest } = state.mark;
      if (markedIndex === 0n) continue;
      const others = groupsOf(answers, groupId)
        .filter(({ digestIndex }) => digestIndex === markedIndex)
        .map(({ digest }) => digest);
      const verdict = judgeDigest(markedDigest, others, config.peers.length);
      if (verdict === "unknown") {
        const isSplit = others.some((digest) => !equalBytes(digest, markedDigest));
        if (isSplit) log.warn("digests differ and no majority agrees yet", { groupId });
        continue;
      }
      this.#settled.set(groupId, markedIndex);
      if (verdict === "agrees") continue;
      this.#mismatches.increment({ group: String(groupId) });
      const message = `digest: group ${groupId} differs from the majority at ${markedIndex}`;
      this.#deps.groupFailed(groupId, new StoreError("corrupt", message));
    }
  }

  async #mark({ groupId, raft }: ReplicaGroup): Promise<void> {
    if (!raft.isLeader()) return;
    try {
      await this.#deps.proposer.run(groupId, { case: "digestMark", value: {} });
    } catch (error) {
      const reason = toStoreError(error).message;
      this.#deps.log.debug("digest not marked", { groupId, reason });
    }
  }
}
