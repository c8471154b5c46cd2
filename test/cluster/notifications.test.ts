// Notifications and access logs of a running cluster whose keeper is killed again and again: every
// event reaches its webhook, and every request has its one line in a log object.
import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutBucketLoggingCommand,
  PutBucketNotificationConfigurationCommand,
  PutObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { eventually } from "../support/eventually.ts";
import { LocalCluster } from "../support/local-cluster.ts";

const TIMEOUT_MS = 60_000;
const KILLS = 4;

interface Told {
  readonly name: string;
  readonly key: string;
}

/** A webhook that is down for a part of the time. */
class Webhook {
  readonly told: Told[] = [];
  /** Buckets whose test event came. */
  readonly tested = new Set<string>();
  readonly tokens = new Set<string | undefined>();
  isDown = false;
  readonly #server: Server = createServer(async (request, response) => {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    if (this.isDown) {
      response.writeHead(503).end();
      return;
    }
    this.tokens.add(request.headers.authorization);
    // The body is the message that the keeper writes; anything else fails the test here.
    const message = JSON.parse(Buffer.concat(pieces).toString()) as {
      Event?: string;
      Bucket?: string;
      Records?: { eventName: string; s3: { object: { key: string } } }[];
    };
    const { Event, Bucket = "", Records = [] } = message;
    if (Event === "s3:TestEvent") this.tested.add(Bucket);
    for (const { eventName, s3 } of Records) {
      this.told.push({ name: eventName, key: s3.object.key });
    }
    response.end();
  });

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/events`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  /** Keys by event name, each once. */
  keys(name: string): string[] {
    const keys = this.told.filter((one) => one.name === name).map(({ key }) => key);
    return [...new Set(keys)].toSorted();
  }
}

let cluster: LocalCluster;
const hook = new Webhook();

before(async () => {
  const url = await hook.listen();
  cluster = await LocalCluster.start({
    args: ["dev", "--gateways", "1", "--metadata", "1", "--storage", "3"],
    environment: {
      DOLIUM_NOTIFY__TARGETS: JSON.stringify({ hook: { url, authToken: "let-me-in" } }),
      DOLIUM_NOTIFY__POLL_MS: "100",
      DOLIUM_NOTIFY__BACKOFF_MS_MAX: "1000",
      DOLIUM_ACCESS_LOGS__INTERVAL_MS: "1000",
      DOLIUM_KEEPER__LEASE_MS: "1000",
    },
  });
});

after(async () => {
  await cluster?.stop();
  hook.close();
});

async function killKeeper(): Promise<void> {
  const { pid } = cluster.process("keeper");
  await cluster.kill("keeper");
  await cluster.restarted("keeper", pid);
}

/** Puts `prefix`0 ... until `stop`; the keys that were acknowledged, with their request ids. */
async function putUntil(
  s3: S3Client,
  target: { readonly Bucket: string; readonly prefix: string },
  stop: Promise<void>,
): Promise<Map<string, string>> {
  const done = new Map<string, string>();
  let isOver = false;
  const over = stop.finally(() => {
    isOver = true;
  });
  for (let number = 0; !isOver; number += 1) {
    const Key = `${target.prefix}${number}`;
    const { $metadata } = await s3.send(
      new PutObjectCommand({ Bucket: target.Bucket, Key, Body: "x" }),
    );
    done.set(Key, $metadata.requestId ?? "");
    await Promise.race([over, new Promise((resolve) => setTimeout(resolve, 20))]);
  }
  await over;
  return done;
}

test("events of every acknowledged write arrive, whatever happens to the keeper", async () => {
  const Bucket = "watched";
  const s3 = cluster.s3();
  await s3.send(new CreateBucketCommand({ Bucket }));
  await s3.send(
    new PutBucketNotificationConfigurationCommand({
      Bucket,
      NotificationConfiguration: {
        QueueConfigurations: [
          {
            QueueArn: "arn:dolium:sqs::hook:webhook",
            Events: ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"],
            Filter: { Key: { FilterRules: [{ Name: "prefix", Value: "in/" }] } },
          },
        ],
      },
    }),
  );
  await eventually("the target is told that it is one", TIMEOUT_MS, async () =>
    hook.tested.has(Bucket) ? true : undefined,
  );
  await s3.send(new PutObjectCommand({ Bucket, Key: "out/nobody", Body: "x" }));
  const kills = (async () => {
    for (let round = 0; round < KILLS; round += 1) {
      hook.isDown = round % 2 === 1;
      await killKeeper();
    }
    hook.isDown = false;
  })();
  const inOrder = [...(await putUntil(s3, { Bucket, prefix: "in/" }, kills)).keys()];
  const written = inOrder.toSorted();
  const [first = ""] = written;
  await s3.send(new DeleteObjectCommand({ Bucket, Key: first }));
  await eventually("every event has arrived", TIMEOUT_MS, async () => {
    const missing = written.filter((key) => !hook.keys("ObjectCreated:Put").includes(key));
    if (missing.length > 0) throw new Error(`${missing.length} missing, ${missing[0]}`);
    return hook.keys("ObjectRemoved:Delete").includes(first) ? true : undefined;
  });
  assert.deepEqual(hook.keys("ObjectCreated:Put"), written, "and nothing that did not happen");
  const puts = hook.told.filter(({ name }) => name === "ObjectCreated:Put");
  assert.deepEqual([...new Set(puts.map(({ key }) => key))], inOrder, "in the order of the writes");
  assert.deepEqual(hook.keys("ObjectRemoved:Delete"), [first]);
  assert.deepEqual([...hook.tokens], ["Bearer let-me-in"]);
  assert.ok(written.length > KILLS);
});

test("a target that the operator did not set up is refused", async () => {
  const Bucket = "watched";
  const QueueArn = "arn:dolium:sqs::nobody:webhook";
  const QueueConfigurations = [{ QueueArn, Events: ["s3:ObjectCreated:Put" as const] }];
  const NotificationConfiguration = { QueueConfigurations };
  const input = { Bucket, NotificationConfiguration };
  const command = new PutBucketNotificationConfigurationCommand(input);
  await assert.rejects(cluster.s3().send(command), { name: "InvalidArgument" });
});

async function logLines(s3: S3Client, Bucket: string): Promise<string[]> {
  const lines: string[] = [];
  let ContinuationToken: string | undefined;
  do {
    const page = await s3.send(
      new ListObjectsV2Command({
        Bucket,
        Prefix: "log/",
        ...(ContinuationToken === undefined ? {} : { ContinuationToken }),
      }),
    );
    for (const { Key = "" } of page.Contents ?? []) {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }));
      const text = (await Body?.transformToString()) ?? "";
      lines.push(...text.split("\n").filter((line) => line !== ""));
    }
    ContinuationToken = page.NextContinuationToken;
  } while (ContinuationToken !== undefined);
  return lines;
}

test("every request has one line in the log, whatever happens to the keeper", async () => {
  const Bucket = "logged";
  const s3 = cluster.s3();
  await s3.send(new CreateBucketCommand({ Bucket: "logs" }));
  await s3.send(new CreateBucketCommand({ Bucket }));
  const LoggingEnabled = { TargetBucket: "logs", TargetPrefix: "log/" };
  const BucketLoggingStatus = { LoggingEnabled };
  await s3.send(new PutBucketLoggingCommand({ Bucket, BucketLoggingStatus }));
  const kills = (async () => {
    for (let round = 0; round < KILLS; round += 1) await killKeeper();
  })();
  const written = await putUntil(s3, { Bucket, prefix: "key-" }, kills);
  const idOf = (line: string): string => line.split(" ")[6] ?? "";
  const lines = await eventually("every request is logged", TIMEOUT_MS, async () => {
    const found = await logLines(s3, "logs");
    const ids = new Set(found.map(idOf));
    const missing = [...written.values()].filter((id) => !ids.has(id));
    if (missing.length > 0) throw new Error(`${missing.length} of ${written.size} missing`);
    return found;
  });
  const puts = lines.filter((line) => line.includes(" REST.PUT.OBJECT "));
  const counts = new Map<string, number>();
  for (const line of puts) counts.set(idOf(line), (counts.get(idOf(line)) ?? 0) + 1);
  assert.deepEqual(
    [...counts].filter(([, count]) => count !== 1),
    [],
    "no line twice",
  );
  assert.deepEqual([...counts.keys()].toSorted(), [...written.values()].toSorted());
  for (const [key, id] of written) {
    const line = puts.find((candidate) => idOf(candidate) === id) ?? "";
    assert.ok(line.includes(` ${key} `), `${line} is not about ${key}`);
  }
});
