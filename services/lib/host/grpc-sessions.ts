// Connections outlive the trust they were made in. When an authority is trusted no more, those of
// callers whose certificate no trusted authority has signed are closed: gently, since such a caller
// may have a better one by now and comes back with it. Others notice nothing.

import type { Http2Session } from "node:http2";
import type { Server as NetServer } from "node:net";
import { TLSSocket } from "node:tls";
import { droppedAuthorities, type InternalTls, type TlsMaterial } from "./internal-tls.ts";
import { isSignedBy } from "./pem.ts";

/** Time for running calls to end. */
const GRACE_MS = 60_000;

/** Watches over the connections of HTTP/2 servers; the result ends that. */
export function closeDistrusted(servers: readonly NetServer[], tls: InternalTls): () => void {
  const sessions = new Set<Http2Session>();
  const onSession = (session: Http2Session): void => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
  };
  for (const server of servers) server.on("session", onSession);
  const stop = tls.watch((next, former) => {
    if (droppedAuthorities(next, former).length === 0) return;
    for (const session of sessions) if (!isTrusted(session, next)) closeGently(session);
  });
  return () => {
    stop();
    for (const server of servers) server.off("session", onSession);
  };
}

/** A certificate with others between it and the authority is shown anew: that costs no call. */
function isTrusted({ socket }: Http2Session, { ca }: TlsMaterial): boolean {
  const x509 = socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined;
  return x509 !== undefined && ca.some((authority) => isSignedBy(x509, authority));
}

function closeGently(session: Http2Session): void {
  session.close();
  setTimeout(() => session.destroy(), GRACE_MS).unref();
}
