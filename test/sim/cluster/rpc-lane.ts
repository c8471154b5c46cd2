// One direction of a connection: messages arrive in the order they were sent, each later by the
// network's delay, or not at all. As over TCP a lost packet is sent again and delays what follows;
// where the link is cut, or the network breaks connections, both ends learn of it after a while.
import type { SimClock } from "../clock.ts";
import type { SimNetwork } from "../network.ts";
import type { SimRandom } from "../random.ts";

export interface LaneDeps {
  readonly clock: SimClock;
  readonly network: SimNetwork;
  readonly random: SimRandom;
  /** Share of lost packets that break the connection instead of being sent again. */
  readonly resetShare: number;
}

const RETRANSMIT_MS = 200;

export class Lane {
  readonly #deps: LaneDeps;
  readonly #from: number;
  readonly #to: number;
  readonly #broken: () => void;
  /** Packets of one instant travel together. */
  #batch: (() => void)[] | undefined;
  #sentMs = -1;
  #arrivalMs = 0;
  #isBroken = false;

  /** `broken`: called once when nothing more will arrive. */
  constructor(deps: LaneDeps, ends: readonly [from: number, to: number], broken: () => void) {
    this.#deps = deps;
    [this.#from, this.#to] = ends;
    this.#broken = broken;
  }

  send(deliver: () => void): void {
    if (this.#isBroken) return;
    const { clock, network, random, resetShare } = this.#deps;
    const now = clock.monotonicMs();
    if (this.#batch !== undefined && this.#sentMs === now) {
      this.#batch.push(deliver);
      return;
    }
    const batch = [deliver];
    this.#batch = batch;
    this.#sentMs = now;
    let delayMs = network.delayMs();
    while (random.chance(network.faults.loss)) {
      if (random.chance(resetShare)) {
        this.#break();
        return;
      }
      delayMs += RETRANSMIT_MS + random.below(RETRANSMIT_MS);
    }
    this.#arrivalMs = Math.max(this.#arrivalMs, now + delayMs);
    clock.after(this.#arrivalMs - now, () => this.#arrive(batch));
  }

  #arrive(batch: readonly (() => void)[]): void {
    if (this.#isBroken) return;
    if (!this.#deps.network.connected(this.#from, this.#to)) {
      this.#break();
      return;
    }
    if (this.#batch === batch) this.#batch = undefined;
    for (const deliver of batch) deliver();
  }

  #break(): void {
    this.#isBroken = true;
    this.#broken();
  }
}
