// One storage node: opens its disks, says to the cluster who it is, heartbeats, and keeps the disks
// in order. It waits for the metadata service as long as it takes; meanwhile its disks answer
// nobody, since their ids are not known. A failed disk is reported and tried again; the process
// ends only when told to.

import { toSafeNumber } from "../lib/base/bytes.ts";
import { isStoreError, StoreError, toStoreError } from "../lib/base/errors.ts";
import { ROOT_GROUP } from "../lib/clients/groups.ts";
import type { MetadataClient } from "../lib/clients/metadata-client.ts";
import type { HeartbeatResponse } from "../lib/gen/dolium/cluster/v1/cluster_pb.ts";
import { DiskState } from "../lib/gen/dolium/record/v1/cluster_pb.ts";
import { Outcome, type Reply } from "../lib/gen/dolium/record/v1/command_pb.ts";
import { ShardService } from "../lib/gen/dolium/storage/v1/storage_pb.ts";
import type { Clock } from "../lib/ports/clock.ts";
import type { Disk } from "../lib/ports/disk.ts";
import type { KvFactory } from "../lib/ports/kv.ts";
import type { Log } from "../lib/ports/log.ts";
import type { Metrics } from "../lib/ports/metrics.ts";
import type { Random } from "../lib/ports/random.ts";
import type { RpcServer } from "../lib/ports/transport.ts";
import { DiskSet, type DiskSlot } from "./disk-set.ts";
import type { ScrubProgress } from "./scrubber.ts";
import { DEFAULT_SETTINGS, type ShardStoreSettings } from "./settings.ts";
import { createShardHandlers } from "./shard-service.ts";
import { createStorageMetrics } from "./storage-metrics.ts";

export interface StorageNodeDeps {
  readonly disk: Disk;
  readonly kvFactory: KvFactory;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly metadata: Pick<MetadataClient, "execute" | "heartbeat">;
}

export interface StorageNodeOptions {
  readonly name: string;
  /** host:port under which others reach this process. */
  readonly address: string;
  /** host:port of its metrics and health; not told when left out. */
  readonly opsAddress?: string;
  readonly campus: string;
  readonly rack: string;
  readonly host: string;
  /** One folder a disk. */
  readonly folders: readonly string[];
  readonly version: string;
  readonly settings?: Partial<ShardStoreSettings>;
  /** Default 1000. */
  readonly heartbeatMs?: number;
}

const HEARTBEAT_MS = 1000;
const LEAVE_MS_MAX = 5000;
/** Writers look at the map every second. */
const MAP_KNOWN_MS = 2000;
const MAINTENANCE_MS = 1000;
const RETRY_MS_MAX = 5000;
const RETRY_MS_MIN = 25;
/** Calls that run on a failed disk may take so long to end before it is opened anew. */
const DRAIN_MS = 30_000;

export class StorageNode {
  readonly #deps: StorageNodeDeps;
  readonly #options: StorageNodeOptions;
  readonly #settings: ShardStoreSettings;
  readonly #stopping = new AbortController();
  #loops: Promise<void>[] = [];
  #disks: DiskSet | undefined;
  #nodeId = 0;
  #waitingFor = "its disks";
  #isLeaving = false;

  constructor(deps: StorageNodeDeps, options: StorageNodeOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#settings = { ...DEFAULT_SETTINGS, ...options.settings };
  }

