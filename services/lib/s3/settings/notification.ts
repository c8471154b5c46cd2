// The notification configuration of a bucket: parses PutBucketNotificationConfiguration, writes the
// document, and says which entries an event is for. Targets are named by ARN: the resource part is
// the kind of target, the account part its name (`arn:dolium:sqs::orders:webhook`). Source: Amazon
// S3 API reference, PutBucketNotificationConfiguration; user guide, "Event notification types".
import { openDocument } from "../document-parts.ts";
import { S3Error } from "../errors.ts";
import { optionalWord, requiredText, requiredWord, trimLines } from "../xml-fields.ts";
import {
  checkShape,
  childNamed,
  childrenNamed,
  malformedXml,
  parseXml,
  type XmlElement,
} from "../xml-reader.ts";
import type { XmlWriter } from "../xml-writer.ts";

const ENTRIES_MAX = 100;
const ID_LENGTH_MAX = 255;
const VALUE_BYTES_MAX = 1024;

/** Names a bucket may ask for, without `s3:`. A `*` stands for all of its family. */
const EVENT_NAMES: ReadonlySet<string> = new Set([
  "ObjectCreated:*",
  "ObjectCreated:Put",
  "ObjectCreated:Post",
  "ObjectCreated:Copy",
  "ObjectCreated:CompleteMultipartUpload",
  "ObjectRemoved:*",
  "ObjectRemoved:Delete",
  "ObjectRemoved:DeleteMarkerCreated",
  "LifecycleExpiration:*",
  "LifecycleExpiration:Delete",
  "LifecycleExpiration:DeleteMarkerCreated",
  "LifecycleTransition",
  "ObjectTagging:*",
  "ObjectTagging:Put",
  "ObjectTagging:Delete",
  "ObjectAcl:Put",
  "ObjectRestore:*",
  "ObjectRestore:Post",
  "ObjectRestore:Completed",
  "ObjectRestore:Delete",
  "ReducedRedundancyLostObject",
  "IntelligentTiering",
  "Replication:*",
  "Replication:OperationFailedReplication",
  "Replication:OperationMissedThreshold",
  "Replication:OperationReplicatedAfterThreshold",
  "Replication:OperationNotTracked",
]);

const KINDS = [
  { kind: "topic", element: "TopicConfiguration", target: "Topic" },
  { kind: "queue", element: "QueueConfiguration", target: "Queue" },
  { kind: "function", element: "CloudFunctionConfiguration", target: "CloudFunction" },
] as const;
export type NotificationKind = (typeof KINDS)[number]["kind"];

export interface NotificationEntry {
  readonly kind: NotificationKind;
  readonly id: string;
  /** As the client wrote it. */
  readonly arn: string;
  /** What the ARN names. */
  readonly target: NotificationTarget;
  /** As S3 spells them, with `s3:`. */
  readonly events: readonly string[];
  readonly prefix: string | undefined;
  readonly suffix: string | undefined;
}

export interface NotificationTarget {
  /** `webhook` and its like. */
  readonly type: string;
  readonly name: string;
}

export interface NotificationOptions {
  /** Makes an id for an entry that brings none, from its place (from 0). */
  readonly makeId: (index: number) => string;
  /** Whether the operator has set up such a target. */
  readonly isTarget: (target: NotificationTarget) => boolean;
}

const ARN = /^arn:(?:dolium|minio|aws):(?:sqs|sns|lambda):([\w-]*):([\w.-]+):([\w.-]+)$/;

/** The target an ARN names, or undefined when it is none of ours. */
export function parseTargetArn(arn: string): NotificationTarget | undefined {
  const [, , name, type] = ARN.exec(arn) ?? [];
  return name === undefined || type === undefined ? undefined : { type, name };
}

/** The ARN by which a target is offered to clients. */
export function targetArn({ type, name }: NotificationTarget): string {
  return `arn:dolium:sqs::${name}:${type}`;
}

/**
 * At most 100 entries; none turns notifications off. Throws MalformedXML, InvalidArgument (target,
 * event, filter, overlap), NotImplemented (EventBridge).
 */
export function parseNotification(
  body: Uint8Array,
  options: NotificationOptions,
): readonly NotificationEntry[] {
  const root = parseXml(body);
  const elements = KINDS.map((kind) => kind.element);
  checkShape(root, "NotificationConfiguration", [...elements, "EventBridgeConfiguration"]);
  if (childNamed(root, "EventBridgeConfiguration") !== undefined) {
    throw new S3Error("NotImplemented");
  }
  if (root.children.length > ENTRIES_MAX) {
    throw invalid(`A bucket has at most ${ENTRIES_MAX} notification configurations.`);
  }
  const entries = root.children.map((element, index) => parseEntry(element, index, options));
  if (new Set(entries.map((entry) => entry.id)).size !== entries.length) {
    throw invalid("Same ID used for multiple configurations. IDs must be unique");
  }
  checkOverlaps(entries);
  return entries;
}

/** Entries of a stored document, which notificationDocument wrote. */
export function parseStoredNotification(document: Uint8Array): readonly NotificationEntry[] {
  return parseNotification(document, { makeId: String, isTarget: () => true });
}

function invalid(message: string, name?: string, value?: string): S3Error {
  const details = name === undefined ? [] : argument(name, value ?? "");
  return new S3Error("InvalidArgument", message, { details });
}

function argument(name: string, value: string): readonly (readonly [string, string])[] {
  return [
    ["ArgumentName", name],
    ["ArgumentValue", value],
  ];
}

