// Moves shards to where the present layout wants them, and no others: after a node or disk came,
// went, is being emptied or got another weight. A walk over all manifests counts what lies
// elsewhere, a second one moves it, and so on until a whole count finds nothing. Each move is
// copied, read back and committed by compare-and-swap; repair goes first.
import { mapBounded } from "../../lib/base/bounded.ts";
import { fromHex, toHex } from "../../lib/base/bytes.ts";
import { chunkTolerance, type Tolerance } from "../../lib/clients/failure-tolerance.ts";
import type { ScanManifestsAnswer } from "../../lib/gen/dolium/metadata/v1/metadata_pb.ts";
import { Outcome } from "../../lib/gen/dolium/record/v1/command_pb.ts";
import type { Chunk, Manifest } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import type { ClusterMap } from "../../lib/placement/cluster-map.ts";
import type { KeeperDeps } from "../deps.ts";
import type { HeldLease } from "../leases.ts";
import { Pace } from "../pace.ts";
import { type ChunkOfManifest, commitChanges, writeShards } from "../repair/write-shards.ts";
import { type ChunkMoves, chunkMoves } from "./chunk-moves.ts";
import { layoutSignature } from "./layout-signature.ts";
import { type RebalanceMetrics, rebalanceMetrics } from "./rebalance-metrics.ts";
import { decodeState, encodeState, NO_STATE, type RebalanceState } from "./rebalance-state.ts";

const PAGE = 200;
/** How often a walk under way writes down where it stands. */
const NOTE_EVERY_MS = 5000;
/** A walk that could not move everything is followed by another one after this. */
const AGAIN_AFTER_MS = 10_000;
/** A write that was under way when the layout changed may commit after the first settled count. */
const FIRST_LOOK_MS = 60_000;
/** Rest after a count that found all in place, in times of what the count took. */
const REST_PER_COUNT = 20;
const REPAIR_LOOK_MS = 500;
/** Repair that gets nothing done for so long does not hold up rebalancing. */
const REPAIR_PATIENCE_MS = 5000;

/** A round under one lease. */
interface Round {
  readonly lease: HeldLease;
  readonly signal: AbortSignal;
  /** The root leader's clock, as far as the lease tells. */
  readonly nowMs: () => number;
  state: RebalanceState;
  notedAt: number;
}

/** A misplaced chunk. */
interface Misplaced extends ChunkOfManifest {
  readonly moves: ChunkMoves;
}

export class RebalanceTask {
  readonly #deps: KeeperDeps;
  readonly #pace: Pace;
  readonly #metrics: RebalanceMetrics;
  #shown: RebalanceState = NO_STATE;
  #shownMs = 0;
  /** The shortest that the repair queues were since they were empty, and since when. */
  #leastRepairs: { readonly count: number; readonly atMs: number } | undefined;

  constructor(deps: KeeperDeps) {
    this.#deps = deps;
    this.#pace = new Pace(deps.clock, deps.config.rebalanceBytesPerSecond);
    this.#metrics = rebalanceMetrics(deps.metrics);
  }

