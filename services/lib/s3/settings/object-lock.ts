// Object lock: the configuration of a bucket, the retention and legal hold of a version, as
// documents and as headers. A date to retain until must lie in the future when it is set, and
// keeps its milliseconds. Source: Amazon S3 API reference, PutObjectLockConfiguration,
// PutObjectRetention, PutObjectLegalHold; user guide, "Locking objects with Object Lock".
import { openDocument } from "../document-parts.ts";
import { invalidArgument, S3Error } from "../errors.ts";
import type { HeaderField, HeaderList } from "../headers.ts";
import { formatIsoDate, parseIsoDate } from "../http-date.ts";
import { optionalNumber, optionalWord, requiredChoice, requiredWord } from "../xml-fields.ts";
import { checkShape, childNamed, malformedXml, parseXml, type XmlElement } from "../xml-reader.ts";

const MODES = ["GOVERNANCE", "COMPLIANCE"] as const;
export type LockMode = (typeof MODES)[number];
/** A hundred years. */
const DAYS_MAX = 36_500;
const YEARS_MAX = 100;
const DAY_MS = 86_400_000;
/** Some clients write UTC as an offset. */
const UTC_OFFSET = /[+-]00:?00$/;

/** What new versions get that bring no retention of their own: exactly one of days and years. */
export interface DefaultRetention {
  readonly mode: LockMode;
  readonly days: number | undefined;
  readonly years: number | undefined;
}

export interface ObjectLockConfiguration {
  readonly defaultRetention: DefaultRetention | undefined;
}

export interface Retention {
  readonly mode: LockMode;
  readonly retainUntilMs: number;
}

/** Parses PutObjectLockConfiguration. Throws MalformedXML, InvalidArgument (period). */
export function parseObjectLock(body: Uint8Array): ObjectLockConfiguration {
  const root = parseXml(body);
  checkShape(root, "ObjectLockConfiguration", ["ObjectLockEnabled", "Rule"]);
  requiredChoice(root, "ObjectLockEnabled", ["Enabled"]);
  const rule = childNamed(root, "Rule");
  if (rule === undefined) return { defaultRetention: undefined };
  checkShape(rule, "Rule", ["DefaultRetention"]);
  const retention = childNamed(rule, "DefaultRetention");
  if (retention === undefined) throw malformedXml();
  return { defaultRetention: parseDefaultRetention(retention) };
}

function parseDefaultRetention(element: XmlElement): DefaultRetention {
  checkShape(element, "DefaultRetention", ["Mode", "Days", "Years"]);
  const mode = requiredChoice(element, "Mode", MODES);
  const days = parsePeriod(element, "Days", DAYS_MAX);
  const years = parsePeriod(element, "Years", YEARS_MAX);
  if ((days === undefined) === (years === undefined)) throw malformedXml();
  return { mode, days, years };
}

function parsePeriod(element: XmlElement, name: string, max: number): number | undefined {
  const text = optionalWord(element, name);
  if (text !== undefined && /^-[0-9]+$/.test(text)) throw invalidPeriod(name, text);
  const value = optionalNumber(element, name);
  if (value !== undefined && (value < 1 || value > max)) throw invalidPeriod(name, String(value));
  return value;
}

function invalidPeriod(name: string, text: string): S3Error {
  const limit = name === "Days" ? DAYS_MAX : YEARS_MAX;
  return invalidArgument(
    `Default retention period must be a positive integer value of at most ${limit}.`,
    name,
    text,
  );
}

/** GetObjectLockConfiguration of a bucket that has object lock. */
export function objectLockDocument(configuration: ObjectLockConfiguration): string {
  const writer = openDocument("ObjectLockConfiguration").leaf("ObjectLockEnabled", "Enabled");
  const retention = configuration.defaultRetention;
  if (retention !== undefined) {
    writer.open("Rule").open("DefaultRetention").leaf("Mode", retention.mode);
    writer.optional("Days", retention.days).optional("Years", retention.years);
    writer.close("DefaultRetention").close("Rule");
  }
  return writer.close("ObjectLockConfiguration").finish();
}

/** When a version written at `nowMs` under `retention` is free again; years are calendar years. */
export function defaultRetainUntilMs(retention: DefaultRetention, nowMs: number): number {
  if (retention.years === undefined) return nowMs + (retention.days ?? 0) * DAY_MS;
  const date = new Date(nowMs);
  date.setUTCFullYear(date.getUTCFullYear() + retention.years);
  return date.getTime();
}

/**
 * Parses PutObjectRetention; undefined for an empty element, which lifts a governance retention.
 * Throws MalformedXML, InvalidArgument (date not after `nowMs`).
 */
