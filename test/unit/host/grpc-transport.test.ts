// gRPC over loopback under the conformance suite, with one connection and with several.
import { createGrpcServer } from "../../../services/lib/host/grpc-server.ts";
import { createGrpcTransport } from "../../../services/lib/host/grpc-transport.ts";
import { createRandom } from "../../../services/lib/host/random.ts";
import { createRecordingLog } from "./recording-log.ts";
import { runTransportSuite } from "./transport-suite.ts";

for (const connections of [1, 3]) {
  runTransportSuite(`grpc, ${connections} connection(s)`, () => {
    const log = createRecordingLog();
    const random = createRandom();
    const side = (clusterSecret: string | undefined) =>
      clusterSecret === undefined ? {} : { clusterSecret };
    return {
      createServer: (secret) => createGrpcServer({ log, random, ...side(secret) }),
      createTransport: (secret) => createGrpcTransport({ connections, ...side(secret) }),
      logged: log.logged,
    };
  });
}
