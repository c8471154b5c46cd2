// Takes a backup of a running cluster: each index group at one moment, then the root group at a
// later one. So whatever an index group refers to (buckets, keys for encryption, disks) is known to
// the root group of the same backup, and no id is ever given out twice. Everything that was
// acknowledged before the call is in it; of what comes meanwhile, some.
import { toSafeNumber } from "../../lib/base/bytes.ts";
import { StoreError, toStoreError } from "../../lib/base/errors.ts";
import { ROOT_GROUP } from "../../lib/clients/groups.ts";
import type { MetadataClient } from "../../lib/clients/metadata-client.ts";
import {
  type ExportGroupResponse,
  MetadataService,
} from "../../lib/gen/dolium/metadata/v1/metadata_pb.ts";
import type { Clock } from "../../lib/ports/clock.ts";
import type { Disk } from "../../lib/ports/disk.ts";
import type { Transport } from "../../lib/ports/transport.ts";
import { BACKUP_FORMAT, type BackupHeader, BackupWriter } from "./backup-file.ts";
import { type BackupSummary, verifyBackup } from "./backup-reader.ts";

export interface ExportDeps {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly transport: Transport;
  readonly metadata: Pick<MetadataClient, "query">;
  /** host:port of every metadata replica. */
  readonly addresses: readonly string[];
  readonly release: string;
}

export interface BackupPlace {
  readonly folder: string;
  readonly name: string;
}

const GROUP_DEADLINE_MS = 24 * 60 * 60 * 1000;
/** Attempts at each replica before the export is given up. */
const ROUNDS = 3;
const PAUSE_MS = 500;

/**
 * Writes the backup, power-safe under its name when it resolves, and reads it back. Throws
 * "exists", "no-space", "unavailable". `placeOf` names the file once the cluster is known.
 */
export async function exportBackup(
  deps: ExportDeps,
  placeOf: (header: BackupHeader) => BackupPlace,
): Promise<BackupSummary & { readonly path: string }> {
  const header = await headerNow(deps);
  const place = placeOf(header);
  const writer = await BackupWriter.create(deps.disk, place, header);
  try {
    for (const groupId of header.groupIds) await writeGroup(deps, writer, groupId);
    await writer.finish();
  } catch (error) {
    await writer.abandon();
    throw error;
  }
  const path = `${place.folder}/${place.name}`;
  return { ...(await verifyBackup(deps.disk, path)), path };
}

async function headerNow({ metadata, clock, release }: ExportDeps): Promise<BackupHeader> {
  const kind = { case: "getClusterMap", value: {} } as const;
  const { map } = await metadata.query(ROOT_GROUP, kind);
  if (map === undefined) throw new StoreError("unavailable", "the cluster has no map yet");
  return {
    format: BACKUP_FORMAT,
    clusterId: map.clusterId,
    createdMs: Math.floor(clock.wallMs()),
    release,
    groupIds: [...map.indexGroups.toSorted((a, b) => a - b), ROOT_GROUP],
  };
}

async function writeGroup(deps: ExportDeps, writer: BackupWriter, groupId: number): Promise<void> {
  const { first, rest } = await beginExport(deps, groupId);
  const index = toSafeNumber(first.appliedIndex);
  const term = toSafeNumber(first.appliedTerm);
  await writer.beginGroup({ groupId, index, term });
  await writer.chunk(first.chunk);
  for (;;) {
    const next = await rest.next();
    if (next.done === true) break;
    if (next.value.appliedIndex !== first.appliedIndex) {
      throw new StoreError("internal", `group ${groupId} was exported at two moments`);
    }
    await writer.chunk(next.value.chunk);
  }
  await writer.endGroup();
}

/** From the first replica that begins to answer. */
async function beginExport(
  { transport, addresses, clock }: ExportDeps,
  groupId: number,
): Promise<{ first: ExportGroupResponse; rest: AsyncIterator<ExportGroupResponse> }> {
  let last = new StoreError("unavailable", "no metadata replica is known");
  for (let round = 0; round < ROUNDS; round += 1) {
    if (round > 0) await clock.sleep(PAUSE_MS);
    for (const address of addresses) {
      const method = MetadataService.method.exportGroup;
      const limits = { deadlineMs: GROUP_DEADLINE_MS };
      const answers = transport.channel(address).serverStream(method, { groupId }, limits);
      const rest = answers[Symbol.asyncIterator]();
      try {
        const next = await rest.next();
        if (next.done !== true) return { first: next.value, rest };
      } catch (error) {
        last = toStoreError(error, "unavailable");
      }
    }
  }
  const message = `group ${groupId} cannot be exported: ${last.message}`;
  throw new StoreError("unavailable", message, { cause: last });
}