export function parseRetention(body: Uint8Array, nowMs: number): Retention | undefined {
  const root = parseXml(body);
  checkShape(root, "Retention", ["Mode", "RetainUntilDate"]);
  if (root.children.length === 0) return undefined;
  const mode = requiredChoice(root, "Mode", MODES);
  const retainUntilMs = parseDate(requiredWord(root, "RetainUntilDate"));
  if (retainUntilMs === undefined) throw malformedXml();
  checkFuture(retainUntilMs, nowMs);
  return { mode, retainUntilMs };
}

/** Milliseconds since 1970 of an ISO 8601 date in UTC, fraction kept. */
function parseDate(text: string): number | undefined {
  const inUtc = text.replace(UTC_OFFSET, "Z");
  const seconds = parseIsoDate(inUtc);
  if (seconds === undefined) return undefined;
  const fraction = (/\.(\d{1,9})Z$/.exec(inUtc)?.[1] ?? "").padEnd(9, "0");
  // Rounded up: never shorter than what was asked for.
  return seconds + Math.ceil(Number(fraction) / 1_000_000);
}

function checkFuture(retainUntilMs: number, nowMs: number): void {
  if (retainUntilMs > nowMs) return;
  throw new S3Error("InvalidArgument", "The retain until date must be in the future!");
}

/** GetObjectRetention. */
export function retentionDocument(retention: Retention): string {
  const writer = openDocument("Retention").leaf("Mode", retention.mode);
  writer.leaf("RetainUntilDate", formatIsoDate(retention.retainUntilMs));
  return writer.close("Retention").finish();
}

/** Parses PutObjectLegalHold: true for ON. Throws MalformedXML. */
export function parseLegalHold(body: Uint8Array): boolean {
  const root = parseXml(body);
  checkShape(root, "LegalHold", ["Status"]);
  return requiredChoice(root, "Status", ["ON", "OFF"]) === "ON";
}

/** GetObjectLegalHold. */
export function legalHoldDocument(isOn: boolean): string {
  const writer = openDocument("LegalHold").leaf("Status", isOn ? "ON" : "OFF");
  return writer.close("LegalHold").finish();
}

/** What a write says about the lock of its version; undefined where it says nothing. */
export interface LockHeaders {
  readonly retention: Retention | undefined;
  readonly legalHold: boolean | undefined;
}

/** x-amz-object-lock-* of PutObject, CopyObject, CreateMultipartUpload. Throws InvalidArgument. */
export function parseLockHeaders(headers: HeaderList, nowMs: number): LockHeaders {
  return {
    retention: parseRetentionHeaders(headers, nowMs),
    legalHold: parseLegalHoldHeader(headers),
  };
}

function parseRetentionHeaders(headers: HeaderList, nowMs: number): Retention | undefined {
  const modeText = headers.get("x-amz-object-lock-mode");
  const dateText = headers.get("x-amz-object-lock-retain-until-date");
  if (modeText === undefined && dateText === undefined) return undefined;
  if (modeText === undefined || dateText === undefined) {
    throw invalidArgument(
      "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied",
      modeText === undefined ? "x-amz-object-lock-mode" : "x-amz-object-lock-retain-until-date",
      "",
    );
  }
  const mode = MODES.find((known) => known === modeText);
  if (mode === undefined) {
    throw invalidArgument("Unknown wormMode directive.", "x-amz-object-lock-mode", modeText);
  }
  const retainUntilMs = parseDate(dateText);
  if (retainUntilMs === undefined) {
    throw invalidArgument(
      "The retain until date must be provided in ISO 8601 format",
      "x-amz-object-lock-retain-until-date",
      dateText,
    );
  }
  checkFuture(retainUntilMs, nowMs);
  return { mode, retainUntilMs };
}

function parseLegalHoldHeader(headers: HeaderList): boolean | undefined {
  const text = headers.get("x-amz-object-lock-legal-hold");
  if (text === undefined) return undefined;
  if (text === "ON" || text === "OFF") return text === "ON";
  throw invalidArgument(
    "Legal Hold must be either of 'ON' or 'OFF'",
    "x-amz-object-lock-legal-hold",
    text,
  );
}

/** x-amz-bypass-governance-retention; only the text `true` (in any case) asks for it. */
export function parseBypassGovernance(headers: HeaderList): boolean {
  return headers.get("x-amz-bypass-governance-retention")?.toLowerCase() === "true";
}

/** The lock of a version as GetObject and HeadObject tell it. */
export function lockResponseHeaders(lock: LockHeaders): readonly HeaderField[] {
  const fields: HeaderField[] = [];
  if (lock.retention !== undefined) {
    fields.push(["x-amz-object-lock-mode", lock.retention.mode]);
    const until = formatIsoDate(lock.retention.retainUntilMs);
    fields.push(["x-amz-object-lock-retain-until-date", until]);
  }
  if (lock.legalHold !== undefined) {
    fields.push(["x-amz-object-lock-legal-hold", lock.legalHold ? "ON" : "OFF"]);
  }
  return fields;
}
