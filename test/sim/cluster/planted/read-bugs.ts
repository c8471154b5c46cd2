// Bugs in how gateways read: answers that are old, incomplete or not the bytes that were written.
import type { Clients } from "../../../../services/cli/compose/clients.ts";
import { WireReader } from "../../../../services/lib/base/wire-reader.ts";
import { BodyReader } from "../../../../services/lib/clients/body-reader.ts";
import type {
  MetadataClient,
  QueryAnswer,
  QueryCase,
} from "../../../../services/lib/clients/metadata-client.ts";
import type { ErasureCompute } from "../../../../services/lib/ports/compute.ts";
import { Group } from "../../../../services/lib/raft/group.ts";
import type { Ports } from "../process.ts";
import type { Bug } from "./bug.ts";

type Query = MetadataClient["query"];

/** How long a cache believes what it was told. */
const CACHED_MS = 1500;

/** Answers of that kind are kept for a while, whatever is written meanwhile. */
function caching(clients: Clients, { clock }: Ports, cached: QueryCase): Clients {
  const { metadata } = clients;
  const ask: Query = metadata.query.bind(metadata);
  const kept = new Map<string, { readonly untilMs: number; readonly answer: unknown }>();
  const query: Query = async <C extends QueryCase>(...args: Parameters<typeof ask<C>>) => {
    const [groupId, kind] = args;
    if (kind.case !== cached) return ask(...args);
    const name = `${groupId} ${JSON.stringify(kind.value, printable)}`;
    const former = kept.get(name);
    // Kept under the very question that it answers.
    if (former !== undefined && former.untilMs > clock.monotonicMs()) {
      return former.answer as QueryAnswer<C>;
    }
    const answer = await ask(...args);
    kept.set(name, { untilMs: clock.monotonicMs() + CACHED_MS, answer });
    return answer;
  };
  metadata.query = query;
  return clients;
}

function printable(_name: string, value: unknown): unknown {
  if (typeof value === "bigint") return String(value);
  return value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value;
}

/** Pages that are continued lose their first key. */
function skippingKeys(clients: Clients): Clients {
  const { metadata } = clients;
  const ask: Query = metadata.query.bind(metadata);
  const query: Query = async (groupId, kind, options) => {
    const answer = await ask(groupId, kind, options);
    if (answer.$typeName === "dolium.metadata.v1.ListObjectsAnswer") {
      answer.packedEntries = withoutFirst(answer.packedEntries);
    }
    return answer;
  };
  metadata.query = query;
  return clients;
}

/** One entry alone stays. */
function withoutFirst(packed: Uint8Array): Uint8Array {
  const reader = new WireReader(packed);
  if (!reader.isAtEnd) reader.delimited();
  return reader.isAtEnd ? packed : packed.subarray(reader.at);
}

/** The code rebuilds wrong bytes: one bit of each shard that it makes is off. */
export function rebuildingWrongly(erasure: ErasureCompute): ErasureCompute {
  return {
    encode: (data, parity) => erasure.encode(data, parity),
    reconstruct: (known, scheme, wanted) => {
      const rebuilt = erasure.reconstruct(known, scheme, wanted);
      for (const shard of rebuilt) if (shard.byteLength > 0) shard[0] = (shard[0] ?? 0) ^ 1;
      return rebuilt;
    },
  };
}

function decodingWrongly(clients: Clients, { clock }: Ports): Clients {
  const { view, shards } = clients;
  const erasure = rebuildingWrongly(clients.erasure);
  const reader = new BodyReader({ view, shards, erasure, clock, onDamage: () => undefined });
  return { ...clients, reader };
}

function withoutReadIndex(): () => void {
  const { readBarrier } = Group.prototype;
  Group.prototype.readBarrier = async () => undefined;
  return () => {
    Group.prototype.readBarrier = readBarrier;
  };
}

export const READ_BUGS = {
  "stale-read": {
    what: "Reads are answered from local state, without a read index.",
    checks: ["linearizable", "listing"],
    faults: ["partition"],
    inlineBytes: 16_384,
    workload: { sources: ["s1"], targets: ["t1"], bodyBytesMax: 2000, pauseMs: 30 },
    seed: 3,
    places: { install: withoutReadIndex },
  },
  "cached-object": {
    what: "A gateway keeps what it read of an object for a while.",
    checks: ["linearizable"],
    seed: 3,
    places: { gateway: (clients, ports) => caching(clients, ports, "getObject") },
  },
  "cached-listing": {
    what: "A gateway keeps pages of listings for a while.",
    checks: ["listing", "linearizable"],
    workload: { listShare: 0.3, pauseMs: 100 },
    seed: 1,
    places: { gateway: (clients, ports) => caching(clients, ports, "listObjects") },
  },
  "listing-skips": {
    what: "A page of a listing leaves out a key.",
    checks: ["listing"],
    seed: 1,
    places: { gateway: skippingKeys },
  },
  "wrong-decode": {
    what: "A read that misses a data shard yields wrong bytes.",
    checks: ["bytes"],
    faults: ["kill", "read-error"],
    seed: 1,
    places: { gateway: decodingWrongly },
  },
} as const satisfies Readonly<Record<string, Bug>>;
