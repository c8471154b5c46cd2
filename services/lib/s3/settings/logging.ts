// Server access logging: the configuration of a bucket, the name of a log object, and one line of
// a log. A line never has a line end inside, and its quoted fields never a quote, so that it parses
// whatever the client sent. Source: Amazon S3 API reference, PutBucketLogging; user guide, "Amazon
// S3 server access log format".
import { openDocument } from "../document-parts.ts";
import { S3Error } from "../errors.ts";
import { uriEncode } from "../uri-encoding.ts";
import { optionalWord, requiredChild, requiredText, requiredWord } from "../xml-fields.ts";
import { checkShape, childNamed, malformedXml, parseXml, type XmlElement } from "../xml-reader.ts";

const PREFIX_BYTES_MAX = 800;

export type LogKeyFormat =
  | { readonly kind: "simple" }
  | { readonly kind: "partitioned"; readonly dateSource: "EventTime" | "DeliveryTime" };

export interface BucketLogging {
  readonly targetBucket: string;
  readonly targetPrefix: string;
  readonly keyFormat: LogKeyFormat;
}

/**
 * Undefined when the document turns logging off. Throws MalformedXML, InvalidArgument (prefix too
 * long), NotImplemented (TargetGrants: log objects belong to the owner of the target bucket).
 */
export function parseLogging(body: Uint8Array): BucketLogging | undefined {
  const root = parseXml(body);
  checkShape(root, "BucketLoggingStatus", ["LoggingEnabled"]);
  const enabled = childNamed(root, "LoggingEnabled");
  if (enabled === undefined) return undefined;
  checkShape(enabled, "LoggingEnabled", [
    "TargetBucket",
    "TargetPrefix",
    "TargetGrants",
    "TargetObjectKeyFormat",
  ]);
  const grants = childNamed(enabled, "TargetGrants");
  if (grants !== undefined && grants.children.length > 0) throw new S3Error("NotImplemented");
  const targetPrefix = requiredText(enabled, "TargetPrefix");
  if (Buffer.byteLength(targetPrefix) > PREFIX_BYTES_MAX) {
    throw new S3Error("InvalidArgument", `TargetPrefix is longer than ${PREFIX_BYTES_MAX} bytes.`);
  }
  return {
    targetBucket: requiredWord(enabled, "TargetBucket"),
    targetPrefix,
    keyFormat: parseKeyFormat(childNamed(enabled, "TargetObjectKeyFormat")),
  };
}

function parseKeyFormat(element: XmlElement | undefined): LogKeyFormat {
  if (element === undefined) return { kind: "simple" };
  checkShape(element, "TargetObjectKeyFormat", ["SimplePrefix", "PartitionedPrefix"]);
  if (element.children.length !== 1) throw malformedXml();
  if (childNamed(element, "SimplePrefix") !== undefined) return { kind: "simple" };
  const partitioned = requiredChild(element, "PartitionedPrefix");
  checkShape(partitioned, "PartitionedPrefix", ["PartitionDateSource"]);
  const dateSource = optionalWord(partitioned, "PartitionDateSource") ?? "EventTime";
  if (dateSource !== "EventTime" && dateSource !== "DeliveryTime") throw malformedXml();
  return { kind: "partitioned", dateSource };
}

/** GetBucketLogging, and the form in which the setting is kept. */
export function loggingDocument(logging: BucketLogging | undefined): string {
  const writer = openDocument("BucketLoggingStatus");
  if (logging === undefined) return writer.close("BucketLoggingStatus").finish();
  writer.open("LoggingEnabled").leaf("TargetBucket", logging.targetBucket);
  writer.leaf("TargetPrefix", logging.targetPrefix);
  // Written only where it was chosen, as older clients do not know the element.
  if (logging.keyFormat.kind === "partitioned") {
    writer.open("TargetObjectKeyFormat").open("PartitionedPrefix");
    writer.leaf("PartitionDateSource", logging.keyFormat.dateSource);
    writer.close("PartitionedPrefix").close("TargetObjectKeyFormat");
  }
  return writer.close("LoggingEnabled").close("BucketLoggingStatus").finish();
}

export interface LogObject {
  readonly sourceOwner: string;
  readonly sourceRegion: string;
  readonly sourceBucket: string;
  /** When it is delivered. */
  readonly deliveredMs: number;
  /** When the first request of it happened. */
  readonly eventMs: number;
  /** Makes the key unique: digits and capital letters. */
  readonly unique: string;
}

