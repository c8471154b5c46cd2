// `dolium cosi`: the driver of bucket claims of Kubernetes (COSI v1alpha1), beside the sidecar that
// calls it. The admin API and the keys are found as by every other verb.
import process from "node:process";
import { createLog } from "../../lib/host/log.ts";
import { AdminClient } from "../admin-client/admin-client.ts";
import { adminConnection } from "../admin-client/connection.ts";
import { command, UsageError } from "../command-line.ts";
import { CosiDriver } from "../cosi/driver.ts";
import { serveDriver } from "../cosi/driver-server.ts";
import { ExitCode } from "../exit-code.ts";
import { createOutput } from "../output.ts";
import { stopSignal } from "../stop-signal.ts";

const DRIVER = "dolium.objectstorage.k8s.io";
const REGION = "us-east-1";

export const cosiCommand = command({
  name: "cosi",
  summary: "Serve bucket claims of Kubernetes: a COSI driver on a socket.",
  positionals: "",
  options: {
    "admin-url": { kind: "text", value: "URL", help: "admin API (DOLIUM_ADMIN_URL)" },
    data: { kind: "text", value: "DIR", help: "data directory of a local cluster (DOLIUM_DATA)" },
    socket: { kind: "text", value: "PATH", help: "socket to listen on" },
    driver: { kind: "text", value: "NAME", help: `name in BucketClasses (${DRIVER})` },
    endpoint: { kind: "text", value: "URL", help: "address of S3 that claims are given" },
    region: { kind: "text", value: "NAME", help: `region that claims are given (${REGION})` },
    json: { kind: "flag", help: "print JSON lines" },
  },
  run: async ({ options }) => {
    const { socket, endpoint, driver: name = DRIVER, region = REGION } = options;
    if (socket === undefined) throw new UsageError("dolium cosi wants --socket PATH");
    if (endpoint === undefined) throw new UsageError("dolium cosi wants --endpoint URL");
    const admin = new AdminClient(await adminConnection(options, process.env));
    const log = createLog({ level: "info", fields: { service: "cosi" } });
    const driver = new CosiDriver(admin, { name, endpoint, region });
    const server = await serveDriver(driver, { socket, log });
    const output = createOutput(options.json === true);
    output.event({ event: "ready", socket, driver: name });
    output.say(`${name} listens on ${socket}`);
    await stopSignal({ withStdin: false });
    await server.close();
    return ExitCode.OK;
  },
});