  /** Goes on with what is due until nothing is, the layout changes or the signal fires. */
  async round(signal: AbortSignal, lease: HeldLease): Promise<void> {
    const { clock, view } = this.#deps;
    await view.refresh();
    const atMs = clock.monotonicMs();
    const nowMs = (): number => Math.floor(lease.grantedMs + clock.monotonicMs() - atMs);
    const round: Round = { lease, signal, nowMs, state: decodeState(lease.note), notedAt: atMs };
    this.#show(round);
    const signature = layoutSignature(view.map());
    if (round.state.signature !== signature) {
      await this.#enter(round, freshState(round, signature));
    }
    while (!signal.aborted && this.#isDue(round)) await this.#step(round);
  }

  /** What `status` shows; undefined before the first round. */
  report(): object | undefined {
    if (this.#shownMs === 0) return undefined;
    const { signature: _signature, cursor: _cursor, groupId: _group, ...state } = this.#shown;
    return { ...state, atMs: this.#shownMs, ratio: ratioOf(this.#shown) };
  }

  #isDue({ state, nowMs }: Round): boolean {
    const { rebalanceDelayMs, rebalanceIntervalMs } = this.#deps.config;
    const waitedMs = nowMs() - state.sinceMs;
    // A phase that began in the future was timed by a clock that was wrong.
    if (waitedMs < 0) return true;
    if (state.phase === "waiting") {
      return waitedMs >= (state.countedMs === 0 ? rebalanceDelayMs : AGAIN_AFTER_MS);
    }
    if (state.phase !== "settled") return true;
    const first = Math.min(FIRST_LOOK_MS, rebalanceIntervalMs);
    if (state.settledCounts <= 1) return waitedMs >= first;
    // Counting reads every manifest: the more there are, the more seldom.
    const countMs = Math.max(0, state.sinceMs - state.countedMs);
    return waitedMs >= Math.max(rebalanceIntervalMs, REST_PER_COUNT * countMs);
  }

  async #step(round: Round): Promise<void> {
    const { phase } = round.state;
    const sinceMs = round.nowMs();
    const start = { sinceMs, groupId: 0, cursor: "", walkShards: 0, walkBytes: 0 };
    if (phase === "waiting" || phase === "settled") {
      return this.#enter(round, { ...round.state, ...start, ...NOTHING_FOUND, phase: "counting" });
    }
    if (!(await this.#walk(round))) return;
    const { state } = round;
    if (phase === "counting") {
      const isSettled = state.shards === 0;
      return this.#enter(round, {
        ...state,
        ...start,
        phase: isSettled ? "settled" : "moving",
        sinceMs: round.nowMs(),
        countedMs: state.sinceMs,
        leaving: state.leavingSoFar,
        leavingSoFar: {},
        survives: state.survivesSoFar,
        survivesSoFar: {},
        settledCounts: isSettled ? state.settledCounts + 1 : 0,
      });
    }
    // What could not be moved now waits a little; else the next count says whether all is done.
    const isWhole = state.walkShards >= state.shards;
    const left = {
      shards: Math.max(0, state.shards - state.walkShards),
      bytes: Math.max(0, state.bytes - state.walkBytes),
    };
    const next = isWhole
      ? ({ ...NOTHING_FOUND, phase: "counting" } as const)
      : ({ ...left, phase: "waiting" } as const);
    await this.#enter(round, { ...state, ...start, ...next });
  }

  /** Through all manifests, from where the state stands. False when it was cut short. */
  async #walk(round: Round): Promise<boolean> {
    const { view, metadata } = this.#deps;
    const groups = [...view.indexGroups()].sort((a, b) => a - b);
    for (const groupId of groups) {
      if (groupId < round.state.groupId) continue;
      let cursor = groupId === round.state.groupId ? (fromHex(round.state.cursor) ?? NONE) : NONE;
      do {
        if (round.signal.aborted) return false;
        if (round.state.phase === "moving") await this.#letRepairGoFirst(round);
        if (layoutSignature(view.map()) !== round.state.signature)
          return this.#layoutChanged(round);
        const value = { cursor, limit: PAGE };
        const page = await metadata.query(groupId, { case: "scanManifests", value });
        const whole =
          round.state.phase === "counting"
            ? this.#count(round, page)
            : await this.#move(round, groupId, page);
        if (!whole) return false;
        cursor = page.nextCursor;
        await this.#note(round, groupId, cursor);
      } while (cursor.byteLength > 0);
    }
    return true;
  }

  /** The next round begins with the new layout. */
  async #layoutChanged(round: Round): Promise<false> {
    const signature = layoutSignature(this.#deps.view.map());
    await this.#enter(round, freshState(round, signature));
    return false;
  }

