// How fast stripes are coded and rebuilt on one core, in MB of data (10^6 bytes) a second, copies
// through the kernel's memory included: `node benchmarks/micro/erasure.ts [cell bytes]`.
import process from "node:process";
import { cellChecksum } from "../../services/lib/erasure/checksum.ts";
import { createErasureCompute } from "../../services/lib/erasure/compute.ts";
import { DEFAULT_CELL_BYTES } from "../../services/lib/erasure/geometry.ts";

const SCHEMES = [
  [2, 1],
  [4, 2],
  [6, 3],
  [8, 4],
  [16, 8],
] as const;
const ROUND_MS = 400;
const ROUNDS = 5;

/** The best of some rounds of `work`, which handles `bytes` a call, in MB/s. */
function megabytesPerSecond(bytes: number, work: () => void): string {
  let best = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const start = performance.now();
    let calls = 0;
    let elapsed = 0;
    for (; elapsed < ROUND_MS; elapsed = performance.now() - start, calls += 1) work();
    best = Math.max(best, (calls * bytes) / elapsed / 1000);
  }
  return best.toFixed(0).padStart(7);
}

const cellBytes = Number(process.argv[2] ?? DEFAULT_CELL_BYTES);
const compute = createErasureCompute();
process.stdout.write(
  `cells of ${cellBytes} bytes\nscheme   encode  rebuild 1  rebuild m  (MB/s of data)\n`,
);
for (const [k, m] of SCHEMES) {
  const data = Array.from({ length: k }, (_, i) => new Uint8Array(cellBytes).fill(i * 7 + 1));
  const parity = Array.from({ length: m }, () => new Uint8Array(cellBytes));
  const encode = megabytesPerSecond(k * cellBytes, () => compute.encode(data, parity));
  const rebuild = (count: number): string => {
    const lost = Array.from({ length: count }, (_, index) => index);
    const shards = [...data, ...parity].map((shard, index) => (index < count ? undefined : shard));
    return megabytesPerSecond(k * cellBytes, () => {
      compute.reconstruct(shards, { k, m }, lost);
    });
  };
  process.stdout.write(`${`${k}+${m}`.padEnd(6)} ${encode}    ${rebuild(1)}    ${rebuild(m)}\n`);
}
const chunkId = new Uint8Array(16);
const cell = new Uint8Array(cellBytes).fill(3);
const checksum = megabytesPerSecond(cellBytes, () => {
  cellChecksum(chunkId, 1, 2, cell);
});
process.stdout.write(`cellChecksum ${checksum}\n`);
