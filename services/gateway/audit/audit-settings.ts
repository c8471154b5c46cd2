// Settings of the audit log.
import * as Type from "../../lib/base/settings-schema.ts";

const text = (description: string): Type.TString => Type.String({ default: "", description });

export const AUDIT_SETTINGS = Type.Object(
  {
    requests: Type.Union(
      [Type.Literal("changes"), Type.Literal("denied"), Type.Literal("writes")],
      {
        default: "denied",
        description:
          "Requests of S3 that are written down: changes of buckets and their settings; refused ones too; every write too. Calls of the admin API and IAM that change something always are.",
      },
    ),
    file: text("File that lines are appended to, one JSON object each; empty: none."),
    fileBytesMax: Type.Integer({
      default: 104_857_600,
      minimum: 4096,
      description: "A file that would grow past this is renamed to .1, .2, ...",
    }),
    filesMax: Type.Integer({
      default: 10,
      minimum: 1,
      maximum: 1000,
      description: "Files that are kept, the present one among them.",
    }),
    stdout: Type.Boolean({ default: false, description: "Lines go to standard output as well." }),
    webhook: text("http: or https: address that lines are posted to, many at once; empty: none."),
    webhookToken: text("Sent to it as `Authorization: Bearer ...`; a secret."),
    queueLines: Type.Integer({
      default: 10_000,
      minimum: 1,
      maximum: 1_000_000,
      description: "Lines that wait for a slow or silent destination.",
    }),
    onFull: Type.Union([Type.Literal("drop"), Type.Literal("refuse")], {
      default: "drop",
      description:
        "When more lines wait: drop new ones, counted (dolium_audit_dropped_lines_total), or refuse requests with 503 until there is room.",
    }),
  },
  { additionalProperties: false },
);

export type AuditSettings = Type.Static<typeof AUDIT_SETTINGS>;
