// The settings of a bucket: documents kept in its record, parsed once a revision and changed one
// after another. A change is visible to every gateway within the two seconds that a record is
// cached; what index groups must know of it has reached all of them before the answer goes out.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { mapBounded } from "../../lib/base/bounded.ts";
import { utf8 } from "../../lib/base/bytes.ts";
import { StoreError } from "../../lib/base/errors.ts";
import { BUCKET_SETTINGS_BYTES_MAX } from "../../lib/base/limits.ts";
import { ROOT_GROUP } from "../../lib/clients/groups.ts";
import type { BucketRecord } from "../../lib/gen/dolium/record/v1/cluster_pb.ts";
import { type ChangeBucketSchema, Outcome } from "../../lib/gen/dolium/record/v1/command_pb.ts";
import { S3Error } from "../../lib/s3/errors.ts";
import { bucketStateOf, isPlainBucket } from "../../lib/s3/settings/bucket-state.ts";
import { checkOutcome } from "../error-mapper.ts";
import { type BucketContext, callOptions, type ServiceContext } from "../operation.ts";
import { noSuchBucket } from "./bucket-access.ts";

/** Names under which settings stand in a bucket's record. */
export type SettingName =
  | "acknowledgement"
  | "acl"
  | "cors"
  | "encryption"
  | "lifecycle"
  | "logging"
  | "notification"
  | "object-lock"
  | "ownership"
  | "policy"
  | "public-access-block"
  | "quota"
  | "replication"
  | "request-payment"
  | "tagging"
  | "website";

/** A setting and how its stored document is read. */
export interface SettingKind<T> {
  readonly name: SettingName;
  readonly parse: (document: Uint8Array) => T;
}

/** The document as it is kept, or undefined. */
export function settingDocument(bucket: BucketRecord, name: SettingName): Uint8Array | undefined {
  return bucket.settings.find((setting) => setting.name === name)?.document;
}

const PARSED_BUCKETS_MAX = 1000;

interface ParsedBucket {
  readonly revision: bigint;
  /** This gateway saw every index group take this revision. */
  isInForce: boolean;
  readonly values: Map<SettingName, unknown>;
}

/** Parsed settings of the buckets that were asked about last, and which groups know of them. */
export class BucketSettings {
  readonly #parsed = new Map<number, ParsedBucket>();

  /** The setting, or undefined when the bucket has none. Throws StoreError "corrupt". */
  read<T>(bucket: BucketRecord, kind: SettingKind<T>): T | undefined {
    const document = settingDocument(bucket, kind.name);
    if (document === undefined) return undefined;
    const { values } = this.#valuesOf(bucket);
    if (!values.has(kind.name)) values.set(kind.name, parsed(kind, document));
    // Checked boundary: a name has one kind, so one type.
    return values.get(kind.name) as T;
  }

  /** True when every index group is known to have taken the bucket's revision. */
  isInForce(bucket: BucketRecord): boolean {
    return this.#valuesOf(bucket).isInForce;
  }

  noteInForce(bucket: BucketRecord): void {
    this.#valuesOf(bucket).isInForce = true;
  }

  #valuesOf({ bucketId, revision }: BucketRecord): ParsedBucket {
    const known = this.#parsed.get(bucketId);
    if (known?.revision === revision) return known;
    this.#parsed.delete(bucketId);
    const [oldest] = this.#parsed.keys();
    if (this.#parsed.size >= PARSED_BUCKETS_MAX && oldest !== undefined) {
      this.#parsed.delete(oldest);
    }
    const fresh = { revision, isInForce: false, values: new Map<SettingName, unknown>() };
    this.#parsed.set(bucketId, fresh);
    return fresh;
  }
}

/**
 * A document was checked before it was kept: what is wrong with it now is not the client's doing.
 */
function parsed<T>({ name, parse }: SettingKind<T>, document: Uint8Array): T {
  try {
    return parse(document);
  } catch (cause) {
    throw new StoreError("corrupt", `the stored setting ${name} cannot be read`, { cause });
  }
}

