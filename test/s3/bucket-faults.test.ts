// Settings of buckets when the metadata service misbehaves between the record and the groups.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import type { MetadataAccess } from "../../services/gateway/dependencies.ts";
import { StoreError } from "../../services/lib/base/errors.ts";
import { Outcome, ReplySchema } from "../../services/lib/gen/dolium/record/v1/command_pb.ts";
import { type MemoryGateway, startGatewayOver } from "../unit/gateway/memory-gateway.ts";
import type { Answer, Caller } from "./caller.ts";
import { callerOf, makeBucket, newBucketName } from "./harness.ts";
import { StateMetadata } from "./state-metadata.ts";

const VERSIONING = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";

/** What happens to commands of a kind; others pass. */
interface Faults {
  /** Groups that are away for ConfigureBucket. */
  readonly away: Set<number>;
  /** How many ConfigureBucket commands were tried. */
  configured: number;
  /** How many ChangeBucket commands still meet a conflict. */
  conflicts: number;
}

let state: StateMetadata;
let gateway: Omit<MemoryGateway, "metadata">;
let s3: Caller;
const faults: Faults = { away: new Set(), configured: 0, conflicts: 0 };

before(async () => {
  state = await StateMetadata.open();
  const metadata: MetadataAccess = {
    query: (groupId, kind) => state.query(groupId, kind),
    execute: async (groupId, kind) => {
      if (kind.case === "configureBucket") {
        faults.configured += 1;
        if (faults.away.has(groupId)) throw new StoreError("unavailable", "away");
      }
      if (kind.case === "changeBucket" && faults.conflicts > 0) {
        faults.conflicts -= 1;
        return create(ReplySchema, { outcome: Outcome.CONFLICT, message: "changed meanwhile" });
      }
      return state.execute(groupId, kind);
    },
  };
  gateway = await startGatewayOver(metadata);
  s3 = callerOf(gateway);
});
after(async () => {
  await gateway.stop();
  await state.close();
});
beforeEach(() => {
  faults.away.clear();
  faults.configured = 0;
  faults.conflicts = 0;
});

async function enable(bucket: string): Promise<Answer> {
  return s3.call({ method: "PUT", target: `/${bucket}?versioning`, body: VERSIONING });
}

async function versionOf(bucket: string): Promise<string | undefined> {
  return (await s3.put(bucket, "key", "x")).headers.get("x-amz-version-id");
}

test("versioning is not answered before every group has it, and a repeat finishes it", async () => {
  const bucket = await makeBucket(s3);
  for (const group of [2, 3]) faults.away.add(group);
  assert.equal((await enable(bucket)).status, 503);
  faults.away.clear();
  assert.equal((await enable(bucket)).status, 200);
  assert.match((await versionOf(bucket)) ?? "", /^[0-9a-f]{32}$/);
});

test("a failed change is finished by the next change of anything", async () => {
  const bucket = await makeBucket(s3);
  for (const group of [2, 3]) faults.away.add(group);
  assert.equal((await enable(bucket)).status, 503);
  faults.away.clear();
  const body = "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>";
  await s3.call({ method: "PUT", target: `/${bucket}?tagging`, body });
  assert.match((await versionOf(bucket)) ?? "", /^[0-9a-f]{32}$/);
});

test("reading tells the groups once, and not again at the same revision", async () => {
  const bucket = await makeBucket(s3);
  await enable(bucket);
  const told = faults.configured;
  assert.ok(told > 0);
  for (let turn = 0; turn < 3; turn += 1) await s3.call({ target: `/${bucket}?versioning` });
  assert.equal(faults.configured, told);
});

test("a bucket with object lock is not answered before its groups know of the lock", async () => {
  const target = `/${newBucketName()}`;
  const headers = [["x-amz-bucket-object-lock-enabled", "true"]] as const;
  for (const group of [2, 3]) faults.away.add(group);
  assert.equal((await s3.call({ method: "PUT", target, headers })).status, 503);
  const read = await s3.call({ target: `${target}?versioning` });
  assert.equal(read.status, 503);
  faults.away.clear();
  assert.equal((await s3.call({ method: "PUT", target, headers })).status, 200);
  assert.match((await versionOf(target.slice(1))) ?? "", /^[0-9a-f]{32}$/);
});

test("a change that meets another is decided again", async () => {
  const bucket = await makeBucket(s3);
  faults.conflicts = 3;
  assert.equal((await enable(bucket)).status, 200);
  assert.equal(faults.conflicts, 0);
});

test("a change that meets others again and again is given up without effect", async () => {
  const bucket = await makeBucket(s3);
  faults.conflicts = 100;
  const answer = await enable(bucket);
  assert.equal(answer.status, 409);
  assert.equal(answer.code, "OperationAborted");
  faults.conflicts = 0;
  assert.equal(await versionOf(bucket), undefined);
});

test("documents that do not fit a record together are refused", async () => {
  const bucket = await makeBucket(s3);
  const rules = Array.from(
    { length: 1000 },
    (_, index) =>
      `<Rule><ID>${index}</ID><Filter><Prefix>${"p".repeat(800)}${index}</Prefix></Filter>` +
      "<Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule>",
  );
  const body = `<LifecycleConfiguration>${rules.join("")}</LifecycleConfiguration>`;
  const target = `/${bucket}?lifecycle`;
  const answer = await s3.call({ method: "PUT", target, body });
  assert.equal(answer.code, "InvalidRequest");
  assert.equal((await s3.call({ target })).code, "NoSuchLifecycleConfiguration");
});

test("a stored document that is broken is our failure, not the client's", async () => {
  const bucket = await makeBucket(s3);
  const { bucket: record } = await state.query<"getBucket">(1, {
    case: "getBucket",
    value: { name: bucket },
  });
  assert.ok(record !== undefined);
  const settings = [{ name: "ownership", document: Buffer.from("<broken") }];
  const value = { name: bucket, bucketId: record.bucketId, settings };
  await state.execute(1, { case: "changeBucket", value });
  const answer = await s3.call({ target: `/${bucket}?acl` });
  assert.equal(answer.status, 500);
  assert.equal(answer.code, "InternalError");
});
