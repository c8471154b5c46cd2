// Lifecycle rules: what is due goes, what is locked, young, restored or written meanwhile stays,
// and a pass that was cut off goes on where it was.
import assert from "node:assert/strict";
import { test } from "node:test";
import { BucketCatalog } from "../../../services/keeper/buckets/bucket-catalog.ts";
import type { KeeperDeps } from "../../../services/keeper/deps.ts";
import type { HeldLease } from "../../../services/keeper/leases.ts";
import { LifecycleTask } from "../../../services/keeper/lifecycle/lifecycle-task.ts";
import { toHex, utf8 } from "../../../services/lib/base/bytes.ts";
import { StoreError } from "../../../services/lib/base/errors.ts";
import { newManifestId } from "../../../services/lib/clients/body-writer.ts";
import {
  type BucketRecord,
  Versioning,
} from "../../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import { ObjectLock_Mode } from "../../../services/lib/gen/dolium/record/v1/object_pb.ts";
import { NEVER, Rig } from "./rig.ts";

const DAY_MS = 86_400_000;

/** Each rule's elements after its id. */
function documentOf(...rules: readonly string[]): string {
  const elements = rules.map((rule, at) => {
    const filter = rule.includes("<Filter>") ? "" : "<Filter><Prefix></Prefix></Filter>";
    return `<Rule><ID>rule-${at}</ID>${filter}<Status>Enabled</Status>${rule}</Rule>`;
  });
  return `<LifecycleConfiguration>${elements.join("")}</LifecycleConfiguration>`;
}

const days = (count: number): string => `<Expiration><Days>${count}</Days></Expiration>`;
const prefix = (text: string): string => `<Filter><Prefix>${text}</Prefix></Filter>`;

/** A lease that is never lost, and keeps its note in memory. */
class PaperLease implements HeldLease {
  note: Uint8Array = new Uint8Array(0);
  readonly notes: string[] = [];
  readonly #rig: Rig;

  constructor(rig: Rig) {
    this.#rig = rig;
  }

  get grantedMs(): number {
    return this.#rig.clock.wallMs();
  }

  async write(note: Uint8Array): Promise<void> {
    this.note = note;
    this.notes.push(Buffer.from(note).toString());
  }
}

async function pass(rig: Rig, changes: Partial<KeeperDeps> = {}): Promise<void> {
  const deps = rig.with(changes);
  const task = new LifecycleTask(deps, new BucketCatalog(deps));
  await task.round(NEVER, new PaperLease(rig));
}

function actions(rig: Rig, action: string): number {
  return rig.metrics.values.get(`lifecycle_actions_total{action="${action}"}`) ?? 0;
}

interface Listed {
  readonly key: string;
  readonly id: Uint8Array;
  readonly marker: boolean;
}

async function versions(rig: Rig, bucket: BucketRecord): Promise<Listed[]> {
  const value = { bucketId: bucket.bucketId, limit: 1000 };
  const { entries } = await rig.query(rig.groupOf(bucket), { case: "listVersions", value });
  return entries.map(({ key, version }) => ({
    key: Buffer.from(key).toString(),
    id: version?.versionId ?? new Uint8Array(0),
    marker: version?.deleteMarker ?? false,
  }));
}

async function remove(rig: Rig, bucket: BucketRecord, key: string, versionId?: Uint8Array) {
  const target = { key: utf8(key), ...(versionId === undefined ? {} : { versionId }) };
  const value = { bucketId: bucket.bucketId, targets: [target] };
  await rig.execute(rig.groupOf(bucket), { case: "deleteObjects", value });
}

async function versioned(rig: Rig, document: string): Promise<BucketRecord> {
  const bucket = await rig.bucket("kept", { lifecycle: document });
  return rig.change(bucket, { versioning: Versioning.ENABLED });
}

