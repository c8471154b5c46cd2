// Requests to foreign HTTP servers whose bodies stream in both directions: replication reads from
// one S3 endpoint and writes to another. Redirects are not followed.
//
// Failures arrive as StoreError: "invalid" (origin, target or a header cannot be sent),
// "unavailable" (nobody answered, or the connection broke), "timeout" (nothing moved for too long),
// "aborted" (signal); what the request's body throws comes through unchanged.

export interface HttpExchange {
  readonly method: string;
  /** `http://host:port` or `https://host:port`. */
  readonly origin: string;
  /** Sent as it is: path and query, percent-encoded. */
  readonly target: string;
  /** With Content-Length where there is a body. */
  readonly headers: Readonly<Record<string, string>>;
  /** Views must stay as they are until the exchange has ended. */
  readonly body?: AsyncIterable<Uint8Array>;
  /** Milliseconds in which nothing moved, while the other side was to move. */
  readonly idleMs: number;
  readonly signal?: AbortSignal;
}

export interface HttpAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  /** To be read to its end or given up; until then the connection is held. */
  readonly body: AsyncIterable<Uint8Array>;
}

export interface HttpExchanger {
  /** Resolves when the head of the answer is there. */
  exchange(request: HttpExchange): Promise<HttpAnswer>;
  /** Ends kept connections. */
  close(): void;
}
