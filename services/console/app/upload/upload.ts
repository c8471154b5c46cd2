// One file on its way: small ones in one request, larger ones in parts that go straight to S3. A
// part that is there is never sent again, neither after a pause nor after a reload.
import { computed, signal } from "@preact/signals";
import { ApiError } from "../api.ts";
import { abortUpload, completeUpload, listParts, type Part, startUpload } from "../s3.ts";
import { textOf } from "../state.ts";
import { forget, type KeptUpload, keep } from "./kept-uploads.ts";
import { send } from "./send.ts";

const SINGLE_BYTES_MAX = 16 * 1024 ** 2;
const PART_BYTES_MIN = 8 * 1024 ** 2;
const PARTS_MAX = 9000;
const PARTS_AT_ONCE = 4;
const MEBI = 1024 ** 2;

/** "lost": the page that had the file is gone; it has to be picked again. */
export type UploadState = "waiting" | "running" | "paused" | "failed" | "done" | "lost";

export interface UploadTarget {
  readonly user: string;
  readonly bucket: string;
  readonly key: string;
}

/** No more than `PARTS_MAX` parts, in whole MiB. */
function partSizeOf(size: number): number {
  return Math.max(PART_BYTES_MIN, Math.ceil(size / PARTS_MAX / MEBI) * MEBI);
}

