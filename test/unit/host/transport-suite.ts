// What every transport must do, run against each implementation. Handlers and callers live in one
// process, so that a test can hold either side at any point.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { deferred } from "../../../services/lib/base/bounded.ts";
import {
  ERROR_CODES,
  type ErrorCode,
  isStoreError,
  StoreError,
} from "../../../services/lib/base/errors.ts";
import type {
  CallContext,
  Channel,
  RpcServer,
  ServiceHandlers,
  Transport,
} from "../../../services/lib/ports/transport.ts";
import {
  type EchoRequest,
  EchoRequestSchema,
  type EchoResponse,
  EchoService,
} from "../../fixtures/gen/dolium/test/v1/echo_pb.ts";

type Handlers = ServiceHandlers<typeof EchoService>;

export interface TransportHarness {
  createServer(secret?: string): RpcServer;
  createTransport(secret?: string): Transport;
  /** Messages logged by servers, newest last. */
  readonly logged: { message: string; error: unknown }[];
}

interface Setting {
  readonly channel: Channel;
  readonly server: RpcServer;
  readonly address: string;
  readonly transport: Transport;
}

const { echo, spread, gather, talk } = EchoService.method;
const SOON = { deadlineMs: 10_000 };
const MIB = 1024 * 1024;
/** More than any transport may hold back for one stalled reader: windows, sockets, a message or two. */
const IN_FLIGHT_MAX = 24;

const coded = (code: ErrorCode) => (error: unknown) => {
  assert.ok(isStoreError(error), `not a StoreError: ${String(error)}`);
  assert.equal(error.code, code, error.message);
  return true;
};

