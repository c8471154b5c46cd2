// Which cases a run has, unless --only names others: all sizes from one connection to many, and for
// --quick the few that say most.
import { BenchError } from "./bench-error.ts";
import { type Case, type Mode, parseCase } from "./contract.ts";

const QUICK: Readonly<Record<Mode, readonly string[]>> = {
  server: [
    "put-64MiB-c1",
    "get-64MiB-c1",
    "put-4KiB-c32",
    "get-4KiB-c32",
    "put-4KiB-c1",
    "get-4KiB-c1",
    "head-4KiB-c1",
    "list-4KiB-c1",
    "delete-4KiB-c8",
  ],
  cluster: ["put-64MiB-c1", "get-64MiB-c1", "put-4KiB-c32"],
  endpoint: ["put-64MiB-c1", "get-64MiB-c1", "put-4KiB-c32", "get-4KiB-c32", "list-4KiB-c1"],
};

const LARGE = ["put-64MiB", "get-64MiB"].flatMap((name) => [1, 4].map((c) => `${name}-c${c}`));
const MIDDLE = ["put-64KiB", "get-64KiB", "put-1MiB", "get-1MiB"].flatMap((name) =>
  [1, 8, 32].map((c) => `${name}-c${c}`),
);
const SMALL = ["put-4KiB", "get-4KiB"].flatMap((name) =>
  [1, 4, 16, 32, 64].map((c) => `${name}-c${c}`),
);
const NAMES = ["head", "list"].flatMap((name) => [1, 32].map((c) => `${name}-4KiB-c${c}`));
const OTHERS = ["multipart-64MiB-c1", "mixed-64KiB-c16", "put-4KiB-c32-open", "get-4KiB-c32-open"];
const FULL = [...LARGE, ...MIDDLE, ...SMALL, ...NAMES, "delete-4KiB-c8", ...OTHERS];

/** Nodes can only be taken away where there are several. */
const DEGRADED = ["get-64MiB-c1-degraded"];

export function casesOf(mode: Mode, isQuick: boolean): Case[] {
  if (isQuick) return QUICK[mode].map(named);
  return (mode === "cluster" ? [...FULL, ...DEGRADED] : FULL).map(named);
}

/** Throws BenchError for a name that is none. */
export function named(name: string): Case {
  const found = parseCase(name);
  if (found !== undefined) return found;
  throw new BenchError(
    `"${name}" names no case: put|get|head|delete|list|multipart|mixed-SIZE-cCONNECTIONS[-open|-degraded]`,
  );
}
