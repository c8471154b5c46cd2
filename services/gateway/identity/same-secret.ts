// Comparing secrets without telling by the time taken where they differ, or how long they are.
import { createHash, timingSafeEqual } from "node:crypto";

/** Whether two texts are the same. */
export function sameSecret(one: string, other: string): boolean {
  return timingSafeEqual(digestOf(one), digestOf(other));
}

/** Digests have one length, as timingSafeEqual needs. */
function digestOf(text: string): Uint8Array {
  return createHash("sha256").update(text, "utf8").digest();
}
