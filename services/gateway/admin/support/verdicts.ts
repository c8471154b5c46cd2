// What the facts of a cluster mean to whoever looks for what is wrong: for each thing that was
// looked at a verdict, a finding and what to do. Pure: facts in, checks out.

import type { GroupView, NodeView } from "../../../lib/clients/cluster-status.ts";
import type { ClusterStatusResponse } from "../../../lib/gen/dolium/cluster/v1/cluster_pb.ts";
import type { CertificateEnd } from "../admin-dependencies.ts";

export interface Check {
  readonly name: string;
  /** The verdict is "ok". */
  readonly ok: boolean;
  /** `warn`: it works, but somebody should look; `fail`: it does not work, or soon will not. */
  readonly verdict: "ok" | "warn" | "fail";
  readonly finding: string;
  /** What to do about it; empty where all is well. */
  readonly advice: string;
}

/** SigV4 refuses requests that are off by more. */
export const CLOCK_FAIL_MS = 15 * 60_000;
export const CLOCK_WARN_MS = 1000;
const DAY_MS = 86_400_000;
const CERTIFICATE_WARN_DAYS = 21;
const CERTIFICATE_FAIL_DAYS = 7;
const FREE_WARN = 0.1;
const FREE_FAIL = 0.02;

export function fine(name: string, finding: string): Check {
  return { name, ok: true, verdict: "ok", finding, advice: "" };
}

export function bad(
  name: string,
  verdict: "warn" | "fail",
  said: { readonly finding: string; readonly advice: string },
): Check {
  return { name, ok: false, verdict, ...said };
}

export type ProcessClock = Pick<
  ClusterStatusResponse["processes"][number],
  "role" | "name" | "clockOffsetMs"
>;

/** `ownOffsetMs`: of this gateway's clock from that of the root group's leader. */
export function clockChecks(processes: readonly ProcessClock[], ownOffsetMs: number): Check[] {
  const offsets = processes.map(({ role, name, clockOffsetMs }) => ({
    who: name === role ? role : `${role} ${name}`,
    offsetMs: Number(clockOffsetMs),
  }));
  const all = [...offsets, { who: "this gateway", offsetMs: ownOffsetMs }];
  const wrong = all.filter(({ offsetMs }) => Math.abs(offsetMs) > CLOCK_WARN_MS);
  if (wrong.length > 0) {
    return wrong.map(({ who, offsetMs }) => {
      const verdict = Math.abs(offsetMs) > CLOCK_FAIL_MS ? "fail" : "warn";
      const way = offsetMs > 0 ? "ahead of" : "behind";
      const seconds = (Math.abs(offsetMs) / 1000).toFixed(1);
      const finding = `the clock of ${who} is ${seconds} s ${way} the metadata leader's`;
      return bad("clocks", verdict, { finding, advice: "set it by NTP; time zones do not matter" });
    });
  }
  const worst = Math.max(0, ...all.map(({ offsetMs }) => Math.abs(offsetMs)));
  return [fine("clocks", `${all.length} clocks agree within ${worst} ms`)];
}

const VERSION = /^([0-9]+)\.([0-9]+)\./;

/** One release apart is how a cluster is upgraded; more is not. */
export function versionCheck(versions: readonly string[]): Check {
  const different = [...new Set(versions.filter((version) => version !== ""))].sort();
  const [only] = different;
  if (different.length <= 1) return fine("versions", `all run ${only ?? "a release unknown"}`);
  const releases = different.map((version) => VERSION.exec(version));
  const majors = new Set(releases.map((match) => match?.[1]));
  const minors = releases.map((match) => Number(match?.[2] ?? Number.NaN));
  const spread = Math.max(...minors) - Math.min(...minors);
  const isNear = majors.size === 1 && !majors.has(undefined) && spread <= 1;
  const finding = `several releases run: ${different.join(", ")}`;
  return isNear
    ? bad("versions", "warn", { finding, advice: "finish the upgrade of every process" })
    : bad("versions", "fail", {
        finding,
        advice: "releases may be one apart only: upgrade in steps",
      });
}

