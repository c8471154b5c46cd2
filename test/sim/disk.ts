// A disk in memory that loses what was not synced. `crash` cuts the power: open files go dead, a
// chosen part of the unsynced writes, truncations, creations, renames and removals survives. Faults
// are injected by a predicate over numbered operations; any operation can be made the last one
// before a crash, so that tests can enumerate every crash point. Deterministic: all chance comes
// from `random`.
import { assert } from "../../services/lib/base/assert.ts";
import { type ErrorCode, StoreError } from "../../services/lib/base/errors.ts";
import type { Clock } from "../../services/lib/ports/clock.ts";
import type { Disk, DiskFile, DiskUsage, OpenMode } from "../../services/lib/ports/disk.ts";
import { type CrashMode, FileNode, FolderNode, type Node, walk } from "./disk-tree.ts";
import { createSimRandom, type SimRandom } from "./random.ts";

export type { CrashMode } from "./disk-tree.ts";

export interface DiskOperation {
  /** Counts from 1 over the disk's life, crashes included. */
  readonly number: number;
  readonly kind:
    | "open"
    | "size"
    | "read"
    | "write"
    | "datasync"
    | "truncate"
    | "close"
    | "list"
    | "exists"
    | "mkdir"
    | "remove"
    | "remove-tree"
    | "rename"
    | "sync-directory"
    | "usage";
  readonly path: string;
  /** Bytes written or asked for; 0 for other kinds. */
  readonly bytes: number;
}

export interface SimDiskOptions {
  readonly random?: SimRandom;
  /** Writes past this many bytes fail with "no-space" after a part was written. */
  readonly capacityBytes?: number;
  /** With a clock, operations take `latencyMs(operation)` of its time; without, none. */
  readonly clock?: Clock;
  readonly latencyMs?: (operation: DiskOperation) => number;
  /** What calls of before a crash do once it came: reject with "io" (default) or never settle. */
  readonly afterCrash?: "reject" | "hang";
}

export type DiskFault = (operation: DiskOperation) => ErrorCode | undefined;

/** Reads, which change nothing: left out of `changeCount`. */
const QUIET = new Set<DiskOperation["kind"]>(["size", "read", "close", "list", "exists", "usage"]);

export class SimDisk implements Disk {
  readonly #options: SimDiskOptions;
  readonly #random: SimRandom;
  readonly #root = new FolderNode();
  #epoch = 0;
  #operations = 0;
  #changes = 0;
  #crashAt: { readonly change: number; readonly mode: CrashMode } | undefined;
  /**
   * Asked before every operation; the code it returns is thrown. A failed "write" leaves a part
   * written; a failed "datasync" loses the pages, and the next one reports success.
   */
  fault: DiskFault | undefined;
  /** Called after a crash, planned by `crashAfter` or not. */
  onCrash: (() => void) | undefined;
  capacityBytes: number;

  constructor(options: SimDiskOptions = {}) {
    this.#options = options;
    this.#random = options.random ?? createSimRandom(1);
    this.capacityBytes = options.capacityBytes ?? Number.MAX_SAFE_INTEGER;
  }

  get operationCount(): number {
    return this.#operations;
  }

  /** Operations that may change the disk: the crash points worth enumerating. */
  get changeCount(): number {
    return this.#changes;
  }

