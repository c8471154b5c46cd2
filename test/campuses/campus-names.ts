// The names that clients use, served by dnsmasq inside a private network and mount namespace: one
// that leads to the gateways of all campuses in turn, and one for each campus. Gone with the
// namespace.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { lookup } from "node:dns/promises";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { CAMPUSES, type Campus, type Campuses } from "../chaos/campuses.ts";
import { eventually } from "../support/eventually.ts";

export const GLOBAL_NAME = "rgw.campuses.test";
const PATIENCE_MS = 60_000;

export function campusHost(campus: Campus): string {
  return `rgw-${campus}.campuses.test`;
}

/** Call inside private network and mount namespaces only: /etc/resolv.conf is covered there. */
export async function serveNames(folder: string, campuses: Campuses): Promise<ChildProcess> {
  const hosts = join(folder, "hosts");
  const resolver = join(folder, "resolv.conf");
  const records = CAMPUSES.flatMap((campus) => [
    `${campuses.address(campus)} ${GLOBAL_NAME}`,
    `${campuses.address(campus)} ${campusHost(campus)}`,
  ]);
  writeFileSync(hosts, `${records.join("\n")}\n`);
  writeFileSync(resolver, "nameserver 127.0.0.1\noptions timeout:2\n");
  execFileSync("mount", ["--bind", resolver, "/etc/resolv.conf"], { stdio: "pipe" });
  const served = spawn(
    "dnsmasq",
    [
      ...["--keep-in-foreground", "--no-resolv", "--no-hosts", "--pid-file=", "--user=root"],
      ...["--conf-file=/dev/null", "--listen-address=127.0.0.1", "--bind-interfaces"],
      ...[`--addn-hosts=${hosts}`, "--local-ttl=0", "--local=/campuses.test/"],
    ],
    { stdio: ["ignore", "ignore", "inherit"] },
  );
  await eventually("names are served", PATIENCE_MS, async () => addressesOf(GLOBAL_NAME));
  return served;
}

/** IPv4 addresses, in the order that programs here get them. */
export async function addressesOf(name: string): Promise<string[]> {
  const found = await lookup(name, { all: true, family: 4, order: "verbatim" });
  return found.map(({ address }) => address);
}

/** Whether clients reach the campus; a cut wire swallows packets, as far networks do. */
export function setWire(campus: Campus, state: "up" | "down"): void {
  const wire = `near${campus}`;
  // Half a second of silence, not three, until this end says that nobody is there.
  writeFileSync(`/proc/sys/net/ipv4/neigh/${wire}/retrans_time_ms`, "200");
  const link = ["link", "set", "clients", state];
  execFileSync("ip", ["-n", `campus${campus}`, ...link], { stdio: "pipe" });
  execFileSync("ip", ["neigh", "flush", "dev", wire], { stdio: "pipe" });
}
