// Makes keys, authorities and certificates in PEM. Keys are made here and by nobody else: P-256,
// which every client of the last fifteen years understands. Serial numbers are random.
import "reflect-metadata";
import { createPrivateKey, createPublicKey, type KeyObject, webcrypto } from "node:crypto";
import { isIP } from "node:net";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type JsonGeneralName,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { UsageError } from "../command-line.ts";

const CURVE = { name: "ECDSA", namedCurve: "P-256" } as const;
const SIGNATURE = { name: "ECDSA", hash: "SHA-256" } as const;
const DAY_MS = 86_400_000;
/** Clocks of machines may be behind ours. */
const EARLIER_MS = 3_600_000;
/** X.520 says how long a common name may be. */
const COMMON_NAME_MAX = 64;

export interface Authority {
  readonly certificate: string;
  readonly key: string;
}

export interface Wanted {
  /** Common name; only for people. */
  readonly subject: string;
  /** Host names, addresses and URIs. */
  readonly names: readonly string[];
  readonly use: "server" | "client" | "both";
  readonly days: number;
}

export async function makeKey(): Promise<string> {
  const { privateKey } = await webcrypto.subtle.generateKey(CURVE, true, ["sign", "verify"]);
  const der = await webcrypto.subtle.exportKey("pkcs8", privateKey);
  const key = createPrivateKey({ key: Buffer.from(der), format: "der", type: "pkcs8" });
  return key.export({ format: "pem", type: "pkcs8" }).toString();
}

/** An authority's own certificate. `names`: what it says of itself. */
export async function makeAuthority(
  key: string,
  { subject, names, days }: Pick<Wanted, "subject" | "names" | "days">,
): Promise<string> {
  const keys = await keyPair(key);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    ...validity(days),
    name: [{ CN: [subject.slice(0, COMMON_NAME_MAX)] }],
    keys,
    signingAlgorithm: SIGNATURE,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      new SubjectAlternativeNameExtension(names.map(generalName)),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return `${certificate.toString("pem")}\n`;
}

/** A certificate for the holder of `key`, signed by `authority`. */
export async function issue(key: string, wanted: Wanted, authority: Authority): Promise<string> {
  const { publicKey } = await keyPair(key);
  const signer = await keyPair(authority.key);
  const issuer = new X509Certificate(authority.certificate);
  const uses = {
    server: [ExtendedKeyUsage.serverAuth],
    client: [ExtendedKeyUsage.clientAuth],
    both: [ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth],
  };
  const certificate = await X509CertificateGenerator.create({
    ...validity(wanted.days),
    subject: [{ CN: [wanted.subject.slice(0, COMMON_NAME_MAX)] }],
    issuer: issuer.subject,
    publicKey,
    signingKey: signer.privateKey,
    signingAlgorithm: SIGNATURE,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension(uses[wanted.use]),
      new SubjectAlternativeNameExtension(wanted.names.map(generalName)),
      await SubjectKeyIdentifierExtension.create(publicKey),
      await AuthorityKeyIdentifierExtension.create(signer.publicKey),
    ],
  });
  return `${certificate.toString("pem")}\n`;
}

function validity(days: number): { readonly notBefore: Date; readonly notAfter: Date } {
  const nowMs = Date.now();
  return { notBefore: new Date(nowMs - EARLIER_MS), notAfter: new Date(nowMs + days * DAY_MS) };
}

function generalName(value: string): JsonGeneralName {
  if (value.includes("://")) return { type: "url", value };
  return isIP(value) === 0 ? { type: "dns", value } : { type: "ip", value };
}

async function keyPair(pem: string): Promise<webcrypto.CryptoKeyPair> {
  const key = createPrivateKey(pem);
  if (key.asymmetricKeyDetails?.namedCurve !== "prime256v1") {
    throw new UsageError("this key is of another kind than those `dolium certs` makes (P-256)");
  }
  const load = (one: KeyObject, uses: webcrypto.KeyUsage[]): Promise<webcrypto.CryptoKey> =>
    one.type === "private"
      ? webcrypto.subtle.importKey("pkcs8", der(one, "pkcs8"), CURVE, true, uses)
      : webcrypto.subtle.importKey("spki", der(one, "spki"), CURVE, true, uses);
  return {
    privateKey: await load(key, ["sign"]),
    publicKey: await load(createPublicKey(key), ["verify"]),
  };
}

function der(key: KeyObject, type: "pkcs8" | "spki"): Uint8Array<ArrayBuffer> {
  const bytes =
    type === "pkcs8"
      ? key.export({ format: "der", type: "pkcs8" })
      : key.export({ format: "der", type: "spki" });
  return new Uint8Array(bytes);
}
