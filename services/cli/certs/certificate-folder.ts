// The folder of certificates that `dolium certs` keeps: an authority, a certificate with its key
// for each node and role, one for the S3 port. What exists is never replaced but by renewal; each
// file is whole at every moment, and durable when a function returns. A key is written before its
// certificate, so that whatever was interrupted is completed by doing it again.
import type { X509Certificate } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import {
  IDENTITY_SCHEME,
  identityUri,
  isIdentityWord,
  PEER_ROLES,
} from "../../lib/base/peer-identity.ts";
import { identityOf, namesOf } from "../../lib/host/internal-tls.ts";
import { isSignedBy } from "../../lib/host/pem.ts";
import { UsageError } from "../command-line.ts";
import { makeFolderDurably, writeDurably } from "../durable-file.ts";
import { issue, makeAuthority, makeKey, type Wanted } from "./authority.ts";
import {
  AUTHORITY,
  certificateNames,
  crtPath,
  fits,
  keptKey,
  keyPath,
  PUBLIC_MODE,
  readAuthorities,
  readCertificate,
  signerOf,
} from "./folder-files.ts";

export const S3_NAME = "s3";
const AUTHORITY_DAYS = 3650;
const DAY_MS = 86_400_000;
/** Roles that serve nobody, and may share a certificate. */
const SHARED = ["gateway", "keeper", "admin"] as const;
/** A host name or address. */
const HOST = /^(?=.{1,253}$)[A-Za-z0-9:](?:[A-Za-z0-9.:-]*[A-Za-z0-9])?$/;

export interface FolderPlan {
  /** Name of the cluster; undefined: that of the authority which is there. */
  readonly cluster: string | undefined;
  /** "ROLE/NAME" of each node. */
  readonly nodes: readonly string[];
  /** Names of the S3 port; each also as *.NAME. */
  readonly hosts: readonly string[];
  readonly days: number;
}

/** Makes what is missing; returns the names of the certificates that were made. */
export async function completeFolder(folder: string, plan: FolderPlan): Promise<string[]> {
  const cluster = clusterOf(folder, plan.cluster);
  const wanted = plannedCertificates(cluster, plan);
  for (const name of wanted.keys()) checkAsPlanned(folder, name, wanted.get(name)?.names ?? []);
  makeFolderDurably(folder);
  const made: string[] = [];
  if (!existsSync(crtPath(folder, AUTHORITY))) {
    const own = await makeAuthority(await keptKey(folder, AUTHORITY), authorityOf(cluster));
    writeDurably(crtPath(folder, AUTHORITY), own, PUBLIC_MODE);
    made.push(AUTHORITY);
  }
  for (const [name, one] of wanted) {
    if (existsSync(crtPath(folder, name))) continue;
    await issueInto(folder, name, one);
    made.push(name);
  }
  return made;
}

export interface Renewal {
  readonly days: number;
  /** Only those that end within so many days. */
  readonly withinDays: number | undefined;
  /** Only these; empty: all. */
  readonly names: readonly string[];
  readonly newKeys: boolean;
}

/** Issues certificates anew, each with the names it has; returns which. */
export async function renewFolder(folder: string, renewal: Renewal): Promise<string[]> {
  const { days, withinDays, names, newKeys } = renewal;
  const present = certificateNames(folder);
  const unknown = names.find((name) => !present.includes(name));
  if (unknown !== undefined) throw new UsageError(`${folder} has no certificate ${unknown}`);
  const lastMs = withinDays === undefined ? undefined : Date.now() + withinDays * DAY_MS;
  const due = present.filter((name) => {
    const endsMs = readCertificate(folder, name).validToDate.getTime();
    const isMeant = names.length === 0 || names.includes(name);
    return isMeant && (lastMs === undefined || endsMs <= lastMs);
  });
  for (const name of due) {
    const former = readCertificate(folder, name);
    const wanted = { ...wantedOf(former, name), days };
    if (newKeys) writeDurably(keyPath(folder, name), await makeKey());
    await issueInto(folder, name, wanted);
  }
  return due;
}

export interface ShownCertificate {
  readonly name: string;
  readonly identity: string;
  readonly names: readonly string[];
  readonly ends: string;
  readonly days: number;
  /** Empty where all is well. */
  readonly problem: string;
}

/** Authorities first. */
export function showFolder(folder: string): ShownCertificate[] {
  const authorities = readAuthorities(folder);
  const nodes = certificateNames(folder).map((name) =>
    shownCertificate(name, readCertificate(folder, name), problemOf(folder, name, authorities)),
  );
  return [...authorities.map((x509) => shownCertificate(AUTHORITY, x509, "")), ...nodes];
}

function shownCertificate(name: string, x509: X509Certificate, problem: string): ShownCertificate {
  const names = namesOf(x509).map(plainName);
  return {
    name,
    identity: names.find((one) => one.startsWith(IDENTITY_SCHEME)) ?? "",
    names: names.filter((one) => !one.startsWith(IDENTITY_SCHEME)),
    ends: x509.validToDate.toISOString(),
    days: Math.floor((x509.validToDate.getTime() - Date.now()) / DAY_MS),
    problem,
  };
}

