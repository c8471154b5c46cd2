// Takes a backup into a cluster whose metadata is empty and waits for it (metadata.awaitImport).
// The whole file is checked first. Index groups come first; the cluster map is the last entry of
// all, so nothing registers, writes or deletes before everything is there, and garbage is frozen
// from the first moment. An import that was cut off is made again with the same file: batches that
// are there are passed over.
import { mapBounded } from "../../lib/base/bounded.ts";
import { StoreError, toStoreError } from "../../lib/base/errors.ts";
import type { MetadataClient } from "../../lib/clients/metadata-client.ts";
import { MetadataService } from "../../lib/gen/dolium/metadata/v1/metadata_pb.ts";
import { Outcome } from "../../lib/gen/dolium/record/v1/command_pb.ts";
import type { Clock } from "../../lib/ports/clock.ts";
import type { Disk } from "../../lib/ports/disk.ts";
import type { KvEntry } from "../../lib/ports/kv.ts";
import type { Transport } from "../../lib/ports/transport.ts";
import { TABLE } from "../state/keys.ts";
import {
  type BackupGroup,
  type BackupSummary,
  backupId,
  readBackup,
  verifyBackup,
} from "./backup-reader.ts";

export interface ImportDeps {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly transport: Transport;
  readonly metadata: Pick<MetadataClient, "execute">;
  readonly addresses: readonly string[];
}

const BATCH_BYTES = 512 * 1024;
const BATCH_ENTRIES = 5000;
const BATCH_DEADLINE_MS = 60_000;
const STATUS_MS = 5000;
const WIDTH = 8;
/** How long an empty cluster may take to have its groups. */
const WAIT_MS = 60_000;
const POLL_MS = 250;

/** Throws "corrupt" for a bad file, "conflict" for a cluster that is in use or has other groups. */
export async function importBackup(deps: ImportDeps, path: string): Promise<BackupSummary> {
  const summary = await verifyBackup(deps.disk, path);
  await untilGroups(deps, summary.header.groupIds);
  const importId = backupId(summary);
  const fenceMs = BigInt(Math.floor(deps.clock.wallMs()));
  await readBackup(deps.disk, path, async (group) => {
    await new GroupImport(deps, group, { importId, fenceMs }).run();
  });
  return summary;
}

/** Until some replica has opened just the groups of the backup. */
async function untilGroups(deps: ImportDeps, wanted: readonly number[]): Promise<void> {
  const { clock } = deps;
  const endsAt = clock.monotonicMs() + WAIT_MS;
  const expected = wanted.toSorted((a, b) => a - b).join(", ");
  for (;;) {
    const answers = await mapBounded(deps.addresses, WIDTH, (address) => groupsAt(deps, address));
    const open = answers.filter((groups) => groups.length > 0);
    const same = open.filter((groups) => groups.toSorted((a, b) => a - b).join(", ") === expected);
    if (same.length > 0) return;
    if (clock.monotonicMs() >= endsAt) {
      const found = open[0]?.toSorted((a, b) => a - b).join(", ");
      const what = found === undefined ? "no metadata replica answers" : `it has groups ${found}`;
      const code = found === undefined ? "unavailable" : "conflict";
      throw new StoreError(code, `the backup has groups ${expected}; ${what}`);
    }
    await clock.sleep(POLL_MS);
  }
}

async function groupsAt({ transport }: ImportDeps, address: string): Promise<readonly number[]> {
  try {
    const limits = { deadlineMs: STATUS_MS };
    const method = MetadataService.method.replicaStatus;
    const { groups } = await transport.channel(address).unary(method, {}, limits);
    return groups.map(({ groupId }) => groupId);
  } catch (error) {
    if (toStoreError(error).code === "denied") throw error;
    return [];
  }
}

class GroupImport {
  readonly #deps: ImportDeps;
  readonly #group: BackupGroup;
  readonly #which: { readonly importId: Uint8Array; readonly fenceMs: bigint };
  #batch = 0n;
  #sent = 0;
  #entries: { key: Uint8Array; stored: Uint8Array }[] = [];
  #bytes = 0;

  constructor(
    deps: ImportDeps,
    group: BackupGroup,
    which: { readonly importId: Uint8Array; readonly fenceMs: bigint },
  ) {
    this.#deps = deps;
    this.#group = group;
    this.#which = which;
  }

  async run(): Promise<void> {
    const held: KvEntry[] = [];
    for await (const entry of this.#group.entries) {
      if (entry[0][0] === TABLE.cluster) held.push(entry);
      else await this.#add(entry);
    }
    if (this.#entries.length > 0) await this.#send(false);
    for (const entry of held) this.#hold(entry);
    await this.#send(true);
  }

  async #add(entry: KvEntry): Promise<void> {
    const length = entry[0].byteLength + entry[1].byteLength;
    const isFull = this.#bytes + length > BATCH_BYTES || this.#entries.length >= BATCH_ENTRIES;
    if (isFull && this.#entries.length > 0) await this.#send(false);
    this.#hold(entry);
  }

  #hold([key, stored]: KvEntry): void {
    this.#entries.push({ key, stored });
    this.#bytes += key.byteLength + stored.byteLength;
  }

  async #send(last: boolean): Promise<void> {
    const { groupId } = this.#group;
    const entries = this.#entries;
    this.#entries = [];
    this.#bytes = 0;
    this.#sent += entries.length;
    const entryCount = BigInt(last ? this.#sent : 0);
    const value = { ...this.#which, batch: this.#batch, entries, last, entryCount };
    this.#batch += 1n;
    const limits = { deadlineMs: BATCH_DEADLINE_MS };
    const kind = { case: "importState", value } as const;
    const reply = await this.#deps.metadata.execute(groupId, kind, limits);
    if (reply.outcome === Outcome.OK) return;
    throw new StoreError("conflict", `group ${groupId} takes no backup: ${reply.message}`);
  }
}
