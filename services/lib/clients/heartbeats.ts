// Tells the root group once a second that a process without disks of its own (gateway, keeper)
// lives. Storage nodes send their own, with reports of their disks.
import type { Clock, Timer } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { MetadataClient } from "./metadata-client.ts";

export interface HeartbeatIdentity {
  readonly role: "gateway" | "keeper";
  readonly name: string;
  /** host:port that people know it by. */
  readonly address: string;
  readonly version: string;
  /** host:port of its metrics and health; not told when left out. */
  readonly opsAddress?: string;
  readonly campus?: string;
  /** What `status` should show of it, as JSON; asked before each heartbeat. */
  readonly details: () => string;
}

const INTERVAL_MS = 1000;

export class Heartbeats {
  readonly #metadata: MetadataClient;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #identity: HeartbeatIdentity;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(
    ports: { readonly metadata: MetadataClient; readonly clock: Clock; readonly log: Log },
    identity: HeartbeatIdentity,
  ) {
    this.#metadata = ports.metadata;
    this.#clock = ports.clock;
    this.#log = ports.log;
    this.#identity = identity;
  }

  start(): void {
    this.#send()
      .catch((error: unknown) => this.#log.debug("heartbeat failed", { reason: String(error) }))
      .finally(() => {
        if (!this.#stopped) this.#timer = this.#clock.after(INTERVAL_MS, () => this.start());
      });
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  async #send(): Promise<void> {
    const { details, ...identity } = this.#identity;
    const wallMs = BigInt(this.#clock.wallMs());
    await this.#metadata.heartbeat({ ...identity, details: details(), wallMs });
  }
}
