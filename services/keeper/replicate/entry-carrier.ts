// What one outbox entry asks of one destination: a version or delete marker written there, what
// stands beside a replica changed, or nothing any more. The version is told what became of it.
import { fromUtf8, toHex, toSafeNumber } from "../../lib/base/bytes.ts";
import { isStoreError, StoreError } from "../../lib/base/errors.ts";
import type { BucketRecord } from "../../lib/gen/dolium/record/v1/cluster_pb.ts";
import { Outcome } from "../../lib/gen/dolium/record/v1/command_pb.ts";
import type { Event, OutboxEntry } from "../../lib/gen/dolium/record/v1/group_pb.ts";
import {
  type PartReference,
  Replication_Status,
  type Version,
} from "../../lib/gen/dolium/record/v1/object_pb.ts";
import {
  parseStoredReplication,
  type ReplicationDestination,
} from "../../lib/s3/settings/replication.ts";
import { destinationOf } from "../../lib/s3/settings/replication-evaluation.ts";
import { type BucketCatalog, settingOf } from "../buckets/bucket-catalog.ts";
import type { KeeperDeps } from "../deps.ts";
import { changeOf, copyChange } from "./replica-changes.ts";
import { copyVersion, type ReplicaCopy } from "./replica-copy.ts";
import { replicaGrants } from "./replica-grants.ts";
import type { ReplicationMetrics } from "./replication-metrics.ts";
import { S3Endpoint } from "./s3-endpoint.ts";

const NULL_ID = Buffer.from("null", "utf8");
const FAILED_EVENT = "Replication:OperationFailedReplication";

const FAILED = { status: Replication_Status.FAILED, versionId: "" } as const;

export interface CarrierParts {
  readonly deps: KeeperDeps;
  readonly catalog: BucketCatalog;
  readonly metrics: ReplicationMetrics;
}

/** The version that an event is about, as it is now. */
interface Subject {
  readonly groupId: number;
  readonly bucket: BucketRecord;
  readonly event: Event;
  readonly version: Version;
  readonly parts: readonly PartReference[];
}

export class EntryCarrier {
  readonly #arn: string;
  readonly #parts: CarrierParts;
  #turns = 0;

  constructor(arn: string, parts: CarrierParts) {
    this.#arn = arn;
    this.#parts = parts;
  }

