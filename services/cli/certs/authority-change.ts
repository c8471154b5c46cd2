// One authority after another, in three steps with the new files carried to every node in between:
// both are trusted, the new one signs, the former one is dropped. At no step are there two nodes
// that do not accept each other, whichever of them has the new files already.
import { X509Certificate } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isSignedBy } from "../../lib/host/pem.ts";
import { UsageError } from "../command-line.ts";
import { moveDurably, writeDurably } from "../durable-file.ts";
import { makeAuthority, makeKey } from "./authority.ts";
import { authorityOf, clusterOf, renewFolder } from "./certificate-folder.ts";
import {
  AUTHORITY,
  certificateNames,
  crtPath,
  fits,
  keyPath,
  PUBLIC_MODE,
  readAuthorities,
  readCertificate,
  signerOf,
} from "./folder-files.ts";

const NEXT_KEY = "ca-next.key";

/** A second authority, trusted beside the first, that signs nothing yet. */
export async function addAuthority(folder: string): Promise<void> {
  const authorities = readAuthorities(folder);
  const path = join(folder, NEXT_KEY);
  if (!existsSync(path)) {
    if (authorities.length > 1) {
      throw new UsageError(`${folder} trusts two authorities already: use, then drop`);
    }
    writeDurably(path, await makeKey());
  }
  const key = readFileSync(path, "utf8");
  if (authorities.some((x509) => fits(x509, key))) return;
  const next = await makeAuthority(key, authorityOf(clusterOf(folder, undefined)));
  const texts = [...authorities.map((x509) => x509.toString()), next];
  writeDurably(crtPath(folder, AUTHORITY), texts.join(""), PUBLIC_MODE);
}

/** From now on the new authority signs, and every certificate is issued anew; returns which. */
export async function useAuthority(folder: string, days: number): Promise<string[]> {
  const path = join(folder, NEXT_KEY);
  if (existsSync(path)) {
    const key = readFileSync(path, "utf8");
    if (!readAuthorities(folder).some((x509) => fits(x509, key))) {
      throw new UsageError(`${folder} does not trust the new authority yet: add it first`);
    }
    moveDurably(path, keyPath(folder, AUTHORITY));
  } else if (readAuthorities(folder).length < 2) {
    throw new UsageError(`${folder} has no new authority: add one first`);
  }
  return renewFolder(folder, { days, withinDays: undefined, names: [], newKeys: false });
}

/** Only the authority that signs is trusted from now on. */
export function dropAuthorities(folder: string): void {
  const { certificate } = signerOf(folder);
  const signer = new X509Certificate(certificate);
  const foreign = certificateNames(folder).find(
    (name) => !isSignedBy(readCertificate(folder, name), signer),
  );
  if (existsSync(join(folder, NEXT_KEY)) || foreign !== undefined) {
    throw new UsageError("the new authority is not in use yet: use it first");
  }
  writeDurably(crtPath(folder, AUTHORITY), certificate, PUBLIC_MODE);
}
