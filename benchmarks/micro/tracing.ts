// What watching a call costs: `node benchmarks/micro/tracing.ts`. A call that answers at once is
// made bare, counted, and counted with an SDK of OpenTelemetry loaded, outside and inside of a
// traced request. Prints nanoseconds of processor
// time a call, the median of several rounds taken in turn.
import process from "node:process";
import { NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
import { ShardService } from "../../services/lib/gen/dolium/storage/v1/storage_pb.ts";
import { createClock } from "../../services/lib/host/clock.ts";
import { createMetrics } from "../../services/lib/host/metrics.ts";
import type { RawCall, StartCall } from "../../services/lib/host/rpc-channel.ts";
import { createRpcMeter } from "../../services/lib/host/rpc-meter.ts";
import { type CallObserver, observedCalls } from "../../services/lib/host/rpc-observer.ts";
import { createTracing, tracedCalls } from "../../services/lib/host/tracing.ts";

const CALLS = 20_000;
const ROUNDS = 9;
const method = ShardService.method.statShards;
const message = new Uint8Array(64);

function answersAtOnce(): RawCall {
  let left = 1;
  return {
    send: () => Promise.resolve(),
    end: () => undefined,
    read: () => {
      left -= 1;
      return Promise.resolve(left < 0 ? undefined : message);
    },
    cancel: () => undefined,
  };
}

async function nanosecondsPerCall(observers: readonly CallObserver[]): Promise<number> {
  const start: StartCall = observedCalls("s1:1", observers, answersAtOnce);
  const before = process.cpuUsage();
  for (let at = 0; at < CALLS; at += 1) {
    const call = start(method, { deadlineMs: 1000 });
    await call.send(message);
    call.end();
    await call.read();
    await call.read();
  }
  const { user, system } = process.cpuUsage(before);
  return ((user + system) * 1000) / CALLS;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

const meter = createRpcMeter(createMetrics({ nodeMetrics: false }), createClock());
const none = await createTracing("bench");
if (none !== undefined) throw new Error("run it without an SDK: it loads its own");
const untraced: Record<string, number[]> = { bare: [], counted: [] };
for (let round = 0; round < ROUNDS; round += 1) {
  untraced.bare?.push(await nanosecondsPerCall([]));
  untraced.counted?.push(await nanosecondsPerCall([meter]));
}
new NodeTracerProvider().register();
const tracing = await createTracing("bench");
if (tracing === undefined) throw new Error("the SDK was not found");
const observers = [meter, tracedCalls(tracing)];
const serving = { name: "bench", carrier: {}, attributes: {} };
const outside: number[] = [];
const inside: number[] = [];
for (let round = 0; round < ROUNDS; round += 1) {
  outside.push(await nanosecondsPerCall(observers));
  await tracing.serve(serving, async () => {
    inside.push(await nanosecondsPerCall(observers));
  });
}
const rows = { ...untraced, "SDK, outside of a request": outside, "SDK, in a request": inside };
for (const [name, values] of Object.entries(rows)) {
  console.log(
    `${name.padEnd(28)} ${median(values).toFixed(0).padStart(8)} ns of processor time a call`,
  );
}
