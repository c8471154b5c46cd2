// Notifications: every event reaches every target that wants it, at least once, in order, whatever
// fails in between; one that fails holds up nobody else.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { KeeperDeps } from "../../../services/keeper/deps.ts";
import { utf8 } from "../../../services/lib/base/bytes.ts";
import { StoreError } from "../../../services/lib/base/errors.ts";
import {
  type BucketRecord,
  Versioning,
} from "../../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import { bucketStateOf } from "../../../services/lib/s3/settings/bucket-state.ts";
import { notificationDocument } from "../../../services/lib/s3/settings/notification.ts";
import { createSimRandom } from "../../sim/random.ts";
import { eventually } from "../../support/eventually.ts";
import { startOutbox } from "./outbox-rig.ts";
import { Rig } from "./rig.ts";

interface Wish {
  readonly target: string;
  readonly events?: readonly string[];
  readonly prefix?: string;
  readonly suffix?: string;
}

function documentOf(...wishes: readonly Wish[]): string {
  return notificationDocument(
    wishes.map(({ target, events, prefix, suffix }, at) => ({
      kind: "queue",
      id: `wish-${at}`,
      arn: `arn:dolium:sqs::${target}:webhook`,
      target: { type: "webhook", name: target },
      events: events ?? ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"],
      prefix,
      suffix,
    })),
  );
}

const urlOf = (target: string): string => `http://${target}.test/`;
const webhook = (target: string) => ({
  url: urlOf(target),
  authToken: "",
  timeoutMs: 1000,
  headers: {},
});

/** Runs one session; `stop` ends it as a lost lease would. */
function startSession(context: TestContext, rig: Rig, notify: Partial<KeeperDeps["notify"]> = {}) {
  const targets = { alpha: webhook("alpha"), beta: webhook("beta") };
  const deps = rig.with({ notify: { ...rig.deps.notify, targets, ...notify } });
  return startOutbox(context, rig, deps);
}

async function waiting(rig: Rig, bucket: BucketRecord): Promise<number> {
  const kind = { case: "listOutbox", value: { afterSequence: 0n, limit: 1000 } } as const;
  return (await rig.query(rig.groupOf(bucket), kind)).entries.length;
}

async function untilEmpty(rig: Rig, bucket: BucketRecord): Promise<void> {
  await eventually("the outbox is empty", 60_000, async () =>
    (await waiting(rig, bucket)) === 0 ? true : undefined,
  );
}

interface SeenRecord {
  readonly eventName: string;
  readonly s3: {
    readonly configurationId: string;
    readonly bucket: { readonly name: string };
    readonly object: {
      readonly key: string;
      readonly size?: number;
      readonly versionId?: string;
      readonly sequencer: string;
    };
  };
}

function recordsOf(
  rig: Rig,
  target: string,
  posts: readonly { url: string; body: string }[] = rig.web.posts,
): SeenRecord[] {
  return posts
    .filter(({ url }) => url === urlOf(target))
    .flatMap(({ body }) => (JSON.parse(body) as { Records: SeenRecord[] }).Records);
}

const keysOf = (records: readonly SeenRecord[]): string[] => records.map(({ s3 }) => s3.object.key);

async function notifying(rig: Rig, ...wishes: readonly Wish[]): Promise<BucketRecord> {
  const bucket = await rig.bucket("watched");
  return rig.change(bucket, { settings: { notification: documentOf(...wishes) } });
}

async function remove(rig: Rig, bucket: BucketRecord, key: string): Promise<void> {
  const value = { bucketId: bucket.bucketId, targets: [{ key: utf8(key) }] };
  await rig.execute(rig.groupOf(bucket), { case: "deleteObjects", value });
}

