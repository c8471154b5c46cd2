// One service offered twice: inside the process, and over gRPC for commands such as `status`.
import type { RpcServer } from "../../lib/ports/transport.ts";

export interface BothServers extends RpcServer {
  /** host:port of the outer one, once it listens. */
  outerAddress(): string;
}

/** `listen` binds the inner server to the address and the outer one to a free port of loopback. */
export function bothServers(inner: RpcServer, outer: RpcServer): BothServers {
  let outerAddress = "";
  return {
    add: (service, handlers) => {
      inner.add(service, handlers);
      outer.add(service, handlers);
    },
    listen: async (address) => {
      outerAddress = await outer.listen("127.0.0.1:0");
      return inner.listen(address);
    },
    close: async (graceMs) => {
      await outer.close(graceMs);
      await inner.close(graceMs);
    },
    outerAddress: () => outerAddress,
  };
}
