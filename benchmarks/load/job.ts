// What the runner tells a load process to do, and what that tells back: plain records that cross
// between processes.

import type { Operation } from "../runner/contract.ts";
import type { HistogramRecord } from "../runner/histogram.ts";

export interface Endpoint {
  readonly url: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface Job {
  readonly endpoint: Endpoint;
  readonly bucket: string;
  readonly operation: Operation;
  /** Bytes of an object. */
  readonly size: number;
  readonly connections: number;
  /** What is read, listed or deleted: `stored` keys, numbered from 0, below this prefix. */
  readonly prefix: string;
  readonly stored: number;
  /** What is written goes below this prefix. */
  readonly newPrefix: string;
  /** Ends after whichever comes first; requests on their way are waited for. */
  readonly durationMs: number;
  readonly operations: number;
  readonly payload: "unsigned" | "signed";
  /**
   * Open loop; undefined: each connection sends its next request when the one before is answered.
   */
  readonly requestsPerSecond?: number;
}

export interface JobResult {
  readonly operations: number;
  /** Bodies sent and received. */
  readonly bytes: number;
  readonly seconds: number;
  readonly latency: HistogramRecord;
  readonly firstByte: HistogramRecord;
}

export type LoadAnswer =
  | { readonly kind: "done"; readonly result: JobResult }
  | { readonly kind: "failed"; readonly reason: string };

export function keyOf(prefix: string, number: number): string {
  return `${prefix}${String(number).padStart(8, "0")}`;
}
