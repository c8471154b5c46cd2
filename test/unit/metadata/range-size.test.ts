// RangeSize: how large a range is and where its middle lies, from the store's own estimate and
// without a walk through the keys; and that the estimate of LevelDB is one.
import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { compareBytes } from "../../../services/lib/base/bytes.ts";
import { RangeSizeQuerySchema } from "../../../services/lib/gen/dolium/metadata/v1/metadata_pb.ts";
import { createKvFactory } from "../../../services/lib/host/level-kv.ts";
import { createDisk } from "../../../services/lib/host/node-disk.ts";
import { GroupState } from "../../../services/metadata/state/group-state.ts";
import { headKey } from "../../../services/metadata/state/keys.ts";
import { rangeSize } from "../../../services/metadata/state/queries/range-size.ts";
import type { FrozenState } from "../../../services/metadata/state/records.ts";
import { key, Machine, temporaryFolder } from "./harness.ts";

/** Small tables, so that few keys fill several. */
const KV = createKvFactory({ cacheBytes: 1 << 20, writeBufferBytes: 1 << 16, tableBytes: 1 << 16 });

async function machineOf(t: TestContext, names: readonly string[]): Promise<Machine> {
  let state: GroupState | undefined;
  const folder = join(await temporaryFolder(t, async () => state?.close()), "group");
  const deps = { disk: createDisk("/"), kvFactory: KV };
  state = await GroupState.open(deps, folder);
  const machine = new Machine(state);
  const body = { case: "inline" as const, value: new Uint8Array(0) };
  const version = { size: 0n, owner: "ann_org", etag: "0".repeat(32), body };
  for (let at = 0; at < names.length; at += 500) {
    const datas = names.slice(at, at + 500).map((name) => {
      const value = { bucketId: 1, key: key(name), version };
      return machine.entry({ case: "putObject", value });
    });
    await machine.applyData(datas);
  }
  // What is still in memory becomes a table when the store is opened again.
  await state.close();
  state = await GroupState.open(deps, folder);
  machine.state = state;
  return machine;
}

function numbered(count: number, prefix: string): string[] {
  return Array.from({ length: count }, (_, at) => prefix + String(at).padStart(6, "0"));
}

async function sizeOf(machine: Machine, value: object) {
  return machine.query({ case: "rangeSize", value: { bucketId: 1, ...value } });
}

test("a range of very many keys is cut near its middle, below a long common prefix too", async (t) => {
  const names = numbered(6000, "a/very/long/prefix/that/all/of/the/keys/have/");
  const machine = await machineOf(t, names);
  const whole = await sizeOf(machine, { cutAboveBytes: 0n });
  assert.ok(whole.bytes > 100_000n, String(whole.bytes));
  const cut = Buffer.from(whole.cut).toString("latin1");
  const below = names.filter((name) => name < cut).length;
  assert.ok(below > 1500 && below < 4500, `${below} of 6000 below ${cut}`);
  const [low, high] = await Promise.all([
    sizeOf(machine, { end: whole.cut, cutAboveBytes: 0n }),
    sizeOf(machine, { start: whole.cut, cutAboveBytes: 0n }),
  ]);
  const sum = low.bytes + high.bytes;
  assert.ok(sum > (whole.bytes * 9n) / 10n && sum < (whole.bytes * 11n) / 10n, String(sum));
  assert.ok(Buffer.from(low.cut).toString("latin1") < cut);
  assert.ok(Buffer.from(high.cut).toString("latin1") > cut);
});

test("no cut is looked for where the range is small, and none is found in one key", async (t) => {
  const machine = await machineOf(t, numbered(2000, "k"));
  const { bytes, cut } = await sizeOf(machine, { cutAboveBytes: 1n << 40n });
  assert.deepEqual([bytes > 0n, cut.byteLength], [true, 0]);
  const one = { start: key("k000007"), end: key("k000008"), cutAboveBytes: 0n };
  assert.equal((await sizeOf(machine, one)).cut.byteLength, 0);
  const empty = await sizeOf(machine, { start: key("x"), cutAboveBytes: 0n });
  assert.deepEqual([empty.bytes, empty.cut.byteLength], [0n, 0]);
  const turned = await sizeOf(machine, { start: key("m"), end: key("b"), cutAboveBytes: 0n });
  assert.deepEqual([turned.bytes, turned.cut.byteLength], [0n, 0]);
  const other = await sizeOf(machine, { bucketId: 2, cutAboveBytes: 0n });
  assert.equal(other.cut.byteLength, 0);
});

