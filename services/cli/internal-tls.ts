// TLS between the services, from the configuration of a process: it has all three files or none,
// and without them nothing leaves this machine unless the operator says so.
import { isLoopback } from "../lib/base/ip-address.ts";
import type { PeerRole } from "../lib/base/peer-identity.ts";
import type { CertificateEnd } from "../lib/host/certificate-watch.ts";
import type { ExpectedPeer } from "../lib/host/grpc-identity.ts";
import type { GrpcTransport } from "../lib/host/grpc-transport.ts";
import { InternalTls, type InternalTlsOptions } from "../lib/host/internal-tls.ts";
import type { Log } from "../lib/ports/log.ts";
import { UsageError } from "./command-line.ts";
import type { Config } from "./config-schema.ts";

/** The files; undefined: plain. Throws UsageError for some without the others. */
export function internalTlsOptions({ internal }: Config): InternalTlsOptions | undefined {
  const { allowPlain: _, ...files } = internal.tls;
  const given = [files.caFile, files.certificateFile, files.keyFile].filter((file) => file !== "");
  if (given.length === 0) return undefined;
  if (given.length === 3) return files;
  const names = "internal.tls.caFile, internal.tls.certificateFile and internal.tls.keyFile";
  throw new UsageError(`${names} are set together or not at all`);
}

/**
 * The certificate of the process that the configuration is of; undefined: plain. Throws UsageError
 * where it is that of another process, or where there is none and there must be.
 */
export function startInternalTls(
  role: PeerRole,
  config: Config,
  log: Log,
): InternalTls | undefined {
  const options = internalTlsOptions(config);
  if (options === undefined) {
    checkPlain(role, config);
    return undefined;
  }
  const tls = new InternalTls(options, log);
  const { identity } = tls;
  const speaksForItself = role === "metadata" || role === "storage";
  if (identity.role === role && (!speaksForItself || identity.name === config.node.name)) {
    return tls;
  }
  tls.close();
  const meant = speaksForItself ? `${role} ${config.node.name}` : role;
  const found = `${identity.role} ${identity.name}`;
  throw new UsageError(`${options.certificateFile} is that of ${found}, not of ${meant}`);
}

/** Who answers at the addresses of the metadata replicas. */
export function expectedReplicas(
  replicas: Config["cluster"]["metadata"],
): ReadonlyMap<string, ExpectedPeer> {
  return new Map(replicas.map(({ name, address }) => [address, { role: "metadata", name }]));
}

/** When the certificates of the servers that a process has met end. */
export function peerEnds({ peers }: GrpcTransport): CertificateEnd[] {
  return [...peers.values()].map(({ identity, endsMs }) => ({
    name: `${identity.role} ${identity.name}`,
    endsMs,
  }));
}

function checkPlain(role: PeerRole, { internal, rpc, cluster }: Config): void {
  if (internal.tls.allowPlain) return;
  const listens = role === "metadata" || role === "storage" ? [rpc.address] : [];
  const far = [...listens, ...cluster.metadata.map(({ address }) => address)].find(isFar);
  if (far === undefined) return;
  const what = `${far} is beyond this machine, and there is no TLS between the services`;
  throw new UsageError(`${what}: set internal.tls (dolium certs init), or its allowPlain to true`);
}

function isFar(address: string): boolean {
  const host = address.replace(/:[0-9]*$/, "").replace(/^\[(.*)\]$/, "$1");
  return host !== "localhost" && !isLoopback(host);
}
