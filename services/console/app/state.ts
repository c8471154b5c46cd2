// What the whole console shares: who is signed in, where we are, what is told at the edge of the
// screen, and how it looks. Nothing but the theme is kept in the browser.
import { computed, signal } from "@preact/signals";
import type { Session } from "./api-types.ts";

export interface Place {
  /** "buckets", "b", "user", ... */
  readonly name: string;
  /** Decoded parts of the path behind the name. */
  readonly parts: readonly string[];
  readonly query: URLSearchParams;
}

export interface Notice {
  readonly id: number;
  readonly kind: "good" | "bad";
  readonly text: string;
}

export type Theme = "auto" | "light" | "dark";

const NOTICE_MS = 8000;
const NOTICES_MAX = 5;
const THEME = "dolium-theme";

export const session = signal<Session | undefined>(undefined);
export const place = signal<Place>(parsePlace(location.hash));
export const notices = signal<readonly Notice[]>([]);
export const theme = signal<Theme>(readTheme());
export const isAdministrator = computed(() => session.value?.administrator === true);

let noticeCount = 0;

function parsePart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function parsePlace(hash: string): Place {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const [name = "", ...parts] = path.split("/").map(parsePart);
  return { name: name === "" ? "buckets" : name, parts, query: new URLSearchParams(query) };
}

/** The link to a place; parts are encoded, so that any key may be one. */
export function link(
  name: string,
  parts: readonly string[] = [],
  query: Readonly<Record<string, string>> = {},
): string {
  const text = new URLSearchParams(query).toString();
  const path = [name, ...parts].map(encodeURIComponent).join("/");
  return `#/${path}${text === "" ? "" : `?${text}`}`;
}

export function go(target: string): void {
  location.hash = target;
}

export function tell(text: string, kind: Notice["kind"] = "good"): void {
  noticeCount += 1;
  const id = noticeCount;
  notices.value = [...notices.value, { id, kind, text }].slice(-NOTICES_MAX);
  if (kind === "good") setTimeout(() => dismiss(id), NOTICE_MS);
}

export function dismiss(id: number): void {
  notices.value = notices.value.filter((notice) => notice.id !== id);
}

export function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Runs what a click asked for; a failure is told. True when it went well. */
export async function attempt(act: () => Promise<unknown>, done?: string): Promise<boolean> {
  try {
    await act();
    if (done !== undefined) tell(done);
    return true;
  } catch (error) {
    tell(textOf(error), "bad");
    return false;
  }
}

function readTheme(): Theme {
  const kept = localStorage.getItem(THEME);
  return kept === "light" || kept === "dark" ? kept : "auto";
}

export function setTheme(next: Theme): void {
  theme.value = next;
  if (next === "auto") localStorage.removeItem(THEME);
  else localStorage.setItem(THEME, next);
  document.documentElement.dataset.theme = next;
}

export function watchPlace(): void {
  document.documentElement.dataset.theme = theme.value;
  addEventListener("hashchange", () => {
    place.value = parsePlace(location.hash);
  });
}
