// What must be true when all faults are over and nobody writes: every version has all its shards,
// each good, each on a node of its own; nothing waits for repair or deletion; no shard lies on a
// disk that no manifest names; all replicas of a group hold the same state.

import type { Clients } from "../../../services/cli/compose/clients.ts";
import { toHex } from "../../../services/lib/base/bytes.ts";
import type { Chunk, Manifest } from "../../../services/lib/gen/dolium/record/v1/object_pb.ts";
import * as storage from "../../../services/lib/gen/dolium/storage/v1/storage_pb.ts";
import type { SimCluster } from "./cluster.ts";
import { type Check, Violation } from "./violation.ts";

const PAGE = 500;
/** Later than any writer began. */
const ALWAYS_MS = 2n ** 52n;

/** Throws Violation for what is not yet, or never will be, as it must. */
export async function census(cluster: SimCluster, clients: Clients): Promise<void> {
  const { metadata, view } = clients;
  await view.refresh();
  const wanted: Wanted = new Map();
  for (const groupId of view.indexGroups()) {
    const stats = await metadata.query(groupId, { case: "groupStats", value: {} });
    if (stats.repairEntries > 0n)
      fail("census", `group ${groupId}: ${stats.repairEntries} repairs`);
    if (stats.garbageEntries > 0n) {
      fail("orphans", `group ${groupId}: ${stats.garbageEntries} garbage records`);
    }
    for (const manifest of await manifestsOf(clients, groupId)) {
      for (const chunk of manifest.chunks) checkPlaces(clients, manifest, chunk, wanted);
    }
  }
  await checkShards(clients, wanted);
  await checkOrphans(clients, wanted);
  checkReplicas(cluster);
}

function fail(check: Check, message: string): never {
  throw new Violation(check, message);
}

async function manifestsOf({ metadata }: Clients, groupId: number): Promise<Manifest[]> {
  const manifests: Manifest[] = [];
  let cursor: Uint8Array = new Uint8Array(0);
  do {
    const value = { cursor, limit: PAGE };
    const page = await metadata.query(groupId, { case: "scanManifests", value });
    for (const { manifest } of page.entries) if (manifest !== undefined) manifests.push(manifest);
    cursor = page.nextCursor;
  } while (cursor.byteLength > 0);
  return manifests;
}

/** Shards that must be good, by disk. */
type Wanted = Map<number, { readonly chunkId: Uint8Array; readonly shardIndex: number }[]>;

/** Each shard has a place, each on a node of its own. */
function checkPlaces({ view }: Clients, manifest: Manifest, chunk: Chunk, wanted: Wanted): void {
  const begunMs = Buffer.from(manifest.manifestId).readUIntBE(0, 6) - Date.UTC(2026, 0, 1);
  const name =
    `${Buffer.from(manifest.key).toString()} of ${begunMs} ms, chunk ${toHex(chunk.chunkId)} ` +
    `on ${chunk.diskIds.join(" ")}`;
  const nodes = new Set<number>();
  for (const [shardIndex, diskId] of chunk.diskIds.entries()) {
    if (diskId === 0) fail("census", `${name}: shard ${shardIndex} is owed`);
    const disk = view.addressOf(diskId);
    if (disk === undefined) fail("census", `${name}: disk ${diskId} is not known`);
    if (nodes.has(disk.nodeId)) fail("census", `${name}: two shards on node ${disk.nodeId}`);
    nodes.add(disk.nodeId);
    const shards = wanted.get(diskId) ?? [];
    shards.push({ chunkId: chunk.chunkId, shardIndex });
    wanted.set(diskId, shards);
  }
}

async function checkShards({ view, shards }: Clients, wanted: Wanted): Promise<void> {
  for (const [diskId, names] of wanted) {
    const disk = view.addressOf(diskId);
    if (disk === undefined) fail("census", `disk ${diskId} is not known`);
    const states = await shards.stat(disk, names, { verify: true });
    const bad = states.findIndex((state) => state !== storage.StatShardsResponse_State.PRESENT);
    const name = names[bad];
    if (name !== undefined) {
      const what = shardName(diskId, name.chunkId, name.shardIndex);
      fail("census", `shard ${what} is in state ${states[bad]}`);
    }
  }
}

function shardName(diskId: number, chunkId: Uint8Array, shardIndex: number): string {
  return `${diskId}/${toHex(chunkId)}/${shardIndex}`;
}

async function checkOrphans({ view, shards }: Clients, wanted: Wanted): Promise<void> {
  const named = new Set(
    [...wanted].flatMap(([diskId, names]) =>
      names.map(({ chunkId, shardIndex }) => shardName(diskId, chunkId, shardIndex)),
    ),
  );
  for (const node of view.map().nodes) {
    for (const { diskId } of node.disks) {
      const disk = view.addressOf(diskId);
      if (disk === undefined) continue;
      const listing = await shards.list(disk, { limit: PAGE * 10, begunBeforeMs: ALWAYS_MS });
      for (const { chunkId, shardIndex } of listing.entries) {
        const name = shardName(diskId, chunkId, shardIndex);
        if (!named.has(name)) fail("orphans", `shard ${name} belongs to nobody`);
      }
    }
  }
}

/** Replicas that have applied the same entries must have the same digest. */
function checkReplicas(cluster: SimCluster): void {
  const digests = new Map<string, string>();
  const applied = new Map<number, Set<bigint>>();
  for (const { name, running } of cluster.metadata) {
    const status = running?.status();
    if (status === undefined) fail("liveness", `${name} is down`);
    for (const group of status.groups ?? []) {
      const { groupId = 0, digestIndex = 0n, digest, appliedIndex = 0n, state } = group;
      if (state !== "serving") fail("liveness", `${name}: group ${groupId} is ${state}`);
      const mark = `${groupId} at ${digestIndex}`;
      const text = toHex(digest ?? new Uint8Array(0));
      const other = digests.get(mark);
      if (other !== undefined && other !== text) fail("replicas", `group ${mark} on ${name}`);
      digests.set(mark, text);
      applied.set(groupId, (applied.get(groupId) ?? new Set()).add(BigInt(appliedIndex)));
    }
  }
  if (applied.size === 0) fail("liveness", "no replica serves a group");
  for (const [groupId, indexes] of applied) {
    const [least = 0n, most = 0n] = [...indexes]
      .sort((a, b) => Number(a - b))
      .flatMap((one, at, all) => (at === 0 || at === all.length - 1 ? [one] : []));
    const lag = indexes.size < 2 ? 0n : most - least;
    if (lag > LAG_MAX) fail("replicas", `group ${groupId}: a replica lags by ${lag} entries`);
  }
}

/** Leases and marks go on for ever, so replicas differ by what is on its way. */
const LAG_MAX = 20n;
