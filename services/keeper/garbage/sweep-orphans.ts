// Finds shards that no committed record names: left by uploads that failed, by writers that
// crashed, by repairs that lost a race. Order matters: first every group's fence moves past the
// grace period, so that nothing older can commit any more; then the groups are asked; what all of
// them disown is remembered, and deleted only when they disown it again after the quarantine.
// Silence, errors and unknown answers keep. While garbage is frozen the fences stay where they are
// and orphans are only counted; their quarantine begins anew after the release.
import { toHex } from "../../lib/base/bytes.ts";
import type { DiskAddress, ShardListing } from "../../lib/clients/shard-client.ts";
import type { PassReport } from "../../lib/clients/verify/verification-report.ts";
import { OwnedManifestsAnswer_Verdict as Verdict } from "../../lib/gen/dolium/metadata/v1/metadata_pb.ts";
import type { KeeperDeps } from "../deps.ts";
import { freezeNow } from "./freeze.ts";

const PAGE_SHARDS = 500;
/** Bound on remembered suspects; more are found again in a later pass. */
const SUSPECTS_MAX = 200_000;

type Entry = ShardListing["entries"][number];

interface Pass {
  readonly groups: readonly number[];
  readonly fence: bigint;
  readonly seen: Map<string, number>;
  readonly signal: AbortSignal;
  readonly isFrozen: boolean;
  orphans: number;
}

export class OrphanSweeper {
  readonly #deps: KeeperDeps;
  /** When a shard was first disowned, monotonic milliseconds, by disk, name and time of writing. */
  #suspects = new Map<string, number>();
  #report: PassReport | undefined;

  constructor(deps: KeeperDeps) {
    this.#deps = deps;
  }

  /** Of the last pass that ended: disks searched, orphans found, deleted ones among them. */
  get report(): PassReport | undefined {
    return this.#report;
  }

  /** One pass over all disks that answer; returns the number of shards deleted. */
  async sweep(signal: AbortSignal): Promise<number> {
    const { view, clock } = this.#deps;
    // Every group must be asked, so the list must be today's.
    const isFrozen = (await freezeNow(this.#deps)) !== undefined;
    const groups = view.indexGroups();
    if (groups.length === 0) return 0;
    const fence = isFrozen ? await this.#fencesNow(groups) : await this.#moveFences(groups);
    const seen = new Map<string, number>();
    const pass: Pass = { groups, fence, seen, signal, isFrozen, orphans: 0 };
    let deleted = 0;
    let looked = 0;
    const disks = view.map().nodes.flatMap((node) => node.disks.map((disk) => disk.diskId));
    for (const diskId of disks) {
      const disk = view.addressOf(diskId);
      if (signal.aborted) return deleted;
      if (disk === undefined) continue;
      try {
        deleted += await this.#sweepDisk(disk, pass);
        looked += 1;
      } catch (error) {
        this.#deps.log.warn("orphans not searched", { diskId, reason: String(error) });
      }
    }
    this.#suspects = seen;
    this.#report = { atMs: clock.wallMs(), looked, problems: pass.orphans };
    return deleted;
  }

  async #fencesNow(groups: readonly number[]): Promise<bigint> {
    let smallest: bigint | undefined;
    for (const groupId of groups) {
      const kind = { case: "groupStats", value: {} } as const;
      const { fenceMs } = await this.#deps.metadata.query(groupId, kind);
      if (smallest === undefined || fenceMs < smallest) smallest = fenceMs;
    }
    return smallest ?? 0n;
  }

  /** Moves every group's fence; the smallest that stands now bounds what may be judged. */
  async #moveFences(groups: readonly number[]): Promise<bigint> {
    const { clock, config } = this.#deps;
    const fenceMs = BigInt(Math.max(0, clock.wallMs() - config.orphanGraceMs));
    let smallest = fenceMs;
    for (const groupId of groups) {
      const kind = { case: "advanceFence", value: { fenceMs } } as const;
      const reply = await this.#deps.metadata.execute(groupId, kind);
      const stands = reply.kind.case === "advanceFence" ? reply.kind.value.fenceMs : 0n;
      if (stands < smallest) smallest = stands;
    }
    return smallest;
  }

  async #sweepDisk(disk: DiskAddress, pass: Pass): Promise<number> {
    let after: ShardListing["next"];
    let deleted = 0;
    do {
      const page = await this.#deps.shards.list(disk, {
        limit: PAGE_SHARDS,
        begunBeforeMs: pass.fence,
        ...(after === undefined ? {} : { after }),
      });
      const orphans = await this.#disowned(disk, page.entries, pass.groups);
      pass.orphans += orphans.length;
      const ripe = pass.isFrozen
        ? []
        : orphans.filter((entry) => this.#isRipe(disk, entry, pass.seen));
      // A freeze that came meanwhile ends the pass for this disk before anything more goes.
      if (ripe.length > 0 && (await freezeNow(this.#deps)) !== undefined) return deleted;
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
