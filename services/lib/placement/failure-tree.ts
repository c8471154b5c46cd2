// The disks of a cluster as a tree of failure domains, and the spreading of shards over it: at
// every level as evenly as whole shards allow, so that losing any one domain, and any one node or
// disk inside it, costs as few shards as possible; who gets the odd shards is decided by weight.
import { assert, present } from "../base/assert.ts";
import { type DiskPlace, type FailureDomain, failureDomainOf } from "./cluster-map.ts";
import { type Item, orderOf, type Seed, seedOf, shareOut } from "./rendezvous.ts";

/** A domain, or a disk when `diskId` is given. */
export interface FailureUnit {
  readonly seed: Seed;
  /** Sum over the disks below, above 0. */
  readonly weight: number;
  readonly children: readonly FailureUnit[];
  readonly diskId: number | undefined;
}

/** A disk, and the one whose place it took, which may be itself. */
export interface SeatedPlace extends DiskPlace {
  readonly seat: DiskPlace;
}

/**
 * Units of the outermost level over `places` (of weight above 0, sorted), nested by `levels`, whose
 * last level must be "disk". A unit draws its shares under the name of its seat, so that one that
 * took another's place gets just what that one had.
 */
export function failureTree(
  places: readonly SeatedPlace[],
  levels: readonly FailureDomain[],
): FailureUnit[] {
  const level = present(levels[0], "level");
  const groups = new Map<string, SeatedPlace[]>();
  for (const place of places) {
    const name = failureDomainOf(place, level);
    const members = groups.get(name);
    if (members === undefined) groups.set(name, [place]);
    else members.push(place);
  }
  const named = seatNames(groups, level).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return named.map(([name, members]) => {
    const isDisk = level === "disk";
    assert(!isDisk || members.length === 1, "a disk stands alone");
    return {
      seed: seedOf(name),
      weight: members.reduce((sum, { disk }) => sum + disk.weight, 0),
      children: isDisk ? [] : failureTree(members, levels.slice(1)),
      diskId: isDisk ? members[0]?.disk.diskId : undefined,
    };
  });
}

/** The name that each unit draws under: its seat's if all in it agree and nobody else has it. */
function seatNames(
  groups: ReadonlyMap<string, readonly SeatedPlace[]>,
  level: FailureDomain,
): [string, readonly SeatedPlace[]][] {
  const taken = new Set(groups.keys());
  return [...groups.keys()].sort().map((own) => {
    const members = present(groups.get(own), "domain");
    const seats = new Set(members.map(({ seat }) => failureDomainOf(seat, level)));
    const [seat = own] = seats;
    if (seats.size > 1 || seat === own || taken.has(seat)) return [own, members];
    taken.add(seat);
    return [seat, members];
  });
}

/** The units that keep some disk when only those that `keep` accepts remain. */
export function pruneTree(
  units: readonly FailureUnit[],
  keep: (diskId: number) => boolean,
): FailureUnit[] {
  return units.flatMap((unit) => {
    if (unit.diskId !== undefined) return keep(unit.diskId) ? [unit] : [];
    const children = pruneTree(unit.children, keep);
    if (children.length === 0) return [];
    const weight = children.reduce((sum, child) => sum + child.weight, 0);
    return [{ ...unit, children, weight }];
  });
}

/**
 * Disks for every item: result[item] lists `count` disk ids, in an order that depends on the item
 * and the disks alone, so that a disk that leaves does not shuffle the others. A disk comes more
 * than once only where there are fewer disks than shares.
 */
export function spreadShards(
  items: readonly Item[],
  units: readonly FailureUnit[],
  balanced: boolean,
): number[][] {
  const placed: PlacedDisk[][] = items.map(() => []);
  spread({ items, indexes: [...items.keys()], balanced, placed }, units);
  return placed.map((disks) =>
    disks.sort((a, b) => a.order - b.order || a.diskId - b.diskId).map((disk) => disk.diskId),
  );
}

interface PlacedDisk {
  readonly diskId: number;
  readonly order: number;
}

interface Spreading {
  readonly items: readonly Item[];
  /** Positions of `items` in the result. */
  readonly indexes: readonly number[];
  readonly balanced: boolean;
  readonly placed: readonly PlacedDisk[][];
}

function spread(spreading: Spreading, units: readonly FailureUnit[]): void {
  const { items, indexes, balanced, placed } = spreading;
  const shares = shareOut(items, units, balanced);
  units.forEach((unit, column) => {
    const below: Item[] = [];
    const belowIndexes: number[] = [];
    items.forEach((item, row) => {
      const count = present(shares[row], "shares")[column] ?? 0;
      const index = present(indexes[row], "index");
      if (count === 0) return;
      below.push({ seed: item.seed, count });
      belowIndexes.push(index);
      if (unit.diskId === undefined) return;
      const entry = { diskId: unit.diskId, order: orderOf(item.seed, unit.seed) };
      for (let copy = 0; copy < count; copy += 1) present(placed[index], "place").push(entry);
    });
    if (unit.diskId === undefined && below.length > 0) {
      spread({ items: below, indexes: belowIndexes, balanced, placed }, unit.children);
    }
  });
}
