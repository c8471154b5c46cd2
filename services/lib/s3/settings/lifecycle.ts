// The lifecycle configuration of a bucket: parses and checks PutBucketLifecycleConfiguration (also
// the older form with a prefix in the rule), writes GetBucketLifecycleConfiguration. What a rule
// does to a version is in lifecycle-evaluation.ts. Source: Amazon S3 API reference,
// PutBucketLifecycleConfiguration; user guide, "Lifecycle configuration elements".
import { openDocument } from "../document-parts.ts";
import { invalidArgument, S3Error } from "../errors.ts";
import { formatIsoDate, parseIsoDate } from "../http-date.ts";
import {
  optionalBoolean,
  optionalNumber,
  optionalWord,
  requiredChoice,
  requiredText,
  requiredWord,
} from "../xml-fields.ts";
import type { XmlElement } from "../xml-reader.ts";
import {
  checkShape,
  childNamed,
  childrenNamed,
  childText,
  malformedXml,
  parseXml,
} from "../xml-reader.ts";
import type { Tag } from "../xml-requests.ts";
import type { XmlWriter } from "../xml-writer.ts";
import { checkTags, OBJECT_TAG_LIMITS, writeTags } from "./tagging.ts";

const RULES_MAX = 1000;
const ELEMENTS_MAX = 100_000;
const ID_LENGTH_MAX = 255;
const NEWER_VERSIONS_MAX = 100;
const DAYS_MAX = 2 ** 31 - 1;
const DAY_MS = 86_400_000;
const STORAGE_CLASS = /^[A-Za-z0-9_+.-]{1,64}$/;

/** Which objects a rule is for: all that is set must hold. */
export interface LifecycleFilter {
  /** The older form has its prefix in the rule itself, and nothing else. */
  readonly form: "rule-prefix" | "filter";
  readonly prefix: string | undefined;
  readonly tags: readonly Tag[];
  /** Bytes, exclusive. */
  readonly sizeGreaterThan: number | undefined;
  readonly sizeLessThan: number | undefined;
}

/** A number of days after the object was written, or a midnight. */
export type LifecycleTime =
  | { readonly kind: "days"; readonly days: number }
  | { readonly kind: "date"; readonly dateMs: number };

export type LifecycleExpiration = LifecycleTime | { readonly kind: "delete-markers" };

export interface LifecycleTransition {
  readonly time: LifecycleTime;
  readonly storageClass: string;
}

export interface NoncurrentPeriod {
  /** Days since the version became noncurrent. */
  readonly days: number;
  /** As many noncurrent versions are kept, 1..100; undefined keeps none. */
  readonly newerVersions: number | undefined;
}

export interface NoncurrentTransition extends NoncurrentPeriod {
  readonly storageClass: string;
}

export interface LifecycleRule {
  readonly id: string;
  readonly isEnabled: boolean;
  readonly filter: LifecycleFilter;
  readonly expiration: LifecycleExpiration | undefined;
  readonly transitions: readonly LifecycleTransition[];
  readonly noncurrentExpiration: NoncurrentPeriod | undefined;
  readonly noncurrentTransitions: readonly NoncurrentTransition[];
  readonly abortUploadDays: number | undefined;
}

export interface LifecycleOptions {
  /** Makes an id for a rule that brings none, from its place (from 0). */
  readonly makeId: (index: number) => string;
  /** Whether objects can move to a storage class of this name. */
  readonly isStorageClass: (name: string) => boolean;
}

/**
 * 1..1000 rules, ids distinct. Throws MalformedXML, InvalidArgument (ids, days, dates),
 * InvalidRequest (combinations that do not go together), InvalidStorageClass.
 */
export function parseLifecycle(
  body: Uint8Array,
  options: LifecycleOptions,
): readonly LifecycleRule[] {
  const root = parseXml(body, { elementsMax: ELEMENTS_MAX });
  checkShape(root, "LifecycleConfiguration", ["Rule"]);
  if (root.children.length === 0 || root.children.length > RULES_MAX) throw malformedXml();
  const rules = root.children.map((element, index) => parseRule(element, index, options));
  if (new Set(rules.map((rule) => rule.id)).size !== rules.length) {
    throw new S3Error(
      "InvalidArgument",
      "Rule ID must be unique. Found same ID for more than one rule",
    );
  }
  return rules;
}

/** Rules of a stored document, which lifecycleDocument wrote. */
export function parseStoredLifecycle(document: Uint8Array): readonly LifecycleRule[] {
  return parseLifecycle(document, { makeId: String, isStorageClass: () => true });
}

