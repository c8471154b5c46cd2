// The replication configuration of a bucket: parses and checks PutBucketReplication (also the older
// form with a prefix in the rule), writes GetBucketReplication. Which destinations a version goes
// to is in replication-evaluation.ts. Source: Amazon S3 API reference, PutBucketReplication; user
// guide, "Replication configuration file elements".
import { isValidBucketName } from "../bucket-name.ts";
import { openDocument } from "../document-parts.ts";
import { invalidArgument, S3Error } from "../errors.ts";
import {
  optionalChoice,
  optionalNumber,
  optionalWord,
  requiredChild,
  requiredChoice,
  requiredText,
  requiredWord,
} from "../xml-fields.ts";
import {
  checkShape,
  childNamed,
  childrenNamed,
  childText,
  malformedXml,
  parseXml,
  type XmlElement,
} from "../xml-reader.ts";
import type { Tag } from "../xml-requests.ts";
import type { XmlWriter } from "../xml-writer.ts";
import { checkTags, OBJECT_TAG_LIMITS, writeTags } from "./tagging.ts";

const RULES_MAX = 1000;
const ELEMENTS_MAX = 100_000;
const ID_LENGTH_MAX = 255;
const STATUS = ["Enabled", "Disabled"] as const;

/** Which objects a rule is for: all that is set must hold. */
export interface ReplicationFilter {
  /** The older form has its prefix in the rule itself, and nothing else. */
  readonly form: "rule-prefix" | "filter";
  readonly prefix: string | undefined;
  readonly tags: readonly Tag[];
}

/** A bucket of this cluster, or of a target that the operator has set up. */
export interface ReplicaPlace {
  readonly target: string | undefined;
  readonly bucket: string;
}

export interface ReplicationDestination {
  /** As the client wrote it. */
  readonly arn: string;
  readonly place: ReplicaPlace;
  readonly account: string | undefined;
  /** Replicas belong to the destination's account. */
  readonly ownedThere: boolean;
  /** Undefined: as the source. */
  readonly storageClass: string | undefined;
  /** Named key under which objects are sealed there that are sealed with a named key here. */
  readonly kmsKey: string | undefined;
}

export interface ReplicationRule {
  readonly id: string;
  /** Larger wins where two rules name one destination; 0 in the older form. */
  readonly priority: number;
  readonly isEnabled: boolean;
  readonly filter: ReplicationFilter;
  readonly deleteMarkers: boolean;
  /** Undefined: the document does not say; then no. */
  readonly existingObjects: boolean | undefined;
  /** Objects sealed with named keys go too. */
  readonly kmsObjects: boolean | undefined;
  readonly destination: ReplicationDestination;
}

export interface ReplicationConfiguration {
  /** Kept for the answer; what the keeper may do does not come from it. */
  readonly role: string | undefined;
  readonly rules: readonly ReplicationRule[];
}

export interface ReplicationOptions {
  /** Makes an id for a rule that brings none, from its place (from 0). */
  readonly makeId: (index: number) => string;
  /** Whether the operator has set up a target of this name. */
  readonly isTarget: (name: string) => boolean;
  readonly isStorageClass: (name: string) => boolean;
}

const ARN =
  /^arn:(?:aws:s3:::(?<here>[^:/]+)|dolium:replication:::(?<one>[A-Za-z0-9_-]{1,64})\/(?<first>[^:/]+)|minio:replication:[\w-]*:(?<two>[A-Za-z0-9_-]{1,64}):(?<second>[^:/]+))$/;

/** The bucket that an ARN names; undefined when it names none. */
export function parseReplicaArn(arn: string): ReplicaPlace | undefined {
  const groups = ARN.exec(arn)?.groups;
  if (groups === undefined) return undefined;
  const { here, one, first, two, second } = groups;
  const bucket = here ?? first ?? second ?? "";
  return isValidBucketName(bucket) ? { target: one ?? two, bucket } : undefined;
}

/**
 * 1..1000 rules, ids and priorities distinct. Throws MalformedXML, InvalidArgument (ids, ARNs),
 * InvalidRequest (what does not go together), InvalidStorageClass, NotImplemented (replication
 * within a set time, changes made to replicas, deletions of versions).
 */
export function parseReplication(
  body: Uint8Array,
  options: ReplicationOptions,
): ReplicationConfiguration {
  const root = parseXml(body, { elementsMax: ELEMENTS_MAX });
  checkShape(root, "ReplicationConfiguration", ["Role", "Rule"]);
  const elements = childrenNamed(root, "Rule");
  if (elements.length === 0 || elements.length > RULES_MAX) throw malformedXml();
  const rules = elements.map((element, index) => parseRule(element, index, options));
  if (new Set(rules.map(({ id }) => id)).size !== rules.length) {
    const message = "Rule ID must be unique. Found same ID for more than one rule";
    throw new S3Error("InvalidArgument", message);
  }
  checkForms(rules);
  return { role: optionalWord(root, "Role"), rules };
}

