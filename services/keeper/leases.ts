// One keeper at a time does a task: it holds the task's lease in the root group and renews it.
// Leases only save work; every task is idempotent and safe when two keepers do it at once.
import { present } from "../lib/base/assert.ts";
import { StoreError } from "../lib/base/errors.ts";
import { ROOT_GROUP } from "../lib/clients/groups.ts";
import type { MetadataClient } from "../lib/clients/metadata-client.ts";
import { Outcome } from "../lib/gen/dolium/record/v1/command_pb.ts";
import type { Clock, Timer } from "../lib/ports/clock.ts";
import type { Log } from "../lib/ports/log.ts";

export interface LeaseDeps {
  readonly metadata: MetadataClient;
  readonly clock: Clock;
  readonly log: Log;
  /** Names this keeper process; never used by another one. */
  readonly holder: string;
  readonly leaseMs: number;
}

/**
 * Runs `work` while holding the lease `name`. Returns false at once when someone else holds it. The
 * signal fires when the lease could not be renewed in time or `stop` fires.
 */
export async function withLease(
  deps: LeaseDeps,
  name: string,
  work: (signal: AbortSignal) => Promise<void>,
  stop: AbortSignal,
): Promise<boolean> {
  const token = await acquire(deps, name);
  if (token === undefined) return false;
  const lost = new AbortController();
  let timer: Timer | undefined;
  let validUntil = deps.clock.monotonicMs() + deps.leaseMs;
  const renew = async (): Promise<void> => {
    const askedAt = deps.clock.monotonicMs();
    try {
      if ((await acquire(deps, name)) !== token) throw new StoreError("conflict", "lease lost");
      validUntil = askedAt + deps.leaseMs;
    } catch (error) {
      deps.log.warn("lease not renewed", { name, reason: String(error) });
      if (deps.clock.monotonicMs() >= validUntil) return lost.abort();
    }
    if (!lost.signal.aborted) schedule();
  };
  const schedule = (): void => {
    timer = deps.clock.after(deps.leaseMs / 3, () => void renew());
  };
  schedule();
  try {
    await work(AbortSignal.any([lost.signal, stop]));
  } finally {
    lost.abort();
    timer?.cancel();
    await release(deps, name, token);
  }
  return true;
}

/** The fencing token when granted. */
async function acquire(deps: LeaseDeps, name: string): Promise<bigint | undefined> {
  const value = { name, holder: deps.holder, ttlMs: BigInt(deps.leaseMs) };
  const reply = await deps.metadata.execute(ROOT_GROUP, { case: "acquireLease", value });
  if (reply.outcome !== Outcome.OK || reply.kind.case !== "lease") return undefined;
  return present(reply.kind.value.lease, "lease").token;
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