  #count(round: Round, page: ScanManifestsAnswer): true {
    const { view } = this.#deps;
    const nodeOfLeaving = new Map(
      view
        .map()
        .nodes.filter(({ state }) => state === "draining")
        .flatMap(({ nodeId, disks }) => disks.map(({ diskId }) => [diskId, nodeId] as const)),
    );
    const leaving = new Map(Object.entries(round.state.leavingSoFar));
    const readable = knownDisks(view.map());
    let { shards, bytes, survivesSoFar } = round.state;
    for (const { manifest } of page.entries) {
      for (const chunk of manifest?.chunks ?? []) {
        if (manifest === undefined) continue;
        const moves = chunkMoves(view, manifest, chunk);
        shards += moves.misplaced;
        bytes += moves.misplaced * moves.shardBytes;
        survivesSoFar = leastOf(survivesSoFar, wholeTolerance(readable, manifest, chunk));
        for (const diskId of chunk.diskIds) {
          const nodeId = nodeOfLeaving.get(diskId);
          if (nodeId === undefined) continue;
          leaving.set(String(nodeId), (leaving.get(String(nodeId)) ?? 0) + 1);
        }
      }
    }
    const leavingSoFar = Object.fromEntries(leaving);
    round.state = { ...round.state, shards, bytes, leavingSoFar, survivesSoFar };
    return true;
  }

  /** False when the signal fired before all were tried. */
  async #move(round: Round, groupId: number, page: ScanManifestsAnswer): Promise<boolean> {
    const { view, config } = this.#deps;
    const misplaced = page.entries.flatMap(({ bucketId, manifest }): Misplaced[] => {
      if (manifest === undefined) return [];
      return manifest.chunks
        .map((chunk) => ({
          ...{ groupId, bucketId, manifest, chunk },
          moves: chunkMoves(view, manifest, chunk),
        }))
        .filter(({ moves }) => moves.plan.length > 0);
    });
    await mapBounded(misplaced, config.rebalanceWidth, async (chunk) => {
      if (round.signal.aborted) return;
      await this.#moveChunk(round, chunk);
    });
    return !round.signal.aborted;
  }

  async #moveChunk(round: Round, place: Misplaced): Promise<void> {
    const { clock, view, log } = this.#deps;
    const { signal } = round;
    const { chunk, moves } = place;
    const begunMs = clock.wallMs();
    try {
      const sources = chunk.diskIds.map((diskId) => view.addressOf(diskId));
      const changes = await writeShards(this.#deps, {
        ...{ place, sources, plan: moves.plan, begunMs, signal },
        pace: (bytes) => this.#pace.take(bytes, signal),
      });
      if (changes.length === 0) return this.#metrics.failures.increment();
      const { reply } = await commitChanges(this.#deps, {
        ...{ place, changes, begunMs },
        movesOnly: true,
      });
      // Gone, or moved or repaired by somebody else meanwhile: the next count sees it as it is.
      if (reply.outcome !== Outcome.OK) return;
      const bytes = changes.length * moves.shardBytes;
      this.#metrics.movedShards.increment({}, changes.length);
      this.#metrics.movedBytes.increment({}, bytes);
      const { movedShards, movedBytes, walkShards, walkBytes } = round.state;
      round.state = {
        ...round.state,
        movedShards: movedShards + changes.length,
        movedBytes: movedBytes + bytes,
        walkShards: walkShards + changes.length,
        walkBytes: walkBytes + bytes,
      };
      this.#show(round);
    } catch (error) {
      if (signal.aborted) return;
      this.#metrics.failures.increment();
      log.warn("shards could not be moved", {
        chunk: toHex(chunk.chunkId),
        reason: String(error),
      });
    }
  }

  /** Waits while the repair queues get shorter. */
  async #letRepairGoFirst({ signal }: Round): Promise<void> {
    const { clock } = this.#deps;
    while (!signal.aborted) {
      const waiting = await this.#waitingRepairs();
      const nowMs = clock.monotonicMs();
      if (waiting === 0) this.#leastRepairs = undefined;
      if (waiting === 0) return;
      const least = this.#leastRepairs;
      if (least === undefined || waiting < least.count) {
        this.#leastRepairs = { count: waiting, atMs: nowMs };
      } else if (nowMs - least.atMs >= REPAIR_PATIENCE_MS) {
        return;
      }
      await clock.sleep(REPAIR_LOOK_MS, signal);
    }
  }

  async #waitingRepairs(): Promise<number> {
    const { metadata, view } = this.#deps;
    let waiting = 0;
    for (const groupId of view.indexGroups()) {
      const stats = await metadata.query(groupId, { case: "groupStats", value: {} });
      waiting += Number(stats.repairEntries);
    }
    return waiting;
  }

  async #enter(round: Round, state: RebalanceState): Promise<void> {
    round.state = state;
    this.#show(round);
    await round.lease.write(encodeState(state));
    round.notedAt = this.#deps.clock.monotonicMs();
  }

  async #note(round: Round, groupId: number, cursor: Uint8Array): Promise<void> {
    const next = cursor.byteLength > 0 ? { groupId } : { groupId: groupId + 1 };
    round.state = { ...round.state, ...next, cursor: toHex(cursor) };
    this.#show(round);
    if (this.#deps.clock.monotonicMs() - round.notedAt < NOTE_EVERY_MS) return;
    round.notedAt = this.#deps.clock.monotonicMs();
    await round.lease.write(encodeState(round.state));
  }

  #show({ state, nowMs }: Round): void {
    this.#shown = state;
    this.#shownMs = nowMs();
    this.#metrics.progress.set(ratioOf(state));
    this.#metrics.remainingShards.set(Math.max(0, state.shards - state.walkShards));
    this.#metrics.remainingBytes.set(Math.max(0, state.bytes - state.walkBytes));
  }
}

