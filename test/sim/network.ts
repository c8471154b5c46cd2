// A network in virtual time: each delivery is delayed, and may be lost, doubled or overtaken by a
// later one; links can be cut in one direction. Endpoints are numbers; what is delivered is a
// function.
import type { Clock } from "../../services/lib/ports/clock.ts";
import type { SimRandom } from "./random.ts";

export interface NetworkFaults {
  /** Shares of deliveries, 0..1. */
  readonly loss: number;
  readonly duplication: number;
  /** Of deliveries that take up to `slowMs` instead of `fastMs`, so that others overtake them. */
  readonly slow: number;
  readonly fastMs: number;
  readonly slowMs: number;
}

export const CALM_NETWORK: NetworkFaults = {
  loss: 0,
  duplication: 0,
  slow: 0,
  fastMs: 2,
  slowMs: 2,
};

export class SimNetwork {
  readonly #clock: Clock;
  readonly #random: SimRandom;
  readonly #cut = new Set<string>();
  faults: NetworkFaults = CALM_NETWORK;

  constructor(clock: Clock, random: SimRandom) {
    this.#clock = clock;
    this.#random = random;
  }

  /** Stops deliveries from `from` to `to`, those on their way included. */
  cut(from: number, to: number): void {
    this.#cut.add(`${from}>${to}`);
  }

  /** Parts `side` from everybody else among `all`, both ways. */
  partition(side: readonly number[], all: readonly number[]): void {
    for (const inside of side) {
      for (const outside of all.filter((one) => !side.includes(one))) {
        this.cut(inside, outside);
        this.cut(outside, inside);
      }
    }
  }

  heal(): void {
    this.#cut.clear();
  }

  connected(from: number, to: number): boolean {
    return !this.#cut.has(`${from}>${to}`);
  }

  /** May run `deliver` later: never, once or twice. */
  send(from: number, to: number, deliver: () => void): void {
    const { loss, duplication } = this.faults;
    const copies = this.#random.chance(duplication) ? 2 : 1;
    for (let copy = 0; copy < copies; copy += 1) {
      if (this.#random.chance(loss)) continue;
      this.#clock.after(this.delayMs(), () => {
        if (this.connected(from, to)) deliver();
      });
    }
  }

  delayMs(): number {
    const { slow, fastMs, slowMs } = this.faults;
    return 1 + this.#random.below(Math.max(1, this.#random.chance(slow) ? slowMs : fastMs));
  }
}
