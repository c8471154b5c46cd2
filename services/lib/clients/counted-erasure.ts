// Counts the bytes that pass through erasure coding, around whatever codes them.
import type { ErasureCompute } from "../ports/compute.ts";
import type { Metrics } from "../ports/metrics.ts";

export function countedErasure(erasure: ErasureCompute, metrics: Metrics): ErasureCompute {
  const encoded = metrics.counter("ec_encode_bytes_total", {
    help: "Bytes of data that parity was computed for.",
  });
  const decoded = metrics.counter("ec_decode_bytes_total", {
    help: "Bytes of shards that were computed from others, for reads and repairs.",
  });
  return {
    encode(data, parity) {
      erasure.encode(data, parity);
      encoded.increment({}, data.length * (data[0]?.byteLength ?? 0));
    },
    reconstruct(shards, scheme, wanted) {
      const rebuilt = erasure.reconstruct(shards, scheme, wanted);
      decoded.increment({}, rebuilt.length * (rebuilt[0]?.byteLength ?? 0));
      return rebuilt;
    },
  };
}
