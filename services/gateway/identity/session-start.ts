// From when on sessions of somebody count: console sessions and temporary credentials that began
// before are over. A name may have belonged to another before, whose sessions do not pass on.
import type { DirectoryView } from "../../lib/clients/identity-directory.ts";
import type { UserRecord } from "../../lib/gen/dolium/record/v1/identity_pb.ts";

export const ROOT = "root";

/** When the user was made, or his sessions were revoked last; milliseconds since 1970. */
export function sessionsFromMs({ createdMs, sessionsFromMs: revokedMs }: UserRecord): bigint {
  return later(createdMs, revokedMs);
}

/** As `sessionsFromMs`, by name; the root user's stand beside the directory's users. */
export function sessionsFromMsOf(view: DirectoryView, name: string): bigint {
  if (name === ROOT) return view.sessions(ROOT)?.fromMs ?? 0n;
  const user = view.user(name);
  return user === undefined ? 0n : sessionsFromMs(user);
}

/**
 * When a session begins that is made at `nowMs`: not before `fromMs`, which another gateway whose
 * clock is ahead may have just set.
 */
export function sessionStartMs(nowMs: number, ...fromMs: readonly bigint[]): number {
  return Math.max(Math.trunc(nowMs), ...fromMs.map(Number));
}

export function later(one: bigint, other: bigint): bigint {
  return one > other ? one : other;
}
