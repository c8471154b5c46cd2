// `dolium bucket versioning|website`: read, set and take away through S3.
import {
  DeleteBucketWebsiteCommand,
  GetBucketVersioningCommand,
  GetBucketWebsiteCommand,
  PutBucketVersioningCommand,
  PutBucketWebsiteCommand,
  type WebsiteConfiguration,
} from "@aws-sdk/client-s3";
import { UsageError } from "../command-line.ts";
import type { SessionOptions } from "../objects/session.ts";
import { shown } from "../objects/shown-text.ts";
import { shaped, WEBSITE_SHAPE } from "./json-shape.ts";
import {
  ask,
  noMore,
  oneOf,
  type SettingCall,
  settingJson,
  showSetting,
  tellChange,
  withBucket,
} from "./setting-session.ts";

interface Parsed<Options extends SessionOptions> {
  readonly options: Options;
  readonly positionals: readonly string[];
}

/** S3 cannot forget that a bucket had versions: `off` suspends. */
const STATES = new Map([
  ["on", "Enabled"],
  ["off", "Suspended"],
] as const);

export async function versioning(parsed: Parsed<SessionOptions>): Promise<number> {
  return withBucket("versioning", parsed, async (call, [wanted, ...rest]) => {
    noMore("versioning", rest);
    const { bucket, session } = call;
    if (wanted === undefined) {
      const answer = await ask(call, new GetBucketVersioningCommand({ Bucket: bucket }));
      const state = answer.Status ?? "never";
      session.report.show({ bucket, versioning: state }, `${shown(bucket)}: ${WORDS[state]}`);
      return 0;
    }
    const Status = wanted === "on" || wanted === "off" ? STATES.get(wanted) : undefined;
    if (Status === undefined) {
      throw new UsageError(`versioning is on or off, not "${shown(wanted)}"`);
    }
    const VersioningConfiguration = { Status };
    await ask(call, new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration }));
    const line = `${bucket}: ${WORDS[Status]}`;
    return tellChange(call, { setting: "versioning", what: "set", line });
  });
}

const WORDS = {
  Enabled: "every version is kept",
  Suspended: "no further versions are kept; those that are there stay",
  never: "versions were never kept",
};

interface WebsiteOptions extends SessionOptions {
  readonly file?: string;
  readonly index?: string;
  readonly error?: string;
  readonly "redirect-to"?: string;
  readonly remove?: boolean;
}

export async function website(parsed: Parsed<WebsiteOptions>): Promise<number> {
  const { file, index, error, "redirect-to": host, remove } = parsed.options;
  const way = oneOf("website", {
    "--file": file !== undefined,
    "--index": index !== undefined,
    "--redirect-to": host !== undefined,
    "--remove": remove === true,
  });
  if (error !== undefined && index === undefined) throw new UsageError("--error wants --index");
  const wanted = file === undefined ? undefined : websiteOf(settingJson(file));
  return withBucket("website", parsed, async (call, rest) => {
    noMore("website", rest);
    const { bucket } = call;
    if (way === undefined) return showWebsite(call);
    if (way === "--remove") {
      await ask(call, new DeleteBucketWebsiteCommand({ Bucket: bucket }));
      const line = `${bucket} is no web site`;
      return tellChange(call, { setting: "website", what: "removed", line });
    }
    const WebsiteConfiguration = wanted ?? fromFlags({ index, error, host });
    await ask(call, new PutBucketWebsiteCommand({ Bucket: bucket, WebsiteConfiguration }));
    return tellChange(call, { setting: "website", what: "set", line: `${bucket} is a web site` });
  });
}

export function websiteOf(value: unknown): WebsiteConfiguration {
  // Checked boundary: the shape is that of the SDK's type.
  return shaped(value, WEBSITE_SHAPE, "") as WebsiteConfiguration;
}

function fromFlags(flags: {
  readonly index: string | undefined;
  readonly error: string | undefined;
  readonly host: string | undefined;
}): WebsiteConfiguration {
  const { index, error, host } = flags;
  if (host !== undefined) return { RedirectAllRequestsTo: redirectOf(host) };
  return {
    IndexDocument: { Suffix: index },
    ...(error === undefined ? {} : { ErrorDocument: { Key: error } }),
  };
}

/** "https://www.example.org" or "www.example.org". */
function redirectOf(text: string): { HostName: string; Protocol?: "http" | "https" } {
  const match = /^(?:(https?):\/\/)?([^/\s]+)\/?$/.exec(text);
  const [, protocol, HostName = ""] = match ?? [];
  if (match === null) throw new UsageError(`--redirect-to wants a host, not "${shown(text)}"`);
  return protocol === "http" || protocol === "https"
    ? { HostName, Protocol: protocol }
    : { HostName };
}

async function showWebsite(call: SettingCall): Promise<number> {
  const answer = await ask(call, new GetBucketWebsiteCommand({ Bucket: call.bucket }));
  const { IndexDocument, ErrorDocument, RedirectAllRequestsTo, RoutingRules } = answer;
  return showSetting(call, {
    ...(IndexDocument === undefined ? {} : { IndexDocument }),
    ...(ErrorDocument === undefined ? {} : { ErrorDocument }),
    ...(RedirectAllRequestsTo === undefined ? {} : { RedirectAllRequestsTo }),
    ...(RoutingRules === undefined ? {} : { RoutingRules }),
  });
}
