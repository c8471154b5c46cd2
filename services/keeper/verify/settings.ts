// Settings of the verifiers. Times are milliseconds.
import * as Type from "../../lib/base/settings-schema.ts";

/** The verifiers: what is asked and read again of what was stored, and how much of it. */
export const VERIFY_SETTINGS = {
  verifyIntervalMs: Type.Integer({
    default: 86_400_000,
    minimum: 100,
    description: "Every shard that a manifest names is asked for once in this time.",
  }),
  verifyShardsPerSecond: Type.Integer({
    default: 5000,
    minimum: 1,
    description: "Shards asked for in a second, at most.",
  }),
  verifyReadBackMs: Type.Integer({
    default: 60_000,
    minimum: 100,
    description:
      "Pause between two rounds that read back some versions written a minute, an hour, a day and a week ago.",
  }),
  verifyReadBackBytes: Type.Integer({
    default: 67_108_864,
    minimum: 0,
    description: "Bytes read back in a round, at most, beyond the first version; 0: none.",
  }),
  verifyReadBackBytesPerSecond: Type.Integer({
    default: 16_777_216,
    minimum: 1,
    description: "Rate at which they are read.",
  }),
  canaryIntervalMs: Type.Integer({
    default: 0,
    minimum: 0,
    description:
      "Pause between two canaries: a shard of an object of Dolium's own is damaged, and the time until it is found and repaired is taken. 0: none.",
  }),
  canaryLimitMs: Type.Integer({
    default: 300_000,
    minimum: 100,
    description: "A canary that is not whole again by then is a problem.",
  }),
} as const;