/** The configuration of a stored document, which replicationDocument wrote. */
export function parseStoredReplication(document: Uint8Array): ReplicationConfiguration {
  return parseReplication(document, {
    makeId: String,
    isTarget: () => true,
    isStorageClass: () => true,
  });
}

const RULE_ELEMENTS = [
  "ID",
  "Priority",
  "Status",
  "Prefix",
  "Filter",
  "Destination",
  "DeleteMarkerReplication",
  "DeleteReplication",
  "ExistingObjectReplication",
  "SourceSelectionCriteria",
];

function parseRule(
  element: XmlElement,
  index: number,
  options: ReplicationOptions,
): ReplicationRule {
  checkShape(element, "Rule", RULE_ELEMENTS);
  const filter = parseFilter(element);
  const priority = optionalNumber(element, "Priority");
  const markers = statusOf(element, "DeleteMarkerReplication");
  if (filter.form === "filter") checkNewForm(filter, priority, markers);
  refuseDeletions(element);
  const id = optionalWord(element, "ID") || options.makeId(index);
  if (id.length > ID_LENGTH_MAX) {
    const message = `ID length should not exceed allowed limit of ${ID_LENGTH_MAX}`;
    throw invalidArgument(message, "ID", id);
  }
  const kmsObjects = parseSelection(childNamed(element, "SourceSelectionCriteria"));
  const destination = parseDestination(requiredChild(element, "Destination"), options);
  if ((kmsObjects === true) !== (destination.kmsKey !== undefined)) {
    throw invalid("SseKmsEncryptedObjects and EncryptionConfiguration must be specified together.");
  }
  return {
    id,
    priority: priority ?? 0,
    isEnabled: requiredChoice(element, "Status", STATUS) === "Enabled",
    filter,
    // The older form takes delete markers along, as it always did.
    deleteMarkers: filter.form === "rule-prefix" || markers === true,
    existingObjects: statusOf(element, "ExistingObjectReplication"),
    kmsObjects,
    destination,
  };
}

/** Status of the child called `name`; undefined without it. */
function statusOf(element: XmlElement, name: string): boolean | undefined {
  const child = childNamed(element, name);
  if (child === undefined) return undefined;
  checkShape(child, name, ["Status"]);
  const status = optionalChoice(child, "Status", STATUS);
  return status === undefined ? undefined : status === "Enabled";
}

function checkNewForm(
  { tags }: ReplicationFilter,
  priority: number | undefined,
  markers: boolean | undefined,
): void {
  const version = "for this version of Cross Region Replication configuration schema.";
  if (priority === undefined) throw invalid(`Priority must be specified ${version}`);
  if (markers === undefined) throw invalid(`DeleteMarkerReplication must be specified ${version}`);
  if (markers && tags.length > 0) {
    throw invalid("Delete marker replication is not supported if any Tag filter is specified.");
  }
}

function refuseDeletions(element: XmlElement): void {
  if (statusOf(element, "DeleteReplication") !== true) return;
  throw new S3Error("NotImplemented", "Deletions of versions are not replicated.");
}

function parseFilter(rule: XmlElement): ReplicationFilter {
  const prefix = childText(rule, "Prefix");
  const filter = childNamed(rule, "Filter");
  if (prefix !== undefined && filter !== undefined) throw malformedXml();
  if (filter === undefined) {
    if (prefix === undefined) throw malformedXml();
    return { form: "rule-prefix", prefix, tags: [] };
  }
  checkShape(filter, "Filter", ["Prefix", "Tag", "And"]);
  if (filter.children.length > 1) throw malformedXml();
  const and = childNamed(filter, "And");
  if (and !== undefined) checkShape(and, "And", ["Prefix", "Tag"]);
  if (and?.children.length === 0) throw malformedXml();
  const predicates = and ?? filter;
  const tags = childrenNamed(predicates, "Tag").map((tag): Tag => {
    checkShape(tag, "Tag", ["Key", "Value"]);
    return { key: requiredText(tag, "Key"), value: requiredText(tag, "Value") };
  });
  if (new Set(tags.map((tag) => tag.key)).size !== tags.length) {
    throw invalid("Duplicate Tag Keys are not allowed.");
  }
  checkTags(tags, { ...OBJECT_TAG_LIMITS, restricted: false });
  return { form: "filter", prefix: childText(predicates, "Prefix"), tags };
}

/** Whether objects sealed with named keys go too. */
function parseSelection(element: XmlElement | undefined): boolean | undefined {
  if (element === undefined) return undefined;
  const names = ["SseKmsEncryptedObjects", "ReplicaModifications"];
  checkShape(element, "SourceSelectionCriteria", names);
  if (statusOf(element, "ReplicaModifications") === true) {
    throw new S3Error("NotImplemented", "Changes made to replicas are not replicated.");
  }
  return statusOf(element, "SseKmsEncryptedObjects");
}

const DESTINATION_ELEMENTS = [
  "Bucket",
  "Account",
  "StorageClass",
  "AccessControlTranslation",
  "EncryptionConfiguration",
  "ReplicationTime",
  "Metrics",
];

