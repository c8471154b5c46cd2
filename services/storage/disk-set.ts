// The disks of one process. Each has its own store; one that fails, or cannot even be opened, is
// reported and does not touch the others, and may be opened again when it works again. Ids of disks
// come from the cluster; until they are known no shard can be asked for, and an unknown id is never
// answered with "not-found".

import { assert, present } from "../lib/base/assert.ts";
import { Mutex, mapBounded } from "../lib/base/bounded.ts";
import { compareBytes, toHex } from "../lib/base/bytes.ts";
import { isStoreError, StoreError, toStoreError } from "../lib/base/errors.ts";
import { probeFolder, readUuid } from "./disk-identity.ts";
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

interface DiskSetParts {
  readonly deps: ShardStoreDeps;
  readonly settings: ShardStoreSettings;
  readonly slots: DiskSlot[];
}

export class DiskSet {
  readonly #deps: ShardStoreDeps;
  readonly #settings: ShardStoreSettings;
  readonly #slots: DiskSlot[];
  /** Failed stores whose calls have not all ended. */
  readonly #retiring = new Map<number, ShardStore>();
  readonly #reviving = new Mutex();
  /** Places in the list of slots. */
  #byId = new Map<number, number>();

  private constructor({ deps, settings, slots }: DiskSetParts) {
    this.#deps = deps;
    this.#settings = settings;
    this.#slots = slots;
  }

  get slots(): readonly DiskSlot[] {
    return this.#slots;
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
    return new DiskSet({ deps, settings, slots });
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
    const ids = new Map<number, number>();
    let next = 0;
    this.#slots.forEach(({ uuid }, place) => {
      if (uuid === undefined) return;
      const id = diskIds[next];
      next += 1;
      if (id !== undefined) ids.set(id, place);
    });
    this.#byId = ids;
  }

  get ids(): readonly (readonly [number, DiskSlot])[] {
    return [...this.#byId].map(([id, place]) => [id, this.#slot(place)] as const);
  }

  /** Where the disk stands in `slots`; undefined when its id is not known here. */
  placeOf(diskId: number): number | undefined {
    return this.#byId.get(diskId);
  }

  /**
   * Throws "unavailable" when the id is not known here (yet), "io" when that disk could not be
   * opened.
   */
  store(diskId: number): ShardStore {
    const place = this.#byId.get(diskId);
    if (place === undefined)
      throw new StoreError("unavailable", `disk ${diskId} is not served here`);
    const { store } = this.#slot(place);
    if (store === undefined) throw new StoreError("io", `disk ${diskId} could not be opened`);
    return store;
  }

  /** The disk takes no writes because it failed, or could not be opened. */
  isFailed(place: number): boolean {
    const { store } = this.#slot(place);
    return store === undefined || store.status.condition === "failed";
  }

  /**
   * Opens a failed disk anew, if it is the same disk and can be written: ends what still runs on
   * it, recovers it from its segments, and copies what was not known to be power-safe. It serves
   * again when this resolves; before, and if it throws, it is "io". Does nothing for a disk that
   * has not failed. Throws why not: "io", "conflict" (another disk, or none, is in its folder),
   * "aborted" (running calls did not end).
   */
  async revive(place: number, signal: AbortSignal): Promise<void> {
    await this.#reviving.run(async () => {
      if (!this.isFailed(place)) return;
      const { folder, uuid, store } = this.#slot(place);
      const found = await this.#probe(folder, uuid);
      if (store !== undefined) this.#retiring.set(place, store);
      this.#slots[place] = { folder, uuid: found, store: undefined };
      const former = this.#retiring.get(place);
      await former?.retire(signal);
      this.#retiring.delete(place);
      const options = { ...this.#settings, trust: "sealed" as const };
      const opened = await ShardStore.open(this.#deps, folder, options);
      this.#slots[place] = { folder, uuid: found, store: opened };
      if (opened.status.condition === "failed") throw new StoreError("io", "it failed again");
    });
  }

  /** Its uuid, once a file could be written and synced there. */
  async #probe(folder: string, uuid: Uint8Array | undefined): Promise<Uint8Array> {
    const found = await readUuid(this.#deps.disk, folder);
    if (found === undefined) throw new StoreError("io", "the disk's identity cannot be read");
    const isSame = uuid === undefined || compareBytes(found, uuid) === 0;
    const others = this.#slots.filter((slot) => slot.folder !== folder);
    const isCopy = others.some((slot) => slot.uuid && compareBytes(slot.uuid, found) === 0);
    if (!isSame || isCopy) {
      throw new StoreError("conflict", "another disk is in its folder: restart to take it");
    }
    await probeFolder(this.#deps.disk, folder);
    return found;
  }

  #slot(place: number): DiskSlot {
    assert(place >= 0 && place < this.#slots.length, `no disk at place ${place}`);
    return present(this.#slots[place], "slot");
  }

  get stores(): readonly ShardStore[] {
    return this.slots.flatMap(({ store }) => (store === undefined ? [] : [store]));
  }

  async close(): Promise<void> {
    const all = [...this.stores, ...this.#retiring.values()];
    await mapBounded(all, OPEN_WIDTH, (store) => store.close());
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
