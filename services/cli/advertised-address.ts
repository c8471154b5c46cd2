// The address that others are told of a port of this process: the one in the settings, else where
// it listens, with this machine's name in place of "every address".
import { hostname } from "node:os";

const EVERYWHERE = /^(0\.0\.0\.0|\[::\]):([0-9]+)$/;

/** `listening`: host:port as in the settings; `advertise`: "" when they name none. */
export function advertisedAddress(listening: string, advertise: string): string {
  if (advertise !== "") return advertise;
  const port = EVERYWHERE.exec(listening)?.[2];
  return port === undefined ? listening : `${hostname()}:${port}`;
}
