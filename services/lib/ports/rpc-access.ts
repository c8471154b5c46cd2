// Which roles may call which method. A method that has no row is called by nobody, and a server
// with TLS refuses to offer it; the types demand a row for each. Paths are compared whole, as they
// stand on the wire: no prefix, no other spelling.
import type { DescMethod, DescService } from "@bufbuild/protobuf";
import type { PeerRole } from "../base/peer-identity.ts";
import { ClusterService } from "../gen/dolium/cluster/v1/cluster_pb.ts";
import { MembershipService } from "../gen/dolium/metadata/v1/membership_pb.ts";
import { MetadataService } from "../gen/dolium/metadata/v1/metadata_pb.ts";
import { RaftService } from "../gen/dolium/raft/v1/raft_pb.ts";
import { ShardService } from "../gen/dolium/storage/v1/storage_pb.ts";

/** Roles by "/package.Service/Method". */
export type RpcAccess = ReadonlyMap<string, readonly PeerRole[]>;

/** "/package.Service/Method", as gRPC names it on the wire. */
export function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

type Rows<S extends DescService> = { readonly [K in keyof S["method"]]: readonly PeerRole[] };

/** A row for every method of `service`, by its local name. */
export function accessTo<S extends DescService>(service: S, rows: Rows<S>): RpcAccess {
  const roles: ReadonlyMap<string, readonly PeerRole[]> = new Map(Object.entries(rows));
  return new Map(
    service.methods.map((method) => [pathOf(method), roles.get(method.localName) ?? []]),
  );
}

/** What a role may say in Execute and Query, the metadata service decides by the command. */
export const RPC_ACCESS: RpcAccess = new Map([
  ...accessTo(ClusterService, {
    heartbeat: ["gateway", "storage", "keeper"],
    clusterStatus: ["gateway", "admin"],
  }),
  ...accessTo(MembershipService, {
    hello: ["metadata"],
    bootstrap: ["metadata"],
    join: ["metadata"],
  }),
  ...accessTo(MetadataService, {
    execute: ["gateway", "storage", "keeper", "admin"],
    query: ["gateway", "keeper", "admin"],
    replicaStatus: ["metadata", "gateway", "admin"],
    transferLeadership: ["gateway", "admin"],
    cutLog: ["gateway", "admin"],
    exportGroup: ["admin"],
  }),
  ...accessTo(RaftService, { exchange: ["metadata"], installSnapshot: ["metadata"] }),
  ...accessTo(ShardService, {
    writeShard: ["gateway", "keeper"],
    readShard: ["gateway", "keeper"],
    deleteShards: ["keeper"],
    statShards: ["gateway", "keeper"],
    listShards: ["keeper"],
    listBadShards: ["keeper"],
    diskDoubt: ["keeper"],
    damageCanary: ["keeper"],
    retryDisk: ["gateway", "admin"],
  }),
]);