function parseDestination(
  element: XmlElement,
  options: ReplicationOptions,
): ReplicationDestination {
  checkShape(element, "Destination", DESTINATION_ELEMENTS);
  const arn = requiredWord(element, "Bucket");
  const place = parseReplicaArn(arn);
  const isKnown = place?.target === undefined || options.isTarget(place.target);
  if (place === undefined || !isKnown) throw invalidArgument("Invalid bucket ARN.", "Bucket", arn);
  const storageClass = optionalWord(element, "StorageClass");
  const isHere = place.target === undefined;
  if (isHere && storageClass !== undefined && !options.isStorageClass(storageClass)) {
    throw new S3Error("InvalidStorageClass");
  }
  refuseTime(element);
  const account = optionalWord(element, "Account");
  const translation = childNamed(element, "AccessControlTranslation");
  if (translation !== undefined) {
    checkShape(translation, "AccessControlTranslation", ["Owner"]);
    requiredChoice(translation, "Owner", ["Destination"]);
    if (account === undefined) {
      throw invalid("Account must be specified when AccessControlTranslation is.");
    }
  }
  const encryption = childNamed(element, "EncryptionConfiguration");
  if (encryption !== undefined) {
    checkShape(encryption, "EncryptionConfiguration", ["ReplicaKmsKeyID"]);
  }
  return {
    arn,
    place,
    account,
    ownedThere: translation !== undefined,
    storageClass,
    kmsKey: encryption === undefined ? undefined : requiredWord(encryption, "ReplicaKmsKeyID"),
  };
}

/** A promised time is not kept; metrics are there for every destination, asked for or not. */
function refuseTime(element: XmlElement): void {
  const time = childNamed(element, "ReplicationTime");
  if (time !== undefined && optionalChoice(time, "Status", STATUS) === "Enabled") {
    throw new S3Error("NotImplemented", "Replication within a set time is not offered.");
  }
}

/** All rules are of one form; priorities differ. */
function checkForms(rules: readonly ReplicationRule[]): void {
  const forms = new Set(rules.map(({ filter }) => filter.form));
  if (forms.size > 1) {
    throw invalid("Rules with a Prefix of their own and rules with a Filter cannot be mixed.");
  }
  if (forms.has("rule-prefix")) return;
  const seen = new Set<number>();
  for (const { priority } of rules) {
    if (seen.has(priority)) throw invalid(`Found duplicate priority ${priority}.`);
    seen.add(priority);
  }
}

function invalid(message: string): S3Error {
  return new S3Error("InvalidRequest", message);
}

/** GetBucketReplication, and the form in which the setting is kept. */
export function replicationDocument({ role, rules }: ReplicationConfiguration): string {
  const writer = openDocument("ReplicationConfiguration").optional("Role", role);
  for (const rule of rules) writeRule(writer, rule);
  return writer.close("ReplicationConfiguration").finish();
}

function writeRule(writer: XmlWriter, rule: ReplicationRule): void {
  const { filter, destination } = rule;
  const isNew = filter.form === "filter";
  writer.open("Rule").leaf("ID", rule.id);
  if (isNew) writer.leaf("Priority", rule.priority);
  writeFilter(writer, filter);
  writer.leaf("Status", statusText(rule.isEnabled));
  if (rule.kmsObjects !== undefined) {
    writer.open("SourceSelectionCriteria");
    writeStatus(writer, "SseKmsEncryptedObjects", rule.kmsObjects);
    writer.close("SourceSelectionCriteria");
  }
  writeStatus(writer, "ExistingObjectReplication", rule.existingObjects);
  writer.open("Destination").leaf("Bucket", destination.arn);
  writer.optional("Account", destination.account);
  writer.optional("StorageClass", destination.storageClass);
  if (destination.ownedThere) {
    writer.open("AccessControlTranslation").leaf("Owner", "Destination");
    writer.close("AccessControlTranslation");
  }
  if (destination.kmsKey !== undefined) {
    writer.open("EncryptionConfiguration").leaf("ReplicaKmsKeyID", destination.kmsKey);
    writer.close("EncryptionConfiguration");
  }
  writer.close("Destination");
  if (isNew) writeStatus(writer, "DeleteMarkerReplication", rule.deleteMarkers);
  writer.close("Rule");
}

function statusText(isEnabled: boolean): (typeof STATUS)[number] {
  return isEnabled ? "Enabled" : "Disabled";
}

function writeStatus(writer: XmlWriter, name: string, isEnabled: boolean | undefined): void {
  if (isEnabled === undefined) return;
  writer.open(name).leaf("Status", statusText(isEnabled)).close(name);
}

function writeFilter(writer: XmlWriter, { form, prefix, tags }: ReplicationFilter): void {
  if (form === "rule-prefix") {
    writer.leaf("Prefix", prefix ?? "");
    return;
  }
  const isJoined = tags.length + (prefix === undefined ? 0 : 1) > 1;
  writer.open("Filter");
  if (isJoined) writer.open("And");
  writer.optional("Prefix", prefix);
  writeTags(writer, tags);
  if (isJoined) writer.close("And");
  writer.close("Filter");
}
