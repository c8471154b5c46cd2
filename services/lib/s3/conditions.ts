// Conditional requests. Reads follow the order of RFC 9110 §13.2.2, which is also what S3
// documents for combined headers; copies answer every failed condition with 412; writes know
// If-None-Match: * and If-Match only and refuse the rest, since an ignored condition is a lost
// update; a rename knows all four, of both its objects. Source: Amazon S3 user guide, "Conditional
// requests"; API reference, GetObject, CopyObject and RenameObject.
import { invalidArgument, S3Error } from "./errors.ts";
import { type EntityTag, parseEtagList } from "./etag.ts";
import type { HeaderList } from "./headers.ts";
import { parseHttpDate } from "./http-date.ts";
import { parseDecimal } from "./integers.ts";

export interface ReadConditions {
  readonly ifMatch: "*" | readonly EntityTag[] | undefined;
  readonly ifNoneMatch: "*" | readonly EntityTag[] | undefined;
  /** Milliseconds since 1970, whole seconds. */
  readonly ifModifiedSinceMs: number | undefined;
  readonly ifUnmodifiedSinceMs: number | undefined;
}

/** What conditions look at. */
export interface ConditionSubject {
  /** Unquoted. */
  readonly etag: string;
  readonly lastModifiedMs: number;
}

export type ReadOutcome = "proceed" | "not-modified" | "precondition-failed";

/** Conditions of GET and HEAD. Dates that are none are ignored (RFC 9110 §13.1.3). */
export function parseReadConditions(headers: HeaderList, nowMs: number): ReadConditions {
  return parseWithPrefix(headers, nowMs, "");
}

/** The x-amz-copy-source-if- headers of copies. */
export function parseCopyConditions(headers: HeaderList, nowMs: number): ReadConditions {
  return parseWithPrefix(headers, nowMs, "x-amz-copy-source-");
}

function parseWithPrefix(headers: HeaderList, nowMs: number, prefix: string): ReadConditions {
  const tags = (name: string): "*" | readonly EntityTag[] | undefined => {
    const text = headers.get(`${prefix}${name}`);
    return text === undefined ? undefined : parseEtagList(text);
  };
  const date = (name: string): number | undefined => {
    const text = headers.get(`${prefix}${name}`);
    return text === undefined ? undefined : parseHttpDate(text, nowMs);
  };
  return {
    ifMatch: tags("if-match"),
    ifNoneMatch: tags("if-none-match"),
    ifModifiedSinceMs: date("if-modified-since"),
    ifUnmodifiedSinceMs: date("if-unmodified-since"),
  };
}

/** Evaluates read conditions against an existing object, in the steps of RFC 9110 §13.2.2. */
export function evaluateRead(conditions: ReadConditions, subject: ConditionSubject): ReadOutcome {
  const { ifMatch, ifNoneMatch, ifModifiedSinceMs, ifUnmodifiedSinceMs } = conditions;
  // Clients know the time of modification to the second.
  const modifiedMs = Math.floor(subject.lastModifiedMs / 1000) * 1000;
  // Steps 1 and 2.
  if (ifMatch !== undefined) {
    if (!matchesStrong(ifMatch, subject.etag)) return "precondition-failed";
  } else if (ifUnmodifiedSinceMs !== undefined && modifiedMs > ifUnmodifiedSinceMs) {
    return "precondition-failed";
  }
  // Steps 3 and 4.
  if (ifNoneMatch !== undefined) {
    if (matchesWeak(ifNoneMatch, subject.etag)) return "not-modified";
  } else if (ifModifiedSinceMs !== undefined && modifiedMs <= ifModifiedSinceMs) {
    return "not-modified";
  }
  return "proceed";
}

/** As evaluateRead for a copy source, where every failure is 412. */
export function evaluateCopy(
  conditions: ReadConditions,
  subject: ConditionSubject,
): "proceed" | "precondition-failed" {
  return evaluateRead(conditions, subject) === "proceed" ? "proceed" : "precondition-failed";
}

/**
 * Whether Range counts, by If-Range (RFC 9110 §13.1.5): true without the header, with the strong
 * entity tag of the object, or with exactly its time of modification; otherwise the whole is sent.
 */
export function evaluateIfRange(
  header: string | undefined,
  subject: ConditionSubject,
  nowMs: number,
): boolean {
  if (header === undefined) return true;
  const dateMs = parseHttpDate(header, nowMs);
  if (dateMs !== undefined) return dateMs === Math.floor(subject.lastModifiedMs / 1000) * 1000;
  const tags = parseEtagList(header);
  return tags !== "*" && tags.length === 1 && matchesStrong(tags, subject.etag);
}

function matchesStrong(tags: "*" | readonly EntityTag[], etag: string): boolean {
  return tags === "*" || tags.some(({ tag, weak }) => !weak && tag === etag);
}

function matchesWeak(tags: "*" | readonly EntityTag[], etag: string): boolean {
  return tags === "*" || tags.some(({ tag }) => tag === etag);
}

export type WriteCondition =
  | { readonly kind: "none" }
  /** If-None-Match: * */
  | { readonly kind: "if-absent" }
  /** If-Match: * */
  | { readonly kind: "if-present" }
  /** If-Match with one unquoted entity tag. */
  | { readonly kind: "if-match"; readonly etag: string };

/**
 * The condition of PutObject, CompleteMultipartUpload, CopyObject or DeleteObject. Throws
 * NotImplemented for conditions that S3 does not have on writes.
 */