test("what happened is told with bucket, key, size, version and order", async (t) => {
  const rig = await Rig.open(t);
  const bucket = await notifying(rig, { target: "alpha" });
  await rig.change(bucket, { versioning: Versioning.ENABLED });
  await rig.put(bucket, "a b/ü", "four");
  await rig.put(bucket, "a b/ü", "five!");
  await remove(rig, bucket, "a b/ü");
  startSession(t, rig);
  await untilEmpty(rig, bucket);
  const records = recordsOf(rig, "alpha");
  assert.deepEqual(
    records.map(({ eventName }) => eventName),
    ["ObjectCreated:Put", "ObjectCreated:Put", "ObjectRemoved:DeleteMarkerCreated"],
  );
  assert.deepEqual(keysOf(records), Array(3).fill("a+b/%C3%BC"));
  assert.deepEqual(
    records.map(({ s3 }) => s3.object.size),
    [4, 5, undefined],
  );
  assert.ok(records.every(({ s3 }) => s3.bucket.name === "watched"));
  assert.ok(records.every(({ s3 }) => s3.configurationId === "wish-0"));
  assert.ok(records.every(({ s3 }) => /^[0-9a-f]{32}$/.test(s3.object.versionId ?? "")));
  const sequencers = records.map(({ s3 }) => s3.object.sequencer);
  assert.deepEqual(sequencers, sequencers.toSorted());
  assert.equal(new Set(sequencers).size, 3);
});

test("nobody hears of what they did not ask for", async (t) => {
  const rig = await Rig.open(t);
  const removed = { target: "beta", events: ["s3:ObjectRemoved:*"] };
  const events = ["s3:ObjectCreated:*"];
  const pictures = { target: "alpha", events, prefix: "in/", suffix: ".jpg" };
  const bucket = await notifying(rig, removed, pictures);
  for (const key of ["in/1.jpg", "in/2.png", "out/3.jpg"]) await rig.put(bucket, key);
  await remove(rig, bucket, "out/3.jpg");
  startSession(t, rig);
  await untilEmpty(rig, bucket);
  assert.deepEqual(keysOf(recordsOf(rig, "alpha")), ["in/1.jpg"]);
  assert.deepEqual(keysOf(recordsOf(rig, "beta")), ["out/3.jpg"]);
});

test("a target that fails gets everything later, in order; the other one does not wait", async (t) => {
  const rig = await Rig.open(t);
  const wishes = ["alpha", "beta"].map((target) => ({ target, prefix: target }));
  const bucket = await notifying(rig, ...wishes);
  let isDead = true;
  const dead = new StoreError("unavailable", "dead");
  rig.web.answer = (url) => (url === urlOf("alpha") && isDead ? dead : 200);
  startSession(t, rig);
  for (const key of ["alpha-1", "beta-1", "alpha-2", "beta-2"]) await rig.put(bucket, key);
  await eventually("beta has all of it", 60_000, async () =>
    recordsOf(rig, "beta").length === 2 ? true : undefined,
  );
  // What only the live one wants is done; the rest waits for the dead one.
  await eventually("two wait", 60_000, async () =>
    (await waiting(rig, bucket)) === 2 ? true : undefined,
  );
  rig.web.posts.length = 0;
  isDead = false;
  await untilEmpty(rig, bucket);
  assert.deepEqual(keysOf(recordsOf(rig, "alpha")).slice(-2), ["alpha-1", "alpha-2"]);
  assert.deepEqual(recordsOf(rig, "beta"), [], "nothing is told twice without a crash");
  assert.ok((rig.metrics.values.get('notify_failures_total{target="alpha"}') ?? 0) >= 1);
});

test("an answer that is no success is a failure, and the same event comes again", async (t) => {
  const rig = await Rig.open(t);
  const bucket = await notifying(rig, { target: "alpha" });
  const answers = [503, 404, 302, 500, 200];
  rig.web.answer = () => answers.shift() ?? 200;
  await rig.put(bucket, "one");
  await rig.put(bucket, "two");
  startSession(t, rig);
  await untilEmpty(rig, bucket);
  const told = keysOf(recordsOf(rig, "alpha"));
  assert.deepEqual(told, ["one", "one", "one", "one", "one", "two"]);
});

test("what is too old is given up and counted, and what comes after goes on", async (t) => {
  const rig = await Rig.open(t);
  const bucket = await notifying(rig, { target: "alpha" });
  rig.web.answer = (_url, body) => (body.includes('"old"') ? 503 : 200);
  await rig.put(bucket, "old");
  startSession(t, rig, { giveUpAfterMs: 60_000 });
  await eventually("it fails", 60_000, async () => (rig.web.posts.length > 2 ? true : undefined));
  assert.equal(await waiting(rig, bucket), 1);
  rig.clock.shiftMs += 61_000;
  await rig.put(bucket, "new");
  await untilEmpty(rig, bucket);
  assert.deepEqual(keysOf(recordsOf(rig, "alpha")).slice(-1), ["new"]);
  const dropped = rig.metrics.values.get('notify_dropped_total{target="alpha",reason="old"}');
  assert.equal(dropped, 1);
});

