// Proposals of one group on their way: gathered until the next append, then followed by index and
// term until the entry at that index is applied. An entry of another term in its place proves that
// the proposal never happened; everything else that ends the wait early leaves the outcome unknown.
import { type Deferred, deferred } from "../base/bounded.ts";
import { StoreError } from "../base/errors.ts";
import type { CallLimits, ProposeResponse } from "./types.ts";

export interface Proposal {
  readonly data: Uint8Array;
  readonly done: Deferred<ProposeResponse>;
  deadlineMs: number;
  settled: boolean;
  readonly signal: AbortSignal | undefined;
  onAbort: (() => void) | undefined;
}

interface Appended {
  readonly term: number;
  readonly proposal: Proposal;
}

/** Waiting to be appended, per group. */
export const QUEUED_PROPOSALS_MAX = 8192;
export const QUEUED_BYTES_MAX = 32 * 1024 * 1024;
/** One append: enough to make calls cheap, little enough to go out in a few messages. */
const APPEND_COUNT_MAX = 1024;
const APPEND_BYTES_MAX = 1024 * 1024;

export class Proposals {
  #queued: Proposal[] = [];
  #queuedBytes = 0;
  readonly #appended = new Map<number, Appended>();

  get queued(): number {
    return this.#queued.length;
  }

  get pending(): number {
    return this.#queued.length + this.#appended.size;
  }

  /** Queues `data`; rejects with "exhausted" when too much waits. `nowMs` is monotonic. */
  add(data: Uint8Array, limits: CallLimits, nowMs: number): Promise<ProposeResponse> {
    const full =
      this.pending >= QUEUED_PROPOSALS_MAX ||
      this.#queuedBytes + data.byteLength > QUEUED_BYTES_MAX;
    if (full) return Promise.reject(new StoreError("exhausted", "too many proposals wait"));
    const proposal = createProposal(data, limits, nowMs);
    if (proposal.settled) return proposal.done.promise;
    this.#queued.push(proposal);
    this.#queuedBytes += data.byteLength;
    return proposal.done.promise;
  }

  /** Follows a change of membership that was appended already. */
  addMembers(
    place: { readonly index: number; readonly term: number },
    limits: CallLimits,
    nowMs: number,
  ): Promise<ProposeResponse> {
    const proposal = createProposal(new Uint8Array(0), limits, nowMs);
    if (!proposal.settled) this.#follow(place, proposal);
    return proposal.done.promise;
  }

  /** Takes the next proposals for one append, in order. */
  take(): Proposal[] {
    this.#queued = this.#queued.filter((proposal) => !proposal.settled);
    let bytes = 0;
    let count = 0;
    for (const proposal of this.#queued) {
      bytes += proposal.data.byteLength;
      if (count > 0 && (bytes > APPEND_BYTES_MAX || count >= APPEND_COUNT_MAX)) break;
      count += 1;
    }
    const taken = this.#queued.splice(0, count);
    this.#queuedBytes = this.#queued.reduce((sum, one) => sum + one.data.byteLength, 0);
    return taken;
  }

  /** They are in the leader's log from `firstIndex` on, under `term`. */
  appended(taken: readonly Proposal[], firstIndex: number, term: number): void {
    for (const [at, proposal] of taken.entries()) {
      this.#follow({ index: firstIndex + at, term }, proposal);
    }
  }

  refuse(taken: readonly Proposal[], error: StoreError): void {
    for (const proposal of taken) settle(proposal, error);
  }

  refuseQueued(error: StoreError): void {
    this.refuse(this.#queued.splice(0), error);
    this.#queuedBytes = 0;
  }

  /** The entry at `index` is applied. `reply` an error: the state machine's host refused it. */
  applied(index: number, term: number, reply: Uint8Array | StoreError): void {
    const appended = this.#appended.get(index);
    if (appended === undefined) return;
    this.#appended.delete(index);
    if (appended.term !== term) {
      settle(
        appended.proposal,
        new StoreError("not-leader", "another leader's entry took its place"),
      );
    } else if (reply instanceof StoreError) {
      settle(appended.proposal, reply);
    } else {
      settle(appended.proposal, { index, reply });
    }
  }

  /** A snapshot replaced the log up to `index`: what became of those entries is not known. */
  skipped(index: number): void {
    for (const [at, { proposal }] of [...this.#appended]) {
      if (at > index) continue;
      this.#appended.delete(at);
      settle(proposal, new StoreError("timeout", "a snapshot hides what became of it"));
    }
  }

  /** Leadership is lost: the rest must be decided by `deadlineMs`. */
  hurry(deadlineMs: number): void {
    for (const { proposal } of this.#appended.values()) {
      proposal.deadlineMs = Math.min(proposal.deadlineMs, deadlineMs);
    }
  }

  expire(nowMs: number): void {
    for (const proposal of this.#queued.filter((one) => one.deadlineMs <= nowMs)) {
      settle(proposal, new StoreError("timeout", "not appended in time"));
    }
    this.#queued = this.#queued.filter((one) => !one.settled);
    this.#queuedBytes = this.#queued.reduce((sum, one) => sum + one.data.byteLength, 0);
    for (const [index, { proposal }] of [...this.#appended]) {
      if (proposal.settled || proposal.deadlineMs <= nowMs) {
        this.#appended.delete(index);
        settle(proposal, new StoreError("timeout", "not committed in time"));
      }
    }
  }

  /** Ends every wait; the outcome of what was appended is unknown. */
  close(error: StoreError): void {
    this.refuseQueued(error);
    for (const { proposal } of this.#appended.values()) {
      settle(proposal, new StoreError("timeout", "the replica stopped", { cause: error }));
    }
    this.#appended.clear();
  }

  #follow(place: { readonly index: number; readonly term: number }, proposal: Proposal): void {
    const older = this.#appended.get(place.index);
    if (older !== undefined) {
      // It left this node's log, but some other node may still hold it and win an election.
      settle(older.proposal, new StoreError("timeout", "replaced here, perhaps not elsewhere"));
    }
    this.#appended.set(place.index, { term: place.term, proposal });
  }
}

function createProposal(
  data: Uint8Array,
  { deadlineMs, signal }: CallLimits,
  nowMs: number,
): Proposal {
  const proposal: Proposal = {
    data,
    done: deferred<ProposeResponse>(),
    deadlineMs: nowMs + deadlineMs,
    settled: false,
    signal,
    onAbort: undefined,
  };
  const abort = (): void => {
    settle(proposal, new StoreError("aborted", "the caller gave up", { cause: signal?.reason }));
  };
  if (signal?.aborted === true) {
    abort();
  } else if (signal !== undefined) {
    proposal.onAbort = abort;
    signal.addEventListener("abort", abort, { once: true });
  }
  return proposal;
}

function settle(proposal: Proposal, outcome: ProposeResponse | StoreError): void {
  if (proposal.settled) return;
  proposal.settled = true;
  if (proposal.onAbort !== undefined) {
    proposal.signal?.removeEventListener("abort", proposal.onAbort);
  }
  if (outcome instanceof StoreError) proposal.done.reject(outcome);
  else proposal.done.resolve(outcome);
}
