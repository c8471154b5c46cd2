// How commands on this machine reach the ports of a local cluster: by which scheme and name, and
// with which certificate trusted. Only certificates that the operator gave the cluster, or that
// AWS_CA_BUNDLE names, are trusted besides the machine's own authorities.
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import tls from "node:tls";
import { UsageError } from "../command-line.ts";
import type { ClusterPlan } from "./cluster-file.ts";

type Served = Pick<ClusterPlan, "certificateFile">;

/** "http://127.0.0.1:9000"; with TLS the name of this machine that the certificate covers. */
export function localUrl({ certificateFile = "" }: Served, port: number): string {
  if (certificateFile === "") return `http://127.0.0.1:${port}`;
  return `https://${localName(certificateText(certificateFile))}:${port}`;
}

function localName(pem: string): string {
  const certificate = new X509Certificate(pem);
  const isByAddress = certificate.checkIP("127.0.0.1") !== undefined;
  const isByName = certificate.checkHost("localhost") !== undefined;
  return isByAddress || !isByName ? "127.0.0.1" : "localhost";
}

/** Every gateway of a local cluster, as S3 clients on this machine reach it. */
export function localGateways(plan: ClusterPlan): string[] {
  const gateways = plan.processes.filter(({ role }) => role === "gateway");
  const ports = gateways.map(({ s3Port }) => s3Port).filter((port) => port > 0);
  if (ports.length === 0 && plan.s3Port !== undefined) ports.push(plan.s3Port);
  return ports.map((port) => localUrl(plan, port));
}

/**
 * From now on this process trusts the certificates of these files too, for every connection. A
 * file that is "" or undefined is none. Throws UsageError for one that cannot be used.
 */
export function trustFiles(...files: readonly (string | undefined)[]): void {
  const texts = files.flatMap((file = "") => (file === "" ? [] : certificatesOf(file)));
  if (texts.length === 0) return;
  tls.setDefaultCACertificates([...tls.getCACertificates("default"), ...texts]);
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/** A chain, or authorities one after the other. */
function certificatesOf(file: string): string[] {
  return certificateText(file).match(CERTIFICATE) ?? [];
}

function certificateText(file: string): string {
  try {
    const text = readFileSync(file, "utf8");
    // Throws for what is no certificate.
    new X509Certificate(text);
    return text;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError(`the certificates in ${file} cannot be used: ${reason}`, { cause });
  }
}
