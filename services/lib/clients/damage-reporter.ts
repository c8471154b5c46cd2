// Hands damage that readers meet to the repair queues: gathered for a moment, each chunk once,
// bounded. A report that is lost is made again by the next reader or the scrubber.
import { toHex } from "../base/bytes.ts";
import type { Clock, Timer } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { ChunkDamage } from "./body-reader.ts";
import type { ClusterView } from "./cluster-view.ts";
import type { MetadataClient } from "./metadata-client.ts";

const GATHER_MS = 250;
const WAITING_MAX = 1000;
const FORGET_MS = 10_000;

export class DamageReporter {
  readonly #metadata: MetadataClient;
  readonly #view: ClusterView;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #waiting = new Map<string, ChunkDamage>();
  readonly #reported = new Map<string, number>();
  #timer: Timer | undefined;

  constructor(ports: {
    readonly metadata: MetadataClient;
    readonly view: ClusterView;
    readonly clock: Clock;
    readonly log: Log;
  }) {
    this.#metadata = ports.metadata;
    this.#view = ports.view;
    this.#clock = ports.clock;
    this.#log = ports.log;
  }

  report(damage: ChunkDamage): void {
    const name = toHex(damage.chunkId);
    const now = this.#clock.monotonicMs();
    if ((this.#reported.get(name) ?? Number.NEGATIVE_INFINITY) > now - FORGET_MS) return;
    if (this.#waiting.size >= WAITING_MAX) return;
    this.#reported.set(name, now);
    this.#waiting.set(name, damage);
    this.#timer ??= this.#clock.after(GATHER_MS, () => this.#flush());
  }

  close(): void {
    this.#timer?.cancel();
  }

  #flush(): void {
    this.#timer = undefined;
    const damages = [...this.#waiting.values()];
    this.#waiting.clear();
    if (this.#reported.size > WAITING_MAX) this.#reported.clear();
    this.#send(damages).catch((error: unknown) => {
      this.#log.warn("damage not reported", { chunks: damages.length, reason: String(error) });
    });
  }

  /** Every index group is told; those that do not own the chunk ignore it. */
  async #send(damages: readonly ChunkDamage[]): Promise<void> {
    const entries = damages.map(({ bucketId, key, manifestId, chunkId }) => ({
      bucketId,
      key,
      manifestId,
      chunkId,
      sinceMs: BigInt(this.#clock.wallMs()),
      owed: 1,
    }));
    for (const groupId of this.#view.indexGroups()) {
      await this.#metadata.execute(groupId, { case: "enqueueRepairs", value: { entries } });
    }
    for (const damage of damages) {
      this.#log.warn("shard missing or wrong, repair queued", {
        chunk: toHex(damage.chunkId),
        shardIndex: damage.shardIndex,
        reason: damage.reason.message,
      });
    }
  }
}
