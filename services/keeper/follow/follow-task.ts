// Brings bodies that one campus acknowledged to where their bucket's policy wants them: the bytes
// are written anew by that policy, read back and compared, and take the place of the former chunks
// under the same manifest id. Which ones wait is on the repair queues, oldest first; until then the
// copies in the first campus stay, and repair looks after them.
import { mapBounded } from "../../lib/base/bounded.ts";
import { toHex, toSafeNumber } from "../../lib/base/bytes.ts";
import { StoreError } from "../../lib/base/errors.ts";
import { Outcome } from "../../lib/gen/dolium/record/v1/command_pb.ts";
import type { Manifest, RepairEntry } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import { copyBody } from "../bodies/copy-body.ts";
import type { KeeperDeps } from "../deps.ts";
import { Pace } from "../pace.ts";
import { type FollowMetrics, followMetrics } from "./follow-metrics.ts";

const PAGE = 500;
/** Brought in one round; then the queues are read again. */
const ROUND_MAX = 500;
/** Entries of a queue that are looked at in one round. */
const EXAMINED_MAX = 100_000;
const WAITING_MAX = 100_000;
const CHUNK_ID_BYTES = 16;

export interface FollowRound {
  readonly bodies: number;
  readonly bytes: number;
  /** Still to follow. */
  readonly waiting: number;
}

/** A manifest that waits: one, however many chunks of it are queued. */
interface Waiting {
  readonly groupId: number;
  readonly entry: RepairEntry;
}

export class FollowTask {
  readonly #deps: KeeperDeps;
  readonly #pace: Pace;
  readonly #metrics: FollowMetrics;
  /** Those that could not follow, and when to try again (monotonic milliseconds). */
  readonly #retryAt = new Map<string, number>();

  constructor(deps: KeeperDeps) {
    this.#deps = deps;
    this.#pace = new Pace(deps.clock, deps.config.repairBytesPerSecond);
    this.#metrics = followMetrics(deps.metrics);
  }

  async round(groups: readonly number[], signal: AbortSignal): Promise<FollowRound> {
    const { clock, config } = this.#deps;
    const waiting = new Map<string, Waiting>();
    for (const groupId of groups) await this.#find(groupId, waiting, signal);
    const oldestFirst = [...waiting].toSorted(([, a], [, b]) =>
      Number(a.entry.sinceMs - b.entry.sinceMs),
    );
    this.#show(oldestFirst.map(([, one]) => one));
    const now = clock.monotonicMs();
    const due = oldestFirst.filter(([name]) => (this.#retryAt.get(name) ?? 0) <= now);
    const round = { bodies: 0, bytes: 0, waiting: waiting.size };
    await mapBounded(due.slice(0, ROUND_MAX), config.repairWidth, async ([name, one]) => {
      const bytes = signal.aborted ? undefined : await this.#bring(name, one, signal);
      if (bytes === undefined) return;
      waiting.delete(name);
      round.bodies += 1;
      round.bytes += bytes;
    });
    this.#show(oldestFirst.filter(([name]) => waiting.has(name)).map(([, one]) => one));
    return { ...round, waiting: waiting.size };
  }

  async #find(groupId: number, waiting: Map<string, Waiting>, signal: AbortSignal): Promise<void> {
    let cursor: Uint8Array = new Uint8Array(0);
    let examined = 0;
    do {
      const value = { cursor, limit: PAGE };
      const page = await this.#deps.metadata.query(groupId, { case: "listRepairs", value });
      for (const entry of page.entries) {
        if (!entry.following) continue;
        const name = `${groupId}/${entry.bucketId}/${toHex(entry.manifestId)}`;
        if (!waiting.has(name)) waiting.set(name, { groupId, entry });
      }
      examined += page.entries.length;
      cursor = page.nextCursor;
    } while (cursor.byteLength > 0 && examined < EXAMINED_MAX && !signal.aborted);
  }

  /** The bytes that were brought, or undefined when it must wait. */
  async #bring(name: string, waiting: Waiting, signal: AbortSignal): Promise<number | undefined> {
    const { clock, log, config } = this.#deps;
    try {
      const bytes = await this.#follow(waiting, signal);
      this.#retryAt.delete(name);
      this.#metrics.bodies.increment();
      this.#metrics.bytes.increment({}, bytes);
      const tookMs = clock.wallMs() - toSafeNumber(waiting.entry.sinceMs);
      this.#metrics.seconds.observe(Math.max(0, tookMs) / 1000);
      return bytes;
    } catch (error) {
      if (signal.aborted) return undefined;
      this.#metrics.failures.increment();
      log.debug("a body cannot follow its policy yet", { name, reason: String(error) });
    }
    if (this.#retryAt.size >= WAITING_MAX) this.#retryAt.clear();
    this.#retryAt.set(name, clock.monotonicMs() + config.repairRetryMs);
    return undefined;
  }

  /** Bytes that were written anew; 0 where it follows no more. Throws StoreError. */
  async #follow({ groupId, entry }: Waiting, signal: AbortSignal): Promise<number> {
    const { metadata, clock } = this.#deps;
    const { bucketId, key, manifestId } = entry;
    const value = { bucketId, key, manifestIds: [manifestId] };
    const answer = await metadata.query(groupId, { case: "getManifest", value });
    const former = answer.manifests[0];
    if (former === undefined || former.followPolicy === "") return 0;
    checkSpread(this.#deps, former);
    const begunMs = BigInt(clock.wallMs());
    const manifest = await copyBody(this.#deps, {
      ...{ bucketId, key, former, signal },
      policy: former.followPolicy,
      isSameManifest: true,
      paced: (source) => this.#paced(source, signal),
    });
    const rewrite = { bucketId, key, manifest, begunMs };
    const kind = { case: "rewriteManifest", value: rewrite } as const;
    const reply = await metadata.execute(groupId, kind);
    const isGone = reply.outcome === Outcome.NO_SUCH_KEY || reply.outcome === Outcome.CONFLICT;
    if (isGone) return 0;
    if (reply.outcome !== Outcome.OK) throw new StoreError("conflict", reply.message);
    return toSafeNumber(former.size);
  }

  async *#paced(
    source: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    for await (const view of source) {
      await this.#pace.take(view.byteLength, signal);
      yield view;
    }
  }

  #show(waiting: readonly Waiting[]): void {
    this.#metrics.waiting.set(waiting.length);
    const sinceMs = waiting[0]?.entry.sinceMs;
    const ageMs = sinceMs === undefined ? 0 : this.#deps.clock.wallMs() - toSafeNumber(sinceMs);
    this.#metrics.oldest.set(Math.max(0, ageMs) / 1000);
  }
}

/**
 * Throws "unavailable" while shards placed now would lie in one campus all the same: that would
 * cost a copy, and gain nothing.
 */
function checkSpread({ view, random }: KeeperDeps, { followPolicy }: Manifest): void {
  const { disks } = view.place(followPolicy, random.bytes(CHUNK_ID_BYTES));
  const campuses = new Set(disks.map((disk) => view.campusOf(disk)));
  if (campuses.size > 1) return;
  throw new StoreError("unavailable", "no other campus takes shards now");
}
