// Ids of replicas: 48 bits, the upper 20 from the replica's name, the rest random. A replica that
// lost its disk draws a new one, and everybody can still tell from a group's membership alone which
// ids stand for the same name. Hashes of the names in one cluster must differ; the configuration is
// checked for it.
import { createHash } from "node:crypto";
import type { Random } from "../lib/ports/random.ts";

const RANDOM_BITS = 28;

/** 20 bits of a name. */
export function nameHash(name: string): number {
  return createHash("sha256").update(name, "utf8").digest().readUIntBE(0, 3) >>> 4;
}

/** A fresh id for the replica of that name, never 0. */
export function newReplicaId(name: string, random: Random): number {
  const low = 1 + random.below(2 ** RANDOM_BITS - 1);
  return nameHash(name) * 2 ** RANDOM_BITS + low;
}

/** True when the id was drawn by a replica of that name. */
export function isIdOf(replicaId: number, name: string): boolean {
  return Math.floor(replicaId / 2 ** RANDOM_BITS) === nameHash(name);
}
