// What is watched at a gateway: the window of seconds, the feed of requests, the ring of events,
// and nodes that change their states. All of it is bounded, and nothing waits for a slow reader.
import assert from "node:assert/strict";
import { test } from "node:test";
import { NodeWatch } from "../../../services/gateway/admin/cluster/node-watch.ts";
import { EventRing } from "../../../services/gateway/admin/watch/event-ring.ts";
import { LiveWindow, WINDOW_SECONDS } from "../../../services/gateway/admin/watch/live-window.ts";
import {
  TraceFeed,
  traceFilter,
  WATCHERS_MAX,
} from "../../../services/gateway/admin/watch/trace-feed.ts";
import type { ObservedRequest } from "../../../services/gateway/observer.ts";
import { StoreError } from "../../../services/lib/base/errors.ts";
import type { NodeInfo } from "../../../services/lib/placement/cluster-map.ts";
import { SimClock } from "../../sim/clock.ts";
import { observedRequest } from "./observed-request.ts";

function request(change: Partial<ObservedRequest> = {}): ObservedRequest {
  const usual = { seconds: 0.01, receivedBytes: 1, sentBytes: 10, userId: "alice_umich" };
  return observedRequest({ ...usual, ...change });
}

test("each second has its requests, errors, bytes and latencies", async () => {
  const clock = new SimClock();
  const live = new LiveWindow(clock);
  live.start();
  for (let at = 0; at < 99; at += 1) live.observe(request({ seconds: 0.01 }));
  live.observe(request({ seconds: 2, status: 503 }));
  await clock.run(clock.monotonicMs() + 2500);
  const [first, second] = live.after(0);
  assert.ok(first !== undefined && second !== undefined);
  assert.deepEqual(
    [first.requests, first.errors, first.bytesIn, first.bytesOut],
    [100, 1, 100, 1000],
  );
  // The bounds of the histogram grow by a quarter.
  assert.ok(first.p50Ms > 8 && first.p50Ms < 12.5, String(first.p50Ms));
  assert.ok(first.p99Ms > 8 && first.p99Ms < 12.5, String(first.p99Ms));
  assert.deepEqual([second.requests, second.p50Ms], [0, 0]);
  live.stop();
});

test("a hundredth of slow requests is seen in the 99th percentile once it is more", async () => {
  const clock = new SimClock();
  const live = new LiveWindow(clock);
  live.start();
  for (let at = 0; at < 97; at += 1) live.observe(request({ seconds: 0.01 }));
  for (let at = 0; at < 3; at += 1) live.observe(request({ seconds: 2 }));
  await clock.run(clock.monotonicMs() + 1500);
  const [only] = live.after(0);
  assert.ok((only?.p99Ms ?? 0) > 1700 && (only?.p99Ms ?? 0) < 2500, String(only?.p99Ms));
  live.stop();
});

test("the window keeps fifteen minutes and no more, and wakes whoever waits", async () => {
  const clock = new SimClock();
  const live = new LiveWindow(clock);
  live.start();
  const woken = live.next(new AbortController().signal);
  await clock.run(clock.monotonicMs() + (WINDOW_SECONDS + 950) * 1000);
  await woken;
  assert.equal(live.after(0).length, WINDOW_SECONDS);
  const waiting = live.next(new AbortController().signal);
  live.stop();
  await waiting;
  assert.equal(live.isRunning, false);
});

test("a watcher may look for one request by its whole id", async () => {
  const feed = new TraceFeed();
  const end = new AbortController();
  const filter = traceFilter(new URLSearchParams("filter=4F00D1E5"));
  const events = feed.watch(filter, end.signal);
  const first = events.next();
  for (const requestId of ["4F00D1E", "X4F00D1E5", "4F00D1E5"])
    feed.observe(request({ requestId }));
  const { value } = await first;
  end.abort();
  assert.ok(JSON.stringify(value).includes('"4F00D1E5'));
});

test("a watcher sees what fits its filter, in order", async () => {
  const feed = new TraceFeed();
  const end = new AbortController();
  const filter = traceFilter(new URLSearchParams("method=put&bucket=b&status=400&filter=Put"));
  const events = feed.watch(filter, end.signal);
  feed.observe(request());
  feed.observe(request({ method: "PUT", operation: "PutObject" }));
  feed.observe(request({ method: "PUT", operation: "PutObject", status: 403, bucket: "other" }));
  feed.observe(request({ method: "PUT", operation: "PutObject", status: 403, key: "seen" }));
  const first = await events.next();
  assert.equal(first.done, false);
  assert.equal(JSON.stringify(first.value).includes('"key":"seen"'), true);
  end.abort();
  assert.equal((await events.next()).done, true);
});

test("a watcher that does not read misses requests and is told how many", async () => {
  const feed = new TraceFeed();
  const end = new AbortController();
  const events = feed.watch(traceFilter(new URLSearchParams()), end.signal);
  for (let at = 0; at < 1005; at += 1) feed.observe(request());
  let seen = 0;
  for await (const { event, data } of events) {
    if (event === "missed") {
      assert.deepEqual(data, { requests: 5 });
      break;
    }
    seen += 1;
  }
  assert.equal(seen, 1000);
});

test("watchers are bounded, and make room when they end", async () => {
  const feed = new TraceFeed();
  const ends = Array.from({ length: WATCHERS_MAX }, () => new AbortController());
  const filter = traceFilter(new URLSearchParams());
  const watching = ends.map(({ signal }) => feed.watch(filter, signal));
  const more = new AbortController();
  assert.throws(() => feed.watch(filter, more.signal), /watch already/);
  const [first] = watching;
  ends[0]?.abort();
  assert.equal((await first?.next())?.done, true);
  feed.watch(filter, more.signal);
  assert.throws(() => traceFilter(new URLSearchParams("status=x")), /status/);
});

test("watches end when the gateway stops", async () => {
  const feed = new TraceFeed();
  const events = feed.watch(traceFilter(new URLSearchParams()), new AbortController().signal);
  const next = events.next();
  feed.close();
  assert.equal((await next).done, true);
});

test("events are numbered, and the oldest are dropped", () => {
  const ring = new EventRing(new SimClock());
  for (let at = 1; at <= 2500; at += 1) ring.add("admin", `event ${at}`);
  assert.deepEqual(
    ring.newest(2).map(({ sequence }) => sequence),
    [2499, 2500],
  );
  assert.equal(ring.after(0, 5000).length, 1000);
  assert.deepEqual(
    ring.after(2498, 10).map(({ message }) => message),
    ["event 2499", "event 2500"],
  );
});

function node(name: string, state: NodeInfo["state"]): NodeInfo {
  const place = { campus: "main", rack: "", host: name };
  return { nodeId: 1, name, address: "a:1", ...place, state, disks: [] };
}

test("nodes that change their states become events; an unknown map becomes none", () => {
  const clock = new SimClock();
  const events = new EventRing(clock);
  let nodes: readonly NodeInfo[] | undefined;
  const watch = new NodeWatch({
    clock,
    events,
    nodes: () => {
      if (nodes === undefined) throw new StoreError("unavailable", "no cluster map yet");
      return nodes;
    },
  });
  watch.look();
  nodes = [node("s1", "up")];
  watch.look();
  assert.deepEqual(events.newest(10), []);
  nodes = [node("s1", "down"), node("s2", "up")];
  watch.look();
  assert.deepEqual(
    events.newest(10).map(({ message }) => message),
    ["node s1 is down, was up", "node s2 is new"],
  );
});
