// What replication does about failures: what is refused is told and holds up nobody else, what is
// away is waited for, and what nobody told of is found; and how the setting is checked.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CreateBucketCommand,
  DeleteBucketReplicationCommand,
  DeleteObjectCommand,
  GetBucketReplicationCommand,
  PutBucketVersioningCommand,
} from "@aws-sdk/client-s3";
import { BucketCatalog } from "../../../services/keeper/buckets/bucket-catalog.ts";
import type { KeeperDeps } from "../../../services/keeper/deps.ts";
import { ExistingVersions } from "../../../services/keeper/replicate/existing-versions.ts";
import { StoreError } from "../../../services/lib/base/errors.ts";
import type { HttpExchanger } from "../../../services/lib/ports/http-exchange.ts";
import { eventually } from "../../support/eventually.ts";
import {
  HERE,
  makeBucket,
  pair,
  place,
  put,
  replicate,
  ruleTo,
  startKeeper,
  statusOf,
  TIMEOUT_MS,
  text,
  untilQuiet,
  untilStatus,
  versionsOf,
} from "./replication-rig.ts";
import { NEVER } from "./rig.ts";

test("a refused version has failed in the end, and holds up no other", async (t) => {
  const made = await pair(t);
  const refusing: HttpExchanger = {
    ...made.rig.deps.exchanger,
    exchange: async (request) => {
      const isBad = request.method === "PUT" && request.target.includes("bad");
      const headers = isBad ? { ...request.headers, Authorization: "none" } : request.headers;
      return made.rig.deps.exchanger.exchange({ ...request, headers });
    },
  };
  const { stop } = startKeeper(t, made, { attemptsMax: 2 }, refusing);
  await put(made, "bad");
  await put(made, "good");
  await untilStatus(made, "good", "COMPLETED");
  await untilStatus(made, "bad", "FAILED");
  await untilQuiet(made);
  assert.deepEqual(
    (await versionsOf(made, "copies")).versions.map(({ Key }) => Key),
    ["good"],
  );
  await stop();
  const ExistingObjectReplication = { Status: "Enabled" } as const;
  await replicate(made, "source", ruleTo("copies", { ExistingObjectReplication }));
  const { deps } = made.rig;
  assert.equal(await new ExistingVersions(deps, new BucketCatalog(deps)).round(NEVER), 1);
  startKeeper(t, made);
  await untilStatus(made, "bad", "COMPLETED");
});

test("without a gateway or keys to read with everything waits, nothing fails", async (t) => {
  const made = await pair(t);
  await put(made, "a");
  const failures = `replication_failures_total{destination="${HERE}copies"}`;
  const tried = () => made.rig.metrics.values.get(failures) ?? 0;
  for (const lacking of [{ endpoints: [] }, { accessKeyId: "" }]) {
    const before = tried();
    const { stop } = startKeeper(t, made, { ...lacking, attemptsMax: 1 });
    await eventually("it was tried", TIMEOUT_MS, async () =>
      tried() > before + 2 ? true : undefined,
    );
    await stop();
    assert.equal(await statusOf(made, "a"), "PENDING");
  }
});

test("a destination that is away is waited for; a keeper that ends loses nothing", async (t) => {
  const made = await pair(t);
  let isAway = true;
  const gone: HttpExchanger = {
    ...made.rig.deps.exchanger,
    exchange: async (request) => {
      if (isAway && request.method === "PUT") throw new StoreError("unavailable", "away");
      return made.rig.deps.exchanger.exchange(request);
    },
  };
  const first = startKeeper(t, made, { attemptsMax: 1 }, gone);
  await put(made, "a");
  await eventually("it was tried", TIMEOUT_MS, async () => {
    const failures = `replication_failures_total{destination="${HERE}copies"}`;
    return (made.rig.metrics.values.get(failures) ?? 0) > 3 ? true : undefined;
  });
  assert.equal(await statusOf(made, "a"), "PENDING");
  await first.stop();
  isAway = false;
  startKeeper(t, made);
  await untilStatus(made, "a", "COMPLETED");
});

