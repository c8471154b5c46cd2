// What a call of the admin API answers, apart from the socket.
import type { HeaderField } from "../../lib/s3/headers.ts";

export interface ServerEvent {
  readonly event: string;
  readonly data: unknown;
}

export type AdminBody =
  | { readonly kind: "empty" }
  | { readonly kind: "json"; readonly value: unknown }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array; readonly contentType: string }
  /** One JSON value a line. */
  | { readonly kind: "lines"; readonly values: AsyncIterable<unknown> }
  /** Server-sent events, until the client or `events` ends. */
  | { readonly kind: "events"; readonly events: AsyncIterable<ServerEvent> };

export interface AdminAnswer {
  readonly status: number;
  readonly headers: readonly HeaderField[];
  readonly body: AdminBody;
}

export function json(
  value: unknown,
  status = 200,
  headers: readonly HeaderField[] = [],
): AdminAnswer {
  return { status, headers, body: { kind: "json", value } };
}

export function created(value: unknown): AdminAnswer {
  return json(value, 201);
}

export function done(headers: readonly HeaderField[] = []): AdminAnswer {
  return { status: 204, headers, body: { kind: "empty" } };
}

export function bytes(contentType: string, body: Uint8Array): AdminAnswer {
  return { status: 200, headers: [], body: { kind: "bytes", bytes: body, contentType } };
}

export function redirect(location: string, headers: readonly HeaderField[] = []): AdminAnswer {
  return { status: 302, headers: [["Location", location], ...headers], body: { kind: "empty" } };
}
