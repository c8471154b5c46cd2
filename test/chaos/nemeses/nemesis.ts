// One way to do harm: drawn from a seed for a running cluster, started, and made good again. What
// it does stays within what the cluster promises to bear when nothing else is broken.
import type { ChaosCluster } from "../chaos-cluster.ts";

export interface Scene {
  readonly cluster: ChaosCluster;
  readonly random: () => number;
}

export interface Nemesis {
  /** What it does to whom. */
  readonly text: string;
  /** Bits flipped so far, by those that flip some. */
  readonly flips?: () => number;
  start(): Promise<void>;
  /** Makes it good, also after a start that failed half way. */
  stop(): Promise<void>;
}

export interface NemesisKind {
  readonly name: string;
  /** Undefined when it can be used on this machine and this cluster, else why not. */
  missing(cluster: ChaosCluster): Promise<string | undefined>;
  /** It harms no shard: a brisk run goes on when all processes serve again. */
  readonly sparesShards?: boolean;
  /** How long it lasts, from ... to ... */
  readonly lastsMs: readonly [number, number];
  draw(scene: Scene): Promise<Nemesis>;
}

export function pick<T>(random: () => number, from: readonly T[]): T {
  const picked = from[Math.floor(random() * from.length)];
  if (picked === undefined) throw new Error("nothing to pick from");
  return picked;
}

/** `count` different ones. */
export function pickSome<T>(random: () => number, from: readonly T[], count: number): T[] {
  const left = [...from];
  const picked: T[] = [];
  while (picked.length < count && left.length > 0) {
    picked.push(...left.splice(Math.floor(random() * left.length), 1));
  }
  return picked;
}

export const nothingMissing = (): Promise<undefined> => Promise.resolve(undefined);
