// Bugs in how gateways write: lost conditions, writes that are not there or happen twice.
import { create } from "@bufbuild/protobuf";
import type { Clients } from "../../../../services/cli/compose/clients.ts";
import { BodyWriter } from "../../../../services/lib/clients/body-writer.ts";
import type {
  CommandKind,
  ExecuteOptions,
  MetadataClient,
} from "../../../../services/lib/clients/metadata-client.ts";
import { ShardClient } from "../../../../services/lib/clients/shard-client.ts";
import { StripePool } from "../../../../services/lib/clients/stripe-pool.ts";
import {
  Outcome,
  type Reply,
  ReplySchema,
} from "../../../../services/lib/gen/dolium/record/v1/command_pb.ts";
import type { Ports } from "../process.ts";
import type { Bug } from "./bug.ts";

type Execute = (groupId: number, kind: CommandKind, options?: ExecuteOptions) => Promise<Reply>;

/** Puts `change` around the commands of this process. */
function overCommands(
  clients: Clients,
  change: (execute: Execute, metadata: MetadataClient) => Execute,
): Clients {
  const { metadata } = clients;
  metadata.execute = change(metadata.execute.bind(metadata), metadata);
  return clients;
}

function withoutConditions(execute: Execute): Execute {
  return (groupId, kind, options) => {
    const value = { ...kind.value };
    Reflect.deleteProperty(value, "condition");
    const stripped: CommandKind = Object.assign({ ...kind }, { value });
    return execute(groupId, stripped, options);
  };
}

/** A put is answered while it is on its way, whatever comes of it. */
function answeringEarly(execute: Execute): Execute {
  return async (groupId, kind, options) => {
    if (kind.case !== "putObject") return execute(groupId, kind, options);
    void execute(groupId, kind, options).catch(() => undefined);
    const put = { case: "putObject", value: {} } as const;
    return create(ReplySchema, { outcome: Outcome.OK, kind: put });
  };
}

/** Where nothing is. */
const ELSEWHERE = Buffer.from("no key of any client");

function deletingElsewhere(execute: Execute): Execute {
  return (groupId, kind, options) => {
    if (kind.case !== "deleteObjects") return execute(groupId, kind, options);
    const { bucketId = 0, targets = [] } = kind.value;
    const value = { bucketId, targets: targets.map(() => ({ key: ELSEWHERE })) };
    return execute(groupId, { case: "deleteObjects", value }, options);
  };
}

/** Repeats what is done a while after it was answered, as another command. */
function repeating(
  { clock }: Ports,
  wanted: (kind: CommandKind) => boolean,
): (execute: Execute) => Execute {
  return (execute) => async (groupId, kind, options) => {
    const reply = await execute(groupId, kind, options);
    if (wanted(kind)) {
      clock.after(REPEAT_MS, () => void execute(groupId, kind, {}).catch(() => undefined));
    }
    return reply;
  };
}

const REPEAT_MS = 600;

/** A delete without a version id takes the newest version away for good. */
function deletingVersions(execute: Execute, metadata: MetadataClient): Execute {
  return async (groupId, kind, options) => {
    if (kind.case !== "deleteObjects") return execute(groupId, kind, options);
    const { bucketId = 0, targets = [] } = kind.value;
    const found = targets.map(async ({ key = ELSEWHERE }) => {
      const value = { bucketId, key };
      const { version } = await metadata.query(groupId, { case: "getObject", value });
      return { key, versionId: version?.versionId ?? new Uint8Array(0) };
    });
    const value = { bucketId, targets: await Promise.all(found) };
    return execute(groupId, { case: "deleteObjects", value }, options);
  };
}