test("what a target refuses for good is dropped and counted at once", async (t) => {
  const rig = await Rig.open(t);
  const bucket = await notifying(rig, { target: "alpha" });
  rig.web.answer = () => 400;
  await rig.put(bucket, "bad");
  startSession(t, rig);
  await untilEmpty(rig, bucket);
  assert.equal(rig.web.posts.length, 1);
  const series = 'notify_dropped_total{target="alpha",reason="refused"}';
  assert.equal(rig.metrics.values.get(series), 1);
});

test("events for a target that is not configured wait, and are given up in the end", async (t) => {
  const rig = await Rig.open(t);
  const bucket = await notifying(
    rig,
    { target: "nobody", prefix: "a" },
    { target: "alpha", prefix: "b" },
  );
  await rig.put(bucket, "a");
  await rig.put(bucket, "b");
  startSession(t, rig, { giveUpAfterMs: 60_000 });
  await eventually("alpha is told", 60_000, async () =>
    recordsOf(rig, "alpha").length === 1 ? true : undefined,
  );
  await eventually("one waits", 60_000, async () =>
    (await waiting(rig, bucket)) === 1 ? true : undefined,
  );
  rig.clock.shiftMs += 61_000;
  await untilEmpty(rig, bucket);
});

test("a keeper that died before it finished tells again, and loses nothing", async (t) => {
  const rig = await Rig.open(t);
  const bucket = await notifying(rig, { target: "alpha" });
  for (let number = 0; number < 5; number += 1) await rig.put(bucket, `key-${number}`);
  rig.fault = (call) => {
    if (call === "finishOutbox") throw new StoreError("denied", "dead");
  };
  const first = startSession(t, rig);
  await eventually("all are told", 60_000, async () =>
    recordsOf(rig, "alpha").length === 5 ? true : undefined,
  );
  await first.stop();
  assert.equal(await waiting(rig, bucket), 5);
  rig.fault = () => undefined;
  startSession(t, rig);
  await untilEmpty(rig, bucket);
  const told = keysOf(recordsOf(rig, "alpha"));
  const all = [0, 1, 2, 3, 4].map((number) => `key-${number}`);
  assert.deepEqual(told, [...all, ...all]);
});

test("a finish that failed for a moment is made up for by the same session", async (t) => {
  const rig = await Rig.open(t);
  const bucket = await notifying(rig, { target: "alpha" });
  let failures = 2;
  rig.fault = (call) => {
    if (call !== "finishOutbox" || failures === 0) return;
    failures -= 1;
    throw new StoreError("denied", "not now");
  };
  await rig.put(bucket, "one");
  startSession(t, rig);
  await untilEmpty(rig, bucket);
  assert.equal(recordsOf(rig, "alpha").length, 1);
});

test("the setting as it is now counts; without it, or the bucket, nobody is told", async (t) => {
  const rig = await Rig.open(t);
  const bucket = await notifying(rig, { target: "alpha" });
  await rig.put(bucket, "one");
  await rig.change(bucket, { settings: { notification: "" } });
  startSession(t, rig);
  await untilEmpty(rig, bucket);
  assert.deepEqual(rig.web.posts, []);
});

test("an event right after the setting was made is not judged by what was known before", async (t) => {
  const rig = await Rig.open(t);
  const bucket = await notifying(rig, { target: "beta", prefix: "other" });
  startSession(t, rig);
  for (let round = 0; round < 5; round += 1) {
    await rig.put(bucket, "other");
    await rig.put(bucket, `key-${round}`);
    await untilEmpty(rig, bucket);
    const wishes = [{ target: "alpha", prefix: `key-${round + 1}` }];
    await rig.change(bucket, { settings: { notification: documentOf(...wishes) } });
  }
  await rig.put(bucket, "key-5");
  await untilEmpty(rig, bucket);
  assert.deepEqual(keysOf(recordsOf(rig, "alpha")), ["key-1", "key-2", "key-3", "key-4", "key-5"]);
});

