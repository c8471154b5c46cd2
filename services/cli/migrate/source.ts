// The other end of a migration: another S3 endpoint with keys of its own. They come from variables
// of their own or from a profile, never from a command line, and are not mixed up with those of the
// store that is written to.
import { type OptionTable, UsageError } from "../command-line.ts";
import { type Connection, type ConnectionPlan, openConnection } from "../objects/connection.ts";
import { shown } from "../objects/shown-text.ts";

export const SOURCE_OPTIONS = {
  from: { kind: "text", value: "URL", help: "S3 endpoint to copy from" },
  "from-region": { kind: "text", value: "NAME", help: "its region (us-east-1)" },
  "from-profile": {
    kind: "text",
    value: "NAME",
    help: "profile of ~/.aws with its keys (else SOURCE_ACCESS_KEY_ID ...)",
  },
} as const satisfies OptionTable;

export interface SourceOptions {
  readonly from?: string;
  readonly "from-region"?: string;
  readonly "from-profile"?: string;
}

export type SourceKind = "s3" | "minio";

type Environment = Readonly<Record<string, string | undefined>>;

/** Throws UsageError when no endpoint or no keys are named. */
export function sourcePlan(
  kind: SourceKind,
  options: SourceOptions,
  environment: Environment,
): ConnectionPlan {
  const { from, "from-profile": profile, "from-region": region = "us-east-1" } = options;
  if (from === undefined && kind === "minio") {
    throw new UsageError("migrate from-minio wants --from URL");
  }
  const endpoint = from === undefined ? undefined : checkedUrl(from);
  const accessKeyId = environment.SOURCE_ACCESS_KEY_ID ?? "";
  const secretAccessKey = environment.SOURCE_SECRET_ACCESS_KEY ?? "";
  const sessionToken = environment.SOURCE_SESSION_TOKEN;
  const hasKeys = accessKeyId !== "" && secretAccessKey !== "";
  if (!hasKeys && profile === undefined) {
    const wanted = "set SOURCE_ACCESS_KEY_ID and SOURCE_SECRET_ACCESS_KEY, or give --from-profile";
    throw new UsageError(`no keys to read with: ${wanted}`);
  }
  return {
    endpoint,
    region,
    pathStyle: endpoint !== undefined,
    keys:
      hasKeys && profile === undefined ? { accessKeyId, secretAccessKey, sessionToken } : undefined,
    profile,
    anonymous: false,
  };
}

function checkedUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new UsageError(`--from: "${shown(text)}" is no http or https URL`);
  }
  return text.replace(/\/+$/, "");
}

export function openSource(plan: ConnectionPlan, environment: Environment): Promise<Connection> {
  return openConnection(plan, environment);
}
