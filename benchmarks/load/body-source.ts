// The bodies of a run: the first bytes of one stream that everybody can make anew, random enough
// that nothing could compress them.
import { seededBytes } from "../../test/support/seeded-bytes.ts";

const bodies = new Map<number, Buffer>();

/** The same `size` bytes each time, in every process; kept, and not to be changed. */
export function bodyOf(size: number): Buffer {
  const known = bodies.get(size) ?? seededBytes("benchmark", size);
  bodies.set(size, known);
  return known;
}
