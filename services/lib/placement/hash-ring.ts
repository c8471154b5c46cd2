// A consistent-hash ring that every process builds alike, over the npm package `consistent-hash`.
// The package alone is not safe: its default points are random, its even distribution depends on
// the order of adding, a member cannot be removed and added again, and users can make its 24-bit
// key hash collide. So a ring is built once from sorted members, at points taken from SHA-256, and
// keys are hashed before the look-up.
import { hash } from "node:crypto";
import ConsistentHash from "consistent-hash";
import { assert, present } from "../base/assert.ts";

/** A prime near a million, which the package spreads its key hashes over best. */
const RANGE = 1_000_003;
/** Points of all members together: making them takes about 35 ms. */
const POINTS_TARGET = 16_384;
const POINTS_PER_MEMBER_MIN = 16;
const POINTS_PER_MEMBER_MAX = 512;
export const RING_MEMBERS_MAX = 16_384;

/**
 * Maps keys to members 0..memberCount-1. Immutable; the same for the same count, everywhere and
 * always.
 */
export class HashRing {
  readonly memberCount: number;
  readonly #ring: ConsistentHash<number>;

  constructor(memberCount: number) {
    assert(Number.isInteger(memberCount) && memberCount >= 1, "HashRing: no members");
    assert(memberCount <= RING_MEMBERS_MAX, "HashRing: too many members");
    this.memberCount = memberCount;
    this.#ring = new ConsistentHash<number>({ range: RANGE });
    const taken = new Set<number>();
    for (let member = 0; member < memberCount; member += 1) {
      const points = pointsOf(member, pointsPerMember(memberCount), taken);
      this.#ring.add(member, points.length, points);
    }
  }

  /** The member a key belongs to. `key` is any text; it is hashed here. */
  memberOf(key: string): number {
    return present(this.#ring.get(ringKey(key)), "ring member");
  }

  /**
   * The first `count` different members from the key on, in ring order; all when `count` is large.
   */
  membersFrom(key: string, count: number): readonly number[] {
    assert(count >= 1, "membersFrom: count below 1");
    return present(this.#ring.get(ringKey(key), Math.min(count, this.memberCount)), "members");
  }
}

/** The package's own hash is short and weak; fed with SHA-256 it cannot be aimed. */
function ringKey(key: string): string {
  return hash("sha256", key, "hex");
}

function pointsPerMember(memberCount: number): number {
  const even = Math.round(POINTS_TARGET / memberCount);
  return Math.min(POINTS_PER_MEMBER_MAX, Math.max(POINTS_PER_MEMBER_MIN, even));
}

/** Points SHA-256(member#i) mod RANGE that no earlier member has taken; adds them to `taken`. */
function pointsOf(member: number, count: number, taken: Set<number>): number[] {
  const points: number[] = [];
  for (let index = 0; points.length < count; index += 1) {
    const digest = hash("sha256", `${member}#${index}`, "buffer");
    const point = digest.readUIntBE(0, 6) % RANGE;
    if (taken.has(point)) continue;
    taken.add(point);
    points.push(point);
  }
  return points;
}
