// The certificate of this process among the services of its cluster. What is in use always fits
// together: the key belongs to the certificate, an authority of the file has signed it, it names
// one identity, and it has not ended. Files are read anew while the process runs; changed ones
// count from then on, broken ones are logged and change nothing.
import { createHash, type X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext, type SecureContext } from "node:tls";
import { StoreError } from "../base/errors.ts";
import { IDENTITY_SCHEME, type PeerIdentity, parseIdentityUri } from "../base/peer-identity.ts";
import type { Log } from "../ports/log.ts";
import type { CertificateEnd } from "./certificate-watch.ts";
import { certificatesIn, isSignedBy } from "./pem.ts";

export interface InternalTlsOptions {
  /** Authorities (PEM), one after the other. */
  readonly caFile: string;
  /** Certificate of this process, and those between it and an authority. */
  readonly certificateFile: string;
  readonly keyFile: string;
  readonly reloadMs: number;
}

export interface TlsMaterial {
  readonly ca: readonly X509Certificate[];
  /** PEM texts as they stand in the files. */
  readonly caText: Buffer;
  readonly certificate: Buffer;
  readonly key: Buffer;
  readonly identity: PeerIdentity;
  readonly endsMs: number;
  /** For connections that this process opens. */
  readonly context: SecureContext;
  readonly digest: string;
}

/** `former`: what was in use until now. */
type Listener = (next: TlsMaterial, former: TlsMaterial) => void;

/** All ends are ours, and know it. */
export const TLS_VERSION_MIN = "TLSv1.3";

export class InternalTls {
  readonly #options: InternalTlsOptions;
  readonly #log: Log;
  readonly #listeners = new Set<Listener>();
  readonly #timer: NodeJS.Timeout;
  #material: TlsMaterial;

  /** Throws StoreError "invalid" for files that cannot be used, naming them. */
  constructor(options: InternalTlsOptions, log: Log) {
    this.#options = options;
    this.#log = log;
    this.#material = load(options);
    this.#timer = setInterval(() => this.reload(), options.reloadMs);
    this.#timer.unref();
  }

  get material(): TlsMaterial {
    return this.#material;
  }

  get identity(): PeerIdentity {
    return this.#material.identity;
  }

  /** When the certificate ends, and the first of the authorities. */
  ends(): CertificateEnd[] {
    const { ca, endsMs } = this.#material;
    const authorityMs = Math.min(...ca.map(({ validToDate }) => validToDate.getTime()));
    return [
      { name: "internal", endsMs },
      { name: "internal authority", endsMs: authorityMs },
    ];
  }

  /** Calls `listener` after each change; the result ends that. */
  watch(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Looks at the files now, as it does by itself. */
  reload(): void {
    const former = this.#material;
    try {
      const next = load(this.#options);
      if (next.digest === former.digest) return;
      if (!isSame(next.identity, former.identity)) {
        const { role, name } = next.identity;
        throw new StoreError("invalid", `the certificate is now that of ${role} ${name}`);
      }
      this.#material = next;
      for (const listener of this.#listeners) listener(next, former);
      const ends = new Date(next.endsMs).toISOString();
      this.#log.info("internal certificates were read anew", { ends });
    } catch (error) {
      this.#log.error("internal certificates cannot be used; the former ones stay", error);
    }
  }

  close(): void {
    clearInterval(this.#timer);
    this.#listeners.clear();
  }
}

/** The identity of a certificate; undefined unless it names exactly one. */
export function identityOf(x509: X509Certificate): PeerIdentity | undefined {
  const [uri, ...others] = namesOf(x509).flatMap((name) =>
    name.startsWith(`URI:${IDENTITY_SCHEME}`) ? [name.slice("URI:".length)] : [],
  );
  return uri === undefined || others.length > 0 ? undefined : parseIdentityUri(uri);
}

/** "DNS:host", "IP Address:10.0.0.1", "URI:..."; names with odd signs in them are left quoted. */
export function namesOf(x509: X509Certificate): string[] {
  // Node writes a name that holds a comma or the like as a JSON string, which no name of ours is.
  return x509.subjectAltName?.split(", ") ?? [];
}

/** Authorities of `former` that `next` does not trust any more. */
export function droppedAuthorities(next: TlsMaterial, former: TlsMaterial): X509Certificate[] {
  const trusted = new Set(next.ca.map(({ fingerprint256 }) => fingerprint256));
  return former.ca.filter(({ fingerprint256 }) => !trusted.has(fingerprint256));
}

function isSame(a: PeerIdentity, b: PeerIdentity): boolean {
  return a.cluster === b.cluster && a.role === b.role && a.name === b.name;
}

function load({ caFile, certificateFile, keyFile }: InternalTlsOptions): TlsMaterial {
  const [caText, certificate, key] = [caFile, certificateFile, keyFile].map(readPem);
  if (caText === undefined || certificate === undefined || key === undefined) {
    throw new StoreError("invalid", "internal TLS wants three files");
  }
  const ca = certificatesIn(caText.toString(), caFile);
  const chain = certificatesIn(certificate.toString(), certificateFile);
  const [own] = chain;
  const identity = own === undefined ? undefined : identityOf(own);
  if (own === undefined || identity === undefined) {
    const wanted = `${IDENTITY_SCHEME}CLUSTER/ROLE/NAME among its alternative names`;
    throw new StoreError("invalid", `${certificateFile} does not say who holds it: no ${wanted}`);
  }
  const endsMs = own.validToDate.getTime();
  if (endsMs <= Date.now()) {
    throw new StoreError("invalid", `${certificateFile} ended on ${own.validTo}`);
  }
  if (!chain.some((one) => ca.some((authority) => isSignedBy(one, authority)))) {
    throw new StoreError("invalid", `${caFile} has no authority that signed ${certificateFile}`);
  }
  const digest = createHash("sha256").update(caText).update("\0").update(certificate);
  return {
    ...{ ca, caText, certificate, key, identity, endsMs },
    context: usableContext({ ca: caText, cert: certificate, key }, certificateFile),
    digest: digest.update("\0").update(key).digest("hex"),
  };
}

function usableContext(
  pem: { readonly ca: Buffer; readonly cert: Buffer; readonly key: Buffer },
  path: string,
): SecureContext {
  try {
    return createSecureContext({ ...pem, minVersion: TLS_VERSION_MIN });
  } catch (error) {
    const message = `${path} and its key do not fit together`;
    throw new StoreError("invalid", message, { cause: error });
  }
}

function readPem(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new StoreError("invalid", `${path} cannot be read`, { cause: error });
  }
}
