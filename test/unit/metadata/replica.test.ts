// Three replicas: founding, commands through any of them, a leader that dies, a disk that is lost,
// a table that rots, and what a lone replica may and may not do.
import assert from "node:assert/strict";
import { open, readdir, rename, stat } from "node:fs/promises";
import { test } from "node:test";
import { MembershipService } from "../../../services/lib/gen/dolium/metadata/v1/membership_pb.ts";
import { MetadataService } from "../../../services/lib/gen/dolium/metadata/v1/metadata_pb.ts";
import { Outcome } from "../../../services/lib/gen/dolium/record/v1/command_pb.ts";
import { addressOf, TestCluster, until } from "./cluster.ts";
import { key } from "./harness.ts";

const INDEX = 2;

async function putInline(cluster: TestCluster, name: string): Promise<Outcome> {
  const body = { case: "inline" as const, value: Buffer.from(name) };
  const version = { size: BigInt(name.length), etag: name, body };
  const value = { bucketId: 1, key: key(name), version };
  return (await cluster.client.execute(INDEX, { case: "putObject", value })).outcome;
}

async function bodyOf(cluster: TestCluster, name: string): Promise<string | undefined> {
  const value = { bucketId: 1, key: key(name), withBody: true };
  const { version } = await cluster.client.query(INDEX, { case: "getObject", value });
  return version === undefined ? undefined : Buffer.from(version.body.value ?? "").toString();
}

/** Flips a bit in the middle of the largest file below `folder` whose path holds `part`. */
async function damage(folder: string, part: string): Promise<void> {
  const names = await readdir(folder, { recursive: true });
  const files = [];
  for (const name of names) {
    const path = `${folder}/${name}`;
    const info = await stat(path);
    if (info.isFile() && path.includes(part)) files.push({ path, size: info.size });
  }
  const [largest] = files.sort((a, b) => b.size - a.size);
  assert.ok(largest !== undefined && largest.size > 200);
  const file = await open(largest.path, "r+");
  const at = Math.floor(largest.size / 3);
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, at);
  byte[0] = (byte[0] ?? 0) ^ 0x10;
  await file.write(byte, 0, 1, at);
  await file.close();
}

test("three new replicas found a cluster and write its map", async (t) => {
  const cluster = await TestCluster.start(t);
  await cluster.serving();
  await until("the map", async () => {
    const { map } = await cluster.client.query(1, { case: "getClusterMap", value: {} });
    return map !== undefined && map.indexGroups.join() === "2,3" && map.epoch === 1n;
  });
  const created = await cluster.client.execute(1, {
    case: "createBucket",
    value: { name: "books", owner: "ann" },
  });
  assert.equal(created.outcome, Outcome.OK, created.message);
  assert.equal(await putInline(cluster, "one"), Outcome.OK);
  assert.equal(await bodyOf(cluster, "one"), "one");
});

test("a replica lacks a leader alone, and gives up what it leads on demand", async (t) => {
  const cluster = await TestCluster.start(t);
  await cluster.serving();
  const leaders = () => {
    return cluster.names.filter((name) => {
      const { groups = [] } = cluster.server(name).status();
      return groups.some(({ groupId, role }) => groupId === INDEX && role === "leader");
    });
  };
  await until("everybody follows", async () =>
    cluster.names.every((name) => cluster.server(name).lacks() === undefined),
  );
  const [before = ""] = leaders();
  await cluster.server(before).handOver();
  await until("another leads", async () => {
    const now = leaders();
    return now.length === 1 && !now.includes(before);
  });
  assert.equal(cluster.server(before).lacks(), undefined, "it serves on");
  assert.equal(await putInline(cluster, "after"), Outcome.OK);
  const [alone = "", ...others] = cluster.names;
  for (const name of others) await cluster.stop(name);
  await until("it misses them", async () => cluster.server(alone).lacks() !== undefined);
  assert.match(cluster.server(alone).lacks() ?? "", /group \d: waiting for a leader/);
});

