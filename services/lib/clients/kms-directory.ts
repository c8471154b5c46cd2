// The named keys of the cluster: made, rotated, and opened with the cluster key or one before it.
// Opened keys are kept for a bounded time and number; which version is the newest is at most ten
// seconds old. Versions are never removed, so what was sealed with an old one still opens after a
// rotation.
import { StoreError } from "../base/errors.ts";
import type { KmsKeyRecord } from "../gen/dolium/record/v1/cluster_pb.ts";
import { Outcome } from "../gen/dolium/record/v1/command_pb.ts";
import type { Clock } from "../ports/clock.ts";
import type { Random } from "../ports/random.ts";
import { type ClusterKeys, openWithCluster, sealWithCluster } from "../seal/cluster-keys.ts";
import { namedKeyBinding } from "../seal/key-bindings.ts";
import { KEY_BYTES } from "../seal/key-derivation.ts";
import { ROOT_GROUP } from "./groups.ts";
import { kmsKeyName } from "./kms-key-id.ts";
import type { MetadataCallOptions, MetadataClient } from "./metadata-client.ts";

/** The store's own key, for SSE-S3. */
const STORE_KEY_NAME = "dolium/s3";
/** The key of SSE-KMS requests that name none. */
const DEFAULT_KMS_KEY_NAME = "aws/s3";

const RECORD_MS = 10_000;
const OPENED_MS = 300_000;
const CACHED_MAX = 1000;
const NAME = /^[A-Za-z0-9][A-Za-z0-9_./-]{0,126}$/;

/** A version of a named key, opened. */
export interface NamedKey {
  readonly name: string;
  readonly version: number;
  /** 32 bytes; not to be kept beyond the request. */
  readonly key: Uint8Array;
}

export interface KmsDirectoryDeps {
  readonly metadata: Pick<MetadataClient, "execute" | "query">;
  readonly clock: Clock;
  readonly random: Random;
}

interface Cached<T> {
  readonly value: T;
  readonly until: number;
}

export class KmsDirectory {
  readonly #deps: KmsDirectoryDeps;
  readonly #clusterKeys: ClusterKeys;
  readonly #records = new Map<string, Cached<KmsKeyRecord>>();
  readonly #opened = new Map<string, Cached<NamedKey>>();

  /** Without any cluster key every named key stays closed. */
  constructor(deps: KmsDirectoryDeps, clusterKeys: ClusterKeys) {
    this.#deps = deps;
    this.#clusterKeys = clusterKeys;
  }

  /** False: there is no cluster key, and so no encryption but with clients' own keys. */
  get isConfigured(): boolean {
    return this.#clusterKeys.current !== undefined;
  }

  /**
   * The newest version of a key; undefined when there is no such key. Throws StoreError, "denied"
   * when the key does not open.
   */
  async newest(name: string, options: MetadataCallOptions = {}): Promise<NamedKey | undefined> {
    const record = await this.#record(name, options);
    return record === undefined ? undefined : this.#open(record, newestVersion(record));
  }

