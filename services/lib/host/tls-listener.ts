// TLS of a listening port. Certificates come from files and are read anew while the port is open:
// changed files count for new connections, broken ones are logged and change nothing. By server
// name, the first certificate of the directory that names it is shown, else the main one. Client
// certificates are asked for where authorities are given or registered ones are taken as they are.
import { createHash, X509Certificate } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import type { Server as HttpServer, RequestListener, ServerOptions } from "node:http";
import { createServer as createHttpsServer, type Server } from "node:https";
import { join } from "node:path";
import { createSecureContext, type SecureContext, TLSSocket } from "node:tls";
import { StoreError } from "../base/errors.ts";
import type { Log } from "../ports/log.ts";
import type { CertificateEnd } from "./certificate-watch.ts";
import { limitHandshakes } from "./handshakes.ts";

const MINIMUM_VERSION = "TLSv1.2";
/** A connection that has not said who it is by then is cut. */
const HANDSHAKE_MS_MAX = 20_000;
const CERTIFICATE_SUFFIX = ".crt";
const KEY_SUFFIX = ".key";

export interface TlsListenerOptions {
  readonly certificateFile: string;
  readonly keyFile: string;
  /** NAME.crt with NAME.key; empty: none. */
  readonly certificateDirectory: string;
  /** Authorities of client certificates; empty: none. */
  readonly clientCaFile: string;
  /** Whoever issued it, a client's certificate is told to the caller, who must know it. */
  readonly pinnedClients: boolean;
  readonly reloadMs: number;
}

export interface TlsListener {
  createServer(handler: RequestListener, options: ServerOptions): HttpServer;
  /** SHA-256 of the certificate whose key the client of this connection proved to hold. */
  clientCertificate(socket: object): Uint8Array | undefined;
  /** When those in use end. */
  certificates(): readonly CertificateEnd[];
  /** Looks at the files now, as it does by itself every `reloadMs`. */
  reload(): void;
  close(): void;
}

interface Material {
  readonly certificate: Buffer;
  readonly key: Buffer;
  readonly ca: Buffer | undefined;
}

interface Loaded {
  readonly main: Material;
  readonly named: readonly {
    readonly x509: X509Certificate;
    readonly context: SecureContext;
  }[];
  readonly ends: readonly CertificateEnd[];
  /** Of everything that was read. */
  readonly digest: string;
}

/** Throws StoreError "invalid" for files that cannot be read or used, naming them. */
export function createTlsListener(options: TlsListenerOptions, log: Log): TlsListener {
  let loaded = load(options);
  const servers = new Set<Server>();
  const reload = (): void => {
    try {
      const next = load(options);
      if (next.digest === loaded.digest) return;
      loaded = next;
      for (const server of servers) server.setSecureContext(serverContext(next.main));
      log.info("certificates were read anew", { file: options.certificateFile });
    } catch (error) {
      log.error("certificates cannot be used; the former ones stay", error);
    }
  };
  const timer = setInterval(reload, options.reloadMs);
  timer.unref();
  return {
    createServer: (handler, http) => {
      const server = createHttpsServer(
        {
          ...http,
          ...serverContext(loaded.main),
          minVersion: MINIMUM_VERSION,
          handshakeTimeout: HANDSHAKE_MS_MAX,
          requestCert: options.clientCaFile !== "" || options.pinnedClients,
          rejectUnauthorized: false,
          SNICallback: (name, done) => done(null, contextFor(loaded, name)),
        },
        handler,
      );
      servers.add(server);
      limitHandshakes([server]);
      server.once("close", () => servers.delete(server));
      return server;
    },
    clientCertificate: (socket) => fingerprintOf(socket, options.pinnedClients),
    certificates: () => loaded.ends,
    reload,
    close: () => clearInterval(timer),
  };
}

/** Node asks again for the main one when there is none of that name. */
function contextFor(loaded: Loaded, name: string): SecureContext | undefined {
  return loaded.named.find(({ x509 }) => x509.checkHost(name) !== undefined)?.context;
}

function fingerprintOf(socket: object, isPinned: boolean): Uint8Array | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  if (!socket.authorized && !isPinned) return undefined;
  const x509 = socket.getPeerX509Certificate();
  if (x509 === undefined) return undefined;
  return createHash("sha256").update(x509.raw).digest();
}

function serverContext({ certificate, key, ca }: Material): {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca?: Buffer;
} {
  return { cert: certificate, key, ...(ca === undefined ? {} : { ca }) };
}

function load(options: TlsListenerOptions): Loaded {
  const { certificateFile, keyFile, certificateDirectory, clientCaFile } = options;
  const ca = clientCaFile === "" ? undefined : readFile(clientCaFile);
  const hash = createHash("sha256");
  const read = (certificatePath: string, keyPath: string): Material => {
    const material = { certificate: readFile(certificatePath), key: readFile(keyPath), ca };
    hash.update(material.certificate).update("\0").update(material.key).update("\0");
    return material;
  };
  if (ca !== undefined) hash.update(ca);
  const main = read(certificateFile, keyFile);
  usable(main, certificateFile);
  const ends = [{ name: "s3", endsMs: endOf(main) }];
  const named = namesIn(certificateDirectory).map((name) => {
    const path = join(certificateDirectory, `${name}${CERTIFICATE_SUFFIX}`);
    const material = read(path, join(certificateDirectory, `${name}${KEY_SUFFIX}`));
    const context = usable(material, path);
    ends.push({ name: `s3 ${name}`, endsMs: endOf(material) });
    return { context, x509: new X509Certificate(material.certificate) };
  });
  return { main, named, ends, digest: hash.digest("hex") };
}

function endOf({ certificate }: Material): number {
  return new X509Certificate(certificate).validToDate.getTime();
}

function namesIn(directory: string): string[] {
  if (directory === "") return [];
  try {
    return readdirSync(directory)
      .filter((name) => name.endsWith(CERTIFICATE_SUFFIX))
      .map((name) => name.slice(0, -CERTIFICATE_SUFFIX.length))
      .toSorted();
  } catch (error) {
    throw new StoreError("invalid", `${directory} cannot be read`, { cause: error });
  }
}

function readFile(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new StoreError("invalid", `${path} cannot be read`, { cause: error });
  }
}

/** The context of a certificate with its key. */
function usable(material: Material, path: string): SecureContext {
  try {
    return createSecureContext({ ...serverContext(material), minVersion: MINIMUM_VERSION });
  } catch (error) {
    const message = `${path} and its key are no certificate and key in PEM that fit together`;
    throw new StoreError("invalid", message, { cause: error });
  }
}
