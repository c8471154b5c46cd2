// `dolium bench`: what it takes; its code is in bench/.
import { command } from "../command-line.ts";
import { SESSION_OPTIONS } from "../objects/session.ts";

export const benchCommand = command({
  name: "bench",
  summary: "Measure an S3 endpoint: mixed, put, get, stat, list or delete; verifies what it reads.",
  positionals: "[KIND] [s3://BUCKET/PREFIX]",
  options: {
    duration: { kind: "text", value: "SPAN", help: "how long (10s)" },
    operations: {
      kind: "number",
      value: "N",
      minimum: 1,
      maximum: 100_000_000,
      help: "how many, instead of how long",
    },
    size: { kind: "text", value: "SIZE", help: "of each object (1MiB)" },
    concurrency: { kind: "number", value: "N", minimum: 1, maximum: 256, help: "at a time (8)" },
    objects: {
      kind: "number",
      value: "N",
      minimum: 0,
      maximum: 10_000_000,
      help: "stored before it begins (100)",
    },
    mix: {
      kind: "text",
      value: "SHARES",
      help: "of mixed: get=45,stat=20,put=20,list=5,delete=10",
    },
    ...SESSION_OPTIONS,
  },
  run: async (parsed) => (await import("../bench/bench.ts")).bench(parsed),
});
