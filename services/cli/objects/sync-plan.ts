// What a sync has to do: two sequences of names in the same order, merged without holding either.
// Pure. A sequence that is not in order would make things look missing, so it is refused.
import { CommandError, ExitCode } from "../exit-code.ts";
import { isSameTime } from "./file-time.ts";
import { compareKeys } from "./listing.ts";
import { shown } from "./shown-text.ts";

/** One file or object, named relative to the folder that is synchronised. */
export interface SyncEntry {
  readonly name: string;
  readonly bytes: number;
  /** Milliseconds since 1970: of a file its time, of an object when it was stored. */
  readonly modifiedMs: number | undefined;
  /** Objects only, unquoted. */
  readonly etag: string | undefined;
  /** Local path or key. */
  readonly place: string;
}

export type SyncStep =
  /** At the destination it is missing. */
  | { readonly kind: "new"; readonly source: SyncEntry }
  /** It is on both sides. */
  | { readonly kind: "both"; readonly source: SyncEntry; readonly target: SyncEntry }
  /** The source does not have it. */
  | { readonly kind: "extra"; readonly target: SyncEntry };

/** Throws CommandError "bad-listing" when a side is not in the order of UTF-8 bytes. */
export async function* syncSteps(
  sources: AsyncIterable<SyncEntry>,
  targets: AsyncIterable<SyncEntry>,
): AsyncGenerator<SyncStep> {
  const [left, right] = [ordered(sources, "source"), ordered(targets, "destination")];
  let source = await left.next();
  let target = await right.next();
  while (source.done !== true || target.done !== true) {
    const order =
      source.done === true
        ? 1
        : target.done === true
          ? -1
          : compareKeys(source.value.name, target.value.name);
    if (order === 0 && source.done !== true && target.done !== true) {
      yield { kind: "both", source: source.value, target: target.value };
      [source, target] = [await left.next(), await right.next()];
    } else if (order < 0 && source.done !== true) {
      yield { kind: "new", source: source.value };
      source = await left.next();
    } else if (target.done !== true) {
      yield { kind: "extra", target: target.value };
      target = await right.next();
    }
  }
}

async function* ordered(
  entries: AsyncIterable<SyncEntry>,
  side: string,
): AsyncGenerator<SyncEntry> {
  let last: string | undefined;
  for await (const entry of entries) {
    if (last !== undefined && compareKeys(last, entry.name) >= 0) {
      const text = `the ${side} is not listed in order at "${shown(entry.name)}"`;
      throw new CommandError(ExitCode.FAILED, "bad-listing", text);
    }
    last = entry.name;
    yield entry;
  }
}

/** Times of the two sides: those kept from files, and when objects were stored. */
export interface SyncTimes {
  /** Of the source: the file's, or the one kept with the object. */
  readonly sourceMs: number | undefined;
  readonly targetMs: number | undefined;
  /** Whether both are times of files, which must then be equal. */
  readonly exact: boolean;
}

/**
 * Whether things of equal size are taken for equal. File times must be the same; where one side has
 * only the time it was stored, the destination must not be older than the source.
 */
export function isUpToDate({ sourceMs, targetMs, exact }: SyncTimes): boolean {
  if (sourceMs === undefined || targetMs === undefined) return false;
  return exact ? isSameTime(sourceMs, targetMs) : targetMs >= sourceMs;
}
