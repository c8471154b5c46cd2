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
  /** Wall clock of the root group's leader when it granted the lease, milliseconds since 1970. */
  readonly grantedMs: number;
  /**
   * Writes down where the task stands, for whoever holds the lease next; at most 4 KiB. Throws
   * "conflict" when the lease is lost.
   */
  write(note: Uint8Array): Promise<void>;
}

/**
 * Runs `work` while holding the lease `name`. Returns false at once when someone else holds it. The
 * signal fires when the lease could not be renewed in time or `stop` fires.
 */
export async function withLease(
  deps: LeaseDeps,
  name: string,
  work: (signal: AbortSignal, lease: HeldLease) => Promise<void>,
  stop: AbortSignal,
): Promise<boolean> {
  const granted = await acquire(deps, name);
  if (granted === undefined) return false;
  const { token, note } = granted;
  const lost = new AbortController();
  let timer: Timer | undefined;
  let renewing: Promise<void> = Promise.resolve();
  let validUntil = deps.clock.monotonicMs() + deps.leaseMs;
  const renew = async (): Promise<void> => {
    const askedAt = deps.clock.monotonicMs();
    try {
      await renewed(deps, { name, token });
      validUntil = askedAt + deps.leaseMs;
    } catch (error) {
      deps.log.warn("lease not renewed", { name, reason: String(error) });
      const isOver = isStoreError(error, "conflict") || deps.clock.monotonicMs() >= validUntil;
      if (isOver) return lost.abort();
    }
    if (!lost.signal.aborted) schedule();
  };
  const schedule = (): void => {
    timer = deps.clock.after(deps.leaseMs / 3, () => {
      renewing = renew();
    });
  };
  schedule();
  const grantedMs = Math.max(0, toSafeNumber(granted.expiresMs) - deps.leaseMs);
  const lease: HeldLease = {
    note,
    grantedMs,
    write: (text) => renewed(deps, { name, token }, text),
  };
  try {
    await work(AbortSignal.any([lost.signal, stop]), lease);
  } finally {
    lost.abort();
    timer?.cancel();
    // A renewal that came after the release would take the lease again.
    await renewing;
    await release(deps, name, token);
  }
  return true;
}

/** Throws when the lease is not held under `token` any more. */
async function renewed(
  deps: LeaseDeps,
  { name, token }: { readonly name: string; readonly token: bigint },
  note?: Uint8Array,
): Promise<void> {
  const lease = await acquire(deps, name, note);
  if (lease?.token !== token) throw new StoreError("conflict", "lease lost");
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
