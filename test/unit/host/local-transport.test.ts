// The in-process transport under the conformance suite.
import { createClock } from "../../../services/lib/host/clock.ts";
import { createLocalNetwork } from "../../../services/lib/host/local-transport.ts";
import { createRandom } from "../../../services/lib/host/random.ts";
import { createRecordingLog } from "./recording-log.ts";
import { runTransportSuite } from "./transport-suite.ts";

runTransportSuite("local", () => {
  const log = createRecordingLog();
  const network = createLocalNetwork({ clock: createClock(), random: createRandom(), log });
  const side = (clusterSecret: string | undefined) =>
    clusterSecret === undefined ? {} : { clusterSecret };
  return {
    createServer: (secret) => network.createServer(side(secret)),
    createTransport: (secret) => network.createTransport(side(secret)),
    logged: log.logged,
  };
});