export class Upload {
  readonly id: string;
  readonly target: UploadTarget;
  readonly size: number;
  readonly modified: number;
  readonly state = signal<UploadState>("waiting");
  readonly failure = signal("");
  readonly sentBytes = computed(() => {
    let sum = this.#before.value;
    for (const bytes of this.#under.value.values()) sum += bytes;
    return Math.min(sum, this.size);
  });
  /** Bytes of parts that are there. */
  readonly #before = signal(0);
  /** Bytes that left, of each part under way. */
  readonly #under = signal<ReadonlyMap<number, number>>(new Map());
  #file: File | undefined;
  #uploadId: string | undefined;
  #partSize: number;
  #stop = new AbortController();
  #isCancelled = false;

  constructor(id: string, target: UploadTarget, from: File | KeptUpload) {
    this.id = id;
    this.target = target;
    this.size = from.size;
    if (from instanceof File) {
      this.#file = from;
      this.modified = from.lastModified;
      this.#partSize = partSizeOf(from.size);
    } else {
      this.modified = from.modified;
      this.#uploadId = from.uploadId;
      this.#partSize = from.partSize;
      this.state.value = "lost";
    }
  }

  /** Whether `file` is the one that the lost page had. */
  isOf(file: File): boolean {
    return file.size === this.size && file.lastModified === this.modified;
  }

  /** Gives a lost upload its file back. */
  takeUp(file: File): void {
    if (!this.isOf(file)) throw new Error("This is not the same file: its size or time differs.");
    this.#file = file;
    this.state.value = "waiting";
  }

  /** Sends what is missing; ends in "done", "failed" or "paused". Never throws. */
  async run(): Promise<void> {
    const file = this.#file;
    if (file === undefined || this.state.value !== "waiting") return;
    this.#stop = new AbortController();
    this.state.value = "running";
    this.failure.value = "";
    try {
      if (file.size <= SINGLE_BYTES_MAX && this.#uploadId === undefined)
        await this.#sendWhole(file);
      else await this.#sendParts(file);
      this.state.value = "done";
    } catch (error) {
      this.#under.value = new Map();
      if (this.#stop.signal.aborted && this.failure.value === "") {
        this.state.value = "paused";
      } else {
        this.failure.value ||= textOf(error);
        this.state.value = "failed";
      }
    }
  }

  pause(): void {
    if (this.state.value === "running") this.#stop.abort();
    else if (this.state.value === "waiting") this.state.value = "paused";
  }

  again(): void {
    if (this.state.value === "paused" || this.state.value === "failed") {
      this.state.value = "waiting";
    }
  }

  /** Stops, and has the parts that are there removed. */
  async cancel(): Promise<void> {
    this.#isCancelled = true;
    this.#stop.abort();
    const uploadId = this.#uploadId;
    if (uploadId === undefined || this.state.value === "done") return;
    forget(uploadId);
    const { bucket, key } = this.target;
    try {
      await abortUpload(bucket, key, uploadId);
    } catch (error) {
      if (!(error instanceof ApiError && error.code === "NoSuchUpload")) throw error;
    }
  }

  async #sendWhole(file: File): Promise<void> {
    const { bucket, key } = this.target;
    this.#before.value = 0;
    await send({
      wanted: { method: "PUT", bucket, key },
      body: file,
      contentType: file.type,
      signal: this.#stop.signal,
      onBytes: (bytes) => this.#note(1, bytes),
    });
    this.#finish(1, file.size);
  }

  async #sendParts(file: File): Promise<void> {
    const { bucket, key } = this.target;
    const there = await this.#open(file);
    const parts = new Map(there.map((part) => [part.number, part]));
    this.#before.value = there.reduce((sum, part) => sum + part.size, 0);
    const count = Math.ceil(this.size / this.#partSize);
    const missing: number[] = [];
    for (let number = 1; number <= count; number += 1) {
      if (parts.get(number)?.size !== this.#bytesOf(number)) missing.push(number);
    }
    const work = async (): Promise<void> => {
      for (let number = missing.shift(); number !== undefined; number = missing.shift()) {
        parts.set(number, await this.#sendPart(file, number));
      }
    };
    const workers = Array.from({ length: PARTS_AT_ONCE }, async () => {
      try {
        await work();
      } catch (error) {
        // The first failure stops the others; theirs is only that they were stopped.
        if (!this.#stop.signal.aborted) this.failure.value = textOf(error);
        this.#stop.abort();
        throw error;
      }
    });
    const ends = await Promise.allSettled(workers);
    for (const end of ends) if (end.status === "rejected") throw end.reason;
    const uploadId = this.#uploadId ?? "";
    const all = [...parts.values()].toSorted((a, b) => a.number - b.number);
    await completeUpload(bucket, key, { uploadId, parts: all });
    forget(uploadId);
    this.#uploadId = undefined;
  }

  /** Starts the upload, or says what is there of one that was started before. */
  async #open(file: File): Promise<Part[]> {
    const { bucket, key, user } = this.target;
    if (this.#uploadId !== undefined) {
      try {
        return await listParts(bucket, key, this.#uploadId);
      } catch (error) {
        if (!(error instanceof ApiError && error.code === "NoSuchUpload")) throw error;
        forget(this.#uploadId);
      }
    }
    const uploadId = await startUpload(bucket, key, file.type);
    // Given up while the server began it: nobody else would ever remove it.
    if (this.#isCancelled) {
      await abortUpload(bucket, key, uploadId);
      this.#stop.signal.throwIfAborted();
    }
    this.#uploadId = uploadId;
    const { size, modified } = this;
    keep({ user, bucket, key, size, modified, uploadId, partSize: this.#partSize });
    return [];
  }

  #bytesOf(number: number): number {
    return Math.min(this.#partSize, this.size - (number - 1) * this.#partSize);
  }

  async #sendPart(file: File, number: number): Promise<Part> {
    const { bucket, key } = this.target;
    const start = (number - 1) * this.#partSize;
    const size = this.#bytesOf(number);
    const query = { uploadId: this.#uploadId ?? "", partNumber: String(number) };
    const etag = await send({
      wanted: { method: "PUT", bucket, key, query },
      body: file.slice(start, start + size),
      contentType: "",
      signal: this.#stop.signal,
      onBytes: (bytes) => this.#note(number, bytes),
    });
    this.#finish(number, size);
    return { number, etag, size };
  }

  #note(number: number, bytes: number): void {
    this.#under.value = new Map(this.#under.value).set(number, bytes);
  }

  #finish(number: number, size: number): void {
    const under = new Map(this.#under.value);
    under.delete(number);
    this.#under.value = under;
    this.#before.value += size;
  }
}
