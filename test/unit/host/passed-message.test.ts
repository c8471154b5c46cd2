// Cells within one process: passed without a copy, lent until the handler is done with them, and
// refused to the sender where the call failed under way.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ShardService } from "../../../services/lib/gen/dolium/storage/v1/storage_pb.ts";
import { createClock } from "../../../services/lib/host/clock.ts";
import { createLocalNetwork } from "../../../services/lib/host/local-transport.ts";
import { createRandom } from "../../../services/lib/host/random.ts";
import type { ServiceHandlers, Transport } from "../../../services/lib/ports/transport.ts";
import { createRecordingLog } from "./recording-log.ts";

const DEADLINE = { deadlineMs: 60_000 };

type Handlers = ServiceHandlers<typeof ShardService>;

async function never(): Promise<never> {
  throw new Error("not called here");
}

async function transportTo(handlers: Partial<Handlers>): Promise<Transport> {
  const log = createRecordingLog();
  const network = createLocalNetwork({ clock: createClock(), random: createRandom(), log });
  const server = network.createServer();
  const others: Handlers = {
    writeShard: never,
    readShard: async function* () {
      yield* [];
    },
    deleteShards: never,
    statShards: never,
    listShards: never,
    listBadShards: never,
    retryDisk: never,
    diskDoubt: never,
    damageCanary: never,
  };
  server.add(ShardService, { ...others, ...handlers });
  await server.listen("storage:1");
  return network.createTransport();
}

function cellOf(data: Uint8Array) {
  return { kind: { case: "cell" as const, value: { data, checksum: 7 } } };
}

test("a cell is lent: its write resolves when the handler comes back for the next", async () => {
  const steps: string[] = [];
  const release = Promise.withResolvers<void>();
  const seen: Uint8Array[] = [];
  const transport = await transportTo({
    async writeShard(requests) {
      for await (const { kind } of requests) {
        if (kind.case !== "cell") continue;
        seen.push(kind.value.data);
        steps.push("taken");
        await release.promise;
        steps.push("done");
      }
      return { shardChecksum: 9 };
    },
  });
  const stream = transport
    .channel("storage:1")
    .clientStream(ShardService.method.writeShard, DEADLINE);
  const data = Buffer.from("bytes");
  const write = stream.write(cellOf(data)).then(() => steps.push("written"));
  while (steps.length === 0) await new Promise((later) => setImmediate(later));
  assert.deepEqual(steps, ["taken"]);
  release.resolve();
  await write;
  assert.deepEqual(steps, ["taken", "done", "written"]);
  assert.equal(seen[0]?.buffer, data.buffer, "no copy was made");
  assert.equal((await stream.finish()).shardChecksum, 9);
});

test("a lent cell is refused when the call ends under the handler", async () => {
  const taken = Promise.withResolvers<void>();
  const transport = await transportTo({
    async writeShard(requests, { signal }) {
      for await (const { kind } of requests) {
        assert.equal(kind.case, "cell");
        taken.resolve();
        await new Promise((gone) => signal.addEventListener("abort", gone));
      }
      return {};
    },
  });
  const stream = transport
    .channel("storage:1")
    .clientStream(ShardService.method.writeShard, DEADLINE);
  const write = stream.write(cellOf(Buffer.from("bytes")));
  const refused = assert.rejects(write, { code: "aborted" });
  await taken.promise;
  stream.cancel();
  await refused;
});

test("a handler that answers without a further look ends what it was lent", async () => {
  const transport = await transportTo({
    async writeShard(requests) {
      await requests[Symbol.asyncIterator]().next();
      return { shardChecksum: 3 };
    },
  });
  const stream = transport
    .channel("storage:1")
    .clientStream(ShardService.method.writeShard, DEADLINE);
  await stream.write(cellOf(Buffer.from("one")));
  await stream.write(cellOf(Buffer.from("two")));
  assert.equal((await stream.finish()).shardChecksum, 3);
});

test("cells that are answered come as they are, in order, empty ones and checksum 0 too", async () => {
  const cells = [Buffer.from("first"), Buffer.alloc(0), Buffer.from("third")];
  const transport = await transportTo({
    async *readShard() {
      for (const data of cells) yield { cell: { data, checksum: 0 } };
    },
  });
  const came: Uint8Array[] = [];
  const channel = transport.channel("storage:1");
  const answers = channel.serverStream(ShardService.method.readShard, { diskId: 1 }, DEADLINE);
  for await (const { cell } of answers) came.push(cell?.data ?? assert.fail("no cell"));
  assert.equal(came.length, 3);
  for (const [at, data] of came.entries()) assert.equal(data, cells[at], "the very same view");
});