  /** Cuts the power right after changing operation number `change` (counted as `changeCount`). */
  crashAfter(change: number, mode: CrashMode): void {
    assert(change > this.#changes, "crashAfter: that operation has passed");
    this.#crashAt = { change, mode };
  }

  /**
   * Cuts the power now. The disk can be used again at once, by new calls and newly opened files.
   */
  crash(mode: CrashMode): void {
    this.#epoch += 1;
    this.#crashAt = undefined;
    const nodes: Node[] = [];
    walk(this.#root, (node) => nodes.push(node));
    for (const node of nodes) node.crash(mode, this.#random);
    this.onCrash?.();
  }

  /** The process ended but the power stayed: open files go dead, nothing written is lost. */
  kill(): void {
    this.#epoch += 1;
    this.#crashAt = undefined;
  }

  /** Paths of all files below `folder`, sorted. */
  filePaths(folder = ""): string[] {
    const start = folder === "" ? this.#root : this.#find(folder);
    if (start?.kind !== "folder") return [];
    const prefix = folder === "" ? "" : `${folder}/`;
    return start.names().flatMap((name) => {
      const path = `${prefix}${name}`;
      return start.get(name)?.kind === "folder" ? this.filePaths(path) : [path];
    });
  }

  /** A file's bytes as readers see them; a copy. */
  content(path: string): Uint8Array {
    return this.#file(path).view().slice();
  }

  /** Bit rot: flips one bit, in what is seen and in what is durable. */
  flipBit(path: string, offset: number, bit: number): void {
    this.#file(path).flipBit(offset, bit);
  }

  open(path: string, mode: OpenMode): Promise<DiskFile> {
    return this.#run("open", path, 0, () => {
      const found = this.#find(path);
      if (mode === "create") {
        if (found !== undefined) throw new StoreError("exists", `open ${path}: it exists`);
        const node = new FileNode();
        this.#name(path, node);
        return this.#handle(path, node);
      }
      return this.#handle(path, this.#file(path));
    });
  }

  list(path: string): Promise<string[]> {
    return this.#run("list", path, 0, () => this.#folder(path).names());
  }

  exists(path: string): Promise<boolean> {
    return this.#run("exists", path, 0, () => this.#find(path) !== undefined);
  }

  mkdir(path: string): Promise<void> {
    return this.#run("mkdir", path, 0, () => {
      const parts = pathParts(path);
      parts.forEach((_, at) => {
        const prefix = parts.slice(0, at + 1).join("/");
        const found = this.#find(prefix);
        if (found === undefined) this.#name(prefix, new FolderNode());
        else if (found.kind !== "folder") throw new StoreError("io", `mkdir ${prefix}: a file`);
      });
    });
  }

  remove(path: string): Promise<void> {
    return this.#run("remove", path, 0, () => {
      this.#file(path);
      this.#name(path, undefined);
    });
  }

  removeTree(path: string): Promise<void> {
    return this.#run("remove-tree", path, 0, () => {
      if (this.#find(path) !== undefined) this.#name(path, undefined);
    });
  }

  rename(from: string, to: string): Promise<void> {
    return this.#run("rename", from, 0, () => {
      const node = this.#find(from);
      if (node === undefined) throw new StoreError("not-found", `rename ${from}: not there`);
      const source = this.#place(from);
      const target = this.#place(to);
      FolderNode.change({
        parts: [
          { ...source, node: undefined },
          { ...target, node },
        ],
      });
    });
  }

  syncDirectory(path: string): Promise<void> {
    return this.#run("sync-directory", path, 0, () => this.#folder(path).sync());
  }

  usage(path: string): Promise<DiskUsage> {
    return this.#run("usage", path, 0, () => {
      const sizeBytes = this.capacityBytes;
      return { sizeBytes, freeBytes: Math.max(0, sizeBytes - this.#usedBytes()) };
    });
  }

  #handle(path: string, node: FileNode): DiskFile {
    const epoch = this.#epoch;
    let closed = false;
    const run = <T>(kind: DiskOperation["kind"], bytes: number, work: () => T): Promise<T> => {
      assert(!closed, `${kind} of the closed file ${path}`);
      return this.#run(kind, path, bytes, work, epoch);
    };
    return {
      path,
      size: () => run("size", 0, () => node.length),
      read: (into, offset) =>
        run("read", into.byteLength, () => {
          const part = node.view().subarray(offset, offset + into.byteLength);
          into.set(part);
          return part.byteLength;
        }),
      write: (pieces, offset) => this.#write({ path, node, epoch, run }, pieces, offset),
      datasync: () => this.#datasync({ path, node, epoch, run }),
      truncate: (length) => run("truncate", 0, () => node.change({ kind: "truncate", length })),
      close: () =>
        run("close", 0, () => {
          closed = true;
        }),
    };
  }

  #write(open: OpenNode, pieces: readonly Uint8Array[], offset: number): Promise<void> {
    const bytes = new Uint8Array(Buffer.concat(pieces));
    return this.#attempt(
      { kind: "write", path: open.path, bytes: bytes.byteLength, epoch: open.epoch },
      (failure) => {
        const unbounded = this.capacityBytes === Number.MAX_SAFE_INTEGER;
        const free = unbounded ? Number.MAX_SAFE_INTEGER : this.capacityBytes - this.#usedBytes();
        const growth = Math.max(0, offset + bytes.byteLength - open.node.length);
        const full = failure === undefined && growth > free;
        const cut = full || failure !== undefined;
        const kept = cut ? this.#random.below(Math.max(1, bytes.byteLength)) : bytes.byteLength;
        const room = full ? Math.min(kept, bytes.byteLength - growth + Math.max(0, free)) : kept;
        if (room > 0) {
          open.node.change({ kind: "write", offset, bytes: bytes.subarray(0, room) });
        }
        if (full) throw new StoreError("no-space", `write ${open.path}: the disk is full`);
      },
    );
  }

  #datasync(open: OpenNode): Promise<void> {
    const mark = open.node.syncMark();
    return this.#attempt(
      { kind: "datasync", path: open.path, bytes: 0, epoch: open.epoch },
      (failure) => open.node.syncEnd(mark, failure === undefined),
    );
  }

  #run<T>(
    kind: DiskOperation["kind"],
    path: string,
    bytes: number,
    work: () => T,
    epoch = this.#epoch,
  ): Promise<T> {
    return this.#attempt({ kind, path, bytes, epoch }, (failure) => {
      if (failure !== undefined) throw failure;
      return work();
    });
  }

  /**
   * Counts the operation, asks for its fault, lets its time pass and does it. `work` gets the fault
   * and may do half of it; the fault is thrown afterwards in any case.
   */
  async #attempt<T>(
    call: Omit<DiskOperation, "number"> & { readonly epoch: number },
    work: (failure: StoreError | undefined) => T,
  ): Promise<T> {
    if (call.epoch !== this.#epoch) return this.#cutOff();
    this.#operations += 1;
    const { kind, path, bytes } = call;
    const operation: DiskOperation = { number: this.#operations, kind, path, bytes };
    const changes = !QUIET.has(kind);
    if (changes) this.#changes += 1;
    const change = this.#changes;
    const code = this.fault?.(operation);
    const latencyMs = this.#options.latencyMs?.(operation) ?? 0;
    if (latencyMs > 0) await this.#options.clock?.sleep(latencyMs);
    // Nothing may come between this look and the work, or a dead process would write.
    if (call.epoch !== this.#epoch) return this.#cutOff();
    const failure =
      code === undefined ? undefined : new StoreError(code, `${kind} ${path}: injected fault`);
    const result = work(failure);
    if (changes && this.#crashAt !== undefined && this.#crashAt.change <= change) {
      this.crash(this.#crashAt.mode);
    }
    if (call.epoch !== this.#epoch) return this.#cutOff();
    if (failure !== undefined) throw failure;
    return result;
  }

  /** What a call of before a power cut comes to: it throws, or waits for ever. */
  async #cutOff(): Promise<never> {
    if (this.#options.afterCrash === "hang") await new Promise<never>(() => undefined);
    throw new StoreError("io", "the power was cut");
  }

  #usedBytes(): number {
    let used = 0;
    for (const path of this.filePaths()) used += this.#file(path).length;
    return used;
  }

  #find(path: string): Node | undefined {
    let node: Node | undefined = this.#root;
    for (const part of pathParts(path)) {
      if (node?.kind !== "folder") return undefined;
      node = node.get(part);
    }
    return node;
  }

  #file(path: string): FileNode {
    const node = this.#find(path);
    if (node?.kind !== "file") throw new StoreError("not-found", `${path}: no such file`);
    return node;
  }

  #folder(path: string): FolderNode {
    const node = this.#find(path);
    if (node?.kind !== "folder") throw new StoreError("not-found", `${path}: no such folder`);
    return node;
  }

  #place(path: string): { readonly folder: FolderNode; readonly name: string } {
    const parts = pathParts(path);
    const name = parts.pop();
    assert(name !== undefined, "disk: an empty path");
    return { folder: this.#folder(parts.join("/")), name };
  }

  #name(path: string, node: Node | undefined): void {
    FolderNode.change({ parts: [{ ...this.#place(path), node }] });
  }
}

interface OpenNode {
  readonly path: string;
  readonly node: FileNode;
  readonly epoch: number;
  readonly run: <T>(kind: DiskOperation["kind"], bytes: number, work: () => T) => Promise<T>;
}

function pathParts(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}
