// Sees to the provisioning file while a gateway runs: at the start until it once went well, when a
// file changed, and every now and then. What it does and what stands against it is logged once, not
// with every round; metrics say whether it is done.
import { isStoreError, StoreError, toStoreError } from "../../../lib/base/errors.ts";
import type { Counter, Gauge, Metrics } from "../../../lib/ports/metrics.ts";
import type { AdminDependencies } from "../admin-dependencies.ts";
import type { AdminService } from "../admin-service.ts";
import type { ProvisioningSettings } from "./config.ts";
import { ownCalls } from "./own-calls.ts";
import { namedFiles, type Provisioning, parseProvisioning } from "./provisioning-file.ts";
import { type Reconciled, reconcile } from "./reconcile.ts";

export interface ProvisioningSource {
  readonly settings: ProvisioningSettings;
  /** The text of a file, without white space around it. Throws StoreError "invalid". */
  readonly readText: (path: string) => Promise<string>;
}

export interface ProvisionerParts {
  readonly source: ProvisioningSource;
  readonly admin: AdminDependencies;
  readonly service: Pick<AdminService, "callAs">;
  readonly metrics: Metrics;
}

/** While something stands against it; the cluster may be starting. */
const RETRY_MS = 1000;
const RETRY_MS_MAX = 30_000;

export class Provisioner {
  readonly #parts: ProvisionerParts;
  readonly #stop = new AbortController();
  readonly #changes: Counter;
  readonly #failing: Gauge;
  readonly #done: Gauge;
  #running: Promise<void> = Promise.resolve();
  /** What was seen to when it last went well, and when. */
  #settled: { readonly texts: string; readonly atMs: number } | undefined;
  #told = "";
  #retryMs = RETRY_MS;

  constructor(parts: ProvisionerParts) {
    this.#parts = parts;
    this.#changes = parts.metrics.counter("provisioning_changes_total", {
      help: "Changes that this gateway made because the provisioning file wants them.",
    });
    this.#failing = parts.metrics.gauge("provisioning_failing_items", {
      help: "Items of the provisioning file that could not be seen to in the last round.",
    });
    this.#done = parts.metrics.gauge("provisioning_last_success_timestamp_seconds", {
      help: "When all of the provisioning file was last found as it should be.",
    });
  }

  /** Returns at once; works in the background. Without a file there is nothing to do. */
  start(): void {
    if (this.#parts.source.settings.file === "") return;
    this.#running = this.#run();
  }

  async close(): Promise<void> {
    this.#stop.abort(new StoreError("aborted", "the gateway stops"));
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock } = this.#parts.admin;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const waitMs = await this.#round();
      try {
        await clock.sleep(waitMs, signal);
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    }
  }

  /** Resolves with how long to wait until the next one. */
  async #round(): Promise<number> {
    const { source, admin } = this.#parts;
    const { checkMs, repeatMs } = source.settings;
    try {
      const { wanted, texts, secrets } = await this.#read();
      const nowMs = admin.clock.monotonicMs();
      const settled = this.#settled;
      if (settled?.texts === texts && nowMs - settled.atMs < repeatMs) return checkMs;
      const result = await this.#reconcile(wanted, secrets);
      if (this.#note(result)) {
        this.#settled = { texts, atMs: nowMs };
        this.#retryMs = RETRY_MS;
        return checkMs;
      }
    } catch (error) {
      if (this.#stop.signal.aborted) return 0;
      const { message } = toStoreError(error, "internal");
      this.#note({ changes: [], failures: [{ item: "the file", message }] });
    }
    const waitMs = this.#retryMs;
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MS_MAX);
    return waitMs;
  }

  async #read(): Promise<{
    readonly wanted: Provisioning;
    readonly texts: string;
    readonly secrets: ReadonlyMap<string, string>;
  }> {
    const { settings, readText } = this.#parts.source;
    const text = await readText(settings.file);
    const wanted = parseProvisioning(text);
    const secrets = new Map<string, string>();
    for (const path of namedFiles(wanted)) {
      try {
        secrets.set(path, await readText(path));
      } catch (error) {
        // Told with the item that needs it; a file that comes later is a change.
        if (!isStoreError(error, "invalid")) throw error;
      }
    }
    return { wanted, texts: JSON.stringify([text, ...secrets]), secrets };
  }

  async #reconcile(
    wanted: Provisioning,
    secrets: ReadonlyMap<string, string>,
  ): Promise<Reconciled> {
    const { admin, service } = this.#parts;
    const { signal } = this.#stop;
    const calls = await ownCalls(admin, service, signal);
    const readSecret = async (path: string): Promise<string> => {
      const text = secrets.get(path);
      if (text === undefined) throw new StoreError("invalid", `${path} cannot be read`);
      return text;
    };
    // Another gateway may have changed what this one remembers.
    await admin.directory.refresh();
    return reconcile({ admin, calls, readSecret }, wanted, signal);
  }

  /** True when nothing stands against it. */
  #note({ changes, failures }: Reconciled): boolean {
    const { log, clock } = this.#parts.admin;
    this.#changes.increment({}, changes.length);
    this.#failing.set(failures.length);
    for (const change of changes) log.info("provisioning", { change });
    const told = JSON.stringify(failures);
    if (failures.length === 0) {
      if (this.#told !== told || changes.length > 0)
        log.info("provisioning: everything is as the file wants it");
      this.#done.set(clock.wallMs() / 1000);
    } else if (this.#told !== told) {
      for (const { item, message } of failures) {
        log.warn("provisioning: it is tried again", { item, message });
      }
    }
    this.#told = told;
    return failures.length === 0;
  }
}
