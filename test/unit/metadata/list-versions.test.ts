// ListVersions against a plain model: every page of every combination of prefix, delimiter, limit
// and marker, with keys of any bytes; markers that are gone; and that common prefixes are jumped
// over.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { ListVersionsQuerySchema } from "../../../services/lib/gen/dolium/metadata/v1/metadata_pb.ts";
import { Versioning } from "../../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import { listVersions } from "../../../services/metadata/state/queries/list-versions.ts";
import type { Cursor, FrozenState } from "../../../services/metadata/state/records.ts";
import { idOf, key, Machine } from "./harness.ts";

interface Shown {
  readonly name: string;
  readonly id: string;
  readonly ms: bigint;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const EMPTY = new Uint8Array(0);

async function put(machine: Machine, name: Uint8Array): Promise<Shown> {
  const version = { etag: "e", owner: "ann", body: { case: "inline" as const, value: EMPTY } };
  const value = { bucketId: 1, key: name, version };
  const { kind } = await machine.execute({ case: "putObject", value });
  assert.ok(kind.case === "putObject");
  const { versionId, modifiedMs } = kind.value;
  return { name: hex(name), id: hex(versionId), ms: modifiedMs };
}

async function mark(machine: Machine, name: Uint8Array): Promise<Shown> {
  const value = { bucketId: 1, targets: [{ key: name }] };
  const { kind } = await machine.execute({ case: "deleteObjects", value });
  assert.ok(kind.case === "deleteObjects");
  const id = hex(kind.value.results[0]?.versionId ?? EMPTY);
  return { name: hex(name), id, ms: BigInt(machine.nowMs) };
}

async function remove(machine: Machine, name: Uint8Array, versionId: Uint8Array): Promise<void> {
  const value = { bucketId: 1, targets: [{ key: name, versionId }] };
  await machine.execute({ case: "deleteObjects", value });
}

interface Asked {
  readonly prefix: Uint8Array;
  readonly delimiter: Uint8Array;
  readonly limit: number;
  readonly keyMarker?: Uint8Array;
  readonly versionIdMarker?: Uint8Array;
}

const ALL: Asked = { prefix: EMPTY, delimiter: EMPTY, limit: 1000 };

async function page(machine: Machine, asked: Partial<Asked> = {}) {
  const value = { bucketId: 1, ...ALL, ...asked };
  return machine.query({ case: "listVersions", value });
}

/** Everything, page by page: versions as "key/id/since/latest", groups as "group". */
async function walk(machine: Machine, asked: Asked): Promise<string[]> {
  const shown: string[] = [];
  let keyMarker: Uint8Array = EMPTY;
  let versionIdMarker: Uint8Array = EMPTY;
  for (let pages = 0; pages < 1000; pages += 1) {
    const answer = await page(machine, { ...asked, keyMarker, versionIdMarker });
    assert.ok(answer.entries.length + answer.commonPrefixes.length <= asked.limit);
    const entries = answer.entries.map((entry) => {
      const { version, isLatest, noncurrentSinceMs } = entry;
      const id = hex(version?.versionId ?? EMPTY);
      return {
        at: hex(entry.key),
        text: `${hex(entry.key)}/${id}/${noncurrentSinceMs}/${isLatest}`,
      };
    });
    const groups = answer.commonPrefixes.map((group) => ({ at: hex(group), text: hex(group) }));
    const both = [...entries, ...groups].sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
    shown.push(...both.map(({ text }) => text));
    if (!answer.truncated) return shown;
    keyMarker = answer.nextKeyMarker;
    versionIdMarker = answer.nextVersionIdMarker;
  }
  throw new Error("a listing without end");
}

/** What S3 defines, from all versions: keys ascending, newest first. */
function expected(versions: readonly Shown[], { prefix, delimiter }: Asked): string[] {
  const shown: string[] = [];
  const names = [...new Set(versions.map(({ name }) => name))].sort();
  for (const name of names) {
    const bytes = Buffer.from(name, "hex");
    if (!bytes.subarray(0, prefix.length).equals(prefix)) continue;
    const at = delimiter.length === 0 ? -1 : bytes.indexOf(Buffer.from(delimiter), prefix.length);
    if (at >= 0) {
      const group = hex(bytes.subarray(0, at + delimiter.length));
      if (shown.at(-1) !== group) shown.push(group);
      continue;
    }
    const own = versions.filter((version) => version.name === name).toReversed();
    own.forEach(({ id }, index) => {
      shown.push(`${name}/${id}/${own[index - 1]?.ms ?? 0n}/${index === 0}`);
    });
  }
  return shown;
}

const byte = fc.constantFrom(0, 1, 0x2f, 0x61, 0xfe, 0xff);
const bytes = (minLength: number, maxLength: number) =>
  fc.array(byte, { minLength, maxLength }).map((list) => Buffer.from(list));
const step = fc.record({ name: bytes(1, 3), isMarker: fc.boolean() });

test("pages of any limit show every version once, in order", async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 25 }),
      fc.array(fc.tuple(bytes(0, 2), bytes(0, 2), fc.integer({ min: 1, max: 4 })), {
        minLength: 6,
        maxLength: 6,
      }),
      async (steps, questions) => {
        const machine = await Machine.open(t);
        await machine.setVersioning(Versioning.ENABLED);
        const versions: Shown[] = [];
        for (const { name, isMarker } of steps) {
          versions.push(await (isMarker ? mark : put)(machine, name));
        }
        for (const [prefix, delimiter, limit] of questions) {
          const asked = { prefix, delimiter, limit };
          assert.deepEqual(await walk(machine, asked), expected(versions, asked));
        }
      },
    ),
    { numRuns: 25, endOnFailure: true },
  );
});