/** What ChangeBucket takes besides the bucket it is about. */
export type BucketChange = Pick<
  Exclude<MessageInitShape<typeof ChangeBucketSchema>, { readonly $typeName: string }>,
  "versioning" | "objectLock" | "owner" | "settings"
>;

const ATTEMPTS_MAX = 8;

/**
 * Changes the bucket's record by what `decide` says about the record as it is, then tells every
 * index group. `decide` runs again when somebody else changed the record meanwhile; it throws to
 * refuse. Resolves with the new record.
 */
export async function changeBucket(
  context: BucketContext,
  decide: (bucket: BucketRecord) => BucketChange,
): Promise<BucketRecord> {
  const { metadata, buckets } = context.gateway.dependencies;
  let { bucket } = context;
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
    const { name, bucketId, revision: expectedRevision } = bucket;
    const change = decide(bucket);
    checkSize(bucket, change);
    const value = { name, bucketId, expectedRevision, ...change };
    const kind = { case: "changeBucket", value } as const;
    const reply = await metadata.execute(ROOT_GROUP, kind, callOptions(context));
    buckets.invalidate(name);
    if (reply.outcome === Outcome.CONFLICT) {
      bucket = await refreshed(context, bucket);
      continue;
    }
    checkOutcome(reply.outcome, reply.message);
    const changed = reply.kind.case === "changeBucket" ? reply.kind.value.bucket : undefined;
    if (changed === undefined) throw new StoreError("internal", "ChangeBucket without its record");
    await configureGroups(context, changed);
    return changed;
  }
  throw new StoreError("conflict", `bucket ${bucket.name} is changed again and again`);
}

function checkSize(bucket: BucketRecord, { settings = [] }: BucketChange): void {
  const documents = new Map(bucket.settings.map(({ name, document }) => [name, document]));
  for (const { name = "", document = new Uint8Array(0) } of settings) documents.set(name, document);
  const bytes = [...documents.values()].reduce((sum, document) => sum + document.byteLength, 0);
  if (bytes <= BUCKET_SETTINGS_BYTES_MAX) return;
  throw new S3Error("InvalidRequest", "The settings of the bucket are too large together.");
}

async function refreshed(context: ServiceContext, bucket: BucketRecord): Promise<BucketRecord> {
  const { buckets } = context.gateway.dependencies;
  const current = await buckets.refresh(bucket.name, callOptions(context));
  if (current?.bucketId !== bucket.bucketId) throw noSuchBucket(bucket.name);
  return current;
}

const GROUPS_AT_ONCE = 8;

/**
 * Tells every index group of the bucket what it must know; resolves when all of them do. Repeating
 * it is harmless, and mends what a crash between the record and the groups left behind.
 */
export async function configureGroups(
  context: ServiceContext,
  bucket: BucketRecord,
): Promise<void> {
  const { metadata, buckets } = context.gateway.dependencies;
  const { bucketId } = bucket;
  const value = { bucketId, state: bucketStateOf(bucket) };
  const kind = { case: "configureBucket", value } as const;
  await mapBounded(buckets.groupsOf(bucket), GROUPS_AT_ONCE, async (groupId) => {
    const reply = await metadata.execute(groupId, kind, callOptions(context));
    checkOutcome(reply.outcome, reply.message);
  });
  context.gateway.bucketSettings.noteInForce(bucket);
}

/** As configureGroups, unless this gateway did it before at the same revision. */
export async function ensureConfigured(
  context: ServiceContext,
  bucket: BucketRecord,
): Promise<void> {
  const isDone = isPlainBucket(bucket) || context.gateway.bucketSettings.isInForce(bucket);
  if (!isDone) await configureGroups(context, bucket);
}

/** The change that puts `document` under `name`, or takes the setting away. */
export function settingChange(name: SettingName, document: string | undefined): BucketChange {
  return { settings: [{ name, document: utf8(document ?? "") }] };
}
