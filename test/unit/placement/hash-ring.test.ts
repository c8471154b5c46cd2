// The ring: the same for everyone, evenly spread, and not to be steered by the choice of keys.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { AssertionFailure } from "../../../services/lib/base/assert.ts";
import { HashRing, RING_MEMBERS_MAX } from "../../../services/lib/placement/hash-ring.ts";
import { tally } from "./clusters.ts";

const RANGE = 1_000_003;
const ring = new HashRing(256);

test("two rings of the same count agree on every key", () => {
  const other = new HashRing(256);
  for (let index = 0; index < 2000; index += 1) {
    assert.equal(other.memberOf(`key ${index}`), ring.memberOf(`key ${index}`));
  }
});

test("golden look-ups: stored placement groups depend on them", () => {
  const keys = ["", "a", "00000000000000000000000000000000", "a key with spaces", "\u00e9"];
  assert.deepEqual(
    keys.map((key) => ring.memberOf(key)),
    [113, 7, 173, 100, 248],
  );
  assert.deepEqual(ring.membersFrom("a", 4), [7, 229, 192, 103]);
});

/** The package's key hash (a 24-bit PJW variant) and its scaling, written again as an oracle. */
function ringPosition(text: string): number {
  let value = 0;
  for (const character of text) {
    value = (value << 4) + character.charCodeAt(0);
    const overflow = value & 0xff000000;
    if (overflow !== 0) value = (value & ~overflow) ^ (overflow >>> 24);
  }
  return (value << 5) % RANGE;
}

test("look-ups agree with the definition: a point belongs to the first member that drew it", () => {
  const members = 24;
  const owners = new Map<number, number>();
  let collisions = 0;
  for (let member = 0; member < members; member += 1) {
    for (let drawn = 0, index = 0; drawn < 512; index += 1) {
      const digest = createHash("sha256").update(`${member}#${index}`).digest();
      const point = digest.readUIntBE(0, 6) % RANGE;
      if (owners.has(point)) collisions += 1;
      else drawn += owners.set(point, member).size > 0 ? 1 : 0;
    }
  }
  assert.ok(collisions > 20, "some draws collide");
  const points = [...owners.keys()].sort((a, b) => a - b);
  const small = new HashRing(members);
  for (let index = 0; index < 20_000; index += 1) {
    const position = ringPosition(createHash("sha256").update(`k${index}`).digest("hex"));
    const point = points[lowerBound(points, position) % points.length];
    assert.equal(small.memberOf(`k${index}`), owners.get(point ?? -1));
  }
});

/** The first index whose value is at least `wanted`; the length when there is none. */
function lowerBound(sorted: readonly number[], wanted: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? 0) < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

test("keys spread over all members, near-equal keys too", () => {
  const keys = Array.from({ length: 100_000 }, (_, index) => `a/prefix/that/is/long/${index}`);
  const counts = tally(keys.map((key) => ring.memberOf(key)));
  assert.equal(counts.size, 256);
  const average = keys.length / 256;
  for (const count of counts.values()) {
    assert.ok(count > average / 2 && count < average * 2, `${count} keys, ${average} on average`);
  }
});

test("keys that collide in the package's own hash do not collide here", () => {
  // PJW adds 16 times one character to the next: these pairs have the same value.
  const keys = Array.from({ length: 64 }, (_, bits) =>
    Array.from({ length: 6 }, (_unused, at) => ((bits >> at) & 1 ? "aq" : "ba")).join(""),
  );
  assert.ok(new Set(keys.map((key) => ring.memberOf(key))).size > 32);
});

test("membersFrom begins with the key's member and names each member once", () => {
  for (const key of ["x", "y", "z"]) {
    const all = ring.membersFrom(key, 1000);
    assert.equal(all[0], ring.memberOf(key));
    assert.equal(all.length, 256);
    assert.equal(new Set(all).size, 256);
    assert.deepEqual(ring.membersFrom(key, 8), all.slice(0, 8));
  }
});

test("a ring of one member gives it every key", () => {
  const one = new HashRing(1);
  assert.equal(one.memberOf("x"), 0);
  assert.deepEqual(one.membersFrom("x", 5), [0]);
});

test("refuses a ring without members or with too many", () => {
  assert.throws(() => new HashRing(0), AssertionFailure);
  assert.throws(() => new HashRing(1.5), AssertionFailure);
  assert.throws(() => new HashRing(RING_MEMBERS_MAX + 1), AssertionFailure);
  assert.throws(() => ring.membersFrom("x", 0), AssertionFailure);
});