test("objects expire by their days and prefix, others stay", async (t) => {
  const rig = await Rig.open(t);
  const bucket = await rig.bucket("one", { lifecycle: documentOf(`${prefix("tmp/")}${days(2)}`) });
  const plain = await rig.bucket("two");
  for (const key of ["tmp/a", "tmp/b", "tmp", "other"]) await rig.put(bucket, key);
  await rig.put(plain, "tmp/a");
  rig.clock.shiftMs += DAY_MS;
  await pass(rig);
  assert.equal((await rig.keys(bucket)).length, 4);
  rig.clock.shiftMs += DAY_MS;
  await rig.put(bucket, "tmp/young");
  rig.clock.shiftMs += DAY_MS;
  await pass(rig);
  assert.deepEqual(await rig.keys(bucket), ["other", "tmp", "tmp/young"]);
  assert.deepEqual(await rig.keys(plain), ["tmp/a"]);
  assert.equal(actions(rig, "expire-current"), 2);
  assert.ok((rig.metrics.values.get("lifecycle_last_full_pass_seconds") ?? 0) > 0);
});

test("days may be short", async (t) => {
  const rig = await Rig.open(t);
  const bucket = await rig.bucket("one", { lifecycle: documentOf(days(1)) });
  await rig.put(bucket, "a");
  rig.clock.shiftMs += 20_000;
  await pass(rig, { lifecycle: { ...rig.deps.lifecycle, daySeconds: 10 } });
  assert.deepEqual(await rig.keys(bucket), []);
});

test("with versioning a current version is hidden, and goes days after it was replaced", async (t) => {
  const rig = await Rig.open(t);
  const noncurrent =
    "<NoncurrentVersionExpiration><NoncurrentDays>3</NoncurrentDays></NoncurrentVersionExpiration>";
  const bucket = await versioned(rig, documentOf(days(1), noncurrent));
  await rig.put(bucket, "a");
  rig.clock.shiftMs += 2 * DAY_MS;
  await pass(rig);
  assert.deepEqual(await rig.keys(bucket), []);
  const hidden = await versions(rig, bucket);
  assert.deepEqual(
    hidden.map(({ marker }) => marker),
    [true, false],
  );
  await pass(rig);
  assert.equal((await versions(rig, bucket)).length, 2, "a marker is laid once");
  rig.clock.shiftMs += 4 * DAY_MS;
  await pass(rig);
  assert.deepEqual(
    (await versions(rig, bucket)).map(({ marker }) => marker),
    [true],
  );
  assert.equal(actions(rig, "remove-version"), 1);
  // The marker hides nothing any more: it goes by the days as well.
  await pass(rig);
  assert.deepEqual(await versions(rig, bucket), []);
  assert.equal(actions(rig, "remove-delete-marker"), 1);
});

test("as many newer noncurrent versions stay as the rule says, page borders or not", async (t) => {
  const rig = await Rig.open(t);
  const rule =
    "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays>" +
    "<NewerNoncurrentVersions>2</NewerNoncurrentVersions></NoncurrentVersionExpiration>";
  const bucket = await versioned(rig, documentOf(rule));
  for (const key of ["a", "b"]) {
    for (let number = 0; number < 6; number += 1) await rig.put(bucket, key, `${number}`);
  }
  const before = await versions(rig, bucket);
  rig.clock.shiftMs += 3 * DAY_MS;
  await pass(rig);
  const left = await versions(rig, bucket);
  const newest = [...before.slice(0, 3), ...before.slice(6, 9)];
  assert.deepEqual(
    left.map(({ id }) => toHex(id)),
    newest.map(({ id }) => toHex(id)),
  );
});

test("a locked version stays, a free one beside it goes", async (t) => {
  const rig = await Rig.open(t);
  const rule =
    "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>";
  const bucket = await rig.bucket("kept", { lifecycle: documentOf(days(1), rule) });
  await rig.change(bucket, { versioning: Versioning.ENABLED, objectLock: true });
  const bytes = utf8("locked");
  const retainUntilMs = BigInt(rig.clock.wallMs() + 100 * DAY_MS);
  await rig.execute(rig.groupOf(bucket), {
    case: "putObject",
    value: {
      bucketId: bucket.bucketId,
      key: utf8("a"),
      version: {
        size: BigInt(bytes.byteLength),
        body: { case: "inline", value: bytes },
        lock: { mode: ObjectLock_Mode.COMPLIANCE, retainUntilMs },
      },
    },
  });
  const [locked] = await versions(rig, bucket);
  await rig.put(bucket, "a", "free");
  await rig.put(bucket, "a", "current");
  rig.clock.shiftMs += 3 * DAY_MS;
  await pass(rig);
  rig.clock.shiftMs += 3 * DAY_MS;
  await pass(rig);
  await pass(rig);
  const left = await versions(rig, bucket);
  assert.ok(left.some(({ id }) => toHex(id) === toHex(locked?.id ?? new Uint8Array(0))));
  assert.deepEqual(
    left.map(({ marker }) => marker),
    [true, false],
  );
  assert.ok((rig.metrics.values.get('lifecycle_kept_total{reason="locked"}') ?? 0) >= 1);
  rig.clock.shiftMs += 100 * DAY_MS;
  await pass(rig);
  assert.ok((await versions(rig, bucket)).every(({ marker }) => marker));
});

