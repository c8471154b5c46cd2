// Sessions of the console: sealed into a cookie, so that every gateway knows them and none keeps a
// table. Who holds the cookie is its user until it ends, he signs out, is disabled or deleted, or
// his sessions are revoked. The cookie is out of reach of scripts and never sent from other sites;
// what changes something must besides carry the session's own token in a header, and come from our
// own page.
import { timingSafeEqual } from "node:crypto";
import { toHex, utf8 } from "../../../lib/base/bytes.ts";
import type { HeaderField } from "../../../lib/s3/headers.ts";
import { openText, sealText } from "../../identity/sealed-text.ts";
import { sessionStartMs } from "../../identity/session-start.ts";
import type { Caller } from "../admin-caller.ts";
import type { AdminDependencies } from "../admin-dependencies.ts";
import { accessDenied } from "../admin-error.ts";
import type { AdminRequest } from "../admin-request.ts";
import { consoleFromMs, isEnded } from "./ended-sessions.ts";

export const SESSION_MS = 12 * 3_600_000;
const COOKIE = "dolium_session";
export const CSRF_HEADER = "x-dolium-csrf";
const CSRF_BYTES = 16;

interface SessionClaims {
  readonly user: string;
  readonly csrf: string;
  readonly issuedMs: number;
  readonly expiresMs: number;
}

export interface StartedSession {
  readonly csrf: string;
  readonly cookie: HeaderField;
}

/** Throws StoreError: "denied" without a cluster key, "unavailable". */
export async function startSession(
  { sealingKeys, random, clock, directory }: AdminDependencies,
  user: string,
  request: AdminRequest,
): Promise<StartedSession> {
  const csrf = toHex(random.bytes(CSRF_BYTES));
  const issuedMs = sessionStartMs(clock.wallMs(), consoleFromMs(await directory.view(), user));
  const claims: SessionClaims = { user, csrf, issuedMs, expiresMs: issuedMs + SESSION_MS };
  const text = JSON.stringify(claims);
  const sealed = sealText(sealingKeys, { purpose: "console session", text }, random);
  return { csrf, cookie: sessionCookie(sealed, SESSION_MS / 1000, request) };
}

export function endedCookie(request: AdminRequest): HeaderField {
  return sessionCookie("", 0, request);
}

function sessionCookie(value: string, seconds: number, request: AdminRequest): HeaderField {
  return setCookie({ name: COOKIE, value, seconds, sameSite: "Strict", request });
}

export function setCookie(cookie: {
  readonly name: string;
  readonly value: string;
  readonly seconds: number;
  readonly sameSite: "Strict" | "Lax";
  readonly request: AdminRequest;
}): HeaderField {
  const { name, value, seconds, sameSite, request } = cookie;
  const parts = [`${name}=${value}`, "Path=/", "HttpOnly", `SameSite=${sameSite}`];
  parts.push(`Max-Age=${seconds}`);
  if (request.origin.isSecure) parts.push("Secure");
  return ["Set-Cookie", parts.join("; ")];
}

/** Value of a cookie of the request; undefined when it is not there, or is there twice. */
export function cookieOf({ headers }: AdminRequest, wanted: string): string | undefined {
  const values = headers.fields
    .filter(([name]) => name === "cookie")
    .flatMap(([, value]) => value.split(";"))
    .map((piece) => piece.trim().split("="))
    .filter(([name]) => name === wanted)
    .map(([, value = ""]) => value);
  return values.length === 1 ? values[0] : undefined;
}

/**
 * Who the cookie says it is; undefined without a session that counts. Throws AdminError 403 for
 * requests that another site may have had the browser send.
 */
export async function sessionCaller(
  deps: AdminDependencies,
  request: AdminRequest,
): Promise<Caller | undefined> {
  const sealed = cookieOf(request, COOKIE);
  const text =
    sealed === undefined ? undefined : openText(deps.sealingKeys, "console session", sealed);
  if (text === undefined) return undefined;
  // Checked boundary: nobody else seals for this purpose.
  const { user, csrf, issuedMs, expiresMs } = JSON.parse(text) as SessionClaims;
  if (expiresMs <= deps.clock.wallMs()) return undefined;
  const identity = await deps.identities.ofUser(user);
  if (identity === undefined) return undefined;
  const session = { user, csrf, issuedMs, expiresMs };
  if (isEnded(await deps.directory.view(), session)) return undefined;
  if (request.method !== "GET") checkOwnPage(request, csrf);
  return { identity, session };
}

function checkOwnPage(request: AdminRequest, csrf: string): void {
  checkOrigin(request);
  const given = utf8(request.headers.get(CSRF_HEADER) ?? "");
  const wanted = utf8(csrf);
  if (given.byteLength === wanted.byteLength && timingSafeEqual(given, wanted)) return;
  throw accessDenied(`The header ${CSRF_HEADER} is missing or wrong; load the page again.`);
}

/** Throws AdminError 403 when a browser says that a page of another origin asks. */
export function checkOrigin({ headers, origin }: AdminRequest): void {
  const site = headers.get("sec-fetch-site");
  const isForeignSite = site !== undefined && site !== "same-origin" && site !== "none";
  const page = headers.get("origin");
  const host = headers.get("host") ?? "";
  const own = [`http://${host}`, `https://${host}`];
  // Behind a proxy that ends TLS unseen, the scheme may differ; the host may not.
  const isForeignPage =
    page !== undefined && !(origin.isSecure ? own.slice(1) : own).includes(page);
  if (isForeignSite || isForeignPage) throw accessDenied("Requests of other sites are refused.");
}