  /**
   * Adds the storage service; before the server listens. Calls are refused until disks are open.
   */
  serve(server: RpcServer): void {
    server.add(
      ShardService,
      createShardHandlers(() => this.disks, this.#deps.clock),
    );
  }

  /** Throws "unavailable" before `start`. */
  get disks(): DiskSet {
    if (this.#disks !== undefined) return this.#disks;
    throw new StoreError("unavailable", "the disks are not open yet");
  }

  /** 0 until registered. */
  get nodeId(): number {
    return this.#nodeId;
  }

  /** What the node waits for, or undefined when it is registered and serves. */
  get waitingFor(): string | undefined {
    return this.#nodeId === 0 ? this.#waitingFor : undefined;
  }

  /**
   * Opens the disks and begins to register, heartbeat and maintain in the background. Throws
   * "denied" and "invalid" for folders that cannot be meant (see DiskSet.open).
   */
  async start(): Promise<void> {
    const { metrics, ...deps } = this.#deps;
    const storeDeps = { ...deps, metrics: createStorageMetrics(metrics) };
    this.#disks = await DiskSet.open(storeDeps, this.#options.folders, this.#settings);
    this.#waitingFor = "metadata";
    const { slots } = this.#disks;
    this.#loops = [
      this.#loop("cluster", () => this.#stayRegistered()),
      ...slots.flatMap((_, place) => [
        this.#loop("maintenance", () => this.#maintain(place)),
        this.#loop("scrub", () => this.#scrub(place)),
        this.#loop("retry", () => this.#retryFailed(place)),
      ]),
    ];
  }

  /**
   * Tells the cluster that this node is about to be stopped, and resolves when writers go by it: so
   * none of them finds out by an error. It serves on. Throws what the heartbeat throws.
   */
  async leave(): Promise<void> {
    this.#isLeaving = true;
    await this.#heartbeat(LEAVE_MS_MAX);
    await this.#deps.clock.sleep(MAP_KNOWN_MS, this.#stopping.signal);
  }

  /** Stops the loops and closes the disks. The server must take no more calls. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#loops);
    await this.#disks?.close();
  }

  /** Runs `work` until the node stops; what else ends it is our mistake and is logged as such. */
  async #loop(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (this.#stopping.signal.aborted && isStoreError(error, "aborted")) return;
      this.#deps.log.error("a loop of the storage node ended", error, { what });
    }
  }

  async #stayRegistered(): Promise<void> {
    const { clock } = this.#deps;
    const { signal } = this.#stopping;
    let retryMs = RETRY_MS_MIN;
    while (!signal.aborted) {
      const isRegistered = this.#nodeId !== 0;
      try {
        if (!isRegistered) await this.#register();
        else await this.#beat();
        retryMs = RETRY_MS_MIN;
        await clock.sleep(this.#options.heartbeatMs ?? HEARTBEAT_MS, signal);
      } catch (error) {
        if (signal.aborted) return;
        this.#noteSilence(error, isRegistered);
        await clock.sleep(retryMs, signal);
        retryMs = Math.min(RETRY_MS_MAX, retryMs * 2);
      }
    }
  }

  async #beat(): Promise<void> {
    const { registerAgain, scrubPass } = await this.#heartbeat();
    if (registerAgain) await this.#register();
    for (const { store } of this.disks.slots) store?.askScrub(toSafeNumber(scrubPass));
  }

  #noteSilence(error: unknown, isRegistered: boolean): void {
    const { message } = toStoreError(error);
    this.#deps.log.warn("waiting for metadata", { registered: isRegistered, reason: message });
  }

  async #register(): Promise<void> {
    const { metadata, log } = this.#deps;
    const { name, address, campus, rack, host } = this.#options;
    const named = this.disks.named;
    const disks = named.map(({ uuid, store }) => ({
      diskUuid: uuid,
      weight: BigInt(store?.status.sizeBytes ?? 0),
    }));
    const value = { name, address, campus, rack, host, disks };
    const reply = await metadata.execute(
      ROOT_GROUP,
      { case: "registerNode", value },
      { signal: this.#stopping.signal },
    );
    const { nodeId, diskIds } = registrationIn(reply, named.length);
    this.disks.assignIds(diskIds);
    this.#nodeId = nodeId;
    log.info("registered", { nodeId, diskIds });
  }

  #heartbeat(deadlineMs?: number): Promise<HeartbeatResponse> {
    const { metadata, clock } = this.#deps;
    const { name, address, version, campus, opsAddress = "" } = this.#options;
    const request = {
      role: "storage",
      ...{ name, address, version, campus, opsAddress },
      nodeId: this.#nodeId,
      wallMs: BigInt(Math.floor(clock.wallMs())),
      disks: this.disks.ids.map(([diskId, slot]) => reportOf(diskId, slot)),
      leaving: this.#isLeaving,
    };
    const deadline = deadlineMs === undefined ? {} : { deadlineMs };
    return metadata.heartbeat(request, { signal: this.#stopping.signal, ...deadline });
  }

  /** Tries a failed disk again now; for operators. Throws what DiskSet.revive throws. */
  async retryDisk(place: number): Promise<void> {
    const { disks } = this;
    const wasNamed = disks.slots[place]?.uuid !== undefined;
    const patience = new AbortController();
    const timer = this.#deps.clock.after(DRAIN_MS, () => patience.abort());
    try {
      await disks.revive(place, AbortSignal.any([this.#stopping.signal, patience.signal]));
    } finally {
      timer.cancel();
    }
    // A disk that could not be named before has no id yet.
    if (!wasNamed) await this.#register();
  }

  async #maintain(place: number): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await this.disks.slots[place]?.store?.maintain();
      await this.#deps.clock.sleep(MAINTENANCE_MS, signal);
    }
  }

  /** A pass that a disk's trouble ended is begun again where it stood. */
  async #scrub(place: number): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        await this.disks.slots[place]?.store?.scrub(signal);
      } catch (error) {
        if (signal.aborted || !(error instanceof StoreError)) throw error;
        this.#deps.log.warn("scrubbing pauses", { reason: error.message });
      }
      await this.#deps.clock.sleep(RETRY_MS_MAX, signal);
    }
  }

  /** A failed disk is tried again, after longer and longer pauses until it stays up. */
  async #retryFailed(place: number): Promise<void> {
    const { clock, log } = this.#deps;
    const { signal } = this.#stopping;
    const { failedRetryMsMin, failedRetryMsMax } = this.#settings;
    let pauseMs = failedRetryMsMin;
    let upSinceMs = clock.monotonicMs();
    while (!signal.aborted) {
      await clock.sleep(MAINTENANCE_MS, signal);
      if (!this.disks.isFailed(place)) {
        if (clock.monotonicMs() - upSinceMs >= failedRetryMsMax) pauseMs = failedRetryMsMin;
        continue;
      }
      await clock.sleep(pauseMs, signal);
      const folder = this.disks.slots[place]?.folder;
      try {
        await this.retryDisk(place);
        log.info("a failed disk works again", { folder });
      } catch (error) {
        const reason = toStoreError(error, "io").message;
        log.warn("a failed disk does not work yet", { folder, reason, pauseMs });
      }
      upSinceMs = clock.monotonicMs();
      pauseMs = Math.min(failedRetryMsMax, pauseMs * 2);
    }
  }
}

