// Raft's traffic over both transports: order, routes, bounds, snapshots that end as they should and
// those that do not, and a group of three hosts that works over it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { deferred } from "../../../services/lib/base/bounded.ts";
import { isStoreError, StoreError } from "../../../services/lib/base/errors.ts";
import { RaftService } from "../../../services/lib/gen/dolium/raft/v1/raft_pb.ts";
import { createClock } from "../../../services/lib/host/clock.ts";
import { createGrpcServer } from "../../../services/lib/host/grpc-server.ts";
import { createGrpcTransport } from "../../../services/lib/host/grpc-transport.ts";
import { createLocalNetwork } from "../../../services/lib/host/local-transport.ts";
import { createRandom } from "../../../services/lib/host/random.ts";
import type { RpcServer, Transport } from "../../../services/lib/ports/transport.ts";
import { createRaftCore } from "../../../services/lib/raft/core.ts";
import { RaftHost } from "../../../services/lib/raft/host.ts";
import { RaftTransport } from "../../../services/lib/raft/transport.ts";
import type {
  Envelope,
  IncomingSnapshot,
  OutgoingSnapshot,
  RaftReceiver,
} from "../../../services/lib/raft/types.ts";
import { SimDisk } from "../../sim/disk.ts";
import { recordingLog, silentMetrics } from "../../sim/observers.ts";
import { ListMachine } from "../../sim/raft/machine.ts";
import { openLog } from "../metadata/log-rig.ts";

interface Net {
  readonly server: () => RpcServer;
  readonly transport: () => Transport;
}

const clock = createClock();
const logger = recordingLog();

function grpc(): Net {
  return {
    server: () => createGrpcServer({ log: logger, random: createRandom() }),
    transport: () => createGrpcTransport(),
  };
}

function local(): Net {
  const network = createLocalNetwork({ clock, random: createRandom(), log: logger });
  return { server: () => network.createServer(), transport: () => network.createTransport() };
}

class Recorder implements RaftReceiver {
  readonly received: string[] = [];
  readonly chunks: Uint8Array[] = [];
  unreachable = 0;
  take: (snapshot: IncomingSnapshot) => Promise<void> = async (snapshot) => {
    for await (const chunk of snapshot.chunks) this.chunks.push(new Uint8Array(chunk));
  };

  receive(from: number, envelopes: readonly Envelope[]): void {
    for (const { groupId, messages } of envelopes) {
      for (const message of messages) {
        this.received.push(`${from}/${groupId}/${Buffer.from(message).toString()}`);
      }
    }
  }

  async receiveSnapshot(_from: number, snapshot: IncomingSnapshot): Promise<void> {
    await this.take(snapshot);
  }

  reportUnreachable(): void {
    this.unreachable += 1;
  }
}

interface Pair {
  readonly sender: RaftTransport;
  readonly atSender: Recorder;
  readonly atReceiver: Recorder;
  readonly transport: Transport;
  readonly address: string;
  readonly server: RpcServer;
}

interface PairOptions {
  readonly senderCluster?: string;
  readonly receiverId?: number;
}

async function withPair(
  net: Net,
  work: (pair: Pair) => Promise<void>,
  { senderCluster = "c", receiverId = 2 }: PairOptions = {},
): Promise<void> {
  const addresses = new Map<number, string>();
  const make = (
    nodeId: number,
    clusterId: string,
  ): { transport: Transport; raft: RaftTransport } => {
    const transport = net.transport();
    const addressOf = (id: number): string | undefined => addresses.get(id);
    const metrics = silentMetrics();
    const mayBe = (): boolean => false;
    const deps = { transport, clock, logger, metrics, nodeId, clusterId, addressOf, mayBe };
    return { transport, raft: new RaftTransport(deps) };
  };
  const one = make(1, senderCluster);
  const two = make(receiverId, "c");
  const atSender = new Recorder();
  const atReceiver = new Recorder();
  one.raft.attach(atSender);
  two.raft.attach(atReceiver);
  const server = net.server();
  server.add(RaftService, two.raft.handlers());
  const address = await server.listen("127.0.0.1:0");
  addresses.set(2, address);
  try {
    const { transport, raft: sender } = one;
    await work({ sender, atSender, atReceiver, transport, address, server });
  } finally {
    await one.raft.close();
    await two.raft.close();
    await one.transport.close();
    await two.transport.close();
    await server.close(0);
  }
}

