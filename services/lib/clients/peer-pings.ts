// How long the way to each storage node takes, measured by an empty call every ten seconds: as the
// metric `peer_rtt_seconds`, and by campus for the heartbeats of who measures. One call a node at a
// time, few at once; a node that does not answer has no figure rather than an old one.
import { mapBounded } from "../base/bounded.ts";
import { isStoreError } from "../base/errors.ts";
import { ShardService } from "../gen/dolium/storage/v1/storage_pb.ts";
import type { ClusterMap, NodeInfo } from "../placement/cluster-map.ts";
import type { Clock, Timer } from "../ports/clock.ts";
import type { Gauge, Metrics } from "../ports/metrics.ts";
import type { Transport } from "../ports/transport.ts";

const INTERVAL_MS = 10_000;
/** As long as nothing is known. */
const FIRST_MS = 1000;
const DEADLINE_MS = 2000;
const WIDTH = 8;
/** The shortest of the last so many is the way itself; the rest waited somewhere. */
const SAMPLES = 6;
/** Told with each heartbeat. */
const CAMPUSES_MAX = 100;

export interface PeerPingDeps {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** The cluster as it is known; undefined as long as it is not. */
  readonly map: () => Pick<ClusterMap, "nodes"> | undefined;
}

interface Peer {
  readonly campus: string;
  /** Milliseconds, the newest last. */
  readonly samples: readonly number[];
}

export class PeerPings {
  readonly #deps: PeerPingDeps;
  readonly #gauge: Gauge;
  readonly #up: Gauge;
  #peers: ReadonlyMap<string, Peer> = new Map();
  #timer: Timer | undefined;
  #isStarted = false;

  constructor(deps: PeerPingDeps) {
    this.#deps = deps;
    this.#gauge = deps.metrics.gauge("peer_rtt_seconds", {
      help: "Time of an empty call to a storage node, the last one; NaN without an answer.",
      labels: ["peer"],
    });
    this.#up = deps.metrics.gauge("peer_up", {
      help: "1 for a storage node that answered the last such call, 0 for one that did not.",
      labels: ["peer"],
    });
  }

  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    void this.#again();
  }

  stop(): void {
    this.#isStarted = false;
    this.#timer?.cancel();
  }

  /** The shortest way to any node of each campus that answered, in milliseconds. */
  campuses(): ReadonlyMap<string, number> {
    const shortest = new Map<string, number>();
    for (const { campus, samples } of this.#peers.values()) {
      if (samples.length === 0) continue;
      const known = shortest.get(campus);
      if (known === undefined && shortest.size >= CAMPUSES_MAX) continue;
      shortest.set(campus, Math.min(known ?? Number.POSITIVE_INFINITY, ...samples));
    }
    return shortest;
  }

  /** Measures once. Never rejects. */
  async measure(): Promise<void> {
    const nodes = (this.#deps.map()?.nodes ?? []).filter(({ state }) => state !== "out");
    const peers = new Map<string, Peer>();
    await mapBounded(nodes, WIDTH, async (node) => {
      const { name, campus } = node;
      const tookMs = await this.#ping(node);
      this.#gauge.set(tookMs === undefined ? Number.NaN : tookMs / 1000, { peer: name });
      this.#up.set(tookMs === undefined ? 0 : 1, { peer: name });
      const before = this.#peers.get(name)?.samples ?? [];
      const samples = tookMs === undefined ? [] : [...before, tookMs].slice(-SAMPLES);
      peers.set(name, { campus, samples });
    });
    for (const name of this.#peers.keys()) {
      if (peers.has(name)) continue;
      this.#gauge.set(Number.NaN, { peer: name });
      this.#up.set(Number.NaN, { peer: name });
    }
    this.#peers = peers;
  }

  async #again(): Promise<void> {
    await this.measure();
    if (!this.#isStarted) return;
    const pauseMs = this.#peers.size === 0 ? FIRST_MS : INTERVAL_MS;
    this.#timer = this.#deps.clock.after(pauseMs, () => void this.#again());
  }

  /** Undefined when nobody answered. */
  async #ping({ address, disks }: NodeInfo): Promise<number | undefined> {
    const { transport, clock } = this.#deps;
    const beganMs = clock.monotonicMs();
    const request = { diskId: disks[0]?.diskId ?? 0, names: [] };
    try {
      const options = { deadlineMs: DEADLINE_MS };
      await transport.channel(address).unary(ShardService.method.statShards, request, options);
    } catch (error) {
      // That the disk is away is an answer too.
      const isSilent = ["unavailable", "timeout", "aborted"] as const;
      if (isSilent.some((code) => isStoreError(error, code))) return undefined;
    }
    return clock.monotonicMs() - beganMs;
  }
}
