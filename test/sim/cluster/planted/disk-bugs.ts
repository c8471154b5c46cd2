// Bugs below the services: syncs that are skipped, a replica that loses what it stored.
import type { Disk, DiskFile } from "../../../../services/lib/ports/disk.ts";
import type { Kv, KvFactory } from "../../../../services/lib/ports/kv.ts";
import type { Bug } from "./bug.ts";

type Pause = () => Promise<void>;

/** Files below `folder` say that they are synced after as long as that takes. */
function withoutSync(disk: Disk, folder: string, pause: Pause): Disk {
  const lying = (file: DiskFile): DiskFile => ({ ...file, datasync: pause });
  return {
    ...disk,
    open: async (path, mode) => {
      const file = await disk.open(path, mode);
      return path.includes(folder) ? lying(file) : file;
    },
  };
}

/** One batch of so many is said to be written and is not. */
const LOST_EVERY = 40;
const FORGETFUL = "metadata-2";

function forgetful(factory: KvFactory): KvFactory {
  let count = 0;
  const forgetting = (kv: Kv): Kv => ({
    get: (key) => kv.get(key),
    getMany: (keys) => kv.getMany(keys),
    iterate: (range) => kv.iterate(range),
    approximateBytes: (from, to) => kv.approximateBytes(from, to),
    snapshot: () => kv.snapshot(),
    compact: () => kv.compact(),
    close: () => kv.close(),
    write: async (operations, options) => {
      count += 1;
      const lost = count % LOST_EVERY === 0 ? operations.slice(1) : operations;
      await kv.write(lost, options);
    },
  });
  return {
    open: async (path) => forgetting(await factory.open(path)),
    verify: (path) => factory.verify(path),
    destroy: (path) => factory.destroy(path),
  };
}

export const DISK_BUGS = {
  "skipped-fsync-storage": {
    what: "Storage nodes acknowledge shards without syncing them.",
    checks: ["census", "versions", "liveness", "bytes"],
    faults: ["power-cut-of-all"],
    seed: 1,
    places: {
      disk: (role, disk, pause) =>
        role === "storage" ? withoutSync(disk, "/segments/", pause) : disk,
    },
  },
  "skipped-fsync-raft-log": {
    what: "The Raft log acknowledges entries without syncing them.",
    checks: ["linearizable", "versions", "replicas", "answers", "liveness"],
    faults: ["power-cut-of-all"],
    seed: 1,
    places: {
      disk: (role, disk, pause) => (role === "metadata" ? withoutSync(disk, "/log/", pause) : disk),
    },
  },
  "replica-forgets": {
    what: "A replica loses a part of what it applied.",
    checks: ["replicas", "liveness", "linearizable", "versions", "answers"],
    seed: 1,
    places: {
      kvFactory: (name, factory) => (name === FORGETFUL ? forgetful(factory) : factory),
    },
  },
} as const satisfies Readonly<Record<string, Bug>>;
