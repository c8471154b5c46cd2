// The life of a service's process: what was opened is closed in reverse order on SIGTERM or SIGINT,
// a second signal ends the process at once, and an error that nobody caught is logged and ends it
// too, because its state can no longer be trusted.
import { assert } from "../base/assert.ts";
import { StoreError } from "../base/errors.ts";
import type { Log } from "../ports/log.ts";

const SIGNAL_NUMBERS = { SIGINT: 2, SIGTERM: 15 } as const;
type StopSignal = keyof typeof SIGNAL_NUMBERS;
const SIGNALS: readonly StopSignal[] = ["SIGTERM", "SIGINT"];

/** The part of Node's process that this needs; a test may hand in its own. */
export interface ProcessHandle {
  readonly events: NodeJS.EventEmitter;
  exit(code: number): unknown;
}

export interface ProcessLifeOptions {
  readonly log: Log;
  /** For all closing together; after that the process exits with code 1. Default 30 s. */
  readonly graceMs?: number;
  readonly process?: ProcessHandle;
}

export interface ProcessLife {
  /**
   * Call right after opening something; `close` runs before those of all that was opened earlier.
   */
  onStop(name: string, close: () => Promise<void>): void;
  /** Closes everything once; resolves with the exit code, 0 if all closed well and in time. */
  stop(reason: string): Promise<number>;
  /** Takes the signal and error handlers off again (tests). */
  uninstall(): void;
}

interface Closer {
  readonly name: string;
  readonly close: () => Promise<void>;
}

/** Installs the handlers; one per process. */
export function installProcessLife(options: ProcessLifeOptions): ProcessLife {
  const { log, graceMs = 30_000 } = options;
  const handle = options.process ?? { events: process, exit: (code) => process.exit(code) };
  const closers: Closer[] = [];
  let stopping: Promise<number> | undefined;

  function stop(reason: string): Promise<number> {
    stopping ??= closeAll(closers, { log, graceMs, reason });
    return stopping;
  }
  function onSignal(signal: StopSignal): void {
    if (stopping !== undefined) {
      log.warn("stopping at once", { signal });
      handle.exit(128 + SIGNAL_NUMBERS[signal]);
      return;
    }
    void stop(signal).then((code) => handle.exit(code));
  }
  function onFatal(error: unknown): void {
    log.error("an error that nobody caught: the process ends", error);
    handle.exit(1);
  }
  const handlers = [
    ...SIGNALS.map((signal) => [signal, () => onSignal(signal)] as const),
    ["uncaughtException", onFatal] as const,
    ["unhandledRejection", onFatal] as const,
  ];
  for (const [event, listener] of handlers) handle.events.on(event, listener);
  return {
    onStop(name, close): void {
      assert(stopping === undefined, `process: ${name} was opened while stopping`);
      closers.push({ name, close });
    },
    stop,
    uninstall(): void {
      for (const [event, listener] of handlers) handle.events.off(event, listener);
    },
  };
}

async function closeAll(
  closers: readonly Closer[],
  { log, graceMs, reason }: { log: Log; graceMs: number; reason: string },
): Promise<number> {
  log.info("stopping", { reason });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<number>((resolve) => {
    timer = setTimeout(() => {
      log.error("stopping took too long", new StoreError("timeout", `over ${graceMs} ms`));
      resolve(1);
    }, graceMs);
  });
  const code = await Promise.race([closeInReverse(closers, log), late]);
  clearTimeout(timer);
  log.info("stopped", { code });
  return code;
}

/** A closer that fails does not keep the others open. */
async function closeInReverse(closers: readonly Closer[], log: Log): Promise<number> {
  let code = 0;
  for (const { name, close } of closers.toReversed()) {
    try {
      await close();
    } catch (error) {
      code = 1;
      log.error("closing failed", error, { name });
    }
  }
  return code;
}
