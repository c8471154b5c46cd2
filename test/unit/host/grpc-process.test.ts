// gRPC between real processes that are killed.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { deferred } from "../../../services/lib/base/bounded.ts";
import { createGrpcServer } from "../../../services/lib/host/grpc-server.ts";
import { createGrpcTransport } from "../../../services/lib/host/grpc-transport.ts";
import { createRandom } from "../../../services/lib/host/random.ts";
import { EchoService } from "../../fixtures/gen/dolium/test/v1/echo_pb.ts";
import { createRecordingLog } from "./recording-log.ts";
import { coded, echo, handlers, SOON } from "./transport-setting.ts";

const here = import.meta.dirname;
const moduleAt = (path: string): string => JSON.stringify(join(here, path));
const IMPORTS = `
  import { createGrpcServer } from ${moduleAt("../../../services/lib/host/grpc-server.ts")};
  import { createGrpcTransport } from ${moduleAt("../../../services/lib/host/grpc-transport.ts")};
  import { createRandom } from ${moduleAt("../../../services/lib/host/random.ts")};
  import { EchoService } from ${moduleAt("../../fixtures/gen/dolium/test/v1/echo_pb.ts")};
  import { createRecordingLog } from ${moduleAt("recording-log.ts")};
`;

function start(program: string): ChildProcess {
  const code = ["--input-type=module-typescript", "--eval", IMPORTS + program];
  return spawn(process.execPath, code, { stdio: ["ignore", "pipe", "inherit"] });
}

test("an uploader killed at any moment never looks like one that ended", async () => {
  let received = 0;
  let outcome = deferred<unknown>();
  const server = createGrpcServer({ log: createRecordingLog(), random: createRandom() });
  server.add(
    EchoService,
    handlers({
      async gather(requests) {
        try {
          for await (const request of requests) received += request.payload.byteLength;
          outcome.resolve("ended");
        } catch (error) {
          outcome.resolve(error);
        }
        return {};
      },
    }),
  );
  const address = await server.listen("127.0.0.1:0");
  for (const afterBytes of [0, 5_000, 3_000_000]) {
    received = 0;
    outcome = deferred();
    const child = start(`
      const channel = createGrpcTransport().channel(${JSON.stringify(address)});
      const up = channel.clientStream(EchoService.method.gather, { deadlineMs: 60_000 });
      for (let i = 0; ; i += 1) {
        await up.write({ payload: new Uint8Array(1 + (i * 7919) % 100_000) });
      }
    `);
    while (received <= afterBytes) await new Promise((resolve) => setTimeout(resolve, 1));
    child.kill("SIGKILL");
    coded("aborted")(await outcome.promise);
  }
  await server.close(0);
});

test("a server killed under a call is timeout, then unavailable, then found again", async () => {
  const serve = (address: string): ChildProcess =>
    start(`
      const server = createGrpcServer({ log: createRecordingLog(), random: createRandom() });
      const refuse = () => { throw new Error("unused"); };
      server.add(EchoService, {
        echo: (request) => request.text === "hold"
          ? (console.log("held"), new Promise(() => undefined))
          : Promise.resolve({ text: request.text }),
        spread: refuse, gather: refuse, talk: refuse,
      });
      console.log(await server.listen(${JSON.stringify(address)}));
    `);
  const line = async (child: ChildProcess): Promise<string> => {
    assert.ok(child.stdout !== null);
    const [data] = await once(child.stdout, "data");
    return String(data).trim();
  };
  const first = serve("127.0.0.1:0");
  const address = await line(first);
  const transport = createGrpcTransport();
  const channel = transport.channel(address);
  assert.equal((await channel.unary(echo, { text: "a" }, SOON)).text, "a");
  const held = assert.rejects(channel.unary(echo, { text: "hold" }, SOON), coded("timeout"));
  assert.equal(await line(first), "held");
  first.kill("SIGKILL");
  await held;
  await assert.rejects(channel.unary(echo, { text: "b" }, SOON), coded("unavailable"));
  const second = serve(address);
  assert.equal(await line(second), address);
  const before = performance.now();
  let text: string | undefined;
  while (text === undefined) {
    text = await channel.unary(echo, { text: "c" }, SOON).then(
      (answer) => answer.text,
      (error: unknown) => void coded("unavailable")(error),
    );
    if (text === undefined) await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.equal(text, "c");
  assert.ok(performance.now() - before < 3000);
  second.kill("SIGKILL");
  await transport.close();
});
