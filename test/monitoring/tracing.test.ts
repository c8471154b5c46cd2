// Traces over processes: one PUT is one trace, from whoever sent it through gateway, metadata and
// storage. Without an SDK nothing is loaded, and calls carry nothing more.
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { CreateBucketCommand, PutObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import { createTracing } from "../../services/lib/host/tracing.ts";
import { eventually } from "../support/eventually.ts";
import { LocalCluster } from "../support/local-cluster.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import type { WrittenSpan } from "./span-files.ts";

const SDK = pathToFileURL(join(import.meta.dirname, "span-files.ts")).href;
const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT = "00f067aa0ba902b7";
const BODY = { Bucket: "traced", Body: Buffer.alloc(300_000, 7) };
const SERVER = 1;
const CLIENT = 2;

function spansIn(folder: string): WrittenSpan[] {
  return readdirSync(folder).flatMap((name) =>
    readFileSync(join(folder, name), "utf8")
      .split("\n")
      .filter((line) => line.endsWith("}"))
      .map((line) => JSON.parse(line) as WrittenSpan),
  );
}

/** As a traced program would send it. */
async function tracedPut(client: S3Client, Key: string): Promise<void> {
  const command = new PutObjectCommand({ ...BODY, Key });
  command.middlewareStack.add(
    (next) => (args) => {
      // The SDK gives every request headers; its types do not say so.
      const { headers } = args.request as { headers: Record<string, string> };
      headers.traceparent = `00-${TRACE}-${PARENT}-01`;
      return next(args);
    },
    { step: "build" },
  );
  await client.send(command);
}

test("one PUT is one trace through gateway, metadata and storage", async (t) => {
  const folder = temporaryFolder("dolium-spans-");
  t.after(() => folder.remove());
  const spans = join(folder.path, "spans");
  mkdirSync(spans);
  const cluster = await LocalCluster.start({
    args: ["dev", "--gateways", "1", "--metadata", "1", "--storage", "3"],
    environment: { NODE_OPTIONS: `--import=${SDK}`, DOLIUM_TEST_SPANS: spans },
  });
  t.after(() => cluster.stop());
  const client = cluster.s3();
  t.after(() => client.destroy());
  await client.send(new CreateBucketCommand({ Bucket: "traced" }));
  // Until the first body was taken, a write may be tried more than once: that would be two traces.
  await cluster.s3(0, 10).send(new PutObjectCommand({ ...BODY, Key: "first" }));
  await tracedPut(client, "secret-name-of-a-key");

  const pids = (role: string): number[] => cluster.processes(role).map(({ pid }) => pid);
  const found = await eventually("spans of every process", 120_000, async () => {
    const trace = spansIn(spans).filter(({ traceId }) => traceId === TRACE);
    const seen = new Set(trace.map(({ pid }) => pid));
    const expected = [...pids("gateway"), ...pids("metadata"), ...pids("storage")];
    // Each process writes its spans when they end: a child may be there before its parent.
    const known = new Set([PARENT, ...trace.map(({ spanId }) => spanId)]);
    const whole = trace.every(({ parentId }) => known.has(parentId ?? ""));
    return whole && expected.every((pid) => seen.has(pid)) ? trace : undefined;
  });
  const put = found.find(({ name }) => name === "PutObject");
  assert.equal(put?.parentId, PARENT);
  assert.equal(put.kind, SERVER);
  assert.match(String(put.attributes["dolium.request_id"]), /^[0-9A-F]{16}$/);
  const ids = new Map(found.map((span) => [span.spanId, span]));
  // The client may have tried more than once.
  for (const span of found.filter(({ parentId }) => parentId !== PARENT)) {
    const parent = ids.get(span.parentId ?? "");
    assert.ok(parent !== undefined, `${span.name} hangs in the air`);
    if (span.kind !== SERVER) continue;
    // What is served was called: by the span of that name, in the process before.
    assert.equal(parent.kind, CLIENT);
    assert.equal(parent.name, span.name);
    assert.notEqual(parent.pid, span.pid);
  }
  const served = found.filter(({ kind, pid }) => kind === SERVER && pid !== put.pid);
  const names = new Set(served.map(({ name }) => name));
  assert.ok(names.has("dolium.metadata.v1.MetadataService/Execute"), [...names].join(" "));
  assert.ok(names.has("dolium.storage.v1.ShardService/WriteShard"), [...names].join(" "));
  assert.ok(!JSON.stringify(found).includes("secret-name"), "a key of an object is in a span");
});

test("without an SDK nothing is traced", async () => {
  assert.equal(await createTracing("1"), undefined);
});
