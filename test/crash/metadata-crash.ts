// Every disk operation of a metadata cluster's life may be the last before the power goes:
// formation, commands of several groups in one commit, flushes, cuts of the log, restarts, and the
// replacement of a replica (join, snapshot, change of members). After each cut all replicas come
// back, keep every acknowledged write, keep deletes deleted, agree, find nothing corrupt and go on.
import assert from "node:assert/strict";
import { Outcome } from "../../services/lib/gen/dolium/record/v1/command_pb.ts";
import type { CrashMode } from "../sim/disk.ts";
import { MetadataWorld } from "./metadata-world.ts";

const GROUPS = [2, 3] as const;

interface Belief {
  readonly group: number;
  readonly key: string;
  sure: string | undefined;
  readonly maybe: Set<string | undefined>;
}

export interface MetadataCrashOptions {
  readonly replicas: 1 | 3;
  readonly mode: CrashMode;
  readonly seed: number;
}

class Run {
  readonly world: MetadataWorld;
  readonly #beliefs = new Map<string, Belief>();
  #hasBucket: "no" | "maybe" | "yes" = "no";
  #writes = 0;

  constructor({ replicas, seed }: MetadataCrashOptions) {
    this.world = new MetadataWorld(seed, replicas);
  }

  async whole(): Promise<void> {
    const { world } = this;
    await world.startAll();
    await world.serving();
    this.#hasBucket = "maybe";
    assert.equal(await world.createBucket("books"), Outcome.OK);
    this.#hasBucket = "yes";
    for (let round = 0; round < 4; round += 1) {
      await Promise.all(GROUPS.flatMap((group) => [0, 1].map((at) => this.#write(group, at))));
      await Promise.all(GROUPS.map((group) => this.#write(group, 2 + round)));
      await Promise.all(GROUPS.map((group) => this.#write(group, 1 + round, true)));
    }
    if (world.names.length > 1) {
      const [first = ""] = world.names;
      const writing = Promise.all(GROUPS.map((group) => this.#write(group, 9)));
      await world.replace(first);
      await writing;
      await world.serving();
    }
    for (const group of GROUPS) await this.#write(group, 0);
  }

  async #write(group: number, at: number, isDelete = false): Promise<void> {
    const key = `${group}/k${at}`;
    this.#writes += 1;
    const body = isDelete ? undefined : `${key} written as number ${this.#writes}`;
    let belief = this.#beliefs.get(key);
    if (belief === undefined) {
      belief = { group, key, sure: undefined, maybe: new Set() };
      this.#beliefs.set(key, belief);
    }
    belief.maybe.add(body);
    assert.equal(await this.world.put(group, key, body), Outcome.OK);
    belief.sure = body;
    belief.maybe.clear();
  }

  /** All replicas are there and hold what was acknowledged. */
  async check(where: string): Promise<void> {
    const { world } = this;
    await world.startAll();
    await world.serving();
    for (const belief of this.#beliefs.values()) {
      const { group, key, sure, maybe } = belief;
      const found = await world.bodyOf(group, key);
      const isAllowed = found === sure || maybe.has(found);
      assert.ok(isAllowed, `${where}: ${key} is ${found}; acknowledged ${sure}`);
      belief.sure = found;
      maybe.clear();
    }
    if (this.#hasBucket !== "no") {
      const outcome = await world.createBucket("books");
      if (this.#hasBucket === "yes") assert.notEqual(outcome, Outcome.OK, `${where}: no bucket`);
    }
    await world.checkReplicas();
    for (const group of GROUPS) await this.#write(group, 5);
  }

  /** Honest disks: nobody may find anything damaged. */
  checkLog(where: string): void {
    const bad = this.world.lines.filter(({ level }) => level === "error");
    const words = bad.map(({ message, error }) => `${message}: ${String(error)}`);
    assert.deepEqual(words, [], where);
  }
}

/** How many disk operations may be the last. */
export async function countMetadataChanges(options: MetadataCrashOptions): Promise<number> {
  const run = new Run(options);
  await run.world.drive(run.whole());
  run.checkLog("without a cut");
  return run.world.disk.changeCount;
}

/** Cuts the power after changing operation `change`; throws when something does not hold. */
export async function crashMetadata(options: MetadataCrashOptions, change: number): Promise<void> {
  const { mode, seed, replicas } = options;
  const where = `${replicas} replicas, ${mode} after change ${change}, seed ${seed}`;
  const run = new Run(options);
  const { world } = run;
  world.cutAfter(change, mode);
  await world.drive(run.whole());
  assert.ok(world.isCut, `${where}: the work ended before`);
  for (const when of ["", ", again"]) {
    world.powerOn();
    await world.drive(run.check(where + when));
    run.checkLog(where + when);
    world.disk.crash(mode);
  }
}