test("nobody founds a cluster before all are there", async (t) => {
  const cluster = await TestCluster.start(t);
  const late = await TestCluster.start(t, { names: ["x", "y", "z"] }, ["x", "y"]);
  await cluster.serving();
  for (const name of ["x", "y"]) {
    assert.match(late.server(name).status().state ?? "", /waiting for 2 of 3 replicas/);
    assert.deepEqual(late.server(name).status().groups, []);
    assert.equal(late.server(name).lacks(), "its cluster");
  }
  await late.start("z");
  await late.serving();
});

test("a lone replica serves at once, also after a restart", async (t) => {
  const cluster = await TestCluster.start(t, { names: ["only"] });
  await cluster.serving();
  assert.equal(await putInline(cluster, "one"), Outcome.OK);
  await cluster.stop("only");
  await cluster.start("only");
  await cluster.serving();
  assert.equal(await bodyOf(cluster, "one"), "one");
});

test("a follower names the leader, reads with a barrier, and refuses what is malformed", async (t) => {
  const cluster = await TestCluster.start(t);
  await cluster.serving();
  await putInline(cluster, "one");
  const leader = cluster.leader(INDEX) ?? "";
  const follower = cluster.names.find((name) => name !== leader) ?? "";
  const channel = cluster.transport.channel(addressOf(follower));
  const { execute, query } = MetadataService.method;
  const call = { deadlineMs: 5000 };
  const seal = { kind: { case: "sealBucket" as const, value: { bucketId: 9 } } };
  const commandId = Buffer.alloc(16, 5);
  await assert.rejects(channel.unary(execute, { groupId: INDEX, commandId, command: seal }, call), {
    code: "not-leader",
    leaderHint: addressOf(leader),
  });
  const kind = { case: "getObject" as const, value: { bucketId: 1, key: key("one") } };
  const { kind: answer } = await channel.unary(query, { groupId: INDEX, kind }, call);
  assert.ok(answer.case === "getObject" && answer.value.version?.etag === "one");
  const bad = [
    { groupId: INDEX, commandId: Buffer.alloc(3), command: seal },
    { groupId: INDEX, commandId },
    { groupId: 1, commandId, command: seal },
    { groupId: INDEX, commandId, command: { kind: { ...seal.kind, value: { bucketId: 0 } } } },
  ];
  const leading = cluster.transport.channel(addressOf(leader));
  for (const request of bad) {
    await assert.rejects(leading.unary(execute, request, call), { code: "invalid" });
  }
  await assert.rejects(channel.unary(query, { groupId: 1, kind }, call), { code: "invalid" });
  await assert.rejects(channel.unary(query, { groupId: INDEX }, call), { code: "invalid" });
  await assert.rejects(channel.unary(query, { groupId: 77, kind }, call), { code: "unavailable" });
});

test("when the leader dies the others go on, and it catches up", async (t) => {
  const cluster = await TestCluster.start(t);
  await cluster.serving();
  await putInline(cluster, "before");
  const dead = cluster.leader(INDEX) ?? "";
  await cluster.stop(dead, "cut");
  assert.equal(await putInline(cluster, "after"), Outcome.OK);
  assert.equal(await bodyOf(cluster, "before"), "before");
  await cluster.start(dead);
  await cluster.serving();
  await cluster.level(INDEX);
  assert.equal(await bodyOf(cluster, "after"), "after");
});

