// The directory of users, groups, policies and roles, whole in memory and followed by revisions. A
// view is never older than 1.5 s: where following failed for so long, whoever asks waits for a new
// attempt and gets "unavailable" when that fails too. So what is revoked stops everywhere within
// two seconds, and a gateway that is cut off serves nobody by what it remembers.
import { StoreError, toStoreError } from "../base/errors.ts";
import type { Clock, Timer } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import { ROOT_GROUP } from "./groups.ts";
import { type DirectoryView, IdentityTables } from "./identity-view.ts";
import type { MetadataCallOptions, MetadataClient } from "./metadata-client.ts";

export type { DirectoryView } from "./identity-view.ts";

const REFRESH_MS = 500;
const AGE_MS_MAX = 1500;
/** Of one page, with all its retries. */
const DEADLINE_MS = 5000;
const PAGE = 1000;

export interface IdentityDirectoryDeps {
  readonly metadata: Pick<MetadataClient, "query">;
  readonly clock: Clock;
  readonly log: Log;
}

/** What is known, and as of when: the moment before it was asked for. */
interface Known {
  readonly tables: IdentityTables;
  readonly asOfMs: number;
  /** Number of invalidations before. */
  readonly invalidations: number;
}

export class IdentityDirectory {
  readonly #deps: IdentityDirectoryDeps;
  #known: Known | undefined;
  #invalidations = 0;
  #timer: Timer | undefined;
  #isStarted = false;
  #isFailing = false;
  /** The refresh that runs, and the one that begins after it. */
  #running: Promise<Known> | undefined;
  /** Invalidations before the one that runs began. */
  #runningInvalidations = 0;
  #next: Promise<Known> | undefined;

  constructor(deps: IdentityDirectoryDeps) {
    this.#deps = deps;
  }

  /** Follows the directory until `stop`. Without it, views are refreshed when they are too old. */
  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#follow();
  }

  stop(): void {
    this.#isStarted = false;
    this.#timer?.cancel();
  }

  /**
   * The directory, at most 1.5 s old, and with everything that was changed before the last
   * `invalidate`. Throws StoreError "unavailable", and "aborted" with the caller's signal.
   */
  async view(options: MetadataCallOptions = {}): Promise<DirectoryView> {
    const known = this.#known;
    if (known !== undefined && this.#isFresh(known)) return known.tables;
    return withSignal(this.#refreshed(), options.signal);
  }

  /** As `view`, with everything that was changed before this call. */
  async refresh(options: MetadataCallOptions = {}): Promise<DirectoryView> {
    this.invalidate();
    return this.view(options);
  }

  /** Something was changed: the next view has it. */
  invalidate(): void {
    this.#invalidations += 1;
  }

  #isFresh({ asOfMs, invalidations }: Known): boolean {
    const age = this.#deps.clock.monotonicMs() - asOfMs;
    return age <= AGE_MS_MAX && invalidations === this.#invalidations;
  }

  /** Waits for a refresh that is fresh enough for somebody who asks now. */
  async #refreshed(): Promise<DirectoryView> {
    try {
      const first = await this.#refreshOnce();
      if (this.#isFresh(first)) return first.tables;
      // It began before something was changed, or took too long.
      return (await this.#refreshOnce()).tables;
    } catch (thrown) {
      const { message } = toStoreError(thrown, "unavailable");
      throw new StoreError("unavailable", `the directory of users: ${message}`, { cause: thrown });
    }
  }

  /** Joins a refresh that began after the last invalidation, or begins one. */
  #refreshOnce(): Promise<Known> {
    const running = this.#running;
    if (running === undefined) return this.#begin();
    if (this.#runningInvalidations === this.#invalidations) return running;
    this.#next ??= running.then(
      () => this.#beginNext(),
      () => this.#beginNext(),
    );
    return this.#next;
  }

  #beginNext(): Promise<Known> {
    this.#next = undefined;
    return this.#running ?? this.#begin();
  }

  #begin(): Promise<Known> {
    const invalidations = this.#invalidations;
    this.#runningInvalidations = invalidations;
    const running = this.#load(invalidations).finally(() => {
      if (this.#running === running) this.#running = undefined;
    });
    this.#running = running;
    return running;
  }

  async #load(invalidations: number): Promise<Known> {
    const asOfMs = this.#deps.clock.monotonicMs();
    const tables = await this.#followed(this.#known?.tables ?? new IdentityTables());
    this.#known = { tables, asOfMs, invalidations };
    return this.#known;
  }

  /** `tables` with what changed since; other ones when the directory went back. */
  async #followed(tables: IdentityTables): Promise<IdentityTables> {
    for (;;) {
      const value = { afterRevision: tables.revision, limit: PAGE };
      const kind = { case: "listIdentities", value } as const;
      const options = { deadlineMs: DEADLINE_MS };
      const page = await this.#deps.metadata.query(ROOT_GROUP, kind, options);
      if (page.revision < tables.revision) return this.#followed(new IdentityTables());
      for (const record of page.records) tables.take(record);
      tables.revision = page.revision;
      if (!page.truncated) return tables;
    }
  }

  #follow(): void {
    if (!this.#isStarted) return;
    this.#refreshOnce().then(
      () => {
        if (this.#isFailing) this.#deps.log.info("the directory of users is followed again");
        this.#isFailing = false;
        this.#sleep();
      },
      (thrown: unknown) => {
        if (!this.#isFailing && this.#isStarted) {
          this.#deps.log.error("the directory of users cannot be followed", thrown);
        }
        this.#isFailing = true;
        this.#sleep();
      },
    );
  }

  #sleep(): void {
    if (!this.#isStarted) return;
    this.#timer = this.#deps.clock.after(REFRESH_MS, () => this.#follow());
  }
}

/** The result of `work`, unless `signal` fires first; the work goes on for others. */
async function withSignal<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(new StoreError("aborted", "the caller gave up"));
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