test("existing objects are brought up where a rule says so, current versions only", async (t) => {
  const made = await place(t);
  for (const bucket of ["source", "copies"]) await makeBucket(made, bucket);
  await put(made, "old/one", { Body: "first" });
  await put(made, "old/one", { Body: "second" });
  await put(made, "elsewhere");
  await put(made, "old/gone");
  await made.s3.send(new DeleteObjectCommand({ Bucket: "source", Key: "old/gone" }));
  const Filter = { Prefix: "old/" };
  await replicate(made, "source", ruleTo("copies", { Filter }));
  const existing = (): Promise<number> => {
    const deps = made.rig.deps;
    return new ExistingVersions(deps, new BucketCatalog(deps)).round(NEVER);
  };
  assert.equal(await existing(), 0, "not unless the rule says so");
  const ExistingObjectReplication = { Status: "Enabled" } as const;
  await replicate(made, "source", ruleTo("copies", { Filter, ExistingObjectReplication }));
  await put(made, "old/new");
  assert.equal(await existing(), 1);
  assert.equal(await existing(), 0, "once");
  assert.equal(await statusOf(made, "old/one"), "PENDING");
  startKeeper(t, made);
  await untilStatus(made, "old/one", "COMPLETED");
  await untilQuiet(made);
  const { versions } = await versionsOf(made, "copies");
  assert.deepEqual(
    versions.map(({ Key }) => Key),
    ["old/new", "old/one"],
  );
  assert.equal(await text(made, "copies", "old/one"), "second");
});

test("a version whose event was dropped is found when its group is quiet", async (t) => {
  const made = await pair(t);
  await put(made, "a");
  const { deps, clock } = made.rig;
  let drops = 0n;
  const metadata: KeeperDeps["metadata"] = {
    execute: (...args) => deps.metadata.execute(...args),
    query: async (...args) => {
      const answer = await deps.metadata.query(...args);
      if (args[1].case === "groupStats") Object.assign(answer, { outboxDropped: drops });
      return answer;
    },
  };
  const look = (): Promise<number> => {
    const changed = made.rig.with({ metadata });
    return new ExistingVersions(changed, new BucketCatalog(changed)).round(NEVER);
  };
  clock.shiftMs += 120_000;
  assert.equal(await look(), 0, "nothing was dropped");
  drops = 1n;
  assert.equal(await look(), 0, "its event still waits");
  for (const groupId of made.rig.view.indexGroups()) {
    const kind = { case: "listOutbox", value: { afterSequence: 0n, limit: 1000 } } as const;
    const { entries } = await made.rig.query(groupId, kind);
    const sequences = entries.map(({ sequence }) => sequence);
    await made.rig.execute(groupId, { case: "finishOutbox", value: { sequences } });
  }
  assert.equal(await look(), 1);
  assert.equal(await look(), 0, "its new event waits");
  startKeeper(t, made);
  await untilStatus(made, "a", "COMPLETED");
});

test("the setting is checked, kept, shown and taken away", async (t) => {
  const made = await place(t);
  const { s3 } = made;
  for (const bucket of ["source", "copies"]) await makeBucket(made, bucket);
  await s3.send(new CreateBucketCommand({ Bucket: "plain" }));
  const get = new GetBucketReplicationCommand({ Bucket: "source" });
  await assert.rejects(s3.send(get), { name: "ReplicationConfigurationNotFoundError" });
  for (const [bucket, rule, name] of [
    ["plain", ruleTo("copies"), "InvalidRequest"],
    ["source", ruleTo("plain"), "InvalidRequest"],
    ["source", ruleTo("missing"), "InvalidRequest"],
    ["source", ruleTo("source"), "InvalidRequest"],
    ["source", ruleTo("arn:dolium:replication:::unknown/copies"), "InvalidArgument"],
    ["source", ruleTo("arn:aws:s3:::NO"), "InvalidArgument"],
    [
      "source",
      ruleTo("copies", { Destination: { Bucket: `${HERE}copies`, StorageClass: "GLACIER" } }),
      "InvalidStorageClass",
    ],
  ] as const) {
    await assert.rejects(replicate(made, bucket, rule), { name });
  }
  await replicate(made, "source", ruleTo("copies"));
  const { ReplicationConfiguration } = await s3.send(get);
  assert.deepEqual(ReplicationConfiguration?.Rules, [ruleTo("copies")]);
  const suspend = new PutBucketVersioningCommand({
    Bucket: "source",
    VersioningConfiguration: { Status: "Suspended" },
  });
  await assert.rejects(s3.send(suspend), { name: "InvalidBucketState" });
  await s3.send(new DeleteBucketReplicationCommand({ Bucket: "source" }));
  await assert.rejects(s3.send(get), { name: "ReplicationConfigurationNotFoundError" });
  await put(made, "a");
  assert.equal(await statusOf(made, "a"), undefined);
  await s3.send(suspend);
});
