// All files on their way: four at a time, in the order they were picked. What failed stays in the
// list with the reason until it is tried again or taken out.
import { computed, effect, signal } from "@preact/signals";
import { session, tell, textOf } from "../state.ts";
import type { PickedFile } from "./dropped-files.ts";
import { keptUploads } from "./kept-uploads.ts";
import { Upload } from "./upload.ts";

const FILES_AT_ONCE = 4;
const SPEED_MS = 1000;
/** Weight of the newest second in the shown speed. */
const SPEED_WEIGHT = 0.3;

type Watcher = { readonly bucket: string; readonly act: () => void };

export class UploadQueue {
  readonly list = signal<readonly Upload[]>([]);
  /** Bytes a second, smoothed. */
  readonly speed = signal(0);
  readonly totalBytes = computed(() => this.list.value.reduce((sum, one) => sum + one.size, 0));
  readonly sentBytes = computed(() =>
    this.list.value.reduce((sum, one) => sum + one.sentBytes.value, 0),
  );
  readonly running = computed(
    () => this.list.value.filter((one) => one.state.value === "running").length,
  );
  readonly waiting = computed(
    () => this.list.value.filter((one) => one.state.value === "waiting").length,
  );
  #watchers: readonly Watcher[] = [];
  #count = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** Shows the uploads of `user` that a former page left unfinished. */
  recall(user: string): void {
    const known = new Set(this.list.value.map(({ target }) => `${target.bucket} ${target.key}`));
    const lost = keptUploads()
      .filter((kept) => kept.user === user && !known.has(`${kept.bucket} ${kept.key}`))
      .map((kept) => {
        const { bucket, key } = kept;
        return new Upload(this.#nextId(), { user, bucket, key }, kept);
      });
    this.list.value = [...this.list.value.filter((one) => one.target.user === user), ...lost];
  }

  add(bucket: string, folder: string, files: readonly PickedFile[]): void {
    const user = session.value?.user ?? "";
    const fresh: Upload[] = [];
    for (const { path, file } of files) {
      const key = folder + path;
      const lost = this.list.value.find(
        ({ state, target }) =>
          state.value === "lost" && target.bucket === bucket && target.key === key,
      );
      if (lost?.isOf(file) === true) lost.takeUp(file);
      else fresh.push(new Upload(this.#nextId(), { user, bucket, key }, file));
    }
    this.list.value = [...this.list.value, ...fresh];
    this.#fill();
  }

  /** Calls `act` when files of `bucket` have arrived; returns how to end that. */
  onFinished(bucket: string, act: () => void): () => void {
    const watcher = { bucket, act };
    this.#watchers = [...this.#watchers, watcher];
    return () => {
      this.#watchers = this.#watchers.filter((one) => one !== watcher);
    };
  }

  pauseAll(): void {
    for (const one of this.list.value) one.pause();
  }

  resumeAll(): void {
    for (const one of this.list.value) one.again();
    this.#fill();
  }

  resume(upload: Upload): void {
    upload.again();
    this.#fill();
  }

  takeUp(upload: Upload, file: File): void {
    try {
      upload.takeUp(file);
    } catch (error) {
      tell(textOf(error), "bad");
    }
    this.#fill();
  }

  async remove(upload: Upload): Promise<void> {
    this.list.value = this.list.value.filter((one) => one !== upload);
    await upload.cancel();
    this.#fill();
  }

  clearDone(): void {
    this.list.value = this.list.value.filter((one) => one.state.value !== "done");
  }

  #nextId(): string {
    this.#count += 1;
    return String(this.#count);
  }

  #fill(): void {
    for (const upload of this.list.value) {
      if (this.running.value >= FILES_AT_ONCE) break;
      if (upload.state.value === "waiting") void this.#run(upload);
    }
    this.#measure();
  }

  async #run(upload: Upload): Promise<void> {
    await upload.run();
    this.#fill();
    const { bucket } = upload.target;
    const isLast = !this.list.value.some(
      ({ target, state }) =>
        target.bucket === bucket && (state.value === "running" || state.value === "waiting"),
    );
    if (upload.state.value === "done" && isLast) {
      for (const watcher of this.#watchers) if (watcher.bucket === bucket) watcher.act();
    }
  }

  #measure(): void {
    if (this.running.value === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      this.speed.value = 0;
      return;
    }
    if (this.#timer !== undefined) return;
    let before = this.sentBytes.value;
    this.#timer = setInterval(() => {
      const now = this.sentBytes.value;
      const rate = (Math.max(0, now - before) * 1000) / SPEED_MS;
      before = now;
      this.speed.value = this.speed.value * (1 - SPEED_WEIGHT) + rate * SPEED_WEIGHT;
    }, SPEED_MS);
  }
}

export const uploads = new UploadQueue();

effect(() => {
  const user = session.value?.user;
  if (user !== undefined) queueMicrotask(() => uploads.recall(user));
});

addEventListener("beforeunload", (event) => {
  if (uploads.running.peek() + uploads.waiting.peek() > 0) event.preventDefault();
});
