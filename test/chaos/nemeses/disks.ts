// Harm to disks: full, rotten, failing and slow to sync. Rot begins only where every shard is in
// its place, and in one node at a time; nobody is told of it.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import {
  closeSync,
  existsSync,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statfsSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { eventually } from "../../support/eventually.ts";
import { missing as missingProgram } from "../../support/run-command.ts";
import type { ChaosProcess } from "../chaos-process.ts";
import { type Nemesis, type NemesisKind, nothingMissing, pick, type Scene } from "./nemesis.ts";

/** The node whose disk is a small file system (`main.ts` mounts it). */
export const SMALL_DISK_NODE = "storage-2";
const READY_MS = 400_000;
const WHOLE_MS = 400_000;

async function fill({ cluster }: Scene): Promise<Nemesis> {
  const disk = join(cluster.process(SMALL_DISK_NODE).plan.dir, "disk");
  const ballast = join(disk, "ballast");
  return {
    text: `fill the disk of ${SMALL_DISK_NODE}`,
    start: async () => {
      const usage = statfsSync(disk);
      const bytes = Math.max(0, usage.bavail * usage.bsize - 512 * 1024);
      execFileSync("fallocate", ["-l", String(bytes), ballast], { stdio: "pipe" });
    },
    stop: async () => rmSync(ballast, { force: true }),
  };
}

function filesUnder(folder: string, matches: RegExp): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => matches.test(path));
}

/** Flips one bit at each of `count` places of the given files. */
function flip(random: () => number, paths: readonly string[], count: number): number {
  let flipped = 0;
  for (let time = 0; time < count; time += 1) {
    const file = openSync(pick(random, paths), "r+");
    try {
      const { size } = fstatSync(file);
      if (size === 0) continue;
      const offset = Math.floor(random() * size);
      const byte = Buffer.alloc(1);
      readSync(file, byte, 0, 1, offset);
      byte[0] = (byte[0] ?? 0) ^ (1 << Math.floor(random() * 8));
      writeSync(file, byte, 0, 1, offset);
      flipped += 1;
    } finally {
      closeSync(file);
    }
  }
  return flipped;
}

/** `matches`: files below the disk's folder of a node that goes on running. */
async function rotNode(
  { cluster, random }: Scene,
  what: { readonly text: string; readonly matches: RegExp; readonly most: number },
): Promise<Nemesis> {
  const victim = pick(random, cluster.byRole("storage"));
  const count = 5 + Math.floor(random() * what.most);
  let flips = 0;
  return {
    text: `flip ${count} bits in ${what.text} of ${victim.name}`,
    flips: () => flips,
    start: async () => {
      await cluster.untilWhole(WHOLE_MS);
      const files = filesUnder(join(victim.plan.dir, "disk"), what.matches);
      if (files.length > 0) flips += flip(random, files, count);
    },
    // Two scrubs that began after the flips have passed: whatever was hit is known and queued.
    stop: async () => {
      const before = await scrubs(cluster, victim.name);
      await eventually("two scrubs", READY_MS, async () =>
        (await scrubs(cluster, victim.name)) >= before + 2 ? true : undefined,
      );
    },
  };
}

async function scrubs(cluster: Scene["cluster"], name: string): Promise<number> {
  const { nodes } = await cluster.status();
  const node = nodes.find((candidate) => candidate.name === name);
  if (node?.disks === undefined) throw new Error(`no disks of ${name} are known`);
  return Math.min(...node.disks.map(({ scrubPasses }) => scrubPasses));
}

/** A replica that is killed finds its files rotten when it starts again. */
async function rotReplica({ cluster, random }: Scene): Promise<Nemesis> {
  const victim = pick(random, cluster.byRole("metadata"));
  const count = 1 + Math.floor(random() * 8);
  let flips = 0;
  return {
    flips: () => flips,
    text: `kill -9 ${victim.name} and flip ${count} bits in its log and state`,
    start: async () => {
      await cluster.untilWhole(WHOLE_MS);
      await victim.kill();
      const files = filesUnder(join(victim.plan.dir, "data"), /\.(ldb|log|sst)$|log\/|state\//);
      if (files.length > 0) flips += flip(random, files, count);
    },
    stop: async () => {
      victim.start();
      await victim.untilReady(READY_MS);
    },
  };
}

/** strace on a running process; it lets go when it is asked to end. */
class Tracer {
  #child: ChildProcess | undefined;

  async attach(victim: ChaosProcess, inject: string): Promise<void> {
    const { pid } = victim;
    if (pid === undefined) throw new Error(`${victim.name} is down`);
    const calls = inject.slice(0, inject.indexOf(":"));
    const args = ["-f", "-qq", "-o", "/dev/null", "-e", `trace=${calls}`, "-e", `inject=${inject}`];
    this.#child = spawn("strace", [...args, "-p", String(pid)], { stdio: "ignore" });
    await eventually("strace is attached", 60_000, async () =>
      !existsSync(`/proc/${pid}/status`) ||
      !readFileSync(`/proc/${pid}/status`, "utf8").includes("TracerPid:\t0\n")
        ? true
        : undefined,
    );
  }

  async detach(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    child.once("exit", () => resolve());
    child.kill("SIGINT");
    const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
    await promise;
    clearTimeout(timer);
  }
}

/** `inject`: calls and what happens to them, as strace has it. */
export function traced(
  victim: ChaosProcess,
  what: { readonly text: string; readonly inject: string },
): Nemesis {
  const tracer = new Tracer();
  return {
    text: `${what.text} of ${victim.name}`,
    start: () => tracer.attach(victim, what.inject),
    stop: () => tracer.detach(),
  };
}

async function withDisk({ cluster, random }: Scene): Promise<ChaosProcess> {
  return pick(random, [...cluster.byRole("storage"), ...cluster.byRole("metadata")]);
}

const strace = (): Promise<string | undefined> => missingProgram("strace", ["-V"]);

export const DISK_NEMESES: readonly NemesisKind[] = [
  {
    name: "full-disk",
    missing: async (cluster) =>
      cluster.campuses.hasLinks ? undefined : "no small disk outside a mount namespace",
    lastsMs: [4000, 12_000],
    draw: fill,
  },
  {
    name: "rot-shards",
    missing: nothingMissing,
    lastsMs: [0, 2000],
    draw: (scene) =>
      rotNode(scene, { text: "segments", matches: /segments?\/.*|\.seg/, most: 400 }),
  },
  {
    name: "rot-index",
    missing: nothingMissing,
    lastsMs: [0, 2000],
    draw: (scene) => rotNode(scene, { text: "the index", matches: /\/index-\d+\//, most: 40 }),
  },
  { name: "rot-replica", missing: nothingMissing, lastsMs: [0, 3000], draw: rotReplica },
  {
    name: "fsync-fails",
    missing: strace,
    lastsMs: [2000, 6000],
    draw: async (scene) =>
      traced(await withDisk(scene), {
        text: "syncs fail",
        inject: "fdatasync,fsync:error=EIO:when=2+5",
      }),
  },
  {
    name: "slow-disk",
    missing: strace,
    lastsMs: [4000, 12_000],
    draw: async (scene) =>
      traced(await withDisk(scene), {
        text: "slow syncs",
        inject: "fdatasync,fsync:delay_enter=300000",
      }),
  },
];

/** A small file system for the disk that will be full; only in a private mount namespace. */
export function mountSmallDisk(folder: string): void {
  execFileSync("mkdir", ["-p", folder]);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=600m", "tmpfs", folder], { stdio: "pipe" });
  writeFileSync(join(folder, "..", "small-disk"), "a tmpfs of 600 MiB\n");
}
