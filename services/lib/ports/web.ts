// Asking foreign web servers as a port: identity providers. The whole answer comes back, up to a
// bound. Where an address was not written by the operator but by another server, it is fetched with
// `publicOnly`: from public addresses only.
//
// Failures arrive as StoreError: "invalid" (the URL), "denied" (an address that is not public),
// "unavailable" (nobody answered, or with too much), "timeout" (deadline), "aborted" (signal).

export interface WebRequest {
  /** https:, or http: where the caller allows it. */
  readonly url: string;
  readonly method: "GET" | "POST";
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Milliseconds from now for the whole exchange. */
  readonly deadlineMs: number;
  /** Most bytes of the answer. */
  readonly bytesMax: number;
  /** Refuse loopback, link-local, private and other special addresses, checked when connecting. */
  readonly publicOnly: boolean;
  readonly signal?: AbortSignal;
}

export interface WebAnswer {
  readonly status: number;
  readonly body: Uint8Array;
}

export interface WebClient {
  /** Resolves with the answer, whatever its status; redirects are not followed. */
  fetch(request: WebRequest): Promise<WebAnswer>;
}

/** Asks a directory (LDAP) whether a password is right. */
export interface PasswordCheck {
  /**
   * True when the server took the password. Throws StoreError: "unavailable" (no answer),
   * "timeout", "invalid" (a name that cannot stand in a distinguished name).
   */
  check(userName: string, password: string): Promise<boolean>;
}
