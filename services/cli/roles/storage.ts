// A storage node's process. It needs no more of the cluster than the metadata service.
import { toHex } from "../../lib/base/bytes.ts";
import { MetadataClient } from "../../lib/clients/metadata-client.ts";
import { createDisk } from "../../lib/host/node-disk.ts";
import { createRandom } from "../../lib/host/random.ts";
import { openIdentity } from "../../storage/disk-identity.ts";
import { advertisedAddress } from "../advertised-address.ts";
import { UsageError } from "../command-line.ts";
import { composeStorage } from "../compose/storage.ts";
import type { Config } from "../config-schema.ts";
import { prepareFolder } from "../writable-folder.ts";
import { type Frame, metadataAddresses, RPC_GRACE_MS, type Running } from "./frame.ts";

const NO_DISKS = "storage.disks must name at least one directory";
const NAME_DIGITS = 12;

/**
 * Name of a node whose settings give none: by its first disk, which is formatted if it is new, so
 * that it is known again on another machine or in another container.
 */
export async function nameOf(config: Config): Promise<string> {
  const [first] = config.storage.disks;
  if (first === undefined) throw new UsageError(NO_DISKS);
  prepareFolder(first);
  const { uuid } = await openIdentity(createDisk(), createRandom(), first);
  return `storage-${toHex(uuid).slice(0, NAME_DIGITS)}`;
}

export async function start(frame: Frame): Promise<Running> {
  const { disks: folders, ...settings } = frame.config.storage;
  if (folders.length === 0) throw new UsageError(NO_DISKS);
  const { address, node } = await composeStorage({
    ports: frame.ports,
    metadata: new MetadataClient(frame.ports, { addresses: metadataAddresses(frame) }),
    server: frame.server,
    listen: frame.config.rpc.address,
    advertise: advertisedAddress(frame.config.rpc.address, frame.config.rpc.advertise),
    node: frame.config.node,
    opsAddress: frame.whereabouts.opsAddress,
    folders,
    settings,
  });
  frame.life.onStop("storage", () => node.stop());
  frame.life.onStop("rpc", () => frame.server.close(RPC_GRACE_MS));
  return {
    facts: { rpc: address },
    waitingFor: () => node.waitingFor,
    leave: () => node.leave(),
    // A storage node is told nothing of the others.
    objections: () =>
      Promise.resolve(["ask a gateway: /health/cluster?maintenance=true&node=NAME"]),
  };
}
