// ListObjects against a plain model: every page of every combination of prefix, delimiter and
// limit, with keys of any bytes; and that common prefixes are jumped over.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { ListObjectsQuerySchema } from "../../../services/lib/gen/dolium/metadata/v1/metadata_pb.ts";
import { Versioning } from "../../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import type { KvSnapshot } from "../../../services/lib/ports/kv.ts";
import { encodeChecked } from "../../../services/metadata/state/checked-value.ts";
import { FrozenView } from "../../../services/metadata/state/frozen-view.ts";
import { TABLE, tableRange } from "../../../services/metadata/state/keys.ts";
import { listObjects } from "../../../services/metadata/state/queries/list-objects.ts";
import type { Cursor, Entry, FrozenState } from "../../../services/metadata/state/records.ts";
import { key, Machine, stateDeps, temporaryFolder } from "./harness.ts";

async function put(machine: Machine, names: readonly Uint8Array[], etag = "x"): Promise<void> {
  const version = { size: 0n, etag, body: { case: "inline" as const, value: new Uint8Array(0) } };
  const datas = names.map((name) => {
    const value = { bucketId: 1, key: name, version };
    return machine.entry({ case: "putObject", value });
  });
  await machine.setVersioning(Versioning.ENABLED);
  if (datas.length > 0) await machine.applyData(datas);
}

async function hide(machine: Machine, names: readonly Uint8Array[]): Promise<void> {
  const targets = names.map((name) => ({ key: name }));
  const value = { bucketId: 1, targets };
  await machine.setVersioning(Versioning.ENABLED);
  if (targets.length > 0) await machine.execute({ case: "deleteObjects", value });
}

/** What a listing shows, as S3 defines it, from a sorted list of visible keys. */
function expected(names: readonly Buffer[], prefix: Buffer, delimiter: Buffer): string[] {
  const shown: string[] = [];
  for (const name of names) {
    if (!name.subarray(0, prefix.length).equals(prefix)) continue;
    const at = delimiter.length === 0 ? -1 : name.indexOf(delimiter, prefix.length);
    const item =
      at < 0
        ? `key ${name.toString("hex")}`
        : `group ${name.subarray(0, at + delimiter.length).toString("hex")}`;
    if (shown.at(-1) !== item) shown.push(item);
  }
  return shown;
}

async function listAll(machine: Machine, query: object, limit: number): Promise<string[]> {
  const seen: string[] = [];
  let startAfter: Uint8Array = new Uint8Array(0);
  for (let pages = 0; pages < 200; pages += 1) {
    const value = { bucketId: 1, limit, startAfter, ...query };
    const page = await machine.query({ case: "listObjects", value });
    assert.ok(page.entries.length + page.commonPrefixes.length <= limit);
    const shown = [
      ...page.entries.map((entry) => `key ${Buffer.from(entry.key).toString("hex")}`),
      ...page.commonPrefixes.map((one) => `group ${Buffer.from(one).toString("hex")}`),
    ];
    const order = (item: string) => item.split(" ")[1] ?? "";
    seen.push(...shown.sort((a, b) => (order(a) < order(b) ? -1 : 1)));
    if (!page.truncated) return seen;
    startAfter = page.nextStartAfter;
  }
  return assert.fail("the listing does not end");
}

const letters = fc.constantFrom(0x00, 0x2f, 0x61, 0x62, 0xff);
const name = fc.array(letters, { minLength: 1, maxLength: 6 }).map((bytes) => Buffer.from(bytes));
const part = fc.array(letters, { maxLength: 2 }).map((bytes) => Buffer.from(bytes));

test("every page shows what the model shows, each thing once and in order", async (t) => {
  const machine = await Machine.open(t);
  const setup = fc.sample(
    fc.uniqueArray(name, { minLength: 120, maxLength: 120, selector: (k) => k.toString("hex") }),
    { numRuns: 1, seed: 7 },
  );
  const names = setup[0] ?? [];
  const hidden = names.filter((_, at) => at % 4 === 0);
  await put(machine, names);
  await hide(machine, hidden);
  const visible = names.filter((_, at) => at % 4 !== 0).sort(Buffer.compare);
  await fc.assert(
    fc.asyncProperty(
      part,
      part,
      fc.integer({ min: 1, max: 9 }),
      async (prefix, delimiter, limit) => {
        const shown = await listAll(machine, { prefix, delimiter }, limit);
        assert.deepEqual(shown, expected(visible, prefix, delimiter));
      },
    ),
    { numRuns: 150 },
  );
});

test("a page may start at any key, exclusive, and not inside a group again", async (t) => {
  const machine = await Machine.open(t);
  await put(machine, ["a", "b/1", "b/2", "b/3", "c"].map(key));
  const list = async (startAfter: string, delimiter = "/") => {
    const value = {
      bucketId: 1,
      limit: 10,
      startAfter: key(startAfter),
      delimiter: key(delimiter),
    };
    const page = await machine.query({ case: "listObjects", value });
    const text = (view: Uint8Array) => Buffer.from(view).toString("latin1");
    return [...page.entries.map((entry) => text(entry.key)), ...page.commonPrefixes.map(text)];
  };
  assert.deepEqual(await list("a"), ["c", "b/"]);
  assert.deepEqual(await list("b/"), ["c"]);
  assert.deepEqual(await list("b/2"), ["c"]);
  assert.deepEqual(await list("b/2", ""), ["b/3", "c"]);
  assert.deepEqual(await list("aa"), ["c", "b/"]);
  assert.deepEqual(await list("z"), []);
});

