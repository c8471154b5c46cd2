// Which sessions of the console are over before their time, kept in the directory, so that every
// gateway knows of it within two seconds and after a restart: one by one for those signed out of,
// by a moment for all of a user. The list is bounded: where too many sessions of one user were
// ended, all that he began until then are over, rather than that one comes back to life.
import { createHash } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { equalBytes } from "../../../lib/base/bytes.ts";
import {
  type EndedSession,
  EndedSessionSchema,
  type SessionsRecord,
} from "../../../lib/gen/dolium/record/v1/identity_pb.ts";
import { later, sessionsFromMsOf } from "../../identity/session-start.ts";
import type { ConsoleSession } from "../admin-caller.ts";
import type { AdminDependencies, DirectoryView } from "../admin-dependencies.ts";

/** As many as the directory keeps of one user. */
export const ENDED_MAX = 200;
/** Remembered for longer than a session lives: clocks of gateways differ. */
const SKEW_MS = 3_600_000;

/** The moment before which no session of the user's in the console counts; 0n: every one does. */
export function consoleFromMs(view: DirectoryView, user: string): bigint {
  return later(sessionsFromMsOf(view, user), view.sessions(user)?.fromMs ?? 0n);
}

export function isEnded(view: DirectoryView, session: ConsoleSession): boolean {
  const { user, csrf, issuedMs } = session;
  if (BigInt(Math.trunc(issuedMs)) < consoleFromMs(view, user)) return true;
  const digest = digestOf(csrf);
  return view.sessions(user)?.ended.some((one) => equalBytes(one.digest, digest)) === true;
}

/** Resolves when this gateway knows it, and every other will within two seconds. */
export async function endSession(deps: SessionDeps, session: ConsoleSession): Promise<void> {
  const nowMs = deps.clock.wallMs();
  const expiresMs = BigInt(Math.trunc(session.expiresMs + SKEW_MS));
  const ended = create(EndedSessionSchema, { digest: digestOf(session.csrf), expiresMs });
  await deps.edits.changeSessions(session.user, (sessions) => withEnded(sessions, ended, nowMs));
  await deps.directory.refresh();
}

/** Ends all of a user's in the console, the root user's too. Resolves as `endSession`. */
export async function endConsoleSessions(deps: SessionDeps, user: string): Promise<void> {
  const nowMs = deps.clock.wallMs();
  await deps.edits.changeSessions(user, (sessions) => noneBefore(sessions, nowMs));
  await deps.directory.refresh();
}

type SessionDeps = Pick<AdminDependencies, "clock" | "edits" | "directory">;

function withEnded(sessions: SessionsRecord, ended: EndedSession, nowMs: number): SessionsRecord {
  const others = sessions.ended.filter(
    ({ digest, expiresMs }) => expiresMs > BigInt(nowMs) && !equalBytes(digest, ended.digest),
  );
  if (others.length >= ENDED_MAX) return noneBefore(sessions, nowMs);
  return { ...sessions, ended: [...others, ended] };
}

/** One more, so that a session made within this millisecond ends too. */
export function afterMs(nowMs: number): bigint {
  return BigInt(Math.trunc(nowMs) + 1);
}

function noneBefore(sessions: SessionsRecord, nowMs: number): SessionsRecord {
  // A clock that went back brings no session back.
  return { ...sessions, ended: [], fromMs: later(afterMs(nowMs), sessions.fromMs) };
}

function digestOf(token: string): Uint8Array {
  return createHash("sha256").update(token).digest();
}
