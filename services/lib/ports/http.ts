// Posting to foreign HTTP servers as a port: webhooks of bucket notifications. Only the status
// comes back; the answer's body is read and thrown away, within a bound.
//
// Failures arrive as StoreError: "invalid" (the URL or a header cannot be sent), "unavailable"
// (nobody answered), "timeout" (deadline), "aborted" (signal).

export interface HttpPost {
  /** http: or https:. */
  readonly url: string;
  /** Borrowed until the promise settles. */
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds from now for the whole exchange. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal;
}

export interface HttpClient {
  /** Resolves with the status of the answer, whatever it is; redirects are not followed. */
  post(request: HttpPost): Promise<number>;
  /** Ends kept connections. */
  close(): void;
}
