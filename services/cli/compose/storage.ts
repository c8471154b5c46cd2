// Wires one storage node: its disks, the shard service, registration.
import { createKvFactory } from "../../lib/host/level-kv.ts";
import { createDisk } from "../../lib/host/node-disk.ts";
import type { RpcServer } from "../../lib/ports/transport.ts";
import { StorageNode, type StorageNodeDeps } from "../../storage/storage-node.ts";
import type { Config } from "../config-schema.ts";
import { VERSION } from "../version.ts";
import type { ClientPorts } from "./clients.ts";
import type { Instruments } from "./instruments.ts";

export interface StorageParts {
  readonly ports: ClientPorts & Pick<Instruments, "metrics" | "stores">;
  readonly metadata: StorageNodeDeps["metadata"];
  readonly server: RpcServer;
  /** host:port to listen on. */
  readonly listen: string;
  /** host:port that others reach it at; empty: as it listens. */
  readonly advertise: string;
  /** host:port of this process's metrics; empty: not told. */
  readonly opsAddress: string;
  readonly node: Config["node"];
  readonly folders: readonly string[];
  readonly settings: Omit<Config["storage"], "disks">;
}

const INDEX_CACHE_BYTES = 16 * 1024 * 1024;

/** Listens and starts; the node registers in the background. */
export async function composeStorage(parts: StorageParts): Promise<{
  readonly address: string;
  readonly node: StorageNode;
}> {
  const { ports, node: where, server } = parts;
  const { clock, random, log, metrics } = ports;
  const meter = ports.stores("shards");
  const kvFactory = createKvFactory({ cacheBytes: INDEX_CACHE_BYTES, meter });
  const deps = {
    disk: createDisk(),
    kvFactory,
    clock,
    random,
    log,
    metrics,
    metadata: parts.metadata,
  };
  const address = parts.advertise === "" ? parts.listen : parts.advertise;
  const node = new StorageNode(deps, {
    name: where.name,
    address,
    campus: where.campus,
    opsAddress: parts.opsAddress,
    rack: where.rack,
    host: where.host === "" ? where.name : where.host,
    folders: parts.folders,
    version: VERSION,
    settings: parts.settings,
  });
  node.serve(server);
  const bound = await server.listen(parts.listen);
  await node.start();
  return { address: bound, node };
}
