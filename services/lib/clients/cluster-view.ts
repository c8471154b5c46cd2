// What a process knows of the cluster: the map of the root group, refreshed every second, the
// placement tables computed from it, and which nodes just failed to answer this process. Only a
// proposal: manifests record where shards really are.
import { present } from "../base/assert.ts";
import { toHex, toSafeNumber } from "../base/bytes.ts";
import { StoreError } from "../base/errors.ts";
import type { ClusterMap as MapRecord } from "../gen/dolium/record/v1/cluster_pb.ts";
import { ackChecker } from "../placement/ack-condition.ts";
import { CAMPUS_COPIES, campusPolicyName, policyNamed } from "../placement/campus-policy.ts";
import type { ClusterMap, Policy } from "../placement/cluster-map.ts";
import { computePlacementTable, type PlacementTable } from "../placement/placement-table.ts";
import { walkPlacement } from "../placement/walk.ts";
import type { Clock, Timer } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import { clusterMapFromRecord } from "./cluster-map-record.ts";
import { ROOT_GROUP } from "./groups.ts";
import type { MetadataClient } from "./metadata-client.ts";
import { chooseReplacements } from "./replacements.ts";
import type { DiskAddress } from "./shard-client.ts";

export interface Placement {
  readonly policy: Policy;
  /** Place of each of the k+m shards. */
  readonly disks: readonly DiskAddress[];
  readonly placementGroup: number;
  /** Fewer failure domains than the policy wants were up. */
  readonly relaxed: boolean;
  readonly mapEpoch: number;
}

/** Why and since when (milliseconds since 1970) nothing is deleted. */
export interface GarbageFreezeInfo {
  readonly reason: string;
  readonly sinceMs: number;
}

export interface ReplacementWish {
  readonly chunkId: Uint8Array;
  readonly held: readonly number[];
  readonly count: number;
  readonly avoided?: readonly number[];
}

const REFRESH_MS = 1000;
const SUSPECT_MS = 3000;
const FRESH_MS = 5000;

interface DiskEntry extends DiskAddress {
  /** As far as the map knows. */
  readonly isNodeDown: boolean;
  readonly campus: string;
  readonly readable: boolean;
  readonly writable: boolean;
}

interface Known {
  readonly map: ClusterMap;
  readonly disks: ReadonlyMap<number, DiskEntry>;
  readonly tables: Map<string, PlacementTable>;
  readonly checkers: Map<string, ReturnType<typeof ackChecker>>;
  readonly defaultPolicy: string;
  readonly indexGroups: readonly number[];
  readonly repairPass: number;
  readonly garbageFreeze: GarbageFreezeInfo | undefined;
}

export class ClusterView {
  readonly #metadata: Pick<MetadataClient, "query">;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #suspects = new Map<number, number>();
  readonly #campus: string;
  #known: Known | undefined;
  #ring: PlacementTable["ring"] | undefined;
  #timer: Timer | undefined;
  #stopped = false;
  #refreshing: Promise<void> | undefined;
  #refreshedAt = Number.NEGATIVE_INFINITY;

  /** `campus`: where this process stands; left out where it does not matter. */
  constructor(metadata: Pick<MetadataClient, "query">, clock: Clock, log: Log, campus = "") {
    this.#metadata = metadata;
    this.#clock = clock;
    this.#log = log;
    this.#campus = campus;
  }

  /**
   * Fetches the map now and then every second, until `stop`. Failures are logged and tried again.
   */
  start(): void {
    this.#tick();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  get epoch(): number {
    return this.#known?.map.epoch ?? 0;
  }

  /** There is a map, and the root group answered within the last few seconds. */
  isFresh(): boolean {
    // A cluster that is being founded answers before it has one.
    return this.#known !== undefined && this.#clock.monotonicMs() - this.#refreshedAt < FRESH_MS;
  }

  /** The map; throws "unavailable" before the first one came. */
  map(): ClusterMap {
    return this.#need().map;
  }