const RULE_ELEMENTS = ["ID", "Status", "Prefix", "Filter", "Expiration", "Transition"].concat([
  "NoncurrentVersionExpiration",
  "NoncurrentVersionTransition",
  "AbortIncompleteMultipartUpload",
]);

function parseRule(element: XmlElement, index: number, options: LifecycleOptions): LifecycleRule {
  checkShape(element, "Rule", RULE_ELEMENTS);
  const rule: LifecycleRule = {
    id: optionalWord(element, "ID") || options.makeId(index),
    isEnabled: requiredChoice(element, "Status", ["Enabled", "Disabled"]) === "Enabled",
    filter: parseFilter(element),
    expiration: parseExpiration(childNamed(element, "Expiration")),
    transitions: childrenNamed(element, "Transition").map((child) => ({
      time: parseTransitionTime(child),
      storageClass: parseStorageClass(child, options),
    })),
    noncurrentExpiration: parseNoncurrent(childNamed(element, "NoncurrentVersionExpiration")),
    noncurrentTransitions: childrenNamed(element, "NoncurrentVersionTransition").map((child) => ({
      ...noncurrentPeriod(child, ["StorageClass"]),
      storageClass: parseStorageClass(child, options),
    })),
    abortUploadDays: parseAbort(childNamed(element, "AbortIncompleteMultipartUpload")),
  };
  if (rule.id.length > ID_LENGTH_MAX) {
    const message = `ID length should not exceed allowed limit of ${ID_LENGTH_MAX}`;
    throw invalidArgument(message, "ID", rule.id);
  }
  checkRule(rule);
  return rule;
}

const PREDICATES = ["Prefix", "Tag", "ObjectSizeGreaterThan", "ObjectSizeLessThan"];

function parseFilter(rule: XmlElement): LifecycleFilter {
  const prefix = childText(rule, "Prefix");
  const filter = childNamed(rule, "Filter");
  if ((prefix === undefined) === (filter === undefined)) throw malformedXml();
  if (filter === undefined) {
    const none = { tags: [], sizeGreaterThan: undefined, sizeLessThan: undefined };
    return { form: "rule-prefix", prefix, ...none };
  }
  checkShape(filter, "Filter", [...PREDICATES, "And"]);
  if (filter.children.length > 1) throw malformedXml();
  const and = childNamed(filter, "And");
  if (and !== undefined) checkShape(and, "And", PREDICATES);
  if (and?.children.length === 0) throw malformedXml();
  return parsePredicates(and ?? filter);
}

function parsePredicates(element: XmlElement): LifecycleFilter {
  const tags = childrenNamed(element, "Tag").map((tag): Tag => {
    checkShape(tag, "Tag", ["Key", "Value"]);
    return { key: requiredText(tag, "Key"), value: requiredText(tag, "Value") };
  });
  if (new Set(tags.map((tag) => tag.key)).size !== tags.length) {
    throw new S3Error("InvalidRequest", "Duplicate Tag Keys are not allowed.");
  }
  checkTags(tags, { ...OBJECT_TAG_LIMITS, restricted: false });
  const sizeGreaterThan = optionalNumber(element, "ObjectSizeGreaterThan");
  const sizeLessThan = optionalNumber(element, "ObjectSizeLessThan");
  if (sizeLessThan !== undefined && sizeLessThan <= (sizeGreaterThan ?? -1) + 1) {
    throw new S3Error(
      "InvalidRequest",
      "ObjectSizeLessThan must leave room above ObjectSizeGreaterThan.",
    );
  }
  return {
    form: "filter",
    prefix: childText(element, "Prefix"),
    tags,
    sizeGreaterThan,
    sizeLessThan,
  };
}

function parseExpiration(element: XmlElement | undefined): LifecycleExpiration | undefined {
  if (element === undefined) return undefined;
  checkShape(element, "Expiration", ["Days", "Date", "ExpiredObjectDeleteMarker"]);
  const time = parseTime(element, "Expiration", 1);
  const markers = optionalBoolean(element, "ExpiredObjectDeleteMarker");
  if (time !== undefined) {
    if (markers !== undefined) throw malformedXml();
    return time;
  }
  if (markers === undefined) throw malformedXml();
  return markers ? { kind: "delete-markers" } : undefined;
}

/** Days or Date of an element; undefined when it has neither. */
function parseTime(element: XmlElement, action: string, min: number): LifecycleTime | undefined {
  const days = parseDays(element, "Days", { action, min });
  const date = optionalWord(element, "Date");
  if (days !== undefined && date !== undefined) throw malformedXml();
  if (days !== undefined) return { kind: "days", days };
  return date === undefined ? undefined : { kind: "date", dateMs: parseDate(date) };
}

