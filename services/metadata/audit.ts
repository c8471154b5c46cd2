// Reads the whole state of every group again and again at a set rate: every value's checksum, the
// digest recomputed from what is really there, and every checksum in the store's files. Rot is
// found while the other replicas are still good, not when somebody reads the value.
import { isStoreError, type StoreError, toStoreError } from "../lib/base/errors.ts";
import type { Clock } from "../lib/ports/clock.ts";
import type { KvFactory } from "../lib/ports/kv.ts";
import type { Log } from "../lib/ports/log.ts";
import type { GroupState } from "./state/group-state.ts";

export interface AuditedGroup {
  readonly groupId: number;
  readonly state: Pick<GroupState, "audit" | "storePath">;
}

export interface AuditDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly kvFactory: Pick<KvFactory, "verify">;
  readonly bytesPerSecond: number;
  readonly auditMs: number;
  /** The groups that are open now. */
  readonly groups: () => readonly AuditedGroup[];
  readonly groupFailed: (groupId: number, error: StoreError) => void;
}

/** From the start of the process, while the replica is open, to the first pass. */
const FIRST_MS = 10_000;

export class Audit {
  readonly #deps: AuditDeps;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;

  constructor(deps: AuditDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#running = this.#run();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  /** One pass over every group; those that fail are reported. */
  async pass(): Promise<void> {
    for (const group of this.#deps.groups()) {
      if (this.#stop.signal.aborted) return;
      await this.#check(group);
    }
  }

  async #run(): Promise<void> {
    const { clock, auditMs } = this.#deps;
    try {
      // Large stores open without being read whole (setting): the first pass makes up for it.
      do await clock.sleep(Math.min(FIRST_MS, auditMs), this.#stop.signal);
      while (this.#deps.groups().length === 0);
      for (;;) {
        await this.pass();
        await clock.sleep(auditMs, this.#stop.signal);
      }
    } catch (error) {
      if (!isStoreError(error, "aborted")) throw error;
    }
  }

  async #check({ groupId, state }: AuditedGroup): Promise<void> {
    const { kvFactory, log, groupFailed } = this.#deps;
    try {
      await state.audit((bytes) => this.#pace(bytes));
      await kvFactory.verify(state.storePath);
    } catch (error) {
      const known = toStoreError(error);
      if (known.code === "aborted") throw known;
      if (known.code === "corrupt" || known.code === "io") groupFailed(groupId, known);
      else log.warn("metadata state was not checked", { groupId, reason: known.message });
    }
  }

  #pace(bytes: number): Promise<void> {
    const { clock, bytesPerSecond } = this.#deps;
    return clock.sleep((bytes * 1000) / bytesPerSecond, this.#stop.signal);
  }
}
