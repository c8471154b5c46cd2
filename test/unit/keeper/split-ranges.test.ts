// The keeper cuts ranges that grew large, once, whoever else does the same; what it cannot look at
// is left for later.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { BucketCatalog } from "../../../services/keeper/buckets/bucket-catalog.ts";
import { type SplitDeps, splitRanges } from "../../../services/keeper/ranges/split-ranges.ts";
import { utf8 } from "../../../services/lib/base/bytes.ts";
import { StoreError } from "../../../services/lib/base/errors.ts";
import type {
  QueryAnswer,
  QueryCase,
  QueryKind,
} from "../../../services/lib/clients/metadata-client.ts";
import { createClock } from "../../../services/lib/host/clock.ts";
import { StateMetadata } from "../../s3/state-metadata.ts";
import { MemoryLog } from "../gateway/memory-gateway.ts";

const NEVER = new AbortController().signal;
const LIMIT = 100;

/** Real state machines, whose groups say of a range what `size` says. */
class Setting {
  readonly log = new MemoryLog();
  readonly #state: StateMetadata;
  size: (start: string, end: string) => { bytes: bigint; cut: Uint8Array };

  constructor(state: StateMetadata) {
    this.#state = state;
    this.size = () => ({ bytes: 0n, cut: new Uint8Array(0) });
  }

  static async open(t: TestContext): Promise<Setting> {
    const state = await StateMetadata.open();
    t.after(() => state.close());
    return new Setting(state);
  }

  async bucket(name: string): Promise<void> {
    await this.#state.execute(1, { case: "createBucket", value: { name, owner: "root" } });
  }

  async ranges(name: string): Promise<string[]> {
    const { bucket } = await this.#state.query(1, { case: "getBucket", value: { name } });
    const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
    return (bucket?.ranges ?? []).map(({ start, end }) => `${text(start)}-${text(end)}`);
  }

  round(signal: AbortSignal = NEVER): Promise<number> {
    const metadata: SplitDeps["metadata"] = {
      execute: (groupId, kind, options) => this.#state.execute(groupId, kind, options),
      query: async <C extends QueryCase>(
        groupId: number,
        kind: Extract<QueryKind, { case: C }>,
      ): Promise<QueryAnswer<C>> => {
        const answer = await this.#state.query<C>(groupId, kind);
        const asked: QueryKind = kind;
        if (asked.case !== "rangeSize") return answer;
        const { start = [], end = [] } = asked.value;
        const told = this.size(Buffer.from(start).toString(), Buffer.from(end).toString());
        // Checked boundary: the case was looked at just above.
        return { ...answer, ...told } as QueryAnswer<C>;
      },
    };
    const deps = { metadata, log: this.log, config: { rangeSplitBytes: LIMIT } };
    return splitRanges(deps, new BucketCatalog({ metadata, clock: createClock() }), signal);
  }
}

/** Says that every range is large, with a cut by its borders. */
function cuts(byRange: Readonly<Record<string, string>>): Setting["size"] {
  return (start, end) => {
    const at = byRange[`${start}-${end}`] ?? "";
    return { bytes: BigInt(at === "" ? 1 : LIMIT + 1), cut: utf8(at) };
  };
}

test("what is large is cut, and its halves by the next look while they are", async (t) => {
  const setting = await Setting.open(t);
  await setting.bucket("one");
  await setting.bucket("two");
  assert.equal(await setting.round(), 0);
  setting.size = cuts({ "-": "m", "m-": "t" });
  assert.equal(await setting.round(), 2);
  assert.deepEqual(await setting.ranges("one"), ["-m", "m-"]);
  assert.equal(await setting.round(), 2);
  assert.deepEqual(await setting.ranges("two"), ["-m", "m-t", "t-"]);
  assert.equal(await setting.round(), 0);
});

test("two keepers that look at the same time cut once", async (t) => {
  const setting = await Setting.open(t);
  await setting.bucket("one");
  setting.size = cuts({ "-": "m" });
  await Promise.all([setting.round(), setting.round()]);
  assert.deepEqual(await setting.ranges("one"), ["-m", "m-"]);
});

test("a cut by a map that is old by then changes nothing", async (t) => {
  const setting = await Setting.open(t);
  await setting.bucket("one");
  setting.size = cuts({ "-": "m" });
  await setting.round();
  let isFirst = true;
  setting.size = (start, end) => {
    if (start !== "" || !isFirst) return { bytes: 0n, cut: new Uint8Array(0) };
    isFirst = false;
    assert.equal(end, "m");
    // A stranger's answer: the range that holds it has another epoch than the one looked at.
    return { bytes: BigInt(LIMIT + 1), cut: utf8("m") };
  };
  await setting.round();
  assert.deepEqual(await setting.ranges("one"), ["-m", "m-"]);
});

test("a bucket whose group does not answer is told in the log, the others are cut", async (t) => {
  const setting = await Setting.open(t);
  await setting.bucket("one");
  await setting.bucket("two");
  let failures = 0;
  setting.size = (start, end) => {
    failures += 1;
    if (failures === 1) throw new StoreError("unavailable", "no leader");
    return cuts({ "-": "m" })(start, end);
  };
  assert.equal(await setting.round(), 1);
  const warnings = setting.log.lines.filter(({ level }) => level === "warn");
  assert.equal(warnings.length, 1);
  setting.size = cuts({ "-": "m" });
  assert.equal(await setting.round(), 1);
});

test("nothing is begun once the lease is gone", async (t) => {
  const setting = await Setting.open(t);
  await setting.bucket("one");
  setting.size = cuts({ "-": "m" });
  assert.equal(await setting.round(AbortSignal.abort()), 0);
  assert.deepEqual(await setting.ranges("one"), ["-"]);
});
