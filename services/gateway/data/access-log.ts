// Server access logs on their way out of a gateway: lines wait a second at most, then go to the
// first index group of the bucket they are about, which keeps them until the keeper has made
// objects of them. Best effort, as on AWS: a line may come twice, and past a bound, or when the
// gateway stops while its groups do not answer, lines are dropped and counted.
import { assert } from "../../lib/base/assert.ts";
import { isStoreError, StoreError } from "../../lib/base/errors.ts";
import type { BucketRecord } from "../../lib/gen/dolium/record/v1/cluster_pb.ts";
import type { Clock, Timer } from "../../lib/ports/clock.ts";
import type { Log } from "../../lib/ports/log.ts";
import type { Metrics } from "../../lib/ports/metrics.ts";
import type { Buckets, MetadataAccess } from "../dependencies.ts";
import { checkOutcome } from "../error-mapper.ts";

const FLUSH_MS = 1000;
/** Lines of one command; a bucket with so many does not wait for the second to be over. */
const BATCH_LINES = 200;
/** Characters of one command, unless it is one line. */
const BATCH_LENGTH = 256 * 1024;
/** Characters of all lines that wait. */
const WAITING_LENGTH_MAX = 16 * 1024 * 1024;
const DEADLINE_MS = 5000;
const CLOSE_ATTEMPTS = 2;

export interface AccessLogDeps {
  readonly metadata: Pick<MetadataAccess, "execute">;
  readonly buckets: Pick<Buckets, "groupsOf">;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

interface Waiting {
  bucket: BucketRecord;
  lines: string[];
  sending: Promise<void> | undefined;
}

export class AccessLogQueue {
  readonly #deps: AccessLogDeps;
  readonly #sent;
  readonly #dropped;
  readonly #failures;
  readonly #waiting = new Map<number, Waiting>();
  #waitingLength = 0;
  #timer: Timer | undefined;
  #closed = false;

  constructor(deps: AccessLogDeps) {
    this.#deps = deps;
    const { metrics } = deps;
    this.#sent = metrics.counter("s3_access_log_lines_total", {
      help: "Lines of server access logs handed to the metadata service.",
    });
    this.#dropped = metrics.counter("s3_access_log_dropped_lines_total", {
      help: "Lines of server access logs that were given up.",
      labels: ["reason"],
    });
    this.#failures = metrics.counter("s3_access_log_failures_total", {
      help: "Attempts to hand over lines of server access logs that failed; they are repeated.",
    });
  }

  /** Takes a line about `bucket`, without line end. Never throws and never waits. */
  add(bucket: BucketRecord, line: string): void {
    assert(!/[\r\n]/.test(line), "AccessLogQueue: a line with a line end");
    if (this.#closed || this.#waitingLength + line.length > WAITING_LENGTH_MAX) {
      this.#drop(1, this.#closed ? "closed" : "queue-full");
      return;
    }
    const waiting = this.#waitingFor(bucket);
    waiting.lines.push(line);
    this.#waitingLength += line.length;
    if (waiting.lines.length >= BATCH_LINES && waiting.sending === undefined) this.#start(waiting);
    this.#arm();
  }

  /** Hands over what waits; resolves when that is done or given up. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    for (let attempt = 0; attempt < CLOSE_ATTEMPTS && this.#waiting.size > 0; attempt += 1) {
      for (const waiting of this.#waiting.values()) {
        await waiting.sending;
        await this.#start(waiting);
      }
    }
    for (const { lines } of this.#waiting.values()) this.#drop(lines.length, "closed");
    this.#waiting.clear();
  }

  #waitingFor(bucket: BucketRecord): Waiting {
    const known = this.#waiting.get(bucket.bucketId);
    if (known !== undefined) {
      known.bucket = bucket;
      return known;
    }
    const fresh: Waiting = { bucket, lines: [], sending: undefined };
    this.#waiting.set(bucket.bucketId, fresh);
    return fresh;
  }

  #arm(): void {
    if (this.#timer !== undefined || this.#closed) return;
    this.#timer = this.#deps.clock.after(FLUSH_MS, () => {
      this.#timer = undefined;
      for (const waiting of this.#waiting.values()) {
        if (waiting.sending === undefined) this.#start(waiting);
      }
      if (this.#waiting.size > 0) this.#arm();
    });
  }

  #start(waiting: Waiting): Promise<void> {
    const sending = this.#send(waiting).finally(() => {
      waiting.sending = undefined;
      if (waiting.lines.length === 0) this.#waiting.delete(waiting.bucket.bucketId);
    });
    waiting.sending = sending;
    return sending;
  }

  /** Sends batch after batch; a batch that fails stays in front for the next second. */
  async #send(waiting: Waiting): Promise<void> {
    while (waiting.lines.length > 0) {
      const batch = waiting.lines.splice(0, batchSize(waiting.lines));
      try {
        await this.#append(waiting.bucket, batch);
      } catch (error) {
        if (isStoreError(error, "sealed")) {
          this.#forget(batch);
          this.#drop(batch.length, "bucket-gone");
          continue;
        }
        waiting.lines = [...batch, ...waiting.lines];
        this.#failures.increment();
        const fields = { bucket: waiting.bucket.name, lines: waiting.lines.length, error };
        this.#deps.log.warn("lines of an access log wait for their group", fields);
        return;
      }
      this.#forget(batch);
      this.#sent.increment({}, batch.length);
    }
  }

  async #append(bucket: BucketRecord, lines: readonly string[]): Promise<void> {
    const [groupId] = this.#deps.buckets.groupsOf(bucket);
    if (groupId === undefined) throw new StoreError("internal", "a bucket without ranges");
    const value = { bucketId: bucket.bucketId, log: { lines: [...lines] } };
    const kind = { case: "appendAccessLog", value } as const;
    const options = { deadlineMs: DEADLINE_MS };
    const reply = await this.#deps.metadata.execute(groupId, kind, options);
    checkOutcome(reply.outcome, reply.message);
  }

  #forget(lines: readonly string[]): void {
    this.#waitingLength -= lines.reduce((sum, line) => sum + line.length, 0);
  }

  #drop(count: number, reason: string): void {
    if (count > 0) this.#dropped.increment({ reason }, count);
  }
}

/** How many of the first lines go into one command; at least one. */
function batchSize(lines: readonly string[]): number {
  let length = 0;
  let count = 0;
  for (const line of lines) {
    length += line.length;
    if (count === BATCH_LINES || (count > 0 && length > BATCH_LENGTH)) break;
    count += 1;
  }
  return count;
}