test("entries carry the version without body, headers and tags; limit 0 shows nothing", async (t) => {
  const machine = await Machine.open(t);
  const body = { case: "inline" as const, value: Buffer.from("body") };
  const headers = { contentType: "text/plain" };
  const tags = [{ name: "a", value: "b" }];
  const version = { size: 4n, etag: "e", owner: "ann", body, headers, tags };
  const value = { bucketId: 1, key: key("k"), version };
  await machine.execute({ case: "putObject", value });
  const ask = (limit: number) => {
    const query = { bucketId: 1, limit };
    return machine.query({ case: "listObjects", value: query });
  };
  const [entry] = (await ask(10)).entries;
  assert.deepEqual([entry?.version?.size, entry?.version?.owner], [4n, "ann"]);
  assert.deepEqual([entry?.version?.headers, entry?.version?.body.case], [undefined, undefined]);
  assert.deepEqual(entry?.version?.tags, []);
  const nothing = await ask(0);
  assert.deepEqual([nothing.entries.length, nothing.truncated], [0, false]);
});

/** Counts entries that are looked at. */
function counting(state: FrozenState, count: { entries: number; seeks: number }): FrozenState {
  return {
    get: (name) => state.get(name),
    scan: (range, limit) => state.scan(range, limit),
    lastKey: (range) => state.lastKey(range),
    approximateBytes: (from, to) => state.approximateBytes(from, to),
    cursor: (range): Cursor => {
      const cursor = state.cursor(range);
      return {
        seek: (target) => {
          count.seeks += 1;
          cursor.seek(target);
        },
        next: async (): Promise<Entry | undefined> => {
          count.entries += 1;
          return cursor.next();
        },
        close: () => cursor.close(),
      };
    },
  };
}

test("a common prefix costs the same with one key below it and with a thousand", async (t) => {
  const machine = await Machine.open(t);
  const names: Uint8Array[] = [];
  for (let folder = 0; folder < 5; folder += 1) {
    for (let at = 0; at < 1000; at += 1)
      names.push(key(`f${folder}/${String(at).padStart(4, "0")}`));
  }
  await put(machine, names);
  const count = { entries: 0, seeks: 0 };
  const value = { bucketId: 1, limit: 100, delimiter: key("/") };
  const page = await machine.state.read((view) =>
    listObjects(counting(view, count), {
      $typeName: "dolium.metadata.v1.ListObjectsQuery",
      prefix: new Uint8Array(0),
      startAfter: new Uint8Array(0),
      packed: false,
      ...value,
    }),
  );
  assert.equal(page.commonPrefixes.length, 5);
  assert.deepEqual(count, { entries: 6, seeks: 5 });
});

test("a page stays below a mebibyte and goes on where it stopped", async (t) => {
  const machine = await Machine.open(t);
  const names = Array.from({ length: 1500 }, (_, at) =>
    Buffer.from(`${String(at).padStart(4, "0")}${"x".repeat(1000)}`),
  );
  await put(machine, names);
  const value = { bucketId: 1, limit: 1500 };
  const page = await machine.query({ case: "listObjects", value });
  assert.ok(page.truncated && page.entries.length < 1000);
  assert.equal((await listAll(machine, {}, 1500)).length, 1500);
});

test("very many delete markers end a page early, and the listing goes on behind them", async (t) => {
  const machine = await Machine.open(t);
  const many = Array.from({ length: 21_000 }, (_, at) => key(`m${String(at).padStart(5, "0")}`));
  for (let at = 0; at < many.length; at += 1000) await hide(machine, many.slice(at, at + 1000));
  await put(machine, [key("z")]);
  const page = await machine.query({ case: "listObjects", value: { bucketId: 1, limit: 10 } });
  assert.deepEqual([page.entries.length, page.truncated], [0, true]);
  assert.equal((await listAll(machine, {}, 10)).length, 1);
});

test("a thousand keys are read ahead in a few pages, and packed", async (t) => {
  const machine = await Machine.open(t);
  const names = Array.from({ length: 1000 }, (_, at) => key(String(at).padStart(8, "0")));
  await put(machine, names, "0".repeat(32));
  const value = { bucketId: 1, limit: 1000, packed: true };
  let reads = 0;
  const counted = (snapshot: KvSnapshot): KvSnapshot => ({
    ...snapshot,
    iterate: (range) => {
      const iterator = snapshot.iterate(range);
      return {
        ...iterator,
        next: (count) => {
          reads += 1;
          return iterator.next(count);
        },
      };
    },
  });
  const kv = await stateDeps.kvFactory.open(join(await temporaryFolder(t), "store"));
  t.after(() => kv.close());
  const page = await machine.query({ case: "listObjects", value });
  const operations = await machine.state.read((view) =>
    view.scan(tableRange(TABLE.head), names.length),
  );
  await kv.write(
    operations.map(([name, payload]) => ({
      type: "put",
      key: name,
      value: encodeChecked(name, payload),
    })),
    { sync: false },
  );
  const view = new FrozenView(counted(kv.snapshot()));
  const query = create(ListObjectsQuerySchema, value);
  const again = await listObjects(view, query);
  await view.close();
  assert.ok(reads <= 3, `${reads} reads`);
  assert.deepEqual(again, page);
  assert.deepEqual([page.entries.length, page.truncated], [0, false]);
  assert.ok(page.packedEntries.byteLength > 32_000);
});
