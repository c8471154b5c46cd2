// The clients of a role that moves bodies: the cluster view and all that reads and writes by it.
// Roles that only speak to the metadata service do not load this.
import { type Clients, createClients } from "../compose/clients.ts";
import { type Frame, metadataAddresses } from "./frame.ts";

/** Closed at the end of the process. */
export function startClients(frame: Frame): Clients {
  const { campus } = frame.config.node;
  const clients = createClients({ ...frame.ports, campus }, metadataAddresses(frame));
  const { view } = clients;
  frame.ports.calls.follow(() => (view.isFresh() ? view.map() : undefined));
  frame.life.onStop("clients", async () => clients.close());
  return clients;
}
