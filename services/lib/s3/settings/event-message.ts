// The JSON message about an event in a bucket, as S3 sends it to its targets. Names of objects are
// form-encoded; `sequencer` orders events of one key, compared as text. Source: Amazon S3 user
// guide, "Event message structure".
import { assert } from "../../base/assert.ts";
import { formatIsoDate } from "../http-date.ts";
import { uriEncode } from "../uri-encoding.ts";

export interface EventMessage {
  /** Without `s3:`: `ObjectCreated:Put`. */
  readonly name: string;
  readonly timeMs: number;
  readonly region: string;
  readonly bucket: string;
  readonly bucketOwner: string;
  readonly key: string;
  /** Undefined for objects that are gone. */
  readonly size: number | undefined;
  /** Unquoted; undefined for objects that are gone. */
  readonly etag: string | undefined;
  /** Undefined where the bucket never had versioning. */
  readonly versionId: string | undefined;
  /** Sequence of the commit. */
  readonly sequence: bigint;
  /** Id of the notification entry it is sent for. */
  readonly configurationId: string;
  readonly principal: string;
  readonly remoteAddress: string;
  readonly requestId: string;
  readonly hostId: string;
}

/** Families that came with version 2.3 of the message. */
const LATER_FAMILIES = ["LifecycleExpiration", "LifecycleTransition", "ObjectTagging"].concat([
  "ObjectAcl",
  "IntelligentTiering",
]);
const SEQUENCER_DIGITS = 16;

/** The message of one event, as JSON text. */
export function eventMessage(event: EventMessage): string {
  return JSON.stringify({ Records: [eventRecord(event)] });
}

/** The record alone, for targets that take several in one message. */
export function eventRecord(event: EventMessage): Readonly<Record<string, unknown>> {
  const [family = ""] = event.name.split(":");
  return {
    eventVersion: LATER_FAMILIES.includes(family) ? "2.3" : "2.1",
    eventSource: "aws:s3",
    awsRegion: event.region,
    eventTime: formatIsoDate(event.timeMs),
    eventName: event.name,
    userIdentity: { principalId: event.principal },
    requestParameters: { sourceIPAddress: event.remoteAddress },
    responseElements: {
      "x-amz-request-id": event.requestId,
      "x-amz-id-2": event.hostId,
    },
    s3: {
      s3SchemaVersion: "1.0",
      configurationId: event.configurationId,
      bucket: {
        name: event.bucket,
        ownerIdentity: { principalId: event.bucketOwner },
        arn: `arn:aws:s3:::${event.bucket}`,
      },
      object: {
        key: uriEncode(event.key, true).replaceAll("%20", "+"),
        size: event.size,
        eTag: event.etag,
        versionId: event.versionId,
        sequencer: sequencer(event.sequence),
      },
    },
  };
}

/** Upper-case hexadecimal of 16 digits: text order is the order of commits. */
export function sequencer(sequence: bigint): string {
  assert(sequence >= 0n && sequence < 1n << 64n, "sequencer: not 64 bits");
  return sequence.toString(16).toUpperCase().padStart(SEQUENCER_DIGITS, "0");
}

export interface TestEvent {
  readonly bucket: string;
  readonly timeMs: number;
  readonly requestId: string;
  readonly hostId: string;
}

/** What a target gets once when a configuration that names it is set. */
export function testEventMessage({ bucket, timeMs, requestId, hostId }: TestEvent): string {
  return JSON.stringify({
    Service: "Amazon S3",
    Event: "s3:TestEvent",
    Time: formatIsoDate(timeMs),
    Bucket: bucket,
    RequestId: requestId,
    HostId: hostId,
  });
}
