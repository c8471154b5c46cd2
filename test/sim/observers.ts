// Ports that watch: a log that is silent or remembers, metrics that nobody reads.
import type { Log, LogFields } from "../../services/lib/ports/log.ts";
import type { Metrics } from "../../services/lib/ports/metrics.ts";

export interface LogLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly message: string;
  readonly fields: LogFields;
  readonly error?: unknown;
}

/** Told of every error that is logged. */
export type OnError = (message: string, error: unknown) => void;

/** Keeps every line in `lines`, or drops them all when that is left out. */
export function recordingLog(lines?: LogLine[], base: LogFields = {}, onError?: OnError): Log {
  const add = (level: LogLine["level"], message: string, fields?: LogFields): void => {
    lines?.push({ level, message, fields: { ...base, ...fields } });
  };
  return {
    debug: (message, fields) => add("debug", message, fields),
    info: (message, fields) => add("info", message, fields),
    warn: (message, fields) => add("warn", message, fields),
    error: (message, error, fields) => {
      lines?.push({ level: "error", message, fields: { ...base, ...fields }, error });
      onError?.(message, error);
    },
    child: (fields) => recordingLog(lines, { ...base, ...fields }, onError),
  };
}

export function silentMetrics(): Metrics {
  const ignore = (): void => undefined;
  return {
    counter: () => ({ increment: ignore }),
    gauge: () => ({ set: ignore, clear: ignore }),
    histogram: () => ({ observe: ignore }),
  };
}
