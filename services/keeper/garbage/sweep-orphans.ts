// Finds shards that no committed record names: left by uploads that failed, by writers that
// crashed, by repairs that lost a race. Order matters: first every group's fence moves past the
// grace period, so that nothing older can commit any more; then the groups are asked; what all of
// them disown is remembered, and deleted only when they disown it again after the quarantine.
// Silence, errors and unknown answers keep.
import { toHex } from "../../lib/base/bytes.ts";
import type { DiskAddress, ShardListing } from "../../lib/clients/shard-client.ts";
import { OwnedManifestsAnswer_Verdict as Verdict } from "../../lib/gen/dolium/metadata/v1/metadata_pb.ts";
import type { KeeperDeps } from "../deps.ts";

const PAGE_SHARDS = 500;
/** Bound on remembered suspects; more are found again in a later pass. */
const SUSPECTS_MAX = 200_000;

type Entry = ShardListing["entries"][number];

export class OrphanSweeper {
  readonly #deps: KeeperDeps;
  /** When a shard was first disowned, monotonic milliseconds, by disk, name and time of writing. */
  #suspects = new Map<string, number>();

  constructor(deps: KeeperDeps) {
    this.#deps = deps;
  }

  /** One pass over all disks that answer; returns the number of shards deleted. */
  async sweep(signal: AbortSignal): Promise<number> {
    const { clock, config, view } = this.#deps;
    // Every group must be asked, so the list must be today's.
    await view.refresh();
    const groups = view.indexGroups();
    if (groups.length === 0) return 0;
    const wantedFence = BigInt(Math.max(0, clock.wallMs() - config.orphanGraceMs));
    const fence = await this.#moveFences(groups, wantedFence);
    const seen = new Map<string, number>();
    let deleted = 0;
    const disks = view.map().nodes.flatMap((node) => node.disks.map((disk) => disk.diskId));
    for (const diskId of disks) {
      const disk = view.addressOf(diskId);
      if (signal.aborted) return deleted;
      if (disk === undefined) continue;
      try {
        deleted += await this.#sweepDisk(disk, { groups, fence, seen, signal });
      } catch (error) {
        this.#deps.log.warn("orphans not searched", { diskId, reason: String(error) });
      }
    }
    this.#suspects = seen;
    return deleted;
  }

  /** Moves every group's fence; the smallest that stands now bounds what may be judged. */
  async #moveFences(groups: readonly number[], fenceMs: bigint): Promise<bigint> {
    let smallest = fenceMs;
    for (const groupId of groups) {
      const kind = { case: "advanceFence", value: { fenceMs } } as const;
      const reply = await this.#deps.metadata.execute(groupId, kind);
      const stands = reply.kind.case === "advanceFence" ? reply.kind.value.fenceMs : 0n;
      if (stands < smallest) smallest = stands;
    }
    return smallest;
  }

  async #sweepDisk(
    disk: DiskAddress,
    pass: {
      readonly groups: readonly number[];
      readonly fence: bigint;
      readonly seen: Map<string, number>;
      readonly signal: AbortSignal;
    },
  ): Promise<number> {
    let after: ShardListing["next"];
    let deleted = 0;
    do {
      const page = await this.#deps.shards.list(disk, {
        limit: PAGE_SHARDS,
        begunBeforeMs: pass.fence,
        ...(after === undefined ? {} : { after }),
      });
      const orphans = await this.#disowned(disk, page.entries, pass.groups);
      const ripe = orphans.filter((entry) => this.#isRipe(disk, entry, pass.seen));
      if (ripe.length > 0) deleted += await this.#delete(disk, ripe);
      after = page.next;
    } while (after !== undefined && !pass.signal.aborted);
    return deleted;
  }

  /** Those that every group disowns. */
  async #disowned(
    disk: DiskAddress,
    entries: readonly Entry[],
    groups: readonly number[],
  ): Promise<readonly Entry[]> {
    let left = entries;
    for (const groupId of groups) {
      if (left.length === 0) return left;
      const shards = left.map(({ owner, chunkId, shardIndex, begunMs }) => ({
        owner,
        chunkId,
        shardIndex,
        begunMs,
        diskId: disk.diskId,
      }));
      const kind = { case: "ownedManifests", value: { shards } } as const;
      const { verdicts } = await this.#deps.metadata.query(groupId, kind);
      left = left.filter((_, at) => verdicts[at] === Verdict.DISOWNED);
    }
    return left;
  }

  /** Disowned for the second time, long enough after the first. */
  #isRipe(disk: DiskAddress, entry: Entry, seen: Map<string, number>): boolean {
    const { clock, config } = this.#deps;
    const name = `${disk.diskId}/${toHex(entry.chunkId)}/${entry.shardIndex}/${entry.begunMs}`;
    const first = this.#suspects.get(name);
    if (first === undefined) {
      if (seen.size < SUSPECTS_MAX) seen.set(name, clock.monotonicMs());
      return false;
    }
    if (clock.monotonicMs() - first >= config.orphanQuarantineMs) return true;
    seen.set(name, first);
    return false;
  }

  async #delete(disk: DiskAddress, entries: readonly Entry[]): Promise<number> {
    const items = entries.map(({ chunkId, shardIndex, owner, begunMs }) => ({
      name: { chunkId, shardIndex },
      manifestId: owner.manifestId,
      // A copy written again meanwhile began later, and stays.
      begunBeforeMs: begunMs + 1n,
    }));
    const deleted = await this.#deps.shards.delete(disk, items);
    this.#deps.log.info("orphans deleted", { diskId: disk.diskId, deleted });
    return deleted;
  }
}
