// What a gateway needs from outside: the services' clients, narrowed to what is used, and the
// ports. Everything is passed in, so that one gateway runs in production, in one process and in a
// simulation.
import type { RequestListener, Server, ServerOptions } from "node:http";
import type { BucketDirectory } from "../lib/clients/bucket-directory.ts";
import type { CampusView } from "../lib/clients/campus-endpoints.ts";
import type { KmsDirectory } from "../lib/clients/kms-directory.ts";
import type { MetadataClient } from "../lib/clients/metadata-client.ts";
import type { Manifest } from "../lib/gen/dolium/record/v1/object_pb.ts";
import type { UserPrincipal } from "../lib/iam/model.ts";
import type { Clock } from "../lib/ports/clock.ts";
import type { HashCompute } from "../lib/ports/compute.ts";
import type { Log } from "../lib/ports/log.ts";
import type { Metrics } from "../lib/ports/metrics.ts";
import type { Random } from "../lib/ports/random.ts";
import type { Tracing } from "../lib/ports/tracing.ts";
import type { S3Error } from "../lib/s3/errors.ts";
import type { AuditLog } from "./audit/audit-log.ts";
import type { PeopleDirectory } from "./data/access/people.ts";
import type { UserRates } from "./identity/rate-limits.ts";
import type { RequestOrigin } from "./identity/request-origin.ts";
import type { StsDeps } from "./identity/sts.ts";

export type MetadataAccess = Pick<MetadataClient, "execute" | "query">;

export type Buckets = Pick<
  BucketDirectory,
  "get" | "known" | "refresh" | "invalidate" | "groupOf" | "groupsOf"
>;

/** The named keys of the cluster. */
export type NamedKeys = Pick<KmsDirectory, "isConfigured" | "forStore" | "forKms" | "version">;

export interface BodyWriteRequest {
  readonly bucketId: number;
  readonly key: Uint8Array;
  readonly policy: string;
  /** The policy that the body is to follow once it is acknowledged under `policy`. */
  readonly followPolicy?: string;
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
  /** The policy of the gateway's own campus alone; undefined where nothing can be placed by it. */
  campusPolicy?(): string | undefined;
}

/** Where the gateway stands, and where the others are. */
export interface Whereabouts {
  readonly campus: string;
  /** Never rejects. */
  campuses(): Promise<readonly CampusView[]>;
}

export interface Credential {
  /**
   * What the request must be signed with; undefined: the access key is an access token, which
   * proves itself, and the signature says nothing.
   */
  readonly secret: string | undefined;
  /** Owner of what this user creates: the canonical user id of answers. */
  readonly userId: string;
  readonly displayName: string;
  /** May use what others own. */
  readonly administrator?: boolean;
  /** What its policies say; a plain user of that id unless told. */
  readonly principal?: UserPrincipal;
  /** Own name of a user or service account; of nobody in a role's session. */
  readonly userName?: string;
  /** Fit for logs and answers where the access key is secret; the access key unless told. */
  readonly publicId?: string;
  /** Under which the last use is recorded: of an access key or token of the directory. */
  readonly useId?: string;
  /** Limits of the user at this gateway; none unless told. */
  readonly rates?: UserRates;
  /** Set for temporary credentials. */
  readonly session?: SessionFacts;
  /** An access token, whose scope would be lost with other credentials made from it. */
  readonly isToken?: boolean;
  /** Told to whoever proves to hold the secret: why it does not count any more. */
  readonly refusal?: S3Error;
}

/** Of temporary credentials: milliseconds since 1970. */
export interface SessionFacts {
  /** The user behind a role's session; empty: somebody of an identity provider. */
  readonly user: string;
  readonly issuedMs: number;
  readonly expiresMs: number;
}

/** What else is known of a request that shows an access key. */
export interface CredentialQuestion {
  readonly securityToken: string | undefined;
  readonly origin: RequestOrigin;
  /** Milliseconds since 1970. */
  readonly nowMs: number;
  readonly requestId: string;
}

export interface CredentialStore {
  /**
   * Undefined when there is no such key. Throws StoreError when it cannot tell, and S3Error for
   * what may not be used so: a token in the open, a session token that is none.
   */
  find(accessKeyId: string, question: CredentialQuestion): Promise<Credential | undefined>;
  /**
   * Who sends a request without a signature, by the certificate of its connection, say; undefined:
   * nobody in particular. Where it is missing, never anybody.
   */
  findUnsigned?(question: CredentialQuestion): Promise<Credential | undefined>;
  /** The user of that name, as with a key of its own; where it is missing, there is nobody. */
  ofUser?(
    name: string,
    question: Pick<CredentialQuestion, "requestId">,
  ): Promise<Credential | undefined>;
}

/** Notes when credentials were last used. */
export interface UseRecording {
  touch(id: string, action: string, origin: string): void;
}

/** TLS of a port: certificates that may change while it listens. */
export interface TlsListening {
  createServer(handler: RequestListener, options: ServerOptions): Server;
  /** SHA-256 of the certificate that the client of this connection proved to hold. */
  clientCertificate(socket: object): Uint8Array | undefined;
}

export interface GatewayDependencies {
  /** Who there is; undefined where there are no users but the root user. */
  readonly directory?: PeopleDirectory | undefined;
  readonly metadata: MetadataAccess;
  readonly buckets: Buckets;
  readonly kms: NamedKeys;
  readonly cluster: Policies;
  readonly writer: BodyWriting;
  readonly reader: BodyReading;
  readonly credentials: CredentialStore;
  readonly uses?: UseRecording;
  /** Given: the S3 port gives temporary credentials. */
  readonly sts?: Pick<StsDeps, "directory" | "keys" | "oidc" | "rootBinding">;
  /** Given: the S3 port speaks TLS. */
  readonly tls?: TlsListening;
  /** Given: large bodies are hashed there, beside everything else. */
  readonly hashing?: HashCompute;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Undefined: no audit log is kept. */
  readonly audit?: AuditLog | undefined;
  /** Undefined: requests are not traced. */
  readonly tracing?: Tracing | undefined;
  /** True when a majority of the metadata service answers; what the health paths tell. */
  readonly isReady: () => boolean;
  /** True when this process may be taken down; without, as ready as it is. */
  readonly mayStop?: () => Promise<boolean>;
  /** Told to everyone at `/.well-known/dolium`; without, that page is none. */
  readonly whereabouts?: Whereabouts;
}
