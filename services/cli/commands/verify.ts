// `dolium verify s3://bucket[/key]`: asks for every shard of all versions, with --deep reads and
// compares all bytes, and says what is missing, whether it can be read, and that it waits for
// repair. Exit code 1 when anything is not as it should be.
import { type AdminClient, record } from "../admin-client/admin-client.ts";
import { adminVerb, type Shown } from "../admin-client/admin-verb.ts";
import { UsageError } from "../command-line.ts";
import { CommandError, ExitCode } from "../exit-code.ts";
import { parseRemote } from "../objects/location.ts";
import { shown } from "../objects/shown-text.ts";
import type { Output } from "../output.ts";

interface Totals {
  versions: number;
  shards: number;
  bytes: number;
  chunksQueuedForRepair: number;
}

const COUNTED = ["versions", "shards", "bytes", "chunksQueuedForRepair"] as const;

export const verifyCommand = adminVerb({
  name: "verify",
  summary: "Verify the shards of an object or a bucket; with --deep read and compare all bytes.",
  positionals: "s3://BUCKET[/KEY]",
  options: {
    deep: { kind: "flag", help: "read every shard and body, and compare the digests" },
  },
  run: async ({ client, words: [target = ""], options, output }) => {
    const { bucket, key } = parseRemote(target);
    if (key.endsWith("/*")) throw new UsageError("name one key, or the bucket alone");
    const deep = options.deep === true;
    return verifyAll(client, output, { bucket, key, deep });
  },
});

async function verifyAll(
  client: AdminClient,
  output: Output,
  { bucket, key, deep }: { readonly bucket: string; readonly key: string; readonly deep: boolean },
): Promise<Shown> {
  const totals: Totals = { versions: 0, shards: 0, bytes: 0, chunksQueuedForRepair: 0 };
  const problems: Readonly<Record<string, unknown>>[] = [];
  let after: string | undefined;
  do {
    const body = {
      deep,
      ...(key === "" ? {} : { key }),
      ...(after === undefined ? {} : { after }),
    };
    const path = `/buckets/${encodeURIComponent(bucket)}/verify`;
    const page = record(await client.callLong("POST", path, body));
    for (const name of COUNTED) totals[name] += Number(page[name] ?? 0);
    const found = Array.isArray(page.problems) ? page.problems.map(record) : [];
    for (const problem of found) for (const line of linesOf(problem)) output.say(line);
    problems.push(...found);
    after = typeof page.next === "string" ? page.next : undefined;
  } while (after !== undefined);
  if (key !== "" && totals.versions === 0) {
    const message = `${bucket} holds no object ${shown(key)}`;
    throw new CommandError(ExitCode.NOT_FOUND, "NoSuchKey", message);
  }
  const read = deep ? `, ${totals.bytes} bytes read` : "";
  const what = `${totals.versions} versions, ${totals.shards} shards${read}`;
  const queued = `${totals.chunksQueuedForRepair} chunks queued for repair`;
  const end = problems.length === 0 ? "0 problems" : `${problems.length} with problems, ${queued}`;
  return {
    value: { bucket, ...(key === "" ? {} : { key }), deep, ...totals, problems },
    lines: [`${what}: ${end}`],
    exitCode: problems.length === 0 ? ExitCode.OK : ExitCode.FAILED,
  };
}

/** An object in words, and each of its shards that is not good. */
function linesOf(found: Readonly<Record<string, unknown>>): string[] {
  const { key, versionId, readable, body, reason, problems } = found;
  const state = readable === true ? "readable" : "NOT READABLE";
  const compared = body === "not read" ? "" : `, body ${String(body)}`;
  const why = reason === "" ? "" : ` (${shown(String(reason))})`;
  const shards = Array.isArray(problems) ? problems.map(record) : [];
  return [
    `${shown(String(key))} version ${String(versionId)}: ${state}${compared}${why}`,
    ...shards.map(({ chunkId, shardIndex, diskId, condition }) => {
      const place = diskId === 0 ? "" : ` on disk ${String(diskId)}`;
      return `  shard ${String(shardIndex)} of chunk ${String(chunkId)}${place}: ${String(condition)}`;
    }),
  ];
}
