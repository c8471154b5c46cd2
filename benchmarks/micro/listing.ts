// What a page of 1,000 keys costs, step by step: the walk over the heads in LevelDB, the answer on
// its way between the services, and its XML document. `node benchmarks/micro/listing.ts`; prints
// milliseconds of processor time of this thread a page, the best of five rounds.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { create, toBinary } from "@bufbuild/protobuf";
import { type ListedEntry, listedEntries } from "../../services/gateway/data/listed-entry.ts";
import {
  QueryRequestSchema,
  type QueryResponse,
  QueryResponseSchema,
} from "../../services/lib/gen/dolium/metadata/v1/metadata_pb.ts";
import { LoggedCommandSchema } from "../../services/lib/gen/dolium/record/v1/command_pb.ts";
import {
  ChecksumAlgorithm,
  ChecksumType,
} from "../../services/lib/gen/dolium/record/v1/object_pb.ts";
import { createKvFactory } from "../../services/lib/host/level-kv.ts";
import { createDisk } from "../../services/lib/host/node-disk.ts";
import { decodeFrame, encodeMessage } from "../../services/lib/host/rpc-codec.ts";
import { listObjectsV2Document } from "../../services/lib/s3/list-documents.ts";
import { GroupState } from "../../services/metadata/state/group-state.ts";
import { answerQuery } from "../../services/metadata/state/queries/query-table.ts";

const { CRC64NVME } = ChecksumAlgorithm;
const { FULL_OBJECT } = ChecksumType;
const KEYS = 1000;
const ROUNDS = 5;
const PAGES = 20;

function put(at: number): Uint8Array {
  const commandId = Buffer.alloc(16);
  commandId.writeUInt32BE(at, 0);
  const key = Buffer.from(`list-4KiB/${String(at).padStart(8, "0")}`);
  const version = {
    size: 4096n,
    etag: "d41d8cd98f00b204e9800998ecf8427e",
    headers: { contentType: "binary/octet-stream" },
    checksums: [{ algorithm: CRC64NVME, type: FULL_OBJECT, value: Buffer.alloc(8, at) }],
    storageClass: "STANDARD",
    owner: "ann_org",
    body: { case: "inline" as const, value: Buffer.alloc(4096, at) },
  };
  const command = { kind: { case: "putObject" as const, value: { bucketId: 1, key, version } } };
  const nowMs = 1_700_000_000_000n + BigInt(at);
  const logged = { commandId, nowMs, random: Buffer.alloc(8, at), command };
  return toBinary(LoggedCommandSchema, create(LoggedCommandSchema, logged));
}

async function timed(what: string, work: () => unknown): Promise<void> {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round += 1) {
    const before = process.threadCpuUsage();
    for (let at = 0; at < PAGES; at += 1) await work();
    const { user, system } = process.threadCpuUsage(before);
    best = Math.min(best, (user + system) / 1000 / PAGES);
  }
  process.stdout.write(`${what.padEnd(44)} ${best.toFixed(2).padStart(10)} ms\n`);
}

function entriesOf({ kind }: QueryResponse): ListedEntry[] {
  if (kind.case !== "listObjects") throw new Error("an answer to another question");
  return listedEntries(kind.value);
}

const folder = mkdtempSync(join(tmpdir(), "dolium-bench-"));
try {
  const deps = { disk: createDisk("/"), kvFactory: createKvFactory() };
  const state = await GroupState.open(deps, join(folder, "group"));
  const entries = Array.from({ length: KEYS }, (_, at) => ({
    index: at + 1,
    term: 1,
    kind: "normal" as const,
    data: put(at),
  }));
  await state.apply(entries);
  const none = new Uint8Array(0);
  const value = {
    bucketId: 1,
    prefix: Buffer.from("list-4KiB/"),
    delimiter: none,
    startAfter: none,
    limit: KEYS,
    packed: true,
  };
  const { kind } = create(QueryRequestSchema, { kind: { case: "listObjects", value } });
  const ask = () => state.read((view) => answerQuery(view, kind));
  const answer = await ask();
  const found = entriesOf(answer);
  if (found.length !== KEYS) throw new Error("the page has not all the keys");
  await timed("heads read and shown", ask);
  const bytes = encodeMessage(QueryResponseSchema, answer);
  await timed("answer encoded", () => encodeMessage(QueryResponseSchema, answer));
  const read = () => entriesOf(decodeFrame(QueryResponseSchema, bytes, "corrupt"));
  await timed("answer decoded and read", read);
  const objects = found.map(({ key, modifiedMs, etag, size }) => ({
    key: Buffer.from(key).toString(),
    lastModifiedMs: modifiedMs,
    etag,
    size,
    storageClass: "STANDARD",
    owner: undefined,
    checksumAlgorithm: "CRC64NVME" as const,
    checksumType: "FULL_OBJECT" as const,
  }));
  const page = {
    bucket: "bucket",
    prefix: "list-4KiB/",
    delimiter: undefined,
    maxKeys: KEYS,
    encodingType: undefined,
    isTruncated: false,
    commonPrefixes: [],
    startAfter: undefined,
    continuationToken: undefined,
    nextContinuationToken: undefined,
    objects,
  };
  await timed("XML document", () => Buffer.from(listObjectsV2Document(page)));
  await state.close();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
