// Who is at the other end of a gRPC connection with TLS, and the credentials of both ends. A server
// takes no connection without a certificate of the cluster's authorities; a caller looks at the
// identity in the server's certificate, not at host names.
import { X509Certificate } from "node:crypto";
import type { Http2Session, Http2Stream } from "node:http2";
import { TLSSocket } from "node:tls";
import { type ChannelCredentials, credentials, ServerCredentials } from "@grpc/grpc-js";
import { StoreError } from "../base/errors.ts";
import type { PeerIdentity, PeerRole } from "../base/peer-identity.ts";
import { type InternalTls, identityOf, TLS_VERSION_MIN, type TlsMaterial } from "./internal-tls.ts";

/** A connection that has not said who it is by then is cut. */
export const HANDSHAKE_MS_MAX = 10_000;

/** Who listens on an address, as far as the caller knows. */
export type ExpectedPeer = Partial<Pick<PeerIdentity, "role" | "name">>;

/** Roles that serve calls. */
const SERVERS: readonly PeerRole[] = ["metadata", "storage"];

/** The server's end; connections made after a change of the files get the new material. */
export class ServerTls extends ServerCredentials {
  readonly #stop: () => void;

  constructor(tls: InternalTls) {
    const how = {
      requestCert: true,
      rejectUnauthorized: true,
      handshakeTimeout: HANDSHAKE_MS_MAX,
      minVersion: TLS_VERSION_MIN,
    } as const;
    super(how, contextOf(tls.material));
    this.#stop = tls.watch((next) => this.updateSecureContextOptions(contextOf(next)));
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }

  close(): void {
    this.#stop();
  }
}

function contextOf({ caText, certificate, key }: TlsMaterial): {
  readonly ca: Buffer;
  readonly cert: Buffer[];
  readonly key: Buffer[];
  readonly minVersion: typeof TLS_VERSION_MIN;
} {
  return { ca: caText, cert: [certificate], key: [key], minVersion: TLS_VERSION_MIN };
}

/** A peer whose certificate was seen. */
export interface SeenPeer {
  readonly identity: PeerIdentity;
  readonly endsMs: number;
}

/** The caller's end, to a server that is `expected`; `seen` is told whom it reached. */
export function callerTls(
  material: TlsMaterial,
  expected: ExpectedPeer,
  seen: (peer: SeenPeer) => void,
): ChannelCredentials {
  return credentials.createFromSecureContext(material.context, {
    checkServerIdentity: (_host, { raw }) => {
      const x509 = new X509Certificate(raw);
      const identity = identityOf(x509);
      const reason = refusal(identity, material.identity.cluster, expected);
      if (identity === undefined || reason !== undefined) {
        return new StoreError("denied", reason ?? "no identity");
      }
      seen({ identity, endsMs: x509.validToDate.getTime() });
      return undefined;
    },
  });
}

/** Why whoever listens is not the one that is meant. */
function refusal(
  identity: PeerIdentity | undefined,
  cluster: string,
  { role, name }: ExpectedPeer,
): string | undefined {
  if (identity === undefined) return "the certificate of the server does not say who it is";
  const found = `${identity.role} ${identity.name} of ${identity.cluster} answers`;
  if (identity.cluster !== cluster) return `${found}, not a server of ${cluster}`;
  const roles = role === undefined ? SERVERS : [role];
  if (!roles.includes(identity.role)) return `${found} where ${roles.join(" or ")} is expected`;
  if (name !== undefined && identity.name !== name) return `${found} where ${name} is expected`;
  return undefined;
}

interface KnownCaller {
  readonly identity: PeerIdentity | undefined;
  readonly endsMs: number;
}

/** By HTTP/2 session, since reading a certificate takes longer than many a call. */
const callers = new WeakMap<object, KnownCaller>();

/**
 * Whose certificate came with the connection of a call. Throws "denied" for nobody, for those of
 * another cluster, and once the certificate has ended.
 */
export function callerOf(call: object, cluster: string): PeerIdentity {
  const { identity, endsMs } = knownCaller(call);
  if (identity === undefined) {
    throw new StoreError("denied", "the certificate of the caller does not say who it is");
  }
  if (identity.cluster !== cluster) {
    throw new StoreError("denied", `the caller belongs to cluster ${identity.cluster}`);
  }
  if (endsMs <= Date.now()) throw new StoreError("denied", "the caller's certificate has ended");
  return identity;
}

function knownCaller(call: object): KnownCaller {
  const session = sessionOf(call);
  if (session === undefined) throw new StoreError("aborted", "the caller is gone");
  const known = callers.get(session) ?? readCaller(session.socket);
  callers.set(session, known);
  return known;
}

function readCaller(socket: object): KnownCaller {
  const isProven = socket instanceof TLSSocket && socket.authorized;
  const x509 = isProven ? socket.getPeerX509Certificate() : undefined;
  if (x509 === undefined) return { identity: undefined, endsMs: 0 };
  return { identity: identityOf(x509), endsMs: x509.validToDate.getTime() };
}

/**
 * grpc-js shows the peer's certificate of a call too, but decodes all of it anew each time, 0.3 ms.
 * Where the session is not found any more the caller is nobody.
 */
function sessionOf(call: object): Http2Session | undefined {
  const inner: unknown = Reflect.get(call, "call");
  const stream: unknown =
    typeof inner === "object" && inner !== null ? Reflect.get(inner, "stream") : undefined;
  if (typeof stream !== "object" || stream === null) return undefined;
  // A ServerHttp2Stream; its session is gone once it is destroyed.
  return (stream as Http2Stream).session;
}
