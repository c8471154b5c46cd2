// The files of a folder of certificates: NAME.crt with NAME.key, and the authorities in ca.crt.
import { createPrivateKey, X509Certificate } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { certificatesIn } from "../../lib/host/pem.ts";
import { UsageError } from "../command-line.ts";
import { writeDurably } from "../durable-file.ts";
import { type Authority, makeKey } from "./authority.ts";

export const AUTHORITY = "ca";
/** Certificates are for everybody to read. */
export const PUBLIC_MODE = 0o644;
const CERTIFICATE_SUFFIX = ".crt";

export function crtPath(folder: string, name: string): string {
  return join(folder, `${name}${CERTIFICATE_SUFFIX}`);
}

export function keyPath(folder: string, name: string): string {
  return join(folder, `${name}.key`);
}

/** Names of the certificates but those of authorities, in order. */
export function certificateNames(folder: string): string[] {
  return list(folder)
    .filter((file) => file.endsWith(CERTIFICATE_SUFFIX))
    .map((file) => file.slice(0, -CERTIFICATE_SUFFIX.length))
    .filter((name) => name !== AUTHORITY)
    .toSorted();
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (cause) {
    throw new UsageError(`${folder} cannot be read: ${String(cause)}`, { cause });
  }
}

/** The trusted authorities, in the order of the file. */
export function readAuthorities(folder: string): X509Certificate[] {
  const path = crtPath(folder, AUTHORITY);
  return certificatesIn(read(path), path);
}

export function readCertificate(folder: string, name: string): X509Certificate {
  const path = crtPath(folder, name);
  return new X509Certificate(certificatesIn(read(path), path)[0]?.raw ?? "");
}

/** The kept key of that name; made when there is none. */
export async function keptKey(folder: string, name: string): Promise<string> {
  const path = keyPath(folder, name);
  if (!existsSync(path)) writeDurably(path, await makeKey());
  return readFileSync(path, "utf8");
}

/** Whether the key belongs to the certificate. */
export function fits(x509: X509Certificate, key: string): boolean {
  return x509.checkPrivateKey(createPrivateKey(key));
}

/** The authority that signs: the one whose key is here. */
export function signerOf(folder: string): Authority {
  const path = keyPath(folder, AUTHORITY);
  if (!existsSync(path)) throw new UsageError(`${path} is not there: nothing can be signed`);
  const key = readFileSync(path, "utf8");
  const certificate = readAuthorities(folder).find((x509) => fits(x509, key));
  if (certificate === undefined) throw new UsageError(`${path} fits no authority in ca.crt`);
  return { certificate: certificate.toString(), key };
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new UsageError(`${path} cannot be read: ${String(cause)}`, { cause });
  }
}
