// Types of the npm package `consistent-hash` 1.2.2, which ships none: only what hash-ring.ts uses.
declare module "consistent-hash" {
  interface RingOptions {
    /** Size of the ring; control points lie in [0, range). */
    readonly range?: number;
  }

  class ConsistentHash<Member> {
    constructor(options?: RingOptions);
    /** Adds `member` at the given control points; `count` is ignored when points are given. */
    add(member: Member, count: number, points: readonly number[]): this;
    /** The first member at or after `name`; null on an empty ring. */
    get(name: string): Member | null;
    /** The first `count` different members at or after `name`, in order. */
    get(name: string, count: number): Member[] | null;
  }

  export = ConsistentHash;
}
