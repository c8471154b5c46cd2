// Replicas that are known by a certificate speak for themselves alone: neither the route of a
// stream nor a message in it may name another sender.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { isStoreError } from "../../../services/lib/base/errors.ts";
import type { PeerIdentity } from "../../../services/lib/base/peer-identity.ts";
import {
  ExchangeRequestSchema,
  InstallSnapshotRequestSchema,
} from "../../../services/lib/gen/dolium/raft/v1/raft_pb.ts";
import { createClock } from "../../../services/lib/host/clock.ts";
import type { CallContext, Transport } from "../../../services/lib/ports/transport.ts";
import { senderOf } from "../../../services/lib/raft/message-sender.ts";
import { RaftTransport } from "../../../services/lib/raft/transport.ts";
import { recordingLog, silentMetrics } from "../../sim/observers.ts";

const NOBODY: Transport = {
  channel: () => {
    throw new Error("nothing is sent here");
  },
  close: () => Promise.resolve(),
};
const route = { clusterId: "c", from: 7n, to: 2n };

/** The first 20 bits of an id belong to its name; here: 7 to "seven". */
function receiver(): { readonly raft: RaftTransport; readonly received: Uint8Array[] } {
  const received: Uint8Array[] = [];
  const raft = new RaftTransport({
    ...{ transport: NOBODY, clock: createClock(), logger: recordingLog(), nodeId: 2 },
    ...{ metrics: silentMetrics(), clusterId: "c", addressOf: () => undefined },
    mayBe: (id, name) => id === 7 && name === "seven",
  });
  raft.attach({
    receive: (_from, envelopes) => {
      for (const { messages } of envelopes) received.push(...messages);
    },
    receiveSnapshot: (_from, { message }) => {
      received.push(message);
      return Promise.resolve();
    },
    reportUnreachable: () => undefined,
  });
  return { raft, received };
}

function contextOf(name: string | undefined): CallContext {
  const context = { signal: new AbortController().signal, requestId: "r", peer: "p" };
  if (name === undefined) return context;
  const caller: PeerIdentity = { cluster: "test", role: "metadata", name };
  return { ...context, caller };
}

/** As the core encodes it: type, to, from, term. */
function message(from: number): Uint8Array {
  return Uint8Array.of(0x08, 5, 0x10, 2, 0x18, from, 0x20, 1);
}

async function exchange(name: string | undefined, ...messages: Uint8Array[]): Promise<number> {
  const { raft, received } = receiver();
  const envelopes = [{ groupId: 1, messages }];
  const request = create(ExchangeRequestSchema, { route, envelopes });
  await raft.handlers().exchange(
    (async function* () {
      yield request;
    })(),
    contextOf(name),
  );
  return received.length;
}

const isDenied = (error: unknown): boolean => isStoreError(error, "denied");

test("a replica's own messages are taken", async () => {
  assert.equal(await exchange("seven", message(7), message(7)), 2);
  assert.equal(await exchange(undefined, message(9)), 1, "without TLS nothing is compared");
});

test("nobody opens a stream under another's id", async () => {
  await assert.rejects(exchange("eight", message(7)), isDenied);
});

test("nobody passes on a message of another", async () => {
  await assert.rejects(exchange("seven", message(7), message(9)), isDenied);
  const twice = Buffer.concat([message(7), Uint8Array.of(0x18, 9)]);
  await assert.rejects(exchange("seven", twice), isDenied, "the last field counts");
});

test("nobody sends a snapshot that another announces", async () => {
  const send = async (name: string, from: number): Promise<number> => {
    const { raft, received } = receiver();
    const header = { route, groupId: 1, message: message(from) };
    const kinds = [
      { case: "header", value: header },
      { case: "end", value: { chunks: 0n, bytes: 0n } },
    ] as const;
    await raft.handlers().installSnapshot(
      (async function* () {
        for (const kind of kinds) yield create(InstallSnapshotRequestSchema, { kind });
      })(),
      contextOf(name),
    );
    return received.length;
  };
  assert.equal(await send("seven", 7), 1);
  await assert.rejects(send("seven", 9), isDenied);
  await assert.rejects(send("eight", 7), isDenied);
});

test("the sender is found behind fields of every kind, and nothing else is taken for it", () => {
  const entries = Uint8Array.of(0x3a, 4, 0x18, 9, 0x18, 9);
  assert.equal(senderOf(Buffer.concat([message(7), entries])), 7);
  assert.equal(senderOf(Buffer.concat([Uint8Array.of(0x0d, 1, 2, 3, 4), message(7)])), 7);
  assert.equal(senderOf(Uint8Array.of(0x08, 5)), 0);
  const large = 2 ** 47 + 12_345;
  const digits: number[] = [];
  for (let rest = large; rest > 0; rest = Math.floor(rest / 128)) digits.push((rest % 128) | 0x80);
  digits.push(0);
  assert.equal(senderOf(Uint8Array.of(0x18, ...digits)), large);
  for (const broken of [[0x18], [0x3a, 9, 1], [0x0b], [0x18, ...Array(11).fill(0xff)]]) {
    assert.throws(
      () => senderOf(Uint8Array.from(broken)),
      (error) => isStoreError(error, "corrupt"),
    );
  }
});
