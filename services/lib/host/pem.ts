// Certificates in PEM files, which hold one or several after each other and may have text between.
import { X509Certificate } from "node:crypto";
import { StoreError } from "../base/errors.ts";

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/** At least one. Throws StoreError "invalid", which names `path`. */
export function certificatesIn(text: string, path: string): X509Certificate[] {
  try {
    const found = (text.match(CERTIFICATE) ?? []).map((pem) => new X509Certificate(pem));
    if (found.length > 0) return found;
  } catch (error) {
    const message = `${path} holds what is no certificate`;
    throw new StoreError("invalid", message, { cause: error });
  }
  throw new StoreError("invalid", `${path} holds no certificate in PEM`);
}

/** Node's `checkIssued` compares names alone; here the signature counts too. */
export function isSignedBy(x509: X509Certificate, authority: X509Certificate): boolean {
  return x509.checkIssued(authority) && x509.verify(authority.publicKey);
}
