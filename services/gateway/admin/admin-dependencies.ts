// What the admin API needs from outside, narrowed to what it uses: the directory of users, who
// proves who he is, the cluster, and the ports.
import type { IdentityDirectory } from "../../lib/clients/identity-directory.ts";
import type { MetadataClient } from "../../lib/clients/metadata-client.ts";
import type { VersionFindings, VersionTarget } from "../../lib/clients/verify/version-verifier.ts";
import type {
  GroupRecord,
  ManagedPolicy,
  RoleRecord,
  SessionsRecord,
  UserRecord,
} from "../../lib/gen/dolium/record/v1/identity_pb.ts";
import type { Clock } from "../../lib/ports/clock.ts";
import type { Log } from "../../lib/ports/log.ts";
import type { Random } from "../../lib/ports/random.ts";
import type { Transport } from "../../lib/ports/transport.ts";
import type { ClusterKeys as SealingKeys } from "../../lib/seal/cluster-keys.ts";
import type { AuditLog } from "../audit/audit-log.ts";
import type { FailureLimiter } from "../identity/rate-limits.ts";
import type { Gateway } from "../operation.ts";
import type { Authentication, UserIdentity } from "../plugins/authentication.ts";
import type { S3Request } from "../request.ts";
import type { AdminMetrics } from "./admin-metrics.ts";
import type { EventRing } from "./watch/event-ring.ts";
import type { LiveWindow } from "./watch/live-window.ts";
import type { TraceFeed } from "./watch/trace-feed.ts";

export type { DirectoryView } from "../../lib/clients/identity-directory.ts";

export type Directory = Pick<IdentityDirectory, "view" | "refresh">;

/** Changes of the directory, each on the record as it is now, tried again when it moved. */
export interface DirectoryEdits {
  createUser(user: UserRecord): Promise<UserRecord>;
  changeUser(name: string, change: (user: UserRecord) => UserRecord): Promise<UserRecord>;
  deleteUser(name: string): Promise<void>;
  createGroup(group: GroupRecord): Promise<GroupRecord>;
  changeGroup(name: string, change: (group: GroupRecord) => GroupRecord): Promise<GroupRecord>;
  deleteGroup(name: string): Promise<void>;
  createPolicy(policy: ManagedPolicy): Promise<ManagedPolicy>;
  changePolicy(
    name: string,
    change: (policy: ManagedPolicy) => ManagedPolicy,
  ): Promise<ManagedPolicy>;
  deletePolicy(name: string): Promise<void>;
  createRole(role: RoleRecord): Promise<RoleRecord>;
  changeRole(name: string, change: (role: RoleRecord) => RoleRecord): Promise<RoleRecord>;
  deleteRole(name: string): Promise<void>;
  /** Makes the record where there is none. */
  changeSessions(
    user: string,
    change: (sessions: SessionsRecord) => SessionsRecord,
  ): Promise<SessionsRecord>;
}

export interface ProviderSignIn {
  /** Where the browser is sent. */
  readonly location: string;
  /** What must come back, sealed, for a cookie of a few minutes. */
  readonly state: string;
}

/** Signing in by an identity provider (OIDC). */
export interface SignInProviders {
  readonly names: readonly string[];
  /** Throws StoreError "not-found" for an unknown provider. */
  begin(name: string, redirectUri: string): Promise<ProviderSignIn>;
  /** Resolves with the name of the user. Throws StoreError "denied". */
  finish(
    name: string,
    answer: {
      readonly query: URLSearchParams;
      readonly state: string;
      readonly redirectUri: string;
    },
  ): Promise<string>;
}

/** Who somebody is, apart from signed requests. */
export interface Identities {
  /** The user as he would act with a key of his own; undefined when he is not there or disabled. */
  ofUser(name: string): Promise<UserIdentity | undefined>;
  /** Whoever has this key and this secret; undefined otherwise, after the same time. */
  signIn(
    accessKeyId: string,
    secret: string,
    request: S3Request,
  ): Promise<UserIdentity | undefined>;
  /**
   * Whoever has this access token. Throws S3Error when tokens are off or must not come this way.
   */
  ofToken(token: string, request: S3Request): Promise<UserIdentity | undefined>;
}

export interface CertificateEnd {
  /** "internal", "s3", or whose it is: "metadata metadata-1". */
  readonly name: string;
  readonly endsMs: number;
}

export interface AdminDependencies {
  /** Undefined: no audit log is kept. */
  readonly audit: Pick<AuditLog, "record" | "mustRefuse"> | undefined;
  /** Of this gateway. */
  readonly name: string;
  readonly version: string;
  /** Address of S3 for clients; empty: told from the request. */
  readonly s3Endpoint: string;
  /** Where this gateway serves S3. */
  readonly s3Port: () => { readonly scheme: "http" | "https"; readonly port: number };
  readonly tokensEnabled: boolean;
  readonly directory: Directory;
  readonly edits: DirectoryEdits;
  /** Seals a secret for the record of its user. Throws StoreError "denied" without cluster key. */
  readonly sealSecret: (user: string, accessKeyId: string, secret: string) => Uint8Array;
  readonly identities: Identities;
  /** What a user's buckets hold together. */
  readonly usageOf: (
    user: string,
  ) => Promise<{ readonly bytes: number; readonly objects: number; readonly buckets: number }>;
  readonly providers: SignInProviders;
  readonly failures: FailureLimiter;
  readonly authentication: Pick<Authentication, "authenticate">;
  readonly sealingKeys: SealingKeys;
  readonly gateway: Gateway;
  readonly metadata: Pick<MetadataClient, "execute" | "query" | "clusterStatus">;
  /** host:port of every metadata replica. */
  readonly replicas: readonly string[];
  readonly transport: Transport;
  /** Verifies one version; undefined when it is gone (lib/clients/verify/version-verifier.ts). */
  readonly verify: (
    target: VersionTarget,
    options: { readonly deep: boolean; readonly signal: AbortSignal },
  ) => Promise<VersionFindings | undefined>;
  /** When those of this gateway and of the peers it has met end. */
  readonly certificates?: () => readonly CertificateEnd[];
  readonly events: EventRing;
  readonly live: LiveWindow;
  readonly trace: TraceFeed;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly counters: AdminMetrics;
}