  /** As `newest`; a key that is not there is made. */
  async newestOrMade(name: string, options: MetadataCallOptions = {}): Promise<NamedKey> {
    const record = (await this.#record(name, options)) ?? (await this.#make(name, options));
    return this.#open(record, newestVersion(record));
  }

  /** The store's own key, for SSE-S3; made on first use. Throws as `newest`. */
  async forStore(options: MetadataCallOptions = {}): Promise<NamedKey> {
    return this.newestOrMade(STORE_KEY_NAME, options);
  }

  /**
   * The key that a request or a bucket names for SSE-KMS, or the default key, which is made on
   * first use; undefined when there is no such key. The store's own key serves nobody by name.
   * Throws as `newest`.
   */
  async forKms(
    keyId: string | undefined,
    options: MetadataCallOptions = {},
  ): Promise<NamedKey | undefined> {
    const name = keyId === undefined ? DEFAULT_KMS_KEY_NAME : kmsKeyName(keyId);
    if (name === DEFAULT_KMS_KEY_NAME) return this.newestOrMade(name, options);
    if (name === undefined || name === STORE_KEY_NAME || !isKeyName(name)) return undefined;
    return this.newest(name, options);
  }

  /** Throws StoreError: "not-found" when there is no such version, "denied" as `newest`. */
  async version(
    name: string,
    version: number,
    options: MetadataCallOptions = {},
  ): Promise<NamedKey> {
    const hit = this.#live(this.#opened, openedId(name, version));
    if (hit !== undefined) return hit;
    const cached = this.#live(this.#records, name);
    const record = hasVersion(cached, version) ? cached : await this.#refresh(name, options);
    if (record === undefined || !hasVersion(record, version)) {
      throw new StoreError("not-found", `there is no version ${version} of the key ${name}`);
    }
    return this.#open(record, version);
  }

  /** Every named key, by name. */
  async list(options: MetadataCallOptions = {}): Promise<KmsKeyRecord[]> {
    const kind = { case: "listKmsKeys", value: {} } as const;
    const { keys } = await this.#deps.metadata.query(ROOT_GROUP, kind, options);
    return keys;
  }

  /** Makes a key. Throws StoreError: "exists", "invalid" (the name), "denied" (no cluster key). */
  async create(name: string, options: MetadataCallOptions = {}): Promise<KmsKeyRecord> {
    const record = await this.#put(name, 0, options);
    if (record === undefined) throw new StoreError("exists", `the key ${name} exists already`);
    return record;
  }

  /** Adds a version, which seals from now on. Throws StoreError: "not-found", "conflict". */
  async rotate(name: string, options: MetadataCallOptions = {}): Promise<KmsKeyRecord> {
    const record = await this.#refresh(name, options);
    if (record === undefined) throw new StoreError("not-found", `there is no key ${name}`);
    const rotated = await this.#put(name, newestVersion(record), options);
    if (rotated === undefined) {
      throw new StoreError("conflict", `somebody else is rotating the key ${name}`);
    }
    return rotated;
  }

  /** Makes a key, or takes the one that somebody else made meanwhile. */
  async #make(name: string, options: MetadataCallOptions): Promise<KmsKeyRecord> {
    const made = await this.#put(name, 0, options);
    const record = made ?? (await this.#refresh(name, options));
    if (record === undefined) throw new StoreError("internal", `the key ${name} is there and not`);
    return record;
  }

  /** Undefined when the key has other versions than `expectedVersions`. */
  async #put(
    name: string,
    expectedVersions: number,
    options: MetadataCallOptions,
  ): Promise<KmsKeyRecord | undefined> {
    checkName(name);
    const { metadata, random } = this.#deps;
    const binding = namedKeyBinding(name, expectedVersions + 1);
    const bytes = random.bytes(KEY_BYTES);
    const wrappedKey = sealWithCluster(this.#clusterKeys, { binding, bytes }, random);
    const value = { name, expectedVersions, wrappedKey };
    const reply = await metadata.execute(ROOT_GROUP, { case: "putKmsKey", value }, options);
    if (reply.outcome === Outcome.EXISTS) return undefined;
    const record = reply.kind.case === "putKmsKey" ? reply.kind.value.key : undefined;
    if (reply.outcome !== Outcome.OK || record === undefined) {
      throw new StoreError("internal", `putting the key ${name}: ${reply.message}`);
    }
    this.#keep(this.#records, name, { value: record, ms: RECORD_MS });
    return record;
  }

  async #record(name: string, options: MetadataCallOptions): Promise<KmsKeyRecord | undefined> {
    return this.#live(this.#records, name) ?? this.#refresh(name, options);
  }

  async #refresh(name: string, options: MetadataCallOptions): Promise<KmsKeyRecord | undefined> {
    const kind = { case: "listKmsKeys", value: { name } } as const;
    const { keys } = await this.#deps.metadata.query(ROOT_GROUP, kind, options);
    const record = keys.find((one) => one.name === name);
    if (record !== undefined) this.#keep(this.#records, name, { value: record, ms: RECORD_MS });
    return record;
  }

  #open(record: KmsKeyRecord, version: number): NamedKey {
    const { name } = record;
    const id = openedId(name, version);
    const hit = this.#live(this.#opened, id);
    if (hit !== undefined) return hit;
    const found = record.versions.find((one) => one.version === version);
    if (found === undefined) throw new StoreError("corrupt", `the key ${name} has no versions`);
    const binding = namedKeyBinding(name, version);
    const sealed = found.wrappedKey;
    const key = openWithCluster(this.#clusterKeys, { binding, sealed })?.bytes;
    if (key === undefined) {
      throw new StoreError(
        "denied",
        `version ${version} of the key ${name} was sealed with another cluster key than those configured`,
      );
    }
    const opened = { name, version, key };
    this.#keep(this.#opened, id, { value: opened, ms: OPENED_MS });
    return opened;
  }

  #live<T>(cache: Map<string, Cached<T>>, id: string): T | undefined {
    const hit = cache.get(id);
    if (hit === undefined) return undefined;
    if (hit.until > this.#deps.clock.monotonicMs()) return hit.value;
    cache.delete(id);
    return undefined;
  }

  #keep<T>(
    cache: Map<string, Cached<T>>,
    id: string,
    { value, ms }: { readonly value: T; readonly ms: number },
  ): void {
    cache.delete(id);
    if (cache.size >= CACHED_MAX) {
      // The one that was put first.
      for (const oldest of cache.keys()) {
        cache.delete(oldest);
        break;
      }
    }
    cache.set(id, { value, until: this.#deps.clock.monotonicMs() + ms });
  }
}

/** Letters, digits and `_./-`, at most 127, the first a letter or digit. */
function isKeyName(name: string): boolean {
  return NAME.test(name);
}

function checkName(name: string): void {
  if (isKeyName(name)) return;
  throw new StoreError(
    "invalid",
    "the name of a key has 1 to 127 letters, digits and _./-, the first a letter or digit",
  );
}

function newestVersion(record: KmsKeyRecord): number {
  return record.versions.at(-1)?.version ?? 0;
}

function hasVersion(record: KmsKeyRecord | undefined, version: number): boolean {
  return record?.versions.some((one) => one.version === version) === true;
}

function openedId(name: string, version: number): string {
  return `${version} ${name}`;
}
