// `dolium backup export|import|verify`: the metadata of a cluster as one file, and a new, empty
// metadata service from it. Speaks to the replicas themselves, because after a loss no gateway can
// tell who anybody is.
import { statSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { MetadataClient } from "../../lib/clients/metadata-client.ts";
import { createClock } from "../../lib/host/clock.ts";
import { createLog } from "../../lib/host/log.ts";
import { createDisk } from "../../lib/host/node-disk.ts";
import { createRandom } from "../../lib/host/random.ts";
import type { BackupHeader } from "../../metadata/backup/backup-file.ts";
import { type BackupSummary, verifyBackup } from "../../metadata/backup/backup-reader.ts";
import { type BackupPlace, exportBackup } from "../../metadata/backup/export-backup.ts";
import { importBackup } from "../../metadata/backup/import-backup.ts";
import { type CommandGroup, command, OUTPUT_OPTIONS, UsageError } from "../command-line.ts";
import { ExitCode } from "../exit-code.ts";
import {
  METADATA_ACCESS_OPTIONS,
  type MetadataAccessOptions,
  metadataPlaceOf,
  openTransport,
} from "../metadata-access.ts";
import { createOutput, type Output } from "../output.ts";
import { VERSION } from "../version.ts";

type Options = MetadataAccessOptions & { readonly json?: boolean; readonly quiet?: boolean };

const OPTIONS = { ...OUTPUT_OPTIONS, ...METADATA_ACCESS_OPTIONS } as const;

export const backupGroup: CommandGroup = {
  name: "backup",
  summary: "Metadata as a file: export, import into an empty cluster, verify.",
  verbs: [
    command({
      name: "backup export",
      summary: "Write a backup of a running cluster to a new file, or into a directory.",
      positionals: "FILE|DIR",
      options: OPTIONS,
      run: async ({ options, positionals }) => {
        const target = resolve(soleArgument("export", positionals));
        const output = outputOf(options);
        return withClients(options, async (ports) => {
          const done = await exportBackup({ ...ports, release: VERSION }, (header) =>
            placeIn(target, header),
          );
          report(output, done, { path: done.path });
          return ExitCode.OK;
        });
      },
    }),
    command({
      name: "backup import",
      summary: "Bring a backup into empty metadata (metadata.awaitImport); garbage stays frozen.",
      positionals: "FILE",
      options: OPTIONS,
      run: async ({ options, positionals }) => {
        const path = resolve(soleArgument("import", positionals));
        const output = outputOf(options);
        return withClients(options, async (ports) => {
          const done = await importBackup(ports, path);
          report(output, done, { path, imported: true });
          output.say("Garbage and orphans are kept until `dolium repair garbage-release`.");
          return ExitCode.OK;
        });
      },
    }),
    command({
      name: "backup verify",
      summary: "Read all of a backup and check it.",
      positionals: "FILE",
      options: OUTPUT_OPTIONS,
      run: async ({ options, positionals }) => {
        const path = resolve(soleArgument("verify", positionals));
        const summary = await verifyBackup(createDisk(), path);
        report(outputOf(options), summary, { path, good: true });
        return ExitCode.OK;
      },
    }),
  ],
};

/** Throws UsageError. */
function soleArgument(verb: string, positionals: readonly string[]): string {
  const [path = "", extra] = positionals;
  if (path === "") throw new UsageError(`dolium backup ${verb} wants a file`);
  if (extra === undefined) return path;
  throw new UsageError(`dolium backup ${verb} takes no argument "${extra}"`);
}

function outputOf(options: Pick<Options, "json" | "quiet">): Output {
  return createOutput(options.json === true, options.quiet === true);
}

/** A directory gets a name that tells cluster and time. */
function placeIn(target: string, { clusterId, createdMs }: BackupHeader): BackupPlace {
  const isFolder = statSync(target, { throwIfNoEntry: false })?.isDirectory() === true;
  if (!isFolder) return { folder: dirname(target), name: basename(target) };
  const time = new Date(createdMs).toISOString().replace(/[-:]|\.\d+/g, "");
  const cluster = clusterId.replace(/[^A-Za-z0-9-]/g, "_").slice(0, 64);
  return { folder: target, name: `dolium-${cluster}-${time}.backup` };
}

function report(
  output: Output,
  { header, groups }: BackupSummary,
  more: Readonly<Record<string, unknown>> & { readonly path: string },
): void {
  const { clusterId, createdMs, release } = header;
  const created = new Date(createdMs).toISOString();
  output.event({ ...more, clusterId, created, release, groups });
  output.say(`${more.path}: cluster ${clusterId}, ${created}, dolium ${release}`);
  for (const { groupId, index, entries, bytes } of groups) {
    output.say(`group ${groupId} at ${index}: ${entries} entries, ${bytes} bytes`);
  }
}

async function withClients(
  options: MetadataAccessOptions,
  work: (
    ports: Parameters<typeof importBackup>[0] & { metadata: MetadataClient },
  ) => Promise<number>,
): Promise<number> {
  const { addresses, access } = metadataPlaceOf(options);
  const transport = openTransport(access);
  const ports = { transport, clock: createClock(), random: createRandom() };
  const log = createLog({ level: "silent" });
  try {
    const metadata = new MetadataClient({ ...ports, log }, { addresses, attemptMs: 30_000 });
    return await work({ ...ports, disk: createDisk(), metadata, addresses });
  } finally {
    await transport.close();
  }
}
