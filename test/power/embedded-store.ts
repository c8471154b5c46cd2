// The server inside this process. After a power cut nothing it does reaches the disk any more, so
// that closing it leaves what a killed process leaves; and its code stays warm, so that a cycle
// costs a fifth of that of a process. What fails while it closes is expected: its disks are gone.
import { startEmbedded } from "../../services/cli/compose/embedded.ts";
import { makeFolderDurably } from "../../services/cli/durable-file.ts";
import { readConfig } from "../../services/cli/read-config.ts";
import type { Log } from "../../services/lib/ports/log.ts";
import type { Target } from "../s3/caller.ts";
import type { ServerOptions, Store } from "./server-process.ts";

const CLOSE_TIMEOUT_MS = 60_000;
const HAS_FILES = /^(storage|metadata-\d+)/;

interface Closer {
  readonly name: string;
  readonly close: () => Promise<void>;
}

export class EmbeddedStore implements Store {
  readonly errors = new Map<string, number>();
  readonly canStopStarting = false;
  readonly #closers: Closer[] = [];
  readonly #target: Promise<Target>;

  constructor({ directories, s3Port }: ServerOptions) {
    this.#target = this.#start(directories, s3Port);
    // Whoever waits sees it.
    this.#target.catch(() => undefined);
  }

  ready(): Promise<Target> {
    return this.#target;
  }

  /**
   * To be called after the power was cut. Resolves when whatever has files open is closed; gateway
   * and keeper may wait a while longer for answers that never come.
   */
  async kill(): Promise<void> {
    await this.#target.catch(() => undefined);
    for (const { name, close } of this.#closers.splice(0).reverse()) {
      const isClosed = close().catch((error: unknown) => this.#note(`closing: ${String(error)}`));
      if (HAS_FILES.test(name)) await within(CLOSE_TIMEOUT_MS, isClosed, name);
    }
  }

  async #start(directories: readonly string[], s3Port: number): Promise<Target> {
    for (const folder of directories) makeFolderDurably(folder);
    const config = readConfig(undefined);
    const { root } = await startEmbedded({
      config,
      directories,
      s3Port,
      log: this.#log(),
      onStop: (name, close) => this.#closers.push({ name, close }),
      fatal: (error) => this.#note(`fatal: ${String(error)}`),
    });
    const { accessKeyId, secretAccessKey } = root;
    const { region } = config.s3;
    return { endpoint: `http://127.0.0.1:${s3Port}`, accessKeyId, secretAccessKey, region };
  }

  #note(message: string): void {
    this.errors.set(message, (this.errors.get(message) ?? 0) + 1);
  }

  #log(): Log {
    const ignore = (): void => undefined;
    const log: Log = {
      debug: ignore,
      info: ignore,
      warn: ignore,
      error: (message, error) => this.#note(`${message}: ${reasons(error)}`),
      child: () => log,
    };
    return log;
  }
}

async function within(ms: number, work: Promise<void>, name: string): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`${name} does not close`)), ms);
  await Promise.race([work, late.promise]).finally(() => clearTimeout(timer));
}

/** An error and what caused it. */
function reasons(error: unknown): string {
  const words: string[] = [];
  for (let at = error; at instanceof Error && words.length < 4; at = at.cause) {
    words.push(at.message);
  }
  return words.join(" < ");
}