/** Waits, turn by turn, until `condition` holds; the test's time limit bounds it. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await clock.sleep(1);
}

function envelope(groupId: number, ...messages: string[]): Envelope {
  return { groupId, messages: messages.map((text) => Buffer.from(text)) };
}

function snapshot(chunks: AsyncIterable<Uint8Array>, signal?: AbortSignal): OutgoingSnapshot {
  const point = { index: 1, term: 1, confState: new Uint8Array(0) };
  const message = Buffer.from("announcement");
  return { groupId: 5, message, point, chunks, signal: signal ?? new AbortController().signal };
}

async function* pieces(count: number, bytes: number): AsyncIterable<Uint8Array> {
  for (let at = 0; at < count; at += 1) yield new Uint8Array(bytes).fill(at);
}

const LIMIT = { timeout: 30_000 };

for (const [name, createNet] of [["local", local] as const, ["grpc", grpc] as const]) {
  test(`${name}: messages of all groups arrive in order`, LIMIT, async () => {
    await withPair(createNet(), async ({ sender, atReceiver }) => {
      const expected: string[] = [];
      for (let at = 0; at < 500; at += 1) {
        sender.send(2, [envelope(1, `a${at}`, `b${at}`), envelope(2, `c${at}`)]);
        expected.push(`1/1/a${at}`, `1/1/b${at}`, `1/2/c${at}`);
      }
      await until(() => atReceiver.received.length >= expected.length);
      assert.deepEqual(atReceiver.received, expected);
    });
  });

  test(`${name}: a snapshot arrives whole and is acknowledged when taken`, LIMIT, async () => {
    await withPair(createNet(), async ({ sender, atReceiver }) => {
      await sender.sendSnapshot(2, snapshot(pieces(9, 300_000)));
      assert.deepEqual(
        atReceiver.chunks.map((chunk) => `${chunk.byteLength}:${chunk[0]}`),
        Array.from({ length: 9 }, (_, at) => `300000:${at}`),
      );
    });
  });

  test(`${name}: a snapshot nobody needs is acknowledged too`, LIMIT, async () => {
    await withPair(createNet(), async ({ sender, atReceiver }) => {
      atReceiver.take = () => Promise.resolve();
      await sender.sendSnapshot(2, snapshot(pieces(30, 300_000)));
    });
  });

  test(`${name}: a snapshot the receiver cannot take is reported as failed`, LIMIT, async () => {
    await withPair(createNet(), async ({ sender, atReceiver }) => {
      atReceiver.take = () => Promise.reject(new StoreError("not-found", "no such group"));
      const sent = sender.sendSnapshot(2, snapshot(pieces(3, 1000)));
      await assert.rejects(sent, (error) => isStoreError(error, "not-found"));
    });
  });

  test(`${name}: a snapshot whose source fails never looks whole`, LIMIT, async () => {
    await withPair(createNet(), async ({ sender, atReceiver }) => {
      const outcome = deferred<unknown>();
      const begun = deferred<void>();
      const take = atReceiver.take;
      atReceiver.take = (incoming) => {
        begun.resolve();
        return take(incoming).then(
          () => outcome.resolve("whole"),
          (error: unknown) => {
            outcome.resolve(error);
            throw error;
          },
        );
      };
      async function* broken(): AsyncIterable<Uint8Array> {
        yield* pieces(3, 1000);
        await begun.promise;
        throw new StoreError("io", "the state cannot be read");
      }
      const sent = sender.sendSnapshot(2, snapshot(broken()));
      await assert.rejects(sent, (error) => isStoreError(error, "io"));
      assert.ok((await outcome.promise) instanceof StoreError);
    });
  });

  test(`${name}: an aborted snapshot ends on both sides`, LIMIT, async () => {
    await withPair(createNet(), async ({ sender, atReceiver }) => {
      const controller = new AbortController();
      async function* endless(): AsyncIterable<Uint8Array> {
        for (;;) yield new Uint8Array(1000);
      }
      const begun = deferred<void>();
      const ended = deferred<void>();
      atReceiver.take = async (incoming) => {
        try {
          for await (const _ of incoming.chunks) begun.resolve();
        } finally {
          ended.resolve();
        }
      };
      const sent = sender.sendSnapshot(2, snapshot(endless(), controller.signal));
      await begun.promise;
      controller.abort();
      await assert.rejects(sent, (error) => isStoreError(error, "aborted"));
      await ended.promise;
    });
  });

  test(`${name}: nodes of another cluster, and those not meant, are refused`, LIMIT, async () => {
    for (const options of [{ senderCluster: "other" }, { receiverId: 3 }]) {
      await withPair(
        createNet(),
        async ({ sender, atSender, atReceiver }) => {
          const sent = sender.sendSnapshot(2, snapshot(pieces(1, 10)));
          await assert.rejects(sent, (error) => isStoreError(error, "invalid"));
          const timer = setInterval(() => sender.send(2, [envelope(1, "x")]), 2);
          await until(() => atSender.unreachable > 0);
          clearInterval(timer);
          assert.deepEqual(atReceiver.received, []);
        },
        options,
      );
    }
  });

  test(
    `${name}: an unknown or dead peer is reported, a living one is found again`,
    LIMIT,
    async () => {
      await withPair(createNet(), async ({ sender, atSender, atReceiver, server }) => {
        sender.send(9, [envelope(1, "x")]);
        await until(() => atSender.unreachable > 0);
        const sent = sender.sendSnapshot(9, snapshot(pieces(1, 10)));
        await assert.rejects(sent, (error) => isStoreError(error, "unavailable"));
        sender.send(2, [envelope(1, "first")]);
        await until(() => atReceiver.received.length === 1);
        await server.close(0);
        const before = atSender.unreachable;
        const timer = setInterval(() => sender.send(2, [envelope(1, "y")]), 2);
        await until(() => atSender.unreachable > before);
        clearInterval(timer);
      });
    },
  );

  test(`${name}: three hosts elect, replicate, read and send a snapshot`, LIMIT, async () => {
    await withHosts(createNet(), async (hosts) => {
      const group = (at: number): ReturnType<RaftHost["group"]> => hosts[at]?.host.group(1);
      await until(() => [0, 1, 2].some((at) => group(at)?.isLeader() === true));
      const leader = [0, 1, 2].find((at) => group(at)?.isLeader() === true) ?? 0;
      const limits = { deadlineMs: 5000 };
      for (let at = 0; at < 40; at += 1)
        await group(leader)?.propose(Buffer.from(`c${at}`), limits);
      await group((leader + 1) % 3)?.readBarrier(limits);
      assert.ok((hosts[(leader + 1) % 3]?.machine.list.length ?? 0) >= 40);
      await until(() => (group(leader)?.status().logStartIndex ?? 0) > 5);
      await group(leader)?.changeMembers([{ kind: "add-learner", nodeId: 4 }], limits);
      await until(() => (hosts[3]?.machine.list.length ?? 0) >= 40);
    });
  });
}

interface Member {
  readonly host: RaftHost;
  readonly machine: ListMachine;
}

/** Nodes 1 to 3 begin a group; node 4 waits to be added. */
async function withHosts(net: Net, work: (members: Member[]) => Promise<void>): Promise<void> {
  const addresses = new Map<number, string>();
  const members: Member[] = [];
  const closers: (() => Promise<void>)[] = [];
  for (const nodeId of [1, 2, 3, 4]) {
    const disk = new SimDisk();
    const log = await openLog(disk);
    const watch = (): void => undefined;
    const machine = await ListMachine.open({ disk, path: "state", watch, flushLies: false });
    const transport = net.transport();
    const metrics = silentMetrics();
    const raft = new RaftTransport({
      transport,
      clock,
      logger,
      metrics,
      nodeId,
      clusterId: "c",
      addressOf: (id) => addresses.get(id),
      mayBe: () => false,
    });
    const host = new RaftHost({
      core: createRaftCore({ seed: BigInt(nodeId) }),
      log,
      clock,
      logger,
      metrics,
      sender: raft,
      nodeId,
      events: {
        failed: (error) => {
          throw error;
        },
      },
      timing: { tickMs: 10, keepEntries: 8 },
    });
    raft.attach(host);
    const server = net.server();
    server.add(RaftService, raft.handlers());
    addresses.set(nodeId, await server.listen("127.0.0.1:0"));
    closers.push(async () => {
      await host.stop();
      await raft.close();
      await server.close(0);
      await transport.close();
      await log.close();
    });
    members.push({ host, machine });
  }
  try {
    for (const [at, { host, machine }] of members.entries()) {
      const bootstrap = at < 3 ? { bootstrap: [1, 2, 3] } : {};
      await host.openGroup({ groupId: 1, machine, ...bootstrap });
    }
    await work(members);
  } finally {
    for (const close of closers) await close();
  }
}
