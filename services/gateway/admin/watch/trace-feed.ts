// Requests of this gateway as they end, for whoever watches: each watcher has a bounded queue of
// its own, and one that reads too slowly misses requests and is told how many.
import { formatIsoDate } from "../../../lib/s3/http-date.ts";
import type { ObservedRequest, RequestObserver } from "../../observer.ts";
import type { ServerEvent } from "../admin-answer.ts";
import { AdminError, invalidArgument } from "../admin-error.ts";

const QUEUE_MAX = 1000;
export const WATCHERS_MAX = 16;

export interface TraceFilter {
  readonly method: string | undefined;
  readonly bucket: string | undefined;
  readonly user: string | undefined;
  readonly statusMin: number;
  /** Contained in operation, bucket, key or error code. */
  readonly text: string | undefined;
}

interface Watcher {
  readonly filter: TraceFilter;
  readonly queue: ObservedRequest[];
  missed: number;
  wake: () => void;
}

/** From `?method=&bucket=&user=&status=&filter=`. Throws AdminError. */
export function traceFilter(query: URLSearchParams): TraceFilter {
  const status = query.get("status") ?? "0";
  if (!/^[0-9]{1,3}$/.test(status)) throw invalidArgument("status must be a number");
  return {
    method: query.get("method")?.toUpperCase(),
    bucket: query.get("bucket") ?? undefined,
    user: query.get("user") ?? undefined,
    statusMin: Number(status),
    text: query.get("filter") ?? undefined,
  };
}

export class TraceFeed implements RequestObserver {
  readonly #watchers = new Set<Watcher>();
  #isClosed = false;

  /** Ends every watch, so that their connections can close. */
  close(): void {
    this.#isClosed = true;
    for (const watcher of this.#watchers) watcher.wake();
  }

  observe(request: ObservedRequest): void {
    for (const watcher of this.#watchers) {
      if (!fits(watcher.filter, request)) continue;
      if (watcher.queue.length >= QUEUE_MAX) watcher.missed += 1;
      else watcher.queue.push(request);
      watcher.wake();
    }
  }

  /** Until `signal` fires. Throws AdminError when too many watch already. */
  watch(filter: TraceFilter, signal: AbortSignal): AsyncGenerator<ServerEvent> {
    if (this.#watchers.size >= WATCHERS_MAX) {
      throw new AdminError(429, "SlowDown", `${WATCHERS_MAX} watch already`);
    }
    const watcher: Watcher = { filter, queue: [], missed: 0, wake: () => undefined };
    this.#watchers.add(watcher);
    return this.#events(watcher, signal);
  }

  async *#events(watcher: Watcher, signal: AbortSignal): AsyncGenerator<ServerEvent> {
    const onAbort = (): void => watcher.wake();
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      while (!signal.aborted && !this.#isClosed) {
        for (const request of watcher.queue.splice(0)) {
          yield { event: "request", data: shown(request) };
        }
        if (watcher.missed > 0) {
          const { missed } = watcher;
          watcher.missed = 0;
          yield { event: "missed", data: { requests: missed } };
        }
        if (watcher.queue.length > 0) continue;
        const { promise, resolve } = Promise.withResolvers<void>();
        watcher.wake = resolve;
        if (!signal.aborted && !this.#isClosed) await promise;
      }
    } finally {
      this.#watchers.delete(watcher);
      signal.removeEventListener("abort", onAbort);
    }
  }
}

function fits(filter: TraceFilter, request: ObservedRequest): boolean {
  const { method, bucket, user, statusMin, text } = filter;
  if (request.status !== 0 && request.status < statusMin) return false;
  if (method !== undefined && request.method !== method) return false;
  if (bucket !== undefined && request.bucket !== bucket) return false;
  if (user !== undefined && request.userId !== user) return false;
  if (text === undefined) return true;
  const { operation, key = "", errorCode = "", requestId } = request;
  // A part of an id is like a part of any other.
  if (requestId === text) return true;
  return [operation, request.bucket ?? "", key, errorCode].some((field) => field.includes(text));
}

function shown(request: ObservedRequest): Readonly<Record<string, unknown>> {
  const { endedMs, seconds, userId, ...rest } = request;
  const time = formatIsoDate(endedMs);
  return { time, ...rest, user: userId, durationMs: Math.round(seconds * 10_000) / 10 };
}
