// Log, metrics and the operations port.
import assert from "node:assert/strict";
import { test } from "node:test";
import { AssertionFailure } from "../../../services/lib/base/assert.ts";
import { isStoreError, StoreError } from "../../../services/lib/base/errors.ts";
import { createLog, type LogLevel } from "../../../services/lib/host/log.ts";
import { createMetrics } from "../../../services/lib/host/metrics.ts";
import {
  type ClusterQuestion,
  createOpsServer,
  type HealthReport,
} from "../../../services/lib/host/ops-server.ts";
import { createRecordingLog } from "./recording-log.ts";

function capture(level: LogLevel = "info") {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  const log = createLog({ level, fields: { service: "test" }, destination });
  return { log, lines, last: () => JSON.parse(lines.at(-1) ?? "null") };
}

test("a line is one JSON object with time, level, message and fields", () => {
  const { log, lines, last } = capture();
  log.child({ requestId: "r1" }).info("hello", { bytes: 5n, key: Uint8Array.of(1, 255), on: true });
  const { time, ...rest } = last();
  assert.match(time, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  assert.deepEqual(rest, {
    level: "info",
    service: "test",
    requestId: "r1",
    bytes: "5",
    key: "01ff",
    on: true,
    message: "hello",
  });
  log.debug("too fine");
  assert.equal(lines.length, 1);
  assert.ok(lines[0]?.endsWith("}\n"));
});

test("(33) CVE-2018-16889 secrets do not reach the line, at any depth, in children and errors", () => {
  const { log, lines } = capture("debug");
  const canary = "CANARY-7f3a";
  const named = [
    "authorization",
    "X-Amz-Signature",
    "secretKey",
    "sessionToken",
    "password",
    "set-cookie",
  ];
  for (const name of named) {
    log.info("x", { [name]: canary, headers: { deep: [{ [name]: canary }] } });
    log.child({ [name]: canary }).warn("y", { map: new Map([[name, canary]]) });
    log.error("z", new Error("failed", { cause: { [name]: canary } }), { [name]: canary });
  }
  assert.equal(lines.length, named.length * 3);
  for (const line of lines) {
    assert.ok(!line.includes(canary), line);
    assert.ok(line.includes("[redacted]"), line);
  }
});

test("errors show code, leader, stack and causes; cycles and odd values end", () => {
  const { log, last } = capture();
  const root = new TypeError("root");
  const error = new StoreError("not-leader", "ask", { cause: root, leaderHint: "h:1" });
  const loop: Record<string, unknown> = {};
  loop.self = loop;
  log.error("failed", error, { loop, when: new Date(0), nothing: null });
  const line = last();
  assert.equal(line.error.code, "not-leader");
  assert.equal(line.error.leaderHint, "h:1");
  assert.match(line.error.stack, /observability\.test/);
  assert.equal(line.error.cause.name, "TypeError");
  assert.equal(line.when, "1970-01-01T00:00:00.000Z");
  log.error("failed", "a thrown string");
  assert.equal(last().error, "a thrown string");
});

test("metrics carry the prefix, labels and buckets", async () => {
  const metrics = createMetrics({ nodeMetrics: false });
  const counter = metrics.counter("requests_total", { help: "Requests.", labels: ["action"] });
  counter.increment({ action: "GetObject" });
  counter.increment({ action: "GetObject" }, 2);
  metrics.gauge("disk_bytes", { help: "Bytes." }).set(7);
  const histogram = metrics.histogram("wait_seconds", { help: "Waits.", buckets: [0.1, 1] });
  histogram.observe(0.5);
  const text = await metrics.expose();
  assert.match(text, /^dolium_requests_total\{action="GetObject"\} 3$/m);
  assert.match(text, /^dolium_disk_bytes 7$/m);
  assert.match(text, /^dolium_wait_seconds_bucket\{le="1"\} 1$/m);
  assert.match(metrics.contentType, /^text\/plain/);
  assert.match(await createMetrics().expose(), /^nodejs_eventloop_lag_seconds /m);
});

test("the same metric twice is one; a different one of that name is our mistake", async () => {
  const metrics = createMetrics({ nodeMetrics: false });
  metrics.counter("x_total", { help: "X." }).increment();
  metrics.counter("x_total", { help: "X." }).increment();
  assert.match(await metrics.expose(), /^dolium_x_total 2$/m);
  const twice = () => metrics.counter("x_total", { help: "X.", labels: ["a"] });
  assert.throws(twice, AssertionFailure);
  assert.throws(() => metrics.counter("x", { help: "X." }), AssertionFailure);
  assert.throws(() => metrics.gauge("y_total", { help: "Y." }), AssertionFailure);
  assert.throws(() => metrics.gauge("Bad-name", { help: "Y." }), AssertionFailure);
  const descending = { help: "Z.", buckets: [2, 1] };
  assert.throws(() => metrics.histogram("z_seconds", descending), AssertionFailure);
});

test("the operations port serves metrics and health, and says no more than it should", async () => {
  const log = createRecordingLog();
  const metrics = createMetrics({ nodeMetrics: false });
  let answer: () => HealthReport | Promise<HealthReport> = () => ({ ok: true });
  const cluster = ({ maintenance, node }: ClusterQuestion): HealthReport => ({
    ok: node === "storage-1",
    detail: { groupsWithoutLeader: 1, maintenance },
  });
  const server = createOpsServer({
    metrics,
    log,
    checkTimeoutMs: 50,
    health: { started: () => answer(), live: () => answer(), ready: () => answer(), cluster },
  });
  const address = await server.listen("127.0.0.1:0");
  const ask = async (path: string, method = "GET") => {
    const response = await fetch(`http://${address}${path}`, { method });
    return [response.status, await response.text()] as const;
  };
  try {
    metrics.gauge("answer_count", { help: "A." }).set(42);
    assert.match((await ask("/metrics"))[1], /dolium_answer_count 42/);
    const probes = ["/health/started", "/health/live", "/health/ready", "/healthz", "/readyz"];
    for (const path of probes) {
      answer = () => ({ ok: true });
      assert.deepEqual(await ask(path), [200, '{"status":"ok"}']);
      assert.equal((await ask(path, "HEAD"))[0], 200);
      answer = () => ({ ok: false, detail: { why: "private" } });
      assert.deepEqual(await ask(path), [503, '{"status":"unavailable"}']);
      answer = () => {
        throw new Error("broken check");
      };
      assert.deepEqual(await ask(path), [503, '{"status":"unavailable"}']);
    }
    answer = () => new Promise(() => undefined);
    assert.equal((await ask("/health/live"))[0], 503);
    assert.ok(log.logged.some(({ error }) => isStoreError(error, "timeout")));
    assert.deepEqual(await ask("/health/cluster"), [
      503,
      '{"status":"unavailable","groupsWithoutLeader":1,"maintenance":false}',
    ]);
    assert.equal((await ask("/health/cluster?maintenance=true"))[0], 412);
    assert.equal((await ask("/health/cluster?maintenance=true&node=storage-1"))[0], 200);
    assert.equal((await ask("/nowhere"))[0], 404);
    assert.equal((await ask("/leave", "POST"))[0], 404, "nobody may ask this one to leave");
    const other = createOpsServer({
      metrics,
      log,
      health: { started: answer, live: answer, ready: answer, cluster },
    });
    await assert.rejects(other.listen(address), (error) => isStoreError(error, "io"));
    await assert.rejects(other.listen("nonsense"), (error) => isStoreError(error, "invalid"));
  } finally {
    await server.close();
  }
});
