// The audit log: what is written, how it waits, what happens when nobody takes it, and that no
// secret gets in.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { AuditEvent } from "../../../services/gateway/audit/audit-line.ts";
import { AuditedRequests } from "../../../services/gateway/audit/audit-requests.ts";
import type { AuditSettings } from "../../../services/gateway/audit/audit-settings.ts";
import { auditFile, auditWebhook } from "../../../services/lib/host/audit-sinks.ts";
import type { HttpPost } from "../../../services/lib/ports/http.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { auditLog } from "./memory-audit.ts";
import { observedRequest } from "./observed-request.ts";

function event(requestId: string): AuditEvent {
  return {
    kind: "admin",
    timeMs: 0,
    requestId,
    who: "alice_umich",
    accessKeyId: "AK",
    source: "192.0.2.1",
    action: "CreateUser",
    resource: "bob_umich",
    result: "ok",
  };
}

test("a line says who did what to which resource, from where, and how it ended", async () => {
  const { audit, sink, count } = auditLog();
  audit.record(event("R1"));
  await audit.close();
  assert.deepEqual(sink.lines, [
    {
      time: "1970-01-01T00:00:00.000Z",
      node: "g1",
      kind: "admin",
      requestId: "R1",
      source: "192.0.2.1",
      action: "CreateUser",
      resource: "bob_umich",
      result: "ok",
      who: "alice_umich",
      accessKeyId: "AK",
    },
  ]);
  assert.equal(count("audit_lines_total"), 1);
  assert.equal(count("audit_dropped_lines_total"), 0);
});

test("changes always, refusals and writes where they are asked for", async () => {
  const seen = async (requests: AuditSettings["requests"]): Promise<unknown[]> => {
    const { audit, sink } = auditLog({ requests, queueLines: 100 });
    const observer = new AuditedRequests(audit);
    const denied = { status: 403, errorCode: "AccessDenied" };
    observer.observe(
      observedRequest({ operation: "PutBucketPolicy", method: "PUT", key: undefined }),
    );
    observer.observe(observedRequest({ operation: "GetObject", ...denied }));
    observer.observe(observedRequest({ operation: "PutObject", method: "PUT" }));
    observer.observe(observedRequest({ operation: "HeadObject", method: "HEAD" }));
    await audit.close();
    return sink.lines.map(({ action, result }) => `${action} ${result}`);
  };
  const change = "PutBucketPolicy ok";
  const denied = "GetObject AccessDenied";
  assert.deepEqual(await seen("changes"), [change]);
  assert.deepEqual(await seen("denied"), [change, denied]);
  assert.deepEqual(await seen("writes"), [change, denied, "PutObject ok"]);
});

test("a sink that fails is given the same lines again", async () => {
  const { audit, sink, clock, count } = auditLog();
  sink.isOpen = false;
  audit.record(event("R1"));
  await clock.run(clock.monotonicMs());
  assert.equal(count("audit_failures_total"), 1);
  assert.equal(count("audit_waiting_lines"), 1);
  sink.isOpen = true;
  await clock.run(clock.monotonicMs() + 1000);
  assert.deepEqual(
    sink.lines.map(({ requestId }) => requestId),
    ["R1"],
  );
  assert.equal(count("audit_waiting_lines"), 0);
});

test("full, with onFull drop: the newest go, and are counted; nothing is refused", async () => {
  const { audit, sink, clock, count } = auditLog();
  sink.isOpen = false;
  for (let at = 0; at < 7; at += 1) audit.record(event(`R${at}`));
  assert.equal(count("audit_dropped_lines_total"), 3);
  assert.equal(audit.mustRefuse, false);
  sink.isOpen = true;
  await clock.run(clock.monotonicMs() + 1000);
  assert.equal(sink.lines.length, 4);
});

test("full, with onFull refuse: requests are refused, those under way still written", async () => {
  const { audit, sink, clock, count } = auditLog({ onFull: "refuse" });
  sink.isOpen = false;
  for (let at = 0; at < 4; at += 1) {
    assert.equal(audit.mustRefuse, false);
    audit.record(event(`R${at}`));
  }
  assert.equal(audit.mustRefuse, true);
  audit.record(event("under way"));
  assert.equal(count("audit_dropped_lines_total"), 0);
  sink.isOpen = true;
  await clock.run(clock.monotonicMs() + 1000);
  assert.equal(audit.mustRefuse, false);
  assert.equal(sink.lines.length, 5);
});

test("what a closing gateway could not write is counted as dropped", async () => {
  const { audit, sink, clock, count } = auditLog();
  sink.isOpen = false;
  audit.record(event("R1"));
  const closing = audit.close();
  await clock.run(clock.monotonicMs() + 6000);
  await closing;
  assert.equal(count("audit_dropped_lines_total"), 1);
});

function folderOf(t: TestContext): string {
  const folder = temporaryFolder("dolium-audit-");
  t.after(() => folder.remove());
  return folder.path;
}

test("a file is put aside before it grows too large, and the oldest go", async (t) => {
  const path = join(folderOf(t), "audit.log");
  const sink = auditFile({ path, bytesMax: 10, filesMax: 3 });
  for (const letter of ["a", "b", "c", "d"]) await sink.write(Buffer.from(`${letter.repeat(7)}\n`));
  await sink.close();
  assert.equal(readFileSync(path, "utf8"), "ddddddd\n");
  assert.equal(readFileSync(`${path}.1`, "utf8"), "ccccccc\n");
  assert.equal(readFileSync(`${path}.2`, "utf8"), "bbbbbbb\n");
  assert.ok(!existsSync(`${path}.3`));
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test("a file goes on where it stood, and waits for a folder that is missing", async (t) => {
  const folder = folderOf(t);
  const path = join(folder, "later/audit.log");
  const options = { path, bytesMax: 100, filesMax: 2 };
  await assert.rejects(auditFile(options).write(Buffer.from("x\n")), { code: "ENOENT" });
  mkdirSync(join(folder, "later"));
  for (const line of ["one\n", "two\n"]) {
    const sink = auditFile(options);
    await sink.write(Buffer.from(line));
    await sink.close();
  }
  assert.equal(readFileSync(path, "utf8"), "one\ntwo\n");
});

test("a webhook that does not answer 2xx has not taken the lines", async () => {
  const posts: HttpPost[] = [];
  let status = 503;
  const http = {
    post: async (post: HttpPost) => {
      posts.push(post);
      return status;
    },
    close: () => undefined,
  };
  const sink = auditWebhook(http, "http://127.0.0.1/audit", "token");
  await assert.rejects(sink.write(Buffer.from("x\n")), /503/);
  status = 204;
  await sink.write(Buffer.from("x\n"));
  assert.equal(posts.length, 2);
  assert.equal(posts[0]?.headers.Authorization, "Bearer token");
});
