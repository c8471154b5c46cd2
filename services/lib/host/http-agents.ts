// Connections to foreign HTTP servers, kept for the next request, and requests that are refused as
// invalid where Node refuses them.
import { Agent as HttpsAgent } from "node:https";
import { StoreError } from "../base/errors.ts";
import { Agent as HttpAgent } from "./node-http.ts";

/** To one server. */
export const SOCKETS_MAX = 64;

export interface HttpAgentsOptions {
  /** PEM of the authorities to trust instead of the system's (tests, private authorities). */
  readonly ca?: string;
}

export interface HttpAgents {
  readonly plain: InstanceType<typeof HttpAgent>;
  readonly secure: HttpsAgent;
  destroy(): void;
}

export function createHttpAgents({ ca }: HttpAgentsOptions): HttpAgents {
  const sockets = { keepAlive: true, maxSockets: SOCKETS_MAX };
  const plain = new HttpAgent(sockets);
  const secure = new HttpsAgent({ ...sockets, ...(ca === undefined ? {} : { ca }) });
  return {
    plain,
    secure,
    destroy: () => {
      plain.destroy();
      secure.destroy();
    },
  };
}

/** Node refuses header names, values and paths with forbidden characters by throwing. */
export function openRequest<T>(open: () => T): T {
  try {
    return open();
  } catch (error) {
    throw new StoreError("invalid", `cannot be sent: ${String(error)}`, { cause: error });
  }
}

/** The URL, of http or https; "invalid" for any other text. */
export function parseHttpUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw new StoreError("invalid", "not an http or https URL");
  }
  return url;
}