/** What an authority says of itself. */
export function authorityOf(cluster: string): Pick<Wanted, "subject" | "names" | "days"> {
  const names = [`${IDENTITY_SCHEME}${cluster}`];
  return { subject: `${cluster} authority`, names, days: AUTHORITY_DAYS };
}

/** The name of the cluster: that of the authority which is there, else the one given. */
export function clusterOf(folder: string, given: string | undefined): string {
  const start = `URI:${IDENTITY_SCHEME}`;
  const [kept] = existsSync(crtPath(folder, AUTHORITY)) ? readAuthorities(folder) : [];
  const own = kept === undefined ? undefined : namesOf(kept).find((name) => name.startsWith(start));
  const cluster = kept === undefined ? given : own?.slice(start.length);
  if (cluster === undefined) {
    const missing = kept === undefined;
    throw new UsageError(missing ? "--name CLUSTER is missing" : `${folder} has a foreign ca.crt`);
  }
  if (!isIdentityWord(cluster)) throw new UsageError(`a cluster cannot be called "${cluster}"`);
  if (given !== undefined && given !== cluster) {
    throw new UsageError(`${folder} belongs to cluster ${cluster}, not ${given}`);
  }
  return cluster;
}

/** By the names of their files. */
function plannedCertificates(cluster: string, plan: FolderPlan): Map<string, Wanted> {
  const { days } = plan;
  const wanted = new Map<string, Wanted>();
  for (const node of [...SHARED.map((role) => `${role}/${role}`), ...plan.nodes]) {
    const [roleText = "", name = "", ...rest] = node.split("/");
    const role = PEER_ROLES.find((candidate) => candidate === roleText);
    if (role === undefined || rest.length > 0 || !isIdentityWord(name)) {
      const roles = PEER_ROLES.join(", ");
      throw new UsageError(`--node wants ROLE/NAME, not "${node}"; roles are ${roles}`);
    }
    const isTaken = name.startsWith(AUTHORITY) || name === S3_NAME || wanted.has(name);
    if (isTaken) throw new UsageError(`--node ${node}: there is another certificate "${name}"`);
    const uri = identityUri({ cluster, role, name });
    const use = role === "metadata" || role === "storage" ? "both" : "client";
    wanted.set(name, { subject: name, names: [uri, name], use, days });
  }
  const [first] = plan.hosts;
  if (first !== undefined) {
    wanted.set(S3_NAME, { subject: first, names: s3Names(plan.hosts), use: "server", days });
  }
  return wanted;
}

/** Each host, and its buckets. */
function s3Names(hosts: readonly string[]): string[] {
  return hosts.flatMap((host) => {
    if (!HOST.test(host)) throw new UsageError(`"${host}" is no host name`);
    const isAddress = /^[0-9.]+$/.test(host) || host.includes(":");
    return isAddress ? [host] : [host, `*.${host}`];
  });
}

/** What exists must be what is asked for: silently keeping other names would surprise later. */
function checkAsPlanned(folder: string, name: string, names: readonly string[]): void {
  if (!existsSync(crtPath(folder, name))) return;
  const found = namesOf(readCertificate(folder, name)).map(plainName);
  const isSame = found.length === names.length && names.every((one) => found.includes(one));
  if (isSame) return;
  const path = crtPath(folder, name);
  throw new UsageError(`${path} has other names (${found.join(", ")}): remove it to make it anew`);
}

/** "DNS:host" to "host". */
function plainName(name: string): string {
  return name.replace(/^(?:DNS|IP Address|URI):/, "");
}

/** The same certificate again: names and use of the former one. */
function wantedOf(former: X509Certificate, name: string): Omit<Wanted, "days"> {
  const role = identityOf(former)?.role;
  const isServer = role === "metadata" || role === "storage";
  return {
    subject: former.subject.replace(/^CN=/, "") || name,
    names: namesOf(former).map(plainName),
    use: role === undefined ? "server" : isServer ? "both" : "client",
  };
}

async function issueInto(folder: string, name: string, wanted: Wanted): Promise<void> {
  const authority = signerOf(folder);
  const certificate = await issue(await keptKey(folder, name), wanted, authority);
  writeDurably(crtPath(folder, name), certificate, PUBLIC_MODE);
}

function problemOf(folder: string, name: string, authorities: readonly X509Certificate[]): string {
  const x509 = readCertificate(folder, name);
  if (!authorities.some((authority) => isSignedBy(x509, authority))) {
    return "no authority in ca.crt has signed it";
  }
  const path = keyPath(folder, name);
  if (!existsSync(path)) return "its key is not here";
  if (!fits(x509, readFileSync(path, "utf8"))) return "its key is another one";
  return x509.validToDate.getTime() <= Date.now() ? "it has ended" : "";
}
