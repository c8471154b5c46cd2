// Callers that wait for leadership to move to a certain node.
import { StoreError } from "../base/errors.ts";
import type { RaftId } from "./core.ts";

interface Wait {
  readonly to: RaftId;
  readonly deadlineMs: number;
  readonly resolve: () => void;
  readonly reject: (error: StoreError) => void;
}

export class TransferWaits {
  #waits: Wait[] = [];

  add(to: RaftId, deadlineMs: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waits.push({ to, deadlineMs, resolve, reject });
    return promise;
  }

  /** Another node is known to lead. */
  leads(leader: RaftId): void {
    for (const { to, resolve, reject } of this.#waits.splice(0)) {
      if (leader === to) resolve();
      else reject(new StoreError("conflict", `node ${leader} leads instead`));
    }
  }

  expire(nowMs: number): void {
    const overdue = this.#waits.filter((wait) => wait.deadlineMs <= nowMs);
    this.#waits = this.#waits.filter((wait) => wait.deadlineMs > nowMs);
    for (const { reject } of overdue) {
      reject(new StoreError("timeout", "leadership was not taken over in time"));
    }
  }

  close(error: StoreError): void {
    for (const { reject } of this.#waits.splice(0)) reject(error);
  }
}
