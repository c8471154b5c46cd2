// What happens now, at this gateway: events, requests as they end, figures each second.

import { formatIsoDate } from "../../../lib/s3/http-date.ts";
import { type AdminAnswer, json, type ServerEvent } from "../admin-answer.ts";
import { invalidArgument } from "../admin-error.ts";
import type { AdminContext, AdminOperation } from "../admin-operation.ts";
import { limitOf } from "../page.ts";
import type { RecentEvent } from "./event-ring.ts";
import type { LiveSecond } from "./live-window.ts";
import { traceFilter } from "./trace-feed.ts";

export const WATCH_OPERATIONS: readonly AdminOperation[] = [
  {
    name: "ListEvents",
    method: "GET",
    path: "/events",
    summary: "What happened lately as this gateway saw it, oldest first; not kept over a restart.",
    admission: { action: "dolium:ListEvents" },
    query: [
      { name: "after", description: "Sequence number of the last event that is known." },
      { name: "limit", description: "Events at most; the newest unless `after` is given." },
    ],
    run: listEvents,
  },
  {
    name: "Trace",
    method: "GET",
    path: "/trace",
    summary: "Requests of this gateway as they end, as server-sent events.",
    admission: { action: "dolium:Trace" },
    query: [
      { name: "method", description: "Only this method." },
      { name: "bucket", description: "Only this bucket." },
      { name: "user", description: "Only this user." },
      { name: "status", description: "Only answers from this status on." },
      {
        name: "filter",
        description:
          "Only with this text in operation, bucket, key or error, or of this request id.",
      },
    ],
    run: async ({ deps, query, request }) =>
      events(deps.trace.watch(traceFilter(query), request.gone)),
  },
  {
    name: "Live",
    method: "GET",
    path: "/live",
    summary: "The last 15 minutes second by second, and then each second, as server-sent events.",
    admission: { action: "dolium:Live" },
    query: [{ name: "after", description: "Second since 1970 from which on is asked." }],
    run: live,
  },
  {
    name: "MetricsSummary",
    method: "GET",
    path: "/metrics/summary",
    summary: "Requests, errors, bytes and latencies of this gateway over the last minute.",
    admission: { action: "dolium:Live" },
    run: async ({ deps }) => json(summaryOf(deps.live.after(0).slice(-60))),
  },
];

function events(source: AsyncIterable<ServerEvent>): AdminAnswer {
  return { status: 200, headers: [], body: { kind: "events", events: source } };
}

async function listEvents({ deps, query }: AdminContext): Promise<AdminAnswer> {
  const limit = limitOf(query);
  const after = query.get("after");
  const found =
    after === null ? deps.events.newest(limit) : deps.events.after(wholeNumber(after), limit);
  return json({ items: found.map(eventView), gateway: deps.name });
}

function wholeNumber(text: string): number {
  if (/^[0-9]{1,15}$/.test(text)) return Number(text);
  throw invalidArgument("after must be a whole number");
}

function eventView({ sequence, timeMs, kind, message, fields }: RecentEvent): unknown {
  return { sequence, time: formatIsoDate(timeMs), kind, message, ...fields };
}

async function live(context: AdminContext): Promise<AdminAnswer> {
  const after = wholeNumber(context.query.get("after") ?? "0");
  return events(seconds(context, after));
}

async function* seconds(
  { deps, request }: AdminContext,
  after: number,
): AsyncGenerator<ServerEvent> {
  let last = after;
  const past = deps.live.after(last);
  last = past.at(-1)?.second ?? last;
  yield { event: "past", data: past };
  while (!request.gone.aborted && deps.live.isRunning) {
    await deps.live.next(request.gone);
    for (const entry of deps.live.after(last)) {
      last = entry.second;
      yield { event: "second", data: entry };
    }
  }
}

function summaryOf(entries: readonly LiveSecond[]): unknown {
  const count = Math.max(1, entries.length);
  const sum = (pick: (entry: LiveSecond) => number): number =>
    entries.reduce((total, entry) => total + pick(entry), 0);
  const worst = (pick: (entry: LiveSecond) => number): number =>
    entries.reduce((most, entry) => Math.max(most, pick(entry)), 0);
  return {
    seconds: entries.length,
    requestsPerSecond: sum(({ requests }) => requests) / count,
    errors: sum(({ errors }) => errors),
    bytesInPerSecond: sum(({ bytesIn }) => bytesIn) / count,
    bytesOutPerSecond: sum(({ bytesOut }) => bytesOut) / count,
    p50MsWorst: worst(({ p50Ms }) => p50Ms),
    p99MsWorst: worst(({ p99Ms }) => p99Ms),
    eventLoopLagMsWorst: worst(({ eventLoopLagMs }) => eventLoopLagMs),
  };
}