/** Key of a log object in the target bucket. */
export function logObjectKey(logging: BucketLogging, log: LogObject): string {
  const { keyFormat, targetPrefix } = logging;
  const byEvent = keyFormat.kind === "partitioned" && keyFormat.dateSource === "EventTime";
  const time = new Date(byEvent ? log.eventMs : log.deliveredMs).toISOString();
  const day = time.slice(0, 10);
  // With EventTime a log object holds one day, and its name has no time of day.
  const clock = byEvent ? "00-00-00" : time.slice(11, 19).replaceAll(":", "-");
  const name = `${day}-${clock}-${log.unique}`;
  if (keyFormat.kind === "simple") return `${targetPrefix}${name}`;
  const source = `${log.sourceOwner}/${log.sourceRegion}/${log.sourceBucket}`;
  return `${targetPrefix}${source}/${day.replaceAll("-", "/")}/${name}`;
}

/** One request; what is undefined, or an empty text, becomes `-`. */
export interface AccessLogEntry {
  readonly bucketOwner: string;
  readonly bucket: string;
  /** When the request arrived. */
  readonly timeMs: number;
  readonly remoteAddress: string | undefined;
  readonly requester: string | undefined;
  readonly requestId: string;
  /** `REST.GET.OBJECT` and its like. */
  readonly operation: string;
  readonly key: string | undefined;
  /** Request line as sent: `GET /bucket/key?x HTTP/1.1`. */
  readonly requestLine: string;
  readonly status: number;
  readonly errorCode: string | undefined;
  /** Bytes of the body of the answer; 0 is written as `-`. */
  readonly bytesSent: number;
  readonly objectSize: number | undefined;
  /** Until the last byte was sent. */
  readonly totalMs: number;
  /** From the last byte received to the first one sent. */
  readonly turnAroundMs: number | undefined;
  readonly referer: string | undefined;
  readonly userAgent: string | undefined;
  readonly versionId: string | undefined;
  readonly hostId: string;
  readonly signatureVersion: "SigV2" | "SigV4" | undefined;
  readonly cipherSuite: string | undefined;
  readonly authenticationType: "AuthHeader" | "QueryString" | undefined;
  readonly hostHeader: string | undefined;
  readonly tlsVersion: string | undefined;
  /** The request was allowed by an ACL alone. */
  readonly aclRequired: boolean;
}

/** The line of a request, without its end. */
export function accessLogLine(entry: AccessLogEntry): string {
  return [
    field(entry.bucketOwner),
    field(entry.bucket),
    `[${logTime(entry.timeMs)}]`,
    field(entry.remoteAddress),
    field(entry.requester),
    field(entry.requestId),
    field(entry.operation),
    entry.key === undefined ? "-" : field(uriEncode(entry.key, true)),
    quoted(entry.requestLine),
    String(entry.status),
    field(entry.errorCode),
    entry.bytesSent === 0 ? "-" : String(entry.bytesSent),
    entry.objectSize === undefined ? "-" : String(entry.objectSize),
    String(Math.round(entry.totalMs)),
    entry.turnAroundMs === undefined ? "-" : String(Math.round(entry.turnAroundMs)),
    quoted(entry.referer),
    quoted(entry.userAgent),
    field(entry.versionId),
    field(entry.hostId),
    field(entry.signatureVersion),
    field(entry.cipherSuite),
    field(entry.authenticationType),
    field(entry.hostHeader),
    field(entry.tlsVersion),
    "-",
    entry.aclRequired ? "Yes" : "-",
  ].join(" ");
}

/** A word: white space and control characters in it are percent-encoded. */
function field(text: string | undefined): string {
  if (text === undefined || text === "") return "-";
  return text.replaceAll(/[\s\p{Cc}"]/gu, (character) => uriEncode(character, false));
}

function quoted(text: string | undefined): string {
  if (text === undefined || text === "") return '"-"';
  return `"${text.replaceAll(/[\p{Cc}"\u2028\u2029]/gu, (character) => uriEncode(character, false))}"`;
}

const MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec";

/** `06/Feb/2019:00:00:38 +0000` */
function logTime(timeMs: number): string {
  const iso = new Date(timeMs).toISOString();
  const month = (Number(iso.slice(5, 7)) - 1) * 3;
  const day = `${iso.slice(8, 10)}/${MONTHS.slice(month, month + 3)}/${iso.slice(0, 4)}`;
  return `${day}:${iso.slice(11, 19)} +0000`;
}