const NONE: Uint8Array = new Uint8Array(0);
const NOTHING_FOUND = { shards: 0, bytes: 0, leavingSoFar: {}, survivesSoFar: {} } as const;

/** Nothing is known of a new layout, but how the chunks lie, which it did not change. */
function freshState({ nowMs, state }: Round, signature: string): RebalanceState {
  return { ...NO_STATE, signature, sinceMs: nowMs(), survives: state.survives };
}

/** Disks with their nodes that are not lost; those that are silent for a while among them. */
function knownDisks(map: ClusterMap): Map<number, number> {
  const known = map.nodes.flatMap(({ nodeId, state, disks }) =>
    disks
      .filter((disk) => state !== "out" && disk.state !== "out" && disk.state !== "failed")
      .map(({ diskId }) => [diskId, nodeId] as const),
  );
  return new Map(known);
}

/** Undefined for chunks that lack something or stand too close: the repair queue tells of them. */
function wholeTolerance(
  known: ReadonlyMap<number, number>,
  { dataShards }: Manifest,
  { diskIds, relaxed }: Chunk,
): Tolerance | undefined {
  if (relaxed || diskIds.some((diskId) => !known.has(diskId))) return undefined;
  return chunkTolerance(known, { dataShards, diskIds, owed: 0 });
}

function leastOf(
  least: Readonly<Record<string, number>>,
  found: Tolerance | undefined,
): Readonly<Record<string, number>> {
  if (found === undefined) return least;
  return {
    nodes: Math.min(least.nodes ?? found.nodes, found.nodes),
    disks: Math.min(least.disks ?? found.disks, found.disks),
  };
}

/** Moved of all that was to move; while a first count runs nothing is known, which counts as 0. */
function ratioOf(state: RebalanceState): number {
  if (state.phase === "settled") return 1;
  const left = Math.max(0, state.bytes - state.walkBytes);
  const total = state.movedBytes + left;
  return total === 0 ? 0 : state.movedBytes / total;
}
