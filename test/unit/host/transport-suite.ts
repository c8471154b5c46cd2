// What every transport must do, run against each implementation. Handlers and callers live in one
// process, so that a test can hold either side at any point.
import { test } from "node:test";
import { EchoService } from "../../fixtures/gen/dolium/test/v1/echo_pb.ts";
import { addCallTests } from "./transport-call-tests.ts";
import { addLoadTests } from "./transport-load-tests.ts";
import {
  type Handlers,
  handlers,
  type Setting,
  type TransportHarness,
} from "./transport-setting.ts";

/** `withLoad`: also what takes long, many bytes and many calls. */
export function runTransportSuite(
  name: string,
  createHarness: () => TransportHarness,
  { withLoad = true }: { readonly withLoad?: boolean } = {},
): void {
  const check = (
    title: string,
    own: Partial<Handlers>,
    work: (setting: Setting, harness: TransportHarness) => Promise<void>,
  ): void => {
    test(`${name}: ${title}`, { timeout: 60_000 }, async () => {
      const harness = createHarness();
      const server = harness.createServer();
      server.add(EchoService, handlers(own));
      const address = await server.listen("127.0.0.1:0");
      const transport = harness.createTransport();
      try {
        await work({ channel: transport.channel(address), server, address, transport }, harness);
      } finally {
        await transport.close();
        await server.close(0);
      }
    });
  };
  addCallTests(check);
  if (withLoad) addLoadTests(name, check, createHarness);
}
