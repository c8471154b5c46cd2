// A storage node's process. It needs no more of the cluster than the metadata service.
import { MetadataClient } from "../../lib/clients/metadata-client.ts";
import { UsageError } from "../command-line.ts";
import { composeStorage } from "../compose/storage.ts";
import { type Frame, metadataAddresses, RPC_GRACE_MS, type Running } from "./frame.ts";

export async function start(frame: Frame): Promise<Running> {
  const { disks: folders, ...settings } = frame.config.storage;
  if (folders.length === 0) throw new UsageError("storage.disks must name at least one directory");
  const { address, node } = await composeStorage({
    ports: frame.ports,
    metadata: new MetadataClient(frame.ports, { addresses: metadataAddresses(frame) }),
    server: frame.server,
    listen: frame.config.rpc.address,
    advertise: frame.config.rpc.advertise,
    node: frame.config.node,
    opsAddress: frame.whereabouts.opsAddress,
    folders,
    settings,
  });
  frame.life.onStop("storage", () => node.stop());
  frame.life.onStop("rpc", () => frame.server.close(RPC_GRACE_MS));
  return { facts: { rpc: address }, waitingFor: () => node.waitingFor };
}