  /** Resolves when nothing is left to do. Throws StoreError, and what sockets throw. */
  async carry(groupId: number, entry: OutboxEntry, signal: AbortSignal): Promise<void> {
    const subject = await this.#subjectOf(groupId, entry);
    if (subject === undefined) return;
    const { event, version } = subject;
    const known = version.replication?.destinations.find(({ bucket }) => bucket === this.#arn);
    const change = changeOf(event.name);
    const wanted = change === undefined ? Replication_Status.PENDING : Replication_Status.COMPLETED;
    if (known?.status !== wanted) return;
    const destination = this.#destinationOf(subject);
    if (destination === undefined) {
      // No rule goes there any more.
      if (change === undefined) await this.#mark(subject, FAILED);
      return;
    }
    const copy = await this.#copyOf(subject, destination, signal);
    const { metrics } = this.#parts;
    const labels = { destination: this.#arn };
    if (change !== undefined) {
      const { versionId: replicaId } = known;
      const { nowMs } = copy;
      if (replicaId !== "") await copyChange(copy, change, { replicaId, nowMs });
    } else {
      const versionId = await this.#copy(copy);
      await this.#mark(subject, { status: Replication_Status.COMPLETED, versionId });
      metrics.bytes.increment(labels, toSafeNumber(version.size));
    }
    metrics.replicated.increment(labels);
  }

  /** The version will not be replicated; its bucket's targets are told. */
  async giveUp(groupId: number, entry: OutboxEntry): Promise<void> {
    const subject = await this.#subjectOf(groupId, entry);
    if (subject === undefined || changeOf(subject.event.name) !== undefined) return;
    await this.#mark(subject, FAILED);
  }

  /** A list that the destination refuses (it names who is gone) keeps no bytes from it. */
  async #copy(copy: ReplicaCopy): Promise<string> {
    try {
      return await copyVersion(copy);
    } catch (error) {
      const { grants = [] } = copy;
      if (grants.length === 0 || !isStoreError(error, "invalid")) throw error;
      const { log } = this.#parts.deps;
      log.warn("replicated without its list", { destination: this.#arn, reason: String(error) });
      return copyVersion({ ...copy, grants: undefined });
    }
  }

  /** Undefined when the bucket or the version is gone. */
  async #subjectOf(groupId: number, entry: OutboxEntry): Promise<Subject | undefined> {
    const { deps, catalog } = this.#parts;
    if (entry.kind.case !== "event") return undefined;
    const event = entry.kind.value;
    const bucket = await catalog.find(entry.bucketId, deps.clock.monotonicMs());
    if (bucket === undefined) return undefined;
    const { bucketId } = bucket;
    const value = { bucketId, key: event.key, versionId: idOf(event), withBody: true };
    const answer = await deps.metadata.query(groupId, { case: "getObject", value });
    const { version, partList } = answer;
    if (version === undefined) return undefined;
    return { groupId, bucket, event, version, parts: partList?.parts ?? [] };
  }

  #destinationOf({ bucket, event, version }: Subject): ReplicationDestination | undefined {
    const document = settingOf(bucket, "replication");
    if (document === undefined) return undefined;
    const { rules } = parseStoredReplication(document);
    const tags = version.tags.map(({ name: key, value }) => ({ key, value }));
    return destinationOf(rules, { key: fromUtf8(event.key) ?? "", tags }, this.#arn);
  }

  async #copyOf(
    subject: Subject,
    destination: ReplicationDestination,
    signal: AbortSignal,
  ): Promise<ReplicaCopy> {
    const { bucket, event, version, parts } = subject;
    const { deps } = this.#parts;
    const { replication, log } = deps;
    const grants = await replicaGrants(deps, version, destination);
    const home = this.#home();
    const { target } = destination.place;
    const there = target === undefined ? home : this.#target(target);
    const versionId = version.nullVersion ? "null" : toHex(version.versionId);
    return {
      source: { bucket: bucket.name, key: event.key, versionId, version, parts },
      destination,
      home,
      there,
      grants,
      nowMs: deps.clock.wallMs(),
      idleMs: replication.idleTimeoutMs,
      signal,
      onLeftover: (error) => {
        log.warn("an upload was left behind", { destination: this.#arn, reason: String(error) });
      },
    };
  }

  /** One gateway of this cluster after another, so that one that is away costs a try only. */
  #home(): S3Endpoint {
    const { endpoints, region, accessKeyId, secretAccessKey } = this.#parts.deps.replication;
    const endpoint = endpoints[this.#turns % Math.max(1, endpoints.length)];
    this.#turns += 1;
    if (endpoint === undefined) {
      throw new StoreError("unavailable", "replication.endpoints names no gateway");
    }
    // Asked without a key a gateway would refuse, and the version would seem to be at fault.
    if (accessKeyId === "") throw new StoreError("unavailable", "replication.accessKeyId is empty");
    return this.#endpoint({ endpoint, region, accessKeyId, secretAccessKey });
  }

  #target(name: string): S3Endpoint {
    const { targets } = this.#parts.deps.replication;
    const account = Object.hasOwn(targets, name) ? targets[name] : undefined;
    if (account === undefined) {
      throw new StoreError("unavailable", `replication.targets has no ${name}`);
    }
    return this.#endpoint(account);
  }

  #endpoint(account: ConstructorParameters<typeof S3Endpoint>[2]): S3Endpoint {
    const { exchanger, clock } = this.#parts.deps;
    return new S3Endpoint(exchanger, clock, account);
  }

  async #mark(
    { groupId, bucket, event }: Subject,
    made: { readonly status: Replication_Status; readonly versionId: string },
  ): Promise<void> {
    const { bucketId } = bucket;
    const change = { case: "replicated", value: { bucket: this.#arn, ...made } } as const;
    const told = made.status === Replication_Status.FAILED ? FAILED_EVENT : "";
    const value = { bucketId, key: event.key, versionId: idOf(event), change, event: told };
    const kind = { case: "changeVersion", value } as const;
    const { outcome, message } = await this.#parts.deps.metadata.execute(groupId, kind);
    switch (outcome) {
      case Outcome.OK:
      // It is gone: nobody is left to be told.
      case Outcome.NO_SUCH_KEY:
      case Outcome.NO_SUCH_VERSION:
      case Outcome.SEALED:
        return;
      default:
        throw new StoreError("conflict", `changeVersion: ${outcome} ${message}`);
    }
  }
}

function idOf({ nullVersion, versionId }: Event): Uint8Array {
  return nullVersion ? NULL_ID : versionId;
}
