// What the object verbs share while they run: the client, the checksum engines, how wide to work,
// where state is kept, who hears of progress, and the signal of an interruption.
import type { S3Client } from "@aws-sdk/client-s3";
import type { ChecksumFactory } from "../../lib/s3/checksums.ts";
import type { Connection } from "./connection.ts";
import type { Progress } from "./progress.ts";

/** Keys of SSE-C as requests carry them. */
export interface CustomerKey {
  readonly SSECustomerAlgorithm: "AES256";
  readonly SSECustomerKey: string;
  readonly SSECustomerKeyMD5: string;
}

/** Sizes of copies inside the server. */
export interface CopyLimits {
  /** One request copies at most this much. */
  readonly wholeBytesMax: number;
  readonly partBytes: number;
}

export interface ObjectContext {
  readonly s3: S3Client;
  readonly connection: Connection;
  readonly checksums: ChecksumFactory;
  /** Folder of unfinished transfers. */
  readonly stateDir: string;
  readonly signal: AbortSignal;
  readonly progress: Progress;
  /** Files at a time. */
  readonly jobs: number;
  /** Parts of a file at a time. */
  readonly partJobs: number;
  readonly partBytes: number;
  readonly copyLimits: CopyLimits;
  /** For reading what was sealed with a key of the caller's. */
  readonly customerKey: CustomerKey | undefined;
}