/** Frees what a write will replace before it is known whether it will. */
function freeingEarly(clients: Clients): Clients {
  const { metadata, view, shards } = clients;
  async function free(groupId: number, bucketId: number, key: Uint8Array): Promise<void> {
    const value = { bucketId, key, withBody: true };
    const { manifests } = await metadata.query(groupId, { case: "getObject", value });
    for (const { chunks, manifestId } of manifests) {
      for (const { chunkId, diskIds } of chunks) {
        for (const [shardIndex, diskId] of diskIds.entries()) {
          const disk = view.addressOf(diskId);
          if (disk === undefined) continue;
          const name = { chunkId, shardIndex };
          await shards.delete(disk, [{ name, manifestId, begunBeforeMs: 0n }]);
        }
      }
    }
  }
  return overCommands(clients, (execute) => async (groupId, kind, options) => {
    if (kind.case === "putObject") {
      const { bucketId, key } = kind.value;
      if (bucketId !== undefined && key !== undefined) await free(groupId, bucketId, key);
    }
    return execute(groupId, kind, options);
  });
}

/** One fewer than the data shards of the simulated policy. */
const KEPT_SHARDS = 3;
const POOL_BYTES = 64 * 1024 * 1024;

function keepingFewShards(clients: Clients, ports: Ports): Clients {
  const { view, erasure } = clients;
  const { clock, random, log, transport } = ports;
  const shards = new ShardClient(transport);
  const openWrite = shards.openWrite.bind(shards);
  shards.openWrite = (request) => {
    const write = openWrite(request);
    if (request.shard.shardIndex < KEPT_SHARDS) return write;
    // Said to be durable as soon as it is handed over, and never asked about again.
    write.cancel();
    return { write: async () => undefined, finish: async () => undefined, cancel: () => undefined };
  };
  const pool = new StripePool(POOL_BYTES);
  const writer = new BodyWriter({ view, shards, erasure, pool, clock, random, log });
  return { ...clients, writer };
}

export const WRITE_BUGS = {
  "lost-compare-and-swap": {
    what: "Conditional writes lose their condition.",
    checks: ["linearizable"],
    seed: 1,
    places: { gateway: (clients) => overCommands(clients, withoutConditions) },
  },
  "acknowledged-early": {
    what: "A write is acknowledged before it is committed.",
    checks: ["linearizable", "listing"],
    faults: ["partition", "one-way-cut", "kill"],
    seed: 1,
    places: { gateway: (clients) => overCommands(clients, answeringEarly) },
  },
  "delete-elsewhere": {
    what: "A delete is acknowledged and takes another key.",
    checks: ["linearizable", "listing"],
    seed: 1,
    places: { gateway: (clients) => overCommands(clients, deletingElsewhere) },
  },
  "delete-done-twice": {
    what: "A delete is repeated after it was answered, over what was written since.",
    checks: ["linearizable", "listing", "versions"],
    seed: 3,
    places: {
      gateway: (clients, ports) => overCommands(clients, repeating(ports, isCurrentDelete)),
    },
  },
  "late-retry": {
    what: "A put is repeated after it was answered, and brings an old value back.",
    checks: ["linearizable", "listing", "census"],
    // A body on the storage nodes cannot be put twice: its manifest is known.
    inlineBytes: 16_384,
    workload: { sources: ["s1"], targets: ["t1"], bodyBytesMax: 2000, pauseMs: 100 },
    seed: 1,
    places: {
      gateway: (clients, ports) =>
        overCommands(
          clients,
          repeating(ports, (kind) => kind.case === "putObject"),
        ),
    },
  },
  "delete-takes-versions": {
    what: "A delete in a bucket with versions takes a version instead of laying a marker.",
    checks: ["versions", "linearizable"],
    seed: 1,
    places: { gateway: (clients) => overCommands(clients, deletingVersions) },
  },
  "garbage-too-early": {
    what: "An overwrite deletes the former shards before it is committed.",
    checks: ["census", "versions", "liveness"],
    faults: ["bad-network", "kill"],
    seed: 1,
    places: { gateway: freeingEarly },
  },
  "wrong-shard-bound": {
    what: "A write is acknowledged with k - 1 shards on disks.",
    checks: ["census", "versions", "liveness"],
    faults: ["kill"],
    seed: 1,
    places: { gateway: keepingFewShards },
  },
} as const satisfies Readonly<Record<string, Bug>>;

function isCurrentDelete(kind: CommandKind): boolean {
  return kind.case === "deleteObjects";
}