/** Handlers that refuse, for tests that replace some of them. */
function handlers(own: Partial<Handlers>): Handlers {
  const refuse = (): never => {
    throw new StoreError("invalid", "not part of this test");
  };
  return {
    echo: async (request: EchoRequest) => ({ text: request.text, payload: request.payload }),
    spread: refuse,
    gather: refuse,
    talk: refuse,
    ...own,
  };
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Waits, turn by turn, until `check` holds; the test's own time limit bounds it. */
async function until(check: () => boolean): Promise<void> {
  while (!check()) await new Promise((resolve) => setTimeout(resolve, 2));
}

/** Resolves when `signal` fires. */
function fired(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

export function runTransportSuite(name: string, createHarness: () => TransportHarness): void {
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
  unaryTests(check);
  streamTests(check);
  cancelTests(check);
  flowTests(check);
  lifeTests(name, check, createHarness);
}

type Check = (
  title: string,
  own: Partial<Handlers>,
  work: (setting: Setting, harness: TransportHarness) => Promise<void>,
) => void;

function unaryTests(check: Check): void {
  const seen: CallContext[] = [];
  check(
    "a unary call carries request, answer, request id and peer",
    {
      async echo(request, context) {
        seen.push(context);
        return { text: request.text, payload: request.payload, requestId: context.requestId };
      },
    },
    async ({ channel, address }) => {
      assert.equal(channel.address, address);
      const payload = Uint8Array.of(1, 2, 3);
      const request = create(EchoRequestSchema, { text: "grüße", payload });
      const answer = await channel.unary(echo, request, { ...SOON, requestId: "req-1" });
      payload.fill(9);
      assert.equal(answer.text, "grüße");
      assert.deepEqual(answer.payload, Uint8Array.of(1, 2, 3));
      assert.equal(answer.requestId, "req-1");
      assert.ok((seen[0]?.peer.length ?? 0) > 0);
      const unnamed = await channel.unary(echo, {}, SOON);
      assert.match(unnamed.requestId, /^[0-9a-f]{16}$/);
      const odd = await channel.unary(echo, {}, { ...SOON, requestId: "two\nlines" });
      assert.match(odd.requestId, /^[0-9a-f]{16}$/);
    },
  );

  check(
    "every error code crosses with its message and leader hint",
    {
      async echo(request) {
        const code = ERROR_CODES.find((candidate) => candidate === request.text) ?? "internal";
        throw new StoreError(code, `because: ${code} 100% ü\n`, { leaderHint: "host-7:9002" });
      },
    },
    async ({ channel }) => {
      for (const code of ERROR_CODES) {
        await assert.rejects(channel.unary(echo, { text: code }, SOON), (error) => {
          coded(code)(error);
          assert.ok(isStoreError(error));
          assert.equal(error.message, `because: ${code} 100% ü\n`);
          assert.equal(error.leaderHint, "host-7:9002");
          return true;
        });
      }
    },
  );

  check(
    "what is no StoreError is logged and arrives as internal, without its text",
    {
      async echo() {
        throw new TypeError("secret detail");
      },
    },
    async ({ channel }, { logged }) => {
      await assert.rejects(channel.unary(echo, {}, SOON), (error) => {
        coded("internal")(error);
        assert.doesNotMatch(String(error), /secret detail/);
        return true;
      });
      assert.ok(logged.some(({ error }) => error instanceof TypeError));
    },
  );

  check("a message over the bound is refused before it is sent", {}, async ({ channel }) => {
    const payload = new Uint8Array(5 * MIB);
    await assert.rejects(channel.unary(echo, { payload }, SOON), coded("invalid"));
    const large = await channel.unary(echo, { payload: payload.subarray(0, 3 * MIB) }, SOON);
    assert.equal(large.payload.byteLength, 3 * MIB);
  });

  check("two hundred calls run side by side", {}, async ({ channel }) => {
    const calls = Array.from({ length: 200 }, async (_, index) => {
      const answer = await channel.unary(echo, { text: String(index) }, SOON);
      assert.equal(answer.text, String(index));
    });
    await Promise.all(calls);
  });
}

function streamTests(check: Check): void {
  check(
    "streams in all directions keep order and end",
    {
      async *spread(request) {
        for (let index = 0; index < request.count; index += 1) yield { text: String(index) };
      },
      async gather(requests) {
        const texts: string[] = [];
        for await (const request of requests) texts.push(request.text);
        return { text: texts.join(",") };
      },
      async *talk(requests) {
        for await (const request of requests) yield { text: request.text.toUpperCase() };
        yield { text: "bye" };
      },
    },
    async ({ channel }) => {
      const spreadTexts: string[] = [];
      for await (const part of channel.serverStream(spread, { count: 100 }, SOON)) {
        spreadTexts.push(part.text);
      }
      assert.deepEqual(
        spreadTexts,
        Array.from({ length: 100 }, (_, index) => String(index)),
      );
      for await (const part of channel.serverStream(spread, { count: 0 }, SOON))
        assert.fail(part.text);

      const up = channel.clientStream(gather, SOON);
      // Not awaited one by one: the order of the calls counts.
      await Promise.all(["a", "b", "c", "d", "e"].map((text) => up.write({ text })));
      assert.equal((await up.finish()).text, "a,b,c,d,e");
      assert.equal((await channel.clientStream(gather, SOON).finish()).text, "");

      const both = channel.bidi(talk, SOON);
      const heard: string[] = [];
      await both.write({ text: "x" });
      for await (const response of both.responses) {
        heard.push(response.text);
        if (heard.length < 3) await both.write({ text: `y${heard.length}` });
        else both.end();
      }
      assert.deepEqual(heard, ["X", "Y1", "Y2", "bye"]);
      await assert.rejects(both.write({ text: "late" }), coded("invalid"));
    },
  );

  check(
    "an error ends a stream where it happens, after what was sent before",
    {
      async *spread() {
        yield { text: "one" };
        throw new StoreError("corrupt", "bad shard");
      },
      async gather(requests) {
        for await (const request of requests) {
          if (request.text === "stop") throw new StoreError("no-space", "full");
        }
        return {};
      },
    },
    async ({ channel }) => {
      const heard: string[] = [];
      await assert.rejects(async () => {
        for await (const part of channel.serverStream(spread, {}, SOON)) heard.push(part.text);
      }, coded("corrupt"));
      assert.ok(heard.length <= 1);
      const up = channel.clientStream(gather, SOON);
      await assert.rejects(async () => {
        await up.write({ text: "stop" });
        for (;;) {
          await up.write({ text: "more", payload: new Uint8Array(10_000) });
          await turn();
        }
      }, coded("no-space"));
      await assert.rejects(up.finish(), coded("no-space"));
    },
  );

  check(
    "an early answer lets the writer finish",
    { gather: async () => ({ text: "have it" }) },
    async ({ channel }) => {
      const up = channel.clientStream(gather, SOON);
      for (let index = 0; index < 50; index += 1) {
        await up.write({ payload: new Uint8Array(100_000) });
        await turn();
      }
      assert.equal((await up.finish()).text, "have it");
    },
  );
}

function cancelTests(check: Check): void {
  let signal: AbortSignal | undefined;
  let outcome = deferred<unknown>();
  const entered = () => deferred<void>();
  let inside = entered();
  const waiting: Partial<Handlers> = {
    async echo(_request, context) {
      signal = context.signal;
      inside.resolve();
      await fired(context.signal);
      throw new StoreError("aborted", "stopped");
    },
    async gather(requests, context) {
      signal = context.signal;
      inside.resolve();
      try {
        let count = 0n;
        for await (const request of requests) count += BigInt(request.payload.byteLength);
        outcome.resolve("ended");
        return { count };
      } catch (error) {
        outcome.resolve(error);
        throw error;
      }
    },
    async *spread(_request, context) {
      signal = context.signal;
      try {
        for (;;) yield { payload: new Uint8Array(1000) };
      } finally {
        outcome.resolve("left");
      }
    },
  };
  const reset = (): void => {
    signal = undefined;
    outcome = deferred();
    inside = entered();
  };

  check(
    "a passed deadline is timeout, and the handler's signal fires",
    waiting,
    async ({ channel }) => {
      reset();
      await assert.rejects(channel.unary(echo, {}, { deadlineMs: 60 }), coded("timeout"));
      await until(() => signal?.aborted === true);
      await assert.rejects(channel.unary(echo, {}, { deadlineMs: 0 }), coded("timeout"));
      const up = channel.clientStream(gather, { deadlineMs: 60 });
      await assert.rejects(async () => {
        for (;;) {
          await up.write({ payload: new Uint8Array(10) });
          await turn();
        }
      }, coded("timeout"));
    },
  );

  check(
    "a caller's signal is aborted, before and during the call",
    waiting,
    async ({ channel }) => {
      reset();
      const early = { ...SOON, signal: AbortSignal.abort() };
      await assert.rejects(channel.unary(echo, {}, early), coded("aborted"));
      const controller = new AbortController();
      const call = channel.unary(echo, {}, { ...SOON, signal: controller.signal });
      await inside.promise;
      controller.abort();
      await assert.rejects(call, coded("aborted"));
      await until(() => signal?.aborted === true);
    },
  );

  check("a cancelled upload never looks ended to the handler", waiting, async ({ channel }) => {
    for (let round = 0; round < 30; round += 1) {
      reset();
      const up = channel.clientStream(gather, SOON);
      await up.write({ payload: new Uint8Array(round * 3000) });
      await inside.promise;
      for (let turns = 0; turns < round % 5; turns += 1) await turn();
      up.cancel();
      coded("aborted")(await outcome.promise);
      await assert.rejects(up.write({}), coded("aborted"));
      await assert.rejects(up.finish(), coded("aborted"));
    }
  });

  check("a reader that leaves a stream stops its handler", waiting, async ({ channel }) => {
    reset();
    let count = 0;
    for await (const part of channel.serverStream(spread, {}, SOON)) {
      assert.equal(part.payload.byteLength, 1000);
      count += 1;
      if (count === 5) break;
    }
    assert.equal(await outcome.promise, "left");
    await until(() => signal?.aborted === true);
  });
}

function flowTests(check: Check): void {
  let sent = 0;
  let received = 0;
  let gate = deferred<void>();
  const flowing: Partial<Handlers> = {
    async *spread(request) {
      sent = 0;
      const payload = new Uint8Array(MIB);
      for (let index = 0; index < request.count; index += 1) {
        payload.fill(index);
        sent += 1;
        yield { payload };
      }
    },
    async gather(requests) {
      received = 0;
      await gate.promise;
      for await (const { payload } of requests) {
        assert.equal(payload[0], received & 255);
        assert.equal(payload[payload.byteLength - 1], received & 255);
        received += 1;
      }
      return { count: BigInt(received) };
    },
    async *talk(requests) {
      for await (const request of requests) yield { payload: request.payload };
    },
  };

  check("64 MiB flow down, and a slow reader stalls the writer", flowing, async ({ channel }) => {
    let index = 0;
    for await (const { payload } of channel.serverStream(spread, { count: 64 }, SOON)) {
      assert.equal(payload.byteLength, MIB);
      assert.ok(payload.every((byte) => byte === index));
      // The reader dawdles at first: the writer must not run away meanwhile.
      if (index < 3) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        assert.ok(sent <= index + IN_FLIGHT_MAX, `${sent} sent, ${index} read`);
      }
      index += 1;
    }
    assert.equal(index, 64);
  });

  check("64 MiB flow up, and a slow handler stalls the writer", flowing, async ({ channel }) => {
    gate = deferred();
    const up = channel.clientStream(gather, SOON);
    const payload = new Uint8Array(MIB);
    let written = 0;
    async function writeAll(): Promise<void> {
      for (let index = 0; index < 64; index += 1) {
        // The buffer is the writer's again once `write` has resolved.
        payload.fill(index);
        await up.write({ payload });
        written += 1;
      }
    }
    const writing = writeAll();
    await new Promise((resolve) => setTimeout(resolve, 150));
    assert.ok(written > 0 && written <= IN_FLIGHT_MAX, `${written} written to a stalled handler`);
    gate.resolve();
    await writing;
    assert.equal((await up.finish()).count, 64n);
  });

  check("64 MiB flow both ways at once", flowing, async ({ channel }) => {
    const both = channel.bidi(talk, SOON);
    async function writeAll(): Promise<void> {
      for (let index = 0; index < 64; index += 1) {
        await both.write({ payload: new Uint8Array(MIB).fill(index) });
      }
      both.end();
    }
    const writing = writeAll();
    let index = 0;
    for await (const { payload } of both.responses) {
      assert.equal(payload[MIB - 1], index);
      index += 1;
    }
    await writing;
    assert.equal(index, 64);
  });

  check("200 stalled uploads hold no more than their bound", flowing, async ({ channel }) => {
    gate = deferred();
    const before = process.memoryUsage().rss;
    const payload = new Uint8Array(MIB);
    const controller = new AbortController();
    let written = 0;
    const uploads = Array.from({ length: 200 }, async () => {
      const up = channel.clientStream(gather, { ...SOON, signal: controller.signal });
      for (;;) {
        await up.write({ payload });
        written += 1;
      }
    });
    await new Promise((resolve) => setTimeout(resolve, 500));
    const grown = (process.memoryUsage().rss - before) / MIB;
    assert.ok(grown < 2000, `grew by ${grown} MiB, ${written} written`);
    controller.abort();
    for (const upload of uploads) await assert.rejects(upload, coded("aborted"));
    gate.resolve();
  });
}

function lifeTests(name: string, check: Check, createHarness: () => TransportHarness): void {
  check("nobody there is unavailable at once", {}, async ({ transport, server, address }) => {
    await server.close(0);
    const before = performance.now();
    const channel = transport.channel(address);
    await assert.rejects(channel.unary(echo, {}, SOON), coded("unavailable"));
    await assert.rejects(channel.clientStream(gather, SOON).finish(), coded("unavailable"));
    await assert.rejects(async () => {
      for await (const part of channel.serverStream(spread, {}, SOON)) assert.fail(part.text);
    }, coded("unavailable"));
    assert.ok(performance.now() - before < 5000);
  });

  let inside = deferred<void>();
  let gathering = deferred<void>();
  let outcome = deferred<unknown>();
  const holding: Partial<Handlers> = {
    async echo(request, context) {
      inside.resolve();
      if (request.text === "hold") await fired(context.signal);
      return { text: request.text };
    },
    async gather(requests) {
      gathering.resolve();
      try {
        for await (const request of requests) assert.ok(request);
        outcome.resolve("ended");
      } catch (error) {
        outcome.resolve(error);
        throw error;
      }
      return {};
    },
  };
  check("a server killed under a call leaves it unknown: timeout", holding, async (setting) => {
    const { channel, server } = setting;
    inside = deferred();
    gathering = deferred();
    outcome = deferred();
    const call = channel.unary(echo, { text: "hold" }, SOON);
    const up = channel.clientStream(gather, SOON);
    await up.write({ text: "part" });
    await inside.promise;
    await gathering.promise;
    const rejected = assert.rejects(call, coded("timeout"));
    await server.close(0);
    await rejected;
    coded("aborted")(await outcome.promise);
    await assert.rejects(up.finish(), coded("timeout"));
  });

  check("a stopping server lets running calls end", holding, async ({ channel, server }) => {
    gathering = deferred();
    const up = channel.clientStream(gather, SOON);
    await up.write({ text: "part" });
    await gathering.promise;
    const closing = server.close(10_000);
    await assert.rejects(channel.unary(echo, {}, SOON), coded("unavailable"));
    await up.write({ text: "more" });
    await up.finish();
    await closing;
  });

  check("a restarted server is found again on its address", holding, async (setting, harness) => {
    const { channel, server, address } = setting;
    assert.equal((await channel.unary(echo, { text: "a" }, SOON)).text, "a");
    await server.close(0);
    await assert.rejects(channel.unary(echo, {}, SOON), coded("unavailable"));
    const again = harness.createServer();
    again.add(EchoService, handlers({}));
    assert.equal(await again.listen(address), address);
    const restartedMs = performance.now();
    let answer: EchoResponse | undefined;
    while (answer === undefined) {
      answer = await channel.unary(echo, { text: "b" }, SOON).catch((error: unknown) => {
        coded("unavailable")(error);
        return undefined;
      });
      if (answer === undefined) await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.equal(answer.text, "b");
    assert.ok(performance.now() - restartedMs < 3000);
    await again.close(0);
  });

  check("a taken address is refused", {}, async ({ address }, harness) => {
    await assert.rejects(harness.createServer().listen(address), coded("io"));
  });

  test(`${name}: callers without the cluster's secret are denied`, async () => {
    const harness = createHarness();
    const server = harness.createServer("right");
    server.add(EchoService, handlers({ gather: async () => ({ text: "in" }) }));
    const address = await server.listen("127.0.0.1:0");
    for (const [secret, allowed] of [
      ["right", true],
      ["wrong", false],
      [undefined, false],
    ] as const) {
      const transport = harness.createTransport(secret);
      const channel = transport.channel(address);
      const calls = [
        () => channel.unary(echo, { text: "x" }, SOON),
        () => channel.clientStream(gather, SOON).finish(),
      ];
      for (const call of calls) {
        if (allowed) await call();
        else await assert.rejects(call, coded("denied"));
      }
      await transport.close();
    }
    await server.close(0);
  });

  test(`${name}: a closed transport refuses calls`, async () => {
    const transport = createHarness().createTransport();
    const channel = transport.channel("127.0.0.1:1");
    await transport.close();
    await assert.rejects(channel.unary(echo, {}, SOON), coded("unavailable"));
  });
}
