// The object verbs of `dolium`, for any S3 endpoint: what each takes. Their code, and the SDK with
// it, is loaded when one of them runs.
import { command, type GivenOption, type OptionTable, YES_OPTION } from "../command-line.ts";
import type { PathRule } from "./path-filter.ts";
import { SESSION_OPTIONS, WIDTH_OPTIONS } from "./session.ts";
import { STORE_OPTIONS } from "./store-settings.ts";

const RECURSIVE = {
  recursive: { kind: "flag", short: "r", help: "everything below a folder" },
} as const satisfies OptionTable;

const FILTER = {
  include: { kind: "list", value: "GLOB", help: "take these names; the last that matches decides" },
  exclude: { kind: "list", value: "GLOB", help: "leave these names out" },
} as const satisfies OptionTable;

const DRY_RUN = {
  "dry-run": { kind: "flag", help: "only say what would be done" },
} as const satisfies OptionTable;

const VERSION_ID = {
  "version-id": { kind: "text", value: "ID", help: "this version instead of the current one" },
} as const satisfies OptionTable;

const READ_KEY = {
  "sse-c-key": { kind: "text", value: "FILE", help: "file with the key it was sealed with" },
} as const satisfies OptionTable;

const TRANSFER = {
  ...RECURSIVE,
  ...FILTER,
  ...DRY_RUN,
  ...VERSION_ID,
  follow: { kind: "flag", help: "take symbolic links for what they point at" },
  checksum: { kind: "text", value: "NAME", help: "CRC64NVME (default), CRC32C, SHA256 ..., none" },
  "sse-c-source-key": {
    kind: "text",
    value: "FILE",
    help: "the key that the source is sealed with",
  },
  ...STORE_OPTIONS,
  ...WIDTH_OPTIONS,
  ...SESSION_OPTIONS,
} as const satisfies OptionTable;

/** Includes and excludes in the order they were given. */
export function pathRules(given: readonly GivenOption[] | undefined): PathRule[] {
  return (given ?? []).flatMap(({ name, value }): PathRule[] => {
    if (value === undefined || (name !== "include" && name !== "exclude")) return [];
    return [{ takes: name === "include", pattern: value }];
  });
}

const ls = command({
  name: "ls",
  summary: "List buckets, or folders and objects below a path.",
  positionals: "[PATH...]",
  options: {
    ...RECURSIVE,
    ...FILTER,
    versions: { kind: "flag", help: "versions and delete markers too" },
    ...SESSION_OPTIONS,
  },
  run: async (parsed) => (await import("./verbs/ls.ts")).ls(parsed),
});

const cp = command({
  name: "cp",
  summary: "Copy files and objects: up, down, or inside the server; - is stdin or stdout.",
  positionals: "SOURCE... DESTINATION",
  options: TRANSFER,
  run: async (parsed) => (await import("./verbs/transfer.ts")).transfer(parsed, false),
});

const mv = command({
  name: "mv",
  summary: "Move files and objects: a copy, verified, then the source is removed.",
  positionals: "SOURCE... DESTINATION",
  options: TRANSFER,
  run: async (parsed) => (await import("./verbs/transfer.ts")).transfer(parsed, true),
});

const rm = command({
  name: "rm",
  summary: "Remove objects, versions, or everything below a path.",
  positionals: "PATH...",
  options: {
    ...RECURSIVE,
    ...FILTER,
    ...DRY_RUN,
    ...VERSION_ID,
    "all-versions": { kind: "flag", help: "every version and delete marker, for good" },
    ...YES_OPTION,
    ...SESSION_OPTIONS,
  },
  run: async (parsed) => (await import("./verbs/rm.ts")).rm(parsed),
});

const cat = command({
  name: "cat",
  summary: "Write objects, or a range of bytes of one, to stdout.",
  positionals: "PATH...",
  options: {
    ...VERSION_ID,
    range: { kind: "text", value: "BYTES", help: "0-99, 100- or, with =, -50" },
    ...READ_KEY,
    ...SESSION_OPTIONS,
  },
  run: async (parsed) => (await import("./verbs/cat.ts")).cat(parsed),
});

