// Stores that are filled once, damaged in a copy and asked for everything they held: a disk of a
// storage node, a metadata group's state, a Raft log; all on real files and the real LevelDB.
// What they answer may be right or an error, never wrong.

import { isStoreError } from "../../services/lib/base/errors.ts";
import { Outcome } from "../../services/lib/gen/dolium/record/v1/command_pb.ts";
import { createKvFactory } from "../../services/lib/host/level-kv.ts";
import { createDisk } from "../../services/lib/host/node-disk.ts";
import { GroupState } from "../../services/metadata/state/group-state.ts";
import type { LogLine } from "../sim/observers.ts";
import { key, Machine, stateDeps } from "../unit/metadata/harness.ts";
import { entries, openLog, plain, readAll } from "../unit/metadata/log-rig.ts";
import {
  deleteItem,
  makeShard,
  openStore,
  readShard,
  writeShard,
} from "../unit/storage/store-fixture.ts";

/** "noticed": an error or a complaint; "harmless": everything is there and right. */
export type Verdict = "noticed" | "harmless";

export interface Subject {
  readonly name: string;
  /** Makes and closes the store in `folder`. */
  fill(folder: string): Promise<void>;
  /** Opens the damaged store and asks for all it held. Throws Error for a wrong answer. */
  judge(folder: string): Promise<Verdict>;
}

const disk = createDisk("/");
const kvFactory = createKvFactory({ cacheBytes: 1 << 20, writeBufferBytes: 8192 });

const SHARDS = 14;
const DELETED = new Set([2, 7, 11]);
const SIZES = [700, 3000, 9000];
const shardOf = (number: number) =>
  makeShard(number, { bytes: SIZES[number % SIZES.length] ?? 700, cellBytes: 2048 });

const shardStore: Subject = {
  name: "shard store",
  async fill(folder) {
    const store = await openStore({ disk, kvFactory }, {}, folder);
    for (let number = 0; number < SHARDS; number += 1) await writeShard(store, shardOf(number));
    await store.checkpoint();
    await store.deleteShards([...DELETED].map((number) => deleteItem(shardOf(number))));
    await store.close();
  },
  async judge(folder) {
    const lines: LogLine[] = [];
    const opened = await opening(openStore({ disk, kvFactory, lines }, {}, folder));
    if (opened === undefined) return "noticed";
    let missing = 0;
    try {
      for (let number = 0; number < SHARDS; number += 1) {
        const shard = shardOf(number);
        const bytes = await opening(readShard(opened, shard.name));
        const isDeleted = DELETED.has(number);
        if (bytes === undefined) {
          const state = await opening(opened.stat(shard.name, true));
          if (state === "present") throw new Error(`shard ${number} is present, but unreadable`);
          if (!isDeleted) missing += 1;
        } else if (isDeleted) throw new Error(`shard ${number} came back`);
        else if (!Buffer.from(bytes).equals(Buffer.from(shard.body))) {
          throw new Error(`shard ${number} has wrong bytes`);
        }
      }
    } finally {
      await opened.close();
    }
    const isToldOf = lines.some(({ level }) => level === "error" || level === "warn");
    return missing > 0 || isToldOf ? "noticed" : "harmless";
  },
};

const COMMANDS = 120;
const KEYS = 17;
const nameOf = (at: number): string => `key-${at % KEYS}`;
const bodyOf = (at: number): string => `body of command ${at} `.repeat(1 + (at % 9));

const groupState: Subject = {
  name: "metadata state",
  async fill(folder) {
    const deps = { ...stateDeps, kvFactory };
    const machine = new Machine(await GroupState.open(deps, folder));
    for (let at = 1; at <= COMMANDS; at += 1) {
      const body = { case: "inline" as const, value: Buffer.from(bodyOf(at)) };
      const version = { size: BigInt(bodyOf(at).length), etag: `e${at}`, body };
      const value = { bucketId: 1, key: key(nameOf(at)), version };
      const { outcome } = await machine.execute({ case: "putObject", value });
      if (outcome !== Outcome.OK) throw new Error(`fill: outcome ${outcome}`);
    }
    await machine.state.flush();
    await machine.state.close();
  },
  async judge(folder) {
    const state = await opening(GroupState.open({ ...stateDeps, kvFactory }, folder));
    if (state === undefined) return "noticed";
    try {
      // A lost end of the newest log is a state further back: the Raft log applies it again.
      const last = state.appliedIndex;
      const machine = new Machine(state);
      for (let at = Math.max(1, last - KEYS + 1); at <= last; at += 1) {
        const value = { bucketId: 1, key: key(nameOf(at)), withBody: true };
        const answer = await opening(machine.query({ case: "getObject", value }));
        if (answer === undefined) return "noticed";
        const found = Buffer.from(answer.version?.body.value ?? "").toString();
        if (found !== bodyOf(at)) throw new Error(`state at ${last}: ${nameOf(at)} is ${found}`);
      }
      return last === COMMANDS ? "harmless" : "noticed";
    } finally {
      await state.close();
    }
  },
};

const ENTRIES = 60;

const raftLog: Subject = {
  name: "Raft log",
  async fill(folder) {
    const log = await openLog(disk, { path: folder, segmentBytes: 9000 });
    await log.append([{ groupId: 1, start: { index: 0, term: 0 } }]);
    for (let index = 1; index <= ENTRIES; index += 1) {
      await log.append([{ groupId: 1, entries: entries(index, index, 1, 500) }]);
    }
    await log.close();
  },
  async judge(folder) {
    const log = await opening(openLog(disk, { path: folder, segmentBytes: 9000 }));
    if (log === undefined) return "noticed";
    try {
      const found = await opening(readAll(log, 1));
      if (found === undefined) return "noticed";
      const right = plain(entries(1, found.length, 1, 500));
      const differs = plain(found).findIndex((text, at) => text !== right[at]);
      if (differs >= 0) throw new Error(`entry ${differs + 1} is not what was written`);
      return found.length === ENTRIES ? "harmless" : "noticed";
    } finally {
      await opening(log.close());
    }
  },
};

export const SUBJECTS: readonly Subject[] = [shardStore, groupState, raftLog];

/** The result, or undefined for an error that a store may give when it finds damage. */
async function opening<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (isStoreError(error)) return undefined;
    throw error;
  }
}
