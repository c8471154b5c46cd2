// Structured logging behind the port: one JSON line per event on stderr. Warnings and errors, and
// what was logged before them, are written before the call returns; other lines within 10 ms and
// before the process exits (line-batches.ts). Values under keys that name secrets are replaced at
// any depth; errors are shown with code, stack and causes; bytes as hex, big integers as text.
import { type DestinationStream, destination, type Logger, pino } from "pino";
import { toHex } from "../base/bytes.ts";
import { StoreError } from "../base/errors.ts";
import type { Log, LogFields } from "../ports/log.ts";
import { LineBatches } from "./line-batches.ts";

export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";

export interface LogOptions {
  /** Default "info". */
  readonly level?: LogLevel;
  /** Added to every line, e.g. service and node. */
  readonly fields?: LogFields;
  /** Where lines go; stderr when left out. */
  readonly destination?: DestinationStream;
}

const SECRET_NAME = /authorization|signature|secret|token|password|credential|cookie|private.?key/i;
const REDACTED = "[redacted]";
const DEPTH_MAX = 8;
const ITEMS_MAX = 100;
const BYTES_SHOWN_MAX = 64;
const NAMES_KEPT_MAX = 1000;

export function createLog(options: LogOptions = {}): Log {
  const stream = options.destination ?? new LineBatches(destination({ fd: 2, sync: true }));
  const logger = pino(
    {
      level: options.level ?? "info",
      base: null,
      messageKey: "message",
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    stream,
  );
  const secretNames = new Map<string, boolean>();
  const flush = (): void => {
    if (stream instanceof LineBatches) stream.flush();
  };
  const out = { logger, secretNames, flush };
  return wrap(out, plainFields(out, options.fields));
}

interface Output {
  readonly logger: Logger;
  /** Whether fields of that name are secrets, for names met before. */
  readonly secretNames: Map<string, boolean>;
  /** Lets out what was logged. */
  readonly flush: () => void;
}

/** `fields` are plain already; they are written with each line, which costs less than a child. */
function wrap(out: Output, fields: Record<string, unknown>): Log {
  const { logger, flush } = out;
  const merged = (more: LogFields | undefined): Record<string, unknown> =>
    more === undefined ? fields : { ...fields, ...plainFields(out, more) };
  return {
    debug: (message, more) => {
      if (logger.isLevelEnabled("debug")) logger.debug(merged(more), message);
    },
    info: (message, more) => {
      if (logger.isLevelEnabled("info")) logger.info(merged(more), message);
    },
    warn: (message, more) => {
      logger.warn(merged(more), message);
      flush();
    },
    error: (message, error, more) => {
      logger.error({ ...merged(more), error: plain(error, 0) }, message);
      flush();
    },
    child: (more) => wrap(out, merged(more)),
  };
}

function plainFields(out: Output, fields: LogFields | undefined): Record<string, unknown> {
  const shown: Record<string, unknown> = {};
  for (const [at, [name, value]] of Object.entries(fields ?? {}).entries()) {
    if (at === ITEMS_MAX) break;
    shown[name] = isSecret(out, name) ? REDACTED : plain(value, 1);
  }
  return shown;
}

function isSecret({ secretNames }: Output, name: string): boolean {
  const known = secretNames.get(name);
  if (known !== undefined) return known;
  const secret = SECRET_NAME.test(name);
  if (secretNames.size < NAMES_KEPT_MAX) secretNames.set(name, secret);
  return secret;
}

function plainEntries(
  entries: readonly (readonly [string, unknown])[],
  depth: number,
): Record<string, unknown> {
  return Object.fromEntries(
    entries
      .slice(0, ITEMS_MAX)
      .map(([key, value]) => [key, SECRET_NAME.test(key) ? REDACTED : plain(value, depth + 1)]),
  );
}

/** A copy of `value` that JSON can show, without secrets, of bounded depth and width. */
function plain(value: unknown, depth: number): unknown {
  if (typeof value === "bigint") return String(value);
  if (typeof value !== "object" || value === null) return value;
  if (depth > DEPTH_MAX) return "[deep]";
  if (value instanceof Error) return plainError(value, depth);
  if (value instanceof Uint8Array) return toHex(value.subarray(0, BYTES_SHOWN_MAX));
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (Array.isArray(value)) {
    return value.slice(0, ITEMS_MAX).map((item: unknown) => plain(item, depth + 1));
  }
  if (value instanceof Map) {
    return plainEntries(
      [...value].map(([key, item]) => [String(key), item] as const),
      depth,
    );
  }
  return plainEntries(Object.entries(value), depth);
}

function plainError(error: Error, depth: number): Record<string, unknown> {
  const shown: Record<string, unknown> = { name: error.name, message: error.message };
  if (error instanceof StoreError && error.leaderHint !== undefined) {
    shown.leaderHint = error.leaderHint;
  }
  if ("code" in error) shown.code = plain(error.code, depth + 1);
  shown.stack = error.stack;
  if (error.cause !== undefined) shown.cause = plain(error.cause, depth + 1);
  if (error instanceof AggregateError) shown.errors = plain(error.errors, depth + 1);
  return shown;
}
