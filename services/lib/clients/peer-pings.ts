// How long the way to each storage node and metadata replica takes, and how far its clock is from
// ours, measured by an empty call every ten seconds: as the metrics `peer_rtt_seconds` and
// `clock_offset_seconds`, and by campus of storage nodes for the heartbeats of who measures. One
// call a peer at a time, few at once; who does not answer has no figure rather than an old one.
import { mapBounded } from "../base/bounded.ts";
import { isStoreError } from "../base/errors.ts";
import { MetadataService } from "../gen/dolium/metadata/v1/metadata_pb.ts";
import { ShardService } from "../gen/dolium/storage/v1/storage_pb.ts";
import type { ClusterMap, NodeInfo } from "../placement/cluster-map.ts";
import type { Clock, Timer } from "../ports/clock.ts";
import type { Gauge, Metrics } from "../ports/metrics.ts";
import type { Transport } from "../ports/transport.ts";
import { clockOffsetMs, type Timed, timed } from "./clock-offset.ts";

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
  /** host:port of the metadata replicas. */
  readonly replicas: readonly string[];
}

interface Peer {
  /** Of a storage node. */
  readonly campus: string | undefined;
  /** Milliseconds, the newest last. */
  readonly samples: readonly number[];
}

interface Ping {
  readonly tookMs: number;
  /** Its clock less ours; undefined where it does not tell. */
  readonly offsetMs: number | undefined;
}

export class PeerPings {
  readonly #deps: PeerPingDeps;
  readonly #gauge: Gauge;
  readonly #up: Gauge;
  readonly #offset: Gauge;
  /** Of metadata replicas, by address, as they told them. */
  readonly #names = new Map<string, string>();
  #peers: ReadonlyMap<string, Peer> = new Map();
  #timer: Timer | undefined;
  #isStarted = false;

  constructor(deps: PeerPingDeps) {
    this.#deps = deps;
    this.#gauge = deps.metrics.gauge("peer_rtt_seconds", {
      help: "Time of an empty call to a storage node or metadata replica; NaN without an answer.",
      labels: ["peer"],
    });
    this.#up = deps.metrics.gauge("peer_up", {
      help: "1 for a peer that answered the last such call, 0 for one that did not.",
      labels: ["peer"],
    });
    this.#offset = deps.metrics.gauge("clock_offset_seconds", {
      help: "Clock of a peer less that of this process, as near to 0 as the time of a call allows.",
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
      if (campus === undefined || samples.length === 0) continue;
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
      const ping = await this.#pingNode(node);
      peers.set(name, { campus, samples: this.#note(name, ping) });
    });
    await mapBounded(this.#deps.replicas, WIDTH, async (address) => {
      const ping = await this.#pingReplica(address);
      const name = this.#names.get(address) ?? address;
      peers.set(name, { campus: undefined, samples: this.#note(name, ping) });
    });
    for (const name of this.#peers.keys()) {
      if (peers.has(name)) continue;
      for (const gauge of [this.#gauge, this.#up, this.#offset]) {
        gauge.set(Number.NaN, { peer: name });
      }
    }
    this.#peers = peers;
  }

  /** Shows what was measured; returns the samples to keep. */
  #note(peer: string, ping: Ping | undefined): readonly number[] {
    const { tookMs = Number.NaN, offsetMs = Number.NaN } = ping ?? {};
    this.#gauge.set(tookMs / 1000, { peer });
    this.#up.set(ping === undefined ? 0 : 1, { peer });
    this.#offset.set(offsetMs / 1000, { peer });
    const before = this.#peers.get(peer)?.samples ?? [];
    return ping === undefined ? [] : [...before, ping.tookMs].slice(-SAMPLES);
  }

  async #again(): Promise<void> {
    await this.measure();
    if (!this.#isStarted) return;
    const pauseMs = this.#peers.size === 0 ? FIRST_MS : INTERVAL_MS;
    this.#timer = this.#deps.clock.after(pauseMs, () => void this.#again());
  }

  #pingNode({ address, disks }: NodeInfo): Promise<Ping | undefined> {
    const channel = this.#deps.transport.channel(address);
    const request = { diskId: disks[0]?.diskId ?? 0, names: [] };
    return this.#ping((options) => channel.unary(ShardService.method.statShards, request, options));
  }

  #pingReplica(address: string): Promise<Ping | undefined> {
    const channel = this.#deps.transport.channel(address);
    return this.#ping(async (options) => {
      const status = await channel.unary(MetadataService.method.replicaStatus, {}, options);
      if (status.name !== "") this.#names.set(address, status.name);
      return status;
    });
  }

  /** Undefined when nobody answered. */
  async #ping(
    ask: (options: { readonly deadlineMs: number }) => Promise<{ readonly wallMs: bigint }>,
  ): Promise<Ping | undefined> {
    const answered = await timed(this.#deps.clock, async () => {
      try {
        return (await ask({ deadlineMs: DEADLINE_MS })).wallMs;
      } catch (error) {
        // That the disk is away is an answer too.
        const isSilent = ["unavailable", "timeout", "aborted"] as const;
        return isSilent.some((code) => isStoreError(error, code)) ? undefined : 0n;
      }
    });
    return pingOf(answered);
  }
}

function pingOf({ answer, ...when }: Timed<bigint | undefined>): Ping | undefined {
  if (answer === undefined) return undefined;
  return { tookMs: when.tookMs, offsetMs: clockOffsetMs(answer, when) };
}
