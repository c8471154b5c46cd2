// Last uses of access keys and tokens: kept in memory, the latest of each, and written down once a
// minute. What a process that dies did not write is lost: it is for people, not for decisions.
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { LastUseSchema } from "../gen/dolium/record/v1/identity_pb.ts";
import type { Clock, Timer } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import { ROOT_GROUP } from "./groups.ts";
import type { MetadataClient } from "./metadata-client.ts";

const FLUSH_MS = 60_000;
/** Ids of which uses wait; more are dropped until the next flush. */
const WAITING_MAX = 10_000;
const AT_ONCE = 1000;
const TEXT_CHARACTERS_MAX = 200;
const STOP_DEADLINE_MS = 3000;

export interface UseRecorderDeps {
  readonly metadata: Pick<MetadataClient, "execute">;
  readonly clock: Clock;
  readonly log: Log;
}

type Use = Extract<MessageInitShape<typeof LastUseSchema>, { readonly id?: string }> & {
  readonly id: string;
};

export class UseRecorder {
  readonly #deps: UseRecorderDeps;
  #waiting = new Map<string, Use>();
  #timer: Timer | undefined;
  #flushing: Promise<void> = Promise.resolve();
  #isStarted = false;

  constructor(deps: UseRecorderDeps) {
    this.#deps = deps;
  }

  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#sleep();
  }

  /** Writes down what waits, if that is possible soon. Never rejects. */
  async stop(): Promise<void> {
    this.#isStarted = false;
    this.#timer?.cancel();
    await this.flush(STOP_DEADLINE_MS);
  }

  /** `id`: of an access key or token. `action`: "s3:GetObject". `origin`: an address. */
  touch(id: string, action: string, origin: string): void {
    if (!this.#waiting.has(id) && this.#waiting.size >= WAITING_MAX) return;
    const usedMs = BigInt(this.#deps.clock.wallMs());
    this.#waiting.set(id, { id, usedMs, action: cut(action), origin: cut(origin) });
  }

  /** Writes down what waits; what cannot be written goes on waiting. Never rejects. */
  flush(deadlineMs?: number): Promise<void> {
    this.#flushing = this.#flushing.then(() => this.#flush(deadlineMs));
    return this.#flushing;
  }

  async #flush(deadlineMs: number | undefined): Promise<void> {
    const uses = [...this.#waiting.values()];
    this.#waiting = new Map();
    for (let at = 0; at < uses.length; at += AT_ONCE) {
      const kind = { case: "recordUses", value: { uses: uses.slice(at, at + AT_ONCE) } } as const;
      const options = deadlineMs === undefined ? {} : { deadlineMs };
      try {
        await this.#deps.metadata.execute(ROOT_GROUP, kind, options);
      } catch (thrown) {
        this.#deps.log.error("last uses of keys were not written down", thrown);
        this.#keep(uses.slice(at));
        return;
      }
    }
  }

  /** Puts back what was not written, except where there is a later use. */
  #keep(uses: readonly Use[]): void {
    for (const use of uses) {
      if (this.#waiting.size >= WAITING_MAX) return;
      if (!this.#waiting.has(use.id)) this.#waiting.set(use.id, use);
    }
  }

  #sleep(): void {
    if (!this.#isStarted) return;
    this.#timer = this.#deps.clock.after(FLUSH_MS, () => {
      void this.flush().then(() => this.#sleep());
    });
  }
}

function cut(text: string): string {
  return text.slice(0, TEXT_CHARACTERS_MAX);
}
