// Who causes a command, as events tell it.
import type { OriginInit } from "../../lib/clients/metadata-client.ts";
import type { ServiceContext } from "../operation.ts";
import { callerId } from "./access/caller.ts";

export function originOf(context: ServiceContext): OriginInit {
  const { identity, remoteAddress, request, hostId } = context;
  return {
    principal: callerId(identity),
    remoteAddress,
    requestId: request.requestId,
    hostId,
  };
}