test("a replica that lost its disk comes back under a new id, and the old one is gone", async (t) => {
  const cluster = await TestCluster.start(t);
  await cluster.serving();
  for (let at = 0; at < 20; at += 1) await putInline(cluster, `k${at}`);
  const lost = cluster.leader(INDEX) ?? "";
  const oldId = cluster.server(lost).status().replicaId;
  await cluster.stop(lost, "cut");
  await cluster.wipe(lost);
  await cluster.start(lost);
  await cluster.serving();
  const newId = cluster.server(lost).status().replicaId;
  assert.notEqual(newId, oldId);
  for (const groupId of [1, 2, 3]) {
    const voters = cluster.group(cluster.leader(groupId) ?? "", groupId)?.voters ?? [];
    const ids = voters.map(({ replicaId }) => replicaId);
    assert.ok(ids.includes(newId) && !ids.includes(oldId) && ids.length === 3);
  }
  await cluster.level(INDEX);
  const other = cluster.names.find((name) => name !== lost) ?? "";
  await cluster.stop(other);
  assert.equal(await bodyOf(cluster, "k7"), "k7");
  assert.equal(await putInline(cluster, "more"), Outcome.OK);
});

test("an old disk that comes back after its replacement is no member, and becomes one anew", async (t) => {
  const cluster = await TestCluster.start(t);
  await cluster.serving();
  await cluster.stop("c");
  await rename(cluster.dataDir("c"), `${cluster.dataDir("c")}.old`);
  await cluster.start("c");
  await cluster.serving();
  const second = cluster.server("c").status().replicaId;
  await cluster.stop("c");
  await cluster.wipe("c");
  await rename(`${cluster.dataDir("c")}.old`, cluster.dataDir("c"));
  await cluster.start("c");
  await until("a third id", () => {
    const { replicaId, state } = cluster.server("c").status();
    return state === "serving" && replicaId !== second && cluster.group("c", 1)?.state === state;
  });
  await cluster.serving();
  assert.equal(await putInline(cluster, "one"), Outcome.OK);
});

test("rot in a stopped replica's table is found on opening and rebuilt from the log", async (t) => {
  const cluster = await TestCluster.start(t);
  await cluster.serving();
  for (let at = 0; at < 50; at += 1) await putInline(cluster, `k${at}`);
  await cluster.level(INDEX);
  const id = cluster.server("b").status().replicaId;
  await cluster.stop("b");
  await damage(cluster.dataDir("b"), `groups/${INDEX}/`);
  await cluster.start("b");
  await cluster.serving();
  assert.equal(cluster.server("b").status().replicaId, id, "the log was whole: the id stays");
  await cluster.level(INDEX);
  await cluster.stop("a");
  assert.equal(await bodyOf(cluster, "k49"), "k49");
});

test("a store that could not be written is opened again, and its replica catches up", async (t) => {
  const cluster = await TestCluster.start(t);
  await cluster.serving();
  const id = cluster.server("b").status().replicaId;
  cluster.unwritable.add("b");
  await putInline(cluster, "meanwhile");
  await until("it is out of service", () => cluster.server("b").status().state !== "serving");
  cluster.unwritable.delete("b");
  await cluster.serving();
  assert.equal(cluster.server("b").status().replicaId, id, "nothing was bad: the id stays");
  await cluster.level(INDEX);
  await cluster.stop("a");
  assert.equal(await bodyOf(cluster, "meanwhile"), "meanwhile");
});

test("rot where the log is cut takes a new id and everything from the others", async (t) => {
  const cluster = await TestCluster.start(t, { keepEntries: 10 });
  await cluster.serving();
  for (let at = 0; at < 200; at += 1) await putInline(cluster, `k${at}`);
  await cluster.level(INDEX);
  const id = cluster.server("b").status().replicaId;
  await cluster.stop("b");
  await damage(cluster.dataDir("b"), `groups/${INDEX}/`);
  await cluster.start("b");
  await cluster.serving();
  await cluster.level(INDEX);
  assert.notEqual(cluster.server("b").status().replicaId, id);
  const folders = (await readdir(cluster.dataDir("b"))).filter((name) => name !== "identity");
  assert.equal(folders.length, 1, "the former id's folder is gone");
  await cluster.stop("a");
  assert.equal(await bodyOf(cluster, "k123"), "k123");
});

