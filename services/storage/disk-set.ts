// The disks of one process. Each has its own store; one that fails, or cannot even be opened, is
// reported and does not touch the others. Ids of disks come from the cluster; until they are known
// no shard can be asked for, and an unknown id is never answered with "not-found".

import { mapBounded } from "../lib/base/bounded.ts";
import { toHex } from "../lib/base/bytes.ts";
import { isStoreError, StoreError, toStoreError } from "../lib/base/errors.ts";
import { readUuid } from "./disk-identity.ts";
import type { ShardStoreSettings } from "./settings.ts";
import { ShardStore, type ShardStoreDeps } from "./shard-store.ts";

export interface DiskSlot {
  readonly folder: string;
  /** Undefined when not even the identity could be read. */
  readonly uuid: Uint8Array | undefined;
  /** Undefined when the disk could not be opened. */
  readonly store: ShardStore | undefined;
}

const OPEN_WIDTH = 8;

export class DiskSet {
  readonly slots: readonly DiskSlot[];
  #byId = new Map<number, DiskSlot>();

  private constructor(slots: readonly DiskSlot[]) {
    this.slots = slots;
  }

  /**
   * Opens every folder. Throws "denied" when one may not be written (a mistake of the installation,
   * not a broken disk) and "invalid" when two folders are the same disk.
   */
  static async open(
    deps: ShardStoreDeps,
    folders: readonly string[],
    settings: ShardStoreSettings,
  ): Promise<DiskSet> {
    if (new Set(folders).size < folders.length) {
      throw new StoreError("invalid", `a disk's folder is named twice: ${folders.join(", ")}`);
    }
    const slots = await mapBounded(folders, OPEN_WIDTH, (folder) =>
      openSlot(deps, folder, settings),
    );
    const seen = new Map<string, string>();
    for (const { folder, uuid } of slots) {
      if (uuid === undefined) continue;
      const other = seen.get(toHex(uuid));
      if (other !== undefined) {
        throw new StoreError("invalid", `${folder} and ${other} have the same disk uuid: a copy?`);
      }
      seen.set(toHex(uuid), folder);
    }
    return new DiskSet(slots);
  }

  /** Disks that can be named to the cluster, in a fixed order. */
  get named(): readonly (DiskSlot & { readonly uuid: Uint8Array })[] {
    return this.slots.flatMap((slot) => {
      const { uuid } = slot;
      return uuid === undefined ? [] : [{ ...slot, uuid }];
    });
  }

  /** `diskIds[i]` is the id of `named[i]`. */
  assignIds(diskIds: readonly number[]): void {
    const ids = new Map<number, DiskSlot>();
    this.named.forEach((slot, index) => {
      const id = diskIds[index];
      if (id !== undefined) ids.set(id, slot);
    });
    this.#byId = ids;
  }

  get ids(): readonly (readonly [number, DiskSlot])[] {
    return [...this.#byId];
  }

  /**
   * Throws "unavailable" when the id is not known here (yet), "io" when that disk could not be
   * opened.
   */
  store(diskId: number): ShardStore {
    const slot = this.#byId.get(diskId);
    if (slot === undefined)
      throw new StoreError("unavailable", `disk ${diskId} is not served here`);
    if (slot.store === undefined) throw new StoreError("io", `disk ${diskId} could not be opened`);
    return slot.store;
  }

  get stores(): readonly ShardStore[] {
    return this.slots.flatMap(({ store }) => (store === undefined ? [] : [store]));
  }

  async close(): Promise<void> {
    await mapBounded(this.stores, OPEN_WIDTH, (store) => store.close());
  }
}

async function openSlot(
  deps: ShardStoreDeps,
  folder: string,
  settings: ShardStoreSettings,
): Promise<DiskSlot> {
  try {
    const store = await ShardStore.open(deps, folder, settings);
    return { folder, uuid: store.uuid, store };
  } catch (error) {
    if (isStoreError(error, "denied")) throw error;
    deps.log.error("a disk cannot be opened", toStoreError(error, "io"), { folder });
    const uuid = await readUuid(deps.disk, folder);
    return { folder, uuid, store: undefined };
  }
}