test("versions after a common prefix are shown though they were read before it", async (t) => {
  const machine = await Machine.open(t);
  await machine.setVersioning(Versioning.ENABLED);
  const versions: Shown[] = [];
  for (const name of ["a", "b/1", "c", "c", "c", "d", "d"]) {
    versions.push(await put(machine, key(name)));
  }
  const asked = { ...ALL, delimiter: key("/") };
  assert.deepEqual(await walk(machine, asked), expected(versions, asked));
});

async function three(machine: Machine): Promise<Uint8Array[]> {
  await machine.setVersioning(Versioning.ENABLED);
  const ids: Uint8Array[] = [];
  for (let at = 0; at < 3; at += 1) {
    ids.unshift(Buffer.from((await put(machine, key("k"))).id, "hex"));
  }
  return ids;
}

const idsOf = (answer: Awaited<ReturnType<typeof page>>): string[] =>
  answer.entries.map(({ version }) => hex(version?.versionId ?? EMPTY));

test("a marker whose version is gone stands for its place", async (t) => {
  const machine = await Machine.open(t);
  const [newest = EMPTY, middle = EMPTY, oldest = EMPTY] = await three(machine);
  await put(machine, key("l"));
  await remove(machine, key("k"), middle);
  const after = await page(machine, { keyMarker: key("k"), versionIdMarker: middle });
  assert.equal(idsOf(after)[0], hex(oldest));
  assert.equal(after.entries[0]?.isLatest, false);
  await remove(machine, key("k"), newest);
  const promoted = await page(machine, { keyMarker: key("k"), versionIdMarker: newest });
  assert.equal(idsOf(promoted)[0], hex(oldest));
  assert.equal(promoted.entries[0]?.isLatest, true);
  assert.equal(promoted.entries[0]?.noncurrentSinceMs, 0n);
  await remove(machine, key("k"), oldest);
  const gone = await page(machine, { keyMarker: key("k"), versionIdMarker: oldest });
  assert.deepEqual(
    gone.entries.map((entry) => hex(entry.key)),
    [hex(key("l"))],
  );
});

test("a key marker alone passes over the whole key, one outside the prefix over nothing or all", async (t) => {
  const machine = await Machine.open(t);
  await three(machine);
  await put(machine, key("k\0"));
  const next = await page(machine, { keyMarker: key("k") });
  assert.deepEqual(
    next.entries.map((entry) => hex(entry.key)),
    [hex(key("k\0"))],
  );
  const before = await page(machine, { prefix: key("k"), keyMarker: key("a") });
  assert.equal(before.entries.length, 4);
  const id = idOf(1);
  const past = await page(machine, { prefix: key("a"), keyMarker: key("k"), versionIdMarker: id });
  assert.equal(past.entries.length, 0);
  assert.equal((await page(machine, { limit: 0 })).entries.length, 0);
});

