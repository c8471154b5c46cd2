// The transports' conformance tests of single calls: values, errors, order, deadlines, cancelling.
import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { deferred } from "../../../services/lib/base/bounded.ts";
import { ERROR_CODES, isStoreError, StoreError } from "../../../services/lib/base/errors.ts";
import type { CallContext } from "../../../services/lib/ports/transport.ts";
import { EchoRequestSchema } from "../../fixtures/gen/dolium/test/v1/echo_pb.ts";
import {
  type Check,
  coded,
  echo,
  fired,
  gather,
  type Handlers,
  MIB,
  SOON,
  spread,
  talk,
  turn,
  until,
} from "./transport-setting.ts";

export function addCallTests(check: Check): void {
  unaryTests(check);
  streamTests(check);
  cancelTests(check);
}

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
      // On a busy machine a short deadline may pass before the handler has begun.
      for (let deadlineMs = 60; signal === undefined; deadlineMs *= 2) {
        await assert.rejects(channel.unary(echo, {}, { deadlineMs }), coded("timeout"));
      }
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
