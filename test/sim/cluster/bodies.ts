// Bodies that say what they are: the first line names the writing and its length, the rest follows
// from it. Wrong bytes, halves of two bodies and short ones are told apart without keeping any.
import { seededBytes } from "../../support/seeded-bytes.ts";

export interface BodyName {
  readonly id: string;
  readonly size: number;
}

export function makeBody({ id, size }: BodyName): Buffer {
  const head = Buffer.from(`${id} ${size}\n`);
  if (size <= head.byteLength) return head.subarray(0, size);
  return Buffer.concat([head, seededBytes(id, size - head.byteLength)]);
}

/** Undefined when `received` is that body, or the part of it from `offset` on. */
export function wrongBody(
  body: BodyName,
  received: Uint8Array,
  range: { readonly offset: number; readonly length: number } = { offset: 0, length: body.size },
): string | undefined {
  const expected = makeBody(body).subarray(range.offset, range.offset + range.length);
  if (expected.equals(received)) return undefined;
  const first = expected.findIndex((byte, at) => byte !== received[at]);
  return (
    `body ${body.id} of ${body.size} bytes: got ${received.byteLength} of ` +
    `${expected.byteLength}, first difference at ${range.offset + first}`
  );
}
