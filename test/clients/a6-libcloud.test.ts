// Apache libcloud: containers, uploads from files and streams, downloads, deletes. The checks are
// in check_libcloud.py.
import { after, before } from "node:test";
import { startServer, type TestServer } from "../support/test-server.ts";
import { findPython, rowTest, runPython } from "./row-test.ts";

const libcloud = await findPython("Apache libcloud", "libcloud", "libcloud.__version__");
let server: TestServer;

before(async () => {
  if (libcloud.absent === undefined) server = await startServer();
});

after(async () => {
  await server?.stop();
});

rowTest(libcloud, ["A6"], "containers, upload, download, delete", async () => {
  const { hostname, port } = new URL(server.endpoint);
  await runPython("check_libcloud.py", {
    HOST: hostname,
    PORT: port,
    AWS_ACCESS_KEY_ID: server.accessKeyId,
    AWS_SECRET_ACCESS_KEY: server.secretAccessKey,
  });
});