test("a sealed bucket has no size", async (t) => {
  const machine = await Machine.open(t);
  await machine.execute({ case: "sealBucket", value: { bucketId: 1 } });
  await assert.rejects(sizeOf(machine, {}), { code: "sealed" });
});

/** Heads in memory, with exact sizes; counts what is asked. */
class MemoryHeads implements FrozenState {
  readonly #keys: readonly Uint8Array[];
  readonly #bytesOf: (at: number) => number;
  asked = 0;

  constructor(names: readonly Uint8Array[], bytesOf: (at: number) => number) {
    this.#keys = names.map((name) => headKey(1, name)).sort(compareBytes);
    this.#bytesOf = bytesOf;
  }

  get(): undefined {
    return undefined;
  }

  async scan(range: Parameters<FrozenState["scan"]>[0], limit: number) {
    this.asked += 1;
    const keys = this.#keys.filter(
      (one) =>
        compareBytes(one, range.from) >= 0 &&
        (range.to === undefined || compareBytes(one, range.to) < 0),
    );
    return keys.slice(0, limit).map((one) => [one, new Uint8Array(0)] as const);
  }

  cursor(): never {
    throw new Error("a walk through keys");
  }

  async lastKey(range: Parameters<FrozenState["lastKey"]>[0]): Promise<Uint8Array | undefined> {
    return (await this.scan(range, Number.POSITIVE_INFINITY)).at(-1)?.[0];
  }

  async approximateBytes(from: Uint8Array, to: Uint8Array): Promise<number> {
    this.asked += 1;
    return this.#keys.reduce((sum, one, at) => {
      const isIn = compareBytes(one, from) >= 0 && compareBytes(one, to) < 0;
      return isIn ? sum + this.#bytesOf(at) : sum;
    }, 0);
  }
}

async function cutOf(heads: MemoryHeads): Promise<Buffer> {
  const query = create(RangeSizeQuerySchema, { bucketId: 1 });
  return Buffer.from((await rangeSize(heads, query)).cut);
}

test("whatever the keys are, a cut has a key on both sides and is found in bounded steps", async () => {
  const long = Buffer.alloc(1000, "p");
  const sets: Record<string, Uint8Array[]> = {
    "two keys": [key("a"), key("b")],
    "one behind the other": [key("a"), key("a\0"), key("a\0\0")],
    "prefixes of each other": Array.from({ length: 300 }, (_, at) => Buffer.alloc(at + 1, "q")),
    "far behind what they share": Array.from({ length: 100 }, (_, at) =>
      Buffer.concat([long, Buffer.of(at)]),
    ),
    "all bytes": Array.from({ length: 256 }, (_, at) => Buffer.of(at, 255 - at)),
    "at the end of the bytes": Array.from({ length: 50 }, (_, at) => Buffer.alloc(at + 1, 0xff)),
  };
  const weights: Record<string, (at: number) => number> = {
    equal: () => 10,
    "all in the first": (at) => (at === 0 ? 1_000_000 : 1),
    "growing by doubles": (at) => 2 ** Math.min(at, 40),
  };
  for (const [what, names] of Object.entries(sets)) {
    for (const [weight, bytesOf] of Object.entries(weights)) {
      const heads = new MemoryHeads(names, bytesOf);
      const cut = await cutOf(heads);
      const below = names.filter((name) => compareBytes(name, cut) < 0).length;
      const told = `${what}, ${weight}: ${below} of ${names.length} below ${cut.toString("hex")}`;
      assert.ok(cut.byteLength > 0 && below > 0 && below < names.length, told);
      assert.ok(heads.asked < 1500, `${told}: ${heads.asked} questions`);
      if (weight === "equal" && names.length >= 50) {
        assert.ok(below > names.length / 4 && below < (names.length * 3) / 4, told);
      }
    }
  }
});

test("a cut is as short as it can be", async () => {
  const names = numbered(100, "folder/").map((name) => key(`${name}/and-a-long-name.jpeg`));
  assert.ok((await cutOf(new MemoryHeads(names, () => 10))).byteLength <= "folder/000050".length);
});
