// Who a process of the cluster is, as its certificate says: dolium://CLUSTER/ROLE/NAME, the one URI
// among its alternative names that has this scheme (in the manner of SPIFFE). Anything that is not
// exactly of this form is nobody.
import { StoreError } from "./errors.ts";

export const PEER_ROLES = ["metadata", "storage", "gateway", "keeper", "admin"] as const;
export type PeerRole = (typeof PEER_ROLES)[number];

export interface PeerIdentity {
  /** The cluster's name, the same in all its certificates. */
  readonly cluster: string;
  readonly role: PeerRole;
  /** `node.name` of metadata replicas and storage nodes; others may share one. */
  readonly name: string;
}

export const IDENTITY_SCHEME = "dolium://";
const WORD = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;

/** Letters, digits, '.', '_' and '-', at most 63: what clusters and nodes may be called here. */
export function isIdentityWord(text: string): boolean {
  return WORD.test(text);
}

/** Throws StoreError "invalid" for names that cannot stand in a certificate. */
export function identityUri({ cluster, role, name }: PeerIdentity): string {
  for (const word of [cluster, name]) {
    if (isIdentityWord(word)) continue;
    const rule = "letters, digits, '.', '_' and '-', at most 63 and no sign at its ends";
    throw new StoreError("invalid", `"${word}" cannot stand in a certificate: ${rule}`);
  }
  return `${IDENTITY_SCHEME}${cluster}/${role}/${name}`;
}

/** Undefined for what is no identity. */
export function parseIdentityUri(uri: string): PeerIdentity | undefined {
  if (!uri.startsWith(IDENTITY_SCHEME)) return undefined;
  const [cluster = "", roleText, name = "", ...rest] = uri.slice(IDENTITY_SCHEME.length).split("/");
  const role = PEER_ROLES.find((candidate) => candidate === roleText);
  if (role === undefined || rest.length > 0) return undefined;
  return isIdentityWord(cluster) && isIdentityWord(name) ? { cluster, role, name } : undefined;
}
