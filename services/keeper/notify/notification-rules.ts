// Which targets want an event, by the bucket's notification setting as it is now, and the record
// they get; and to which destinations of replication the event itself says it is to be carried. A
// bucket that is gone, or asks for nothing any more, has no targets. A setting that cannot be read
// counts as none, and is logged once a revision.
import { fromUtf8, toHex, toSafeNumber } from "../../lib/base/bytes.ts";
import type { BucketRecord } from "../../lib/gen/dolium/record/v1/cluster_pb.ts";
import type { Event, OutboxEntry } from "../../lib/gen/dolium/record/v1/group_pb.ts";
import { eventRecord, testEventMessage } from "../../lib/s3/settings/event-message.ts";
import {
  entriesFor,
  type NotificationEntry,
  type NotificationTarget,
  parseStoredNotification,
} from "../../lib/s3/settings/notification.ts";
import { type BucketCatalog, settingOf } from "../buckets/bucket-catalog.ts";
import type { KeeperDeps } from "../deps.ts";

const PARSED_MAX = 1000;
const WEBHOOK = "webhook";
/** No name of a webhook has a space in it. */
const REPLICATION = "replicate ";
/** Goes to every target of its bucket: they are set up. */
const TEST_EVENT = "TestEvent";

/** The target by which entries wait for the destination bucket of that ARN. */
export function replicationTarget(arn: string): string {
  return `${REPLICATION}${arn}`;
}

/** The ARN of the destination that `target` stands for; undefined for a webhook. */
export function destinationArn(target: string): string | undefined {
  return target.startsWith(REPLICATION) ? target.slice(REPLICATION.length) : undefined;
}

export interface MatchedEntry {
  /** Names of targets, each once: webhooks, and destinations of replication. */
  readonly targets: readonly string[];
  /** The record is a whole message, and none of a list of records. */
  readonly isWhole: boolean;
  /** The record for one of them, as JSON. */
  record(target: string): string;
}

/** An entry and the record that its target gets. */
export interface MatchedEvent {
  readonly entry: OutboxEntry;
  readonly record: string;
  /** As in MatchedEntry. */
  readonly isWhole: boolean;
}

interface Parsed {
  readonly revision: bigint;
  readonly entries: readonly NotificationEntry[];
}

const NOBODY: MatchedEntry = { targets: [], isWhole: false, record: () => "" };

export class NotificationRules {
  readonly #log: KeeperDeps["log"];
  readonly #catalog: BucketCatalog;
  readonly #parsed = new Map<number, Parsed>();

  constructor(deps: Pick<KeeperDeps, "log">, catalog: BucketCatalog) {
    this.#log = deps.log;
    this.#catalog = catalog;
  }

  /**
   * `since`: when the entry had been read, or later (monotonic milliseconds). Throws StoreError
   * when the root group does not answer.
   */
  async match(entry: OutboxEntry, since: number): Promise<MatchedEntry> {
    if (entry.kind.case !== "event") return NOBODY;
    const event = entry.kind.value;
    const bucket = await this.#catalog.find(entry.bucketId, since);
    const key = fromUtf8(event.key);
    if (bucket === undefined || key === undefined) return NOBODY;
    const all = this.#entriesOf(bucket);
    const { sequence } = entry;
    const timeMs = toSafeNumber(entry.timeMs);
    if (event.name === TEST_EVENT) {
      const message = testEventMessage({ bucket: bucket.name, timeMs, ...senderOf(event) });
      const targets = [...new Set(all.map(({ target }) => targetName(target)))];
      return { targets, isWhole: true, record: () => message };
    }
    const wanting = new Map<string, NotificationEntry>();
    for (const wish of entriesFor(all, event.name, key)) {
      const name = targetName(wish.target);
      if (!wanting.has(name)) wanting.set(name, wish);
    }
    return {
      targets: [...wanting.keys(), ...event.replicateTo.map(replicationTarget)],
      isWhole: false,
      record: (target) => {
        const configurationId = wanting.get(target)?.id ?? "";
        const common = { sequence, timeMs, key, configurationId };
        return JSON.stringify(eventRecord({ ...common, ...fieldsOf(bucket, event) }));
      },
    };
  }

  #entriesOf(bucket: BucketRecord): readonly NotificationEntry[] {
    const { bucketId, revision } = bucket;
    const known = this.#parsed.get(bucketId);
    if (known?.revision === revision) return known.entries;
    if (this.#parsed.size >= PARSED_MAX) this.#parsed.clear();
    const entries = this.#parse(bucket);
    this.#parsed.set(bucketId, { revision, entries });
    return entries;
  }

  #parse(bucket: BucketRecord): readonly NotificationEntry[] {
    const document = settingOf(bucket, "notification");
    if (document === undefined) return [];
    try {
      return parseStoredNotification(document);
    } catch (error) {
      this.#log.error("a notification setting cannot be read", error, { bucket: bucket.name });
      return [];
    }
  }
}

/** Webhooks go by their plain name; what is none is never configured. */
function targetName({ type, name }: NotificationTarget): string {
  return type === WEBHOOK ? name : `${name}:${type}`;
}

function fieldsOf(bucket: BucketRecord, event: Event) {
  const isGone = event.deleteMarker || /^(?:ObjectRemoved|LifecycleExpiration):/.test(event.name);
  const { origin } = event;
  return {
    name: event.name,
    region: bucket.region,
    bucket: bucket.name,
    bucketOwner: bucket.owner,
    size: isGone ? undefined : toSafeNumber(event.size),
    etag: isGone || event.etag === "" ? undefined : event.etag,
    versionId: versionIdOf(event),
    principal: origin?.principal ?? "",
    remoteAddress: origin?.remoteAddress ?? "",
    ...senderOf(event),
  };
}

/** The request that caused it, and the gateway that took it. */
function senderOf({ origin }: Event): { readonly requestId: string; readonly hostId: string } {
  return { requestId: origin?.requestId ?? "", hostId: origin?.hostId ?? "" };
}

function versionIdOf({ nullVersion, versionId }: Event): string | undefined {
  if (nullVersion) return "null";
  return versionId.byteLength === 0 ? undefined : toHex(versionId);
}