test("a Raft log that is damaged in the middle is a lost disk", async (t) => {
  const cluster = await TestCluster.start(t);
  await cluster.serving();
  for (let at = 0; at < 50; at += 1) await putInline(cluster, `k${at}`);
  const id = cluster.server("b").status().replicaId;
  await cluster.stop("b");
  await damage(cluster.dataDir("b"), "/log/");
  await cluster.start("b");
  await cluster.serving();
  assert.notEqual(cluster.server("b").status().replicaId, id);
  await cluster.level(INDEX);
  await cluster.stop("c");
  assert.equal(await bodyOf(cluster, "k25"), "k25");
});

test("a damaged replica does not give its data up while the others cannot do without it", async (t) => {
  const cluster = await TestCluster.start(t);
  await cluster.serving();
  await putInline(cluster, "one");
  const id = cluster.server("b").status().replicaId;
  await cluster.stop("b");
  await cluster.stop("c");
  await damage(cluster.dataDir("b"), "/log/");
  await cluster.start("b");
  await until("the failure", () => (cluster.server("b").status().state ?? "").startsWith("failed"));
  const before = await readdir(cluster.dataDir("b"));
  assert.equal(cluster.server("b").status().replicaId, id);
  await cluster.start("c");
  await cluster.serving();
  assert.notEqual(cluster.server("b").status().replicaId, id);
  assert.ok(before.length === 2);
  assert.equal(await bodyOf(cluster, "one"), "one");
});

test("replicas of another cluster are refused", async (t) => {
  const cluster = await TestCluster.start(t);
  await cluster.serving();
  const channel = cluster.transport.channel(addressOf("a"));
  const { join, hello, bootstrap } = MembershipService.method;
  const call = { deadlineMs: 5000 };
  const known = cluster.server("b").status();
  const joiner = { replicaId: known.replicaId ?? 0n, name: "b", address: addressOf("b") };
  await assert.rejects(channel.unary(join, { joiner, clusterId: "another" }, call), {
    code: "conflict",
  });
  const stranger = { ...joiner, name: "stranger" };
  await assert.rejects(channel.unary(join, { joiner: stranger }, call), { code: "denied" });
  await assert.rejects(channel.unary(hello, { from: stranger }, call), { code: "denied" });
  const forged = { ...joiner, replicaId: 12345n };
  await assert.rejects(channel.unary(join, { joiner: forged }, call), { code: "invalid" });
  const members = [{ ...joiner, name: "a", address: addressOf("a") }];
  const request = { clusterId: "another", members, groupIds: [1] };
  await assert.rejects(channel.unary(bootstrap, request, call), { code: "conflict" });
});

test("a listing under churn skips and repeats no key that stays", async (t) => {
  const cluster = await TestCluster.start(t, { names: ["only"] });
  await cluster.serving();
  const stable = Array.from({ length: 40 }, (_, at) => `k${String(at * 5).padStart(3, "0")}`);
  for (const name of stable) await putInline(cluster, name);
  let isDone = false;
  const churn = async (): Promise<void> => {
    for (let at = 0; !isDone; at += 1) {
      const name = `k${String((at * 37) % 200).padStart(3, "0")}x`;
      await putInline(cluster, name);
      const targets = [{ key: key(name) }];
      const value = { bucketId: 1, targets };
      if (at % 2 === 0) await cluster.client.execute(INDEX, { case: "deleteObjects", value });
    }
  };
  const writer = churn();
  for (let round = 0; round < 10; round += 1) {
    const seen: string[] = [];
    let startAfter: Uint8Array = new Uint8Array(0);
    for (let truncated = true; truncated; ) {
      const value = { bucketId: 1, limit: 7, startAfter };
      const page = await cluster.client.query(INDEX, { case: "listObjects", value });
      seen.push(...page.entries.map((entry) => Buffer.from(entry.key).toString()));
      truncated = page.truncated;
      startAfter = page.nextStartAfter;
    }
    assert.deepEqual(seen, [...new Set(seen)].sort());
    assert.deepEqual(
      seen.filter((name) => !name.endsWith("x")),
      stable,
    );
  }
  isDone = true;
  await writer;
});