export function parseWriteCondition(headers: HeaderList): WriteCondition {
  for (const name of ["if-modified-since", "if-unmodified-since"]) {
    if (headers.has(name)) throw notImplemented(name);
  }
  const match = headers.get("if-match");
  const noneMatch = headers.get("if-none-match");
  if (noneMatch !== undefined) {
    if (match !== undefined || noneMatch !== "*") throw notImplemented("if-none-match");
    return { kind: "if-absent" };
  }
  if (match === undefined) return { kind: "none" };
  const tags = parseEtagList(match);
  if (tags === "*") return { kind: "if-present" };
  const [tag] = tags;
  if (tag === undefined || tags.length > 1 || tag.weak) throw notImplemented("if-match");
  return { kind: "if-match", etag: tag.tag };
}

function notImplemented(header: string): S3Error {
  return new S3Error("NotImplemented", undefined, { details: [["Header", header]] });
}

export type WriteOutcome = "proceed" | "precondition-failed" | "no-such-key";

/** Evaluates a write condition against the current entity tag, undefined without an object. */
export function evaluateWrite(condition: WriteCondition, etag: string | undefined): WriteOutcome {
  switch (condition.kind) {
    case "none":
      return "proceed";
    case "if-absent":
      return etag === undefined ? "proceed" : "precondition-failed";
    case "if-present":
      return etag === undefined ? "no-such-key" : "proceed";
    case "if-match":
      if (etag === undefined) return "no-such-key";
      return condition.etag === etag ? "proceed" : "precondition-failed";
  }
}

/** Further conditions of DeleteObject. */
export interface DeleteConditions {
  readonly match: WriteCondition;
  /** Milliseconds since 1970, whole seconds. */
  readonly lastModifiedMs: number | undefined;
  readonly sizeBytes: number | undefined;
}

/** Throws NotImplemented or InvalidArgument. */
export function parseDeleteConditions(headers: HeaderList, nowMs: number): DeleteConditions {
  const time = headers.get("x-amz-if-match-last-modified-time");
  const size = headers.get("x-amz-if-match-size");
  const lastModifiedMs = time === undefined ? undefined : parseHttpDate(time, nowMs);
  const sizeBytes = size === undefined ? undefined : parseDecimal(size);
  if (time !== undefined && lastModifiedMs === undefined) {
    throw invalidArgument("Invalid date", "x-amz-if-match-last-modified-time", time);
  }
  if (size !== undefined && sizeBytes === undefined) {
    throw invalidArgument("Invalid size", "x-amz-if-match-size", size);
  }
  const match = parseWriteCondition(headers);
  if (match.kind === "if-absent") throw notImplemented("if-none-match");
  return { match, lastModifiedMs, sizeBytes };
}

/** Evaluates delete conditions against the current object, undefined when there is none. */
export function evaluateDelete(
  conditions: DeleteConditions,
  subject: (ConditionSubject & { readonly size: number }) | undefined,
): WriteOutcome {
  const { match, lastModifiedMs, sizeBytes } = conditions;
  const conditional =
    match.kind !== "none" || lastModifiedMs !== undefined || sizeBytes !== undefined;
  if (!conditional) return "proceed";
  if (subject === undefined) return "no-such-key";
  const modifiedMs = Math.floor(subject.lastModifiedMs / 1000) * 1000;
  if (lastModifiedMs !== undefined && modifiedMs !== lastModifiedMs) return "precondition-failed";
  if (sizeBytes !== undefined && subject.size !== sizeBytes) return "precondition-failed";
  return evaluateWrite(match, subject.etag);
}

/** Conditions of RenameObject on one of its two objects; all that are given must hold. */
export interface RenameConditions {
  /** The entity tag is one of these, unquoted, or there is any with `*`; empty: no condition. */
  readonly ifMatch: readonly string[];
  /** The entity tag is none of these, or there is no object with `*`. */
  readonly ifNoneMatch: readonly string[];
  /** Milliseconds since 1970, whole seconds. */
  readonly modifiedSinceMs: number | undefined;
  readonly unmodifiedSinceMs: number | undefined;
}

/**
 * `headers` under the names that they have for the target. Throws NotImplemented for tags that are
 * none or can never match, InvalidArgument for dates that are none.
 */
export function parseRenameConditions(headers: HeaderList, nowMs: number): RenameConditions {
  return {
    ifMatch: demandedTags(headers, "if-match", false),
    ifNoneMatch: demandedTags(headers, "if-none-match", true),
    modifiedSinceMs: demandedDate(headers, "if-modified-since", nowMs),
    unmodifiedSinceMs: demandedDate(headers, "if-unmodified-since", nowMs),
  };
}

function demandedTags(headers: HeaderList, name: string, mayBeWeak: boolean): readonly string[] {
  const text = headers.get(name);
  if (text === undefined) return [];
  const tags = parseEtagList(text);
  if (tags === "*") return ["*"];
  if (tags.length === 0 || tags.some(({ weak }) => weak && !mayBeWeak)) throw notImplemented(name);
  return tags.map(({ tag }) => tag);
}

function demandedDate(headers: HeaderList, name: string, nowMs: number): number | undefined {
  const text = headers.get(name);
  if (text === undefined) return undefined;
  const dateMs = parseHttpDate(text, nowMs);
  if (dateMs === undefined) throw invalidArgument("Invalid date", name, text);
  return dateMs;
}