test("what was written between look and removal is never hit", async (t) => {
  const rig = await Rig.open(t);
  const bucket = await rig.bucket("one", { lifecycle: documentOf(days(1)) });
  for (const key of ["a", "b"]) await rig.put(bucket, key, "old");
  rig.clock.shiftMs += 3 * DAY_MS;
  const { metadata } = rig;
  const racing: KeeperDeps["metadata"] = {
    query: metadata.query.bind(metadata),
    execute: async (groupId, kind, options) => {
      if (kind.case === "deleteObjects") await rig.put(bucket, "a", "new");
      return metadata.execute(groupId, kind, options);
    },
  };
  await pass(rig, { metadata: racing });
  assert.deepEqual(await rig.keys(bucket), ["a"]);
  assert.equal((await rig.get(bucket, "a"))?.toString(), "new");
  assert.equal(rig.metrics.values.get('lifecycle_kept_total{reason="changed"}'), 1);
});

test("an old version that was restored between look and removal stays", async (t) => {
  const rig = await Rig.open(t);
  const rule =
    "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>";
  const bucket = await versioned(rig, documentOf(rule));
  await rig.put(bucket, "a", "old");
  await rig.put(bucket, "a", "mistake");
  const [mistake] = await versions(rig, bucket);
  rig.clock.shiftMs += 3 * DAY_MS;
  const { metadata } = rig;
  const racing: KeeperDeps["metadata"] = {
    query: metadata.query.bind(metadata),
    execute: async (groupId, kind, options) => {
      if (kind.case === "deleteObjects") await remove(rig, bucket, "a", mistake?.id);
      return metadata.execute(groupId, kind, options);
    },
  };
  await pass(rig, { metadata: racing });
  assert.equal((await rig.get(bucket, "a"))?.toString(), "old");
});

test("uploads are aborted days after they began", async (t) => {
  const rig = await Rig.open(t);
  const rule =
    "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation>" +
    "</AbortIncompleteMultipartUpload>";
  const bucket = await rig.bucket("one", { lifecycle: documentOf(`${prefix("in/")}${rule}`) });
  const begin = async (key: string): Promise<void> => {
    const uploadId = newManifestId(rig.clock.wallMs(), rig.deps.random);
    const upload = { uploadId, bucketId: bucket.bucketId, key: utf8(key) };
    await rig.execute(rig.groupOf(bucket), { case: "createUpload", value: { upload } });
  };
  await begin("in/old");
  await begin("out/old");
  rig.clock.shiftMs += 3 * DAY_MS;
  await begin("in/young");
  await pass(rig);
  const value = { bucketId: bucket.bucketId, limit: 10 };
  const { uploads } = await rig.query(rig.groupOf(bucket), { case: "listUploads", value });
  assert.deepEqual(
    uploads.map(({ key }) => Buffer.from(key).toString()),
    ["in/young", "out/old"],
  );
  assert.equal(actions(rig, "abort-upload"), 1);
});

test("a keeper whose clock runs ahead removes nothing before its time", async (t) => {
  const rig = await Rig.open(t);
  const bucket = await rig.bucket("one", { lifecycle: documentOf(days(1)) });
  await rig.put(bucket, "a");
  const { clock } = rig;
  const ahead: KeeperDeps["clock"] = {
    wallMs: () => clock.wallMs() + 400 * DAY_MS,
    monotonicMs: () => clock.monotonicMs(),
    sleep: (ms, signal) => clock.sleep(ms, signal),
    after: (ms, run) => clock.after(ms, run),
  };
  await pass(rig, { clock: ahead });
  assert.deepEqual(await rig.keys(bucket), ["a"]);
});

