// The values that cross the admin API, as the console reads them. Times are RFC 3339 strings, sizes
// are bytes. Fields that a server may leave out are optional.

export interface Session {
  readonly user: string;
  readonly displayName?: string;
  readonly administrator: boolean;
  readonly csrf: string;
  readonly version: string;
  readonly s3Endpoint: string;
  readonly region?: string;
  readonly features?: { readonly tokens?: boolean; readonly providers?: readonly string[] };
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly next?: string;
}

export interface PresignRequest {
  readonly method: "GET" | "PUT" | "POST" | "DELETE" | "HEAD";
  readonly bucket: string;
  readonly key?: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Sent with the request by whoever uses the address, word by word. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Seconds. */
  readonly expires?: number;
}

export interface Bucket {
  readonly name: string;
  readonly owner: string;
  readonly createdAt: string;
  readonly region?: string;
  readonly policy?: string;
  readonly versioning?: string;
  readonly objectLock?: boolean;
  readonly public?: boolean;
  readonly quota?: { readonly bytes?: number; readonly objects?: number };
  readonly usage?: {
    readonly bytes?: number;
    readonly objects?: number;
    readonly versions?: number;
    readonly uploadBytes?: number;
  };
}

export interface Limits {
  readonly bytesMax: number;
  readonly objectsMax: number;
  readonly bucketsMax: number;
  readonly requestsPerSecond: number;
  readonly uploadBytesPerSecond: number;
  readonly downloadBytesPerSecond: number;
  readonly noBuckets: boolean;
}

export interface Key {
  readonly accessKeyId: string;
  readonly createdAt?: string;
  readonly disabled?: boolean;
  readonly description?: string;
  readonly expiresAt?: string | null;
  readonly lastUsedAt?: string | null;
}

export interface Token {
  readonly tokenId?: string;
  readonly id?: string;
  readonly name: string;
  readonly createdAt?: string;
  readonly expiresAt?: string | null;
  readonly lastUsedAt?: string | null;
  readonly disabled?: boolean;
  readonly buckets?: readonly string[];
  readonly access?: string;
  readonly networks?: readonly string[];
}

export interface Certificate {
  /** SHA-256 of its DER form, in hex. */
  readonly fingerprint: string;
  readonly subject: string;
  readonly createdAt?: string | null;
  readonly expiresAt?: string | null;
}

export interface InlinePolicy {
  readonly name: string;
  readonly document: unknown;
}

export interface User {
  readonly name: string;
  readonly displayName?: string;
  readonly email?: string;
  readonly createdAt?: string;
  readonly disabled?: boolean;
  readonly administrator?: boolean;
  readonly parent?: string;
  readonly groups?: readonly string[];
  readonly policies?: readonly InlinePolicy[];
  readonly attachedPolicies?: readonly string[];
  /** Name of a managed policy; empty: none. */
  readonly boundary?: string;
  readonly limits?: Partial<Limits>;
  readonly keys?: readonly Key[];
  readonly tokens?: readonly Token[];
  readonly certificates?: readonly Certificate[];
  readonly usage?: {
    readonly bytes?: number;
    readonly objects?: number;
    readonly buckets?: number;
  };
}

export interface CreatedKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface CreatedToken {
  readonly token: string;
  readonly expiresAt?: string | null;
}

export interface TokenRequest {
  readonly name: string;
  readonly expires: string | null;
  readonly buckets?: readonly string[];
  readonly access: string;
  readonly networks?: readonly string[];
}

export interface Group {
  readonly name: string;
  readonly createdAt?: string;
  readonly members?: readonly string[];
  readonly policies?: readonly InlinePolicy[];
  readonly attachedPolicies?: readonly string[];
}

export interface Role {
  readonly name: string;
  readonly description?: string;
  readonly createdAt?: string | null;
  readonly trustPolicy: unknown;
  readonly policies?: readonly InlinePolicy[];
  readonly attachedPolicies?: readonly string[];
  readonly sessionSecondsMax?: number;
  /** Name of a managed policy; empty: none. */
  readonly boundary?: string;
}

export interface ManagedPolicy {
  readonly name: string;
  readonly document?: unknown;
  readonly description?: string;
  readonly updatedAt?: string;
}

export interface PolicyCheck {
  readonly allowed: boolean;
  readonly explanation?: string;
}

export interface DiskView {
  readonly diskId: number | string;
  readonly state: string;
  readonly sizeBytes?: number;
  readonly freeBytes?: number;
  readonly shardCount?: number;
  readonly corruptShards?: number;
  readonly scrubPasses?: number;
  /** Share of the present pass that is done, 0 to 1. */
  readonly scrubProgressRatio?: number;
  /** When a pass last ended, in milliseconds since 1970; 0: never. */
  readonly scrubCompletedMs?: number;
}

export interface NodeView {
  readonly name: string;
  readonly role: string;
  readonly address?: string;
  readonly state: string;
  readonly campus?: string;
  readonly disks?: readonly DiskView[];
}

export interface ClusterView {
  readonly healthy: boolean;
  readonly summary: string;
  readonly nodes: readonly NodeView[];
  readonly groups?: readonly {
    readonly groupId: number;
    readonly leader: string;
    readonly replicas?: readonly { readonly name: string; readonly leads?: boolean }[];
  }[];
  readonly durability?: {
    readonly fullRedundancy?: boolean;
    readonly objects?: number;
    readonly bytes?: number;
    readonly shardsOwed?: number;
    readonly chunksWaitingForRepair?: number;
    /** How many of them may lose so many more shards; below 0: not readable now. */
    readonly chunksByMargin?: Readonly<Record<string, number>>;
  };
  readonly problems?: readonly string[];
  readonly links?: readonly {
    readonly gateway: string;
    readonly campus: string;
    readonly rttMs: number;
  }[];
}

export interface LayoutPlan {
  readonly epoch: number;
  readonly changes: readonly { readonly node: string; readonly state: string }[];
  readonly bytesToMove: number;
  readonly nodes: readonly {
    readonly node: string;
    readonly bytesIn: number;
    readonly bytesOut: number;
  }[];
  readonly problems: readonly string[];
}

export interface LiveSecond {
  /** Seconds since 1970. */
  readonly second: number;
  readonly requests: number;
  readonly errors: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly eventLoopLagMs: number;
}

export interface TracedRequest {
  readonly time: string;
  readonly requestId?: string;
  readonly method: string;
  readonly operation: string;
  readonly bucket?: string;
  readonly key?: string;
  readonly user?: string;
  readonly status: number;
  readonly errorCode?: string;
  readonly durationMs: number;
}
