// What an action answers, apart from the socket: status, headers and one of four kinds of body.
// Header values come from stored text, so they are written as the bytes they were received as (one
// a character).
import type { HeaderField } from "../lib/s3/headers.ts";

/** What work that took long came to; failures are told too, since the status is out by then. */
export type LateDocument =
  | { readonly kind: "done"; readonly text: string }
  | { readonly kind: "failed"; readonly thrown: unknown };

export type AnswerBody =
  | { readonly kind: "empty" }
  | { readonly kind: "xml"; readonly text: string }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  /** A document that is not known yet; white space is sent every so often until it is. */
  | {
      readonly kind: "late-xml";
      /** Never rejects. */
      readonly document: Promise<LateDocument>;
      readonly everyMs: number;
    }
  /** Exactly `size` bytes; `source` is not touched for HEAD. */
  | {
      readonly kind: "stream";
      readonly size: number;
      readonly source: AsyncIterable<Uint8Array>;
    };

export interface Answer {
  readonly status: number;
  readonly headers: readonly HeaderField[];
  readonly body: AnswerBody;
}

export function emptyAnswer(status: number, headers: readonly HeaderField[] = []): Answer {
  return { status, headers, body: { kind: "empty" } };
}

/** 200 with an XML document. */
export function xmlAnswer(text: string, headers: readonly HeaderField[] = []): Answer {
  return { status: 200, headers, body: { kind: "xml", text } };
}
