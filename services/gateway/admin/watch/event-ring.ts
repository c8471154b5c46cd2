// What happened lately, as this gateway saw it: nodes that went and came back, writes of the admin
// API. The newest thousand; numbered, so that a reader goes on where it stopped. Not kept over a
// restart, and not the audit log, which is in the logs.
import type { Clock } from "../../../lib/ports/clock.ts";

const EVENTS_MAX = 1000;

export interface RecentEvent {
  /** Grows by one with each event of this gateway since it started. */
  readonly sequence: number;
  readonly timeMs: number;
  /** "admin", "node", "disk", "process". */
  readonly kind: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, string | number | boolean>>;
}

export class EventRing {
  readonly #clock: Clock;
  #events: RecentEvent[] = [];
  #sequence = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(kind: string, message: string, fields: RecentEvent["fields"] = {}): void {
    this.#sequence += 1;
    const event = { sequence: this.#sequence, timeMs: this.#clock.wallMs(), kind, message, fields };
    this.#events.push(event);
    // Cut in halves, so that adding stays cheap.
    if (this.#events.length >= 2 * EVENTS_MAX) this.#events = this.#events.slice(-EVENTS_MAX);
  }

  /** Those after `sequence`, oldest first, at most `limit`. */
  after(sequence: number, limit: number): readonly RecentEvent[] {
    const kept = this.#events.slice(-EVENTS_MAX);
    return kept.filter((event) => event.sequence > sequence).slice(0, limit);
  }

  /** The newest `limit`, oldest first. */
  newest(limit: number): readonly RecentEvent[] {
    return this.#events.slice(-Math.min(limit, EVENTS_MAX));
  }
}
