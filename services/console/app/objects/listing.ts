// What one place of a bucket holds, page by page, and what of it is picked.
import { signal } from "@preact/signals";
import { type ListedObject, type ListPage, listObjects, listVersions } from "../s3.ts";
import { textOf } from "../state.ts";

export interface ListingPlace {
  readonly bucket: string;
  /** Ends with "/", or is empty. */
  readonly folder: string;
  /** What names must begin with, behind the folder. */
  readonly filter: string;
  readonly withVersions: boolean;
}

export function idOf(item: ListedObject): string {
  return `${item.isFolder ? "d" : "f"} ${item.versionId ?? ""} ${item.key}`;
}

export class Listing {
  readonly place: ListingPlace;
  readonly items = signal<readonly ListedObject[]>([]);
  readonly isMore = signal(true);
  readonly failure = signal("");
  readonly picked = signal<ReadonlyMap<string, ListedObject>>(new Map());
  #next: ListPage["next"] = {};
  #isAsking = false;

  constructor(place: ListingPlace) {
    this.place = place;
  }

  /** Asks for the next page, unless one is under way or there is none. */
  async more(): Promise<void> {
    if (this.#isAsking || this.#next === undefined) return;
    this.#isAsking = true;
    const { bucket, folder, filter, withVersions } = this.place;
    try {
      const list = withVersions ? listVersions : listObjects;
      const page = await list(bucket, folder + filter, this.#next);
      this.#next = page.next;
      // The marker of the folder itself is no entry of it.
      const items = page.items.filter((item) => item.key !== folder || withVersions);
      this.items.value = [...this.items.value, ...items];
      this.isMore.value = page.next !== undefined;
      this.failure.value = "";
    } catch (error) {
      this.failure.value = textOf(error);
      this.isMore.value = false;
    } finally {
      this.#isAsking = false;
    }
  }

  pick(item: ListedObject): void {
    const next = new Map(this.picked.value);
    const id = idOf(item);
    if (!next.delete(id)) next.set(id, item);
    this.picked.value = next;
  }

  isPicked(item: ListedObject): boolean {
    return this.picked.value.has(idOf(item));
  }

  pickAll(): void {
    const { items, picked } = this;
    const all = picked.value.size < items.value.length ? items.value : [];
    picked.value = new Map(all.map((item) => [idOf(item), item]));
  }
}
