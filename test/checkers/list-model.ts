// What a listing may show: a key acknowledged before a page was asked for and not deleted before it
// came must be on it, a key whose delete was acknowledged before must not; order is that of UTF-8
// bytes; no key twice. Keys in between may or may not be there, but `listingReads` turns each page
// into reads for the check of each key, which leaves no such room.
import { isWrite, type ListPage, type Operation } from "./history.ts";

interface Window extends ListPage {
  /** Keys after this one ... */
  readonly after: string | undefined;
  /** ... up to this one belong on the page; undefined: no bound. */
  readonly to: string | undefined;
}

/** What is wrong with a finished listing; `history`: everything done in its bucket. */
export function checkListing(list: Operation, history: readonly Operation[]): string[] {
  const problems = orderProblems(list);
  const prefix = list.input.prefix ?? "";
  const keys = operationsByKey(history, list.bucket);
  for (const window of windows(list)) {
    const shown = new Set(window.keys);
    for (const key of shown) {
      if (!key.startsWith(prefix)) problems.push(`${key} does not begin with ${prefix}`);
      if (!keys.has(key)) problems.push(`${key} was never written`);
    }
    for (const [key, operations] of keys) {
      if (!key.startsWith(prefix) || !within(key, window)) continue;
      if (shown.has(key)) {
        if (certainlyAbsent(operations, window)) problems.push(`${key} is shown, but deleted`);
      } else if (certainlyPresent(operations, window)) problems.push(`${key} is missing`);
    }
  }
  return problems;
}

/** Each page as a read of each of `keys` that belongs on it: present or not, in its time. */
export function listingReads(list: Operation, keys: Iterable<string>): Operation[] {
  const prefix = list.input.prefix ?? "";
  const known = [...keys].filter((key) => key.startsWith(prefix));
  return windows(list).flatMap((window) => {
    const shown = new Set(window.keys);
    return known
      .filter((key) => within(key, window))
      .map(
        (key): Operation => ({
          client: list.client,
          kind: "head",
          bucket: list.bucket,
          key,
          invokedAt: window.invokedAt,
          returnedAt: window.returnedAt,
          input: {},
          output: { kind: "ok", present: shown.has(key) },
        }),
      );
  });
}

/** By UTF-8 bytes, not by UTF-16 units. */
export function compareKeys(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function orderProblems(list: Operation): string[] {
  const problems: string[] = [];
  let before: string | undefined;
  for (const key of windows(list).flatMap((window) => window.keys)) {
    if (before !== undefined && compareKeys(before, key) >= 0) {
      problems.push(before === key ? `${key} is shown twice` : `${key} comes after ${before}`);
    }
    before = key;
  }
  return problems;
}

function windows({ output }: Operation): Window[] {
  const pages = output.kind === "ok" ? (output.pages ?? []) : [];
  return pages.map((page, index) => ({
    ...page,
    after: pages
      .slice(0, index)
      .flatMap(({ keys }) => keys)
      .at(-1),
    to: index === pages.length - 1 ? undefined : page.keys.at(-1),
  }));
}

function within(key: string, { after, to }: Window): boolean {
  if (after !== undefined && compareKeys(key, after) <= 0) return false;
  return to === undefined || compareKeys(key, to) <= 0;
}

/** Of the keys that anybody ever wrote. */
function operationsByKey(history: readonly Operation[], bucket: string): Map<string, Operation[]> {
  const inBucket = history.filter((operation) => operation.bucket === bucket);
  const keys = new Map<string, Operation[]>();
  for (const { key } of inBucket.filter(isWrite)) keys.set(key, []);
  for (const operation of inBucket) keys.get(operation.key)?.push(operation);
  return keys;
}

function certainlyPresent(operations: readonly Operation[], window: Window): boolean {
  const deletes = operations.filter(({ kind }) => kind === "delete").filter(mayChange);
  return operations.some(
    (write) =>
      isWrite(write) &&
      write.output.kind === "ok" &&
      write.returnedAt < window.invokedAt &&
      !deletes.some((later) => mayFallBetween(later, write, window)),
  );
}

function certainlyAbsent(operations: readonly Operation[], window: Window): boolean {
  const writes = operations.filter(isWrite).filter(mayChange);
  if (writes.every(({ invokedAt }) => invokedAt > window.returnedAt)) return true;
  return operations.some(
    (gone) =>
      gone.kind === "delete" &&
      gone.output.kind === "ok" &&
      gone.input.condition === undefined &&
      gone.returnedAt < window.invokedAt &&
      !writes.some((later) => mayFallBetween(later, gone, window)),
  );
}

function mayChange({ output }: Operation): boolean {
  return output.kind === "ok" || output.kind === "unknown";
}

/** It may have taken effect after `first` did and before the page was taken. */
function mayFallBetween(later: Operation, first: Operation, window: Window): boolean {
  return later.returnedAt >= first.invokedAt && later.invokedAt <= window.returnedAt;
}