test("the null version is a marker by its name and by its id", async (t) => {
  const machine = await Machine.open(t);
  await put(machine, key("k"));
  await machine.setVersioning(Versioning.ENABLED);
  await put(machine, key("k"));
  await machine.setVersioning(Versioning.SUSPENDED);
  await put(machine, key("l"));
  const all = await page(machine);
  assert.deepEqual(
    all.entries.map(({ version }) => version?.nullVersion),
    [false, true, true],
  );
  const named = await page(machine, { keyMarker: key("k"), versionIdMarker: key("null") });
  assert.deepEqual(idsOf(named), idsOf(all).slice(2));
  const byId = Buffer.from(idsOf(all)[1] ?? "", "hex");
  const same = await page(machine, { keyMarker: key("k"), versionIdMarker: byId });
  assert.deepEqual(idsOf(same), idsOf(all).slice(2));
  await remove(machine, key("k"), key("null"));
  const anew = await page(machine, { keyMarker: key("k"), versionIdMarker: key("null") });
  assert.deepEqual(idsOf(anew), [idsOf(all)[0], idsOf(all)[2]]);
});

test("tags and locks come only where they are asked for, headers and data keys never", async (t) => {
  const machine = await Machine.open(t);
  await machine.configure({ versioning: Versioning.ENABLED, objectLock: true });
  const version = {
    body: { case: "inline" as const, value: EMPTY },
    headers: { contentType: "text/plain" },
    tags: [{ name: "a", value: "b" }],
    lock: { legalHold: true },
    acl: { grants: [] },
    encryption: { wrappedKey: idOf(1) },
  };
  await machine.execute({ case: "putObject", value: { bucketId: 1, key: key("k"), version } });
  const [plain] = (await page(machine)).entries;
  assert.deepEqual([plain?.version?.tags.length, plain?.version?.lock], [0, undefined]);
  const value = { bucketId: 1, limit: 10, withDetails: true };
  const [full] = (await machine.query({ case: "listVersions", value })).entries;
  assert.equal(full?.version?.tags[0]?.value, "b");
  assert.equal(full?.version?.lock?.legalHold, true);
  const list = { bucketId: 1, limit: 10 };
  const [listed] = (await machine.query({ case: "listObjects", value: list })).entries;
  assert.equal(listed?.version?.lock, undefined);
  for (const { version: shown } of [plain, full, listed].filter((entry) => entry !== undefined)) {
    assert.deepEqual(
      [shown?.headers, shown?.acl, shown?.encryption],
      [undefined, undefined, undefined],
    );
  }
});

test("a sealed bucket's versions are not listed", async (t) => {
  const machine = await Machine.open(t);
  await machine.execute({ case: "sealBucket", value: { bucketId: 1 } });
  await assert.rejects(page(machine), { code: "sealed" });
});

/** Counts what a query reads. */
function counting(state: FrozenState): { readonly state: FrozenState; reads: () => number } {
  let reads = 0;
  return {
    reads: () => reads,
    state: {
      get: (name) => state.get(name),
      scan: (range, limit) => state.scan(range, limit),
      lastKey: (range) => state.lastKey(range),
      approximateBytes: (from, to) => state.approximateBytes(from, to),
      cursor: (range): Cursor => {
        const cursor = state.cursor(range);
        return {
          seek: (name) => cursor.seek(name),
          next: () => {
            reads += 1;
            return cursor.next();
          },
          close: () => cursor.close(),
        };
      },
    },
  };
}

test("what lies below a common prefix is not read", async (t) => {
  const machine = await Machine.open(t);
  await machine.setVersioning(Versioning.ENABLED);
  const body = { case: "inline" as const, value: EMPTY };
  const names = ["a/", "b/"].flatMap((group) =>
    Array.from({ length: 300 }, (_, at) => `${group}${at % 100}`),
  );
  const datas = names.map((name) => {
    const value = { bucketId: 1, key: key(name), version: { body } };
    return machine.entry({ case: "putObject", value });
  });
  await machine.applyData(datas);
  await put(machine, key("c"));
  const query = { bucketId: 1, delimiter: key("/"), limit: 10 };
  const read = await machine.state.read(async (view) => {
    const counted = counting(view);
    const answer = await listVersions(counted.state, create(ListVersionsQuerySchema, query));
    assert.equal(answer.commonPrefixes.length, 2);
    assert.equal(answer.entries.length, 1);
    return counted.reads();
  });
  assert.ok(read < 12, `${read} entries read`);
});
