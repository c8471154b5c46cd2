// Who calls the admin API, and how he proved it.
import type { UserIdentity } from "../plugins/authentication.ts";

export interface ConsoleSession {
  /** Name of the user. */
  readonly user: string;
  /** Must come back in a header with everything that changes something. */
  readonly csrf: string;
  readonly issuedMs: number;
  readonly expiresMs: number;
}

export interface Caller {
  readonly identity: UserIdentity;
  /** Set when the console's cookie said who it is. */
  readonly session: ConsoleSession | undefined;
}