function parseEntry(
  element: XmlElement,
  index: number,
  options: NotificationOptions,
): NotificationEntry {
  const kind = KINDS.find((known) => known.element === element.name);
  if (kind === undefined) throw malformedXml();
  checkShape(element, kind.element, ["Id", kind.target, "Event", "Filter"]);
  const id = optionalWord(element, "Id") || options.makeId(index);
  if (id.length > ID_LENGTH_MAX) throw malformedXml();
  const arn = requiredWord(element, kind.target);
  const target = parseTargetArn(arn);
  if (target === undefined) throw invalid("The ARN could not be parsed", kind.target, arn);
  if (!options.isTarget(target)) {
    throw invalid(
      "Unable to validate the following destination configurations",
      arn,
      "The destination does not exist.",
    );
  }
  const events = childrenNamed(element, "Event").map(parseEvent);
  if (events.length === 0) throw malformedXml();
  const filter = childNamed(element, "Filter");
  return { kind: kind.kind, id, arn, target, events, ...parseFilter(filter) };
}

function parseEvent(element: XmlElement): string {
  const name = trimLines(element.text);
  if (element.children.length > 0) throw malformedXml();
  if (name.startsWith("s3:") && EVENT_NAMES.has(name.slice(3))) return name;
  throw invalid("A specified event is not supported for notifications.", "Event", name);
}

type KeyFilter = Pick<NotificationEntry, "prefix" | "suffix">;

function parseFilter(filter: XmlElement | undefined): KeyFilter {
  if (filter === undefined) return { prefix: undefined, suffix: undefined };
  checkShape(filter, "Filter", ["S3Key"]);
  const keys = childNamed(filter, "S3Key");
  if (keys === undefined) return { prefix: undefined, suffix: undefined };
  checkShape(keys, "S3Key", ["FilterRule"]);
  const values = new Map<string, string>();
  for (const rule of keys.children) {
    checkShape(rule, "FilterRule", ["Name", "Value"]);
    const name = requiredWord(rule, "Name").toLowerCase();
    const value = requiredText(rule, "Value");
    if (name !== "prefix" && name !== "suffix") {
      throw invalid("filter rule name must be either prefix or suffix", "FilterRule.Name", name);
    }
    if (values.has(name)) {
      throw invalid(`Cannot specify more than one ${name} rule in a filter.`, "FilterRule", name);
    }
    if (Buffer.byteLength(value) > VALUE_BYTES_MAX) {
      throw invalid("Size of filter rule value cannot exceed 1024 bytes", "FilterRule.Value", name);
    }
    values.set(name, value);
  }
  return { prefix: values.get("prefix"), suffix: values.get("suffix") };
}

/** Two entries may not both be meant by one event on one key: S3 delivers an event once. */
function checkOverlaps(entries: readonly NotificationEntry[]): void {
  for (const [index, first] of entries.entries()) {
    for (const second of entries.slice(index + 1)) {
      if (!shareEvent(first.events, second.events) || !shareKey(first, second)) continue;
      throw invalid(
        first.prefix === undefined && first.suffix === undefined
          ? "Configurations overlap. Configurations on the same bucket cannot share a common " +
              "event type."
          : "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules " +
              "if the prefixes are overlapping for the same event type.",
      );
    }
  }
}

function shareEvent(first: readonly string[], second: readonly string[]): boolean {
  return first.some((a) => second.some((b) => a === b || coversEvent(a, b) || coversEvent(b, a)));
}

function shareKey(first: KeyFilter, second: KeyFilter): boolean {
  const [prefixA, prefixB] = [first.prefix ?? "", second.prefix ?? ""];
  const [suffixA, suffixB] = [first.suffix ?? "", second.suffix ?? ""];
  const samePrefix = prefixA.startsWith(prefixB) || prefixB.startsWith(prefixA);
  return samePrefix && (suffixA.endsWith(suffixB) || suffixB.endsWith(suffixA));
}

/** `pattern` may end in `*`; both with `s3:`. */
function coversEvent(pattern: string, name: string): boolean {
  return pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : pattern === name;
}

/**
 * The entries an event is for. `event` is the name without `s3:`, as in the outbox
 * (`ObjectCreated:Put`).
 */
export function entriesFor(
  entries: readonly NotificationEntry[],
  event: string,
  key: string,
): readonly NotificationEntry[] {
  return entries.filter(
    ({ events, prefix, suffix }) =>
      events.some((pattern) => coversEvent(pattern, `s3:${event}`)) &&
      key.startsWith(prefix ?? "") &&
      key.endsWith(suffix ?? ""),
  );
}

/** GetBucketNotificationConfiguration, and the form in which the setting is kept. */
export function notificationDocument(entries: readonly NotificationEntry[]): string {
  const writer = openDocument("NotificationConfiguration");
  for (const entry of entries) {
    const kind = KINDS.find((known) => known.kind === entry.kind);
    if (kind === undefined) continue;
    writer.open(kind.element).leaf("Id", entry.id).leaf(kind.target, entry.arn);
    for (const event of entry.events) writer.leaf("Event", event);
    writeFilter(writer, entry);
    writer.close(kind.element);
  }
  return writer.close("NotificationConfiguration").finish();
}

function writeFilter(writer: XmlWriter, { prefix, suffix }: KeyFilter): void {
  if (prefix === undefined && suffix === undefined) return;
  writer.open("Filter").open("S3Key");
  for (const [name, value] of [
    ["prefix", prefix],
    ["suffix", suffix],
  ] as const) {
    if (value === undefined) continue;
    writer.open("FilterRule").leaf("Name", name).leaf("Value", value).close("FilterRule");
  }
  writer.close("S3Key").close("Filter");
}
