// One keeper at a time does a task: it holds the task's lease in the root group and renews it.
// Leases only save work; every task is idempotent and safe when two keepers do it at once.
import { present } from "../lib/base/assert.ts";
import { toSafeNumber } from "../lib/base/bytes.ts";
import { isStoreError, StoreError } from "../lib/base/errors.ts";
import { ROOT_GROUP } from "../lib/clients/groups.ts";
import type { LeaseRecord } from "../lib/gen/dolium/record/v1/cluster_pb.ts";
import { Outcome } from "../lib/gen/dolium/record/v1/command_pb.ts";
import type { Clock, Timer } from "../lib/ports/clock.ts";
import type { Log } from "../lib/ports/log.ts";
import type { MetadataAccess } from "./deps.ts";

export interface LeaseDeps {
  readonly metadata: MetadataAccess;
  readonly clock: Clock;
  readonly log: Log;
  /** Names this keeper process; never used by another one. */
  readonly holder: string;
  readonly leaseMs: number;
}

/** What a task may do with the lease it holds. */
export interface HeldLease {
  /** What the last one to hold the lease wrote down; empty at first. */
  readonly note: Uint8Array;
  /**
   * Wall clock of the root group's leader as it was when it granted the lease, with the time that
   * has passed here since its answer: never ahead of it. Milliseconds since 1970.
   */
  readonly grantedMs: number;
  /**
   * Writes down where the task stands, for whoever holds the lease next; at most 4 KiB. Throws
   * "conflict" when the lease is lost.
   */
  write(note: Uint8Array): Promise<void>;
}

type Work = (signal: AbortSignal, lease: HeldLease) => Promise<void>;

interface Grant {
  readonly token: bigint;
  readonly note: Uint8Array;
  readonly grantedMs: number;
  /** When the answer was here, on the monotonic clock. */
  readonly answeredAt: number;
  /** On the monotonic clock: until then surely nobody else has it. */
  readonly validUntil: number;
}

/**
 * Runs `work` while holding the lease `name`. Returns false at once when someone else holds it. The
 * signal fires when the lease could not be renewed in time or `stop` fires.
 */
export async function withLease(
  deps: LeaseDeps,
  name: string,
  work: Work,
  stop: AbortSignal,
): Promise<boolean> {
  const lease = new TaskLease(deps, name);
  try {
    return await lease.run(work, stop);
  } finally {
    await lease.release();
  }
}

/**
 * The lease of a task that may keep it from one round to the next: each grant and each return is a
 * synced commit of the root group, while nothing is done. Half of a lease's time is left to whoever
 * waits for it; renewals come when the other half is gone.
 */
export class TaskLease {
  readonly #deps: LeaseDeps;
  readonly #name: string;
  #grant: Grant | undefined;
  #isLost = false;

  constructor(deps: LeaseDeps, name: string) {
    this.#deps = deps;
    this.#name = name;
  }

  /**
   * As `withLease`, but afterwards the lease is held on, unless it was lost or `work` failed: then
   * another one may do better.
   */
  async run(work: Work, stop: AbortSignal): Promise<boolean> {
    const grant = await this.#granted();
    if (grant === undefined) return false;
    const lost = new AbortController();
    const { note } = grant;
    const passedMs = Math.floor(this.#deps.clock.monotonicMs() - grant.answeredAt);
    const grantedMs = grant.grantedMs + passedMs;
    const lease = { note, grantedMs, write: (text: Uint8Array) => this.#renew(text) };
    const stopRenewing = this.#keepRenewed(lost);
    let isDone = false;
    try {
      await work(AbortSignal.any([lost.signal, stop]), lease);
      isDone = true;
    } finally {
      // A renewal that came after the release would take the lease again.
      await stopRenewing();
      if (!isDone || this.#isLost) await this.release();
    }
    return true;
  }

  /** Gives the lease back, if it is held. */
  async release(): Promise<void> {
    const grant = this.#grant;
    this.#grant = undefined;
    this.#isLost = false;
    if (grant !== undefined) await release(this.#deps, this.#name, grant.token);
  }

  /** The grant with half of its time left, or a new one; undefined where somebody else holds it. */
  async #granted(): Promise<Grant | undefined> {
    const { clock, leaseMs } = this.#deps;
    const leftMs = (this.#grant?.validUntil ?? 0) - clock.monotonicMs();
    if (leftMs < leaseMs / 2) this.#grant = await this.#acquire();
    return this.#grant;
  }

  async #acquire(note?: Uint8Array): Promise<Grant | undefined> {
    const { clock, leaseMs } = this.#deps;
    const askedAt = clock.monotonicMs();
    const lease = await acquire(this.#deps, this.#name, note);
    if (lease === undefined) return undefined;
    const grantedMs = Math.max(0, toSafeNumber(lease.expiresMs) - leaseMs);
    const { token } = lease;
    const answeredAt = clock.monotonicMs();
    return { token, note: lease.note, grantedMs, answeredAt, validUntil: askedAt + leaseMs };
  }

  /** Throws "conflict" when the lease is not held under its token any more. */
  async #renew(note?: Uint8Array): Promise<void> {
    const former = this.#grant;
    const grant = await this.#acquire(note);
    if (former === undefined || grant?.token !== former.token) {
      throw new StoreError("conflict", "lease lost");
    }
    this.#grant = grant;
  }

  /** Until the returned function is called; it resolves when no renewal is under way. */
  #keepRenewed(lost: AbortController): () => Promise<void> {
    const { clock, log, leaseMs } = this.#deps;
    const name = this.#name;
    let timer: Timer | undefined;
    let renewing: Promise<void> = Promise.resolve();
    const leftMs = (): number => (this.#grant?.validUntil ?? 0) - clock.monotonicMs();
    const renew = async (): Promise<void> => {
      let nextMs = leaseMs / 2;
      try {
        await this.#renew();
      } catch (error) {
        log.warn("lease not renewed", { name, reason: String(error) });
        if (isStoreError(error, "conflict") || leftMs() <= 0) {
          this.#isLost = true;
          return lost.abort();
        }
        nextMs = leaseMs / 6;
      }
      if (!lost.signal.aborted) schedule(nextMs);
    };
    const schedule = (afterMs: number): void => {
      timer = clock.after(afterMs, () => {
        renewing = renew();
      });
    };
    schedule(Math.max(0, leftMs() - leaseMs / 2));
    return async () => {
      lost.abort();
      timer?.cancel();
      await renewing;
    };
  }
}

/** The lease when granted. */
async function acquire(
  deps: LeaseDeps,
  name: string,
  note?: Uint8Array,
): Promise<LeaseRecord | undefined> {
  const { holder } = deps;
  const ttlMs = BigInt(deps.leaseMs);
  const value = { name, holder, ttlMs, ...(note === undefined ? {} : { note }) };
  const reply = await deps.metadata.execute(ROOT_GROUP, { case: "acquireLease", value });
  if (reply.outcome !== Outcome.OK || reply.kind.case !== "lease") return undefined;
  return present(reply.kind.value.lease, "lease");
}

async function release(deps: LeaseDeps, name: string, token: bigint): Promise<void> {
  const value = { name, holder: deps.holder, token };
  try {
    await deps.metadata.execute(ROOT_GROUP, { case: "releaseLease", value });
  } catch (error) {
    // It runs out by itself.
    deps.log.warn("lease not released", { name, reason: String(error) });
  }
}
