// The contents of a simulated disk: files and folders, each with what a reader sees now, what would
// survive a power cut, and the changes that lie between. Strict POSIX: syncing a file makes its
// bytes durable but not its name; syncing a folder makes the names in it durable.
import type { SimRandom } from "./random.ts";

/**
 * "all", "none" or a "random" subset of unsynced changes survives; "torn" tears each file's last.
 */
export type CrashMode = "all" | "none" | "random" | "torn";

const SECTOR_BYTES = 512;

type FileChange =
  | { readonly kind: "write"; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly kind: "truncate"; readonly length: number };

class Content {
  bytes = new Uint8Array(0);
  length = 0;

  apply(change: FileChange): void {
    if (change.kind === "truncate") {
      this.#reserve(change.length);
      if (change.length < this.length) this.bytes.fill(0, change.length, this.length);
      this.length = change.length;
      return;
    }
    const end = change.offset + change.bytes.byteLength;
    this.#reserve(end);
    this.bytes.set(change.bytes, change.offset);
    this.length = Math.max(this.length, end);
  }

  view(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  copy(): Content {
    const content = new Content();
    content.bytes = this.view().slice();
    content.length = this.length;
    return content;
  }

  #reserve(length: number): void {
    if (length <= this.bytes.byteLength) return;
    const grown = new Uint8Array(Math.max(length, this.bytes.byteLength * 2, SECTOR_BYTES));
    grown.set(this.view());
    this.bytes = grown;
  }
}

/** The sectors of a write that happened to reach the platter. */
function tear(change: FileChange, random: SimRandom): FileChange[] {
  if (change.kind === "truncate") return random.chance(0.5) ? [change] : [];
  const kept: FileChange[] = [];
  const end = change.offset + change.bytes.byteLength;
  let at = change.offset;
  while (at < end) {
    const stop = Math.min(end, (Math.floor(at / SECTOR_BYTES) + 1) * SECTOR_BYTES);
    if (random.chance(0.5)) {
      const bytes = change.bytes.subarray(at - change.offset, stop - change.offset);
      kept.push({ kind: "write", offset: at, bytes });
    }
    at = stop;
  }
  return kept;
}

export class FileNode {
  readonly kind = "file";
  #now = new Content();
  #durable = new Content();
  #pending: FileChange[] = [];

  get length(): number {
    return this.#now.length;
  }

  view(): Uint8Array {
    return this.#now.view();
  }

  /** Bytes that would be read after losing everything unsynced. */
  durableView(): Uint8Array {
    return this.#durable.view();
  }

  change(change: FileChange): void {
    this.#now.apply(change);
    this.#pending.push(change);
  }

  /** Marks what a sync that starts now covers. */
  syncMark(): readonly FileChange[] {
    return [...this.#pending];
  }

  /** Ends that sync: what it covered is durable, or lost for good though readers still see it. */
  syncEnd(mark: readonly FileChange[], durable: boolean): void {
    const covered = new Set(mark);
    const open = this.#pending.filter((change) => covered.has(change));
    if (durable) for (const change of open) this.#durable.apply(change);
    this.#pending = this.#pending.filter((change) => !covered.has(change));
  }

  flipBit(offset: number, bit: number): void {
    for (const content of [this.#now, this.#durable]) {
      const byte = content.bytes[offset];
      if (offset < content.length && byte !== undefined) content.bytes[offset] = byte ^ (1 << bit);
    }
  }

  crash(mode: CrashMode, random: SimRandom): void {
    this.#pending.forEach((change, at) => {
      const last = at === this.#pending.length - 1;
      if (mode === "none") return;
      if (mode === "random" && !random.chance(0.5)) return;
      const torn = (mode === "torn" && last) || (mode === "random" && random.chance(0.2));
      const parts = torn ? tear(change, random) : [change];
      for (const part of parts) this.#durable.apply(part);
    });
    this.#pending = [];
    this.#now = this.#durable.copy();
  }
}

export type Node = FileNode | FolderNode;

/** One change of names; a rename has two parts and happens as a whole. */
interface NameChange {
  readonly parts: readonly {
    readonly folder: FolderNode;
    readonly name: string;
    readonly node: Node | undefined;
  }[];
}

function setName(names: Map<string, Node>, name: string, node: Node | undefined): void {
  if (node === undefined) names.delete(name);
  else names.set(name, node);
}

export class FolderNode {
  readonly kind = "folder";
  readonly #now = new Map<string, Node>();
  readonly #durable = new Map<string, Node>();
  #pending: NameChange[] = [];

  get(name: string): Node | undefined {
    return this.#now.get(name);
  }

  names(): string[] {
    return [...this.#now.keys()].sort();
  }

  /** Every node below, by name now or by name after a crash. */
  children(): Node[] {
    return [...new Set([...this.#now.values(), ...this.#durable.values()])];
  }

  static change(change: NameChange): void {
    for (const part of change.parts) {
      setName(part.folder.#now, part.name, part.node);
      if (!part.folder.#pending.includes(change)) part.folder.#pending.push(change);
    }
  }

  sync(): void {
    for (const change of [...this.#pending]) FolderNode.#settle(change, true);
  }

  crash(mode: CrashMode, random: SimRandom): void {
    for (const change of [...this.#pending]) {
      FolderNode.#settle(change, mode === "all" || (mode !== "none" && random.chance(0.5)));
    }
    this.#now.clear();
    for (const [name, node] of this.#durable) this.#now.set(name, node);
  }

  static #settle(change: NameChange, durable: boolean): void {
    for (const part of change.parts) {
      if (durable) setName(part.folder.#durable, part.name, part.node);
      part.folder.#pending = part.folder.#pending.filter((other) => other !== change);
    }
  }
}

/** Calls `visit` for every file and folder below `folder`, once each. */
export function walk(folder: FolderNode, visit: (node: Node) => void): void {
  visit(folder);
  for (const child of folder.children()) {
    if (child.kind === "folder") walk(child, visit);
    else visit(child);
  }
}
