// A replica that is wrong without a bad checksum: its digest differs from that of the others, or
// its values are not what its digest says. It rebuilds itself, and the others never notice.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { MetadataService } from "../../../services/lib/gen/dolium/metadata/v1/metadata_pb.ts";
import { Outcome } from "../../../services/lib/gen/dolium/record/v1/command_pb.ts";
import { ReplicaMarkSchema } from "../../../services/lib/gen/dolium/record/v1/group_pb.ts";
import { VersionSchema } from "../../../services/lib/gen/dolium/record/v1/object_pb.ts";
import { decodeChecked, encodeChecked } from "../../../services/metadata/state/checked-value.ts";
import { headKey, MARK_KEY } from "../../../services/metadata/state/keys.ts";
import { addressOf, TestCluster, until } from "./cluster.ts";
import { key, stateDeps } from "./harness.ts";

const INDEX = 2;

async function put(cluster: TestCluster, name: string): Promise<void> {
  const body = { case: "inline" as const, value: Buffer.from(name) };
  const version = { size: BigInt(name.length), etag: name, body };
  const value = { bucketId: 1, key: key(name), version };
  const reply = await cluster.client.execute(INDEX, { case: "putObject", value });
  assert.equal(reply.outcome, Outcome.OK);
}

/** The entity tag of `name` as one certain replica tells it. */
async function etagAt(cluster: TestCluster, replica: string, name: string) {
  const channel = cluster.transport.channel(addressOf(replica));
  const kind = { case: "getObject" as const, value: { bucketId: 1, key: key(name) } };
  const request = { groupId: INDEX, kind };
  const answer = await channel.unary(MetadataService.method.query, request, { deadlineMs: 3000 });
  assert.ok(answer.kind.case === "getObject");
  return answer.kind.value.version?.etag;
}

/** Changes a stored record of a stopped replica, with a fitting checksum. */
async function forge(
  cluster: TestCluster,
  replica: string,
  stored: Uint8Array,
  change: (payload: Uint8Array) => Uint8Array,
): Promise<void> {
  const id = Number(cluster.server(replica).status().replicaId);
  await cluster.stop(replica);
  const folder = `${cluster.dataDir(replica)}/replica-${id.toString(16).padStart(12, "0")}`;
  const kv = await stateDeps.kvFactory.open(`${folder}/groups/${INDEX}/state-2`);
  const payload = decodeChecked(stored, kv.get(stored) ?? assert.fail("no such record"));
  const value = encodeChecked(stored, change(payload));
  await kv.write([{ type: "put", key: stored, value }], { sync: true });
  await kv.close();
  await cluster.start(replica);
  await cluster.serving();
}

test("a replica whose digest differs from the majority's fails itself and is rebuilt", async (t) => {
  const cluster = await TestCluster.start(t);
  await cluster.serving();
  for (const name of ["one", "two", "three"]) await put(cluster, name);
  await cluster.level(INDEX);
  await forge(cluster, "b", MARK_KEY, (payload) => {
    const mark = fromBinary(ReplicaMarkSchema, payload);
    const digest = Buffer.from(mark.digest);
    digest[3] = (digest[3] ?? 0) ^ 1;
    return toBinary(ReplicaMarkSchema, { ...mark, digest });
  });
  await cluster.client.execute(INDEX, { case: "digestMark", value: {} });
  await cluster.level(INDEX);
  const digest = (name: string) => Buffer.from(cluster.group(name, INDEX)?.digest ?? "");
  assert.notDeepEqual(digest("b"), digest("a"));
  for (const name of cluster.names) await cluster.server(name).checkNow();
  await until("the same digest everywhere", () => digest("b").equals(digest("a")));
  await cluster.serving();
  assert.ok(digest("c").equals(digest("a")));
  assert.equal(await etagAt(cluster, "b", "two"), "two");
});

test("a value that is well formed and wrong is found by the audit and rebuilt", async (t) => {
  const cluster = await TestCluster.start(t);
  await cluster.serving();
  await put(cluster, "one");
  await cluster.level(INDEX);
  await forge(cluster, "c", headKey(1, key("one")), (payload) => {
    const version = create(VersionSchema, fromBinary(VersionSchema, payload));
    return toBinary(VersionSchema, { ...version, etag: "evil" });
  });
  assert.equal(await etagAt(cluster, "c", "one"), "evil");
  await cluster.server("c").checkNow();
  await until("the right value", async () => (await etagAt(cluster, "c", "one")) === "one");
  await cluster.serving();
});
