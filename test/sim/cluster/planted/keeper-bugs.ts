// Bugs of the keeper: repair that does not repair, garbage that is not garbage, or stays.
import type { Clients } from "../../../../services/cli/compose/clients.ts";
import { StoreError } from "../../../../services/lib/base/errors.ts";
import { StatShardsResponse_State as ShardState } from "../../../../services/lib/gen/dolium/storage/v1/storage_pb.ts";
import type { Bug } from "./bug.ts";
import { rebuildingWrongly } from "./read-bugs.ts";

/** The fence is said to stand where it was wanted, and stands where it stood. */
function withoutFence(clients: Clients): Clients {
  const { metadata } = clients;
  const execute = metadata.execute.bind(metadata);
  metadata.execute = async (groupId, kind, options) => {
    if (kind.case !== "advanceFence") return execute(groupId, kind, options);
    const still = { case: "advanceFence", value: { fenceMs: 0n } } as const;
    const reply = await execute(groupId, still, options);
    if (reply.kind.case !== "advanceFence") throw new StoreError("internal", "no fence");
    reply.kind.value.fenceMs = BigInt(kind.value.fenceMs ?? 0n);
    return reply;
  };
  return clients;
}

/** Every shard that a manifest names is taken to be there. */
function believing(clients: Clients): Clients {
  clients.shards.stat = async (_disk, names) => names.map(() => ShardState.PRESENT);
  return clients;
}

/** Room for a lost shard is looked for without regard to where the others are. */
function crowding(clients: Clients): Clients {
  const { view } = clients;
  const replacements = view.replacements.bind(view);
  view.groupDisks = () => undefined;
  view.replacements = (policy, wish) => replacements(policy, { ...wish, held: [] });
  return clients;
}

/** Says that shards are deleted, and deletes none. */
function keepingGarbage(clients: Clients): Clients {
  clients.shards.delete = async (_disk, items) => items.length;
  return clients;
}

export const KEEPER_BUGS = {
  "orphan-race": {
    what: "Shards are judged orphans while their writer may still commit: the fence does not move.",
    checks: ["census", "versions", "liveness", "orphans"],
    faults: ["slow-disk", "bad-network"],
    seed: 1,
    places: {
      keeper: withoutFence,
      keeperConfig: { orphanGraceMs: 1000, orphanQuarantineMs: 0, sweepIntervalMs: 100 },
    },
  },
  "repair-wrong-bytes": {
    what: "A repair writes bytes that are not the lost ones.",
    checks: ["census", "versions", "bytes"],
    faults: ["rot", "kill"],
    seed: 1,
    places: {
      keeper: (clients) => ({ ...clients, erasure: rebuildingWrongly(clients.erasure) }),
    },
  },
  "repair-believes": {
    what: "Repair takes every shard to be good that a manifest names.",
    checks: ["census"],
    faults: ["rot"],
    seed: 1,
    places: { keeper: believing },
  },
  "repair-crowds": {
    what: "Repair puts two shards of a chunk on one node.",
    checks: ["census"],
    faults: ["kill", "rot"],
    seed: 1,
    places: { keeper: crowding },
  },
  "garbage-kept": {
    what: "Shards that nobody owns stay on the disks.",
    checks: ["orphans"],
    seed: 1,
    places: { keeper: keepingGarbage },
  },
} as const satisfies Readonly<Record<string, Bug>>;