test("nothing is lost and order holds under random failures of everything", async (t) => {
  const seed = Number(process.env.DOLIUM_SEED ?? Date.now() % 1_000_000);
  t.diagnostic(`DOLIUM_SEED=${seed}`);
  const random = createSimRandom(seed);
  const rig = await Rig.open(t);
  const buckets: BucketRecord[] = [];
  for (const name of ["one", "two", "three"]) {
    const wishes = ["alpha", "beta"].map((target) => ({ target, prefix: target }));
    const settings = { notification: documentOf(...wishes) };
    buckets.push(await rig.change(await rig.bucket(name), { settings }));
  }
  let isCalm = false;
  rig.fault = (call) => {
    if (!isCalm && call !== "getClusterMap" && random.chance(0.1)) {
      throw new StoreError("denied", `${call} fails`);
    }
  };
  rig.lostAnswer = (call) => {
    if (!isCalm && random.chance(0.1)) throw new StoreError("denied", `${call} is lost`);
  };
  rig.web.answer = () => {
    if (isCalm || random.chance(0.6)) return 200;
    return random.chance(0.5) ? 503 : new StoreError("timeout", "late");
  };
  const expected = new Map<string, string[]>();
  for (let round = 0; round < 6; round += 1) {
    const session = startSession(t, rig, { batchMax: random.between(1, 4) });
    for (let number = 0; number < 12; number += 1) {
      const bucket = random.pick(buckets);
      const target = random.pick(["alpha", "beta", "nobody"]);
      const key = `${target}/${round}-${number}`;
      await rig.put(bucket, key);
      const list = expected.get(`${target} ${bucket.name}`) ?? [];
      expected.set(`${target} ${bucket.name}`, [...list, key]);
      if (random.chance(0.3)) await rig.clock.sleep(random.below(8));
    }
    await session.stop();
  }
  isCalm = true;
  startSession(t, rig);
  for (const bucket of buckets) await untilEmpty(rig, bucket);
  for (const target of ["alpha", "beta"]) {
    for (const { name } of buckets) {
      const taken = recordsOf(rig, target, rig.web.taken);
      const told = taken.filter(({ s3 }) => s3.bucket.name === name);
      const firsts = [...new Set(keysOf(told))];
      assert.deepEqual(firsts, expected.get(`${target} ${name}`) ?? []);
    }
  }
});

test("every target is told once that it is one, by a post of its own, whatever it answers", async (t) => {
  const rig = await Rig.open(t);
  const created = { target: "alpha", events: ["s3:ObjectCreated:*"] };
  const removed = { target: "alpha", events: ["s3:ObjectRemoved:*"] };
  const bucket = await notifying(rig, created, removed);
  await rig.put(bucket, "before");
  const value = { bucketId: bucket.bucketId, state: bucketStateOf(bucket), testEvent: true };
  await rig.execute(rig.groupOf(bucket), { case: "configureBucket", value });
  await rig.put(bucket, "after");
  rig.web.answer = (_url, body) => (body.includes("s3:TestEvent") ? 500 : 200);
  startSession(t, rig, { batchMax: 10 });
  await untilEmpty(rig, bucket);
  const bodies = rig.web.posts.map(({ body }) => JSON.parse(body));
  assert.deepEqual(
    bodies.map((body) => body.Event ?? keysOf(body.Records)),
    [["before"], "s3:TestEvent", ["after"]],
  );
  assert.equal(bodies[1]?.Bucket, "watched");
});

test("the token and further headers go with every post; many records fit one", async (t) => {
  const rig = await Rig.open(t);
  const bucket = await notifying(rig, { target: "alpha" });
  for (let number = 0; number < 7; number += 1) await rig.put(bucket, `key-${number}`);
  const alpha = { ...webhook("alpha"), authToken: "s3cret", headers: { "X-Team": "red" } };
  startSession(t, rig, { batchMax: 3, targets: { alpha } });
  await untilEmpty(rig, bucket);
  const counts = rig.web.posts.map(({ body }) => JSON.parse(body).Records.length);
  assert.deepEqual(counts, [3, 3, 1]);
  for (const { headers } of rig.web.posts) {
    assert.equal(headers.Authorization, "Bearer s3cret");
    assert.equal(headers["X-Team"], "red");
    assert.equal(headers["Content-Type"], "application/json");
  }
  assert.equal(recordsOf(rig, "alpha").length, 7);
});
