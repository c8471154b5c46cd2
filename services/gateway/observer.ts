// Whoever wants to see the requests of the S3 port as they end. Told once for each request, in the
// same turn as the log line; what an observer does must be cheap and must not throw.

export interface ObservedRequest {
  readonly requestId: string;
  /** Wall clock at its end, milliseconds since 1970. */
  readonly endedMs: number;
  readonly operation: string;
  readonly method: string;
  readonly bucket: string | undefined;
  readonly key: string | undefined;
  /** 0: broken off before an answer. */
  readonly status: number;
  readonly errorCode: string | undefined;
  readonly seconds: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
  readonly userId: string | undefined;
  /** Fit for logs: of an access token its public name. */
  readonly accessKeyId: string | undefined;
  readonly remoteAddress: string;
}

export interface RequestObserver {
  observe(request: ObservedRequest): void;
}
