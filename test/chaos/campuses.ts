// Where processes stand: three campuses, either on plain loopback or each in a network namespace of
// its own with the relay in between. Namespaces, devices and mounts are made inside a private
// network, mount and process namespace (`main.ts` enters one), so they are gone when it ends,
// however it ends.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";

export const CAMPUSES = [1, 2, 3] as const;
export type Campus = (typeof CAMPUSES)[number];

/** One direction between two campuses; what is left out is none. */
export interface Link {
  readonly delayMs?: number;
  readonly jitterMs?: number;
  readonly loss?: number;
  readonly duplicate?: number;
  readonly cut?: boolean;
}

export interface Campuses {
  /** Whether links can be cut and slowed. */
  readonly hasLinks: boolean;
  /** The address that processes of a campus listen on, reached from every other and from here. */
  address(campus: Campus): string;
  /** The command that runs `command` at a campus. */
  at(campus: Campus, command: readonly string[]): readonly string[];
  setLink(from: Campus, to: Campus, link: Link): void;
  close(): Promise<void>;
}

export function loopbackCampuses(): Campuses {
  return {
    hasLinks: false,
    address: () => "127.0.0.1",
    at: (_campus, command) => command,
    setLink: () => {
      throw new Error("there are no links on loopback");
    },
    close: () => Promise.resolve(),
  };
}

const WAN_MTU = "9000";

function ip(...args: readonly string[]): void {
  execFileSync("ip", [...args], { stdio: "pipe" });
}

/**
 * Call inside private network and mount namespaces only. `rttMs`: of the way between any two
 * campuses and back, where nothing harms it.
 */
export async function namespaceCampuses(seed: number, rttMs = 0): Promise<Campuses> {
  execFileSync("mkdir", ["-p", "/run/netns"]);
  execFileSync("mount", ["-t", "tmpfs", "tmpfs", "/run/netns"], { stdio: "pipe" });
  ip("link", "set", "lo", "up");
  for (const campus of CAMPUSES) addNamespace(campus);
  const relay = await startRelay(seed);
  for (const campus of CAMPUSES) {
    ip("-n", nameOf(campus), "link", "set", "wan0", "mtu", WAN_MTU);
    ip("-n", nameOf(campus), "addr", "add", `10.98.${campus}.1/16`, "dev", "wan0");
    ip("-n", nameOf(campus), "link", "set", "wan0", "up");
  }
  const setLink = (from: Campus, to: Campus, link: Link): void => {
    relay.stdin?.write(`${JSON.stringify({ from, to, delayMs: rttMs / 2, ...link })}\n`);
  };
  for (const from of CAMPUSES) for (const to of CAMPUSES) if (from !== to) setLink(from, to, {});
  return {
    hasLinks: true,
    address: (campus) => `10.98.${campus}.1`,
    at: (campus, command) => ["ip", "netns", "exec", nameOf(campus), ...command],
    setLink,
    close: async () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      relay.once("exit", () => resolve());
      if (relay.exitCode !== null) resolve();
      relay.stdin?.end();
      await promise;
      for (const campus of CAMPUSES) ip("netns", "del", nameOf(campus));
    },
  };
}

function nameOf(campus: Campus): string {
  return `campus${campus}`;
}

/** With a wire of its own to this namespace, where the clients are. */
function addNamespace(campus: Campus): void {
  const name = nameOf(campus);
  ip("netns", "add", name);
  ip("-n", name, "link", "set", "lo", "up");
  ip("link", "add", `near${campus}`, "type", "veth", "peer", "name", "clients", "netns", name);
  ip("addr", "add", `10.99.${campus}.1/24`, "dev", `near${campus}`);
  ip("link", "set", `near${campus}`, "up");
  ip("-n", name, "addr", "add", `10.99.${campus}.2/24`, "dev", "clients");
  ip("-n", name, "link", "set", "clients", "up");
  ip("route", "add", `10.98.${campus}.0/24`, "via", `10.99.${campus}.2`);
}

async function startRelay(seed: number): Promise<ChildProcess> {
  const pairs = CAMPUSES.map((campus) => `${nameOf(campus)}=${campus}`);
  const script = join(import.meta.dirname, "relay.py");
  const relay = spawn("python3", [script, String(seed), ...pairs], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  createInterface({ input: relay.stdout }).once("line", () => resolve());
  relay.once("error", reject);
  relay.once("exit", (code) => reject(new Error(`the relay ended with ${code}`)));
  await promise;
  return relay;
}