export function diskChecks(nodes: readonly NodeView[]): Check[] {
  const disks = nodes.flatMap(({ name, state, disks: own = [] }) =>
    state === "out" ? [] : own.map((disk) => ({ ...disk, node: name })),
  );
  const wrong = disks.flatMap(({ node, diskId, state, sizeBytes, freeBytes }): Check[] => {
    const name = `disk ${diskId} of ${node}`;
    if (state === "failed") {
      const advice = `see the log of ${node}; \`dolium node retry-disk ${diskId}\`, else replace it`;
      return [bad("disks", "fail", { finding: `${name} has failed`, advice })];
    }
    if (state === "readonly") {
      const advice = `see the log of ${node}: it is full, or its file system refuses writes`;
      return [bad("disks", "warn", { finding: `${name} takes no more writes`, advice })];
    }
    if (state === "out") return [];
    if (sizeBytes === 0 || freeBytes >= sizeBytes * FREE_WARN) return [];
    const percent = ((freeBytes / sizeBytes) * 100).toFixed(1);
    const verdict = freeBytes < sizeBytes * FREE_FAIL ? "fail" : "warn";
    const advice = "add disks or nodes, or delete";
    return [bad("disks", verdict, { finding: `${name} has ${percent} % free`, advice })];
  });
  if (disks.length === 0) {
    const advice = "start storage nodes";
    return [bad("disks", "fail", { finding: "no storage node has a disk", advice })];
  }
  return wrong.length > 0 ? wrong : [fine("disks", `${disks.length} disks work and have room`)];
}

/** A group needs most of its voters; one that just has them bears no further loss. */
export function quorumChecks(groups: readonly GroupView[], silent: readonly string[]): Check[] {
  const checks = groups.flatMap(({ groupId, leader, replicas }): Check[] => {
    const serving = replicas.filter(({ role, state }) => role === "voter" && state === "serving");
    if (leader !== "" && serving.length > 0) return [];
    const finding = `group ${groupId} has no leader: nothing in it can be read or written`;
    return [bad("metadata", "fail", { finding, advice: "start the replicas that do not answer" })];
  });
  const missing = silent.map((name) =>
    bad("metadata", "warn", {
      finding: `the metadata replica ${name} does not answer`,
      advice: "start it, or look at its log and its network",
    }),
  );
  if (groups.length === 0) {
    const advice = "start the metadata replicas";
    return [bad("metadata", "fail", { finding: "no group is known", advice }), ...missing];
  }
  if (checks.length + missing.length > 0) return [...checks, ...missing];
  return [fine("metadata", `${groups.length} groups have a leader and every replica answers`)];
}

/** Of this gateway, and of the services it speaks to; none: there is no TLS. */
export function certificateChecks(ends: readonly CertificateEnd[], nowMs: number): Check[] {
  const name = "certificates";
  const late = ends.filter(({ endsMs }) => endsMs - nowMs < CERTIFICATE_WARN_DAYS * DAY_MS);
  if (late.length > 0) {
    return late.map((one) => {
      const days = Math.floor((one.endsMs - nowMs) / DAY_MS);
      const how = days < 0 ? "has ended" : `ends in ${days} days`;
      const verdict = days < CERTIFICATE_FAIL_DAYS ? "fail" : "warn";
      const advice = "renew it (dolium certs renew); services read new files by themselves";
      return bad(name, verdict, { finding: `the certificate of ${one.name} ${how}`, advice });
    });
  }
  if (ends.length === 0) return [fine(name, "no TLS between the services")];
  const first = Math.floor((Math.min(...ends.map(({ endsMs }) => endsMs)) - nowMs) / DAY_MS);
  return [fine(name, `${ends.length} certificates are good for ${first} days or more`)];
}