function scrubReport(progress: ScrubProgress | undefined) {
  if (progress === undefined) return {};
  return {
    scrubPasses: BigInt(progress.passes),
    scrubShare: progress.share,
    scrubCompletedMs: BigInt(progress.completedMs),
    scrubPassDone: BigInt(progress.askedDone),
  };
}

function registrationIn(
  reply: Reply,
  diskCount: number,
): { readonly nodeId: number; readonly diskIds: readonly number[] } {
  if (reply.outcome !== Outcome.OK || reply.kind.case !== "registerNode") {
    throw new StoreError("unavailable", `registration refused: ${reply.message}`);
  }
  const { nodeId, diskIds } = reply.kind.value;
  if (nodeId > 0 && diskIds.length === diskCount) return { nodeId, diskIds };
  throw new StoreError("internal", "registration answered without the ids that were asked for");
}

const STATES = {
  up: DiskState.UP,
  "read-only": DiskState.READ_ONLY,
  failed: DiskState.FAILED,
} as const;

function reportOf(diskId: number, slot: DiskSlot) {
  const status = slot.store?.status;
  if (status === undefined) return { diskId, state: DiskState.FAILED };
  return {
    diskId,
    sizeBytes: BigInt(status.sizeBytes),
    freeBytes: BigInt(status.freeBytes),
    usedBytes: BigInt(status.usedBytes),
    state: STATES[status.condition],
    shardCount: BigInt(status.shardCount),
    errors: BigInt(status.errors),
    corruptShards: BigInt(status.badShards),
    ...scrubReport(slot.store?.scrubProgress),
  };
}
