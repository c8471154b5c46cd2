// gRPC over loopback under the conformance suite: with one connection, with several, over TLS.
import { after } from "node:test";
import { createGrpcServer } from "../../../services/lib/host/grpc-server.ts";
import { createGrpcTransport } from "../../../services/lib/host/grpc-transport.ts";
import { createRandom } from "../../../services/lib/host/random.ts";
import { accessTo } from "../../../services/lib/ports/rpc-access.ts";
import { EchoService } from "../../fixtures/gen/dolium/test/v1/echo_pb.ts";
import { ClusterCertificates } from "../../support/cluster-certificates.ts";
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

const certificates = await ClusterCertificates.make(["storage/storage-1"]);
after(() => certificates.remove());
const everybody = ["gateway"] as const;
const access = accessTo(EchoService, {
  ...{ echo: everybody, spread: everybody, gather: everybody, talk: everybody },
});

const createTlsHarness = () => {
  const log = createRecordingLog();
  const random = createRandom();
  const [ours, theirs] = [certificates.tls("storage-1"), certificates.tls("gateway")];
  const side = (clusterSecret: string | undefined) =>
    clusterSecret === undefined ? {} : { clusterSecret };
  return {
    createServer: (secret?: string) =>
      createGrpcServer({ log, random, tls: ours, access, ...side(secret) }),
    createTransport: (secret?: string) => createGrpcTransport({ tls: theirs, ...side(secret) }),
    logged: log.logged,
  };
};
runTransportSuite("grpc, TLS", createTlsHarness, { withLoad: false });