  defaultPolicy(): string {
    return this.#need().defaultPolicy;
  }

  /** Raft groups that hold index ranges. */
  indexGroups(): readonly number[] {
    return this.#need().indexGroups;
  }

  /** Set while neither garbage nor orphans may be deleted, as of the last map. */
  garbageFreeze(): GarbageFreezeInfo | undefined {
    return this.#need().garbageFreeze;
  }

  /** The last pass of repair that an operator asked for; 0: none ever. */
  repairPass(): number {
    return this.#need().repairPass;
  }

  /** The disks that the present map's table gives a placement group; undefined: no such group. */
  groupDisks(policyName: string, placementGroup: number): readonly number[] | undefined {
    return this.#table(this.#need(), this.policy(policyName)).groups[placementGroup];
  }

  /** Whether the cluster has the policy; undefined before the first map that has any. */
  hasPolicy(name: string): boolean | undefined {
    const policies = this.#known?.map.policies ?? [];
    return policies.length === 0 ? undefined : policies.some((policy) => policy.name === name);
  }

  policy(name: string): Policy {
    const found = policyNamed(this.#need().map, name);
    if (found === undefined) throw new StoreError("invalid", `unknown policy ${name}`);
    return found;
  }

  /** Asks the root group for a newer map; concurrent calls share one question. */
  async refresh(): Promise<void> {
    this.#refreshing ??= this.#fetch().finally(() => {
      this.#refreshing = undefined;
    });
    await this.#refreshing;
  }

  /** Places for a new chunk. Throws "unavailable" or "no-space" when too few disks are usable. */
  place(policyName: string, chunkId: Uint8Array): Placement {
    const known = this.#need();
    const policy = this.policy(policyName);
    const table = this.#table(known, policy);
    const walk = walkPlacement(table, known.map, toHex(chunkId), (diskId) => this.writable(diskId));
    if (walk === undefined) throw this.#noPlace(known);
    return {
      policy,
      disks: walk.disks.map((diskId) => present(this.addressOf(diskId), "placed disk")),
      placementGroup: walk.placementGroup,
      relaxed: walk.relaxed,
      mapEpoch: known.map.epoch,
    };
  }

  /**
   * Where missing shards of a chunk may go, best first: `held` are the disks of the others,
   * `avoided` those that just failed. Fewer than `count` when there are not so many.
   */
  replacements(policyName: string, wanted: ReplacementWish): readonly DiskAddress[] {
    const { map } = this.#need();
    const { held, count, chunkId, avoided } = wanted;
    const usable = (diskId: number): boolean =>
      this.writable(diskId) && avoided?.includes(diskId) !== true;
    const seed = toHex(chunkId);
    const policy = this.policy(policyName);
    return chooseReplacements({ map, policy, held, count, seed, usable }).map((diskId) =>
      present(this.addressOf(diskId), "replacement disk"),
    );
  }

  /** Whether shards that are durable on these disks are enough to acknowledge. */
  enough(policyName: string, diskIds: readonly number[]): boolean {
    const known = this.#need();
    const checker =
      known.checkers.get(policyName) ?? ackChecker(known.map, this.policy(policyName));
    known.checkers.set(policyName, checker);
    return checker(diskIds);
  }

  /**
   * The node behind a disk, whatever its state; undefined for ids the map does not know or that are
   * out.
   */
  addressOf(diskId: number): DiskAddress | undefined {
    const entry = this.#need().disks.get(diskId);
    return entry?.readable === true ? entry : undefined;
  }

  writable(diskId: number): boolean {
    const entry = this.#need().disks.get(diskId);
    return entry?.writable === true && !this.isSuspect(entry.nodeId);
  }

  isSuspect(nodeId: number): boolean {
    const until = this.#suspects.get(nodeId);
    return until !== undefined && until > this.#clock.monotonicMs();
  }

  /** Worth reading from first: its node is up, as far as known. */
  preferred(disk: DiskAddress): boolean {
    const entry = this.#need().disks.get(disk.diskId);
    return entry?.isNodeDown === false && !this.isSuspect(disk.nodeId);
  }

  /** Where a disk stands; undefined for those that the map does not know. */
  campusOf({ diskId }: DiskAddress): string | undefined {
    return this.#need().disks.get(diskId)?.campus;
  }

  /** In the campus of this process. */
  isNear(disk: DiskAddress): boolean {
    return this.campusOf(disk) === this.#campus;
  }

  /** The policy of this campus, while enough of its storage nodes take shards; else undefined. */
  campusPolicy(): string | undefined {
    const nodes = new Set<number>();
    for (const { campus, diskId, nodeId } of this.#need().disks.values()) {
      if (campus === this.#campus && this.writable(diskId)) nodes.add(nodeId);
    }
    return nodes.size < CAMPUS_COPIES ? undefined : campusPolicyName(this.#campus);
  }

  /** This process could not reach the node: no new writes to it for a moment. */
  suspect(nodeId: number): void {
    this.#suspects.set(nodeId, this.#clock.monotonicMs() + SUSPECT_MS);
  }

  #need(): Known {
    if (this.#known === undefined) throw new StoreError("unavailable", "no cluster map yet");
    return this.#known;
  }

  #table(known: Known, policy: Policy): PlacementTable {
    const cached = known.tables.get(policy.name);
    if (cached !== undefined) return cached;
    // Writes go on when nodes are out for good; whether enough is durable is judged at the end.
    const ring = this.#ring;
    const options = ring === undefined ? { relaxed: true } : { relaxed: true, ring };
    const table = computePlacementTable(known.map, policy, options);
    this.#ring = table.ring;
    known.tables.set(policy.name, table);
    return table;
  }

  #noPlace(known: Known): StoreError {
    const disks = known.map.nodes.flatMap((node) => (node.state === "up" ? node.disks : []));
    const full = disks.some((disk) => disk.state === "readonly");
    return full
      ? new StoreError("no-space", "too few disks have space left")
      : new StoreError("unavailable", "too few storage disks are up");
  }

  #tick(): void {
    if (this.#stopped) return;
    this.refresh()
      .catch((error: unknown) => this.#log.warn("no cluster map", { reason: String(error) }))
      .finally(() => {
        if (!this.#stopped) this.#timer = this.#clock.after(REFRESH_MS, () => this.#tick());
      });
  }

  async #fetch(): Promise<void> {
    const knownEpoch = BigInt(this.epoch);
    const kind = { case: "getClusterMap", value: { knownEpoch } } as const;
    const { map } = await this.#metadata.query(ROOT_GROUP, kind);
    this.#refreshedAt = this.#clock.monotonicMs();
    if (map !== undefined) this.adopt(map);
  }

  /** Takes a map from elsewhere (tests, one-process mode). */
  adopt(record: MapRecord): void {
    const map = clusterMapFromRecord(record);
    if (this.#known !== undefined && map.epoch < this.#known.map.epoch) return;
    const disks = new Map<number, DiskEntry>();
    for (const node of map.nodes) {
      for (const disk of node.disks) {
        disks.set(disk.diskId, {
          diskId: disk.diskId,
          nodeId: node.nodeId,
          address: node.address,
          isNodeDown: node.state === "down",
          campus: node.campus,
          readable: node.state !== "out" && disk.state !== "out" && disk.state !== "failed",
          writable: node.state === "up" && disk.state === "up",
        });
      }
    }
    this.#known = {
      map,
      disks,
      tables: new Map(),
      checkers: new Map(),
      defaultPolicy: record.defaultPolicy,
      indexGroups: [...record.indexGroups],
      repairPass: toSafeNumber(record.repairPass),
      garbageFreeze: freezeOf(record),
    };
  }
}

function freezeOf({ garbageFreeze }: MapRecord): GarbageFreezeInfo | undefined {
  if (garbageFreeze === undefined) return undefined;
  return { reason: garbageFreeze.reason, sinceMs: toSafeNumber(garbageFreeze.sinceMs) };
}
