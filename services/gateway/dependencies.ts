// What a gateway needs from outside: the services' clients, narrowed to what is used, and the
// ports. Everything is passed in, so that one gateway runs in production, in one process and in a
// simulation.
import type { BucketDirectory } from "../lib/clients/bucket-directory.ts";
import type { KmsDirectory } from "../lib/clients/kms-directory.ts";
import type { MetadataClient } from "../lib/clients/metadata-client.ts";
import type { Manifest } from "../lib/gen/dolium/record/v1/object_pb.ts";
import type { UserPrincipal } from "../lib/iam/model.ts";
import type { Clock } from "../lib/ports/clock.ts";
import type { Log } from "../lib/ports/log.ts";
import type { Metrics } from "../lib/ports/metrics.ts";
import type { Random } from "../lib/ports/random.ts";

export type MetadataAccess = Pick<MetadataClient, "execute" | "query">;

export type Buckets = Pick<
  BucketDirectory,
  "get" | "refresh" | "invalidate" | "groupOf" | "groupsOf"
>;

/** The named keys of the cluster. */
export type NamedKeys = Pick<KmsDirectory, "isConfigured" | "forStore" | "forKms" | "version">;

export interface BodyWriteRequest {
  readonly bucketId: number;
  readonly key: Uint8Array;
  readonly policy: string;
  /** Bytes that `source` yields, exactly. */
  readonly size: number;
  readonly source: AsyncIterable<Uint8Array>;
  readonly signal?: AbortSignal;
}

/** Streams a body to storage nodes; resolves when it is as durable as the policy wants. */
export interface BodyWriting {
  write(request: BodyWriteRequest): Promise<Manifest>;
}

export interface PlacedManifest {
  readonly manifest: Manifest;
  /** Offset in the object of the manifest's first byte. */
  readonly offset: number;
}

export interface BodyReadRequest {
  readonly bucketId: number;
  readonly manifests: readonly PlacedManifest[];
  readonly firstByte: number;
  /** Included. */
  readonly lastByte: number;
  readonly signal?: AbortSignal;
}

/** Yields verified bytes only; throws StoreError "corrupt" or "unavailable". */
export interface BodyReading {
  read(request: BodyReadRequest): AsyncIterable<Uint8Array>;
}

/** What the gateway asks of the cluster map. */
export interface Policies {
  /** Name of the policy that a bucket without one gets. */
  defaultPolicy(): string;
  /** Whether the cluster has a policy of that name; undefined while nothing is known of it. */
  hasPolicy(name: string): boolean | undefined;
}

export interface Credential {
  readonly secret: string;
  /** Owner of what this user creates: the canonical user id of answers. */
  readonly userId: string;
  readonly displayName: string;
  /** May use what others own. */
  readonly administrator?: boolean;
  /** What its policies say; a plain user of that id unless told. */
  readonly principal?: UserPrincipal;
}

export interface CredentialStore {
  /** Undefined when there is no such key. Throws StoreError when it cannot tell. */
  find(accessKeyId: string): Promise<Credential | undefined>;
}

export interface GatewayDependencies {
  readonly metadata: MetadataAccess;
  readonly buckets: Buckets;
  readonly kms: NamedKeys;
  readonly cluster: Policies;
  readonly writer: BodyWriting;
  readonly reader: BodyReading;
  readonly credentials: CredentialStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  /** True when a majority of the metadata service answers; what the health paths tell. */
  readonly isReady: () => boolean;
}