test("a pass that was cut off goes on where it was, in another keeper too", async (t) => {
  const rig = await Rig.open(t);
  const first = await rig.bucket("first", { lifecycle: documentOf(days(1)) });
  const bucket = await rig.bucket("second", { lifecycle: documentOf(days(1)) });
  await rig.put(first, "only");
  const keys = Array.from({ length: 2200 }, (_, at) => `key-${String(at).padStart(5, "0")}`);
  for (const key of keys) await rig.put(bucket, key);
  const lease = new PaperLease(rig);
  const end = new AbortController();
  const lifecycle = { ...rig.deps.lifecycle, entriesPerSecond: 1_000_000 };
  const deps = rig.with({ lifecycle });
  let pages = 0;
  rig.fault = (call) => {
    if (call !== "listVersions") return;
    pages += 1;
    rig.clock.shiftMs += 6000;
    if (pages === 3) end.abort();
  };
  const cut = new LifecycleTask(deps, new BucketCatalog(deps));
  await cut.round(end.signal, lease);
  const scanned = (): number => rig.metrics.values.get("lifecycle_scanned_total") ?? 0;
  assert.equal(scanned(), 1 + 2000);
  assert.match(lease.notes.at(-1) ?? "", new RegExp(toHex(utf8("key-01999"))));
  const other = new LifecycleTask(deps, new BucketCatalog(deps));
  await other.round(NEVER, lease);
  assert.equal(scanned(), 1 + 2200, "nothing is looked at twice");
  const asked = rig.calls.length;
  await other.round(NEVER, lease);
  assert.equal(rig.calls.length, asked, "the pass is over, and the next one not due");
  rig.clock.shiftMs += lifecycle.intervalMs;
  await other.round(NEVER, lease);
  assert.equal(scanned(), 2 * (1 + 2200));
});

test("a note that cannot be read begins a new pass", async (t) => {
  const rig = await Rig.open(t);
  const bucket = await rig.bucket("one", { lifecycle: documentOf(days(1)) });
  await rig.put(bucket, "a");
  rig.clock.shiftMs += 3 * DAY_MS;
  for (const note of ["{", '{"begunMs":-1}', '{"begunMs":1,"finishedMs":"x"}', "[]", "ÿ"]) {
    const lease = new PaperLease(rig);
    lease.note = Buffer.from(note, "latin1");
    const task = new LifecycleTask(rig.deps, new BucketCatalog(rig.deps));
    await task.round(NEVER, lease);
    assert.match(lease.notes.at(-1) ?? "", /"finishedMs":[1-9]/);
  }
  assert.deepEqual(await rig.keys(bucket), []);
});

test("a bucket that is being deleted is no error", async (t) => {
  const rig = await Rig.open(t);
  const bucket = await rig.bucket("one", { lifecycle: documentOf(days(1)) });
  const value = { bucketId: bucket.bucketId };
  await rig.execute(rig.groupOf(bucket), { case: "sealBucket", value });
  await pass(rig);
  assert.equal(rig.metrics.values.get("lifecycle_errors_total"), undefined);
  assert.ok((rig.metrics.values.get("lifecycle_last_full_pass_seconds") ?? 0) > 0);
});

test("a bucket that cannot be walked stops no other one, and is counted", async (t) => {
  const rig = await Rig.open(t);
  const broken = await rig.bucket("broken", { lifecycle: "<nonsense" });
  const silent = await rig.bucket("silent", { lifecycle: documentOf(days(1)) });
  const fine = await rig.bucket("fine", { lifecycle: documentOf(days(1)) });
  assert.notEqual(rig.groupOf(silent), rig.groupOf(fine));
  for (const bucket of [broken, silent, fine]) await rig.put(bucket, "a");
  rig.clock.shiftMs += 3 * DAY_MS;
  rig.fault = (call, groupId) => {
    const isSilent = call === "listVersions" && groupId === rig.groupOf(silent);
    if (isSilent) throw new StoreError("denied", "silent");
  };
  await pass(rig);
  assert.deepEqual(await rig.keys(fine), []);
  assert.deepEqual(await rig.keys(silent), ["a"]);
  assert.equal(rig.metrics.values.get("lifecycle_errors_total"), 2);
});