const stat = command({
  name: "stat",
  summary: "Show what is known of objects and buckets.",
  positionals: "PATH...",
  options: { ...VERSION_ID, ...READ_KEY, ...SESSION_OPTIONS },
  run: async (parsed) => (await import("./verbs/stat.ts")).stat(parsed),
});

const tree = command({
  name: "tree",
  summary: "Draw the folders and objects below a path.",
  positionals: "PATH",
  options: { ...FILTER, ...SESSION_OPTIONS },
  run: async (parsed) => (await import("./verbs/tree.ts")).tree(parsed),
});

const du = command({
  name: "du",
  summary: "Add up the sizes of what is below paths.",
  positionals: "PATH...",
  options: {
    ...FILTER,
    versions: { kind: "flag", help: "every version, not the current ones only" },
    ...SESSION_OPTIONS,
  },
  run: async (parsed) => (await import("./verbs/du.ts")).du(parsed),
});

const sync = command({
  name: "sync",
  summary: "Make a destination like a source: up, down, or bucket to bucket.",
  positionals: "SOURCE DESTINATION",
  options: {
    ...FILTER,
    ...DRY_RUN,
    delete: { kind: "flag", help: "remove what the source does not have" },
    checksum: { kind: "flag", help: "compare bytes, not times" },
    "checksum-algorithm": {
      kind: "text",
      value: "NAME",
      help: "checksum of what is sent (CRC64NVME)",
    },
    follow: { kind: "flag", help: "take symbolic links for what they point at" },
    "sse-c-source-key": {
      kind: "text",
      value: "FILE",
      help: "the key that the source is sealed with",
    },
    ...STORE_OPTIONS,
    ...WIDTH_OPTIONS,
    ...YES_OPTION,
    ...SESSION_OPTIONS,
  },
  run: async (parsed) => (await import("./verbs/sync.ts")).sync(parsed),
});

const share = command({
  name: "share",
  summary: "Print a link that works without keys: to fetch an object, or to upload one.",
  positionals: "PATH",
  options: {
    expires: { kind: "text", value: "SPAN", help: "how long it works, up to 7d (1h)" },
    upload: { kind: "flag", help: "a form that uploads instead" },
    "max-size": { kind: "text", value: "SIZE", help: "of what is uploaded (5GiB)" },
    "save-as": { kind: "text", value: "NAME", help: "the name under which browsers save it" },
    ...VERSION_ID,
    ...SESSION_OPTIONS,
  },
  run: async (parsed) => (await import("./verbs/share.ts")).share(parsed),
});

const mb = command({
  name: "mb",
  summary: "Make buckets.",
  positionals: "BUCKET...",
  options: {
    versioning: { kind: "flag", help: "keep every version" },
    "object-lock": { kind: "flag", help: "allow objects to be locked; keeps every version" },
    ...SESSION_OPTIONS,
  },
  run: async (parsed) => (await import("./verbs/buckets.ts")).makeBuckets(parsed),
});

const rb = command({
  name: "rb",
  summary: "Remove buckets.",
  positionals: "BUCKET...",
  options: {
    force: { kind: "flag", help: "with everything in them, every version" },
    ...YES_OPTION,
    ...SESSION_OPTIONS,
  },
  run: async (parsed) => (await import("./verbs/buckets.ts")).removeBuckets(parsed),
});

const find = command({
  name: "find",
  summary: "List the objects below a path that meet every condition.",
  positionals: "PATH",
  options: {
    name: { kind: "text", value: "GLOB", help: "the last part of the key" },
    path: { kind: "text", value: "GLOB", help: "the key below the path" },
    larger: { kind: "text", value: "SIZE", help: "more bytes than this" },
    smaller: { kind: "text", value: "SIZE", help: "fewer bytes than this" },
    newer: { kind: "text", value: "TIME", help: "stored after 7d ago, or after a date" },
    older: { kind: "text", value: "TIME", help: "stored before" },
    "storage-class": { kind: "text", value: "CLASS", help: "of this storage class" },
    ...SESSION_OPTIONS,
  },
  run: async (parsed) => (await import("./verbs/find.ts")).find(parsed),
});

export const OBJECT_COMMANDS = [ls, cp, mv, rm, cat, stat, tree, du, sync, share, mb, rb, find];