function parseTransitionTime(element: XmlElement): LifecycleTime {
  checkShape(element, "Transition", ["Days", "Date", "StorageClass"]);
  const time = parseTime(element, "Transition", 0);
  if (time === undefined) throw malformedXml();
  return time;
}

/** `2026-01-31`, or with a time, which must be midnight in UTC. */
function parseDate(text: string): number {
  const withTime = /^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00Z` : text;
  const dateMs = parseIsoDate(withTime.replace(/[+-]00:?00$/, "Z"));
  if (dateMs === undefined) throw malformedXml();
  if (dateMs % DAY_MS !== 0) {
    throw invalidArgument("'Date' must be at midnight GMT", "Date", text);
  }
  return dateMs;
}

interface DaysLimits {
  readonly action: string;
  readonly min: number;
}

function parseDays(element: XmlElement, name: string, limits: DaysLimits): number | undefined {
  const text = optionalWord(element, name);
  if (text === undefined) return undefined;
  const days = /^-[0-9]+$/.test(text) ? -1 : (optionalNumber(element, name) ?? -1);
  if (days > DAYS_MAX) throw malformedXml();
  if (days >= limits.min) return days;
  const kind = limits.min === 0 ? "nonnegative" : "positive";
  const message = `'${name}' for ${limits.action} action must be a ${kind} integer`;
  throw invalidArgument(message, name, text);
}

function parseStorageClass(element: XmlElement, options: LifecycleOptions): string {
  const name = requiredWord(element, "StorageClass");
  if (!STORAGE_CLASS.test(name)) throw malformedXml();
  if (!options.isStorageClass(name)) throw new S3Error("InvalidStorageClass");
  return name;
}

function parseNoncurrent(element: XmlElement | undefined): NoncurrentPeriod | undefined {
  return element === undefined ? undefined : noncurrentPeriod(element, []);
}

function noncurrentPeriod(element: XmlElement, others: readonly string[]): NoncurrentPeriod {
  checkShape(element, element.name, ["NoncurrentDays", "NewerNoncurrentVersions", ...others]);
  // Expiration takes a day at least; a transition may come at once.
  const min = others.length === 0 ? 1 : 0;
  const days = parseDays(element, "NoncurrentDays", { action: element.name, min });
  const newerVersions = optionalNumber(element, "NewerNoncurrentVersions");
  if (days === undefined) throw malformedXml();
  if (newerVersions !== undefined && (newerVersions < 1 || newerVersions > NEWER_VERSIONS_MAX)) {
    throw invalidArgument(
      `'NewerNoncurrentVersions' must be an integer between 1 and ${NEWER_VERSIONS_MAX}`,
      "NewerNoncurrentVersions",
      String(newerVersions),
    );
  }
  return { days, newerVersions };
}

function parseAbort(element: XmlElement | undefined): number | undefined {
  if (element === undefined) return undefined;
  checkShape(element, "AbortIncompleteMultipartUpload", ["DaysAfterInitiation"]);
  const action = "AbortIncompleteMultipartUpload";
  const days = parseDays(element, "DaysAfterInitiation", { action, min: 1 });
  if (days === undefined) throw malformedXml();
  return days;
}

/** Combinations that S3 refuses. */
function checkRule(rule: LifecycleRule): void {
  const { filter, expiration, transitions, noncurrentTransitions } = rule;
  const acts = [rule.noncurrentExpiration, rule.abortUploadDays, expiration, transitions[0]];
  if ([...acts, noncurrentTransitions[0]].every((action) => action === undefined)) {
    throw invalid("At least one action needs to be specified in a rule");
  }
  if (filter.tags.length > 0 && expiration?.kind === "delete-markers") {
    throw invalid("ExpiredObjectDeleteMarker cannot be specified with Tags");
  }
  if (filter.tags.length > 0 && rule.abortUploadDays !== undefined) {
    throw invalid("AbortIncompleteMultipartUpload cannot be specified with Tags");
  }
  const bySize = filter.sizeGreaterThan !== undefined || filter.sizeLessThan !== undefined;
  if (bySize && rule.abortUploadDays !== undefined) {
    throw invalid("AbortIncompleteMultipartUpload cannot be specified with Object Size");
  }
  checkClasses(transitions.map((transition) => transition.storageClass));
  checkClasses(noncurrentTransitions.map((transition) => transition.storageClass));
  checkTimes(rule);
}

function invalid(message: string): S3Error {
  return new S3Error("InvalidRequest", message);
}

function checkClasses(names: readonly string[]): void {
  if (new Set(names).size === names.length) return;
  throw invalid("'StorageClass' must be different for 'Transition' actions in same 'Rule'");
}

function checkTimes({ expiration, transitions, filter, ...rule }: LifecycleRule): void {
  const kinds = new Set(transitions.map(({ time }) => time.kind));
  const isTime = expiration !== undefined && expiration.kind !== "delete-markers";
  if (isTime) kinds.add(expiration.kind);
  const where = `for filter '(prefix=${filter.prefix ?? ""})'`;
  if (transitions.length > 0 && kinds.size > 1) {
    const mixed = "Found mixed 'Date' and 'Days' based Expiration and Transition actions in";
    throw invalid(`${mixed} lifecycle rule ${where}`);
  }
  if (isTime && transitions.some(({ time }) => pointOf(time) >= pointOf(expiration))) {
    const name = expiration.kind === "days" ? "Days" : "Date";
    throw new S3Error(
      "InvalidArgument",
      `'${name}' in the Expiration action ${where} must be greater than '${name}' in the ` +
        "Transition action",
    );
  }
  const { noncurrentExpiration: last, noncurrentTransitions } = rule;
  if (last !== undefined && noncurrentTransitions.some(({ days }) => days >= last.days)) {
    throw new S3Error(
      "InvalidArgument",
      `'NoncurrentDays' in the NoncurrentVersionExpiration action ${where} must be greater than ` +
        "'NoncurrentDays' in the NoncurrentVersionTransition action",
    );
  }
}

function pointOf(time: LifecycleTime): number {
  return time.kind === "days" ? time.days : time.dateMs;
}

/** GetBucketLifecycleConfiguration, and the form in which the setting is kept. */
export function lifecycleDocument(rules: readonly LifecycleRule[]): string {
  const writer = openDocument("LifecycleConfiguration");
  for (const rule of rules) writeRule(writer, rule);
  return writer.close("LifecycleConfiguration").finish();
}

function writeRule(writer: XmlWriter, rule: LifecycleRule): void {
  writer.open("Rule").leaf("ID", rule.id);
  writeFilter(writer, rule.filter);
  writer.leaf("Status", rule.isEnabled ? "Enabled" : "Disabled");
  for (const { time, storageClass } of rule.transitions) {
    writeTime(writer.open("Transition"), time);
    writer.leaf("StorageClass", storageClass).close("Transition");
  }
  if (rule.expiration !== undefined) {
    writer.open("Expiration");
    if (rule.expiration.kind === "delete-markers") writer.leaf("ExpiredObjectDeleteMarker", true);
    else writeTime(writer, rule.expiration);
    writer.close("Expiration");
  }
  for (const transition of rule.noncurrentTransitions) {
    writePeriod(writer.open("NoncurrentVersionTransition"), transition);
    writer.leaf("StorageClass", transition.storageClass).close("NoncurrentVersionTransition");
  }
  if (rule.noncurrentExpiration !== undefined) {
    writePeriod(writer.open("NoncurrentVersionExpiration"), rule.noncurrentExpiration);
    writer.close("NoncurrentVersionExpiration");
  }
  if (rule.abortUploadDays !== undefined) {
    writer.open("AbortIncompleteMultipartUpload");
    writer.leaf("DaysAfterInitiation", rule.abortUploadDays);
    writer.close("AbortIncompleteMultipartUpload");
  }
  writer.close("Rule");
}

function writeTime(writer: XmlWriter, time: LifecycleTime): void {
  if (time.kind === "days") writer.leaf("Days", time.days);
  else writer.leaf("Date", formatIsoDate(time.dateMs));
}

function writePeriod(writer: XmlWriter, period: NoncurrentPeriod): void {
  writer.leaf("NoncurrentDays", period.days);
  writer.optional("NewerNoncurrentVersions", period.newerVersions);
}

function writeFilter(writer: XmlWriter, filter: LifecycleFilter): void {
  if (filter.form === "rule-prefix") {
    writer.leaf("Prefix", filter.prefix ?? "");
    return;
  }
  const given = [filter.prefix, filter.sizeGreaterThan, filter.sizeLessThan, ...filter.tags];
  const isJoined = given.filter((predicate) => predicate !== undefined).length > 1;
  writer.open("Filter");
  if (isJoined) writer.open("And");
  writer.optional("Prefix", filter.prefix);
  writeTags(writer, filter.tags);
  writer.optional("ObjectSizeGreaterThan", filter.sizeGreaterThan);
  writer.optional("ObjectSizeLessThan", filter.sizeLessThan);
  if (isJoined) writer.close("And");
  writer.close("Filter");
}
