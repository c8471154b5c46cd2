// `dolium bucket ...`: what buckets hold, their quotas and owners, by the admin API; their settings
// by S3 (buckets/commands.ts). `mb` and `rb` make and remove buckets, as `bucket create` does.
import { record } from "../admin-client/admin-client.ts";
import { adminVerb, table } from "../admin-client/admin-verb.ts";
import { BUCKET_SETTING_VERBS } from "../buckets/commands.ts";
import { type CommandGroup, UsageError } from "../command-line.ts";

const seg = encodeURIComponent;
const COUNT = { kind: "number", value: "N", minimum: 0, maximum: 999_999_999_999_999 } as const;

export const bucketGroup: CommandGroup = {
  name: "bucket",
  summary: "Buckets: list with usage, quota, owner; their settings; what is off with one.",
  verbs: [
    adminVerb({
      name: "bucket list",
      summary: "List buckets with what they hold.",
      positionals: "",
      options: {},
      run: async ({ client }) => {
        const items = await client.list("/buckets");
        const rows = items.map((bucket) => {
          const usage = record(bucket.usage ?? {});
          const shown = bucket.public === true ? "public" : "";
          return [bucket.name, bucket.owner, usage.objects, usage.bytes, bucket.versioning, shown];
        });
        const head = ["NAME", "OWNER", "OBJECTS", "BYTES", "VERSIONING", ""];
        return { value: { items }, lines: table(head, rows) };
      },
    }),
    adminVerb({
      name: "bucket info",
      summary: "Show one bucket.",
      positionals: "NAME",
      options: {},
      run: async ({ client, words: [name = ""] }) => {
        const value = await client.call("GET", `/buckets/${seg(name)}`);
        return { value, lines: JSON.stringify(value, null, 2).split("\n") };
      },
    }),
    adminVerb({
      name: "bucket quota",
      summary: "Show the quota of a bucket, or set it; 0 takes it away.",
      positionals: "NAME",
      options: {
        bytes: { ...COUNT, help: "bytes it may hold" },
        objects: { ...COUNT, help: "objects it may hold" },
      },
      run: async ({ client, words: [name = ""], options: { bytes, objects } }) => {
        const path = `/buckets/${seg(name)}`;
        const isChange = bytes !== undefined || objects !== undefined;
        const before = record(record(await client.call("GET", path)).quota ?? {});
        const quota = { bytes: bytes ?? before.bytes, objects: objects ?? before.objects };
        const after = isChange ? record(await client.call("PATCH", path, { quota })).quota : before;
        return { value: after, lines: [JSON.stringify(after)] };
      },
    }),
    adminVerb({
      name: "bucket owner",
      summary: "Give a bucket to another user.",
      positionals: "NAME USER",
      options: {},
      run: async ({ client, words: [name = "", owner = ""] }) => {
        if (owner === "") throw new UsageError("dolium bucket owner wants NAME USER");
        const value = await client.call("PATCH", `/buckets/${seg(name)}`, { owner });
        return { value, lines: [`${name} belongs to ${owner}`] };
      },
    }),
    adminVerb({
      name: "bucket acknowledgement",
      summary: "Show when writes to a bucket are acknowledged, or set it: all or local.",
      positionals: "NAME [WHEN]",
      options: {},
      run: async ({ client, words: [name = "", acknowledgement = ""] }) => {
        const path = `/buckets/${seg(name)}`;
        if (!["", "all", "local"].includes(acknowledgement)) {
          throw new UsageError("dolium bucket acknowledgement takes all or local");
        }
        const isChange = acknowledgement !== "";
        const bucket = record(
          isChange
            ? await client.call("PATCH", path, { acknowledgement })
            : await client.call("GET", path),
        );
        const { acknowledgement: set, following } = bucket;
        return { value: { acknowledgement: set, following }, lines: acknowledgementLines(bucket) };
      },
    }),
    ...BUCKET_SETTING_VERBS,
  ],
};

/** What the setting promises, and what has yet to follow. */
function acknowledgementLines(bucket: Readonly<Record<string, unknown>>): string[] {
  const { bodies, behindSeconds, oldestSince } = record(bucket.following ?? {});
  const promise =
    bucket.acknowledgement === "local"
      ? "local: a write is answered when two storage nodes of its campus have it; the newest objects may be lost with that campus"
      : "all: a write is answered when it lies as the placement policy wants it";
  const behind =
    bodies === 0
      ? "nothing has yet to follow"
      : `${bodies} bodies have yet to follow, the oldest since ${oldestSince} (${behindSeconds} s)`;
  return [promise, behind];
}
