// `dolium migrate ...`: what its verbs take; their code is in migrate/.
import { type Command, type CommandGroup, command } from "../command-line.ts";
import { SOURCE_OPTIONS, type SourceKind } from "../migrate/source.ts";
import { SESSION_OPTIONS, WIDTH_OPTIONS } from "../objects/session.ts";

function verb(kind: SourceKind, summary: string): Command {
  return command({
    name: `migrate from-${kind}`,
    summary,
    positionals: "[s3://BUCKET[/PREFIX]...]",
    options: {
      ...SOURCE_OPTIONS,
      "dry-run": { kind: "flag", help: "only say what would be carried" },
      overwrite: { kind: "flag", help: "replace objects and settings that are other here" },
      verify: {
        kind: "text",
        value: "WHAT",
        help: "bytes compared after: none, sample, all (sample)",
      },
      state: { kind: "text", value: "FILE", help: "where it keeps how far it came" },
      ...WIDTH_OPTIONS,
      ...SESSION_OPTIONS,
    },
    run: async (parsed) => (await import("../migrate/migrate.ts")).migrate(kind, parsed),
  });
}

export const migrateGroup: CommandGroup = {
  name: "migrate",
  summary: "Copy buckets of another store into this one, with versions and settings.",
  verbs: [
    verb("s3", "Copy buckets of Amazon S3, or of any store that speaks S3."),
    verb("minio", "Copy buckets of MinIO."),
  ],
};
