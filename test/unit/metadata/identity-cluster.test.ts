// The directory over replicas: what one client changes another sees, through the death of a leader;
// commands and queries come to the groups they belong to.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isStoreError } from "../../../services/lib/base/errors.ts";
import { IdentityDirectory } from "../../../services/lib/clients/identity-directory.ts";
import { IdentityEditor } from "../../../services/lib/clients/identity-editor.ts";
import { usageOfBuckets } from "../../../services/lib/clients/user-usage.ts";
import { Outcome } from "../../../services/lib/gen/dolium/record/v1/command_pb.ts";
import { createClock } from "../../../services/lib/host/clock.ts";
import { createLog } from "../../../services/lib/host/log.ts";
import { TestCluster, until } from "./cluster.ts";
import { key } from "./harness.ts";

test("identities and usage, whoever leads", async (t) => {
  const cluster = await TestCluster.start(t);
  await cluster.serving();
  const { client: metadata } = cluster;
  const log = createLog({ level: "silent" });
  const directory = new IdentityDirectory({ metadata, clock: createClock(), log });
  t.after(() => directory.stop());
  const editor = new IdentityEditor({ metadata });
  await editor.createGroup({ name: "staff" });
  await editor.createUser({ name: "ann_org", groups: ["staff"] });
  assert.equal((await directory.refresh()).user("ann_org")?.groups[0], "staff");
  const refused = (error: unknown): boolean => isStoreError(error, "invalid");
  await assert.rejects(editor.createUser({ name: "root" }), refused);
  // Each belongs to another group than it was sent to.
  const uses = metadata.execute(2, { case: "recordUses", value: { uses: [] } });
  await assert.rejects(uses, refused);
  const usage = metadata.query(1, { case: "bucketUsage", value: { bucketIds: [1] } });
  await assert.rejects(usage, refused);
  let bucket: Parameters<typeof usageOfBuckets>[1][number] | undefined;
  await until("a bucket", async () => {
    const value = { name: "books", owner: "ann_org" };
    const reply = await metadata.execute(1, { case: "createBucket", value });
    bucket = reply.kind.case === "createBucket" ? reply.kind.value.bucket : undefined;
    return bucket !== undefined;
  });
  const { bucketId, ranges } = bucket ?? assert.fail();
  const groupId = ranges[0]?.groupId ?? 0;
  const body = { case: "inline", value: Buffer.from("hello") } as const;
  const put = (name: string) => {
    const version = { size: 5n, etag: "e", body };
    return metadata.execute(groupId, {
      case: "putObject",
      value: { bucketId, key: key(name), version },
    });
  };
  assert.equal((await put("a")).outcome, Outcome.OK);
  const state = { revision: 2n, quotaBytes: 9n };
  const configure = { case: "configureBucket", value: { bucketId, state } } as const;
  await metadata.execute(groupId, configure);
  await cluster.stop(cluster.leader(1) ?? "a", "cut");
  await editor.changeUser("ann_org", (user) => ({ ...user, disabled: true }));
  assert.equal((await directory.refresh()).user("ann_org")?.disabled, true);
  assert.equal((await put("b")).outcome, Outcome.QUOTA_EXCEEDED);
  const totals = await usageOfBuckets(metadata, bucket === undefined ? [] : [bucket]);
  assert.equal(totals.get(bucketId)?.bytes, 5n);
});
