// Cost of applying commands to a group's state over LevelDB: CPU and time of one put, in batches.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import { LoggedCommandSchema } from "../../services/lib/gen/dolium/record/v1/command_pb.ts";
import { createKvFactory } from "../../services/lib/host/level-kv.ts";
import { createDisk } from "../../services/lib/host/node-disk.ts";
import { GroupState } from "../../services/metadata/state/group-state.ts";

const COUNT = Number(process.argv[2] ?? 20_000);
const BATCH = Number(process.argv[3] ?? 100);
const CHUNKS = 1;

function put(at: number): Uint8Array {
  const manifestId = Buffer.alloc(16);
  manifestId.writeUIntBE(1_700_000_000_000, 0, 6);
  manifestId.writeUInt32BE(at, 12);
  const key = Buffer.from(`photos/2026/${String(at % 977).padStart(4, "0")}/image-${at}.jpeg`);
  const chunks = Array.from({ length: CHUNKS }, () => ({
    chunkId: Buffer.from(manifestId),
    size: 1_000_000,
    diskIds: [1, 2, 3, 4, 5, 6],
  }));
  const manifest = {
    manifestId,
    policy: "standard",
    dataShards: 4,
    parityShards: 2,
    cellBytes: 131_072,
    size: 1_000_000n,
    chunks,
    key,
  };
  const version = {
    size: 1_000_000n,
    etag: "d41d8cd98f00b204e9800998ecf8427e",
    headers: { contentType: "image/jpeg" },
    storageClass: "STANDARD",
    owner: "ann_org",
    body: { case: "manifestId" as const, value: manifestId },
  };
  const value = { bucketId: 1, key, version, manifest };
  const commandId = Buffer.alloc(16);
  commandId.writeUInt32BE(at, 0);
  const command = { kind: { case: "putObject" as const, value } };
  const nowMs = 1_700_000_000_000n + BigInt(at);
  const logged = { commandId, nowMs, random: Buffer.alloc(8, at), command };
  return toBinary(LoggedCommandSchema, create(LoggedCommandSchema, logged));
}

const folder = mkdtempSync(join(tmpdir(), "dolium-bench-"));
try {
  const deps = { disk: createDisk("/"), kvFactory: createKvFactory() };
  const state = await GroupState.open(deps, join(folder, "group"));
  const datas = Array.from({ length: COUNT }, (_, at) => put(at));
  const cpu = process.cpuUsage();
  const start = performance.now();
  for (let at = 0; at < COUNT; at += BATCH) {
    const entries = datas.slice(at, at + BATCH).map((data, offset) => ({
      index: at + offset + 1,
      term: 1,
      kind: "normal" as const,
      data,
    }));
    await state.apply(entries);
  }
  const wallUs = ((performance.now() - start) * 1000) / COUNT;
  const used = process.cpuUsage(cpu);
  const cpuUs = (used.user + used.system) / COUNT;
  console.log(`puts ${COUNT} in batches of ${BATCH}`);
  console.log(`time ${wallUs.toFixed(1)} us a put, CPU of all threads ${cpuUs.toFixed(1)} us`);
  await state.close();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
