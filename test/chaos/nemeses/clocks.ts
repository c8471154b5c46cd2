// Harm to clocks: the wall clock of some processes steps by up to an hour and back, seen through
// libfaketime; their monotonic clock goes on.
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Nemesis, type NemesisKind, pickSome, type Scene } from "./nemesis.ts";

const LIBRARIES = [
  "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
  "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
];
const library = LIBRARIES.find((path) => existsSync(path));

export function clockFile(dataDir: string, name: string): string {
  return join(dataDir, `${name}.clock`);
}

/** Variables that put a process under a clock that can be stepped; none without the library. */
export function clockEnvironment(dataDir: string, name: string): Record<string, string> {
  if (library === undefined) return {};
  const path = clockFile(dataDir, name);
  writeFileSync(path, "+0\n");
  return {
    LD_PRELOAD: library,
    FAKETIME_TIMESTAMP_FILE: path,
    FAKETIME_CACHE_DURATION: "1",
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
    DONT_FAKE_MONOTONIC: "1",
    FAKETIME_DONT_RESET: "1",
  };
}

async function step({ cluster, random }: Scene): Promise<Nemesis> {
  const victims = pickSome(random, cluster.processes, 1 + Math.floor(random() * 4));
  const offsets = victims.map(() => Math.round((random() * 2 - 1) * 3600));
  const set = (offsetOf: (at: number) => number) => async (): Promise<void> => {
    victims.forEach((victim, at) => {
      const offset = offsetOf(at);
      const dataDir = join(victim.plan.dir, "..");
      writeFileSync(clockFile(dataDir, victim.name), `${offset < 0 ? "" : "+"}${offset}\n`);
    });
  };
  return {
    text: `clocks: ${victims.map(({ name }, at) => `${name} ${offsets[at]} s`).join(", ")}`,
    start: set((at) => offsets[at] ?? 0),
    stop: set(() => 0),
  };
}

export const CLOCK_NEMESES: readonly NemesisKind[] = [
  {
    name: "clock-step",
    missing: async () => (library === undefined ? "libfaketime is not installed" : undefined),
    lastsMs: [4000, 12_000],
    draw: step,
  },
];
