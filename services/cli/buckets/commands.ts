// The verbs of `dolium bucket` that go through S3: what each takes. Their code, and the SDK with
// it, is loaded when one of them runs.
import { type Command, command, type OptionTable } from "../command-line.ts";
import { SESSION_OPTIONS } from "../objects/session.ts";

const DAYS = { kind: "number", value: "DAYS", minimum: 1, maximum: 100_000 } as const;

const CHANGE = {
  file: { kind: "text", value: "FILE", help: "set what this JSON file says; - is stdin" },
  remove: { kind: "flag", help: "take it away" },
} as const satisfies OptionTable;

const create = command({
  name: "bucket create",
  summary: "Make buckets, as mb does.",
  positionals: "NAME...",
  options: {
    versioning: { kind: "flag", help: "keep every version" },
    "object-lock": { kind: "flag", help: "allow objects to be locked; keeps every version" },
    ...SESSION_OPTIONS,
  },
  run: async (parsed) => (await import("../objects/verbs/buckets.ts")).makeBuckets(parsed),
});

const versioning = command({
  name: "bucket versioning",
  summary: "Show whether versions are kept, or turn that on or off.",
  positionals: "NAME [on|off]",
  options: SESSION_OPTIONS,
  run: async (parsed) => (await import("./settings.ts")).versioning(parsed),
});

const lifecycle = command({
  name: "bucket lifecycle",
  summary: "Show the lifecycle rules, set them from a file, or add, replace or remove one.",
  positionals: "NAME",
  options: {
    ...CHANGE,
    id: { kind: "text", value: "ID", help: "of the rule that is set or removed (dolium)" },
    prefix: { kind: "text", value: "PREFIX", help: "the rule is for keys that begin so" },
    "expire-days": { ...DAYS, help: "remove objects of this age" },
    "noncurrent-days": { ...DAYS, help: "remove versions this long after they were replaced" },
    "abort-uploads-days": { ...DAYS, help: "end uploads that are open for so long" },
    ...SESSION_OPTIONS,
  },
  run: async (parsed) => (await import("./lifecycle.ts")).lifecycle(parsed),
});

const policy = command({
  name: "bucket policy",
  summary: "Show the policy, set it from a file, or open and close the bucket for reading.",
  positionals: "NAME",
  options: {
    ...CHANGE,
    "public-read": { kind: "flag", help: "let everybody read; other statements stay" },
    prefix: { kind: "text", value: "PREFIX", help: "only keys that begin so" },
    unblock: { kind: "flag", help: "and let the public access block allow public policies" },
    private: { kind: "flag", help: "undo --public-read" },
    ...SESSION_OPTIONS,
  },
  run: async (parsed) => (await import("./policy.ts")).policy(parsed),
});

const website = command({
  name: "bucket website",
  summary: "Show the web site settings, set them, or take them away.",
  positionals: "NAME",
  options: {
    ...CHANGE,
    index: { kind: "text", value: "NAME", help: "page of each folder, such as index.html" },
    error: { kind: "text", value: "KEY", help: "page for what is not there" },
    "redirect-to": { kind: "text", value: "HOST", help: "send every request elsewhere" },
    ...SESSION_OPTIONS,
  },
  run: async (parsed) => (await import("./settings.ts")).website(parsed),
});

const check = command({
  name: "bucket check",
  summary: "Say what is off with a bucket. Exit code 1 when something is.",
  positionals: "NAME",
  options: {
    stale: { kind: "text", value: "SPAN", help: "uploads open for longer are stale (7d)" },
    ...SESSION_OPTIONS,
  },
  run: async (parsed) => (await import("./check.ts")).check(parsed),
});

export const BUCKET_SETTING_VERBS: readonly Command[] = [
  create,
  versioning,
  lifecycle,
  policy,
  website,
  check,
];
